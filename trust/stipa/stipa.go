// Package stipa takes what the STI-PA signs for everybody: it reads the list of trusted STI-CAs and makes sure who signed
// it, and it keeps such a document, list and revocation list alike, the newest there is.
//
// Knows: the list as a JWT in both forms in which it is served (ATIS-1000084; its text is not public, the form is known
// from its users), who may sign it ([Signers]), fetching and keeping ([Keeper]), what went wrong ([Problem]). Never hears
// of: what a revocation list says, tokens and calls, verdicts on certificates, configuration files, metrics.
//
// Read list.go for what the list is, keeper.go for how documents live.
//
// # Failures
//
// Every refusal wraps a [Problem] and comes with the zero value; no text of the document stands in it. A document that is
// refused leaves the one that is held where it is: a lying, hanging or dead STI-PA can keep us from hearing of news, and
// [State.Alarm] says so, but it can take nothing away. Whether a document that has expired is used on is the operator's
// decision, [Config.StopWhenExpired].
//
// # Limits
//
// [ListBytesMax], [EntriesMax], [SignersMax]; of a Keeper [Config.BytesMax] and [Config.Timeout].
package stipa

// Problem says why a document was refused.
type Problem uint8

// The problems, in the order in which they are looked for.
const (
	Unreachable    Problem = iota + 1 // the source could not be read: network, TLS, time, or the file
	WrongAnswer                       // the source answered, but not with a document: status, redirect, size
	Malformed                         // not a document of this kind
	Empty                             // a list without a single certificate of a CA
	WrongSigner                       // nobody who may sign
	WrongSignature                    // does not verify
	NotYetValid                       // issued in the future
	Expired                           // its time is over
	Backwards                         // a lower number than one that was accepted before
	Contradicting                     // the number of the one that is held, and other content
	problemsEnd
)

var problems = [problemsEnd]struct{ name, text string }{
	0:              {"unknown", "unknown problem"},
	Unreachable:    {"unreachable", "the source could not be read"},
	WrongAnswer:    {"wrong-answer", "the source answered with something else"},
	Malformed:      {"malformed", "not a document of this kind"},
	Empty:          {"empty", "no certificate of a CA in the list"},
	WrongSigner:    {"wrong-signer", "signed by nobody who may"},
	WrongSignature: {"wrong-signature", "the signature does not verify"},
	NotYetValid:    {"not-yet-valid", "issued in the future"},
	Expired:        {"expired", "expired"},
	Backwards:      {"backwards", "older than what was accepted before"},
	Contradicting:  {"contradicting", "the same number as what is held, with other content"},
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
