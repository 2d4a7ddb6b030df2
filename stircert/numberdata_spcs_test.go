package stircert_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

func TestRFC9888_S10_ThePortedNumberBelongsToItsNewProvider(t *testing.T) {
	data := numberData(t, "OLD1,12155550000,10000\n"+
		"NEW1,12155550100\n"+ // a number
		"NEW2,12155550200,100\n"+ // a block
		"NEW3,12155550250\n"+ // a number of it, again
		"OLD2,12155560000,10000\n"+
		"NEW4,12155559990,20\n"+ // across two blocks
		"OLD1,12155550100\n"+ // for some days
		"ALL1,911\nALL2,911\nALL2,911,1\nALL1,411\n")
	for _, c := range []struct {
		name, number string
		want         []string
	}{
		{"of the block", "12155550000", []string{"OLD1"}},
		{"ported, and the old provider is still told", "12155550100", []string{"OLD1", "NEW1"}},
		{"behind the ported one", "12155550101", []string{"OLD1"}},
		{"in a ported block", "12155550200", []string{"NEW2"}},
		{"ported out of a ported block", "12155550250", []string{"NEW3"}},
		{"behind that", "12155550251", []string{"NEW2"}},
		{"behind the ported block", "12155550300", []string{"OLD1"}},
		{"in a ported block across two, in the first", "12155559995", []string{"NEW4"}},
		{"in a ported block across two, in the second", "12155560005", []string{"NEW4"}},
		{"the first behind it", "12155560010", []string{"OLD2"}},
		{"the last of all", "12155569999", []string{"OLD2"}},
		{"behind all", "12155570000", nil},
		{"before all", "02155550000", nil},
		{"of several, told twice", "911", []string{"ALL1", "ALL2"}},
		{"of another length", "0911", nil},
		{"no digits", "*67", nil},
	} {
		if got := data.SPCs(number(t, c.number)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if !data.Holds("OLD1", rangeOf(t, "12155550000-12155559999")) {
		t.Error("a port takes the block from the certificate of the old provider")
	}
	var none *stircert.NumberData
	if none.SPCs(number(t, "911")) != nil || none.Rows() != 0 || data.Rows() != 10 {
		t.Errorf("%d rows", data.Rows())
	}
}

// Whoever has the smallest row, of equally large ones the one that begins last, has the number.
func TestNumberData_SPCsAreThoseOfTheSmallestRow(t *testing.T) {
	codes := []string{"A", "B", "C", "D"}
	rapid.Check(t, func(t *rapid.T) {
		type row struct{ spc, first, count int }
		var rows []row
		var text strings.Builder
		for range rapid.IntRange(0, 400).Draw(t, "rows") {
			first := rapid.IntRange(0, 999).Draw(t, "first")
			r := row{rapid.IntRange(0, 3).Draw(t, "spc"), first, rapid.IntRange(1, min(1000-first, rapid.SampledFrom([]int{1, 2, 10, 100, 1000}).Draw(t, "most"))).Draw(t, "count")}
			rows = append(rows, r)
			fmt.Fprintf(&text, "%s,%03d,%d\n", codes[r.spc], r.first, r.count)
		}
		data, err := stircert.ParseNumberData(strings.NewReader(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		asked := rapid.IntRange(0, 999).Draw(t, "asked")
		var best *row
		for _, r := range rows {
			if asked >= r.first && asked < r.first+r.count && (best == nil || r.count < best.count || r.count == best.count && r.first > best.first) {
				best = &r
			}
		}
		var want []string
		for _, r := range rows {
			if best != nil && r.first == best.first && r.count == best.count && !slices.Contains(want, codes[r.spc]) {
				want = append(want, codes[r.spc])
			}
		}
		n, err := tn.ParseNumber(fmt.Sprintf("%03d", asked))
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Sorted(slices.Values(data.SPCs(n)))
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%03d: %v, want %v, of\n%s", asked, got, want, text.String())
		}
	})
}

// madeRows are rows of which the text is made as they are read. They cannot be set back.
type madeRows struct {
	rows, next int
	row        func(i int) string
	left       string
}

func (m *madeRows) Read(p []byte) (int, error) {
	read := 0
	for read < len(p) {
		if m.left == "" {
			if m.next == m.rows {
				break
			}
			m.left = m.row(m.next)
			m.next++
		}
		n := copy(p[read:], m.left)
		m.left, read = m.left[n:], read+n
	}
	if read == 0 {
		return 0, io.EOF
	}
	return read, nil
}

// The work of a look-up is bounded, however many rows a number lies in, and however many have ended before it.
func TestNumberData_AMillionNestedBlocksAreSearchedAtOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		rows int
		row  func(i int) string
		want func(i int) string // of the number i behind the first, up to 4 million
	}{
		{"each within the one before", 1_000_000, func(i int) string { return fmt.Sprintf("%d,%d,%d\n", i%5000, 10_000_000_000+i, 4_000_000-2*i) },
			func(i int) string { return fmt.Sprint(min(i, 3_999_999-i, 999_999) % 5000) }},
		{"all from the first number on", 50_000, func(i int) string { return fmt.Sprintf("%d,%d,%d\n", i%5000, 10_000_000_000, 4_000_000-2*i) },
			func(i int) string { return fmt.Sprint(min(49_999, (3_999_999-i)/2) % 5000) }},
		{"stairs of equal length", 50_000, func(i int) string { return fmt.Sprintf("%d,%d,%d\n", i%5000, 10_000_000_000+i, 3_950_001) },
			func(i int) string { return fmt.Sprint(min(i, 49_999) % 5000) }},
	} {
		data, err := stircert.ParseNumberData(&madeRows{rows: c.rows, row: c.row})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, i := range []int{0, 1, 49_998, 49_999, 50_000, 999_998, 999_999, 1_000_000, 2_000_000, 2_999_999, 3_000_000, 3_000_001, 3_999_998, 3_999_999} {
			if got := data.SPCs(number(t, fmt.Sprint(10_000_000_000+i))); len(got) != 1 || got[0] != c.want(i) {
				t.Errorf("%s: %d: %v, want %s", c.name, i, got, c.want(i))
			}
		}
		last := number(t, "10003999999") // behind the end of nearly all
		for range 20_000 {               // for minutes, if each went through the rows
			data.SPCs(last)
		}
	}
}

func TestParseNumberData_Limits(t *testing.T) {
	for _, c := range []struct {
		name          string
		rows, rowsMax int
		row           func(i int) string
		where         string
	}{
		{"a row too many, if it repeats another", 1001, 1000, func(int) string { return "1,2\n" }, "line 1001: more than 1000 rows"},
		{"millions of codes", 3_000_000, 3_000_000, func(i int) string { return fmt.Sprintf("%07d,12155550100\n", i) }, "line 100001: more than 100000 provider codes"},
		{"a number of everybody", stircert.NumberDataSharedMax + 1, 1_000_000, func(i int) string { return fmt.Sprintf("%d,911\n", i) }, "more than 10000 provider codes have the same block"},
		{"too many small blocks that reach into larger ones", 202, 202, func(i int) string {
			if i%2 == 0 { // 5 numbers, the last of which is also the first of 6
				return fmt.Sprintf("A,%d,5\n", 12_000_000_000+10*uint64(i))
			}
			return fmt.Sprintf("B,%d,6\n", 12_000_000_004+10*uint64(i-1))
		}, "more than 100 places"},
	} {
		data, err := stircert.ParseNumberDataWithin(&madeRows{rows: c.rows, row: c.row}, c.rowsMax, 100)
		if !errors.Is(err, stircert.ErrNumberData) || data != nil || !strings.Contains(err.Error(), c.where) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Rows that repeat or adjoin become one block of their code.
func TestNumberData_TinyRowsJoin(t *testing.T) {
	data, err := stircert.ParseNumberData(&madeRows{rows: 200_000, row: func(i int) string {
		return fmt.Sprintf("%d,%d\n", i%2, 10_000_000_000+(i/2*7919)%100_000) // out of order, and for two codes
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, spc := range []string{"0", "1"} {
		if !data.Holds(spc, rangeOf(t, "10000000000-10000099999")) || data.Holds(spc, rangeOf(t, "10000000000-10000100000")) {
			t.Errorf("%s does not hold what its rows do together", spc)
		}
	}
	if n := stircert.Blocks(data); n != 2 {
		t.Errorf("%d blocks", n)
	}
}

func BenchmarkNumberData_SPCs(b *testing.B) {
	data, err := stircert.ParseNumberData(&madeRows{rows: 1_000_000, row: func(i int) string {
		return fmt.Sprintf("%d,%d,%d\n", i%5000, 10_000_000_000+i, 4_000_000-2*i)
	}})
	if err != nil {
		b.Fatal(err)
	}
	last := number(b, "10003999999")
	b.ReportAllocs()
	for b.Loop() {
		if data.SPCs(last) == nil {
			b.Fatal("nothing")
		}
	}
}
