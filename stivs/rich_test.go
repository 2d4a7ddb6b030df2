package stivs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
)

// A stranger with a good certificate may add PASSporTs to somebody else's call: none of what they say is shown.
func TestRFC9795_S10_RichCallDataIsThatOfTheCallersSide(t *testing.T) {
	l := newLaboratory(t)
	stranger := l.issue(l.pki, oobtest.IssueConfig{SPC: "6666"})
	delegate := l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", TNAuthList: delegated()})
	rcd := func(id *oobtest.Identity, r passport.RichCallData) string {
		r.HasRCD = true
		return l.fieldOf(l.make(id, passport.RCD, passport.Claims{Rich: &r}))
	}
	bank := passport.RichCallData{Nam: "Your Bank", APN: "12025550100"}
	vouching := passport.RichCallData{Nam: "Your Bank", CRN: "urgent", ISS: "SHAKEN 6666"}
	real := passport.RichCallData{Nam: "Real"}
	for _, c := range []struct {
		name  string
		rcds  []string
		want  string
		third string
		edit  func(*stivs.Config)
	}{
		{"a stranger's alone", []string{rcd(stranger, bank)}, "", "", nil},
		{"a stranger's first", []string{rcd(stranger, bank), rcd(l.signer, real)}, "Real", "", nil},
		{"the number's holder's", []string{rcd(delegate, real)}, "Real", "", nil},
		{"a third party's", []string{rcd(stranger, vouching)}, "", "", nil},
		{"a third party's that is listened to", []string{rcd(stranger, vouching)}, "Your Bank", "SHAKEN 6666",
			func(cfg *stivs.Config) { cfg.ThirdParties = []string{"SHAKEN 6666"} }},
		{"somebody in the name of that third party", []string{rcd(l.signer, vouching)}, "", "",
			func(cfg *stivs.Config) { cfg.ThirdParties = []string{"SHAKEN 6666"} }},
		{"both: nothing is mixed", []string{rcd(stranger, vouching), rcd(l.signer, real)}, "Real", "",
			func(cfg *stivs.Config) { cfg.ThirdParties = []string{"SHAKEN 6666"} }},
		{"a URI that nobody can call", []string{rcd(l.signer, passport.RichCallData{Nam: "Real", APN: "javascript:alert(1)"})}, "Real", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.in(t)
			v := l.service(c.edit).Verify(t.Context(), plainCall(append(c.rcds, l.signed().Identity.String())...))
			wantPassed(t, v, oob.SourceInBand)
			got := oob.Rich{}
			if v.Rich != nil {
				got = *v.Rich
			}
			if got.Name != c.want || got.ThirdParty != c.third || got.Alternate != "" && c.third == "" || c.third == "" && got.Reason != "" {
				t.Errorf("%+v, want %q of %q\n%s", got, c.want, c.third, story(v))
			}
		})
	}
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256-" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// RFC 9795 §8.2: what is wrong with rich call data takes it away, and leaves the verdict on the caller as it is.
func TestRFC9795_S8_2_RichCallDataNeverChangesTheVerdict(t *testing.T) {
	l := newLaboratory(t)
	logo := []byte("\x89PNG, as it were")
	l.pki.Serve("/logo.png", logo)
	l.pki.Serve("/other.png", []byte("another"))
	l.pki.Serve("/big.png", make([]byte, stivs.RichContentBytesMax+1))
	foreign, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
	l.must(err)
	nam := func(name string) *passport.RichCallData { return &passport.RichCallData{HasRCD: true, Nam: name} }
	icon := func(path, digest string) *passport.RichCallData {
		return &passport.RichCallData{HasRCD: true, Nam: "Q Branch", ICN: l.base + path,
			Digests: []passport.RichDigest{{Pointer: "/icn", Value: digest}}}
	}
	rcd := func(id *oobtest.Identity, r *passport.RichCallData) string {
		return l.fieldOf(l.make(id, passport.RCD, passport.Claims{Rich: r}))
	}
	shaken := func(r *passport.RichCallData) string {
		return l.fieldOf(l.make(l.signer, passport.Shaken, passport.Claims{Attest: "A", OrigID: "123e4567-e89b-42d3-a456-426655440000", Rich: r}))
	}
	plain := func() string { return l.signed().Identity.String() }
	for _, c := range []struct {
		name   string
		fields []string
		want   oob.Rich
		doubts int // in Unverified
	}{
		{"none", []string{plain()}, oob.Rich{}, 0},
		{"in the shaken PASSporT", []string{shaken(&passport.RichCallData{HasRCD: true, Nam: "Q Branch", CRN: "For your ears only"})},
			oob.Rich{Name: "Q Branch", Reason: "For your ears only"}, 0},
		{"in one of its own", []string{rcd(l.signer, nam("Q Branch")), plain()}, oob.Rich{Name: "Q Branch"}, 0},
		{"by nobody", []string{rcd(l.issue(foreign, oobtest.IssueConfig{SPC: "6666"}), nam("Your bank")), plain()}, oob.Rich{}, 0},
		{"with a logo", []string{shaken(icon("/logo.png", digestOf(logo)))}, oob.Rich{Name: "Q Branch", Icon: logo}, 0},
		{"with another logo than was signed", []string{shaken(icon("/other.png", digestOf(logo)))}, oob.Rich{Name: "Q Branch"}, 1},
		{"with a logo that is not there", []string{shaken(icon("/none.png", digestOf(logo)))}, oob.Rich{Name: "Q Branch"}, 1},
		{"with a logo without end", []string{shaken(icon("/big.png", digestOf(logo)))}, oob.Rich{Name: "Q Branch"}, 1},
		{"with a jCard", []string{shaken(&passport.RichCallData{HasRCD: true, Nam: "Q", JCD: `["vcard",[["fn",{},"text","Q Branch"]]]`})},
			oob.Rich{Name: "Q", Card: `["vcard",[["fn",{},"text","Q Branch"]]]`}, 0},
		{"with a jCard that turns its surroundings", []string{shaken(&passport.RichCallData{HasRCD: true, Nam: "Q", JCD: `["vcard",[["fn",{},"text","\u202eQ"]]]`})},
			oob.Rich{Name: "Q"}, 1},
		{"with a jCard that hides a link", []string{shaken(&passport.RichCallData{HasRCD: true, Nam: "Q", JCD: `["vcard",[["photo",{},"text","https://evil.example/x"]]]`})},
			oob.Rich{Name: "Q"}, 1},
		{"with text that turns its surroundings", []string{shaken(nam("evil\u202eknab"))}, oob.Rich{}, 1},
		{"by a third party that is not its signer", []string{rcd(l.signer, &passport.RichCallData{HasRCD: true, Nam: "Q Branch", ISS: "somebody else"}), plain()}, oob.Rich{}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.in(t)
			fetching := l.service(func(cfg *stivs.Config) { cfg.FetchRich = true })
			v := fetching.Verify(t.Context(), plainCall(c.fields...))
			wantPassed(t, v, oob.SourceInBand)
			got := oob.Rich{}
			if v.Rich != nil {
				got = *v.Rich
			}
			doubts := len(got.Unverified)
			got.Unverified = nil
			if got.Name != c.want.Name || !bytes.Equal(got.Icon, c.want.Icon) || got.Card != c.want.Card || got.Reason != c.want.Reason || doubts != c.doubts {
				t.Errorf("%+v, want %+v and %d doubts: %q\n%s", got, c.want, c.doubts, v.Rich, story(v))
			}
		})
	}
	t.Run("nothing is fetched unless it is asked for", func(t *testing.T) {
		l.in(t)
		before := l.fetches.Load()
		v := l.service(nil).Verify(t.Context(), plainCall(shaken(icon("/logo.png", digestOf(logo)))))
		if v.Rich == nil || v.Rich.Name != "Q Branch" || v.Rich.Icon != nil || len(v.Rich.Unverified) != 1 || l.fetches.Load() != before {
			t.Errorf("%+v, %d fetches", v.Rich, l.fetches.Load()-before)
		}
	})
	t.Run("nothing is shown of a caller who is not verified", func(t *testing.T) {
		l.in(t)
		if v := l.verify(plainCall(rcd(l.signer, nam("Your bank")))); v.Rich != nil {
			t.Errorf("%+v", v.Rich)
		}
	})
}
