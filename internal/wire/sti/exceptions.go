package sti

import (
	"strconv"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// Kind is a row of the error table of ATIS-1000082, or one of ours beyond it. Kinds are errors, so that errors.Is(err, sti.MissingParameter) asks
// for the kind of an [*Exception].
type Kind uint8

// The kinds. E1 and E2 of the verification cases are MissingParameter and InvalidParameter. The table has no row for what
// a server says before it looks at a request; ours have the ids that its pattern gives.
const (
	Internal Kind = iota
	MissingBody
	MissingParameter // variable: the parameter
	AnswerType       // variable: what the Accept header field asks for
	NotFound
	RequestType      // variable: what is expected
	InvalidParameter // variables: the parameter, the fault
	Unparsable       // variable: the fault
	MissingLength
	WrongMethod
	Unproven // ours: 401
	Tries    // ours: 429
	Crowded  // ours: 503
	kindEnd  // keep last
)

// Row is everything that is said about a kind.
type Row struct {
	ID     string // messageId
	Status int    // of HTTP
	Text   string // with %1 and %2 where the variables go
}

var rows = [kindEnd]Row{
	Internal:         {"POL5000", 500, "Error: Internal Server Error. Please try again later."},
	MissingBody:      {"SVC4000", 400, "Error: Missing request body."},
	MissingParameter: {"SVC4001", 400, "Error: Missing mandatory parameter '%1'."},
	AnswerType:       {"SVC4002", 406, "Error: Requested response body type '%1' is not supported."},
	NotFound:         {"SVC4003", 404, "Error: Requested resource was not found."},
	RequestType:      {"SVC4004", 415, "Error: Unsupported request body type, expected '%1'."},
	InvalidParameter: {"SVC4005", 400, "Error: Invalid '%1' parameter value: %2."},
	Unparsable:       {"SVC4006", 400, "Error: Failed to parse received message body: %1."},
	MissingLength:    {"SVC4007", 411, "Error: Missing mandatory Content-Length header."},
	WrongMethod:      {"POL4050", 405, "Error: Method not allowed."},
	Unproven:         {"POL4010", 401, "Error: Not authenticated."},
	Tries:            {"POL4290", 429, "Error: Too many failed attempts to authenticate. Please try again later."},
	Crowded:          {"POL5030", 503, "Error: Too many requests at a time. Please try again later."},
}

// Row gives what is said about the kind; an unknown kind is said to be Internal.
func (k Kind) Row() Row {
	if k >= kindEnd {
		k = Internal
	}
	return rows[k]
}

// Error is the text, with the places of the variables.
func (k Kind) Error() string { return k.Row().Text }

// Kinds lists all kinds, in the order of their rows.
func Kinds() []Kind {
	all := make([]Kind, 0, kindEnd)
	for k := range kindEnd {
		all = append(all, k)
	}
	return all
}

// Exception is why a request is not served.
type Exception struct {
	Dialect   Dialect // of the request: in it the answer has to be
	Kind      Kind
	Variables []string
}

func exception(k Kind, variables ...string) *Exception {
	return &Exception{Kind: k, Variables: variables}
}

// in says in which dialect the exception is.
func (e *Exception) in(d Dialect) *Exception {
	e.Dialect = d
	return e
}

// Error is the text of the kind's row with the variables in their places, without "Error: ".
func (e *Exception) Error() string {
	replacements := make([]string, 0, 2*len(e.Variables))
	for i, variable := range e.Variables {
		replacements = append(replacements, "%"+strconv.Itoa(i+1), visible(variable))
	}
	text := strings.TrimPrefix(e.Kind.Row().Text, "Error: ")
	return strings.NewReplacer(replacements...).Replace(text)
}

// Is tells whether target is the exception's kind.
func (e *Exception) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// In makes an exception of the kind, for what is wrong outside of a body.
func (k Kind) In(d Dialect, variables ...string) *Exception { return exception(k, variables...).in(d) }

// WriteException is the body of the answer; its status is that of the kind's row.
func WriteException(e *Exception) []byte {
	if e.Dialect == Ms {
		return append(jws.AppendString([]byte(`{"error":`), e.Error()), '}')
	}
	row := e.Kind.Row()
	member := `{"requestError":{"serviceException":{"messageId":`
	if strings.HasPrefix(row.ID, "POL") {
		member = `{"requestError":{"policyException":{"messageId":`
	}
	text := jws.AppendString([]byte(member), row.ID)
	text = jws.AppendString(append(text, `,"text":`...), row.Text)
	if len(e.Variables) > 0 {
		text = append(text, `,"variables":[`...)
		for i, variable := range e.Variables {
			if i > 0 {
				text = append(text, ',')
			}
			text = jws.AppendString(text, visible(variable))
		}
		text = append(text, ']')
	}
	return append(text, `}}}`...)
}

// visible keeps a variable short and printable: that of AnswerType is what a stranger wrote.
func visible(variable string) string {
	const lengthMax = 128
	variable = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, variable)
	return variable[:min(len(variable), lengthMax)]
}
