package stivs_test

import (
	"crypto/x509"
	"slices"
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

// RFC 8443 §4: an rph PASSporT authorises a priority, and says nothing of the caller.
func TestRFC8443_S4_PriorityIsJudgedBesideTheCaller(t *testing.T) {
	l := newLaboratory(t)
	foreign, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
	l.must(err)
	rph := func(id *oobtest.Identity, edit passport.Claims) string {
		edit.RPH = []string{"ets.0", "esnet.1"}
		return l.fieldOf(l.make(id, passport.RPH, edit))
	}
	good := rph(l.signer, passport.Claims{SPH: "psap-callback"})
	for _, c := range []struct {
		name    string
		fields  []string
		edit    func(*stivs.Config)
		verstat oob.PriorityVerstat
	}{
		{"none", nil, nil, ""},
		{"good, and nobody is listed", []string{good}, func(cfg *stivs.Config) { cfg.PrioritySigners = nil }, ""},
		{"a delegate", []string{rph(l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", TNAuthList: delegated()}), passport.Claims{})}, nil, oob.PriorityFailed},
		{"good", []string{good}, nil, oob.PriorityPassed},
		{"stale", []string{rph(l.signer, passport.Claims{IAT: l.now.Add(-61 * time.Second)})}, nil, oob.PriorityNoValidation},
		{"of another call", []string{rph(l.signer, passport.Claims{Dest: []tn.Identity{another}})}, nil, oob.PriorityNoValidation},
		{"by nobody", []string{rph(l.issue(foreign, oobtest.IssueConfig{SPC: "6666"}), passport.Claims{})}, nil, oob.PriorityFailed},
		{"a good one behind a bad one", []string{rph(l.issue(foreign, oobtest.IssueConfig{SPC: "6666"}), passport.Claims{}), good}, nil, oob.PriorityPassed},
		{"signer not listed", []string{good}, func(cfg *stivs.Config) { cfg.PrioritySigners = []string{"9999"} }, oob.PriorityFailed},
		{"signer listed", []string{good}, func(cfg *stivs.Config) { cfg.PrioritySigners = []string{"9999", "1234"} }, oob.PriorityPassed},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.in(t)
			for _, alone := range []bool{false, true} {
				call := plainCall(c.fields...)
				if !alone {
					call.Identity = append(call.Identity, l.signed().Identity.String())
				}
				v := l.service(func(cfg *stivs.Config) {
					cfg.PrioritySigners = []string{"1234", "6666"}
					if c.edit != nil {
						c.edit(cfg)
					}
				}).Verify(t.Context(), call)
				if passed := v.Verstat == oob.VerstatPassed; passed == alone {
					t.Errorf("the caller is %s\n%s", v.Verstat, story(v))
				}
				if c.verstat == "" {
					if v.Priority != nil {
						t.Errorf("%+v", v.Priority)
					}
					continue
				}
				if v.Priority == nil || v.Priority.Verstat != c.verstat {
					t.Fatalf("%+v, want %s\n%s", v.Priority, c.verstat, story(v))
				}
				if good := c.verstat == oob.PriorityPassed; good != slices.Equal(v.Priority.Values, []string{"esnet.1", "ets.0"}) && good != slices.Equal(v.Priority.Values, []string{"ets.0", "esnet.1"}) || good != (v.Priority.SPH != "") {
					t.Errorf("%+v", v.Priority)
				}
			}
		})
	}
}

// An rph PASSporT serves one call, as every other does, and out of band none that is not verified.
func TestRFC8443_S4_PriorityIsOfOneCall(t *testing.T) {
	l := newLaboratory(t)
	cps := &shelf{}
	s := l.service(func(cfg *stivs.Config) {
		cfg.PrioritySigners, cfg.Retriever, cfg.KeepOutnumbered = []string{"1234"}, cps, true
	})
	rph := l.make(l.signer, passport.RPH, passport.Claims{RPH: []string{"esnet.0"}})
	priority := func(call stivs.Call) oob.PriorityVerstat {
		if v := s.Verify(t.Context(), call); v.Priority != nil {
			return v.Priority.Verstat
		}
		return ""
	}
	first := plainCall(l.fieldOf(rph))
	first.ID = "first"
	other := first
	other.ID = "other"
	if got := priority(first); got != oob.PriorityPassed {
		t.Error(got)
	}
	if got := priority(other); got != oob.PriorityNoValidation {
		t.Errorf("replayed: %s", got)
	}
	cps.tokens = []string{l.make(l.signer, passport.RPH, passport.Claims{RPH: []string{"esnet.1"}, IAT: l.now.Add(-time.Second)})}
	if got := priority(named("unsigned")); got != oob.PriorityNoValidation {
		t.Errorf("without a caller: %s", got)
	}
	cps.tokens = append(cps.tokens, l.signed().Passport)
	if got := priority(named("signed")); got != oob.PriorityPassed {
		t.Errorf("with a caller: %s", got)
	}
}

// RFC 8588 §4: attestation is what providers give, in shaken PASSporTs.
func TestRFC8588_S4_NobodyElseAttests(t *testing.T) {
	l := newLaboratory(t)
	delegate := l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", TNAuthList: delegated()})
	accepting := l.service(func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.Base} })
	token := l.forgeBy(delegate, members{"ppt": nil}, members{"attest": "A"})
	v := accepting.Verify(t.Context(), plainCall(token+";info=<"+delegate.X5U+">"))
	if v.Verstat != oob.VerstatPassed || v.Attest != "" || v.OrigID != "" {
		t.Errorf("%s, attest %q\n%s", v.Verstat, v.Attest, story(v))
	}
}

// Whoever adds PASSporTs to a call makes no work without bounds of them.
func TestNestedPassportsAreBounded(t *testing.T) {
	l := newLaboratory(t)
	deep := l.forge(nil, members{"origid": "0"})
	for i := range 4 {
		deep = l.make(l.signer, passport.DivO, passport.Claims{Dest: []tn.Identity{second}, Div: called, Opt: deep, IAT: l.now.Add(-time.Duration(i) * time.Second)})
	}
	var fields []string
	for range 16 {
		fields = append(fields, l.fieldOf(deep))
	}
	if n := len(l.verify(plainCall(fields...)).Tokens); n > 16+stivs.NestedMax {
		t.Errorf("%d PASSporTs are judged", n)
	}
}

// RFC 9060, ATIS-1000092: a delegate has numbers alone. It signs PASSporTs without attestation, for these numbers.
func TestRFC9060_S6_DelegateProvesItsNumbersWhereBaseIsAccepted(t *testing.T) {
	l := newLaboratory(t)
	delegate := l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", TNAuthList: delegated()})
	accepting := l.service(func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.Base, passport.RCD} })
	base := l.fieldOf(l.make(delegate, passport.Base, passport.Claims{}))
	v := accepting.Verify(t.Context(), plainCall(base))
	if v.Verstat != oob.VerstatPassed || v.Attest != "" || v.SignerSPC != "" {
		t.Errorf("%+v\n%s", v, story(v))
	}
	rcd := l.fieldOf(l.make(delegate, passport.RCD, passport.Claims{Rich: &passport.RichCallData{HasRCD: true, Nam: "Q Branch"}}))
	if v := accepting.Verify(t.Context(), plainCall(rcd)); v.Case != "V1" { // it says the same as the one before
		t.Errorf("%+v", v)
	}
	accepting = l.service(func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.Base, passport.RCD} })
	if v := accepting.Verify(t.Context(), plainCall(rcd)); v.Verstat != oob.VerstatPassed || v.Rich == nil || v.Rich.Name != "Q Branch" {
		t.Errorf("%+v\n%s", v, story(v))
	}
	call := plainCall(l.fieldOf(l.make(delegate, passport.Base, passport.Claims{Orig: another})))
	call.Orig = another
	v = accepting.Verify(t.Context(), call)
	wantCase(t, v, stivs.E17)
	if check := checkNamed(t, v, "authority"); !strings.HasSuffix(check.Detail, "the certificate does not cover "+another.String()) {
		t.Errorf("%+v", check)
	}
	wantCase(t, l.verify(plainCall(base)), stivs.E13) // not accepted
	if _, err := stivs.New(stivs.Config{Verifier: l.verifier, Accept: []passport.Type{passport.Div}}); err == nil {
		t.Error("div proves a caller")
	}
}

// RFC 8226 §8, RFC 9118 §4: what the certificate says about claims holds for every PASSporT that is verified with it.
func TestRFC9118_S4_ClaimConstraintsAreEnforced(t *testing.T) {
	l := newLaboratory(t)
	limited := func(c stircert.Constraints) *oobtest.Identity {
		ext, err := c.Extension()
		l.must(err)
		return l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", Modify: func(template *x509.Certificate) {
			template.ExtraExtensions = append(template.ExtraExtensions, ext)
		}})
	}
	for _, c := range []struct {
		name   string
		limits stircert.Constraints
		ok     bool
	}{
		{"a permitted attestation", stircert.Constraints{PermittedValues: []stircert.ClaimValues{{Claim: "attest", Values: []string{"A", "B"}}}}, true},
		{"an attestation that is not permitted", stircert.Constraints{PermittedValues: []stircert.ClaimValues{{Claim: "attest", Values: []string{"C"}}}}, false},
		{"a claim that must be there", stircert.Constraints{MustInclude: []string{"rcd"}}, false},
		{"a claim that must not", stircert.Constraints{MustExclude: []string{"attest"}, Enhanced: true}, false},
		{"excluding what every PASSporT has is no constraint", stircert.Constraints{MustExclude: []string{"iat"}, Enhanced: true}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.in(t)
			v := l.verify(plainCall(l.signedBy(limited(c.limits), caller, called).Identity.String()))
			if c.ok {
				wantPassed(t, v, oob.SourceInBand)
			} else {
				wantCase(t, v, stivs.E17)
			}
		})
	}
}

// RFC 9475: a PASSporT of a message covers its body.
func TestRFC9475_MessageIsVerifiedWithItsBody(t *testing.T) {
	l := newLaboratory(t)
	body := []byte("From the depths of the MIME")
	msg := l.fieldOf(l.make(l.signer, passport.Msg, passport.Claims{MSGI: digestOf(body)}))
	call := plainCall(msg)
	call.ID, call.Message = "message", body
	wantPassed(t, l.service(nil).Verify(t.Context(), call), oob.SourceInBand)
	call.Message = []byte("something else")
	wantCase(t, l.verify(call), stivs.E14)
	call.Message = nil // a call, not a message
	wantCase(t, l.verify(call), stivs.E5)
}

// RFC 8224 §4.1: a PASSporT without ppt covers the key fingerprints of the media.
func TestRFC8224_S4_1_KeyFingerprintsAreCompared(t *testing.T) {
	l := newLaboratory(t)
	keys := []passport.KeyDigest{{Alg: "sha-256", Dig: "02FAB1"}, {Alg: "sha-256", Dig: "021ACC"}}
	accepting := func() *stivs.Service {
		return l.service(func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.Base} })
	}
	with := l.fieldOf(l.make(l.signer, passport.Base, passport.Claims{MKY: keys}))
	without := l.fieldOf(l.make(l.signer, passport.Base, passport.Claims{}))
	call := func(field string, keys ...passport.KeyDigest) stivs.Call {
		c := plainCall(field)
		c.Fingerprints = keys
		return c
	}
	wantPassed(t, accepting().Verify(t.Context(), call(with, keys[1], keys[0])), oob.SourceInBand)
	wantPassed(t, accepting().Verify(t.Context(), call(with, passport.KeyDigest{Alg: "SHA-256", Dig: "02fab1"}, keys[1])), oob.SourceInBand)
	wantCase(t, accepting().Verify(t.Context(), call(with, keys[0])), stivs.E16)
	wantCase(t, accepting().Verify(t.Context(), call(without, keys...)), stivs.E14)
	wantPassed(t, accepting().Verify(t.Context(), call(without)), oob.SourceInBand)
	wantPassed(t, l.verify(call(l.signed().Identity.String(), keys...)), oob.SourceInBand)
}

// RFC 8225 §7: a base PASSporT in compact form is rebuilt of what signalling says.
func TestRFC8225_S7_CompactFormIsRebuiltWhereBaseIsAccepted(t *testing.T) {
	l := newLaboratory(t)
	token := l.make(l.signer, passport.Base, passport.Claims{})
	field := ".." + token[strings.LastIndexByte(token, '.')+1:] + ";info=<" + l.signer.X5U + ">"
	accepting := l.service(func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.Base} })
	call := plainCall(field)
	call.ID, call.Time = "compact", l.now
	v := accepting.Verify(t.Context(), call)
	wantPassed(t, v, oob.SourceInBand)
	if v.Passport != token {
		t.Errorf("rebuilt as %q", v.Passport)
	}
	wantCase(t, l.verify(call), stivs.E4)
	other := call
	other.Dest = another
	wantCase(t, accepting.Verify(t.Context(), other), stivs.E18) // rebuilt, it is another one
	call.Time = time.Time{}
	wantCase(t, accepting.Verify(t.Context(), call), stivs.E4)
	call.Time, call.Identity = l.now, []string{strings.Replace(field, ";", ";ppt=shaken;", 1)}
	wantCase(t, accepting.Verify(t.Context(), call), stivs.E4)
}

func TestConnectedIdentityIsWhoWasCalled(t *testing.T) {
	l := newLaboratory(t)
	n, _ := called.Number()
	r, err := tn.NewRange(n, 2)
	l.must(err)
	answering := l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", TNAuthList: stircert.TNAuthList{Ranges: []tn.Range{r}}})
	impostor := l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", TNAuthList: delegated()})
	call := plainCall()
	s := l.service(nil)
	rsp := func(id *oobtest.Identity, claims passport.Claims) []string {
		return []string{l.fieldOf(l.make(id, passport.RSP, claims))}
	}
	wantPassed(t, s.VerifyConnected(t.Context(), call, rsp(answering, passport.Claims{})), oob.SourceInBand)
	wantCase(t, s.VerifyConnected(t.Context(), call, rsp(impostor, passport.Claims{})), stivs.E17)
	wantCase(t, s.VerifyConnected(t.Context(), call, rsp(answering, passport.Claims{Dest: []tn.Identity{another}})), stivs.E16)
	wantCase(t, s.VerifyConnected(t.Context(), call, []string{l.signed().Identity.String()}), stivs.E5)
	wantCase(t, s.Verify(t.Context(), plainCall(rsp(answering, passport.Claims{})...)), stivs.E5)
	if v := s.VerifyConnected(t.Context(), call, nil); v.Verstat != oob.VerstatNoValidation || v.Code != 0 {
		t.Errorf("%+v", v)
	}
}

// Both roads are compared where the configuration asks for it.
func TestRoadsThatDiffer(t *testing.T) {
	l := newLaboratory(t)
	transit := l.issue(l.pki, oobtest.IssueConfig{SPC: "567B"})
	here := l.signed() // attest B of 1234
	there := l.make(transit, passport.Shaken, passport.Claims{Attest: "C", OrigID: "123e4567-e89b-42d3-a456-426655440000"})
	for _, c := range []struct {
		name   string
		differ stivs.Differ
		cps    []string
		source oob.Source // none where nobody decides
		doubt  bool
	}{
		{"not compared", stivs.NotCompared, []string{there}, oob.SourceInBand, false},
		{"in band decides", stivs.InBandDecides, []string{there}, oob.SourceInBand, true},
		{"out of band decides", stivs.OutOfBandDecides, []string{there}, oob.SourceOutOfBand, true},
		{"the lower decides", stivs.LowerDecides, []string{there}, oob.SourceOutOfBand, true},
		{"nobody decides", stivs.NobodyDecides, []string{there}, oob.SourceNone, true},
		{"they agree", stivs.NobodyDecides, []string{here.Passport}, oob.SourceInBand, false},
		{"nothing out of band", stivs.NobodyDecides, nil, oob.SourceInBand, false},
		{"nothing good out of band", stivs.NobodyDecides, []string{l.forge(nil, members{"attest": "X"})}, oob.SourceInBand, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.in(t)
			s := l.service(func(cfg *stivs.Config) { cfg.Differ, cfg.Retriever = c.differ, &shelf{tokens: c.cps} })
			v := s.Verify(t.Context(), named("call", here.Identity.String()))
			if c.source == oob.SourceNone {
				wantCase(t, v, stivs.V3)
			} else {
				wantPassed(t, v, c.source)
			}
			if c.doubt != (v.Doubt != "") {
				t.Errorf("doubt %q", v.Doubt)
			}
		})
	}
}

// RFC 8224 §6.2: one good PASSporT suffices, and each bad one is told of by itself (RFC 9410 §6).
func TestRFC9410_S6_EachPassportHasItsVerdict(t *testing.T) {
	l := newLaboratory(t)
	good, stale := l.signed(), l.forge(nil, members{"iat": l.now.Unix() - 61})
	forged := l.sign(l.issue(l.pki, oobtest.IssueConfig{SPC: "567B"}).Key, head(good.Passport))
	ignored := strings.Replace(l.field(l.forge(members{"ppt": "xyz"}, nil)), "ppt=shaken", "ppt=xyz", 1)
	v := l.verify(plainCall(l.field(stale), ignored, l.field(forged), good.Identity.String(), "garbage"))
	wantPassed(t, v, oob.SourceInBand)
	want := []oob.TokenVerdict{
		{PPT: "shaken", Verstat: oob.VerstatNoValidation, Code: 403, Case: "E15"},
		{PPT: "xyz", Verstat: oob.VerstatNoValidation, Code: 438, Case: "E5", Ignored: true},
		{PPT: "shaken", Verstat: oob.VerstatFailed, Code: 438, Case: "E18"},
		{PPT: "shaken", Verstat: oob.VerstatPassed},
		{Verstat: oob.VerstatNoValidation, Code: 436, Case: "E6"},
	}
	if len(v.Tokens) != len(want) {
		t.Fatalf("%d tokens", len(v.Tokens))
	}
	for i, got := range v.Tokens {
		w := want[i]
		if got.PPT != w.PPT || got.Verstat != w.Verstat || got.Code != w.Code || got.Case != w.Case || got.Ignored != w.Ignored ||
			(got.Code != 0) != (got.ReasonText != "") || got.Source != oob.SourceInBand {
			t.Errorf("%d: %+v, want %+v", i+1, got, w)
		}
	}
	if v.Tokens[3].Passport != good.Passport || v.Tokens[0].Passport != stale {
		t.Error("not the PASSporTs as they came")
	}
}

// RFC 9060 §4, ATIS-1000092: who has its certificate from a CA that is limited itself is a delegate, also with a provider
// code, and attests nothing.
func TestRFC9060_S4_DelegateOfAProviderIsNoProvider(t *testing.T) {
	l := newLaboratory(t)
	under, err := l.pki.Below(oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Modify: func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	}})
	l.must(err)
	delegate := l.issue(under, oobtest.IssueConfig{SPC: "1234"})
	wantCase(t, l.verify(plainCall(l.signedBy(delegate, caller, called).Identity.String())), stivs.E17)
	accepting := l.service(func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.Base} })
	wantPassed(t, accepting.Verify(t.Context(), plainCall(l.fieldOf(l.make(delegate, passport.Base, passport.Claims{})))), oob.SourceInBand)
}
