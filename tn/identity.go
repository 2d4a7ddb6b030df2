package tn

import (
	"errors"
	"strings"
)

// URILengthMax bounds the length in bytes of a URI, in its normal form, that stands for a caller or a called party. It
// is ours: RFC 8225 states none, and an emergency service URN or a SIP address is far shorter.
const URILengthMax = 256

// ErrNotIdentity is wrapped by every refusal of a text that should have been an identity.
var ErrNotIdentity = errors.New("not a telephone number or URI")

// Identity is one party of a call as a PASSporT names it: a telephone number or a URI (RFC 8225 §5.2.1). The zero
// Identity is nobody. Identities are comparable with ==: a number never equals a URI.
type Identity struct {
	text string
	uri  bool
}

// Of makes the identity of a number. Of the zero Number it is the zero Identity.
func Of(n Number) Identity { return Identity{text: n.digits} }

// ParseURI accepts an absolute URI and returns it in the normal form of RFC 8224 §8.5: for sip and sips the user and
// the host alone in lower case, for other schemes the text as it came with the scheme in lower case. A tel URI is
// refused, because it is a number: use [Plan.Identity]. The error wraps [ErrNotIdentity].
func ParseURI(s string) (Identity, error) {
	text, err := normalURI(s)
	if err != nil {
		return Identity{}, err
	}
	return Identity{text: text, uri: true}, nil
}

// ParseIdentity accepts a canonical number or an absolute URI: the form of a path segment of a CPS once its
// percent-encoding is undone (ATIS-1000096 §7), and of [Identity.String]. A number has no colon and a URI always has
// one, so that no text can be both.
func ParseIdentity(s string) (Identity, error) {
	if strings.Contains(s, ":") {
		return ParseURI(s)
	}
	return numberIdentity(ParseNumber(s))
}

// Number returns the telephone number, and false when the identity is a URI or nobody.
func (id Identity) Number() (Number, bool) {
	if id.uri || id.text == "" {
		return Number{}, false
	}
	return Number{id.text}, true
}

// IsURI reports whether the identity is a URI.
func (id Identity) IsURI() bool { return id.uri }

// IsZero reports whether the identity is nobody.
func (id Identity) IsZero() bool { return id.text == "" }

// String gives the canonical number or the normal form of the URI.
func (id Identity) String() string { return id.text }

// MarshalText gives the text of String. Nobody is the empty text.
func (id Identity) MarshalText() ([]byte, error) { return []byte(id.text), nil }

// UnmarshalText reads what MarshalText wrote, as [ParseIdentity] does.
func (id *Identity) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*id = Identity{}
		return nil
	}
	*id, err = ParseIdentity(string(text))
	return err
}
