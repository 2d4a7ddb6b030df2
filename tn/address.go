package tn

import (
	"fmt"
	"strings"
)

// Address is one party of a call as signalling writes it, before any numbering plan has read it: for those who know more
// than a plan does about what its digits mean.
type Address struct {
	// Digits are the digits, * and # of its number, without separators; empty where it is none. They may be too many for a
	// Number.
	Digits string
	Global bool // a + marks the number as international
	Phone  bool // the address says itself that it is a number; that the user of a SIP URI looks like one is not enough

	sip        bool
	text       string // the URI, without display name and angle brackets
	parameters string // those of the number or user, with percent-encoding
	tail       string // those of a SIP URI, and its headers
}

// ReadAddress reads what [Plan.Identity] reads. The error wraps [ErrNotIdentity]; it does not tell all that is wrong with
// an address that is no number, which [Address.URI] does.
func ReadAddress(s string) (Address, error) {
	if len(s) > textLengthMax {
		return Address{}, fmt.Errorf("%w: %d bytes, at most %d", ErrNotIdentity, len(s), textLengthMax)
	}
	text, err := addrSpec(s)
	if err != nil {
		return Address{}, err
	}
	scheme, rest, ok := cutScheme(text)
	a := Address{text: text}
	switch {
	case !ok:
		// RFC 8224 §8.3: parameters go before characters are dropped, or their digits would join the number.
		number, parameters, _ := strings.Cut(text, ";")
		a.parameters, a.Phone = parameters, true
		err = a.number(number)
	case scheme == "tel":
		a.Phone = true
		err = a.subscriber(rest)
	case scheme == "sip" || scheme == "sips":
		a.sip = true
		return a.user(rest)
	}
	if err != nil {
		return Address{}, fmt.Errorf("%w: %w", ErrNotIdentity, err)
	}
	return a, nil
}

// user looks for a number in a SIP URI of which the scheme has been cut off. A user that is none is no error.
func (a Address) user(rest string) (Address, error) {
	u, err := cutSIP(rest)
	if err != nil {
		return Address{}, err
	}
	name, parameters, _ := strings.Cut(u.user, ";")
	a.parameters, a.tail = parameters, u.tail
	name, ok := unescape(name)
	a.Phone = u.isPhone() || strings.HasPrefix(name, "+")
	if !ok || !a.Phone && strings.Trim(name, "0123456789*#") != "" {
		return a, nil
	}
	numbered := a
	if numbered.subscriber(u.user) != nil {
		return a, nil
	}
	return numbered, nil
}

// subscriber reads the part of a tel or SIP URI that holds a number (RFC 3966 §3, telephone-subscriber). The
// parameters are cut off before percent-encoding is undone: an encoded semicolon begins none.
func (a *Address) subscriber(s string) error {
	number, parameters, _ := strings.Cut(s, ";")
	number, ok := unescape(number)
	if !ok {
		return fmt.Errorf("%w: broken percent-encoding", ErrNotNumber)
	}
	a.parameters = parameters
	return a.number(number)
}

func (a *Address) number(s string) (err error) {
	if a.Digits, a.Global, err = dropSeparators(s); err == nil && a.Digits == "" {
		return fmt.Errorf("%w: empty", ErrNotNumber)
	}
	return err
}

// URI is the address as [ParseURI] reads it.
func (a Address) URI() (Identity, error) { return ParseURI(a.text) }

// Parameter gives the value of a parameter with its percent-encoding undone: of the number or user, such as
// trunk-context (RFC 4904), or else of the SIP URI. A parameter without a value has the empty one. Names compare without regard to case.
func (a Address) Parameter(name string) (value string, ok bool) {
	uri, _, _ := strings.Cut(a.tail, "?")
	for _, list := range [...]string{a.parameters, uri} {
		for parameter := range strings.SplitSeq(list, ";") {
			found, value, _ := strings.Cut(parameter, "=")
			if !strings.EqualFold(strings.TrimSpace(found), name) {
				continue
			}
			return unescape(strings.TrimSpace(value))
		}
	}
	return "", false
}

// identity reads the address by a numbering plan.
func (a Address) identity(p Plan) (Identity, error) {
	if a.Digits == "" {
		return a.URI()
	}
	n, err := p.read(a.Digits, a.Global, a.parameters)
	if err != nil && a.sip {
		return a.URI()
	}
	return numberIdentity(n, err)
}
