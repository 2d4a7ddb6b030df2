package rfc8226_test

import (
	"crypto/x509"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

func TestRFC8226_05_ExtensionsAreNotCritical(t *testing.T) {
	list, err := stircert.TNAuthList{SPCs: []string{"1234"}}.Extension()
	if err != nil {
		t.Fatal(err)
	}
	constraints, err := (&stircert.Constraints{MustInclude: []string{"attest"}}).Extension()
	if err != nil {
		t.Fatal(err)
	}
	if list.Critical || constraints.Critical || list.Id.String() != "1.3.6.1.5.5.7.1.26" || constraints.Id.String() != "1.3.6.1.5.5.7.1.27" {
		t.Errorf("TNAuthList %v, critical %v; constraints %v, critical %v", list.Id, list.Critical, constraints.Id, constraints.Critical)
	}
}

func TestRFC8226_06_ConstraintsOfACALimitNothing(t *testing.T) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	extension, err := (&stircert.Constraints{MustInclude: []string{"rcd"}}).Extension()
	if err != nil {
		t.Fatal(err)
	}
	below, err := pki.Below(oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, WithoutTNAuthList: true, Modify: func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
		c.ExtraExtensions = append(c.ExtraExtensions, extension)
	}})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := below.Issue(oobtest.IssueConfig{SPC: "567B"})
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
	if err := verifier.Judge(trust.NewChain([]*x509.Certificate{leaf.Certificate.X509(), below.Intermediate.Certificate})); err != nil {
		t.Errorf("judged: %v", err)
	}
	if err := leaf.Certificate.CheckClaims(func(string) (string, bool) { return "", false }); err != nil {
		t.Errorf("claims: %v", err)
	}
	for _, f := range stircert.Lint(stircert.Of(below.Intermediate.Certificate), stircert.Intermediate, stircert.EditionInForce) {
		if f.Rule == "constraints-ca" {
			return
		}
	}
	t.Error("the constraints of the CA are not reported")
}
