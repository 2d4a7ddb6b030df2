package oobtest_test

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
)

func TestPolicyAdministrator_SignsAnIndirectCRL(t *testing.T) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	pa, err := pki.NewPolicyAdministrator()
	if err != nil {
		t.Fatal(err)
	}
	printable, err := oobtest.ReencodeName(pki.Intermediate.Certificate.RawSubject, oobtest.PrintableString)
	if err != nil {
		t.Fatal(err)
	}
	utf8, err := oobtest.ReencodeName(printable, oobtest.UTF8String)
	if err != nil || bytes.Equal(utf8, printable) || len(utf8) != len(printable) {
		t.Fatalf("the same name in another form: %v", err)
	}
	der, err := pa.RevocationList(oobtest.RevocationListConfig{
		Number: big.NewInt(7), Revoked: []oobtest.Revoked{{Issuer: utf8, Serial: big.NewInt(1)}, {Serial: big.NewInt(2)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := pa.CRLIssuer.Certificate.CheckSignature(list.SignatureAlgorithm, list.RawTBSRevocationList, list.Signature); err != nil {
		t.Error(err)
	}
	if list.Number.Int64() != 7 || len(list.RevokedCertificateEntries) != 2 || !bytes.Equal(list.RawIssuer, pa.CRLIssuer.Certificate.RawSubject) {
		t.Errorf("got %+v", list)
	}
	if issuer := list.RevokedCertificateEntries[0].Extensions; len(issuer) != 1 || !issuer[0].Critical || !bytes.Contains(issuer[0].Value, utf8) {
		t.Errorf("certificateIssuer: %+v", issuer)
	}
}

func TestCRLDistributionPoint_IsReadByOthers(t *testing.T) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	const url = "https://sti-pa.example/crl"
	extension, err := oobtest.CRLDistributionPoint(url, pki.Root.Certificate.RawSubject)
	if err != nil {
		t.Fatal(err)
	}
	id, err := pki.Issue(oobtest.IssueConfig{SPC: "1234", Modify: func(c *x509.Certificate) { c.ExtraExtensions = append(c.ExtraExtensions, extension) }})
	if err != nil {
		t.Fatal(err)
	}
	if points := id.Certificate.X509().CRLDistributionPoints; len(points) != 1 || points[0] != url {
		t.Errorf("got %v", points)
	}
	if !bytes.Contains(extension.Value, pki.Root.Certificate.RawSubject) {
		t.Error("no cRLIssuer")
	}
}
