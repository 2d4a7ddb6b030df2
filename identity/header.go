// Package identity holds the SIP Identity header field (RFC 8224 §4), and the Reason header field that tells what was wrong
// with it (RFC 9410): from their text to values and back.
//
// Knows: the grammar of both, the forms of them that are seen in the field, the compact form of a PASSporT by its
// look. Never hears of: what a PASSporT says, certificates, networks, any SIP stack.
//
// Parsing and judging are apart: the parser refuses only what a [Header] cannot represent, because one cannot give the
// answer that is owed to what one has refused to read. A header without info, for example, is parsed; that it cannot
// be verified is for a verification service to say.
//
// # Failures
//
// Every refusal wraps one of the Err values and comes with the zero value. No error text repeats the input.
//
// # Limits
//
// A value has at most [BytesMax] bytes and [ParamsMax] unknown parameters; of one request at most [HeadersMax] values
// are read, and of one message at most [ReasonsMax] reasons.
package identity

import (
	"errors"
	"slices"
	"strings"
)

// Limits.
const (
	BytesMax   = 16 << 10 // bytes of one header field value, folding included
	HeadersMax = 16       // Identity header field values of one request
	ParamsMax  = 16       // parameters of one value beside info, alg and ppt
)

// The refusals.
var (
	ErrNoToken         = errors.New("identity header without a PASSporT")
	ErrTokenCharacters = errors.New("identity header with characters that a PASSporT cannot have")
	ErrParameter       = errors.New("identity header with a malformed parameter")
	ErrInfo            = errors.New("identity header with a malformed info parameter")
	ErrDuplicate       = errors.New("identity header with a repeated parameter")
	ErrTooLong         = errors.New("identity header too long")
	ErrTooMany         = errors.New("too many identity headers")
	ErrUnwritable      = errors.New("identity header that cannot be written")
)

// Header is the value of one Identity header field.
type Header struct {
	Token  string  // the PASSporT in full or compact form, as it came
	Info   string  // URI of the certificate, without angle brackets; empty when absent
	Alg    string  // without quotes; empty when absent, which means ES256 (RFC 8224 §4)
	PPT    string  // without quotes; empty when absent, which means a base PASSporT
	Params []Param // other parameters, in the order in which they came
}

// Param is a parameter that this package does not know (RFC 3261 §25.1, generic-param).
type Param struct {
	Name  string
	Value string // as written, with its quotes or angle brackets; empty when the name stands alone
}

// IsCompact reports whether the PASSporT is in compact form: header and payload are left out, because the receiver can
// rebuild them (RFC 8225 §7).
func (h Header) IsCompact() bool { return strings.HasPrefix(h.Token, "..") }

// String writes the value in the order that large carriers emit: token;info=<uri>;alg=ES256;ppt=shaken. What [Parse]
// made, String writes so that Parse reads the same again. It trusts its fields: for a header made of a token from
// somewhere else use [Header.MarshalText].
func (h Header) String() string {
	var b strings.Builder
	b.Grow(len(h.Token) + len(";info=<") + len(h.Info) + len(">;alg=") + len(h.Alg) + len(";ppt=") + len(h.PPT))
	write := func(parts ...string) {
		for _, part := range parts {
			b.WriteString(part)
		}
	}
	write(h.Token)
	if h.Info != "" {
		write(";info=<", h.Info, ">")
	}
	if h.Alg != "" {
		write(";alg=", h.Alg)
	}
	if h.PPT != "" {
		write(";ppt=", h.PPT)
	}
	for _, p := range h.Params {
		write(";", p.Name)
		if p.Value != "" {
			write("=", p.Value)
		}
	}
	return b.String()
}

// MarshalText is String, but refuses with [ErrUnwritable] a header that would not be read back as it is: one that
// would smuggle a line break, a second value or another parameter into a SIP message.
func (h Header) MarshalText() ([]byte, error) {
	text := h.String()
	again, err := Parse(text)
	if err != nil || !again.equal(h) {
		return nil, ErrUnwritable
	}
	return []byte(text), nil
}

// UnmarshalText is [Parse].
func (h *Header) UnmarshalText(text []byte) (err error) {
	*h, err = Parse(string(text))
	return err
}

func (h Header) equal(other Header) bool {
	return h.Token == other.Token && h.Info == other.Info && h.Alg == other.Alg && h.PPT == other.PPT &&
		slices.Equal(h.Params, other.Params)
}
