package store

import (
	"cmp"
	"slices"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Sieve says which entries of a feed are worth reading, so that all others are passed over for next to nothing. What it
// lets through may still be of no interest: whoever reads it looks at its key. The zero Sieve lets everything through.
type Sieve struct {
	narrow  bool
	profile oob.Profile
	every   bool     // every called number
	numbers []span   // ascending, without overlap
	spcs    []uint64 // packed
}

// span is an interval of packed numbers, both ends included.
type span struct{ first, last uint64 }

// NewSieve lets through what is of profile p, and for one of numbers or of spcs, as its key has them.
func NewSieve(p oob.Profile, numbers []tn.Range, spcs []string) *Sieve {
	s := &Sieve{narrow: true, profile: p}
	for _, r := range numbers {
		first, last := interval(r)
		s.numbers = append(s.numbers, span{first, last})
	}
	slices.SortFunc(s.numbers, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	kept := s.numbers[:0]
	for _, one := range s.numbers {
		if n := len(kept); n > 0 && one.first <= kept[n-1].last {
			kept[n-1].last = max(kept[n-1].last, one.last)
			continue
		}
		kept = append(kept, one)
	}
	s.numbers = kept
	for _, spc := range spcs {
		packed, _ := packSPC(spc, func(string) (uint64, bool) { return 0, true })
		s.spcs = append(s.spcs, sifted(packed))
	}
	return s
}

// NewNumberSieve lets through what is of profile p and for any number.
func NewNumberSieve(p oob.Profile) *Sieve { return &Sieve{narrow: true, profile: p, every: true} }

// sifted is a packed SPC in the form in which SPCs are compared: those that have ids are one.
func sifted(spc uint64) uint64 {
	if spc>>spcIDBits == spcByID {
		return spcByID << spcIDBits
	}
	return spc
}

func (s *Sieve) lets(dest, realm uint64) bool {
	switch {
	case !s.narrow:
		return true
	case oob.Profile(realm>>profileShift) != s.profile:
		return false
	case isNumber(dest) && (s.every || s.number(dest)):
		return true
	}
	return len(s.spcs) > 0 && slices.Contains(s.spcs, sifted(realm&(1<<profileShift-1)))
}

// number tells whether a packed number is in one of the intervals.
func (s *Sieve) number(packed uint64) bool {
	from, to := 0, len(s.numbers) // the first that ends at it or after it is in between
	for from < to {
		if half := (from + to) / 2; s.numbers[half].last < packed {
			from = half + 1
		} else {
			to = half
		}
	}
	return from < len(s.numbers) && s.numbers[from].first <= packed
}
