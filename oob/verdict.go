package oob

import "time"

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
	Case    string // row of the error table, E1 to E19, where it failed; see package stivs
	Section string // where the rule stands
	Outcome CheckOutcome
	Detail  string // what was compared, for the operator; may hold numbers and is never logged above debug
	At      time.Time
	Took    time.Duration
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
	Checks     []Check
	Began      time.Time
	Took       time.Duration
}
