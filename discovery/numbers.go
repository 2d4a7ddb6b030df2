package discovery

import "math/bits"

// numbers is a table of numbers, by their order, with 32 bits beside each. A third of it is empty, so that a look-up touches
// two places in memory, mostly; to search ten million sorted ones would touch a dozen. It does not grow.
type numbers struct {
	orders []uint64 // 0 for an empty place: no number has that order
	values []uint32
}

func newNumbers(count int) numbers {
	if count == 0 {
		return numbers{}
	}
	places := count + count/3 + 1
	return numbers{make([]uint64, places), make([]uint32, places)}
}

// place gives where an order is, or would be put.
func (t *numbers) place(order uint64) (at int, there bool) {
	const odd = 0x9e3779b97f4a7c15 // 2^64 over the golden ratio, for no better reason than that its bits are mixed
	hash := order * odd
	hash = (hash ^ hash>>32) * odd
	first, _ := bits.Mul64(hash, uint64(len(t.orders)))
	for at = int(first); t.orders[at] != 0; {
		if t.orders[at] == order {
			return at, true
		}
		if at++; at == len(t.orders) {
			at = 0
		}
	}
	return at, false
}

// add puts a value beside an order, unless it is there. There must be room.
func (t *numbers) add(order uint64, value uint32) (added bool) {
	at, there := t.place(order)
	if !there {
		t.orders[at], t.values[at] = order, value
	}
	return !there
}

func (t *numbers) find(order uint64) (value uint32, found bool) {
	if len(t.orders) == 0 {
		return 0, false
	}
	at, found := t.place(order)
	return t.values[at], found
}
