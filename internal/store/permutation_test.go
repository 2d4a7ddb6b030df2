package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

// history is what may happen to a few keys in half a minute: all its tokens differ, nobody consumes what another does, and no
// PASSporT is laid once it is stale, nor consumed for a shorter time. That is what a log promises, and those who append to it.
type history struct {
	events []store.Event
	uses   []oob.TokenUse
}

const (
	historyKeys = 2
	historyLife = 30               // s
	keptAway    = 40 * time.Second // what is consumed: longer than anything can be published again
)

var historyPassports = []string{"a", "b", "c", "d"}

// stale is when a PASSporT cannot be published any more.
func stale(passport string) time.Time {
	return noon.Add(time.Duration(passport[0]-'a'+1) * 9 * time.Second)
}

func drawHistory(t *rapid.T) (h history) {
	passport := rapid.SampledFrom(historyPassports)
	for i := range rapid.IntRange(1, 14).Draw(t, "events") {
		use := oob.TokenUse{ID: [16]byte{byte(i), 1}, Body: [8]byte{byte(i)}}
		at := noon.Add(time.Duration(rapid.IntRange(0, historyLife).Draw(t, "at")) * time.Second)
		use.Until = at.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "remembered")) * time.Second)
		k := benchKey(rapid.IntRange(0, historyKeys-1).Draw(t, "key"))
		switch rapid.SampledFrom([]store.Act{store.Laid, store.Laid, store.Consumed, store.Spent}).Draw(t, "act") {
		case store.Laid:
			list := rapid.SliceOfNDistinct(passport, 1, 3, rapid.ID).Draw(t, "passports")
			over := stale(slices.Min(list))
			if !at.Before(over) {
				continue
			}
			ev := laid(k, 0, at, min(over.Sub(at), time.Duration(rapid.IntRange(1, 20).Draw(t, "life"))*time.Second), list...)
			ev.Publication.Publisher = rapid.SampledFrom([]string{"1111", "2222"}).Draw(t, "publisher")
			ev.Publication.Use = use
			h.events, h.uses = append(h.events, ev), append(h.uses, use)
		case store.Spent:
			h.events = append(h.events, store.Event{Act: store.Spent, At: at, Publication: oob.Publication{Use: use}})
			h.uses = append(h.uses, use)
		case store.Consumed:
			one := passport.Draw(t, "consumed")
			ev := consumed(k, one, at)
			ev.Publication.Use.Until, ev.Publication.Use.Body = at.Add(keptAway), [8]byte{1}
			h.events = append(h.events, ev)
		}
	}
	return h
}

// state is all that can be asked of a view at its own time, in words.
func (h history) state(v *store.View) string {
	s := store.New(v, nil) // for its questions
	defer s.Close()
	var text []string
	for i := range historyKeys {
		k := benchKey(i)
		var there []string
		for _, r := range v.Retrieve(k) {
			there = append(there, r.Passports...)
		}
		slices.Sort(there)
		text = append(text, fmt.Sprint(there))
		for _, one := range historyPassports {
			text = append(text, fmt.Sprint(s.Consumed(k, oob.PassportID(one))))
		}
	}
	for _, use := range h.uses {
		used, same := s.Used(use)
		text = append(text, fmt.Sprint(used, same))
	}
	return fmt.Sprint(text)
}

// TestEveryOrderOfEventsComesToTheSame: two nodes hear of the same events in different orders, some of them more than once, while
// time passes on both. They answer alike at every instant afterwards, and nothing stays on either.
func TestEveryOrderOfEventsComesToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		now := noon
		clock := func() time.Time { return now }
		one, other := store.NewView(store.Config{Now: clock}), store.NewView(store.Config{Now: clock})
		for _, v := range []*store.View{one, other} {
			now = noon
			heard := slices.Clone(h.events)
			for range rapid.IntRange(0, 5).Draw(t, "heard again") {
				if len(h.events) > 0 {
					heard = append(heard, rapid.SampledFrom(h.events).Draw(t, "which"))
				}
			}
			for _, ev := range rapid.Permutation(heard).Draw(t, "order") {
				v.Apply(ev)
				if rapid.IntRange(0, 3).Draw(t, "time passes") == 0 {
					now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
					v.Advance(now)
				}
			}
		}
		// The clocks of both have been at most so far.
		for now = noon.Add(28 * time.Second); now.Before(noon.Add(historyLife*time.Second + 2*keptAway)); now = now.Add(time.Second / 2) {
			if a, b := h.state(one), h.state(other); a != b {
				t.Fatalf("at %v\n%s\n%s", now.Sub(noon), a, b)
			}
		}
		empty := store.NewView(store.Config{Now: clock}).Stats()
		for _, v := range []*store.View{one, other} {
			now = noon.Add(5 * time.Minute)
			if v.Advance(now); v.Stats() != empty {
				t.Fatalf("%+v is left", v.Stats())
			}
		}
	})
}

// TestOrdersAtOneInstant is the same with no time passing: what is asked before the clock has reached the events.
func TestOrdersAtOneInstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		now := noon
		clock := func() time.Time { return now }
		one, other := store.NewView(store.Config{Now: clock}), store.NewView(store.Config{Now: clock})
		for _, ev := range h.events {
			one.Apply(ev)
		}
		for _, ev := range rapid.Permutation(append(slices.Clone(h.events), h.events...)).Draw(t, "order") {
			other.Apply(ev)
		}
		for ; now.Before(noon.Add(historyLife*time.Second + 2*keptAway)); now = now.Add(time.Second / 2) {
			if a, b := h.state(one), h.state(other); a != b {
				t.Fatalf("at %v\n%s\n%s", now.Sub(noon), a, b)
			}
		}
	})
}
