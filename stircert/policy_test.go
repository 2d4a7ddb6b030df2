package stircert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
)

type keyring struct {
	ca, leaf, p384 *ecdsa.PrivateKey
	rsa            *rsa.PrivateKey
}

// keys are made once.
var keys = sync.OnceValue(func() (k keyring) {
	k.ca, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // crypto/rand does not fail
	k.leaf, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.p384, _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	return k
})

var (
	oidTNAuthList = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 26}
	oidAIA        = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidOther      = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1} // reserved for examples
)

// template is a certificate that follows ATIS-1000080.v005 §6.4.1 in its role.
func template(t testing.TB, role stircert.Role) *x509.Certificate {
	t.Helper()
	policy, err := x509.ParseOID("2.16.840.1.114569.1.1.4")
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber:          new(big.Int).Lsh(big.NewInt(1), 126),
		Subject:               pkix.Name{Country: []string{"US"}, Organization: []string{"Laboratory"}, CommonName: "SHAKEN ROOT CA"},
		NotBefore:             time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		BasicConstraintsValid: true,
		IsCA:                  true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	if role == stircert.Root {
		return c
	}
	c.Policies = []x509.OID{policy}
	c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 31}, Value: unhex(t, crlPointSTIPA)}}
	c.Subject.CommonName = "SHAKEN Intermediate CA"
	if role == stircert.Intermediate {
		return c
	}
	list, err := stircert.TNAuthList{SPCs: []string{"1234"}}.Extension()
	if err != nil {
		t.Fatal(err)
	}
	c.Subject.CommonName = "SHAKEN 1234"
	c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature
	c.ExtraExtensions = append(c.ExtraExtensions, list)
	return c
}

// crlPointSTIPA is one CRL distribution point, https://x, with the issuer that the network names.
const crlPointSTIPA = "306D 306B A00D A00B 8609 68747470733A2F2F78 A25A A458" + crlIssuerFromBelow

// made issues a template with a key; the CA's is used for a root, that of a leaf else. The issuer is always of the same name.
func made(t testing.TB, c *x509.Certificate, public any) *stircert.Certificate {
	t.Helper()
	issuer := template(t, stircert.Root)
	issuer.SubjectKeyId = []byte("the identifier of ca")
	if c.IsCA && c.Subject.CommonName == issuer.Subject.CommonName {
		issuer = c
	}
	if public == nil {
		public = keys().leaf.Public()
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, public, keys().ca)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := stircert.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// without takes the extension out.
func without(c *x509.Certificate, oid asn1.ObjectIdentifier) {
	for i, ext := range c.ExtraExtensions {
		if ext.Id.Equal(oid) {
			c.ExtraExtensions = append(c.ExtraExtensions[:i:i], c.ExtraExtensions[i+1:]...)
			return
		}
	}
}

// breaks has a certificate for each row of the policy, and some for more than one.
var breaks = []struct {
	name   string
	want   stircert.Problem
	file   string // in testdata, or else:
	public func() any
	modify func(*testing.T, *x509.Certificate)
}{
	{name: "version 1", want: stircert.WrongVersion, file: "odd/version-1-1415b641.pem"},
	{name: "a key on P-384", want: stircert.WrongKey, public: func() any { return keys().p384.Public() }},
	{name: "an RSA key", want: stircert.WrongKey, public: func() any { return keys().rsa.Public() }},
	{name: "cA is true", want: stircert.IsCA, modify: func(_ *testing.T, c *x509.Certificate) { c.IsCA = true }},
	{name: "a CA that may sign", want: stircert.IsCA, modify: func(_ *testing.T, c *x509.Certificate) {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	}},
	{name: "no KeyUsage", want: stircert.NoDigitalSignature, modify: func(_ *testing.T, c *x509.Certificate) { c.KeyUsage = 0 }},
	{name: "KeyUsage of another kind", want: stircert.NoDigitalSignature, modify: func(_ *testing.T, c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }},
	{name: "malformed claim constraints", want: stircert.BadConstraints, modify: func(t *testing.T, c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 27}, Value: unhex(t, "3000")})
	}},
	{name: "claim constraints of both kinds", want: stircert.BadConstraints, modify: func(t *testing.T, c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, extensionOf(t, stircert.Constraints{MustInclude: []string{"attest"}}),
			extensionOf(t, stircert.Constraints{Enhanced: true, MustInclude: []string{"attest"}}))
	}},
	{name: "claim constraints of both kinds, one of them void", want: stircert.BadConstraints, modify: func(t *testing.T, c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, extensionOf(t, stircert.Constraints{Enhanced: true, MustExclude: []string{"iat"}}),
			extensionOf(t, stircert.Constraints{MustInclude: []string{"attest"}}))
	}},
	{name: "no TNAuthList", want: stircert.NoTNAuthList, modify: func(_ *testing.T, c *x509.Certificate) { without(c, oidTNAuthList) }},
	{name: "malformed TNAuthList", want: stircert.BadTNAuthList, file: "odd/tnauth-malformed-0c7bf2cc.pem"},
	{name: "malformed TNAuthList and a reference to one", want: stircert.BadTNAuthList, modify: func(t *testing.T, c *x509.Certificate) {
		without(c, oidTNAuthList)
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oidTNAuthList, Value: unhex(t, "3000")}, referenceTo(t, "https://tn.example/list"))
	}},
	{name: "a reference to a TNAuthList", want: stircert.TNAuthListNotFetched, modify: func(t *testing.T, c *x509.Certificate) {
		without(c, oidTNAuthList)
		c.ExtraExtensions = append(c.ExtraExtensions, referenceTo(t, "https://tn.example/list"))
	}},
}

func TestPolicy_EveryRowIsBrokenByACertificate(t *testing.T) {
	broken := make(map[stircert.Problem]bool)
	for _, c := range breaks {
		t.Run(c.name, func(t *testing.T) {
			var cert *stircert.Certificate
			if c.file != "" {
				cert = readCertificate(t, c.file)
			} else {
				leaf := template(t, stircert.Leaf)
				if c.modify != nil {
					c.modify(t, leaf)
				}
				var public any
				if c.public != nil {
					public = c.public()
				}
				cert = made(t, leaf, public)
			}
			if err := cert.CheckEndEntity(); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
		broken[c.want] = true
	}
	if err := made(t, template(t, stircert.Leaf), nil).CheckEndEntity(); err != nil {
		t.Errorf("a good certificate: %v", err)
	}
	for _, row := range stircert.LeafPolicy() {
		if !broken[row.Problem] {
			t.Errorf("no certificate breaks %q", row.Problem.Name())
		}
		if row.Section == "" || row.Reason == "" {
			t.Errorf("%q: section %q, reason %q", row.Problem.Name(), row.Section, row.Reason)
		}
		delete(broken, row.Problem)
	}
	if len(broken) > 0 {
		t.Errorf("problems without a row: %v", broken)
	}
}

// What comes first in the table is told, and what may be cured by fetching comes last.
func TestPolicy_NothingIsFetchedForACertificateThatIsRefusedAnyway(t *testing.T) {
	leaf := template(t, stircert.Leaf)
	without(leaf, oidTNAuthList)
	leaf.KeyUsage = x509.KeyUsageKeyAgreement
	leaf.ExtraExtensions = append(leaf.ExtraExtensions, referenceTo(t, "https://tn.example/list"))
	cert := made(t, leaf, nil)
	if err := cert.CheckEndEntity(); !errors.Is(err, stircert.NoDigitalSignature) {
		t.Errorf("got %v", err)
	}
	if _, err := cert.WithTNAuthList(stircert.TNAuthList{SPCs: []string{"1234"}}); !errors.Is(err, stircert.NoDigitalSignature) {
		t.Errorf("with a list: %v", err)
	}
}

func TestRFC5280_S4_2_1_3_IssuerWithoutKeyCertSign(t *testing.T) {
	leaf, anchor := made(t, template(t, stircert.Leaf), nil), made(t, template(t, stircert.Root), nil)
	broken := 0
	for _, c := range []struct {
		name  string
		usage x509.KeyUsage
		want  error
	}{
		{"keyCertSign", x509.KeyUsageCertSign, nil},
		{"none, which crypto/x509 lets pass", 0, stircert.MayNotIssue},
		{"another one", x509.KeyUsageDigitalSignature, stircert.MayNotIssue},
	} {
		ca := template(t, stircert.Intermediate)
		ca.KeyUsage = c.usage
		issuer := made(t, ca, nil)
		if err := leaf.CheckPath([]*x509.Certificate{issuer.X509(), anchor.X509()}, nil); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err := leaf.CheckPath([]*x509.Certificate{issuer.X509()}, nil); err != nil {
			t.Errorf("%s, as the anchor: %v", c.name, err)
		}
		if c.want != nil {
			broken++
		}
	}
	if rows := stircert.IssuerPolicy(); len(rows) != 1 || broken == 0 || rows[0].Problem != stircert.MayNotIssue {
		t.Errorf("rows %v: each needs a certificate that breaks it", rows)
	}
}
