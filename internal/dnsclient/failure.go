package dnsclient

import "time"

// Failure is why there is no answer. Failures are errors: errors.Is(err, dnsclient.NoAnswer) asks for one.
type Failure uint8

// The failures. None says anything about the name.
const (
	NoAnswer  Failure = iota + 1 // nobody could be reached, or answered in time
	Unwilling                    // the server says that it could not or would not find out, or refers to another: SERVFAIL, REFUSED and the like
	Malformed                    // the answer cannot be read, or contradicts itself
	TooMuch                      // it exceeds a limit
	Astray                       // its aliases run in a circle, are too many, or lead out of it
	BadName                      // what was asked for is no name; nobody was asked
)

var failureSentences = map[Failure]string{
	NoAnswer:  "no answer",
	Unwilling: "the server did not find out",
	Malformed: "the answer is malformed",
	TooMuch:   "the answer is too large",
	Astray:    "the aliases lead nowhere",
	BadName:   "not a name of the DNS",
}

// Error is a sentence for a log.
func (f Failure) Error() string { return failureSentences[f] }

// NotExist is the answer that there is no such record (RFC 2308): the name does not exist, or has none of the type.
type NotExist struct {
	TTL           time.Duration // for which that may be kept
	Authenticated bool          // the server says that it has validated this with DNSSEC
}

// Error says so, without the name.
func (e *NotExist) Error() string { return "there is no such record in the DNS" }
