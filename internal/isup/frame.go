package isup

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Frame tells with which layer the bytes of a captured message begin. It is said, not guessed: a circuit code can look like
// a message type.
type Frame uint8

// The frames.
const (
	FromMessageType Frame = iota // the body of SIP-I, and of ISUP over other carriers
	FromCircuit                  // the circuit identification code
	FromMTP3                     // the service information octet and the routing label
	FromMTP2                     // the sequence numbers and the length indicator; without the check sum
	framesEnd                    // keep last
)

var frameNames = [framesEnd]string{"message", "circuit", "mtp3", "mtp2"}

// FrameNamed finds a frame by its name: message, circuit, mtp3, mtp2.
func FrameNamed(name string) (Frame, bool) {
	for f := range framesEnd {
		if frameNames[f] == name {
			return f, true
		}
	}
	return FromMessageType, false
}

const (
	mtp2Bytes    = 3
	circuitBytes = 2
	userISUP     = 5 // service indicator (Q.704 §14.2.1)
)

// labelBytes is the length of the service information octet with the routing label: in ITU two point codes of 14 bits and
// 4 bits of link selection (Q.704 §2.2), in ANSI two point codes of 24 bits and an octet (ATIS-1000111).
func (v Variant) labelBytes() int {
	if v == ANSI {
		return 1 + 7
	}
	return 1 + 4
}

// Cut takes away what stands before the message type. It is ErrNotIAM where MTP carries another user part than ISUP.
func (f Frame) Cut(v Variant, captured []byte) (message []byte, err error) {
	rest := captured
	ahead := 0
	switch f {
	case FromMTP2:
		ahead = mtp2Bytes + v.labelBytes() + circuitBytes
		rest = captured[min(mtp2Bytes, len(captured)):]
	case FromMTP3:
		ahead = v.labelBytes() + circuitBytes
	case FromCircuit:
		ahead = circuitBytes
	}
	if len(captured) <= ahead {
		return nil, fmt.Errorf("%w: nothing behind the lower layers", ErrNotIAM)
	}
	if f >= FromMTP3 && rest[0]&15 != userISUP {
		return nil, fmt.Errorf("%w: another user part than ISUP", ErrNotIAM)
	}
	return captured[ahead:], nil
}

// hexTextMax bounds what ParseHex reads, in bytes: a message with separators and lower layers.
const hexTextMax = 4 << 10

// ParseHex reads bytes as people paste them: hexadecimal digits in any case, with white space, colons, hyphens or commas
// between bytes, and 0x before them.
func ParseHex(text string) ([]byte, error) {
	if len(text) > hexTextMax {
		return nil, fmt.Errorf("%w: more than %d characters", ErrMalformed, hexTextMax)
	}
	var digits strings.Builder
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n:-,", r) }) {
		word = strings.TrimPrefix(strings.TrimPrefix(word, "0x"), "0X")
		if strings.Trim(word, "0123456789abcdefABCDEF") != "" {
			return nil, fmt.Errorf("%w: not hexadecimal digits", ErrMalformed)
		}
		if len(word)%2 == 1 {
			return nil, fmt.Errorf("%w: %d hexadecimal digits in a row, an odd number: one is missing", ErrMalformed, len(word))
		}
		digits.WriteString(word)
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("%w: no hexadecimal digits", ErrMalformed)
	}
	return b, nil
}
