package blocks_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/discovery/internal/blocks"
	_ "github.com/viaduct-oob/viaduct/internal/seedtest"
	"github.com/viaduct-oob/viaduct/tn"
)

func TestOrder_KeepsLengthsApart(t *testing.T) {
	for text, want := range map[string]uint64{"0": 10, "00": 100, "12155550100": 112155550100, "999999999999999": 1999999999999999} {
		n, err := tn.ParseNumber(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := blocks.Order(n); !ok || got != want {
			t.Errorf("%s: %d %t, want %d", text, got, ok, want)
		}
	}
	star, err := tn.ParseNumber("*67")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []tn.Number{star, {}} {
		if _, ok := blocks.Order(n); ok {
			t.Errorf("%q has a place among numbers", n)
		}
	}
}

// TestIndex_FindsTheNarrowest: what it finds is what a look at all blocks finds.
func TestIndex_FindsTheNarrowest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := make([]blocks.Block, rapid.IntRange(0, 40).Draw(t, "count"))
		for i := range all {
			first := rapid.Uint64Range(0, 60).Draw(t, "first")
			all[i] = blocks.Block{First: first, Last: first + rapid.Uint64Range(0, 30).Draw(t, "more"), ID: uint32(i)}
		}
		want := func(at uint64) string {
			best := -1
			for i, b := range all {
				if b.First <= at && at <= b.Last && (best < 0 || b.Last-b.First < all[best].Last-all[best].First) {
					best = i
				}
			}
			return fmt.Sprint(best)
		}
		wants := make([]string, 100)
		for at := range wants {
			wants[at] = want(uint64(at))
		}
		index := blocks.NewIndex(all)
		for at, want := range wants {
			got := "-1"
			if id, found := index.Find(uint64(at)); found {
				got = fmt.Sprint(id)
			}
			if got != want {
				t.Fatalf("at %d: block %s, want %s", at, got, want)
			}
		}
	})
}

func TestIndex_ZeroHasNone(t *testing.T) {
	var index blocks.Index
	if _, found := index.Find(1); found {
		t.Error("found in nothing")
	}
}
