package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// sifted says in the plainest way what somebody wants.
type sifted struct {
	profile oob.Profile
	numbers []tn.Range
	spcs    []string
}

func (w sifted) wants(k oob.Key) bool {
	n, isNumber := k.Dest.Number()
	return k.Profile == w.profile && (slices.Contains(w.spcs, k.SPC) ||
		isNumber && slices.ContainsFunc(w.numbers, func(r tn.Range) bool { return r.Contains(n) }))
}

func rangeOf(t interface{ Fatal(...any) }, text string) tn.Range {
	r, err := tn.ParseRange(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPastIsNextWithoutTheRest: a sieve never keeps back what is wanted, in whatever parts it is read, and of what the ring
// has lost it tells whatever it lets through.
func TestPastIsNextWithoutTheRest(t *testing.T) {
	ranges := []string{"0-9", "00-99", "12155550100-12155550199", "12155550150", "12155550100-12155550149", "*67", "100-104", "999"}
	dests := []string{"5", "55", "*5", "12155550150", "12155550149", "12155550200", "12155550100", "*67", "#67", "1*1", "103", "999", "sip:alice@example.com"}
	spcs := []string{"567A", "567B", "longer than seven", "longer than seven, too"}
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{4, 1000}).Draw(t, "size")
		profiles := []oob.Profile{oob.RFC9888, oob.Company}
		v := store.NewView(store.Config{Now: func() time.Time { return noon }, FeedProfiles: profiles, FeedRecords: size})
		s := store.New(v, nil)
		_ = s.Close()
		f := s.Feed()
		start := f.Last()
		laidCount := rapid.IntRange(0, 600).Draw(t, "laid")
		for i := range laidCount {
			var dest tn.Identity
			if err := dest.UnmarshalText([]byte(rapid.SampledFrom(dests).Draw(t, "dest"))); err != nil {
				t.Fatal(err)
			}
			k := oob.Key{Profile: rapid.SampledFrom(profiles).Draw(t, "profile"), Dest: dest, Orig: benchNumber(12025550000 + i)}
			if k.Profile == oob.Company {
				k.SPC = rapid.SampledFrom(spcs).Draw(t, "SPC")
			}
			ev := laid(k, byte(i), noon, time.Minute, fmt.Sprint(i))
			ev.Publication.Use.ID[1] = byte(i >> 8)
			v.Apply(ev)
		}
		w := sifted{profile: rapid.SampledFrom(profiles).Draw(t, "wanted")}
		for _, text := range rapid.SliceOfN(rapid.SampledFrom(ranges), 0, 4).Draw(t, "ranges") {
			w.numbers = append(w.numbers, rangeOf(t, text))
		}
		w.spcs = rapid.SliceOfN(rapid.SampledFrom(spcs), 0, 3).Draw(t, "spcs")

		after := rapid.Uint64Range(0, start+uint64(laidCount)).Draw(t, "after")
		until := rapid.Uint64Range(max(after, start), start+uint64(laidCount)).Draw(t, "until")
		all := make([]store.Entry, laidCount+1)
		n, wantLost, err := f.Next(over(), after, all)
		if err != nil {
			n = 0
		}
		var want, got []string
		for _, e := range all[:n] {
			if e.Position <= until && w.wants(e.Held.Key) {
				want = append(want, strings.Join(e.Held.Passports, "+"))
			}
		}
		into := make([]store.Entry, rapid.IntRange(1, 40).Draw(t, "part"))
		lost := false
		for at := after; at < until; {
			n, reached, missed := f.Past(at, until, store.NewSieve(w.profile, w.numbers, w.spcs), into)
			lost = lost || missed
			for _, e := range into[:n] {
				if e.Position <= at || e.Position > until || e.Held.Key.Profile != w.profile {
					t.Fatalf("%d after %d until %d, of profile %s", e.Position, at, until, e.Held.Key.Profile)
				}
				at = e.Position
				if w.wants(e.Held.Key) {
					got = append(got, strings.Join(e.Held.Passports, "+"))
				}
			}
			if reached < at || reached > until || n == 0 && reached == at {
				t.Fatalf("reached %d after %d until %d", reached, at, until)
			}
			at = reached
		}
		if !slices.Equal(got, want) || after < until && lost != wantLost {
			t.Fatalf("got %q, lost %v; want %q, lost %v", got, lost, want, wantLost)
		}
	})
}

// TestSieves: what they let through, and what they need not.
func TestSieves(t *testing.T) {
	v, f, _ := fedView(10)
	for i := range 5 {
		v.Apply(laid(benchKey(i), byte(i), noon, time.Minute, fmt.Sprint(i)))
	}
	number := rangeOf(t, "12155550003")
	for name, c := range map[string]struct {
		sieve *store.Sieve
		want  string
	}{
		"everything":      {&store.Sieve{}, "[0 1 2 3 4]"},
		"every number":    {store.NewNumberSieve(oob.Mesh), "[0 1 2 3 4]"},
		"another profile": {store.NewNumberSieve(oob.Company), "[]"},
		"one number":      {store.NewSieve(oob.Mesh, []tn.Range{number}, nil), "[3]"},
		"nothing":         {store.NewSieve(oob.Mesh, nil, nil), "[]"},
		"a code":          {store.NewSieve(oob.Mesh, nil, []string{"567A"}), "[]"},
	} {
		into := make([]store.Entry, 10)
		n, reached, lost := f.Past(0, f.Last(), c.sieve, into)
		got := []string{}
		for _, e := range into[:n] {
			got = append(got, e.Held.Passports...)
		}
		if fmt.Sprint(got) != c.want || reached != f.Last() || lost {
			t.Errorf("%s: %v up to %d, lost %v; want %s", name, got, reached, lost, c.want)
		}
	}
	if n, reached, lost := f.Past(1, f.Last(), &store.Sieve{}, nil); n != 0 || reached != 1 || lost {
		t.Errorf("into nothing: %d, %d, %v", n, reached, lost)
	}
}
