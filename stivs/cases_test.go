package stivs_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

func TestATIS82_EachCaseHasItsCodeTextAndVerstat(t *testing.T) {
	const none, failed = oob.VerstatNoValidation, oob.VerstatFailed
	want := []struct {
		code    int
		text    string
		verstat oob.Verstat
	}{
		{400, "", ""},
		{400, "", ""},
		{403, "Stale Date", none},
		{438, "Invalid Identity Header", none},
		{438, "Invalid Identity Header", none},
		{436, "Bad identity Info", none},
		{436, "Bad identity Info", none},
		{436, "Bad identity Info", none},
		{436, "Bad identity Info", none},
		{436, "Bad identity Info", none},
		{437, "Unsupported credential", none},
		{437, "Unsupported credential", none},
		{438, "Invalid Identity Header", none},
		{438, "Invalid Identity Header", none},
		{403, "Stale Date", none},
		{438, "Invalid Identity Header", none},
		{437, "Unsupported credential", failed},
		{438, "Invalid Identity Header", failed},
		{438, "Invalid Identity Header", none},
		{438, "Invalid Identity Header", none},
		{438, "Invalid Identity Header", none},
		{438, "Invalid Identity Header", none},
		{438, "Invalid Identity Header", none},
	}
	cases := stivs.Cases()
	if len(cases) != len(want) || cases[0].String() != "E1" || cases[18].String() != "E19" || cases[19].String() != "V1" || cases[22].String() != "V4" {
		t.Fatalf("cases %v", cases)
	}
	sentences := map[string]bool{}
	for i, c := range cases {
		row := c.Row()
		if row.Code != want[i].code || row.ReasonText != want[i].text || row.Verstat != want[i].verstat {
			t.Errorf("%s: %+v, want %+v", c, row, want[i])
		}
		if row.Section == "" || !strings.HasSuffix(row.Sentence, ".") || sentences[row.Sentence] {
			t.Errorf("%s: incomplete, or the sentence of another case: %+v", c, row)
		}
		sentences[row.Sentence] = true
	}
	for _, c := range []stivs.Case{0, 24, 255} {
		if c.Row() != (stivs.Row{}) || c.String() != "" {
			t.Errorf("case %d: %q %+v", uint8(c), c, c.Row())
		}
	}
}

func TestATIS82_EachProblemOfAPassportIsACase(t *testing.T) {
	want := map[passport.Problem]stivs.Case{
		passport.TooLong: stivs.E4, passport.SegmentCount: stivs.E4, passport.CompactForm: stivs.E4,
		passport.Base64Form: stivs.E4, passport.HeaderForm: stivs.E9, passport.HeaderIncomplete: stivs.E9,
		passport.TypInvalid: stivs.E11, passport.AlgInvalid: stivs.E12, passport.CritUnknown: stivs.E13,
		passport.PPTUnsupported: stivs.E13, passport.PayloadForm: stivs.E14, passport.ClaimMissing: stivs.E14,
		passport.IATForm: stivs.E14, passport.OrigForm: stivs.E14, passport.DestForm: stivs.E14,
		passport.NumberForm: stivs.E14, passport.OrigIDForm: stivs.E14, passport.DivForm: stivs.E14,
		passport.OptInDiv: stivs.E14, passport.Unsignable: stivs.E14, passport.AttestInvalid: stivs.E19,
		passport.DivUnchanged: stivs.E14, passport.OptForm: stivs.E14, passport.RPHForm: stivs.E14, passport.SPHForm: stivs.E14,
		passport.MKYForm: stivs.E14, passport.RCDForm: stivs.E14, passport.RCDIForm: stivs.E14, passport.MSGIForm: stivs.E14,
		passport.DigestMismatch: stivs.E14,
		passport.SignatureForm:  stivs.E18, passport.SignatureInvalid: stivs.E18,
	}
	for _, p := range passport.Problems() {
		if _, ok := want[p]; !ok {
			t.Errorf("%s is a new problem: give it a case", p)
		}
		if got := stivs.CaseOf(p); got != want[p] {
			t.Errorf("%s is %s, want %s", p, got, want[p])
		}
	}
	if got := stivs.CaseOf(255); got == 0 {
		t.Error("an unknown problem counts as none")
	}
}

// wrongCall is a call that must fail.
type wrongCall struct {
	name  string
	want  stivs.Case
	token string // carried in band and, in a second run, out of band
	field string // instead of the usual one around token; it is not tried out of band
	edit  func(*stivs.Call)
}

// wrongCalls is a call for each way to fail, E3 to E19.
func wrongCalls(l *laboratory) []wrongCall {
	good := l.signed().Passport
	segments := strings.Split(good, ".")
	foreign, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
	l.must(err)
	by := func(id *oobtest.Identity) wrongCall {
		token := l.signedBy(id, caller, called).Passport
		return wrongCall{want: stivs.E17, token: token, field: fieldWith(token, id.X5U)}
	}
	named := func(name string, w wrongCall) wrongCall { w.name = name; return w }
	wrongs := []wrongCall{
		{name: "date 61 s back", want: stivs.E3, token: good, edit: func(c *stivs.Call) { c.Time = l.now.Add(-61 * time.Second) }},
		{name: "date 61 s ahead", want: stivs.E3, token: good, edit: func(c *stivs.Call) { c.Time = l.now.Add(61 * time.Second) }},
		{name: "compact form", want: stivs.E4, token: ".." + segments[2]},
		{name: "two segments", want: stivs.E4, token: segments[0] + "." + segments[1]},
		{name: "padded segment", want: stivs.E4, token: good + "=="},
		{name: "too long", want: stivs.E4, token: segments[0] + "." + segments[1] + strings.Repeat("AAAA", 3000) + "." + segments[2]},
		{name: "no token", want: stivs.E4, field: ";info=<" + l.signer.X5U + ">"},
		{name: "garbage parameter", want: stivs.E4, field: l.field(good) + ";=;,"},
		{name: "ppt parameter rcd", want: stivs.E5, field: strings.Replace(l.field(good), "ppt=shaken", "ppt=rcd", 1)},
		{name: "no info", want: stivs.E6, field: good + ";alg=ES256;ppt=shaken"},
		{name: "unreadable info", want: stivs.E7, field: good + ";info=<" + l.signer.X5U},
		{name: "http", want: stivs.E7, token: l.forge(members{"x5u": "http://127.0.0.1/a.pem"}, nil), field: fieldWith(l.forge(members{"x5u": "http://127.0.0.1/a.pem"}, nil), "http://127.0.0.1/a.pem")},
		{name: "query", want: stivs.E7, token: l.forge(members{"x5u": l.signer.X5U + "?"}, nil), field: fieldWith(l.forge(members{"x5u": l.signer.X5U + "?"}, nil), l.signer.X5U+"?")},
		{name: "no certificate there", want: stivs.E8, token: l.forge(members{"x5u": l.base + "/none"}, nil), field: fieldWith(l.forge(members{"x5u": l.base + "/none"}, nil), l.base+"/none")},
		{name: "no x5u", want: stivs.E9, token: l.forge(members{"x5u": nil}, nil)},
		{name: "no typ", want: stivs.E9, token: l.forge(members{"typ": nil}, nil)},
		{name: "no alg", want: stivs.E9, token: l.forge(members{"alg": nil}, nil)},
		{name: "header parameter shaken, token without ppt", want: stivs.E9, field: l.field(l.forge(members{"ppt": nil}, nil))},
		{name: "header not JSON", want: stivs.E9, token: "AAAA." + segments[1] + "." + segments[2]},
		{name: "info of another", want: stivs.E10, field: fieldWith(good, l.base+"/other.pem")},
		{name: "typ JWT", want: stivs.E11, token: l.forge(members{"typ": "JWT"}, nil)},
		{name: "alg none", want: stivs.E12, token: l.forge(members{"alg": "none"}, nil)},
		{name: "alg RS256", want: stivs.E12, token: l.forge(members{"alg": "RS256"}, nil)},
		{name: "alg parameter", want: stivs.E12, field: strings.Replace(l.field(good), "alg=ES256", "alg=RS256", 1)},
		{name: "base PASSporT", want: stivs.E13, token: l.forge(members{"ppt": nil}, nil), field: l.forge(members{"ppt": nil}, nil) + ";info=<" + l.signer.X5U + ">"},
		{name: "ppt rph in the token", want: stivs.E13, token: l.forge(members{"ppt": "rph"}, nil)},
		{name: "crit", want: stivs.E13, token: l.forge(members{"crit": []string{"exp"}}, nil)},
		{name: "iat a string", want: stivs.E14, token: l.forge(nil, members{"iat": "1443208345"})},
		{name: "payload not JSON", want: stivs.E14, token: segments[0] + ".AAAA." + segments[2]},
		{name: "iat 61 s back", want: stivs.E15, token: l.forge(nil, members{"iat": l.now.Unix() - 61})},
		{name: "iat 61 s ahead", want: stivs.E15, token: l.forge(nil, members{"iat": l.now.Unix() + 61})},
		{name: "another caller", want: stivs.E16, token: good, edit: func(c *stivs.Call) { c.Orig = another }},
		{name: "another called number", want: stivs.E16, token: good, edit: func(c *stivs.Call) { c.Dest = another }},
		{name: "caller and called swapped", want: stivs.E16, token: good, edit: func(c *stivs.Call) { c.Orig, c.Dest = c.Dest, c.Orig }},
		{name: "nobody calls", want: stivs.E16, token: good, edit: func(c *stivs.Call) { c.Orig = stivs.Call{}.Orig }},
		named("signer of another trust anchor", by(l.issue(foreign, oobtest.IssueConfig{SPC: "1234"}))),
		named("certificate expired", by(l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", NotBefore: l.now.Add(-time.Hour), NotAfter: l.now.Add(-time.Second)}))),
		named("certificate not yet valid", by(l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", NotBefore: l.now.Add(time.Minute)}))),
		named("certificate of a delegate", by(l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", TNAuthList: delegated()}))),
		named("certificate without TNAuthList", by(l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", WithoutTNAuthList: true}))),
		{name: "tampered payload", want: stivs.E18, token: segments[0] + "." + l.tampered() + "." + segments[2]},
		{name: "another's key", want: stivs.E18, token: l.sign(l.issue(l.pki, oobtest.IssueConfig{SPC: "567B"}).Key, segments[0]+"."+segments[1])},
		{name: "DER signature", want: stivs.E18, token: segments[0] + "." + segments[1] + "." + l.derSignature(segments[0]+"."+segments[1])},
		{name: "attest in lower case", want: stivs.E19, token: l.forge(nil, members{"attest": "a"})},
		{name: "attest D", want: stivs.E19, token: l.forge(nil, members{"attest": "D"})},
	}
	for _, claim := range []string{"iat", "orig", "dest", "attest", "origid"} {
		wrongs = append(wrongs, wrongCall{name: "no " + claim, want: stivs.E14, token: l.forge(nil, members{claim: nil})})
	}
	return wrongs
}

// delegated is what a certificate of RFC 9060 holds: numbers, and no provider.
func delegated() stircert.TNAuthList {
	n, _ := caller.Number()
	r, err := tn.NewRange(n, 1)
	if err != nil {
		panic(err)
	}
	return stircert.TNAuthList{Ranges: []tn.Range{r}}
}

// tampered is a payload that the signature does not cover.
func (l *laboratory) tampered() string {
	return strings.Split(l.forge(nil, members{"origid": "00000000-0000-4000-8000-000000000000"}), ".")[1]
}

// derSignature is a signature as OpenSSL gives it.
func (l *laboratory) derSignature(input string) string {
	digest := sha256.Sum256([]byte(input))
	der, err := ecdsa.SignASN1(nil, l.signer.Key, digest[:])
	l.must(err)
	return base64.RawURLEncoding.EncodeToString(der)
}

func TestATIS82_EachWrongCallIsItsCaseInBand(t *testing.T) {
	l := newLaboratory(t)
	seen := map[stivs.Case]bool{stivs.E1: true, stivs.E2: true} // they belong to the HTTP API
	for _, w := range wrongCalls(l) {
		seen[w.want] = true
		t.Run(w.want.String()+" "+w.name, func(t *testing.T) {
			l.in(t)
			field := w.field
			if field == "" {
				field = l.field(w.token)
			}
			call := plainCall(field)
			if w.edit != nil {
				w.edit(&call)
			}
			verdict := l.verify(call)
			wantCase(t, verdict, w.want)
			if wantSource := map[bool]oob.Source{true: oob.SourceNone, false: oob.SourceInBand}[w.want == stivs.E3]; verdict.Source != wantSource {
				t.Errorf("source %q, want %q", verdict.Source, wantSource)
			}
		})
	}
	for _, c := range stivs.Cases() {
		if !seen[c] && c < stivs.V1 {
			t.Errorf("no call is tried that is %s", c)
		}
	}
}

func TestATIS82_EachWrongCallIsItsCaseOutOfBand(t *testing.T) {
	l := newLaboratory(t)
	seen := map[stivs.Case]bool{}
	for _, w := range wrongCalls(l) {
		if w.token == "" {
			continue
		}
		seen[w.want] = true
		t.Run(w.want.String()+" "+w.name, func(t *testing.T) {
			l.in(t)
			call := plainCall()
			if w.edit != nil {
				w.edit(&call)
			}
			verdict := l.verify(call, w.token)
			wantCase(t, verdict, w.want)
			if w.want != stivs.E3 && (verdict.Source != oob.SourceOutOfBand || verdict.Passport != w.token) {
				t.Errorf("source %q, PASSporT %q", verdict.Source, verdict.Passport)
			}
		})
	}
	for _, c := range stivs.Cases() {
		ofHeader := c == stivs.E5 || c == stivs.E6 || c == stivs.E10 // there is no header field out of band
		if ofHeader == seen[c] && c > stivs.E2 && c < stivs.V1 {
			t.Errorf("%s tried: %v", c, seen[c])
		}
	}
}

// Every case has its line in the page that an operator reads.
func TestTroubleshootingHasEveryCase(t *testing.T) {
	page, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range stivs.Cases() {
		row := regexp.MustCompile(`(?m)^\| (E\d+, )?` + c.String() + `(, E\d+)? \| ` + strconv.Itoa(c.Row().Code) + ` \|`)
		if !row.Match(page) {
			t.Errorf("%s has no line with code %d", c, c.Row().Code)
		}
	}
}
