package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
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

// consumed is the consumption of a PASSporT under k.
func consumed(k oob.Key, passport string, at time.Time) store.Event {
	hash, _ := oob.PassportHash(oob.PassportID(passport))
	use := oob.TokenUse{ID: hash, Until: noon.Add(time.Minute)}
	return store.Event{Act: store.Consumed, At: at, Publication: oob.Publication{Key: k, Use: use}}
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
	consume := func(passport string, at time.Duration) store.Event {
		return consumed(benchKey(1), passport, noon.Add(at))
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
		{"consumed", []store.Event{lay(use, 0), consume("a", 1)}, store.Created},
		{"consumed again", []store.Event{lay(use, 0), consume("a", 1), consume("a", 2)}, store.Repeated},
		{"consumed before it expires", []store.Event{lay(use, 0), consume("a", time.Second-1)}, store.Created},
		{"consumed when it expires", []store.Event{lay(use, 0), consume("a", time.Second)}, store.Created},
		{"consumed what was never laid", []store.Event{lay(use, 0), consume("b", 1)}, store.Created},
		{"laid after it was consumed", []store.Event{consume("a", 1), lay(use, 0)}, store.Repeated},
		{"laid after it could be again", []store.Event{consume("a", 0), lay(use, time.Minute)}, store.Created},
		{"laid again after it was consumed", []store.Event{lay(use, 0), consume("a", 1), lay(use, 2)}, store.Repeated},
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

// TestMemoryIsTheMost fills a shelf to its limits, with records and uses first, then with tombs, and measures the heap.
func TestMemoryIsTheMost(t *testing.T) {
	const records = 20_000
	now := noon
	cfg := store.Config{Now: func() time.Time { return now }, Records: records, Bytes: records * tokenBytes, Tokens: records,
		FeedProfiles: meshFeed, FeedRecords: records}
	before := liveHeap()
	v := store.NewView(cfg)
	for i := range records {
		v.Apply(store.Event{Act: store.Laid, At: now, Publication: benchPublication(i, now, time.Minute)})
	}
	now = now.Add(2 * time.Minute)
	v.Advance(now)
	for i := range records {
		ev := consumed(benchKey(i), "a", now)
		ev.Publication.Use.Until = now.Add(time.Minute)
		v.Apply(ev)
	}
	taken := liveHeap() - before
	if stats := v.Stats(); stats.Tokens != records {
		t.Fatalf("%+v", stats)
	}
	if most := cfg.Memory(); taken > most || taken < most/2 {
		t.Errorf("%d bytes are taken, Memory tells %d", taken, most)
	}
}

func TestInTurn(t *testing.T) {
	for _, c := range []struct{ list, want string }{
		{"", ""},
		{"a1", "a1"},
		{"a1 a2 a3", "a1 a2 a3"},
		{"a1 a2 b1 a3 b2 c1", "a1 b1 c1 a2 b2 a3"},
		{"a1 b1 b2 a2", "a1 b1 b2 a2"},
		{"a1 a2 a3 a4 b1", "a1 b1 a2 a3 a4"},
	} {
		list := strings.Fields(c.list)
		got := store.InTurn(list, func(s *string) string { return (*s)[:1] })
		if strings.Join(got, " ") != c.want || strings.Join(list, " ") != c.list {
			t.Errorf("%s: got %v, want %s", c.list, got, c.want)
		}
	}
}

// TestFirstInTurnOfPartsAreFirstOfTheWhole is what lets RetrieveCalled forget most of a flood while it reads.
func TestFirstInTurnOfPartsAreFirstOfTheWhole(t *testing.T) {
	type one struct {
		publisher string
		age       int
	}
	first := func(list []one, limit int) []one {
		slices.SortFunc(list, func(a, b one) int { return a.age - b.age })
		turns := store.InTurn(list, func(o *one) string { return o.publisher })
		return turns[:min(limit, len(turns))]
	}
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		ages := make([]int, rapid.IntRange(1, 40).Draw(t, "records"))
		for i := range ages {
			ages[i] = i
		}
		var whole, parts []one
		for _, age := range rapid.Permutation(ages).Draw(t, "ages") {
			o := one{rapid.SampledFrom([]string{"a", "a", "a", "b", "c"}).Draw(t, "publisher"), age}
			whole, parts = append(whole, o), append(parts, o)
			if rapid.Bool().Draw(t, "forget") {
				parts = first(parts, limit)
			}
		}
		if got, want := first(parts, limit), first(whole, limit); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
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
