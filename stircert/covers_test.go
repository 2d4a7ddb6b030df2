package stircert_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

func listOf(t interface{ Fatal(...any) }, spcs []string, ranges ...string) stircert.TNAuthList {
	list := stircert.TNAuthList{SPCs: spcs}
	for _, text := range ranges {
		r, err := tn.ParseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		list.Ranges = append(list.Ranges, r)
	}
	return list
}

func TestRFC9060_S4_ScopeInsideScope(t *testing.T) {
	spcs := func(all ...string) []string { return all }
	block := "12155550100-12155550199"
	for _, c := range []struct {
		name          string
		parent, child stircert.TNAuthList
		want          bool
	}{
		{"the same provider", listOf(t, spcs("1234")), listOf(t, spcs("1234")), true},
		{"one of two providers", listOf(t, spcs("1234", "567B")), listOf(t, spcs("567B")), true},
		{"another provider", listOf(t, spcs("1234")), listOf(t, spcs("567B")), false},
		{"one provider more", listOf(t, spcs("1234")), listOf(t, spcs("1234", "567B")), false},
		{"the same provider in other letters", listOf(t, spcs("567B")), listOf(t, spcs("567b")), false},
		{"a number of a provider", listOf(t, spcs("1234")), listOf(t, nil, "12155550121"), false},
		{"a provider of a number", listOf(t, nil, block), listOf(t, spcs("1234")), false},
		{"the same block", listOf(t, nil, block), listOf(t, nil, block), true},
		{"a number of the block", listOf(t, nil, block), listOf(t, nil, "12155550121"), true},
		{"first and last number of the block", listOf(t, nil, block), listOf(t, nil, "12155550100", "12155550199"), true},
		{"one before the block", listOf(t, nil, block), listOf(t, nil, "12155550099"), false},
		{"one after the block", listOf(t, nil, block), listOf(t, nil, "12155550200"), false},
		{"a block that runs out of it", listOf(t, nil, block), listOf(t, nil, "12155550190-12155550200"), false},
		{"a block that begins before it", listOf(t, nil, block), listOf(t, nil, "12155550099-12155550101"), false},
		{"a number of another length", listOf(t, nil, "10-99"), listOf(t, nil, "050"), false},
		{"a long block under a short", listOf(t, nil, block, "12155550110"), listOf(t, nil, "12155550120-12155550130"), true},
		{"a service code in no range", listOf(t, nil, "00-99"), listOf(t, nil, "1*"), false},
		{"the same service code", listOf(t, nil, "00-99", "*67"), listOf(t, nil, "*67"), true},
		{"another service code", listOf(t, nil, "*67"), listOf(t, nil, "*69"), false},
		{"nothing of something", listOf(t, spcs("1234")), stircert.TNAuthList{}, true},
		{"something of nothing", stircert.TNAuthList{}, listOf(t, spcs("1234")), false},
	} {
		if got := c.parent.Covers(c.child, nil); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// What is covered says no more than each entry compared with each.
func TestRFC9060_S4_CoversIsEachEntryWithinOne(t *testing.T) {
	digits := rapid.Custom(func(t *rapid.T) tn.Range {
		length := rapid.IntRange(1, 2).Draw(t, "length")
		limit := []int{0, 10, 100}[length]
		first := rapid.IntRange(0, limit-1).Draw(t, "first")
		last := rapid.IntRange(first, limit-1).Draw(t, "last")
		r, err := tn.ParseRange(fmt.Sprintf("%0*d-%0*d", length, first, length, last))
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		parent := rapid.SliceOfN(digits, 0, 4).Draw(t, "parent")
		child := digits.Draw(t, "child")
		want := false
		for _, r := range parent {
			want = want || r.Contains(child.Start()) && r.Contains(child.Last())
		}
		if got := (stircert.TNAuthList{Ranges: parent}).Covers(stircert.TNAuthList{Ranges: []tn.Range{child}}, nil); got != want {
			t.Fatalf("%v covers %v: %v", parent, child, got)
		}
	})
}
