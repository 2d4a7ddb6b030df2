// Package stircert reads STI certificates: what they say, not whether they are believed.
//
// Knows: the TNAuthList (RFC 8226 §9), the constraints on what may be claimed (RFC 8226 §8, RFC 9118 §4), what an
// end-entity certificate must have before a PASSporT may be verified with it, who may delegate what to whom (RFC 9060 §4),
// where a revocation would be told, the profile of ATIS-1000080 §6.4.1, chains as repositories serve them, a description
// for people. Never hears of: networks, files, trust anchors, revocation; that is package trust.
//
// Two strictnesses live side by side in the field, and here in two tables. What a call must not be verified with is a
// [Problem], and there are few: policy.go. What ATIS-1000080 forbids but the network uses, such as a CN without the SPC, is
// a finding of [Lint], to which nothing reacts: lint_rules.go.
//
// # Failures
//
// Every refusal wraps a [Problem] and returns the zero value; number data, which are no certificate, have their own
// [ErrNumberData], and what an extension says of CPSs [ErrCPSURI]. Error texts hold no number: a TNAuthList may list personal ones.
//
// # Limits
//
// [TNAuthListEntriesMax], [SPCLengthMax], [TNAuthListURLBytesMax], [ConstraintEntriesMax], [ConstraintNameBytesMax],
// [CRLPointsMax], [CRLPointURLsMax], [CRLURLBytesMax], [NameBytesMax], [NameAttributesMax], [NumberDataRowsMax],
// [NumberDataLineBytesMax], [NumberDataSPCsMax], [NumberDataSharedMax], [NumberDataOverlapsMax],
// [ChainBytesMax], [ChainCertificatesMax], [CPSURIsMax], [CPSURIBytesMax], [TNAttributesMax].
package stircert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"
)

// Certificate is one certificate with what STIR adds to it: all that a call is verified with, taken out once. A parsed
// x509.Certificate is several times as large, and a verification service holds tens of thousands: see
// [Certificate.X509]. It is read-only once made, and safe to share.
type Certificate struct {
	Raw        []byte // DER
	NotBefore  time.Time
	NotAfter   time.Time
	TNAuthList TNAuthList       // zero when it is absent, malformed, or elsewhere
	Key        *ecdsa.PublicKey // nil unless it is a P-256 key
	Hash       [32]byte         // SHA-256 of the DER: the only name of a certificate that is unique in the field

	// TNAuthListURL is where the TNAuthList is to be fetched; empty when the certificate has one itself. See
	// [Certificate.WithTNAuthList].
	TNAuthListURL string

	Constraints *Constraints // nil when the extensions are absent, malformed, or to be treated as absent

	unusable error // what CheckEndEntity says
}

// Parse reads one certificate in DER. That it parses says nothing about its use: see [Certificate.CheckEndEntity].
func Parse(der []byte) (*Certificate, error) {
	cert, err := ParseX509(der)
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
	var f faults
	c.TNAuthList, c.TNAuthListURL, f.list = authorityOf(cert)
	c.Constraints, f.constraints = constraintsOf(cert)
	c.unusable = firstBroken(leafPolicy, cert, c.Key, f)
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
