package crl_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/viaduct-oob/viaduct/trust/crl"
)

var refusals = []error{crl.ErrTooLarge, crl.ErrMalformed, crl.ErrDelta, crl.ErrPartial, crl.ErrCritical, crl.ErrAlgorithm}

// agrees holds a list against what crypto/x509 reads in it. That knows nothing of certificateIssuer.
func agrees(t *testing.T, der []byte, list *crl.List) {
	t.Helper()
	theirs, err := x509.ParseRevocationList(der)
	if err != nil {
		return // it is stricter in some things
	}
	if !list.ThisUpdate().Equal(theirs.ThisUpdate) || !list.NextUpdate().Equal(theirs.NextUpdate) {
		t.Fatalf("from %v to %v, want %v to %v", list.ThisUpdate(), list.NextUpdate(), theirs.ThisUpdate, theirs.NextUpdate)
	}
	if (list.Number() == nil) != (theirs.Number == nil) || theirs.Number != nil && list.Number().Cmp(theirs.Number) != 0 {
		t.Fatalf("number %v, want %v", list.Number(), theirs.Number)
	}
	issuer := theirs.RawIssuer
	for i, e := range theirs.RevokedCertificateEntries {
		for _, ext := range e.Extensions {
			if ext.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 29}) {
				var names []asn1.RawValue
				if _, err := asn1.Unmarshal(ext.Value, &names); err != nil || len(names) != 1 {
					t.Fatalf("issuer of entry %d: %v", i, err)
				}
				issuer = names[0].Bytes
			}
		}
		if e.SerialNumber.Sign() < 0 {
			continue // of no certificate
		}
		id, err := crl.IDOf(issued(issuer, e.SerialNumber))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, revoked := list.Revoked(id); !revoked && e.ReasonCode != 8 {
			t.Fatalf("entry %d is not on the list", i)
		}
	}
	if list.Len() > len(theirs.RevokedCertificateEntries) {
		t.Fatalf("%d entries of %d", list.Len(), len(theirs.RevokedCertificateEntries))
	}
}

// FuzzCRL: an error is one of those that are announced, without a list; a list that is read has every entry that
// crypto/x509 finds, is the same when it is read again, and checking a signature of it does not fail in another way.
func FuzzCRL(f *testing.F) {
	s := newSigner(f, elliptic.P256(), x509.KeyUsageCRLSign)
	for _, seed := range []struct {
		list document
		good bool
	}{
		{document{}, true},
		{document{entries: []revocation{revoked(1), revoked(2, issuedBy(caA)), revoked(3, because(1)), revoked(4, because(8), issuedBy(caB))}}, true},
		{document{algorithm: oidECDSA384}, true},
		{document{nextUpdate: made}, false},
	} {
		der := seed.list.write(f, s)
		if _, err := crl.Parse(der); (err == nil) != seed.good {
			f.Errorf("seed of %d bytes: %v", len(der), err)
		}
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		list, err := crl.Parse(content)
		if err != nil {
			for _, refusal := range refusals {
				if errors.Is(err, refusal) && list == nil {
					return
				}
			}
			t.Fatalf("%v with %v", err, list)
		}
		if again, err := crl.Parse(content); err != nil || again.Len() != list.Len() || again.Issuer() != list.Issuer() {
			t.Fatalf("again: %v", err)
		}
		if err := list.CheckSignature(s.cert); err != nil && !errors.Is(err, crl.ErrSigner) && !errors.Is(err, crl.ErrSignature) {
			t.Fatal(err)
		}
		if bytes.HasPrefix(content, []byte{0x30}) {
			agrees(t, content, list)
		}
	})
}

// Lists of any length have all their entries and no others, wherever the IDs fall.
func TestRevoked_WhateverTheLength(t *testing.T) {
	s := newSigner(t, elliptic.P256(), x509.KeyUsageCRLSign)
	draw := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 4, 5, 8, 9, 100, 3000} {
		on := make(map[int]bool)
		var d document
		for range n {
			i := draw.IntN(4 * n)
			on[i] = true
			d.entries = append(d.entries, revocation{serial: serialOf(i)})
		}
		list := mustParse(t, d.write(t, s))
		if list.Len() != len(on) {
			t.Errorf("%d entries, want %d", list.Len(), len(on))
		}
		for i := range 4*n + 1 {
			if has(t, list, paName, serialOf(i)) != on[i] {
				t.Errorf("of %d: %d is revoked: %v", n, i, !on[i])
			}
		}
	}
}
