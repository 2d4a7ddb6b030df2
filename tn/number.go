// Package tn holds telephone numbers, ranges of them, and the identities that a PASSporT names.
//
// Knows: the canonical form of a number (RFC 8224 §8.3) and of a URI that is none (RFC 8224 §8.5), numbering
// plans, number ranges (RFC 8226 §9). Never hears of: networks, files, tokens, SIP messages.
//
// Everything that is compared, signed or used as a key is canonical by construction: a [Number] or an [Identity]
// can only be made by a function of this package that checks or establishes its form, so two of them are the same
// caller exactly when they are equal with ==.
//
// # Failures
//
// Every function that refuses its input returns the zero value and an error that wraps [ErrNotNumber] or
// [ErrNotIdentity]. Error texts describe the fault without repeating the input: a number is personal data and
// errors end in logs.
//
// # Limits
//
// A number has at most [NumberLengthMax] characters and a URI in normal form at most [URILengthMax] bytes. Text in the
// form of people and switches is read up to 4 KiB, in time proportional to its length.
package tn

import (
	"errors"
	"fmt"
)

// NumberLengthMax is the length of the longest number: 15 characters, as in E.164 and in the TelephoneNumber type of
// RFC 8226 §9.
const NumberLengthMax = 15

// ErrNotNumber is wrapped by every refusal of a text that should have been a telephone number.
var ErrNotNumber = errors.New("not a telephone number")

// Number is a telephone number in canonical form: 1 to 15 characters of 0-9, # and *, no leading + (RFC 8224 §8.3).
// The zero Number is no number. Numbers are comparable with ==.
type Number struct{ digits string }

// ParseNumber accepts a text that already is in canonical form, and nothing else. Use [Plan.Number] for numbers as
// people and switches write them.
func ParseNumber(s string) (Number, error) {
	if s == "" {
		return Number{}, fmt.Errorf("%w: empty", ErrNotNumber)
	}
	if len(s) > NumberLengthMax {
		return Number{}, fmt.Errorf("%w: %d characters, at most %d", ErrNotNumber, len(s), NumberLengthMax)
	}
	for i := range len(s) {
		if !isNumberChar(s[i]) {
			return Number{}, fmt.Errorf("%w: character %d is not one of 0-9, # and *", ErrNotNumber, i+1)
		}
	}
	return Number{s}, nil
}

// String gives the canonical text; of the zero Number, the empty string.
func (n Number) String() string { return n.digits }

// IsZero reports whether n is no number.
func (n Number) IsZero() bool { return n.digits == "" }

// MarshalText gives the canonical text.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.digits), nil }

// UnmarshalText reads canonical text, as [ParseNumber] does.
func (n *Number) UnmarshalText(text []byte) (err error) {
	*n, err = ParseNumber(string(text))
	return err
}

// isNumberChar is the alphabet of tn-spec in RFC 8224 §8.3.
func isNumberChar(c byte) bool { return isDigit(c) || c == '#' || c == '*' }
