package stircert

import (
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
)

// CheckEndEntity says whether PASSporTs may be verified with the certificate at all, whatever the policy. The error
// wraps the first [Problem] found. Time, chain and revocation are not looked at.
//
// What the network uses must pass: more key usages than digitalSignature (ATIS-1000080 §6.4.1 allows no other), a
// missing BasicConstraints extension, any CN, serial, policy and CRL distribution point. For these there is [Lint].
func (c *Certificate) CheckEndEntity() error { return c.unusable }

// policyRow is one thing that must fail a call, whatever the network does.
type policyRow struct {
	problem Problem
	section string // that asks for it
	reason  string // why a call must fail for it
	broken  func(cert *x509.Certificate, key *ecdsa.PublicKey, f faults) error
}

// faults are what reading the extensions has found.
type faults struct{ list, constraints error }

// leafPolicy is what a certificate must be to verify a PASSporT with. The first row that is broken is told, so those on
// which nothing hangs come last: a TNAuthList that is elsewhere is fetched for a certificate that is good otherwise.
var leafPolicy = []policyRow{
	{WrongVersion, "RFC 5280 §4.1.2.1", "a certificate of version 1 or 2 has no extensions: no TNAuthList, and nothing that says it is no CA",
		func(cert *x509.Certificate, _ *ecdsa.PublicKey, _ faults) error {
			return when(cert.Version != 3, "%w: version %d", WrongVersion, cert.Version)
		}},
	{WrongKey, "RFC 8225 §4.2", "the one algorithm of PASSporTs is ES256: no other key has made the signature",
		func(cert *x509.Certificate, key *ecdsa.PublicKey, _ faults) error {
			return when(key == nil, "%w: %s", WrongKey, keyType(cert))
		}},
	{IsCA, "RFC 9060 §5", "a CA that signs calls claims all that it may delegate",
		func(cert *x509.Certificate, _ *ecdsa.PublicKey, _ faults) error {
			return when(cert.IsCA, "%w", IsCA)
		}},
	{NoDigitalSignature, "RFC 5280 §4.2.1.3", "the CA has said that the key is not for signatures, or not said that it is",
		func(cert *x509.Certificate, _ *ecdsa.PublicKey, _ faults) error {
			return when(cert.KeyUsage&x509.KeyUsageDigitalSignature == 0, "%w", NoDigitalSignature)
		}},
	{BadConstraints, "RFC 9118 §4", "a limit that cannot be read would be one that is not kept",
		func(_ *x509.Certificate, _ *ecdsa.PublicKey, f faults) error { return f.constraints }},
	{NoTNAuthList, "RFC 8226 §9", "who is authority for nothing is authority for no caller",
		func(_ *x509.Certificate, _ *ecdsa.PublicKey, f faults) error { return only(NoTNAuthList, f.list) }},
	{BadTNAuthList, "RFC 8226 §9", "half a list could be read as more than was meant",
		func(_ *x509.Certificate, _ *ecdsa.PublicKey, f faults) error { return only(BadTNAuthList, f.list) }},
	{TNAuthListNotFetched, "RFC 8226 §10.1", "what the certificate is authority for is not known yet",
		func(_ *x509.Certificate, _ *ecdsa.PublicKey, f faults) error {
			return only(TNAuthListNotFetched, f.list)
		}},
}

// issuerPolicy is what a CA below the trust anchor must be. crypto/x509 asks more of it, and lets these pass. Of an anchor
// it is not asked: whoever made it one has said what it may do, and one root of the network has no KeyUsage.
var issuerPolicy = []policyRow{
	{MayNotIssue, "RFC 5280 §4.2.1.3", "crypto/x509 takes an issuer without KeyUsage for one that may sign certificates",
		func(cert *x509.Certificate, _ *ecdsa.PublicKey, _ faults) error {
			return when(cert.KeyUsage&x509.KeyUsageCertSign == 0, "%w: no keyCertSign", MayNotIssue)
		}},
}

// firstBroken gives the first row that a certificate breaks.
func firstBroken(policy []policyRow, cert *x509.Certificate, key *ecdsa.PublicKey, f faults) error {
	for _, row := range policy {
		if err := row.broken(cert, key, f); err != nil {
			return err
		}
	}
	return nil
}

func when(broken bool, format string, args ...any) error {
	if !broken {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func keyType(cert *x509.Certificate) string {
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok {
		return key.Curve.Params().Name
	}
	return cert.PublicKeyAlgorithm.String()
}
