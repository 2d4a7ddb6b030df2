// Package uuid makes the random identifiers of PASSporTs and access tokens.
//
// Knows: version 4 of RFC 9562. Never hears of: what is identified.
package uuid

import (
	"crypto/rand"
	"encoding/hex"
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
