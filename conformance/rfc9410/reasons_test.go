package rfc9410_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// threeHeaders verifies a call with three Identity header fields: a forged one, one whose certificate cannot be
// fetched, and a good one. It gives the tokens in this order.
func threeHeaders(t *testing.T) (tokens []string, verdict oob.Verdict) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now().Truncate(time.Second)
	clock := func() time.Time { return now }
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{Now: clock})
	must(err)
	repository, err := pki.StartRepository()
	must(err)
	t.Cleanup(func() { _ = repository.Close() })
	signer, err := pki.Issue(oobtest.IssueConfig{SPC: "1234"})
	must(err)
	forger, err := pki.Issue(oobtest.IssueConfig{SPC: "567B"})
	must(err)
	verifier, err := pki.Verifier(repository, trust.Config{}, clock)
	must(err)
	t.Cleanup(verifier.Close)
	service, err := stivs.New(stivs.Config{Verifier: verifier, Now: clock, Budget: time.Minute})
	must(err)

	orig, err := tn.ParseIdentity("12155550121")
	must(err)
	dest, err := tn.ParseIdentity("12155550131")
	must(err)
	call := stivs.Call{Orig: orig, Dest: dest, Time: now}
	for _, made := range []struct {
		by  *oobtest.Identity
		x5u string
	}{{forger, signer.X5U}, {signer, signer.X5U + ".missing"}, {signer, signer.X5U}} {
		token, err := passport.Sign(made.by.Key, passport.Shaken, made.x5u, passport.Claims{
			IAT: now, Orig: orig, Dest: []tn.Identity{dest}, Attest: passport.AttestFull, OrigID: "123e4567-e89b-12d3-a456-426655440000",
		})
		must(err)
		tokens = append(tokens, token)
		call.Identity = append(call.Identity, identity.Header{Token: token, Info: made.x5u, Alg: "ES256", PPT: "shaken"}.String())
	}
	return tokens, service.Verify(t.Context(), call)
}

func TestRFC9410_05_ABadHeaderIsToldBesideAGoodOne(t *testing.T) {
	tokens, verdict := threeHeaders(t)
	if verdict.Verstat != oob.VerstatPassed || verdict.Passport != tokens[2] {
		t.Fatalf("%s %s", verdict.Verstat, verdict.Case)
	}
	signature := func(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }
	var texts []string
	for _, r := range stivs.Reasons(verdict, identity.ReasonSTIR) {
		text, err := r.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	want := []string{
		`STIR ;cause=438 ;text="Invalid Identity Header" ;ppi="..` + signature(tokens[0]) + `"`,
		`STIR ;cause=436 ;text="Bad Identity Info" ;ppi="..` + signature(tokens[1]) + `"`,
	}
	if !reflect.DeepEqual(texts, want) {
		t.Errorf("%q, want %q", texts, want)
	}
}

func TestRFC9410_13_TheSignerTakesItsOwnOut(t *testing.T) {
	tokens, verdict := threeHeaders(t)
	var fields []string // as they travel
	for _, r := range stivs.Reasons(verdict, identity.ReasonSTIR) {
		fields = append(fields, r.String())
	}
	arrived, errs := identity.ParseReasons([]string{strings.Join(fields, ", "), "Q.850;cause=16"})
	if errs != nil || len(arrived) != 3 {
		t.Fatalf("%+v, %v", arrived, errs)
	}
	left := identity.WithoutOwn(arrived, tokens[1:2])
	if want := []identity.Reason{arrived[0], arrived[2]}; !reflect.DeepEqual(left, want) {
		t.Errorf("%+v, want %+v", left, want)
	}
}
