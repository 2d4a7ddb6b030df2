// Package advert makes, checks and keeps CPS advertisements (RFC 9888 §4).
//
// Knows: the JSON object of RFC 9888 §4 inside a signature ([Sign], [Parse]), who may advertise what ([Checker]), what to
// make of many advertisements ([Book]), fetching them ([Fetcher]) and serving our own ([Advertiser]). Never hears of: SIP,
// calls, what is done with a CPS.
//
// # The form
//
// RFC 9888 §4 gives the object of resources and URIs, and leaves container, expiry and transport open. Ours is a compact JWS
// with ES256, typ cps-advertisement and x5u or x5c; its payload has iat, exp, seq, and the object as cps. A document is one
// or more of them, one in a line, served as application/jose at [WellKnown].
//
// # What is believed
//
// An advertisement is believed if its signature verifies with a certificate that package trust believes, and of its members
// those that the TNAuthList of the certificate covers. Numbers are covered by a provider code where number data say that
// they belong to it, and without data never. A member that is not covered, or stands for more numbers than
// [CheckerConfig.NumbersMax], is refused, and the rest is taken: a signer could have left the member out, so that nothing is
// won by refusing all, and a number that is ported away would otherwise take the CPS of a whole provider with it.
//
// A provider's block is taken with the numbers in it that were ported away, but it does not stand for one of which the
// question says that another provider holds it: see standing.speaksFor.
//
// A number stands before a range, the narrowest of them first, and a range before a provider; of two advertisements of the
// same resource the one issued later stands. Where they are of different signers and disagree, that is a [Conflict], for
// people to look at.
//
// The seq of a signer never goes back for the same set of resources: an older advertisement is refused, and so is one that
// has the seq of the one that is held and says something else, which is told as an [Equivocation]. What was advertised is
// withdrawn by a later one of the same resources, or by its exp.
//
// # Failures
//
// Every refusal wraps a [Problem] and comes with the zero value. No text of the advertisement stands in it.
//
// # Limits
//
// [BytesMax], [EntriesMax], [LinesMax], [DocumentBytesMax]; of a Book [BookConfig].
package advert

import (
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
)

// WellKnown is the path at which a provider serves its advertisements, and MediaType their type.
const (
	WellKnown = "/.well-known/stir-cps"
	MediaType = "application/jose"
)

// Limits of an advertisement and of a document with several.
const (
	BytesMax         = 1 << 20
	EntriesMax       = 10_000
	LinesMax         = 64
	DocumentBytesMax = 4 << 20
)

// Entry is one member: the CPS of a resource.
type Entry struct {
	Resource stircert.Resource
	URL      string // as discovery.BaseURL writes it
}

// Advertisement is what a signer says.
type Advertisement struct {
	Issued  time.Time
	Expires time.Time
	Seq     uint64  // grows from one to the next
	Entries []Entry // each resource once
}

// Problem says why an advertisement, or a member of one, was refused.
type Problem uint8

// The problems, in the order in which they are looked for. Those of members come last.
const (
	Unreachable    Problem = iota + 1 // the source, or the signer's certificate, could not be read
	TooLong                           // bytes, lines or members
	Malformed                         // not an advertisement
	BadTimes                          // ends before it begins, or holds for too long
	NotYetValid                       // issued in the future
	Expired                           // its time is over
	WrongSignature                    // does not verify
	Untrusted                         // signed with a certificate that is not believed
	Backwards                         // older than one that was accepted before
	Contradicting                     // the number of one that was accepted before, and other content
	Full                              // more than a signer, or all together, may have here
	Uncovered                         // for what the certificate does not cover
	Greedy                            // for more numbers than one member may have
	problemsEnd
)

var problems = [problemsEnd]struct{ name, text string }{
	0:              {"unknown", "unknown problem"},
	Unreachable:    {"unreachable", "it could not be read, or its signer's certificate not"},
	TooLong:        {"too-long", "too many bytes, lines or members"},
	Malformed:      {"malformed", "not an advertisement"},
	BadTimes:       {"bad-times", "it ends before it begins, or holds for too long"},
	NotYetValid:    {"not-yet-valid", "issued in the future"},
	Expired:        {"expired", "expired"},
	WrongSignature: {"wrong-signature", "the signature does not verify"},
	Untrusted:      {"untrusted", "the signer's certificate is not believed"},
	Backwards:      {"backwards", "older than what was accepted before"},
	Contradicting:  {"contradicting", "the same number as what was accepted before, with other content"},
	Full:           {"full", "more than there is room for"},
	Uncovered:      {"uncovered", "the signer's certificate does not cover it"},
	Greedy:         {"greedy", "for too many numbers"},
}

// Problems lists them all.
func Problems() []Problem {
	all := make([]Problem, 0, problemsEnd-1)
	for p := Unreachable; p < problemsEnd; p++ {
		all = append(all, p)
	}
	return all
}

// Name is the word for logs and metrics.
func (p Problem) Name() string { return p.row().name }

// Error is the sentence.
func (p Problem) Error() string { return p.row().text }

func (p Problem) row() struct{ name, text string } {
	if p >= problemsEnd {
		p = 0
	}
	return problems[p]
}
