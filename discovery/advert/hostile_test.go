package advert_test

import (
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/stircert"
)

// The provider that has lost a number goes on having its block, and can advertise what is in it: it must not take away what the
// provider that has it now advertises.
func TestRFC9888_S4_WhoHasLostANumberDoesNotHideWhoHasIt(t *testing.T) {
	for _, test := range []struct{ name, theirs, rightly, number string }{
		{"the same number", "2-12155550123", "2-12155550123", "12155550123"},
		{"the number, inside the holder's range", "2-12155550123", "1-12155550120-10", "12155550123"},
		{"a narrower range", "1-12155550122-2", "1-12155550120-10", "12155550123"},
		{"the same range", "1-12155550120-10", "1-12155550120-10", "12155550123"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLaboratory(t)
			data, err := stircert.ParseNumberData(strings.NewReader("0001,12155550100,100\n0002,12155550120,10\n"))
			if err != nil {
				t.Fatal(err)
			}
			l.setNumbers(data)
			b := l.book(nil)
			holder, loser := l.signer("0002"), l.signer("0001")
			if r := b.Add(t.Context(), []byte(l.sign(holder, 1, says{test.rightly: "https://right.example"}))); r.Accepted != 1 {
				t.Fatal(r)
			}
			l.pass(1e9)
			if r := b.Add(t.Context(), []byte(l.sign(loser, 1, says{test.theirs: "https://loser.example"}))); r.Accepted != 1 {
				t.Fatal(r)
			}
			for _, spc := range []string{"0002", ""} { // also while nobody else says who has it
				if got := l.finds(b, test.number, spc); !strings.HasPrefix(got, "https://right.example ") {
					t.Errorf("asked with %q: found %q, want https://right.example", spc, got)
				}
			}
		})
	}
}
