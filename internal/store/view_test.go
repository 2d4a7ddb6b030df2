package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

var noon = time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)

// viewAt is a view whose clock stands still.
func viewAt(now time.Time) *store.View {
	return store.NewView(store.Config{Now: func() time.Time { return now }})
}

func laid(key oob.Key, id byte, at time.Time, life time.Duration, passports ...string) store.Event {
	return store.Event{Act: store.Laid, At: at, Publication: oob.Publication{
		Key: key, Passports: passports, Publisher: "1234", Received: at, Expires: at.Add(life),
		Use: oob.TokenUse{ID: [16]byte{id}, Until: at.Add(time.Minute)},
	}}
}

func TestApplyTwiceIsApplyOnce(t *testing.T) {
	v := viewAt(noon)
	ev := laid(benchKey(1), 1, noon, time.Second, "a", "b")
	if got := v.Apply(ev); got != store.Created {
		t.Fatalf("first: %v", got)
	}
	once, records := v.Stats(), v.Retrieve(benchKey(1))
	if got := v.Apply(ev); got != store.Repeated {
		t.Errorf("again: %v", got)
	}
	if v.Stats() != once || !reflect.DeepEqual(v.Retrieve(benchKey(1)), records) {
		t.Error("the second time changed something")
	}
}

func TestApplyNeverRefusesForWantOfRoom(t *testing.T) {
	v := store.NewView(store.Config{Records: 1, Tokens: 1, KeyRecords: 1, PublisherRecords: 1, Now: func() time.Time { return noon }})
	for id := range byte(5) {
		if got := v.Apply(laid(benchKey(1), id, noon, time.Second, fmt.Sprint(id))); got != store.Created {
			t.Fatalf("%d: %v", id, got)
		}
	}
	if n := len(v.Retrieve(benchKey(1))); n != 5 {
		t.Errorf("%d records", n)
	}
}

func TestOutcomeFollowsFromTheEventsAndNotFromTheClock(t *testing.T) {
	use := oob.TokenUse{ID: [16]byte{1}, Until: noon.Add(time.Minute)}
	other := use
	other.Body[0]++
	lay := func(use oob.TokenUse, at time.Duration) store.Event {
		ev := laid(benchKey(1), 0, noon.Add(at), time.Second, "a")
		ev.Publication.Use = use
		return ev
	}
	spend := func(use oob.TokenUse, at time.Duration) store.Event {
		return store.Event{Act: store.Spent, At: noon.Add(at), Publication: oob.Publication{Use: use}}
	}
	cases := []struct {
		name   string
		events []store.Event
		want   store.Outcome // of the last
	}{
		{"laid", []store.Event{lay(use, 0)}, store.Created},
		{"laid again", []store.Event{lay(use, 0), lay(use, 1)}, store.Repeated},
		{"laid with another body", []store.Event{lay(use, 0), lay(other, 1)}, store.Replayed},
		{"laid, then spent", []store.Event{lay(use, 0), spend(use, 1)}, store.Replayed},
		{"spent", []store.Event{spend(use, 0)}, store.Created},
		{"spent again", []store.Event{spend(use, 0), spend(use, 1)}, store.Replayed},
		{"laid just before the token is forgotten", []store.Event{lay(use, 0), lay(other, time.Minute-1)}, store.Replayed},
		{"laid when the token is forgotten", []store.Event{lay(use, 0), lay(other, time.Minute)}, store.Created},
	}
	for _, c := range cases {
		for _, clock := range []time.Time{noon.Add(-time.Hour), noon, noon.Add(time.Hour)} {
			t.Run(fmt.Sprint(c.name, " at ", clock.Format(time.TimeOnly)), func(t *testing.T) {
				v := viewAt(clock)
				for _, ev := range c.events[:len(c.events)-1] {
					v.Apply(ev)
				}
				if got := v.Apply(c.events[len(c.events)-1]); got != c.want {
					t.Errorf("got %v, want %v", got, c.want)
				}
			})
		}
	}
}

func TestPublicationsAndExpiryCommute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := time.Duration(rapid.IntRange(5, 25).Draw(t, "end")) * time.Second
		events := make([]store.Event, rapid.IntRange(1, 8).Draw(t, "events"))
		for i := range events {
			at := noon.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "at")) * time.Second)
			life := time.Duration(rapid.IntRange(1, 20).Draw(t, "life")) * time.Second
			events[i] = laid(benchKey(1), byte(i), at, life, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "passport"))
		}
		inOrder, shuffled := viewAt(noon.Add(end)), viewAt(noon.Add(end))
		for _, ev := range events {
			inOrder.Apply(ev)
		}
		for _, ev := range rapid.Permutation(events).Draw(t, "order") {
			shuffled.Apply(ev)
			if rapid.Bool().Draw(t, "expire") {
				shuffled.Advance(noon.Add(end))
			}
		}
		got, want := fmt.Sprint(passports(shuffled)), fmt.Sprint(passports(inOrder))
		if got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

// passports is the set of what a reader is given. What commutes is that, at every instant: publications of one list at
// different times may become one record or two, which show in the order and the deadline given, according to order.
func passports(v *store.View) (given []string) {
	for _, r := range v.Retrieve(benchKey(1)) {
		given = append(given, r.Passports...)
	}
	slices.Sort(given)
	return given
}

func TestListPages(t *testing.T) {
	v := viewAt(noon)
	lay := func(id byte, dest string, life time.Duration) {
		n, err := tn.ParseIdentity(dest)
		if err != nil {
			t.Fatal(err)
		}
		v.Apply(laid(oob.Key{Profile: oob.Mesh, Dest: n}, id, noon.Add(-time.Second), life, dest))
	}
	for i, dest := range []string{"119", "100", "105", "105", "110", "11#", "1*5", "99", "1000", "urn:service:sos"} {
		lay(byte(i), dest, time.Minute)
	}
	lay(100, "107", time.Second) // is over at noon
	block := numbers(t, "100", 20)
	cases := []struct {
		name    string
		profile oob.Profile
		r       tn.Range
		after   string
		limit   int
		want    string
	}{
		{"all", oob.Mesh, block, "", 10, "[100 105 110 119]"},
		{"first page", oob.Mesh, block, "", 2, "[100 105]"},
		{"second page", oob.Mesh, block, "105", 2, "[110 119]"},
		{"after the last", oob.Mesh, block, "119", 2, "[]"},
		{"after one that is not there", oob.Mesh, block, "101", 1, "[105]"},
		{"after one before the range", oob.Mesh, block, "99", 1, "[100]"},
		{"after one beyond the range", oob.Mesh, block, "1000", 1, "[]"},
		{"of another profile", oob.Agreed, block, "", 10, "[]"},
		{"one number", oob.Mesh, numbers(t, "11#", 1), "", 10, "[11#]"},
		{"no limit is nothing", oob.Mesh, block, "", 0, "[]"},
		{"no range is nothing", oob.Mesh, tn.Range{}, "", 10, "[]"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			after, _ := tn.ParseNumber(c.after)
			if got := fmt.Sprint(v.List(c.profile, c.r, after, c.limit)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
