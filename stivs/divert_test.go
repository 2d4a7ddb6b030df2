package stivs_test

import (
	"slices"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

var (
	second = number("12155550132")
	third  = number("12155550133")
	fourth = number("12155550134")
)

// make signs a PASSporT of any type, with the claims given and the usual ones where they are absent.
func (l *laboratory) make(id *oobtest.Identity, ppt passport.Type, claims passport.Claims) string {
	l.t.Helper()
	if claims.IAT.IsZero() {
		claims.IAT = l.now
	}
	if claims.Orig.IsZero() {
		claims.Orig = caller
	}
	if claims.Dest == nil {
		claims.Dest = []tn.Identity{called}
	}
	token, err := passport.Sign(id.Key, ppt, id.X5U, claims)
	l.must(err)
	return token
}

// div is a PASSporT of the forwarding from one called party to another.
func (l *laboratory) div(from, to tn.Identity) string { return l.divBy(l.signer, from, to) }

func (l *laboratory) divBy(id *oobtest.Identity, from, to tn.Identity) string {
	return l.make(id, passport.Div, passport.Claims{Dest: []tn.Identity{to}, Div: from})
}

// fieldOf is the header field value of a token.
func (l *laboratory) fieldOf(token string) string {
	l.t.Helper()
	envelope, err := passport.Open(token)
	l.must(err)
	field := identity.Header{Token: token, Info: envelope.Header.X5U, Alg: "ES256", PPT: string(envelope.Header.PPT)}
	return field.String()
}

// arrived is a call that has come to a called party, in band and out of band.
func (l *laboratory) arrived(t *testing.T, at tn.Identity, tokens []string, judge func(*testing.T, oob.Verdict, oob.Source)) {
	t.Helper()
	fields := make([]string, len(tokens))
	for i, token := range tokens {
		fields[i] = l.fieldOf(token)
	}
	t.Run("in band", func(t *testing.T) {
		l.in(t)
		judge(t, l.verify(stivs.Call{Orig: caller, Dest: at, Identity: fields}), oob.SourceInBand)
	})
	t.Run("out of band", func(t *testing.T) {
		l.in(t)
		judge(t, l.verify(stivs.Call{Orig: caller, Dest: at}, tokens...), oob.SourceOutOfBand)
	})
}

// RFC 8946 §4.2: each div names who was called before, and leads back to the PASSporT of the caller's provider.
func TestRFC8946_S4_2_DivertedCallPasses(t *testing.T) {
	l := newLaboratory(t)
	forwarder := l.issue(l.pki, oobtest.IssueConfig{SPC: "567B"})
	shaken := l.signed().Passport
	one, two, three := l.divBy(forwarder, called, second), l.div(second, third), l.div(third, fourth)
	for _, c := range []struct {
		name   string
		at     tn.Identity
		tokens []string
		way    []tn.Identity
	}{
		{"once", second, []string{shaken, one}, []tn.Identity{called, second}},
		{"once, the other way round", second, []string{one, shaken}, []tn.Identity{called, second}},
		{"three times, in no order", fourth, []string{two, shaken, three, one}, []tn.Identity{called, second, third, fourth}},
		{"a shorter way counts", third, []string{shaken, one, two, l.div(called, third)}, []tn.Identity{called, third}},
		{"in a circle", second, []string{shaken, one, two, l.div(third, second)}, []tn.Identity{called, second}},
		{"one of several called parties", second, []string{l.signedBy(l.signer, caller, another, called).Passport, one}, []tn.Identity{called, second}},
		{"a div that leads elsewhere", second, []string{shaken, one, l.div(called, another)}, []tn.Identity{called, second}},
		{"of two for the same step a good one", second, []string{shaken, l.sign(forwarder.Key, head(l.div(called, second))), l.div(called, second)}, []tn.Identity{called, second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.in(t)
			l.arrived(t, c.at, c.tokens, func(t *testing.T, v oob.Verdict, source oob.Source) {
				wantPassed(t, v, source)
				if v.SignerSPC != "1234" || v.Attest != "B" {
					t.Errorf("signed by %s, attest %s", v.SignerSPC, v.Attest)
				}
				if len(v.Diversions) != len(c.way)-1 {
					t.Fatalf("%d diversions, want %d\n%s", len(v.Diversions), len(c.way)-1, story(v))
				}
				for i, d := range v.Diversions {
					if d.From != c.way[i] || d.To != c.way[i+1] {
						t.Errorf("step %d from %s to %s", i, d.From, d.To)
					}
				}
			})
		})
	}
	t.Run("a call that was not diverted has no way", func(t *testing.T) {
		l.in(t)
		v := l.verify(plainCall(l.fieldOf(shaken), l.fieldOf(one)))
		wantPassed(t, v, oob.SourceInBand)
		if len(v.Diversions) != 0 {
			t.Errorf("%+v", v.Diversions)
		}
	})
}

// head is the signing input of a token.
func head(token string) string { return token[:len(token)-87] }

func TestRFC8946_S4_2_BrokenWayDoesNotPass(t *testing.T) {
	l := newLaboratory(t)
	shaken, one, two := l.signed().Passport, l.div(called, second), l.div(second, third)
	delegate := l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", TNAuthList: delegated()}) // for the caller's number
	foreign, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
	l.must(err)
	stranger := l.issue(foreign, oobtest.IssueConfig{SPC: "6666"})
	otherCaller := l.make(l.signer, passport.Div, passport.Claims{Orig: another, Dest: []tn.Identity{second}, Div: called})
	stale := l.make(l.signer, passport.Div, passport.Claims{IAT: l.now.Add(-61 * time.Second), Dest: []tn.Identity{second}, Div: called})
	for _, c := range []struct {
		name   string
		at     tn.Identity
		tokens []string
		want   stivs.Case
		div    stivs.Case // of the div that breaks it; none where it is missing
	}{
		{"a step is missing", third, []string{shaken, two}, stivs.E16, 0},
		{"the last step is missing", third, []string{shaken, one}, stivs.E16, stivs.E16},
		{"another caller", second, []string{shaken, otherCaller}, stivs.E16, stivs.E16},
		{"stale", second, []string{shaken, stale}, stivs.E16, stivs.E15},
		{"another's signature", second, []string{shaken, l.sign(stranger.Key, head(one))}, stivs.E16, stivs.E18},
		{"a signer of no trust", second, []string{shaken, l.divBy(stranger, called, second)}, stivs.E16, stivs.E17},
		{"a delegate who holds another number", second, []string{shaken, l.divBy(delegate, called, second)}, stivs.E16, stivs.E17},
		{"a circle without a way out", fourth, []string{shaken, one, two, l.div(third, second)}, stivs.E16, stivs.E16},
		{"nobody's PASSporT at its beginning", second, []string{one}, stivs.E5, 0},
		{"a stale PASSporT at its beginning", second, []string{l.forge(nil, members{"iat": l.now.Unix() - 61}), one}, stivs.E15, 0},
		{"an unsigned PASSporT at its beginning", second, []string{l.sign(stranger.Key, head(shaken)), one}, stivs.E18, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.in(t)
			l.arrived(t, c.at, c.tokens, func(t *testing.T, v oob.Verdict, source oob.Source) {
				want := c.want
				if source == oob.SourceOutOfBand && want == stivs.E5 {
					want = stivs.E13 // there is no ppt parameter out of band
				}
				wantCase(t, v, want)
				if len(v.Diversions) != 0 {
					t.Errorf("%+v", v.Diversions)
				}
				if c.div == 0 {
					return
				}
				if !slices.ContainsFunc(v.Tokens, func(tv oob.TokenVerdict) bool { return tv.PPT == "div" && tv.Case == c.div.String() }) {
					t.Errorf("no div is %s\n%s", c.div, story(v))
				}
			})
		})
	}
}

func TestRFC8946_S4_2_DelegateDivertsItsOwnNumber(t *testing.T) {
	l := newLaboratory(t)
	n, _ := called.Number()
	r, err := tn.NewRange(n, 2)
	l.must(err)
	delegate := l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", TNAuthList: stircert.TNAuthList{Ranges: []tn.Range{r}}})
	l.arrived(t, another, []string{l.signed().Passport, l.divBy(delegate, called, another)}, func(t *testing.T, v oob.Verdict, source oob.Source) {
		wantPassed(t, v, source)
		if len(v.Diversions) != 1 || v.Diversions[0].SignerSPC != "" {
			t.Errorf("%+v", v.Diversions)
		}
	})
}

// RFC 8946 §4.2: a call that was transferred may bring the PASSporT of an earlier minute.
func TestRFC8946_S4_2_InnermostMayBeOlderByConfiguration(t *testing.T) {
	l := newLaboratory(t)
	shaken := l.signed().Identity.String()
	l.now = l.now.Add(time.Hour)
	call := stivs.Call{Orig: caller, Dest: second, Identity: []string{shaken, l.fieldOf(l.div(called, second))}}
	wantCase(t, l.verify(call), stivs.E15)
	lenient := l.service(func(cfg *stivs.Config) { cfg.Transfer = 3 * time.Hour })
	wantPassed(t, lenient.Verify(t.Context(), call), oob.SourceInBand)
	call = plainCall(shaken) // not diverted
	wantCase(t, lenient.Verify(t.Context(), call), stivs.E15)
}

// RFC 8946 §5: out of band one PASSporT may hold the whole way.
func TestRFC8946_S5_DivOHoldsTheWay(t *testing.T) {
	l := newLaboratory(t)
	forwarder := l.issue(l.pki, oobtest.IssueConfig{SPC: "567B"})
	nest := func(id *oobtest.Identity, inner string, from, to tn.Identity) string {
		return l.make(id, passport.DivO, passport.Claims{Dest: []tn.Identity{to}, Div: from, Opt: inner})
	}
	shaken := l.signed().Passport
	once := nest(forwarder, shaken, called, second)
	twice := nest(l.signer, once, second, third)
	for _, c := range []struct {
		name  string
		at    tn.Identity
		token string
		steps int
	}{{"once", second, once, 1}, {"twice", third, twice, 2}} {
		t.Run(c.name, func(t *testing.T) {
			l.in(t)
			l.arrived(t, c.at, []string{c.token}, func(t *testing.T, v oob.Verdict, source oob.Source) {
				wantPassed(t, v, source)
				if len(v.Diversions) != c.steps || v.Passport != shaken {
					t.Errorf("%+v, %q", v.Diversions, v.Passport)
				}
			})
		})
	}
	foreign, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
	l.must(err)
	stranger := l.issue(foreign, oobtest.IssueConfig{SPC: "6666"})
	for _, c := range []struct {
		name  string
		token string
		want  stivs.Case
	}{
		{"outermost by nobody", nest(stranger, shaken, called, second), stivs.E16},
		{"innermost by nobody", nest(forwarder, l.signedBy(stranger, caller, called).Passport, called, second), stivs.E17},
		{"innermost is of another call", nest(forwarder, l.signedBy(l.signer, caller, another).Passport, called, second), stivs.E16},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.in(t)
			l.arrived(t, second, []string{c.token}, func(t *testing.T, v oob.Verdict, _ oob.Source) { wantCase(t, v, c.want) })
		})
	}
}
