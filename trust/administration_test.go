package trust_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
	"github.com/viaduct-oob/viaduct/trust/crl"
)

const crlURL = "https://sti-pa.laboratory.example/crl"

var strict = trust.RevocationPolicy{RefuseNoList: true, RefuseListExpired: true, RefuseNoPoint: true, RefuseForeignPoint: true}

// administration is a laboratory with an STI-PA that revokes.
type administration struct {
	*laboratory
	pa     *oobtest.PolicyAdministrator
	issuer string // of its lists
}

func newAdministration(t testing.TB, edit func(*trust.Config)) *administration {
	t.Helper()
	l := newLaboratory(t, edit)
	pa, err := l.pki.NewPolicyAdministrator()
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := stircert.NameKey(pa.CRLIssuer.Certificate.RawSubject)
	if err != nil {
		t.Fatal(err)
	}
	return &administration{l, pa, issuer}
}

// list is one that was signed by its issuer.
func (a *administration) list(cfg oobtest.RevocationListConfig) *crl.List {
	a.t.Helper()
	der, err := a.pa.RevocationList(cfg)
	if err != nil {
		a.t.Fatal(err)
	}
	list, err := crl.Parse(der)
	if err != nil {
		a.t.Fatal(err)
	}
	signer := a.pa.CRLIssuer
	if cfg.Signer != nil {
		signer = cfg.Signer
	}
	if err := list.CheckSignature(signer.Certificate); err != nil {
		a.t.Fatal(err)
	}
	return list
}

func (a *administration) revoking(certs ...*x509.Certificate) *crl.List {
	a.t.Helper()
	var cfg oobtest.RevocationListConfig
	for _, cert := range certs {
		cfg.Revoked = append(cfg.Revoked, oobtest.Revoke(cert))
	}
	return a.list(cfg)
}

func (a *administration) set(policy trust.RevocationPolicy, sources ...trust.RevocationSource) {
	a.t.Helper()
	r, err := trust.NewRevocations(policy, sources...)
	if err != nil {
		a.t.Fatal(err)
	}
	a.verifier.SetRevocations(r)
}

// pointing is a certificate that names a distribution point; name is the issuer of the list in DER, or nil.
func (a *administration) pointing(url string, name []byte) oobtest.IssueConfig {
	a.t.Helper()
	return oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Modify: func(c *x509.Certificate) {
		point, err := oobtest.CRLDistributionPoint(url, name)
		if err != nil {
			a.t.Fatal(err)
		}
		c.ExtraExtensions = append(c.ExtraExtensions, point)
	}}
}

// listed is a certificate as the network has them: it names the STI-PA.
func (a *administration) listed() oobtest.IssueConfig {
	return a.pointing(crlURL, a.pa.CRLIssuer.Certificate.RawSubject)
}

func chainOf(leaf *oobtest.Identity, others ...*x509.Certificate) *trust.Chain {
	return trust.NewChain(append([]*x509.Certificate{leaf.Certificate.X509()}, others...))
}

// unknown is the one reason for which nothing was known, if there is one.
func unknown(s trust.Stats) string {
	var all []string
	for _, r := range []struct {
		name  string
		count int64
	}{
		{"no list", s.UnknownNoList}, {"expired", s.UnknownListExpired},
		{"no point", s.UnknownNoPoint}, {"foreign", s.UnknownForeignPoint},
	} {
		if r.count > 0 {
			all = append(all, r.name)
		}
	}
	return strings.Join(all, ", ")
}

// reissued is the certificate of an authority with another key usage.
func reissued(t testing.TB, a *oobtest.Authority, usage x509.KeyUsage) *x509.Certificate {
	t.Helper()
	template := *a.Certificate
	template.KeyUsage |= usage
	der, err := x509.CreateCertificate(nil, &template, &template, a.Key.Public(), a.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
