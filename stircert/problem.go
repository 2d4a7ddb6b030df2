package stircert

import "errors"

// Problem is one thing that is wrong with a certificate. Problems are errors: errors.Is(err, stircert.Expired) asks
// for one, errors.AsType[stircert.Problem](err) finds which.
type Problem uint8

// The problems. Each makes a certificate unusable for verifying a call, whatever the policy, but BadName and
// BadCRLPoints, after which only its revocation is in doubt. Deviations that the network lives with are not problems but
// findings of [Lint].
const (
	NotCertificate       Problem = iota + 1 // not an X.509 certificate, by the rules of crypto/x509
	NotChain                                // what was served holds no certificate, or cannot be read as some
	WrongVersion                            // not version 3
	WrongKey                                // not a P-256 public key
	IsCA                                    // a CA, and only end entities sign PASSporTs
	NoDigitalSignature                      // KeyUsage is absent or lacks digitalSignature
	NoTNAuthList                            // authority for nothing
	BadTNAuthList                           // a TNAuthList that is not one
	NotYetValid                             // before notBefore
	Expired                                 // after notAfter
	NotTrusted                              // no path to a trust anchor
	BeyondIssuer                            // authority for more than a delegate CA above it has
	TNAuthListNotFetched                    // the TNAuthList is elsewhere and was not fetched yet
	BadConstraints                          // claim constraints that are not, or that are there twice
	ConstraintViolated                      // a PASSporT claims what the certificate does not allow
	MayNotIssue                             // in the place of an issuer, and no CA for certificates
	BadName                                 // a distinguished name that is not one: it cannot be compared
	BadCRLPoints                            // CRL distribution points that are not: who would tell of a revocation is unknown
	Revoked                                 // a revocation list has it, or a CA of its path
	RevocationUnknown                       // no list tells whether it is revoked, and the operator wants to know
	NotProvider                             // it signs as a provider, and its certificate names none
	NotCovered                              // it signs for a number that its certificate does not have
	problemEnd                              // keep last
)

var problemSentences = [problemEnd]string{
	NotCertificate:       "this is not an X.509 certificate",
	NotChain:             "this is not a certificate chain",
	WrongVersion:         "the certificate is not of version 3",
	WrongKey:             "the public key is not on curve P-256",
	IsCA:                 "the certificate is that of a CA, and only end entities may sign",
	NoDigitalSignature:   "the key usage does not include digitalSignature",
	NoTNAuthList:         "the certificate has no TNAuthList",
	BadTNAuthList:        "the TNAuthList is malformed",
	NotYetValid:          "the certificate is not valid yet",
	Expired:              "the certificate has expired",
	NotTrusted:           "no path leads from the certificate to a trust anchor",
	BeyondIssuer:         "an issuer's TNAuthList does not cover what the certificate is for",
	TNAuthListNotFetched: "the TNAuthList has not been fetched yet",
	BadConstraints:       "the claim constraints are malformed",
	ConstraintViolated:   "the claim constraints of the certificate do not allow what is claimed",
	MayNotIssue:          "an issuer may not issue certificates",
	BadName:              "the distinguished name is malformed",
	BadCRLPoints:         "the CRL distribution points are malformed",
	Revoked:              "the certificate or that of a CA above it is revoked",
	RevocationUnknown:    "it is not known whether the certificate is revoked",
	NotProvider:          "the certificate is not that of a provider",
	NotCovered:           "the certificate does not cover the number",
}

var problemNames = [problemEnd]string{
	NotCertificate:       "not-certificate",
	NotChain:             "not-chain",
	WrongVersion:         "wrong-version",
	WrongKey:             "wrong-key",
	IsCA:                 "is-ca",
	NoDigitalSignature:   "no-digital-signature",
	NoTNAuthList:         "no-tnauthlist",
	BadTNAuthList:        "bad-tnauthlist",
	NotYetValid:          "not-yet-valid",
	Expired:              "expired",
	NotTrusted:           "not-trusted",
	BeyondIssuer:         "beyond-issuer",
	TNAuthListNotFetched: "tnauthlist-not-fetched",
	BadConstraints:       "bad-constraints",
	ConstraintViolated:   "constraint-violated",
	MayNotIssue:          "may-not-issue",
	BadName:              "bad-name",
	BadCRLPoints:         "bad-crl-points",
	Revoked:              "revoked",
	RevocationUnknown:    "revocation-unknown",
	NotProvider:          "not-provider",
	NotCovered:           "not-covered",
}

// Problems lists all problems.
func Problems() []Problem {
	all := make([]Problem, 0, problemEnd-1)
	for p := Problem(1); p < problemEnd; p++ {
		all = append(all, p)
	}
	return all
}

// Error is the sentence that says what is wrong.
func (p Problem) Error() string {
	if p == 0 || p >= problemEnd {
		return "unknown certificate problem"
	}
	return problemSentences[p]
}

// Name is a short stable name, for metrics and tables.
func (p Problem) Name() string {
	if p == 0 || p >= problemEnd {
		return "unknown"
	}
	return problemNames[p]
}

// only gives err if it is that problem, else nil.
func only(p Problem, err error) error {
	if errors.Is(err, p) {
		return err
	}
	return nil
}
