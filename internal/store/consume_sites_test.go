package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

// by makes a consumption that of somebody, and of another site if asked for.
func by(who byte, foreign bool) store.Event {
	ev := consumed(benchKey(1), "a", noon)
	ev.Publication.Use.Body, ev.Foreign = [8]byte{who}, foreign
	return ev
}

// TestEachSiteDecidesWhoConsumes: what comes from another site in whatever moment takes the call from nobody who was given it here,
// or two sites could each have it of the other, and nobody would.
func TestEachSiteDecidesWhoConsumes(t *testing.T) {
	elsewhere, first, second := by(1, true), by(2, false), by(3, false)
	for name, order := range map[string][]store.Event{
		"before":  {elsewhere, first, second},
		"between": {first, elsewhere, second},
		"after":   {first, second, elsewhere},
		"twice":   {elsewhere, first, elsewhere, second, elsewhere},
	} {
		v := store.NewView(store.Config{Now: func() time.Time { return noon }})
		got := map[byte][]store.Outcome{}
		for _, ev := range append(order, first, second) {
			who := ev.Publication.Use.Body[0]
			got[who] = append(got[who], v.Apply(ev))
		}
		if !slices.Equal(got[2], []store.Outcome{store.Created, store.Repeated}) || !slices.Equal(got[3], []store.Outcome{store.Replayed, store.Replayed}) {
			t.Errorf("%s: the first is told %v, the second %v", name, got[2], got[3])
		}
		if n := v.Stats().Tokens; n != 1 {
			t.Errorf("%s: %d uses are remembered, of one consumption", name, n)
		}
	}
}

// applying is a log of one node.
type applying struct{ view *store.View }

func (l applying) Append(_ context.Context, ev store.Event) (store.Outcome, error) {
	return l.view.Apply(ev), nil
}
func (l applying) Ready() error { return nil }

// TestWhatAnotherSiteHasConsumedIsGone: whoever asks when that is known here is not given it.
func TestWhatAnotherSiteHasConsumedIsGone(t *testing.T) {
	v := store.NewView(store.Config{Now: func() time.Time { return noon }})
	s := store.New(v, applying{v})
	defer s.Close()
	ask := func(who byte) (oob.Outcome, error) {
		return s.Consume(t.Context(), oob.Consumption{Key: benchKey(1), Passport: oob.PassportID("a"), By: [8]byte{who}, Until: noon.Add(time.Minute)})
	}
	v.Apply(by(1, true))
	if _, err := ask(2); !errors.Is(err, oob.Replayed) {
		t.Errorf("another: %v", err)
	}
	if got, err := ask(1); got != oob.Repeated || err != nil {
		t.Errorf("the same, who went over to this site: %v, %v", got, err)
	}
}
