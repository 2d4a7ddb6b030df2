package stias_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/tn"
)

// owns asks through the only door there is: an own number is attested A.
func owns(t testing.TB, own []tn.Range) func(tn.Number) bool {
	t.Helper()
	cfg := config(t, credential(t, oobtest.IssueConfig{SPC: "1234"}))
	cfg.Policy = stias.Policy{Own: own}
	s := service(t, cfg)
	return func(n tn.Number) bool {
		return s.Attest(stias.Call{Orig: tn.Of(n)}).Attest == "A"
	}
}

func TestPolicy_OwnNumbers(t *testing.T) {
	own := owns(t, append(ranges(t, "12155550100-12155550199", "12155550150-12155550160", "12155550190-12155550250",
		"150-260", "*67", "99"), tn.Range{}))
	for text, want := range map[string]bool{
		"12155550099": false, "12155550100": true, "12155550155": true, "12155550170": true, "12155550199": true,
		"12155550200": true, "12155550250": true, "12155550251": false, "1215555010": false, "121555501000": false,
		"149": false, "150": true, "260": true, "261": false, "2#1": false, "*67": true, "#67": false, "99": true, "98": false,
	} {
		n, err := tn.ParseNumber(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := own(n); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// The lookup must say the same as asking every range.
func TestPolicy_OwnNumbersAreThoseInAnyRange(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var list []tn.Range
		for range random.IntN(12) {
			length := 2 + random.IntN(2)
			start, err := tn.ParseNumber(fmt.Sprintf("%0*d", length, random.IntN(90)))
			if err != nil {
				t.Fatal(err)
			}
			if r, err := tn.NewRange(start, uint64(1+random.IntN(10))); err == nil {
				list = append(list, r)
			}
		}
		own := owns(t, list)
		for v := range 2000 {
			n, err := tn.ParseNumber(fmt.Sprintf("%0*d", 2+v/1000, v%1000))
			if err != nil {
				t.Fatal(err)
			}
			want := slices.ContainsFunc(list, func(r tn.Range) bool { return r.Contains(n) })
			if own(n) != want {
				t.Fatalf("%s in %v: %v, want %v", n, list, !want, want)
			}
		}
	}
}
