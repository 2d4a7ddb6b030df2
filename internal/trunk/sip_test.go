package trunk_test

import (
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/isup"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// canonical fails when an identity is neither a complete international number nor a URI in normal form, or could bring
// anything but itself into a message.
func canonical(t *testing.T, n *trunk.Numbering, what string, id tn.Identity) {
	t.Helper()
	text := id.String()
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>"\`, r) }) || len(text) > tn.URILengthMax {
		t.Fatalf("%s: %q could be more than one thing", what, text)
	}
	if id.IsZero() {
		return
	}
	again, err := tn.ParseIdentity(text)
	if err != nil || again != id {
		t.Fatalf("%s: %q is not canonical: %q, %v", what, text, again, err)
	}
	if number, ok := id.Number(); ok {
		p := n.FromSIP(trunk.Signalling{RequestURI: "tel:+" + number.String()})
		if p.Dest != id && !p.Emergency {
			t.Fatalf("%s: +%s is read as %q", what, text, p.Dest)
		}
	}
}

// FuzzFromSIP holds that nothing that is not canonical leaves, whatever comes, and that to explain changes nothing.
func FuzzFromSIP(f *testing.F) {
	seeds := 0
	for _, list := range [][]interworking{calledCases, callingCases, wayCases} {
		for _, c := range list {
			if s := c.sip; s != nil {
				first := func(lines []string) string { return strings.Join(lines, ",") }
				f.Add(s.RequestURI, s.From, s.To, first(s.Asserted), first(s.Privacy), first(s.Diversion), first(s.HistoryInfo))
				seeds++
			}
		}
	}
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	numberings := []*trunk.Numbering{&northAmerica, &philadelphia, &britain, &fromFirst, &extensions, {}, {Plan: tn.NANP, Bare: trunk.BareText}}
	f.Fuzz(func(t *testing.T, uri, from, to, asserted, privacy, diversion, history string) {
		s := trunk.Signalling{
			RequestURI: uri, From: from, To: to, Asserted: []string{asserted}, Privacy: []string{privacy},
			Diversion: []string{diversion}, HistoryInfo: []string{history}, ResourcePriority: []string{privacy}, Priority: []string{privacy},
		}
		for _, n := range numberings {
			p := n.FromSIP(s)
			canonical(t, n, "orig", p.Orig)
			canonical(t, n, "dest", p.Dest)
			canonical(t, n, "second", p.Second)
			canonical(t, n, "diverted from", p.DivertedFrom)
			if strings.Trim(p.HI, "0123456789.") != "" || p.HI != "" && !p.Diverted {
				t.Fatalf("index %q", p.HI)
			}
			if p.Emergency && foundIn(p) != leftAlone {
				t.Fatalf("an emergency call with parties: %+v", foundIn(p))
			}
			_, origNumber := p.Orig.Number()
			_, destNumber := p.Dest.Number()
			if !p.Emergency && (p.Unusable == trunk.Usable) != (origNumber && destNumber) {
				t.Fatalf("%+v", foundIn(p))
			}
			explained := n.ExplainSIP(s)
			if foundIn(explained) != foundIn(p) || len(explained.Steps) == 0 || p.Steps != nil {
				t.Fatalf("explained, %+v is %+v", foundIn(p), foundIn(explained))
			}
		}
	})
}

func TestExplain(t *testing.T) {
	want := func(t *testing.T, steps []trunk.Step, wanted ...trunk.Step) {
		t.Helper()
		for _, w := range wanted {
			found := false
			for _, s := range steps {
				found = found || s.What == w.What && s.Read == w.Read && s.Became == w.Became && strings.Contains(s.Why, w.Why)
			}
			if !found {
				t.Errorf("no step %+v among %+v", w, steps)
			}
		}
	}
	c := call{orig: "442079460000", dest: "12155550131", original: "12155550132", diverter: "12155550133", restricted: true, ported: true}
	want(t, home.ExplainISUP(c.isup()).Steps,
		trunk.Step{What: "called", Read: "2155550000", Why: "routing number"},
		trunk.Step{What: "called", Read: "2155550131", Became: "12155550131", Why: "national"},
		trunk.Step{What: "calling", Read: "442079460000", Became: "442079460000", Why: "international"},
		trunk.Step{What: "diverted from", Read: "2155550133", Became: "12155550133"},
		trunk.Step{What: "second", Read: "12155550132", Became: "12155550132"},
		trunk.Step{What: "charge number", Read: "2155550000", Why: "not who calls"},
		trunk.Step{What: "jurisdiction", Read: "215555", Why: "not who calls"},
	)
	want(t, home.ExplainSIP(c.sip(spellings[4])).Steps,
		trunk.Step{What: "called", Read: "sip:2155550131@h", Became: "12155550131", Why: "as dialled"},
		trunk.Step{What: "calling, asserted", Read: ` "Doe, J" <sip:011442079460000@h>`[1:], Became: "442079460000", Why: "as dialled"},
		trunk.Step{What: "presentation", Read: "id", Became: "restricted", Why: "privacy"},
		trunk.Step{What: "charged", Read: "<tel:+12155550000>", Why: "not who calls"},
	)
	long := home.ExplainSIP(trunk.Signalling{RequestURI: "sip:" + strings.Repeat("a", 3000) + "@h"})
	for _, s := range long.Steps {
		if len(s.Read) > 200 {
			t.Errorf("a step of %d bytes", len(s.Read))
		}
	}
}

// TestFloodsOfValues holds that what is behind the bound is not seen, and that work is bounded.
func TestFloodsOfValues(t *testing.T) {
	many := make([]string, 100_000)
	for i := range many {
		many[i] = "<sip:a@b>;index=1"
	}
	late := append(many[:trunk.ValuesMax:trunk.ValuesMax], "<tel:+12155550121>")
	s := trunk.Signalling{RequestURI: "tel:+12155550131", Asserted: late, Diversion: many, HistoryInfo: many, Privacy: append(many, "id")}
	p := philadelphia.FromSIP(s)
	if p.Orig.String() != "sip:a@b" || p.Restricted {
		t.Errorf("%+v", foundIn(p))
	}
	if p := philadelphia.FromSIP(trunk.Signalling{RequestURI: "tel:+12155550131", Asserted: []string{strings.Repeat(",", 1<<16) + "<tel:+12155550121>"}}); p.Orig.String() != "12155550121" {
		t.Errorf("empty values: %+v", foundIn(p))
	}
}

func TestKeys(t *testing.T) {
	parties := trunk.Parties{Orig: identity(t, "12155550121"), Dest: identity(t, "19032469103"), Second: identity(t, "18005551212")}
	key := func(p oob.Profile, spc, dest string) oob.Key {
		return oob.Key{Profile: p, SPC: spc, Dest: identity(t, dest), Orig: identity(t, "12155550121")}
	}
	for _, c := range []struct {
		name       string
		profile    oob.Profile
		publishing bool
		change     func(*trunk.Parties)
		want       []oob.Key
	}{
		{"agreed, publishing", oob.Agreed, true, nil, []oob.Key{key(oob.Agreed, "505J", "19032469103")}},
		{"agreed, retrieving", oob.Agreed, false, nil, []oob.Key{key(oob.Agreed, "709J", "19032469103"), key(oob.Agreed, "709J", "18005551212")}},
		{"mesh, publishing", oob.Mesh, true, nil, []oob.Key{key(oob.Mesh, "", "19032469103")}},
		{"no second", oob.Mesh, false, func(p *trunk.Parties) { p.Second = tn.Identity{} }, []oob.Key{key(oob.Mesh, "", "19032469103")}},
		{"no CPS", 0, false, nil, nil},
		{"emergency", oob.Mesh, false, func(p *trunk.Parties) { p.Emergency = true }, nil},
		{"marked, publishing", oob.Mesh, true, func(p *trunk.Parties) { p.Marked = true }, nil},
		{"marked, retrieving", oob.Mesh, false, func(p *trunk.Parties) { p.Marked, p.Second = true, tn.Identity{} }, []oob.Key{key(oob.Mesh, "", "19032469103")}},
		{"unusable", oob.Mesh, true, func(p *trunk.Parties) { p.Unusable = trunk.CallingPartyIsURI }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, r := parties, trunk.Row{Profile: c.profile, PeerSPC: "709J"}
			if c.change != nil {
				c.change(&p)
			}
			got := r.Keys(p, "505J", c.publishing)
			if len(got) != len(c.want) {
				t.Fatalf("%v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%v, want %v", got[i], c.want[i])
				}
			}
		})
	}
}

func identity(t *testing.T, s string) tn.Identity {
	t.Helper()
	id, err := tn.ParseIdentity(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestTheHotPathIsCheap bounds what the reading of an ordinary INVITE and of an ordinary IAM allocates.
func TestTheHotPathIsCheap(t *testing.T) {
	s := invite(func(*trunk.Signalling) {})
	if n := testing.AllocsPerRun(100, func() { northAmerica.FromSIP(*s) }); n > 4 {
		t.Errorf("%v allocations for an INVITE", n)
	}
	m := isup.IAM{Called: nai(isup.International, "19032469103"), Calling: &isup.Number{Nature: isup.International, Digits: "12155550121"}}
	if n := testing.AllocsPerRun(100, func() { northAmerica.FromISUP(m) }); n > 1 {
		t.Errorf("%v allocations for an IAM", n)
	}
}

func BenchmarkFromSIP(b *testing.B) {
	s := invite(func(*trunk.Signalling) {})
	b.ReportAllocs()
	for b.Loop() {
		northAmerica.FromSIP(*s)
	}
}
