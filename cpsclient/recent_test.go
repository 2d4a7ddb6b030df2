package cpsclient_test

import (
	"fmt"
	"testing"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
)

// TestWhatWasToldIsKnownAgain: all that was told last, and never more than twice as much.
func TestWhatWasToldIsKnownAgain(t *testing.T) {
	record := func(i int) oob.Held {
		return oob.Held{Key: keyOf(oob.RFC9888), Record: oob.Record{Passports: []string{fmt.Sprint(i)}}}
	}
	add, size := cpsclient.Recent()
	for i := range 3 * cpsclient.RecentMax {
		if !add(record(i)) {
			t.Fatalf("record %d is taken for another", i)
		}
		if size() > 2*cpsclient.RecentMax {
			t.Fatalf("%d are remembered", size())
		}
	}
	for i := 2 * cpsclient.RecentMax; i < 3*cpsclient.RecentMax; i++ {
		if add(record(i)) {
			t.Fatalf("record %d is not known again", i)
		}
	}
	for name, change := range map[string]func(*oob.Held){
		"another called number": func(h *oob.Held) { h.Key.Dest = number("1") },
		"another caller":        func(h *oob.Held) { h.Key.Orig = number("1") },
		"another form":          func(h *oob.Held) { h.Key.Profile = oob.Company },
		"another provider":      func(h *oob.Held) { h.Key.SPC = "1" },
		"one more PASSporT":     func(h *oob.Held) { h.Passports = append(h.Passports, "x") },
	} {
		h := record(3*cpsclient.RecentMax - 1)
		if change(&h); !add(h) {
			t.Errorf("%s is the same record", name)
		}
	}
}
