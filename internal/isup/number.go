package isup

import (
	"fmt"
	"strings"
)

const (
	hexDigits         = "0123456789ABCDEF"
	jurisdictionMax   = 6 // digits
	oddDigits         = 0x80
	numberHeaderBytes = 2
)

// readNumber reads an address (Q.763 §3.9, §3.10): the nature with the parity of the digits, the indicators, and two digits
// in a byte, the first of them in its lower half. The half byte that is left over holds filler, which is dropped.
func readNumber(value []byte, name string) (Number, error) {
	if len(value) < numberHeaderBytes {
		return Number{}, fmt.Errorf("%w: the %s has no indicators", ErrMalformed, name)
	}
	digits := value[numberHeaderBytes:]
	odd := value[0]&oddDigits != 0
	if odd && len(digits) == 0 {
		return Number{}, fmt.Errorf("%w: the %s has an odd number of no digits", ErrMalformed, name)
	}
	n := Number{
		Nature: Nature(value[0] &^ oddDigits), Flag: value[1]&0x80 != 0, Plan: value[1] >> 4 & 7,
		Presentation: Presentation(value[1] >> 2 & 3), Screening: Screening(value[1] & 3),
	}
	count := 2 * len(digits)
	if odd {
		count--
	}
	if count > DigitsMax {
		return Number{}, fmt.Errorf("%w: the %s has more than %d digits", ErrMalformed, name, DigitsMax)
	}
	n.Digits = unpack(digits, count)
	return n, nil
}

func readNumberAt(value []byte, name string) (*Number, error) {
	n, err := readNumber(value, name)
	if err != nil {
		return nil, err
	}
	return &n, nil
}

// readJurisdiction reads the jurisdiction information: six digits without indicators (ATIS-1000113).
func readJurisdiction(value []byte) (string, error) {
	if len(value) == 0 || 2*len(value) > jurisdictionMax {
		return "", fmt.Errorf("%w: jurisdiction information of %d bytes", ErrMalformed, len(value))
	}
	return unpack(value, 2*len(value)), nil
}

func unpack(packed []byte, count int) string {
	var digits [DigitsMax]byte
	for i := range count {
		b := packed[i/2]
		if i%2 == 1 {
			b >>= 4
		}
		digits[i] = hexDigits[b&15]
	}
	return string(digits[:count])
}

// append writes what readNumber reads.
func (n Number) append(b []byte, name string) ([]byte, error) {
	if n.Nature >= oddDigits || n.Plan > 7 || n.Presentation > 3 || n.Screening > 3 {
		return nil, fmt.Errorf("%w: an indicator of the %s does not fit its bits", ErrMalformed, name)
	}
	if len(n.Digits) > DigitsMax || strings.Trim(n.Digits, hexDigits) != "" {
		return nil, fmt.Errorf("%w: the %s is too long or not of digits", ErrMalformed, name)
	}
	first := byte(n.Nature)
	if len(n.Digits)%2 == 1 {
		first |= oddDigits
	}
	second := n.Plan<<4 | byte(n.Presentation)<<2 | byte(n.Screening)
	if n.Flag {
		second |= 0x80
	}
	return pack(append(b, first, second), n.Digits), nil
}

func pack(b []byte, digits string) []byte {
	for i := range len(digits) {
		value := byte(strings.IndexByte(hexDigits, digits[i]))
		if i%2 == 0 {
			b = append(b, value)
		} else {
			b[len(b)-1] |= value << 4
		}
	}
	return b
}
