package stias

// Refusal is one reason for which the service signs nothing, or takes no credential. Refusals are errors, for errors.Is.
// None of them stops a call: it goes on unsigned.
type Refusal uint8

// The refusals.
const (
	LeftUnsigned        Refusal = iota + 1 // the policy signs no such calls
	AlreadySigned                          // the call carries a PASSporT that fits it
	NotEntitled                            // more attestation was asked for than the policy gives
	PriorityNotEntitled                    // the policy lets others assert such a priority, or nobody (RFC 8443 §4.1)
	StaleDate                              // the Date of the request is too far from now (RFC 8224 §6.1)
	NothingToDivert                        // no PASSporT came that names the former called party (RFC 8946 §4.1)
	NotRetargeted                          // the called party is the same as before (RFC 8946 §3)
	NoAuthority                            // the former called party is none of the signer's numbers (RFC 8946 §3)
	TooDeep                                // more retargetings inside each other than passport.DivDepthMax
	KeyUnfit                               // no key, or not on P-256
	KeyMismatch                            // the key is not that of the certificate
	X5UUnfit                               // no https URL, or one that cannot stand in an Identity header field
	OtherProvider                          // the certificate is not that of the provider
	NotDelegated                           // no SPC is given, and the certificate is not at hand or lists no numbers
	NotCovered                             // the certificate of a delegate does not list the number (RFC 9060 §4)
	Untrusted                              // the certificate is revoked, or no longer believed
	NotServed                              // the x5u does not serve the certificate yet, or not the path that it is believed by
	TooYoung                               // valid, but not yet for clocks that are behind
	refusalEnd                             // keep last
)

var refusalSentences = [refusalEnd]string{
	LeftUnsigned:        "the policy leaves such calls unsigned",
	AlreadySigned:       "the call carries a PASSporT that fits it",
	NotEntitled:         "the policy gives less attestation than was asked for",
	PriorityNotEntitled: "the policy does not let this customer assert the priority",
	StaleDate:           "the date of the request is too far from now",
	NothingToDivert:     "no PASSporT came that names the former called party",
	NotRetargeted:       "the called party is the same as before",
	NoAuthority:         "the former called party is none of the signer's numbers",
	TooDeep:             "too many retargetings inside each other",
	KeyUnfit:            "there is no key on curve P-256",
	KeyMismatch:         "the key is not that of the certificate",
	X5UUnfit:            "the x5u is not an https URL that can stand in an Identity header field",
	OtherProvider:       "the certificate is not that of the provider with this SPC",
	NotDelegated:        "without a provider code the certificate has to be at hand, and to list numbers",
	NotCovered:          "the certificate does not list the number",
	Untrusted:           "the certificate is revoked or not believed",
	NotServed:           "the x5u does not serve the certificate",
	TooYoung:            "the certificate is too young for clocks that are behind",
}

// Refusals lists all refusals.
func Refusals() []Refusal {
	all := make([]Refusal, 0, refusalEnd-1)
	for r := Refusal(1); r < refusalEnd; r++ {
		all = append(all, r)
	}
	return all
}

// Error is the sentence that says why.
func (r Refusal) Error() string {
	if r == 0 || r >= refusalEnd {
		return "unknown refusal"
	}
	return refusalSentences[r]
}
