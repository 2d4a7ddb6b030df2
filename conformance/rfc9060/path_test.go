package rfc9060_test

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

// below gives a PKI that issues with what another has issued.
func below(t *testing.T, pki *oobtest.PKI, cfg oobtest.IssueConfig) *oobtest.PKI {
	t.Helper()
	under, err := pki.Below(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return under
}

// judge judges a leaf of 1234 that pki issues, with those certificates above it.
func judge(t *testing.T, pki *oobtest.PKI, above ...*x509.Certificate) error {
	t.Helper()
	leaf, err := pki.Issue(oobtest.IssueConfig{SPC: "1234"})
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := trust.NewAnchors(pki.Root.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := trust.New(trust.Config{Anchors: anchors})
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	return verifier.Judge(trust.NewChain(append([]*x509.Certificate{leaf.Certificate.X509()}, above...)))
}

func laboratory(t *testing.T) *oobtest.PKI {
	t.Helper()
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return pki
}

func delegate(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }

func refused(t *testing.T, err error, want stircert.Problem) {
	t.Helper()
	if fault, ok := errors.AsType[*oob.Fault](err); !ok || fault.Kind != oob.CredentialUntrusted || !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestRFC9060_02_EndEntitiesIssueNothing(t *testing.T) {
	pki := laboratory(t)
	good := below(t, pki, oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Modify: delegate})
	if err := judge(t, good, good.Intermediate.Certificate); err != nil {
		t.Errorf("a delegate: %v", err)
	}
	for _, c := range []struct {
		name   string
		modify func(*x509.Certificate)
	}{
		{"an end entity", nil},
		{"an end entity that says it may sign certificates", func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }},
		{"neither a CA nor none", func(c *x509.Certificate) {
			c.BasicConstraintsValid, c.KeyUsage = false, x509.KeyUsageCertSign
		}},
	} {
		under := below(t, pki, oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Modify: c.modify})
		t.Run(c.name, func(t *testing.T) { refused(t, judge(t, under, under.Intermediate.Certificate), stircert.NotTrusted) })
	}
}

func TestRFC9060_10_EveryCertificateOfThePathIsValid(t *testing.T) {
	pki := laboratory(t)
	first := below(t, pki, oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Modify: delegate})
	second := below(t, first, oobtest.IssueConfig{SPC: "1234", Modify: delegate})
	path := []*x509.Certificate{second.Intermediate.Certificate, first.Intermediate.Certificate}
	if err := judge(t, second, path...); err != nil {
		t.Errorf("two delegates: %v", err)
	}
	t.Run("one is missing", func(t *testing.T) { refused(t, judge(t, second, path[0]), stircert.NotTrusted) })

	expired := below(t, pki, oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Modify: delegate,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	t.Run("one has expired", func(t *testing.T) { refused(t, judge(t, expired, expired.Intermediate.Certificate), stircert.Expired) })

	silent := below(t, pki, oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Modify: func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, 0 }})
	t.Run("one does not say that it may issue", func(t *testing.T) {
		refused(t, judge(t, silent, silent.Intermediate.Certificate), stircert.MayNotIssue)
	})
	other := below(t, pki, oobtest.IssueConfig{SPC: "567B", IssuedByRoot: true, Modify: delegate})
	t.Run("one is for another provider", func(t *testing.T) {
		refused(t, judge(t, other, other.Intermediate.Certificate), stircert.BeyondIssuer)
	})
}
