// Package stircert reads STI certificates: what they say, not whether they are believed.
//
// Knows: the TNAuthList (RFC 8226 §9), what an end-entity certificate must have before a PASSporT may be verified
// with it, chains as repositories serve them, a description for people. Never hears of: networks, files, trust
// anchors, revocation; that is package trust.
//
// Two strictnesses live side by side in the field. What a call must not be verified with is a [Problem], and there are
// few. What ATIS-1000080 forbids but the network uses, such as a CN without the SPC, is a deviation that [Describe]
// shows and nothing else reacts to.
//
// # Failures
//
// Every refusal wraps a [Problem] and returns the zero value. Error texts hold no number: a TNAuthList may list
// personal ones.
//
// # Limits
//
// [TNAuthListEntriesMax], [SPCLengthMax], [ChainBytesMax], [ChainCertificatesMax].
package stircert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"
)

// oidTNAuthList is id-pe-TNAuthList (RFC 8226 §9).
var oidTNAuthList = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 26}

// Certificate is one certificate with what STIR adds to it: all that a call is verified with, taken out once. A parsed
// x509.Certificate is several times as large, and a verification service holds tens of thousands: see
// [Certificate.X509]. It is read-only once made, and safe to share.
type Certificate struct {
	Raw        []byte // DER
	NotBefore  time.Time
	NotAfter   time.Time
	TNAuthList TNAuthList       // zero when the extension is absent or malformed
	Key        *ecdsa.PublicKey // nil unless it is a P-256 key
	Hash       [32]byte         // SHA-256 of the DER: the only name of a certificate that is unique in the field

	unusable error // what CheckEndEntity says
}

// Parse reads one certificate in DER. That it parses says nothing about its use: see [Certificate.CheckEndEntity].
func Parse(der []byte) (*Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", NotCertificate, err)
	}
	return Of(cert), nil
}

// Of gives the STIR view of a certificate that crypto/x509 has parsed.
func Of(cert *x509.Certificate) *Certificate {
	c := &Certificate{
		Raw:       bytes.Clone(cert.Raw), // cert.Raw may be a piece of all that a repository served
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, Hash: sha256.Sum256(cert.Raw),
	}
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok && key.Curve == elliptic.P256() {
		c.Key = key
	}
	var listErr error
	c.TNAuthList, listErr = tnAuthListOf(cert)
	c.unusable = unusable(cert, c.Key, listErr)
	return c
}

// X509 parses the certificate anew, for those who want to see what is not in c.
func (c *Certificate) X509() *x509.Certificate {
	cert, err := x509.ParseCertificate(c.Raw)
	if err != nil {
		panic("stircert: a certificate that was parsed before does not parse: " + err.Error()) // Of and Parse have parsed it
	}
	return cert
}

func tnAuthListOf(cert *x509.Certificate) (TNAuthList, error) {
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(oidTNAuthList) {
			return ParseTNAuthList(ext.Value)
		}
	}
	return TNAuthList{}, NoTNAuthList
}

// CheckEndEntity says whether PASSporTs may be verified with the certificate at all, whatever the policy. The error
// wraps the first [Problem] found. Time, chain and revocation are not looked at.
//
// What the network uses must pass: more key usages than digitalSignature (ATIS-1000080 §6.4.1 allows no other), a
// missing BasicConstraints extension, any CN, serial, policy and CRL distribution point.
func (c *Certificate) CheckEndEntity() error { return c.unusable }

func unusable(cert *x509.Certificate, key *ecdsa.PublicKey, listErr error) error {
	switch {
	case cert.Version != 3:
		return fmt.Errorf("%w: version %d", WrongVersion, cert.Version)
	case key == nil:
		return fmt.Errorf("%w: %s", WrongKey, keyType(cert))
	case cert.IsCA:
		return IsCA
	case cert.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return NoDigitalSignature
	}
	return listErr
}

// CheckTime says whether the certificate is valid at an instant.
func (c *Certificate) CheckTime(at time.Time) error {
	switch {
	case at.Before(c.NotBefore):
		return NotYetValid
	case at.After(c.NotAfter):
		return Expired
	}
	return nil
}

func keyType(cert *x509.Certificate) string {
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok {
		return key.Curve.Params().Name
	}
	return cert.PublicKeyAlgorithm.String()
}
