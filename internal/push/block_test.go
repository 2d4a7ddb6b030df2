package push_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/internal/push"
)

func TestBlocksAreAsAList(t *testing.T) {
	type span struct {
		first, last uint64
		gone        bool
	}
	rapid.Check(t, func(t *rapid.T) {
		var blocks push.Blocks
		var list []span
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				first := rapid.Uint64Range(0, 30).Draw(t, "first")
				last := first + rapid.Uint64Range(0, 10).Draw(t, "more")
				blocks.Add(first, last)
				list = append(list, span{first: first, last: last})
			},
			"remove": func(t *rapid.T) {
				if len(list) == 0 {
					t.Skip("nothing to remove")
				}
				i := rapid.IntRange(0, len(list)-1).Draw(t, "which")
				blocks.Remove(i, list[i].first, list[i].last)
				list[i].gone = true
			},
			"": func(t *rapid.T) {
				for at := range uint64(45) {
					var want []int
					for i, one := range list {
						if !one.gone && one.first <= at && at <= one.last {
							want = append(want, i)
						}
					}
					got := blocks.Hit(at)
					slices.Sort(got)
					if !slices.Equal(got, want) {
						t.Fatalf("at %d: %v, want %v", at, got, want)
					}
				}
			},
		})
	})
}

// TestBlocksInOrderMakeNoList: whoever subscribes to a hundred thousand ranges in order does not make others wait.
func TestBlocksInOrderMakeNoList(t *testing.T) {
	var blocks push.Blocks
	for i := range uint64(100_000) {
		blocks.Add(12155550000+10*i, 12155550009+10*i)
	}
	if depth := blocks.Depth(); depth > 100 { // twice the logarithm is usual, 17 the least
		t.Errorf("%d deep", depth)
	}
}
