package stircert_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

func numberData(t testing.TB, text string) *stircert.NumberData {
	t.Helper()
	data, err := stircert.ParseNumberData(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func rangeOf(t testing.TB, text string) tn.Range {
	t.Helper()
	r, err := tn.ParseRange(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const someNumbers = "\ufeff# code, first number, how many\r\n" +
	"1234,12155550000,100\r\n" +
	"1234,12155550100,100\n" + // adjoins the one before
	"\n" +
	"567B,12155550050\n" + // ported, and both are told
	"567B,12025550100,10\n" +
	"567B,12025550105,10\n" + // overlaps the one before
	"9999,911"

func TestNumberData_HoldsWhatItTells(t *testing.T) {
	data := numberData(t, someNumbers)
	for _, c := range []struct {
		spc, numbers string
		want         bool
	}{
		{"1234", "12155550000", true},
		{"1234", "12155550000-12155550199", true},
		{"1234", "12155550099-12155550100", true},
		{"1234", "12155550000-12155550200", false},
		{"1234", "12155549999", false},
		{"1234", "12155550200", false},
		{"567B", "12155550050", true},
		{"567B", "12155550050-12155550051", false},
		{"567B", "12025550100-12025550114", true},
		{"567B", "12025550115", false},
		{"567b", "12025550100", false},
		{"9999", "911", true},
		{"9999", "0911", false},
		{"9999", "*67", false},
		{"", "911", false},
	} {
		if got := data.Holds(c.spc, rangeOf(t, c.numbers)); got != c.want {
			t.Errorf("%s holds %s: %v", c.spc, c.numbers, got)
		}
	}
	if data.Holds("1234", tn.Range{}) {
		t.Error("holds no number at all")
	}
	var none *stircert.NumberData
	if none.Holds("1234", rangeOf(t, "911")) {
		t.Error("the nil NumberData knows something")
	}
}

func TestTNAuthList_HoldsNumberAsFarAsIsKnown(t *testing.T) {
	data := numberData(t, someNumbers)
	for _, c := range []struct {
		name         string
		list         stircert.TNAuthList
		data         *stircert.NumberData
		number       string
		holds, known bool
	}{
		{"listed as a number", oneNumber(t, "12155550121"), nil, "12155550121", true, true},
		{"numbers alone, and not this one", oneNumber(t, "12155550121"), nil, "12155550122", false, true},
		{"a code, and nobody knows whose is what", stircert.TNAuthList{SPCs: []string{"1234"}}, nil, "12155550121", false, false},
		{"a code that holds it", stircert.TNAuthList{SPCs: []string{"1234"}}, data, "12155550121", true, true},
		{"the second code holds it", stircert.TNAuthList{SPCs: []string{"9999", "1234"}}, data, "12155550121", true, true},
		{"a code, and another holds it", stircert.TNAuthList{SPCs: []string{"9999"}}, data, "12155550121", false, true},
		{"a code that the data do not have, and another holds it", stircert.TNAuthList{SPCs: []string{"0000"}}, data, "12155550121", false, true},
		{"a number that nobody holds", stircert.TNAuthList{SPCs: []string{"1234"}}, data, "13035550121", false, false},
		{"nothing", stircert.TNAuthList{}, data, "12155550121", false, true},
	} {
		if holds, known := c.list.HoldsNumber(number(t, c.number), c.data); holds != c.holds || known != c.known {
			t.Errorf("%s: %v, known %v", c.name, holds, known)
		}
	}
	if holds, known := (stircert.TNAuthList{SPCs: []string{"1234"}}).HoldsNumber(tn.Number{}, data); holds || !known {
		t.Errorf("no number: %v, known %v", holds, known)
	}
}

func oneNumber(t testing.TB, text string) stircert.TNAuthList {
	t.Helper()
	return stircert.TNAuthList{Ranges: []tn.Range{block(t, text, 1)}}
}

func TestParseNumberData_Refused(t *testing.T) {
	for _, c := range []struct{ name, text, where string }{
		{"no comma", "1234", "line 1"},
		{"no code", ",12155550100", "line 1"},
		{"a code with a space", "12 34,12155550100", "line 1"},
		{"a number with +", "1234,911\n1234,+12155550100", "line 2"},
		{"no number", "1234,", "line 1"},
		{"a number with *", "1234,*67", "line 1"},
		{"a count of none", "1234,12155550100,0", "line 1"},
		{"a count that is none", "1234,12155550100,ten", "line 1"},
		{"an empty count", "1234,12155550100,", "line 1"},
		{"the last number for a count", "567B,12155550130,12155550139", "the first number and how many"},
		{"a count above a billion", "567B,12155550130,1000000001", "line 1"},
		{"a fourth column", "1234,12155550100,10,x", "line 1"},
		{"beyond the length of the number", "1234,99,2", "line 1"},
		{"a long line", "1234,911\n" + strings.Repeat("x", stircert.NumberDataLineBytesMax+1), "line 2"},
	} {
		data, err := stircert.ParseNumberData(strings.NewReader(c.text))
		if !errors.Is(err, stircert.ErrNumberData) || data != nil || !strings.Contains(err.Error(), c.where) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if strings.Contains(err.Error(), "1215") {
			t.Errorf("%s: a number in %q", c.name, err)
		}
	}
}

// What is held says no more than the rows do.
func TestNumberData_IsItsRows(t *testing.T) {
	type row struct {
		spc          string
		first, count int
	}
	rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) row {
		first := rapid.IntRange(0, 99).Draw(t, "first")
		return row{rapid.SampledFrom([]string{"A", "B"}).Draw(t, "spc"), first, rapid.IntRange(1, 100-first).Draw(t, "count")}
	}), 0, 6)
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		held := map[string]bool{}
		for _, r := range rows.Draw(t, "rows") {
			fmt.Fprintf(&text, "%s,%02d,%d\n", r.spc, r.first, r.count)
			for n := r.first; n < r.first+r.count; n++ {
				held[fmt.Sprintf("%s%02d", r.spc, n)] = true
			}
		}
		data, err := stircert.ParseNumberData(strings.NewReader(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		first := rapid.IntRange(0, 99).Draw(t, "asked first")
		last := rapid.IntRange(first, 99).Draw(t, "asked last")
		want := true
		for n := first; n <= last; n++ {
			want = want && held[fmt.Sprintf("A%02d", n)]
		}
		asked, err := tn.ParseRange(fmt.Sprintf("%02d-%02d", first, last))
		if err != nil {
			t.Fatal(err)
		}
		if got := data.Holds("A", asked); got != want {
			t.Fatalf("A holds %d to %d: %v, of\n%s", first, last, got, text.String())
		}
	})
}

// A million rows fit into 100 MB; a quarter of them shows it as well.
func TestNumberData_RowsAreSmall(t *testing.T) {
	rows := &manyRows{rows: 250_000}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	data, err := stircert.ParseNumberData(rows)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	const most = 25 << 20
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > most {
		t.Errorf("%d bytes", grown)
	}
	if !data.Holds("0007", rangeOf(t, "12000014000-12000014999")) || data.Holds("0007", rangeOf(t, "12000016000")) {
		t.Error("not what was told")
	}
}

// manyRows are blocks of a thousand numbers each, every other one apart, that go round a thousand codes.
type manyRows struct {
	rows, next int
	left       string
}

func (m *manyRows) Read(p []byte) (int, error) {
	if m.left == "" && m.next < m.rows {
		m.left = fmt.Sprintf("%04d,%011d,1000\n", m.next%1000, 12_000_000_000+m.next*2000)
		m.next++
	}
	if m.left == "" {
		return 0, io.EOF
	}
	n := copy(p, m.left)
	m.left = m.left[n:]
	return n, nil
}

// FuzzNumberData: an error is an ErrNumberData without data; what is read holds what its lines say, and the nil data
// nothing.
func FuzzNumberData(f *testing.F) {
	f.Add(someNumbers)
	f.Add("1234,12155550100,0")
	if _, err := stircert.ParseNumberData(strings.NewReader(someNumbers)); err != nil {
		f.Errorf("seed: %v", err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		data, err := stircert.ParseNumberData(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, stircert.ErrNumberData) || data != nil {
				t.Fatalf("%v, %v", data, err)
			}
			return
		}
		for i, line := range strings.Split(strings.TrimPrefix(strings.TrimSpace(text), "\ufeff"), "\n") {
			spc, numbers, _ := strings.Cut(strings.TrimSpace(line), ",")
			first, _, _ := strings.Cut(numbers, ",")
			n, err := tn.ParseNumber(first)
			if err != nil || strings.HasPrefix(spc, "#") {
				continue
			}
			if holds, known := (stircert.TNAuthList{SPCs: []string{spc}}).HoldsNumber(n, data); !holds || !known {
				t.Fatalf("line %d is not held", i+1)
			}
		}
	})
}
