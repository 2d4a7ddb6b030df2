package identity

import (
	"fmt"
	"strings"
)

// Parse reads one header field value. Beside the grammar of RFC 8224 §4 it takes what is seen in the field: base64url
// characters in the token (which the grammar forgot), parameters in any order and case, alg and ppt with or without
// quotes, info with or without angle brackets or in quotes, no info at all, white space around semicolons and equals
// signs, folded lines, empty parameters. A parameter that stands twice is refused: two readers could choose
// differently.
func Parse(value string) (Header, error) {
	if len(value) > BytesMax {
		return Header{}, ErrTooLong
	}
	return parse(unfold(value))
}

func parse(value string) (Header, error) {
	value = trim(value)
	end := strings.IndexFunc(value, func(r rune) bool { return !isTokenChar(r) })
	if end < 0 {
		end = len(value)
	}
	h := Header{Token: value[:end]}
	rest := trim(value[end:])
	switch {
	case rest != "" && rest[0] != ';':
		return Header{}, ErrTokenCharacters
	case h.Token == "":
		return Header{}, ErrNoToken
	}
	for rest != "" {
		name, raw, after, err := cutParameter(rest[1:])
		if err != nil {
			return Header{}, err
		}
		if name != "" {
			if err := h.set(name, raw); err != nil {
				return Header{}, err
			}
		}
		rest = after
	}
	return h, nil
}

// cutParameter reads one parameter and leaves the rest, which is empty or begins with a semicolon. Without a name the
// parameter is empty.
func cutParameter(s string) (name, raw, rest string, err error) {
	s = trim(s)
	end := strings.IndexFunc(s, func(r rune) bool { return !isParamNameChar(r) })
	if end < 0 {
		end = len(s)
	}
	name, rest = s[:end], trim(s[end:])
	if value, hasValue := strings.CutPrefix(rest, "="); hasValue && name != "" {
		value = trim(value)
		length := valueLength(value)
		// Where an unquoted value goes on as another header field would, [Split] cuts: what reads as one must be one.
		if length == 0 || value[0] != '"' && value[0] != '<' && len(Split(value[:length])) > 1 {
			return "", "", "", malformed(name)
		}
		raw, rest = value[:length], trim(value[length:])
	}
	if rest != "" && rest[0] != ';' {
		return "", "", "", malformed(name)
	}
	return name, raw, rest, nil
}

// malformed tells a broken info from other broken parameters, because a verifier owes it another answer.
func malformed(name string) error {
	if strings.EqualFold(name, "info") {
		return ErrInfo
	}
	return ErrParameter
}

// valueLength measures the parameter value at the beginning of s: in angle brackets, in quotes, or bare. It is 0 when
// there is none.
func valueLength(s string) int {
	if s == "" {
		return 0
	}
	switch s[0] {
	case '<':
		end := strings.IndexByte(s, '>')
		if end < 0 || strings.ContainsFunc(s[1:end], func(r rune) bool { return !isURIChar(r) }) {
			return 0
		}
		return end + 1
	case '"':
		return quotedLength(s)
	}
	end := strings.IndexFunc(s, func(r rune) bool { return r == ';' || !isURIChar(r) })
	if end < 0 {
		return len(s)
	}
	return end
}

// quotedLength measures the quoted string at the beginning of s; 0 when it is not closed or not printable ASCII.
func quotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			return 0
		case c == '"':
			return i + 1
		case c == '\\':
			i++
			if i == len(s) || s[i] < ' ' || s[i] > '~' {
				return 0
			}
		}
	}
	return 0
}

// set stores one parameter. Names are case-insensitive (RFC 3261 §7.3.1).
func (h *Header) set(name, raw string) error {
	var field *string
	isValue := isParamNameChar // alg and ppt are tokens
	switch strings.ToLower(name) {
	case "info":
		field, isValue = &h.Info, isURIChar
	case "alg":
		field = &h.Alg
	case "ppt":
		field = &h.PPT
	default:
		for _, p := range h.Params {
			if strings.EqualFold(p.Name, name) {
				return ErrDuplicate
			}
		}
		if len(h.Params) == ParamsMax {
			return fmt.Errorf("%w: more than %d", ErrParameter, ParamsMax)
		}
		h.Params = append(h.Params, Param{Name: name, Value: raw})
		return nil
	}
	if *field != "" {
		return ErrDuplicate
	}
	value := raw
	if unquoted, ok := unquote(raw); ok {
		value = unquoted
	}
	if field == &h.Info {
		value = trimBrackets(value)
	}
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return !isValue(r) }) {
		return malformed(name)
	}
	*field = value
	return nil
}

// unquote undoes the quoting of a quoted string that has already been measured.
func unquote(raw string) (string, bool) {
	if !strings.HasPrefix(raw, `"`) {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	if !strings.Contains(inner, `\`) {
		return inner, true
	}
	plain := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' {
			i++
		}
		plain = append(plain, inner[i])
	}
	return string(plain), true
}

func trimBrackets(s string) string {
	if inner, ok := strings.CutPrefix(s, "<"); ok {
		if inner, ok = strings.CutSuffix(inner, ">"); ok {
			return inner
		}
	}
	return s
}

// unfold replaces a line break before white space by that white space (RFC 3261 §7.3.1) and drops those at the end.
// Any other line break stays, and will be refused.
func unfold(s string) string {
	s = strings.TrimRight(s, "\r\n \t")
	if !strings.Contains(s, "\n") {
		return s
	}
	return strings.NewReplacer("\r\n ", " ", "\r\n\t", " ", "\n ", " ", "\n\t", " ").Replace(s)
}

func trim(s string) string { return strings.Trim(s, " \t") }

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// isTokenChar is base64-char and "." of RFC 8224 §4, and what base64url and padding need.
func isTokenChar(r rune) bool {
	switch r {
	case '-', '_', '+', '/', '.', '=':
		return true
	}
	return isAlphanumeric(r)
}

// isParamNameChar is token of RFC 3261 §25.1.
func isParamNameChar(r rune) bool { return isAlphanumeric(r) || strings.ContainsRune("-.!%*_+`'~", r) }

// isURIChar is what may stand between angle brackets: printable ASCII but quotes, brackets and space. Whether it makes
// a URI is for the reader of Info to judge.
func isURIChar(r rune) bool { return '!' <= r && r <= '~' && r != '"' && r != '<' && r != '>' }
