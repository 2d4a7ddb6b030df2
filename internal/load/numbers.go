package load

import (
	"errors"
	"fmt"
	"time"

	"github.com/viaduct-oob/viaduct/tn"
)

// Block is Count numbers from First on. The zero Block is a block of 999, which no other provider of the load has.
type Block struct {
	First tn.Number
	Count int64
}

const (
	callersMax = 100 // 0100 to 0199 of each area code
	ownBlock   = 100_000_000
)

// numbers are those of callers and called.
type numbers struct {
	callers []tn.Identity
	first   []int64 // of each provider's block
	count   []int64
	serial  int64 // of the next arrival
}

// newNumbers begins where another run at another instant surely does not.
func newNumbers(c *Config, now time.Time) (*numbers, error) {
	n := &numbers{serial: now.UnixMilli() % ownBlock}
	for area := 201; area < 990; area++ {
		if area%100 == 11 || area/10%10 == 9 { // kept for services and for longer numbers
			continue
		}
		for line := range callersMax {
			caller, err := tn.ParseNumber(fmt.Sprintf("1%d55501%02d", area, line))
			if err != nil {
				return nil, err
			}
			n.callers = append(n.callers, tn.Of(caller))
		}
	}
	for i, p := range c.Providers {
		first, count := int64(999_000_000_000_000+i*ownBlock), int64(ownBlock)
		if p.Numbers.Count > 0 {
			var err error
			if first, err = asInteger(p.Numbers.First); err != nil {
				return nil, fmt.Errorf("provider %s: %w", p.SPC, err)
			}
			count = p.Numbers.Count
		}
		for _, end := range []int64{first, first + count - 1} {
			if _, err := called(end); err != nil {
				return nil, fmt.Errorf("the block of provider %s: %w", p.SPC, err)
			}
		}
		n.first, n.count = append(n.first, first), append(n.count, count)
	}
	return n, nil
}

// asInteger is the digits of a number.
func asInteger(number tn.Number) (int64, error) {
	var digits int64
	if _, err := fmt.Sscanf(number.String(), "%d", &digits); err != nil || fmt.Sprint(digits) != number.String() {
		return 0, errors.New("a block begins with a number of digits that does not begin with 0")
	}
	return digits, nil
}

func called(digits int64) (tn.Identity, error) {
	number, err := tn.ParseNumber(fmt.Sprint(digits))
	return tn.Of(number), err
}

// parties are who calls whom.
func (n *numbers) parties(a arrival) (orig, dest tn.Identity, err error) {
	orig = n.callers[a.caller%int64(len(n.callers))]
	dest, err = called(n.first[a.reader] + a.called%n.count[a.reader])
	return orig, dest, err
}
