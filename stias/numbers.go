package stias

import (
	"cmp"
	"slices"
	"strings"

	"github.com/viaduct-oob/viaduct/tn"
)

// numbers is a set of telephone numbers: single ones and blocks that may overlap. Lookup takes the same time for
// a thousand entries and about the same for a million, because ported numbers are listed one by one.
type numbers struct {
	single map[tn.Number]struct{}
	blocks []block // ordered by length and text of first
}

// block is a range of several numbers, which are of one length and have only digits: their texts are ordered as the
// numbers are.
type block struct {
	first string
	reach string // the greatest last number of this and all earlier blocks of the same length
}

func newNumbers(ranges []tn.Range) numbers {
	set := numbers{single: map[tn.Number]struct{}{}}
	for _, r := range ranges {
		switch {
		case r.IsZero():
		case r.Count() == 1:
			set.single[r.Start()] = struct{}{}
		default:
			set.blocks = append(set.blocks, block{first: r.Start().String(), reach: r.Last().String()})
		}
	}
	slices.SortFunc(set.blocks, func(a, b block) int { return compareNumbers(a.first, b.first) })
	for i := 1; i < len(set.blocks); i++ {
		if before := set.blocks[i-1].reach; len(before) == len(set.blocks[i].first) {
			set.blocks[i].reach = max(set.blocks[i].reach, before)
		}
	}
	return set
}

func (set numbers) contain(n tn.Number) bool {
	if _, ok := set.single[n]; ok {
		return true
	}
	text := n.String()
	if strings.ContainsAny(text, "*#") {
		return false
	}
	i, exact := slices.BinarySearchFunc(set.blocks, text, func(b block, text string) int { return compareNumbers(b.first, text) })
	if exact {
		return true
	}
	// The blocks before i begin at or below n. If one of them reaches n, it holds n.
	return i > 0 && len(set.blocks[i-1].first) == len(text) && set.blocks[i-1].reach >= text
}

func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
