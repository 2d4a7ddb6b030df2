package oob

import (
	"time"

	"github.com/viaduct-oob/viaduct/tn"
)

// Verstat is what the terminating side is shown (3GPP TS 24.229 §7.2A.20).
type Verstat string

// The values. A signature or trust failure alone gives Failed; whatever prevents the attempt gives NoValidation.
const (
	VerstatPassed       Verstat = "TN-Validation-Passed"
	VerstatFailed       Verstat = "TN-Validation-Failed"
	VerstatNoValidation Verstat = "No-TN-Validation"
)

// Source says where the PASSporT of a verdict came from.
type Source string

// The sources.
const (
	SourceNone      Source = ""
	SourceInBand    Source = "in-band"
	SourceOutOfBand Source = "out-of-band"
)

// CheckOutcome is how one check ended.
type CheckOutcome string

// The outcomes of a check.
const (
	CheckPassed  CheckOutcome = "passed"
	CheckFailed  CheckOutcome = "failed"
	CheckSkipped CheckOutcome = "skipped" // not reached, or not asked for by policy
)

// Check is one step on the way to a verdict, so that a person can be shown why.
type Check struct {
	Name    string // what was checked: "freshness", "signature", …
	Of      string // of which PASSporT, such as "in-band 2/3"; empty for what concerns the call itself
	Case    string // row of the error table where it failed; see package stivs
	Section string // where the rule stands; empty where it is a limit of ours
	Outcome CheckOutcome
	Detail  string // what was compared, for the operator; may hold numbers and is never logged above debug
	At      time.Time
	Took    time.Duration // 0 for what neither waits nor verifies a signature
}

// Verdict is what a verification service found out about one call.
type Verdict struct {
	Verstat    Verstat
	Code       int    // reason code 403, 436, 437 or 438; 0 when nothing failed (ATIS-1000082)
	ReasonText string // the text that goes with Code
	ReasonDesc string // one sentence more, for a person
	Case       string // E3 to E19: the row of the table that decided; empty when nothing failed
	Source     Source
	Attest     string // A, B or C of the PASSporT that decided; empty unless it passed
	OrigID     string // its origid; empty unless it passed, and where its signer wrote what no header field may hold
	SignerSPC  string // SPC in the certificate that signed it; empty unless it passed
	Passport   string // the PASSporT that decided; empty when there was none
	Tokens     []TokenVerdict
	Diversions []Diversion // the way from the first called party to the last; empty unless every step of it was verified
	Priority   *Priority   // nil when no rph PASSporT was there
	Rich       *Rich       // nil when nothing of the kind was verified
	Doubt      string      // why a call that has a good PASSporT is marked all the same, or was decided by policy; for a person
	Checks     []Check
	Began      time.Time
	Took       time.Duration
}

// TokenVerdict is what was found about one PASSporT of a call, in the order in which they came. Where one is good, the
// others do not make the call invalid (RFC 8224 §6.2), and each bad one is reported by itself (RFC 9410 §6).
type TokenVerdict struct {
	Source     Source
	PPT        string // as its header says; empty for a base PASSporT, and when it cannot be read
	Passport   string // as received, without parameters of a header field
	Verstat    Verstat
	Ignored    bool   // of a type that is not judged here; no fault of the call (RFC 8224 §6.2, step 1)
	Code       int    // as in Verdict; 0 when it is good
	ReasonText string // as in Verdict
	ReasonDesc string // as in Verdict
	Case       string // as in Verdict
}

// Diversion is one retargeting that a div PASSporT has proven (RFC 8946 §4.2).
type Diversion struct {
	From      tn.Identity // who was called before
	To        tn.Identity // who was called instead
	HI        string      // index in History-Info; empty when absent or not fit for a header field
	SignerSPC string      // SPC in the certificate that signed it; empty when that has numbers alone
}

// PriorityVerstat is Verstat for a Resource-Priority header (3GPP TS 24.229 §V, verstatPriority).
type PriorityVerstat string

// The values.
const (
	PriorityPassed       PriorityVerstat = "RPH-Validation-Passed"
	PriorityFailed       PriorityVerstat = "RPH-Validation-Failed"
	PriorityNoValidation PriorityVerstat = "No-RPH-Validation"
)

// Priority is what was found about an rph PASSporT (RFC 8443).
type Priority struct {
	Verstat PriorityVerstat
	Values  []string // r-values that are authorised; empty unless Verstat is PriorityPassed
	SPH     string   // claim sph (RFC 9027); empty when absent
}

// Rich is verified rich call data (RFC 9795): what may be shown of the caller beside the number.
type Rich struct {
	Name       string   // rcd nam
	Alternate  string   // rcd apn: a number or URI to show instead
	Icon       []byte   // what the URI in rcd icn led to, with the digest that was signed: an image, as far as its signer says
	Card       string   // the jCard, of jcd or of jcl, as JSON
	Reason     string   // crn: why the call is made
	ThirdParty string   // iss: who vouches, where it is not the provider of the caller
	Unverified []string // what was signed for and is not shown, each with the reason
}

// VerstatStyle is a spelling of verstat towards a switch. Those with a suffix are not 3GPP's; some vendors' equipment reads
// them.
type VerstatStyle uint8

// The styles.
const (
	VerstatPlain      VerstatStyle = iota // TN-Validation-Passed (TS 24.229 §7.2A.20)
	VerstatAttested                       // TN-Validation-Passed-A, -B, -C
	VerstatAttestedBC                     // TN-Validation-Passed for A; -B, -C
)

// Verstat spells the verstat of a verdict.
func (s VerstatStyle) Verstat(v Verdict) string {
	if s == VerstatPlain || v.Verstat != VerstatPassed || v.Attest == "" || s == VerstatAttestedBC && v.Attest == "A" {
		return string(v.Verstat)
	}
	return string(v.Verstat) + "-" + v.Attest
}
