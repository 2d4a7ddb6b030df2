package identity

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits of Reason header fields. The bytes of a value are bounded by [BytesMax], its unknown parameters by [ParamsMax].
const (
	ReasonsMax      = 16 // Reason values of one message
	causeDigitsMax  = 9
	compactBytesMax = 128 // of a PASSporT in compact form; one signed with ES256 has 88
)

// ErrReason is wrapped by every refusal of a Reason header field value.
var ErrReason = errors.New("malformed Reason header field")

// ReasonProtocol says what the cause of a Reason is a code of (RFC 3326 §2). Others than those below are kept as they
// came.
type ReasonProtocol string

// The protocols that tell of PASSporTs.
const (
	ReasonSIP  ReasonProtocol = "SIP"  // a status code; one value in a message (RFC 9366 §3)
	ReasonSTIR ReasonProtocol = "STIR" // a code of RFC 8224 §6.2.2; any number of values (RFC 9410 §3)
)

// Reason is one value of a Reason header field (RFC 3326 §2): why a PASSporT was not believed, though the call goes on
// (RFC 9410 §4).
type Reason struct {
	Protocol ReasonProtocol
	Cause    int     // 0 when absent
	Text     string  // for a person, without quotes; empty when absent
	PPI      string  // the PASSporT that is meant, in full or compact form; empty when absent (RFC 9410 §5)
	Params   []Param // other parameters, in the order in which they came: what is handed on is handed on whole
}

// ParseReasons reads all Reason header field values of one message, several in a field cut at their commas. It returns
// those that could be read, in their order, and one error for each that could not. Beyond [ReasonsMax] values nothing
// is read, and the last error says so.
//
// Beside the grammar of RFC 3326 §2 it takes what [Parse] takes: parameters in any order and case, with or without
// quotes, white space, folded lines. Of text beyond ASCII each character is read as a question mark: it is for a person,
// and nothing is decided by it.
func ParseReasons(values []string) ([]Reason, []error) {
	var reasons []Reason
	var errs []error
	read := 0
	for _, value := range values {
		if len(value) > BytesMax {
			errs = append(errs, fmt.Errorf("%w: too long", ErrReason))
			continue
		}
		for _, piece := range cutAtCommas(toASCII(unfold(value))) {
			if read == ReasonsMax {
				return reasons, append(errs, fmt.Errorf("%w: more than %d", ErrReason, ReasonsMax))
			}
			read++
			r, err := parseReason(piece)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			reasons = append(reasons, r)
		}
	}
	return reasons, errs
}

// cutAtCommas cuts at each comma outside of quotes.
func cutAtCommas(value string) []string {
	var pieces []string
	quoted, start := false, 0
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			pieces = append(pieces, value[start:i])
			start = i + 1
		}
	}
	return append(pieces, value[start:])
}

func toASCII(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r > '~':
			return '?'
		}
		return r
	}, s)
}

func parseReason(value string) (Reason, error) {
	value = trim(value)
	protocol, rest, more := strings.Cut(value, ";")
	protocol = trim(protocol)
	if protocol == "" || strings.ContainsFunc(protocol, func(r rune) bool { return !isParamNameChar(r) }) {
		return Reason{}, fmt.Errorf("%w: no protocol", ErrReason)
	}
	r := Reason{Protocol: ReasonProtocol(protocol)}
	for _, known := range []ReasonProtocol{ReasonSIP, ReasonSTIR} {
		if strings.EqualFold(protocol, string(known)) {
			r.Protocol = known
		}
	}
	seen := map[string]bool{}
	for more {
		name, raw, after, err := cutParameter(rest)
		if err != nil {
			return Reason{}, fmt.Errorf("%w: a malformed parameter", ErrReason)
		}
		if key := strings.ToLower(name); name != "" {
			if seen[key] {
				return Reason{}, fmt.Errorf("%w: a repeated parameter", ErrReason)
			}
			seen[key] = true
			if !r.set(key, name, raw) {
				return Reason{}, fmt.Errorf("%w: a parameter with a value that it cannot have, or too many", ErrReason)
			}
		}
		_, rest, more = strings.Cut(after, ";") // after is empty or begins with a semicolon
	}
	return r, nil
}

// set stores one parameter, named key in lower case.
func (r *Reason) set(key, name, raw string) (ok bool) {
	value, quoted := unquote(raw)
	if !quoted {
		value = raw
	}
	switch key {
	case "cause":
		cause, err := strconv.ParseUint(value, 10, 32)
		r.Cause = int(cause)
		return err == nil && len(value) <= causeDigitsMax
	case "text":
		r.Text = value
		return quoted || value != ""
	case "ppi":
		r.PPI = value
		return isPassportText(value)
	}
	r.Params = append(r.Params, Param{Name: name, Value: raw})
	return len(r.Params) <= ParamsMax
}

func isPassportText(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !isTokenChar(r) })
}

// String writes the value as the examples of RFC 9410 §5 have it. It trusts its fields: for a reason made of a text
// from somewhere else use [Reason.MarshalText].
func (r Reason) String() string {
	var b strings.Builder
	b.WriteString(string(r.Protocol))
	if r.Cause != 0 {
		b.WriteString(" ;cause=" + strconv.Itoa(r.Cause))
	}
	if r.Text != "" {
		b.WriteString(` ;text="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(r.Text) + `"`)
	}
	if r.PPI != "" {
		b.WriteString(` ;ppi="` + r.PPI + `"`)
	}
	for _, p := range r.Params {
		b.WriteString(" ;" + p.Name)
		if p.Value != "" {
			b.WriteString("=" + p.Value)
		}
	}
	return b.String()
}

// MarshalText is String, but refuses with [ErrUnwritable] a reason that would not be read back as it is: one that would
// smuggle a line break, a second value or another parameter into a SIP message.
func (r Reason) MarshalText() ([]byte, error) {
	text := r.String()
	again, errs := ParseReasons([]string{text})
	if len(errs) > 0 || len(again) != 1 || !again[0].equal(r) {
		return nil, ErrUnwritable
	}
	return []byte(text), nil
}

func (r Reason) equal(other Reason) bool {
	return r.Protocol == other.Protocol && r.Cause == other.Cause && r.Text == other.Text && r.PPI == other.PPI &&
		slices.Equal(r.Params, other.Params)
}

// CompactForm gives the compact form of a PASSporT in full or compact form, by its look: two dots and the signature
// (RFC 8225 §7). It is empty of a text that is neither, and where the signature is far longer than one can be, so
// that nobody makes us repeat much to others.
func CompactForm(token string) string {
	if strings.Count(token, ".") != 2 {
		return ""
	}
	compact := ".." + token[strings.LastIndexByte(token, '.')+1:]
	if len(compact) == len("..") || len(compact) > compactBytesMax || !isPassportText(compact) {
		return ""
	}
	return compact
}

// WithoutOwn leaves out the reasons that quote one of own, the PASSporTs that an authentication service has made, each
// in full or compact form, and however the reason quotes it: they have told the service what they had to, and what they
// quote may not be for those further upstream (RFC 9410 §7). Reasons without ppi quote nothing, and stay.
func WithoutOwn(reasons []Reason, own []string) []Reason {
	var others []Reason
	for _, r := range reasons {
		if !slices.ContainsFunc(own, func(token string) bool { return quotes(r.PPI, token) }) {
			others = append(others, r)
		}
	}
	return others
}

// quotes tells whether ppi stands for token: with the same signature, or, both being in full form, with the same claims
// under another one.
func quotes(ppi, token string) bool {
	if ppi == "" || token == "" {
		return false
	}
	if ppi == token {
		return true
	}
	if compact := CompactForm(ppi); compact != "" && compact == CompactForm(token) {
		return true
	}
	claims := signed(ppi)
	return claims != "" && claims == signed(token)
}

// signed is what the signature of a PASSporT in full form is over; empty of any other text.
func signed(token string) string {
	if strings.Count(token, ".") != 2 || strings.HasPrefix(token, "..") {
		return ""
	}
	return token[:strings.LastIndexByte(token, '.')]
}
