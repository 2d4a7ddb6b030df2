package rfc9118_test

import (
	"crypto/x509"
	"errors"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
)

// limited is a certificate with constraints, as a laboratory issues it.
func limited(t *testing.T, c stircert.Constraints) *stircert.Certificate {
	t.Helper()
	extension, err := c.Extension()
	if err != nil {
		t.Fatal(err)
	}
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := pki.Issue(oobtest.IssueConfig{SPC: "1234", Modify: func(template *x509.Certificate) {
		template.ExtraExtensions = append(template.ExtraExtensions, extension)
	}})
	if err != nil {
		t.Fatal(err)
	}
	return id.Certificate
}

func everything(string) (string, bool) { return "x", true }

func TestRFC9118_04_ExcludingABaseClaimIsNoConstraint(t *testing.T) {
	for _, base := range []string{"iat", "orig", "dest"} {
		cert := limited(t, stircert.Constraints{
			Enhanced: true, MustExclude: []string{"priority", base},
			PermittedValues: []stircert.ClaimValues{{Claim: "attest", Values: []string{"A"}}},
		})
		if err := cert.CheckEndEntity(); err != nil || cert.Constraints != nil {
			t.Errorf("%s: %v, %+v", base, err, cert.Constraints)
		}
		if err := cert.CheckClaims(everything); err != nil {
			t.Errorf("%s: %v", base, err)
		}
	}
	for _, other := range []string{"attest", "IAT", "ia"} {
		cert := limited(t, stircert.Constraints{Enhanced: true, MustExclude: []string{other}})
		if err := cert.CheckClaims(everything); !errors.Is(err, stircert.ConstraintViolated) {
			t.Errorf("%s: %v", other, err)
		}
	}
}

func TestRFC9118_07_NotCriticalAndEnforced(t *testing.T) {
	cert := limited(t, stircert.Constraints{Enhanced: true, MustExclude: []string{"rcd"}})
	for _, extension := range cert.X509().Extensions {
		if extension.Id.String() == "1.3.6.1.5.5.7.1.33" && extension.Critical {
			t.Error("critical")
		}
	}
	if err := cert.CheckClaims(everything); !errors.Is(err, stircert.ConstraintViolated) {
		t.Errorf("got %v", err)
	}
	if err := cert.CheckClaims(func(string) (string, bool) { return "", false }); err != nil {
		t.Errorf("nothing claimed: %v", err)
	}
}
