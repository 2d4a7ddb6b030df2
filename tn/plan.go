package tn

import (
	"fmt"
	"strings"
)

// textLengthMax bounds in bytes what is read as a number or a URI in the form of people and switches, with
// parameters and display name.
const textLengthMax = 4 << 10

// Plan is a numbering plan: how the people and switches of one country, or on one trunk, write numbers. The zero Plan
// has no national policy: it drops what does not belong to a number and takes the rest as it is.
type Plan struct {
	CountryCode         string // digits that make a national number international, such as 1 or 44
	InternationalPrefix string // dialled before a foreign number, such as 011 or 00; empty: none
	NationalPrefix      string // dialled before a national number, such as 1 or 0; empty: none
	PrefixOptional      bool   // national numbers are also written without their prefix, as in North America
	NationalMin         int    // digits of the shortest and the longest national number, without prefix;
	NationalMax         int    // 0: no number is taken for a national one
}

// NANP is the North American Numbering Plan.
var NANP = Plan{
	CountryCode:         "1",
	InternationalPrefix: "011",
	NationalPrefix:      "1",
	PrefixOptional:      true,
	NationalMin:         10,
	NationalMax:         10,
}

// Check refuses a plan, as read from a configuration, that cannot be meant. The error wraps [ErrNotNumber].
func (p Plan) Check() error {
	for _, digits := range []string{p.CountryCode, p.InternationalPrefix, p.NationalPrefix} {
		if strings.Trim(digits, "0123456789") != "" {
			return fmt.Errorf("%w: country code and prefixes are digits only", ErrNotNumber)
		}
	}
	if strings.HasPrefix(p.CountryCode, "0") {
		return fmt.Errorf("%w: no country code begins with 0", ErrNotNumber)
	}
	if p.NationalMin < 0 || p.NationalMin > p.NationalMax || len(p.CountryCode)+p.NationalMax > NumberLengthMax {
		return fmt.Errorf("%w: national numbers of %d to %d digits", ErrNotNumber, p.NationalMin, p.NationalMax)
	}
	if p.CountryCode == "" && p.NationalMax > 0 {
		return fmt.Errorf("%w: national numbers need a country code", ErrNotNumber)
	}
	return nil
}

// Number reads a number as people and switches write it: with or without +, with visual separators, with the
// parameters of a tel URI behind it. Where the plan tells how, the result is the international form; a short code,
// a service code or a subscriber number stays as it is (RFC 8224 §8.3).
//
// The text of a [Number] is not always a safe argument: a plan that reads bare national numbers takes a foreign number
// of the same length for one. With a + before it the text is never misread. The error wraps [ErrNotNumber].
func (p Plan) Number(s string) (Number, error) {
	if len(s) > textLengthMax {
		return Number{}, fmt.Errorf("%w: %d bytes", ErrNotNumber, len(s))
	}
	// RFC 8224 §8.3: parameters go before characters are dropped, or their digits would join the number.
	subscriber, parameters, _ := strings.Cut(s, ";")
	digits, global, err := dropSeparators(subscriber)
	if err != nil {
		return Number{}, err
	}
	return p.read(digits, global, parameters)
}

// read reads a number without separators, whose parameters have been cut off.
func (p Plan) read(digits string, global bool, parameters string) (Number, error) {
	switch {
	case global || strings.ContainsAny(digits, "*#"):
		return ParseNumber(digits)
	case p.isForeign(parameters):
		return Number{}, fmt.Errorf("%w: local to another numbering plan", ErrNotNumber)
	}
	international, _ := p.International(digits)
	return ParseNumber(international)
}

// dropSeparators leaves the digits, # and * of a number, and tells whether it is marked as international.
func dropSeparators(s string) (digits string, global bool, err error) {
	kept := make([]byte, 0, NumberLengthMax)
	for i := range len(s) {
		switch c := s[i]; {
		case isNumberChar(c):
			if len(kept) == 2*NumberLengthMax { // longer than any number with any prefix
				return "", false, fmt.Errorf("%w: too many digits", ErrNotNumber)
			}
			kept = append(kept, c)
		case c == '+' && len(kept) == 0 && !global:
			global = true
		case !strings.ContainsRune(" -.()/", rune(c)):
			return "", false, fmt.Errorf("%w: character %d is neither of a number nor a separator", ErrNotNumber, i+1)
		}
	}
	digits = string(kept)
	if global && (digits == "" || digits[0] == '0' || strings.ContainsAny(digits, "*#")) {
		return "", false, fmt.Errorf("%w: no country code behind the +", ErrNotNumber)
	}
	if global && strings.Contains(s, "(0)") {
		// In most countries this 0 is not dialled from abroad, in Italy it is: a guess would name somebody else.
		return "", false, fmt.Errorf("%w: (0) in an international number", ErrNotNumber)
	}
	return digits, global, nil
}

// International takes a dialled number for what the plan says it is: one with the prefix of foreign numbers, or a
// national one, which gets its country code. False says that the plan knows no such number; digits are unchanged then.
func (p Plan) International(digits string) (string, bool) {
	if rest, ok := cutPrefix(digits, p.InternationalPrefix); ok && rest != "" && rest[0] != '0' {
		return rest, true
	}
	national, prefixed := cutPrefix(digits, p.NationalPrefix)
	if !prefixed && p.NationalPrefix != "" && !p.PrefixOptional {
		return digits, false
	}
	if p.NationalMax == 0 || len(national) < p.NationalMin || len(national) > p.NationalMax {
		return digits, false
	}
	return p.CountryCode + national, true
}

// isForeign reports whether a phone-context says that the number is local to another country (RFC 3966 §5.1.5). The
// zero Plan is of no country.
func (p Plan) isForeign(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "phone-context") {
			continue
		}
		context, _ := unescape(strings.TrimSpace(value))
		if prefix, ok := strings.CutPrefix(context, "+"); ok && !strings.HasPrefix(prefix, p.CountryCode) {
			return true
		}
	}
	return false
}

// cutPrefix is strings.CutPrefix, but an empty prefix is never there.
func cutPrefix(s, prefix string) (string, bool) {
	if prefix == "" {
		return s, false
	}
	return strings.CutPrefix(s, prefix)
}
