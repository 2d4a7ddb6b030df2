package stircert_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// drawRange is a range of numbers of two digits.
func drawRange(t *rapid.T, label string) tn.Range {
	first := rapid.IntRange(0, 99).Draw(t, label+" first")
	last := rapid.IntRange(first, min(99, first+9)).Draw(t, label+" last")
	r, err := tn.ParseRange(fmt.Sprintf("%02d-%02d", first, last))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What the data cover says no more than each range of the child held by one code, or within one range of the parent.
func TestRFC9060_S4_DataCoverWhatOneCodeHolds(t *testing.T) {
	codes := []string{"A", "B", "C", "D"}
	rapid.Check(t, func(t *rapid.T) {
		var rows strings.Builder
		for range rapid.IntRange(0, 30).Draw(t, "rows") {
			r := drawRange(t, "row")
			fmt.Fprintf(&rows, "%s,%s,%d\n", rapid.SampledFrom(codes).Draw(t, "code"), r.Start(), r.Count())
		}
		data, err := stircert.ParseNumberData(strings.NewReader(rows.String()))
		if err != nil {
			t.Fatal(err)
		}
		parent := stircert.TNAuthList{SPCs: codes[:rapid.IntRange(0, 3).Draw(t, "codes")]} // D is never listed
		for range rapid.IntRange(0, 2).Draw(t, "ranges") {
			parent.Ranges = append(parent.Ranges, drawRange(t, "parent"))
		}
		var child stircert.TNAuthList
		want := true
		for range rapid.IntRange(0, 6).Draw(t, "child ranges") {
			r := drawRange(t, "child")
			child.Ranges = append(child.Ranges, r)
			want = want && (slices.ContainsFunc(parent.SPCs, func(spc string) bool { return data.Holds(spc, r) }) ||
				slices.ContainsFunc(parent.Ranges, func(p tn.Range) bool { return p.Contains(r.Start()) && p.Contains(r.Last()) }))
		}
		before := slices.Clone(child.Ranges)
		if got := parent.Covers(child, data); got != want {
			t.Fatalf("%v covers %v: %v, of\n%s", parent, child, got, rows.String())
		}
		if !slices.Equal(before, child.Ranges) {
			t.Fatal("the child was changed")
		}
	})
}

// Thousands of codes and thousands of numbers are not compared each with each: what is compared in the end is no more
// than the numbers, times the codes that share one.
func TestCovers_IsBoundedByTheNumbersThatAreAsked(t *testing.T) {
	const codes, blocks, numbers = 4500, 3, 10_000
	var rows strings.Builder
	parent := stircert.TNAuthList{SPCs: []string{"ALL"}}
	for i := range codes {
		spc := fmt.Sprintf("%04X", i)
		parent.SPCs = append(parent.SPCs, spc)
		for j := range blocks {
			first := 10_000_000_000 + 2000*(i*blocks+j)
			fmt.Fprintf(&rows, "%s,%d,1000\nALL,%d,1000\n", spc, first, first) // two codes share each
		}
	}
	data := numberData(t, rows.String())
	var child stircert.TNAuthList
	for i := range numbers {
		child.Ranges = append(child.Ranges, rangeOf(t, fmt.Sprint(10_000_000_000+2000*(i%1000)+i/1000)))
	}
	if !parent.Covers(child, data) {
		t.Error("not covered")
	}
	if n := stircert.Met(parent, child, data); n != 2*1000 { // a thousand blocks of two codes
		t.Errorf("%d spans are compared", n)
	}
	one := stircert.TNAuthList{Ranges: child.Ranges[:1]}
	if n := stircert.Met(parent, one, data); n != 2 {
		t.Errorf("%d spans are compared with one number", n)
	}
	child.Ranges = append(child.Ranges, rangeOf(t, "10000001000"))
	if parent.Covers(child, data) {
		t.Error("a number between the blocks is covered")
	}
}
