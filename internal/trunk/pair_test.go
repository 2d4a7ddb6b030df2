package trunk_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/internal/isup"
	_ "github.com/viaduct-oob/viaduct/internal/seedtest"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// call is what is true of a call, whoever tells of it.
type call struct {
	orig, dest         string // international
	restricted, ported bool
	original, diverter string // empty: not diverted
	ended              bool   // the gateway appends ST
}

// home is the country of the trunk of a pair test, and how a number of it is told from a foreign one.
var home = trunk.Numbering{Plan: tn.NANP, HomeNPA: "215", Second: trunk.SecondOriginal}

// spellings are the ways in which SIP writes a number.
var spellings = []func(number string) string{
	func(n string) string { return "sip:+" + n + "@sbc.example.com;user=phone" },
	func(n string) string { return "SIPS:%2b" + n + "@[2001:db8::1]:5061;transport=tcp" },
	func(n string) string { return "tel:+" + n[:1] + "-(" + n[1:4] + ")." + n[4:] },
	func(n string) string { return "sip:+" + n + ";npdi;ext=5;isub=1;phone-context=+44@h" },
	func(n string) string {
		if national, ok := strings.CutPrefix(n, "1"); ok {
			return "sip:" + national + "@h"
		}
		return "sip:011" + n + "@h"
	},
	func(n string) string {
		if national, ok := strings.CutPrefix(n, "1215"); ok {
			return "tel:" + national + ";phone-context=+1215"
		}
		return "tel:+" + n
	},
}

// sip writes the call as an INVITE before the trunk.
func (c call) sip(spell func(string) string) trunk.Signalling {
	s := trunk.Signalling{
		RequestURI: spell(c.dest), To: "<" + spell(c.dest) + ">", From: "<" + spell(c.orig) + ">;tag=1",
		Asserted: []string{`"Doe, J" <` + spell(c.orig) + ">"}, ChargeInfo: []string{"<tel:+12155550000>"},
	}
	if c.restricted {
		s.From, s.Privacy = `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1`, []string{"id"}
	}
	if c.original != "" {
		s.Diversion = []string{"<" + spell(c.diverter) + ">;reason=user-busy;counter=1", "<" + spell(c.original) + ">"}
	}
	return s
}

// isup writes the call as the IAM on the trunk: national within North America, else international.
func (c call) isup() isup.IAM {
	number := func(n string) isup.Number {
		if national, ok := strings.CutPrefix(n, "1"); ok {
			return nai(isup.National, national)
		}
		return nai(isup.International, n)
	}
	calling, charge := number(c.orig), number("12155550000")
	m := isup.IAM{
		Category: 10, UserService: []byte{0x90, 0x90, 0xa2}, Called: number(c.dest), Calling: &calling, Charge: &charge, Jurisdiction: "215555",
	}
	if c.restricted {
		calling.Presentation = isup.PresentationRestricted
	}
	if c.ported {
		m.Forward |= isup.NumberTranslated
		m.Generic = []isup.Generic{{Type: isup.GenericPorted, Number: m.Called}}
		m.Called = number("12155550000")
	}
	if c.ended {
		m.Called.Digits += "F"
	}
	if c.original != "" {
		original, redirecting := number(c.original), number(c.diverter)
		m.OriginalCalled, m.Redirecting, m.Redirection = &original, &redirecting, &isup.Redirection{Counter: 2}
	}
	return m
}

// same holds that both ends find the same call, the right one, under the same keys. The IAM goes over the trunk in bytes.
func same(t rapid.TB, c call, spell func(string) string) {
	s, m := c.sip(spell), c.isup()
	b, err := m.Append(isup.ANSI, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = isup.Decode(isup.ANSI, b); err != nil {
		t.Fatal(err)
	}
	before, after := home.FromSIP(s), home.FromISUP(m)
	if foundIn(before) != foundIn(after) {
		t.Fatalf("%+v\nin SIP:  %+v\nin ISUP: %+v", s, foundIn(before), foundIn(after))
	}
	want := found{orig: c.orig, dest: c.dest, restricted: c.restricted, diverted: c.original != "", from: c.diverter}
	if c.original != c.dest {
		want.second = c.original
	}
	if got := foundIn(before); got != want {
		t.Fatalf("%+v\nis %+v, want %+v", s, got, want)
	}
	for _, profile := range oob.Profiles() {
		out, in := trunk.Row{Profile: profile, PeerSPC: "709J"}, trunk.Row{Profile: profile, PeerSPC: "505J"}
		published, sought := out.Keys(before, "505J", true), in.Keys(after, "709J", false)
		inKey := profile.Row().KeyedBySPC || profile.Row().ForSPC
		if len(published) != 1 || len(sought) == 0 || published[0] != sought[0] || published[0].SPC != "" != inKey {
			t.Fatalf("%s: published under %v, looked for under %v", profile, published, sought)
		}
	}
}

var (
	northAmerican = rapid.StringMatching(`1[2-9][0-9]{2}[2-9][0-9]{6}`)
	foreign       = rapid.StringMatching(`(44|49|52|390|86|358)[0-9]{7,11}`)
)

func TestBothEndsFindTheSameKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(northAmerican, northAmerican, rapid.StringMatching(`1215[2-9][0-9]{6}`), foreign)
		c := call{
			orig: number.Draw(t, "orig"), dest: number.Draw(t, "dest"), restricted: rapid.Bool().Draw(t, "restricted"),
			ported: rapid.Bool().Draw(t, "ported"), ended: rapid.Bool().Draw(t, "ended"),
		}
		if rapid.Bool().Draw(t, "diverted") {
			c.original, c.diverter = number.Draw(t, "original"), number.Draw(t, "diverter")
		}
		same(t, c, rapid.SampledFrom(spellings).Draw(t, "spelling"))
	})
}

// FuzzBothEnds is the same for what a fuzzer thinks of: what is a number on neither end is one on no end.
func FuzzBothEnds(f *testing.F) {
	f.Add("2155550121", "9032469103", uint8(3), uint8(3), false)
	f.Add("442079460000", "5550131", uint8(4), uint8(1), true)
	f.Add("", "911", uint8(3), uint8(2), false)
	f.Add("4420794600", "19032469103", uint8(3), uint8(2), false)
	f.Fuzz(func(t *testing.T, orig, dest string, origNature, destNature uint8, restricted bool) {
		long := func(nature uint8, digits string) bool { // in SIP, what is too long for a subscriber number is another number
			return len(digits) > isup.DigitsMax || natures[nature%4] == isup.Subscriber && len(digits) > 7
		}
		if strings.Trim(orig+dest, "0123456789") != "" || long(origNature, orig) || long(destNature, dest) {
			return
		}
		s := trunk.Signalling{RequestURI: asSIP(destNature, dest)}
		if orig != "" {
			s.Asserted = []string{"<" + asSIP(origNature, orig) + ">"}
		}
		calling := nai(natures[origNature%4], orig)
		m := isup.IAM{Called: nai(natures[destNature%4], dest), Calling: &calling}
		if restricted {
			s.Privacy, calling.Presentation = []string{"id"}, isup.PresentationRestricted
		}
		before, after := home.FromSIP(s), home.FromISUP(m)
		// An address that SIP cannot write has nothing to compare with.
		if before.Orig.IsURI() || before.Dest.IsURI() || dest == "" {
			return
		}
		if before.Emergency != after.Emergency && len(dest) < 5 {
			return // one of the many spellings of short codes, and not the one that SIP would have been given
		}
		if before.Orig != after.Orig || before.Dest != after.Dest || before.Restricted != after.Restricted || before.Emergency != after.Emergency ||
			(before.Unusable == trunk.Usable) != (after.Unusable == trunk.Usable) {
			t.Fatalf("%+v\nin SIP:  %+v\nin ISUP: %+v", s, foundIn(before), foundIn(after))
		}
	})
}

// FuzzFromISUP holds of bytes what FuzzFromSIP holds of texts.
func FuzzFromISUP(f *testing.F) {
	for _, c := range []call{
		{orig: "12155550121", dest: "19032469103", ported: true, ended: true},
		{orig: "442079460000", dest: "4722123456", restricted: true, original: "12155550131", diverter: "12155550132"},
	} {
		b, err := c.isup().Append(isup.ANSI, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	numberings := []*trunk.Numbering{&northAmerica, &philadelphia, &britain, &fromFirst, &extensions, {}}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, variant := range []isup.Variant{isup.ITU, isup.ANSI} {
			m, err := isup.Decode(variant, b)
			if err != nil {
				continue
			}
			for _, n := range numberings {
				p := n.FromISUP(m)
				for what, id := range map[string]tn.Identity{"orig": p.Orig, "dest": p.Dest, "second": p.Second, "diverted from": p.DivertedFrom} {
					canonical(t, n, what, id)
					if id.IsURI() {
						t.Fatalf("%s is a URI", what)
					}
				}
				if foundIn(n.ExplainISUP(m)) != foundIn(p) || p.Emergency && foundIn(p) != leftAlone ||
					!p.Emergency && (p.Unusable == trunk.Usable) != (!p.Orig.IsZero() && !p.Dest.IsZero()) {
					t.Fatalf("%+v", foundIn(p))
				}
			}
		}
	})
}

var natures = [4]isup.Nature{isup.Unknown, isup.Subscriber, isup.National, isup.International}

// asSIP writes digits of a nature as a gateway does.
func asSIP(nature uint8, digits string) string {
	switch natures[nature%4] {
	case isup.National:
		return "tel:+1" + digits
	case isup.International:
		return "tel:+" + digits
	case isup.Subscriber:
		if len(digits) == 7 {
			return "tel:+1215" + digits
		}
	}
	return "tel:" + digits
}
