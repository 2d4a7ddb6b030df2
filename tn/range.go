package tn

import (
	"fmt"
	"strconv"
	"strings"
)

// Range is a block of numbers of one length: Start and the count-1 numbers that follow it (RFC 8226 §9,
// TelephoneNumberRange). A Range of one number is allowed here, so that lists of numbers and of blocks are one type.
type Range struct {
	start Number
	count uint64
	first uint64 // start as an integer; 0 and unused when the start has # or *, which only a range of one may have
}

// NewRange refuses a range whose last number would be longer than its start (RFC 8226 §9), a count of zero, and a
// block of several numbers whose start has # or *.
//
// DIVERGES RFC 8226 §9: start + count may equal 10^D for a start of D digits, because the last number is then 99…9,
// which still has D digits; a block of 9990 and 10 numbers is a whole block of ten.
func NewRange(start Number, count uint64) (Range, error) {
	if start.IsZero() {
		return Range{}, fmt.Errorf("%w: a range needs a start", ErrNotNumber)
	}
	if count == 0 {
		return Range{}, fmt.Errorf("%w: a range of no numbers", ErrNotNumber)
	}
	first, ok := start.integer()
	if !ok {
		if count == 1 {
			return Range{start: start, count: 1}, nil
		}
		return Range{}, fmt.Errorf("%w: a range cannot start with a number that has # or *", ErrNotNumber)
	}
	limit := uint64(1)
	for range len(start.digits) {
		limit *= 10
	}
	if count > limit-first {
		return Range{}, fmt.Errorf("%w: the range runs beyond the length of its start", ErrNotNumber)
	}
	return Range{start: start, count: count, first: first}, nil
}

// ParseRange reads the form that [Range.String] writes: the first and the last number in canonical form with a hyphen
// between them, such as 12155550100-12155550199, or one number alone. The error wraps [ErrNotNumber].
func ParseRange(s string) (Range, error) {
	from, to, isBlock := strings.Cut(s, "-")
	start, err := ParseNumber(from)
	if err != nil {
		return Range{}, err
	}
	if !isBlock {
		return NewRange(start, 1)
	}
	last, err := ParseNumber(to)
	if err != nil {
		return Range{}, err
	}
	if len(from) != len(to) || to < from { // of equal length, texts are ordered as numbers are
		return Range{}, fmt.Errorf("%w: a range whose last number is not as long as its first, or comes before it", ErrNotNumber)
	}
	if from == to {
		return NewRange(start, 1)
	}
	first, ok1 := start.integer()
	end, ok2 := last.integer()
	if !ok1 || !ok2 {
		return Range{}, fmt.Errorf("%w: a range of several numbers cannot have # or *", ErrNotNumber)
	}
	return NewRange(start, end-first+1)
}

// integer is the value of a number without # and *; of the zero Number there is none.
func (n Number) integer() (uint64, bool) {
	v, err := strconv.ParseUint(n.digits, 10, 64)
	return v, err == nil
}

// Start is the first number.
func (r Range) Start() Number { return r.start }

// Count is how many numbers there are.
func (r Range) Count() uint64 { return r.count }

// Last is the last number; of the zero Range, the zero Number.
func (r Range) Last() Number {
	if r.count < 2 {
		return r.start
	}
	return Number{fmt.Sprintf("%0*d", len(r.start.digits), r.first+r.count-1)}
}

// Contains reports whether n is one of the numbers: of the same length, and between the first and the last.
func (r Range) Contains(n Number) bool {
	if n == r.start {
		return !n.IsZero()
	}
	if r.count < 2 || len(n.digits) != len(r.start.digits) {
		return false
	}
	v, ok := n.integer()
	return ok && v >= r.first && v-r.first < r.count
}

// IsZero reports whether there are no numbers in r.
func (r Range) IsZero() bool { return r.count == 0 }

// String writes the first and the last number with a hyphen between them, or the only number.
func (r Range) String() string {
	if r.count < 2 {
		return r.start.String()
	}
	return r.start.String() + "-" + r.Last().String()
}

// MarshalText gives the text of String.
func (r Range) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote, as [ParseRange] does.
func (r *Range) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRange(string(text))
	return err
}
