package oob

import (
	"fmt"
	"time"
)

// Freshness is the window around now in which an iat is believed, two-sided: clocks are wrong in both directions. It is
// not how long a record is kept; that is retention. The zero Freshness believes nothing but this very second.
type Freshness struct {
	Past   time.Duration
	Future time.Duration
}

// Or gives f, or other if f is zero.
func (f Freshness) Or(other Freshness) Freshness {
	if f == (Freshness{}) {
		return other
	}
	return f
}

// Check tells whether iat is inside the window, both ends included. The error says on which side it lies and by how
// much, in whole seconds.
func (f Freshness) Check(iat, now time.Time) error {
	switch age := now.Sub(iat); {
	case age > f.Past:
		return fmt.Errorf("%d s old, at most %d s allowed", int64(age/time.Second), int64(f.Past/time.Second))
	case -age > f.Future:
		return fmt.Errorf("%d s in the future, at most %d s allowed", int64(-age/time.Second), int64(f.Future/time.Second))
	}
	return nil
}
