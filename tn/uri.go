package tn

import (
	"fmt"
	"strings"
)

// normalURI checks an absolute URI and establishes the normal form that [ParseURI] promises.
func normalURI(s string) (string, error) {
	if len(s) > textLengthMax {
		return "", fmt.Errorf("%w: %d bytes, at most %d", ErrNotIdentity, len(s), textLengthMax)
	}
	scheme, rest, ok := cutScheme(s)
	if !ok || rest == "" {
		return "", fmt.Errorf("%w: not an absolute URI", ErrNotIdentity)
	}
	if !isURIText(rest) {
		return "", fmt.Errorf("%w: characters that a URI cannot have", ErrNotIdentity)
	}
	normal := scheme + ":" + rest
	switch scheme {
	case "tel":
		return "", fmt.Errorf("%w: a tel URI is a number, not a URI identity", ErrNotIdentity)
	case "sip", "sips":
		address, err := normalSIP(rest)
		if err != nil {
			return "", err
		}
		normal = scheme + ":" + address
	}
	if len(normal) > URILengthMax {
		return "", fmt.Errorf("%w: URI of %d bytes, at most %d", ErrNotIdentity, len(normal), URILengthMax)
	}
	return normal, nil
}

// cutScheme splits an absolute URI at its colon and lowers the scheme. It is false where s does not begin with a
// scheme (RFC 3986 §3.1), as a bare number does not.
func cutScheme(s string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(s, ":")
	if !ok || scheme == "" || !isLetter(scheme[0]) {
		return "", "", false
	}
	for i := range len(scheme) {
		if c := scheme[i]; !isLetter(c) && !isDigit(c) && c != '+' && c != '-' && c != '.' {
			return "", "", false
		}
	}
	return strings.ToLower(scheme), rest, true
}

// isURIText reports whether s holds only characters of an absolute URI (RFC 3986 §2, §4.3: no fragment), with every
// percent sign followed by two hexadecimal digits.
func isURIText(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%':
			if _, ok := percentByte(s[i:]); !ok {
				return false
			}
		case !isUnreserved(c) && !strings.ContainsRune(":/?[]@!$&'()*+,;=", rune(c)):
			return false
		}
	}
	return true
}

// percentByte decodes the percent triplet at the beginning of s.
func percentByte(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, ok1 := hexDigit(s[1])
	low, ok2 := hexDigit(s[2])
	return high<<4 | low, ok1 && ok2
}

// unescape undoes all percent-encoding of s.
func unescape(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	plain := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			decoded, ok := percentByte(s[i:])
			if !ok {
				return "", false
			}
			c = decoded
			i += 2
		}
		plain = append(plain, c)
	}
	return string(plain), true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// isUnreserved is unreserved of RFC 3986 §2.3.
func isUnreserved(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '-' || c == '.' || c == '_' || c == '~'
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
