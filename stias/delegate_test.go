package stias_test

import (
	"encoding/pem"
	"errors"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// delegateOf is a gateway whose certificate lists some numbers and no provider (RFC 9060).
func delegateOf(t *testing.T, policy stias.Policy, numbers ...string) *stias.Service {
	t.Helper()
	id := credential(t, oobtest.IssueConfig{SPC: "1234", TNAuthList: stircert.TNAuthList{Ranges: ranges(t, numbers...)}})
	cfg := config(t, id)
	cfg.SPC, cfg.Policy = "", policy
	return service(t, cfg)
}

// TestRFC9060_S5_DelegateSignsForNoNumberButItsOwn is a table: whatever the policy says, the certificate has the last word.
func TestRFC9060_S5_DelegateSignsForNoNumberButItsOwn(t *testing.T) {
	uri, err := tn.ParseURI("sip:alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	const block = "12155550120-12155550129"
	everything := ranges(t, "12155550100-12155550199")
	for _, c := range []struct {
		name   string
		policy stias.Policy
		call   stias.Call
		want   error
	}{
		{"a number of the certificate", stias.Policy{}, stias.Call{Orig: caller}, nil},
		{"the last of its range", stias.Policy{}, stias.Call{Orig: number("12155550129")}, nil},
		{"the next number", stias.Policy{}, stias.Call{Orig: number("12155550130")}, stias.LeftUnsigned},
		{"the next number, own by the policy", stias.Policy{Own: everything}, stias.Call{Orig: number("12155550130")}, stias.NotCovered},
		{"the number before, of a row", stias.Policy{Rows: []stias.Row{{Numbers: everything, Attest: "A"}}}, stias.Call{Orig: number("12155550119")}, stias.NotCovered},
		{"a longer number", stias.Policy{Own: ranges(t, "121555501210")}, stias.Call{Orig: number("121555501210")}, stias.NotCovered},
		{"a URI", stias.Policy{}, stias.Call{Orig: uri}, stias.LeftUnsigned},
		{"from another network", stias.Policy{}, stias.Call{Orig: caller, Gateway: true}, stias.LeftUnsigned},
		{"less than A by a row", stias.Policy{Rows: []stias.Row{{Trunks: []string{"in"}, Attest: "B"}}}, stias.Call{Orig: caller, Trunk: "in"}, stias.LeftUnsigned},
		{"less than A asked for", stias.Policy{}, stias.Call{Orig: caller, Attest: "C"}, stias.LeftUnsigned},
		{"left out by the policy", stias.Policy{Rows: []stias.Row{{Attest: stias.Unsigned}}}, stias.Call{Orig: caller}, stias.LeftUnsigned},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.call.Dest = []tn.Identity{called}
			signed, err := delegateOf(t, c.policy, block).Sign(c.call)
			if !errors.Is(err, c.want) || (signed.Passport != "") != (c.want == nil) {
				t.Fatalf("%+v, %v, want %v", signed, err, c.want)
			}
		})
	}
}

// TestATIS1000092_DelegateAttestsNothing: attestation is a provider's, so that what a delegate signs has no type.
func TestATIS1000092_DelegateAttestsNothing(t *testing.T) {
	s := delegateOf(t, stias.Policy{}, "12155550120-12155550129")
	call := stias.Call{Orig: caller, Dest: []tn.Identity{called}}
	signed, err := s.Sign(call)
	if err != nil {
		t.Fatal(err)
	}
	token, err := passport.Parse(signed.Passport)
	if err != nil || token.Header.PPT != passport.Base || token.Claims.Attest != "" || token.Claims.OrigID != "" || token.Claims.Orig != caller {
		t.Errorf("%+v, %v", token, err)
	}
	if signed.Attest != "" || signed.OrigID != "" || signed.Identity.PPT != "" || signed.Reason == "" {
		t.Errorf("%+v", signed)
	}
	call.Carried = []string{signed.Identity.String()}
	if _, err := s.Sign(call); !errors.Is(err, stias.AlreadySigned) {
		t.Errorf("what it has signed itself is signed again: %v", err)
	}
}

// TestRFC9060_S5_DelegateDivertsItsOwnNumbers: for the number that was called before, not for the caller.
func TestRFC9060_S5_DelegateDivertsItsOwnNumbers(t *testing.T) {
	shaken, err := service(t, config(t, credential(t, oobtest.IssueConfig{SPC: "1234"}))).Sign(stias.Call{Orig: caller, Dest: []tn.Identity{called}})
	if err != nil {
		t.Fatal(err)
	}
	diversion := stias.Diversion{Carried: []string{shaken.Passport}, From: called, To: number("12155550199")}
	everything := stias.Policy{Own: ranges(t, "12155550100-12155550199")}
	if signed, err := delegateOf(t, stias.Policy{}, called.String()).Divert(diversion); err != nil || len(signed) != 1 {
		t.Errorf("%+v, %v", signed, err)
	}
	if signed, err := delegateOf(t, everything, caller.String()).Divert(diversion); !errors.Is(err, stias.NotCovered) {
		t.Errorf("the caller's delegate diverts: %+v, %v", signed, err)
	}
	if signed, err := delegateOf(t, stias.Policy{}, caller.String()).Divert(diversion); !errors.Is(err, stias.NoAuthority) {
		t.Errorf("the caller's delegate diverts: %+v, %v", signed, err)
	}
}

// TestRFC9060_S7_X5UYieldsTheWholePath: what serves the certificate without those that stand between it and the anchor is not
// signed with.
func TestRFC9060_S7_X5UYieldsTheWholePath(t *testing.T) {
	c := newChange(t)
	s := service(t, c.cfg)
	next := c.issue(oobtest.IssueConfig{NotBefore: c.start.Add(-time.Hour), Path: "/next.pem"})
	leaf, rest := pem.Decode(next.ChainPEM)
	if len(rest) == 0 {
		t.Fatal("the laboratory has no intermediate")
	}
	c.pki.Serve("/next.pem", pem.EncodeToMemory(leaf))
	c.must(s.SetCredential(t.Context(), credentialOf(t, next)))
	if got := c.signer(s, c.old, next); got != c.old {
		t.Error("it signs although nobody finds its path")
	}
	if status := s.Status(); status.Next == nil || !errors.Is(status.Next.Err, stias.NotServed) {
		t.Errorf("%+v", status)
	}
	c.pki.Serve("/next.pem", next.ChainPEM)
	c.must(s.Reload(t.Context()))
	if got := c.signer(s, c.old, next); got != next {
		t.Errorf("it does not sign although its path is served: %+v", s.Status())
	}
}
