package tn

import (
	"fmt"
	"strings"
)

// Identity reads one party of a call as signalling names it: one value of From, To, P-Asserted-Identity or a
// Request-URI; a tel, sip, sips or other absolute URI, with or without a display name and angle brackets; or a bare
// number. The user of a SIP URI is a number when the URI says user=phone, when it begins with +, or when it consists of
// digits, * and # (RFC 8224 §8.1; the last two are local policy); a user that is no number after all makes a URI
// identity (RFC 8224 §8.5). The error wraps [ErrNotIdentity].
func (p Plan) Identity(s string) (Identity, error) {
	a, err := ReadAddress(s)
	if err != nil {
		return Identity{}, err
	}
	return a.identity(p)
}

func numberIdentity(n Number, err error) (Identity, error) {
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrNotIdentity, err)
	}
	return Of(n), nil
}

// addrSpec takes the address out of a header value that may be a name-addr (RFC 3261 §20.10): what stands between
// angle brackets, or the whole value when there are none.
func addrSpec(value string) (string, error) {
	rest := strings.Trim(value, " \t")
	quoted := strings.HasPrefix(rest, `"`)
	if quoted {
		rest = afterQuotedString(rest)
	}
	_, bracketed, found := strings.Cut(rest, "<")
	if !found {
		if quoted {
			return "", fmt.Errorf("%w: a display name without an address", ErrNotIdentity)
		}
		return rest, nil
	}
	address, tail, found := strings.Cut(bracketed, ">")
	if !found {
		return "", fmt.Errorf("%w: an angle bracket is not closed", ErrNotIdentity)
	}
	tail = strings.Trim(tail, " \t")
	if tail != "" && tail[0] != ';' || strings.ContainsAny(tail, ",<>") {
		return "", fmt.Errorf("%w: more than one value", ErrNotIdentity)
	}
	return strings.Trim(address, " \t"), nil
}

// afterQuotedString gives what follows the quoted string at the beginning of s; nothing when it is not closed.
func afterQuotedString(s string) string {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[i+1:]
		}
	}
	return ""
}
