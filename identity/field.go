package identity

import (
	"fmt"
	"iter"
	"strings"
)

// ParseField reads one header field with its name, Identity or y, in any case and folded or not; a bare value is
// read too.
func ParseField(line string) (Header, error) {
	name, value, found := strings.Cut(line, ":")
	if name = trim(name); found && (strings.EqualFold(name, "Identity") || strings.EqualFold(name, "y")) {
		return Parse(value)
	}
	return Parse(line)
}

// Commas gives the places of the commas in a header field value that stand neither in quotes nor in angle brackets: where
// a list of values is cut (RFC 3261 §7.3.1).
func Commas(value string) iter.Seq[int] {
	return func(yield func(int) bool) {
		var quoted, bracketed bool
		for i := 0; i < len(value); i++ {
			switch c := value[i]; {
			case c == '\\' && quoted:
				i++
			case c == '"' && !bracketed:
				quoted = !quoted
			case quoted:
			case c == '<':
				bracketed = true
			case c == '>':
				bracketed = false
			case c == ',' && !bracketed:
				if !yield(i) {
					return
				}
			}
		}
	}
}

// Split cuts a value in which several header field values have been joined with commas, as RFC 3261 §7.3.1 allows
// for other fields and some stacks do with this one. It cuts only at a comma of [Commas] that is followed by what looks
// like a PASSporT; so a comma in a URI without brackets does not cut.
func Split(value string) []string {
	var pieces []string
	start := 0
	for i := range Commas(value) {
		if beginsWithPassport(value[i+1:]) {
			pieces = append(pieces, value[start:i])
			start = i + 1
		}
	}
	return append(pieces, value[start:])
}

// beginsWithPassport reports whether s begins with three segments with dots between them, and a parameter, another
// value or nothing follows.
func beginsWithPassport(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	end := strings.IndexFunc(s, func(r rune) bool { return !isTokenChar(r) })
	if end < 0 {
		end = len(s)
	}
	return strings.Count(s[:end], ".") == 2 && (end == len(s) || strings.ContainsRune(",; \t\r\n", rune(s[end])))
}

// ParseAll reads all Identity header field values of one request, each as [Parse] does, joined ones cut with [Split].
// It returns the headers that could be read, in their order, and one error for each that could not: a bad header never
// hides a good one (RFC 8224 §6.2). Beyond [HeadersMax] values nothing is read, and the last error says so.
func ParseAll(values []string) ([]Header, []error) {
	var headers []Header
	var errs []error
	read := 0
	for _, value := range values {
		for _, piece := range Split(value) {
			if read == HeadersMax {
				return headers, append(errs, fmt.Errorf("%w: more than %d", ErrTooMany, HeadersMax))
			}
			read++
			h, err := Parse(piece)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			headers = append(headers, h)
		}
	}
	return headers, errs
}
