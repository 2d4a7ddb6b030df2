package tn_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/viaduct-oob/viaduct/tn"
)

func TestRFC8226_S9_RangeStaysWithinLength(t *testing.T) {
	tests := []struct {
		name, start string
		count       uint64
		last        string // empty: refused
	}{
		{"one", "12155550121", 1, "12155550121"},
		{"two", "12155550121", 2, "12155550122"},
		{"hundred", "12155550100", 100, "12155550199"},
		{"to the end of the length", "9990", 10, "9999"},
		{"beyond the length", "9990", 11, ""},
		{"all of a length", "0", 10, "9"},
		{"leading zeros", "0098", 3, "0100"},
		{"fifteen digits", "999999999999998", 2, "999999999999999"},
		{"beyond fifteen digits", "999999999999998", 3, ""},
		{"greatest count", "1", ^uint64(0), ""},
		{"none", "12155550121", 0, ""},
		{"one service code", "*67", 1, "*67"},
		{"several service codes", "*67", 2, ""},
		{"several with #", "31#", 2, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			start := number(t, test.start)
			r, err := tn.NewRange(start, test.count)
			if test.last == "" {
				if !errors.Is(err, tn.ErrNotNumber) || r != (tn.Range{}) {
					t.Fatalf("NewRange = %v, %v", r, err)
				}
				return
			}
			last := number(t, test.last)
			if err != nil || r.Start() != start || r.Count() != test.count || r.Last() != last {
				t.Fatalf("NewRange = %v, %v", r, err)
			}
			if !r.Contains(start) || !r.Contains(last) || r.Contains(tn.Number{}) || r.IsZero() {
				t.Errorf("%v does not hold its ends, or holds nothing", r)
			}
			if again, err := tn.ParseRange(r.String()); err != nil || again != r {
				t.Errorf("ParseRange(%q) = %v, %v", r, again, err)
			}
		})
	}
	if _, err := tn.NewRange(tn.Number{}, 1); !errors.Is(err, tn.ErrNotNumber) {
		t.Errorf("a range without start: %v", err)
	}
}

func TestRange_Contains(t *testing.T) {
	r, err := tn.ParseRange("12155550100-12155550199")
	if err != nil {
		t.Fatal(err)
	}
	for s, want := range map[string]bool{
		"12155550100": true, "12155550150": true, "12155550199": true,
		"12155550099": false, "12155550200": false,
		"2155550150": false, "121555501500": false, "012155550150": false, // same value or prefix, other length
		"1215555015#": false, "1215555*150": false, "911": false,
	} {
		if got := r.Contains(number(t, s)); got != want {
			t.Errorf("Contains(%s) = %v", s, got)
		}
	}
	var none tn.Range
	if none.Contains(tn.Number{}) || none.Contains(number(t, "0")) || !none.IsZero() || none.String() != "" || !none.Last().IsZero() {
		t.Error("the zero Range holds something")
	}
}

func TestParseRange(t *testing.T) {
	for text, want := range map[string]string{
		"12155550100-12155550199": "12155550100-12155550199",
		"12155550121":             "12155550121",
		"911-911":                 "911",
		"*67":                     "*67",
		"*67-*67":                 "*67",
		"00-99":                   "00-99",
	} {
		if r, err := tn.ParseRange(text); err != nil || r.String() != want {
			t.Errorf("ParseRange(%q) = %v, %v", text, r, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "hyphen": "-", "no start": "-12", "no end": "12-", "three": "1-2-3", "backwards": "12-11",
		"lengths": "9-10", "spaces": "1 - 2", "plus": "+12-+13", "service codes": "*67-*69", "hash in the end": "12-1#",
	} {
		if r, err := tn.ParseRange(text); !errors.Is(err, tn.ErrNotNumber) || r != (tn.Range{}) {
			t.Errorf("%s: ParseRange = %v, %v", name, r, err)
		}
	}
}

// FuzzRange compares Contains with arithmetic on the same numbers.
func FuzzRange(f *testing.F) {
	f.Add("12155550100-12155550199", "12155550150")
	f.Add("9990-9999", "9999")
	f.Add("*67", "*67")
	f.Add("00-99", "7")
	f.Add("10-20", "1#")
	f.Fuzz(func(t *testing.T, text, other string) {
		r, err := tn.ParseRange(text)
		if err != nil {
			if r != (tn.Range{}) {
				t.Fatalf("a refusal comes with %v", r)
			}
			return
		}
		if again, err := tn.ParseRange(r.String()); err != nil || again != r {
			t.Fatalf("ParseRange(%q) = %v, %v", r, again, err)
		}
		if again, err := tn.NewRange(r.Start(), r.Count()); err != nil || again != r {
			t.Fatalf("NewRange(%v, %d) = %v, %v", r.Start(), r.Count(), again, err)
		}
		n, err := tn.ParseNumber(other)
		if err != nil {
			return
		}
		if got, want := r.Contains(n), within(r, n); got != want {
			t.Fatalf("%v contains %v: %v, want %v", r, n, got, want)
		}
	})
}

func within(r tn.Range, n tn.Number) bool {
	first, err1 := strconv.Atoi(r.Start().String())
	value, err2 := strconv.Atoi(n.String())
	if err1 != nil || err2 != nil {
		return n == r.Start()
	}
	for _, offset := range []int{0, int(r.Count()) - 1} { // the ends, built as text
		if fmt.Sprintf("%0*d", len(r.Start().String()), first+offset) == n.String() {
			return true
		}
	}
	return len(n.String()) == len(r.Start().String()) && first < value && value < first+int(r.Count())
}
