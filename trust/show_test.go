package trust_test

import (
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

func (l *laboratory) show(ctx context.Context, id *oobtest.Identity, others ...*x509.Certificate) (*trust.Credential, error) {
	l.t.Helper()
	c, err := l.verifier.Show(ctx, "198.51.100.0/24", chainOf(id, others...))
	if (c == nil) == (err == nil) {
		l.t.Errorf("credential %v beside error %v", c, err)
	}
	return c, err
}

func TestShow_WhatIsShownIsJudgedAsWhatIsFetched(t *testing.T) {
	a := newAdministration(t, nil)
	listed := a.listed()
	listed.IssuedByRoot = false
	id, intermediate := a.issue(listed), a.pki.Intermediate.Certificate
	credential, err := a.show(t.Context(), id, intermediate)
	if err != nil {
		t.Fatal(err)
	}
	if credential.Certificate.Hash != id.Certificate.Hash || credential.X5U != "" || !credential.Fetched.Equal(a.clock()) {
		t.Errorf("%+v", credential)
	}
	if err := a.verifier.Believed(credential); err != nil {
		t.Error(err)
	}
	a.set(trust.RevocationPolicy{}, trust.RevocationSource{List: a.revoking(id.Certificate.X509())})
	wants(t, a.verifier.Believed(credential), oob.CredentialUntrusted, stircert.Revoked)
	_, err = a.show(t.Context(), id, intermediate)
	wants(t, err, oob.CredentialUntrusted, stircert.Revoked)
	a.set(trust.RevocationPolicy{}, trust.RevocationSource{List: a.revoking()})
	if err := a.verifier.Believed(credential); err != nil {
		t.Errorf("not revoked any more: %v", err)
	}
	a.advance(91 * 24 * time.Hour)
	wants(t, a.verifier.Believed(credential), oob.CredentialUntrusted, stircert.Expired)
	_, err = a.show(t.Context(), id, intermediate)
	wants(t, err, oob.CredentialUntrusted, stircert.Expired)
	a.wantRequests(0)
}

func TestShow_NobodyIsSentAfterATNAuthList(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(referring(t, l.servesList(tnAuthList(t, blockOf(t, "12155550100-12155550199")))))
	_, err := l.show(t.Context(), id, l.pki.Intermediate.Certificate)
	wants(t, err, oob.CredentialUntrusted, stircert.TNAuthListNotFetched)
	l.wantRequests(0)
}

// While strangers have all turns of building chains, who was believed before, or refused a moment ago, does not wait.
func TestShow_StrangersHoldUpStrangersAlone(t *testing.T) {
	l := newLaboratory(t, nil)
	intermediate := l.pki.Intermediate.Certificate
	known, lone, new := l.issue(oobtest.IssueConfig{SPC: "1234"}), l.issue(oobtest.IssueConfig{SPC: "567B"}), l.issue(oobtest.IssueConfig{SPC: "890C"})
	if _, err := l.show(t.Context(), known, intermediate); err != nil {
		t.Fatal(err)
	}
	_, err := l.show(t.Context(), lone)
	wants(t, err, oob.CredentialUntrusted, stircert.NotTrusted)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	leaves := l.verifier.TakeShows()
	builds := l.verifier.Stats().ChainBuilds

	if _, err := l.show(over, known, intermediate); err != nil {
		t.Errorf("known: %v", err)
	}
	_, err = l.show(over, lone)
	wants(t, err, oob.CredentialUntrusted, stircert.NotTrusted)
	_, err = l.show(over, new, intermediate)
	wants(t, err, oob.Overloaded, nil)
	if s := l.verifier.Stats(); s.ChainBuilds != builds || s.Busy != 1 {
		t.Errorf("%+v", s)
	}
	l.advance(2 * trust.TrustedLifetimeMax) // the verdict is built anew, out of turn
	if _, err := l.show(over, known, intermediate); err != nil {
		t.Errorf("known for long: %v", err)
	}
	for _, leave := range leaves {
		leave()
	}
	if _, err := l.show(t.Context(), new, intermediate); err != nil {
		t.Errorf("new, later: %v", err)
	}
}

// One address can have ten chains a second built in vain; what is believed costs it nothing.
func TestShow_InVainIsBoundedForEachAddress(t *testing.T) {
	l := newLaboratory(t, nil)
	intermediate := l.pki.Intermediate.Certificate
	for range 20 {
		if _, err := l.show(t.Context(), l.issue(oobtest.IssueConfig{SPC: "1234"}), intermediate); err != nil {
			t.Fatal(err)
		}
	}
	vain := func() error {
		_, err := l.show(t.Context(), l.issue(oobtest.IssueConfig{SPC: "1234"}))
		return err
	}
	for range 10 {
		wants(t, vain(), oob.CredentialUntrusted, stircert.NotTrusted)
	}
	wants(t, vain(), oob.Overloaded, nil)
	if _, err := l.verifier.Show(t.Context(), "203.0.113.0/24", chainOf(l.issue(oobtest.IssueConfig{SPC: "1234"}), intermediate)); err != nil {
		t.Errorf("from another address: %v", err)
	}
	l.advance(time.Second)
	wants(t, vain(), oob.CredentialUntrusted, stircert.NotTrusted)
}

// To check a signature on P-521 takes fifty times as long as on P-256, and no STI-CA signs so (ATIS-1000080 §6.4.1).
func TestShow_CAsOnSlowCurvesAreNotAsked(t *testing.T) {
	l := newLaboratory(t, nil)
	for name, c := range map[string]struct {
		curve elliptic.Curve
		want  error
	}{"P-384": {elliptic.P384(), nil}, "P-521": {elliptic.P521(), stircert.NotTrusted}} {
		under, err := l.pki.Below(oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Curve: c.curve, Modify: func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
		}})
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := under.Issue(oobtest.IssueConfig{SPC: "1234"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.show(t.Context(), leaf, under.Intermediate.Certificate); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
