package crl

// Reason is why a certificate is revoked (RFC 5280 §5.3.1). Of most entries none is told.
type Reason uint8

// The reasons that have a name. The entry of a list may give another number: it is revoked all the same.
const (
	Unspecified          Reason = 0
	KeyCompromise        Reason = 1
	CACompromise         Reason = 2
	AffiliationChanged   Reason = 3
	Superseded           Reason = 4
	CessationOfOperation Reason = 5
	CertificateHold      Reason = 6 // until further notice
	removeFromCRL        Reason = 8 // not revoked
	PrivilegeWithdrawn   Reason = 9
	AACompromise         Reason = 10
)

var reasonNames = [...]string{
	KeyCompromise: "keyCompromise", CACompromise: "cACompromise", AffiliationChanged: "affiliationChanged",
	Superseded: "superseded", CessationOfOperation: "cessationOfOperation", CertificateHold: "certificateHold",
	PrivilegeWithdrawn: "privilegeWithdrawn", AACompromise: "aACompromise",
}

// String is the name that RFC 5280 gives the reason.
func (r Reason) String() string {
	if int(r) < len(reasonNames) && reasonNames[r] != "" {
		return reasonNames[r]
	}
	return "unspecified"
}
