// Package blocks finds the block that a number lies in, where blocks overlap: the narrowest.
//
// Knows: numbers as integers in an order, blocks of them. Never hears of: what a block stands for, networks, files.
package blocks

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/viaduct-oob/viaduct/tn"
)

// Order gives a number as an integer, with a 1 in front of its digits, so that numbers of different lengths lie apart. There
// is none for a number with # or *, nor for none.
func Order(n tn.Number) (uint64, bool) {
	order := uint64(1)
	text := n.String()
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		order = order*10 + uint64(text[i]-'0')
	}
	return order, text != ""
}

// Block is a block of numbers from First to Last, in their order. ID is what is found; of two blocks of one width, that with
// the lower ID is.
type Block struct {
	First, Last uint64
	ID          uint32
}

// Of gives a range as a block. There is none for a number with # or *.
func Of(r tn.Range, id uint32) (Block, bool) {
	first, ok := Order(r.Start())
	if !ok || r.IsZero() {
		return Block{}, false
	}
	return Block{first, first + r.Count() - 1, id}, true
}

// Index finds blocks, each in time that grows with the logarithm of their count, however they overlap. It does not change
// once made. The zero Index has none.
type Index struct {
	firsts []uint64 // where pieces begin, ascending
	ids    []uint32 // of the block that each piece belongs to; nobody for none
}

const nobody = ^uint32(0)

// NewIndex cuts the blocks into pieces that do not overlap, at most two for each block. It sorts all.
func NewIndex(all []Block) Index {
	slices.SortFunc(all, func(a, b Block) int { return cmp.Compare(a.First, b.First) })
	var index Index
	var open narrowest
	cut := func(at uint64) {
		for len(open) > 0 && open[0].Last < at {
			heap.Pop(&open)
		}
		id := nobody
		if len(open) > 0 {
			id = open[0].ID
		}
		index.piece(at, id)
	}
	for next := 0; next < len(all) || len(open) > 0; {
		// The narrowest open block ends, or blocks begin, whichever comes first.
		if len(open) > 0 && (next == len(all) || open[0].Last < all[next].First) {
			cut(open[0].Last + 1)
			continue
		}
		first := all[next].First
		for next < len(all) && all[next].First == first {
			heap.Push(&open, all[next])
			next++
		}
		cut(first)
	}
	return index
}

// piece begins a piece, unless it goes on as the one before.
func (x *Index) piece(first uint64, id uint32) {
	n := len(x.firsts)
	switch {
	case n > 0 && x.ids[n-1] == id:
	case n > 0 && x.firsts[n-1] == first:
		x.ids[n-1] = id
	default:
		x.firsts, x.ids = append(x.firsts, first), append(x.ids, id)
	}
}

// Find gives the ID of the narrowest block that holds the number of that order.
func (x *Index) Find(order uint64) (id uint32, found bool) {
	at, exact := slices.BinarySearch(x.firsts, order)
	if !exact {
		at--
	}
	if at < 0 || x.ids[at] == nobody {
		return 0, false
	}
	return x.ids[at], true
}

// narrowest is a heap with the narrowest block first.
type narrowest []Block

func (h narrowest) Len() int      { return len(h) }
func (h narrowest) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h narrowest) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].Last-h[i].First, h[j].Last-h[j].First), cmp.Compare(h[i].ID, h[j].ID)) < 0
}
func (h *narrowest) Push(b any) { *h = append(*h, b.(Block)) }
func (h *narrowest) Pop() any {
	last := len(*h) - 1
	b := (*h)[last]
	*h = (*h)[:last]
	return b
}
