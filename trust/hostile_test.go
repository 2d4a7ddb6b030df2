package trust_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

// withKeyOf is a certificate of a CA that has an RSA key of so many bits.
func withKeyOf(t *testing.T, pki *oobtest.PKI, bits uint) *x509.Certificate {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), bits)
	key := &rsa.PublicKey{N: n.Sub(n, big.NewInt(159)), E: 1<<31 - 1}
	template := &x509.Certificate{
		Subject: pki.Intermediate.Certificate.Subject, SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, pki.Root.Certificate, key, pki.Root.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// With a key as long as a chain has room for, one signature takes seconds: no signature is checked with it.
func TestKeysWithWhichSignaturesTakeTooLong(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	leaf := id.Certificate.X509()
	huge := withKeyOf(t, l.pki, stircert.RSAKeyBitsMax+1)
	if err := l.verifier.Judge(trust.NewChain([]*x509.Certificate{leaf, huge})); !errors.Is(err, stircert.NotTrusted) {
		t.Errorf("with nothing else: %v", err)
	}
	if err := l.verifier.Judge(trust.NewChain([]*x509.Certificate{leaf, huge, l.pki.Intermediate.Certificate})); err != nil {
		t.Errorf("beside the right one: %v", err)
	}
	served := append(append([]byte{}, id.ChainPEM...), (&oobtest.Authority{Certificate: huge}).CertificatePEM()...)
	if _, err := stircert.ParseChainPEM(served); !errors.Is(err, stircert.NotCertificate) {
		t.Errorf("served: %v", err)
	}
	if _, err := stircert.ParseChainPEM((&oobtest.Authority{Certificate: withKeyOf(t, l.pki, stircert.RSAKeyBitsMax)}).CertificatePEM()); err != nil {
		t.Errorf("the longest: %v", err)
	}
}

// RFC 9060 §4: a delegate is one by the path that leads to it, whatever of that it serves.
func TestRFC9060_S4_DelegateIsOneWhateverItServes(t *testing.T) {
	l := newLaboratory(t, nil)
	under := delegate(t, l.pki, oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true})
	anchors, err := trust.NewAnchors(under.Intermediate.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	l.verifier.SetAnchors(anchors)
	shaken := &passport.Envelope{Header: passport.Header{PPT: passport.Shaken}}
	for name, body := range map[string]func(*oobtest.Identity) []byte{
		"all": func(id *oobtest.Identity) []byte { return id.ChainPEM }, "itself alone": func(id *oobtest.Identity) []byte { return id.Certificate.Raw },
	} {
		id := issueFrom(t, under, l.host.URL, oobtest.IssueConfig{SPC: "1234"})
		l.pki.Serve(id.X5U[len(l.host.URL):], body(id))
		credential, err := l.verifier.Verify(t.Context(), id.X5U, signedBy(id))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := l.verifier.Authorise(credential, shaken, &passport.Claims{}); !errors.Is(err, stircert.NotProvider) {
			t.Errorf("%s: %v", name, err)
		}
	}
	provider := l.issue(oobtest.IssueConfig{SPC: "1234"})
	l.verifier.SetAnchors(l.config.Anchors)
	credential, err := l.verifier.Verify(t.Context(), provider.X5U, signedBy(provider))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.verifier.Authorise(credential, shaken, &passport.Claims{}); err != nil {
		t.Errorf("a provider: %v", err)
	}
}
