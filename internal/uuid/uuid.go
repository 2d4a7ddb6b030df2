// Package uuid makes and recognises the random identifiers of PASSporTs and access tokens.
//
// Knows: the text form of RFC 9562 and its version 4. Never hears of: what is identified.
package uuid

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// New gives a random UUID in its text form, 36 characters in lower case (RFC 9562 §5.4). Nobody can guess it.
func New() string {
	var random [16]byte
	rand.Read(random[:])                 // never fails
	random[6] = random[6]&0x0f | 4<<4    // version
	random[8] = random[8]&0x3f | 0b10<<6 // variant
	text := make([]byte, 0, 36)
	for i, end := range [...]int{4, 6, 8, 10, 16} {
		begin := [...]int{0, 4, 6, 8, 10}[i]
		if begin > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, random[begin:end])
	}
	return string(text)
}

// Is accepts the 36-character text form of any version, in either case (RFC 9562 §4).
func Is(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// IsVersion4 accepts the text form of a random UUID (RFC 9562 §5.4).
func IsVersion4(s string) bool {
	return Is(s) && s[14] == '4' && strings.IndexByte("89abAB", s[19]) >= 0
}
