package stipa_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust/crl"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// Two lists that revoke differently are two, whatever names their entries have: here one that looks like PEM.
func TestRFC5280_S5_ContentIsAllThatIsSigned(t *testing.T) {
	l := newLaboratoryAt(t, time.Now())
	odd, err := asn1.Marshal(pkix.Name{CommonName: "x\n-----BEGIN X-----\n-----END X-----\n"}.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[32]byte]bool{}
	for serial := range int64(3) {
		der, err := l.pa.RevocationList(oobtest.RevocationListConfig{Revoked: []oobtest.Revoked{{Issuer: odd, Serial: big.NewInt(serial)}}})
		if err != nil {
			t.Fatal(err)
		}
		document, err := stipa.CRLSigners{l.pa.CRLIssuer.Certificate}.Check(t.Context(), stipa.Offer{Body: der})
		if err != nil {
			t.Fatal(err)
		}
		if seen[document.Content] {
			t.Errorf("list %d has the content of another", serial)
		}
		seen[document.Content] = true
	}
}

// A machine that starts with its clock behind takes up what it has kept once the clock is right.
func TestKeeper_ClockBehindAtTheStart(t *testing.T) {
	begin := time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC) // a day after a bubble begins
	l := newLaboratoryAt(t, begin)
	der, err := l.pa.RevocationList(oobtest.RevocationListConfig{
		ThisUpdate: begin.Add(-time.Minute), NextUpdate: begin.Add(30 * 24 * time.Hour), Revoked: []oobtest.Revoked{{Serial: big.NewInt(1)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "crl")
	if err := os.WriteFile(file, der, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		accepted := 0
		start := func(now func() time.Time) *stipa.Keeper[*crl.List] {
			k, err := stipa.New(stipa.Config[*crl.List]{
				Name: "revocation-list", Source: stipa.Source{File: file}, Directory: dir, Now: now,
				Check:  stipa.CRLSigners{l.pa.CRLIssuer.Certificate}.Check,
				Accept: func(*crl.List) { accepted++ }, Withdraw: func() {},
			})
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		start(func() time.Time { return begin })
		if accepted != 1 {
			t.Fatalf("accepted %d times", accepted)
		}
		k := start(time.Now) // a day behind
		if accepted != 1 || k.State().Believed {
			t.Fatalf("accepted %d times, believed %t", accepted, k.State().Believed)
		}
		ctx, stop := context.WithTimeout(t.Context(), 48*time.Hour)
		defer stop()
		k.Run(ctx)
		if accepted != 2 || !k.State().Believed {
			t.Errorf("accepted %d times, believed %t", accepted, k.State().Believed)
		}
	})
}

// Under the STI-PA's root stand the certificates of its servers too: what they hold must not decide who is believed.
func TestSigners_SignersAreForSignaturesAlone(t *testing.T) {
	l := newLaboratoryAt(t, time.Now())
	for _, c := range []struct {
		name string
		edit func(*x509.Certificate)
		want stipa.Problem
	}{
		{"for signatures", func(*x509.Certificate) {}, 0},
		{"of a TLS server", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, stipa.WrongSigner},
		{"for everything", func(c *x509.Certificate) { c.KeyUsage = 0 }, stipa.WrongSigner},
		{"of a CA", func(c *x509.Certificate) { c.IsCA = true; c.KeyUsage |= x509.KeyUsageCertSign }, stipa.WrongSigner},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			template := &x509.Certificate{
				SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "x"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
				BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
			}
			c.edit(template)
			der, err := x509.CreateCertificate(rand.Reader, template, l.pa.Root.Certificate, key.Public(), l.pa.Root.Key)
			if err != nil {
				t.Fatal(err)
			}
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			list := l.list(oobtest.TrustListConfig{
				Signer: &oobtest.Authority{Certificate: cert, Key: key},
				Header: map[string]any{"x5c": []string{base64Of(der)}, "x5u": nil},
			})
			signers := l.signers(stipa.SignersConfig{Roots: pool(l.pa.Root.Certificate)})
			_, err = signers.Check(t.Context(), stipa.Offer{Body: []byte(list), Now: time.Now()})
			if c.want == 0 && err != nil || c.want != 0 && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
