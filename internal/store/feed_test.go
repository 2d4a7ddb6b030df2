package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/oob"
)

var meshFeed = []oob.Profile{oob.Mesh}

// fedView is a view with a feed of so many records, and its clock, which begins at noon.
func fedView(records int) (*store.View, *store.Feed, *atomic.Int64) {
	var clock atomic.Int64
	clock.Store(noon.UnixNano())
	v := store.NewView(store.Config{
		Now: func() time.Time { return time.Unix(0, clock.Load()) }, FeedProfiles: meshFeed, FeedRecords: records,
	})
	s := store.New(v, nil)
	_ = s.Close()
	return v, s.Feed(), &clock
}

// over is a context that has ended: with it Next does not wait.
func over() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// texts reads everything after a position, in parts of so many, and gives the PASSporTs.
func texts(t interface{ Fatalf(string, ...any) }, f *store.Feed, after uint64, part int) (found []string, lost bool) {
	into := make([]store.Entry, part)
	for first := true; ; first = false {
		n, missed, err := f.Next(over(), after, into)
		if err != nil {
			if n != 0 || missed || !errors.Is(err, context.Canceled) {
				t.Fatalf("beside an error: %d, %v, %v", n, missed, err)
			}
			return found, lost
		}
		if n == 0 || missed && !first {
			t.Fatalf("%d entries, lost %v", n, missed)
		}
		lost = lost || missed
		for _, e := range into[:n] {
			if e.Position <= after && !missed {
				t.Fatalf("position %d after %d", e.Position, after)
			}
			after, missed = e.Position, false
			found = append(found, strings.Join(e.Held.Passports, "+"))
		}
	}
}

func TestFeedTellsWhatWasLaidInItsOrder(t *testing.T) {
	v, f, _ := fedView(100)
	agreed := benchKey(3)
	agreed.Profile, agreed.SPC = oob.Agreed, "1234"
	lay := func(key oob.Key, id byte, passports ...string) {
		v.Apply(laid(key, id, noon, time.Minute, passports...))
	}
	lay(benchKey(1), 1, "a")
	lay(benchKey(2), 2, "b", "c")
	lay(agreed, 3, "of a profile that is not wanted")
	half := f.Last()
	lay(benchKey(1), 1, "a")      // the same publication again
	lay(benchKey(1), 4, "a")      // the same list with another token: its deadline is put off at most
	lay(benchKey(1), 5, "a", "d") // another list
	v.Apply(store.Event{Act: store.Spent, At: noon, Publication: oob.Publication{Use: oob.TokenUse{ID: [16]byte{6}, Until: noon.Add(time.Minute)}}})
	lay(benchKey(4), 7, "e")
	for part := 1; part < 6; part++ {
		if got, lost := texts(t, f, 0, part); lost || fmt.Sprint(got) != "[a b+c a+d e]" {
			t.Errorf("in parts of %d: %v, lost %v", part, got, lost)
		}
	}
	if got, lost := texts(t, f, half, 10); lost || fmt.Sprint(got) != "[a+d e]" {
		t.Errorf("after %d: %v, lost %v", half, got, lost)
	}
	into := make([]store.Entry, 1)
	if n, lost, err := f.Next(t.Context(), 0, into); n != 1 || lost || err != nil {
		t.Fatal(n, lost, err)
	}
	want := oob.Held{Key: benchKey(1), Record: oob.Record{Passports: []string{"a"}, Publisher: "1234", Received: noon, Expires: noon.Add(time.Minute)}}
	if fmt.Sprint(into[0].Held) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", into[0].Held, want)
	}
	if n, lost, err := f.Next(over(), 0, nil); n != 0 || lost || err != nil {
		t.Errorf("into nothing: %d, %v, %v", n, lost, err)
	}
}

func TestNoFeedWithoutProfiles(t *testing.T) {
	s := local.Open(store.Config{})
	defer s.Close()
	if s.Feed() != nil {
		t.Error("there is a feed")
	}
}

func TestFeedIsKnownByItsEpoch(t *testing.T) {
	_, one, _ := fedView(1)
	_, other, _ := fedView(1)
	first, again := one.Epoch(), one.Epoch()
	if len(first) != 16 || first != again || first == other.Epoch() {
		t.Errorf("%q, %q, %q", first, again, other.Epoch())
	}
}

func TestFeedPassesOverWhatIsGone(t *testing.T) {
	v, f, clock := fedView(3)
	for id := range byte(3) {
		v.Apply(laid(benchKey(int(id)), id, noon, time.Duration(1+id)*time.Second, fmt.Sprint(id)))
	}
	clock.Store(noon.Add(time.Second).UnixNano())
	if got, lost := texts(t, f, 0, 9); lost || fmt.Sprint(got) != "[1 2]" {
		t.Errorf("one is over but not swept: %v, lost %v", got, lost)
	}
	v.Apply(consumed(benchKey(1), "1", noon))
	if got, lost := texts(t, f, 0, 9); lost || fmt.Sprint(got) != "[2]" {
		t.Errorf("one is consumed: %v, lost %v", got, lost)
	}
	v.Advance(noon.Add(time.Second))
	beginning := f.Last() - 3
	for id := byte(3); id < 5; id++ { // in the place of those two
		v.Apply(laid(benchKey(int(id)), id, noon, time.Minute, fmt.Sprint(id)))
	}
	for _, after := range []uint64{0, beginning} {
		if got, lost := texts(t, f, after, 9); lost || fmt.Sprint(got) != "[2 3 4]" {
			t.Errorf("what is gone was overwritten: %v, lost %v", got, lost)
		}
	}
	v.Apply(laid(benchKey(5), 5, noon, time.Minute, "5")) // in the place of 2, which is live
	if got, lost := texts(t, f, beginning, 9); !lost || fmt.Sprint(got) != "[3 4 5]" {
		t.Errorf("one that is live was overwritten: %v, lost %v", got, lost)
	}
	if got, lost := texts(t, f, beginning+3, 9); lost || fmt.Sprint(got) != "[3 4 5]" {
		t.Errorf("who had that one: %v, lost %v", got, lost)
	}
	if got, lost := texts(t, f, 0, 9); lost || fmt.Sprint(got) != "[3 4 5]" {
		t.Errorf("who had nothing: %v, lost %v", got, lost)
	}
	if got, lost := texts(t, f, f.Last()+1, 9); !lost || fmt.Sprint(got) != "[3 4 5]" {
		t.Errorf("who has a position of another feed: %v, lost %v", got, lost)
	}
	if v.Retrieve(benchKey(2)) == nil {
		t.Error("what the feed has lost is not on the shelf either")
	}
}

func TestFeedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local.Open(store.Config{FeedProfiles: meshFeed})
		defer s.Close()
		var told atomic.Int64
		var readers sync.WaitGroup
		for range 50 {
			readers.Go(func() {
				after := s.Feed().Last()
				into := make([]store.Entry, 4)
				for range 3 {
					n, lost, err := s.Feed().Next(t.Context(), after, into)
					if n != 1 || lost || err != nil {
						t.Errorf("%d, %v, %v", n, lost, err)
						return
					}
					after = into[0].Position
					told.Add(1)
				}
			})
		}
		for i := range 3 {
			synctest.Wait()
			if n := told.Load(); n != int64(50*i) {
				t.Errorf("%d told after %d", n, i)
			}
			if _, err := s.Publish(t.Context(), benchPublication(i, time.Now(), time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		readers.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		n, lost, err := s.Feed().Next(ctx, s.Feed().Last(), make([]store.Entry, 1))
		if n != 0 || lost || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%d, %v, %v after %s", n, lost, err, time.Since(began))
		}
	})
}

// TestFeedIsAsTheModel compares it with a list. Times are whole seconds, so that what is over has been swept.
func TestFeedIsAsTheModel(t *testing.T) {
	type entry struct {
		text    string
		expires time.Time
		gone    bool
	}
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 6).Draw(t, "size")
		v, f, clock := fedView(size)
		now, start := noon, f.Last()
		var list []entry
		missed := 0 // entries up to the last that was overwritten while live
		live := func(e entry) bool { return !e.gone && e.expires.After(now) }
		t.Repeat(map[string]func(*rapid.T){
			"lay": func(t *rapid.T) {
				life := time.Duration(rapid.IntRange(1, 9).Draw(t, "life")) * time.Second
				e := entry{text: fmt.Sprint(len(list)), expires: now.Add(life)}
				ev := laid(benchKey(len(list)), byte(len(list)), now, life, e.text)
				ev.Publication.Use.ID[1] = byte(len(list) >> 8)
				v.Apply(ev)
				if i := len(list) - size; i >= 0 && live(list[i]) {
					missed = i + 1
				}
				list = append(list, e)
			},
			"consume": func(t *rapid.T) {
				i := rapid.IntRange(0, len(list)).Draw(t, "which")
				ev := consumed(benchKey(i), fmt.Sprint(i), now)
				ev.Publication.Use.Until = now // the last may not have been laid yet
				v.Apply(ev)
				if i < len(list) {
					list[i].gone = true
				}
			},
			"pass": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 4).Draw(t, "pass")) * time.Second)
				clock.Store(now.UnixNano())
				v.Advance(now)
			},
			"": func(t *rapid.T) {
				had := rapid.IntRange(0, len(list)).Draw(t, "had")
				var want []string
				for i, e := range list {
					if i >= max(had, len(list)-size) && live(e) {
						want = append(want, e.text)
					}
				}
				got, lost := texts(t, f, start+uint64(had), rapid.IntRange(1, 7).Draw(t, "part"))
				if !slices.Equal(got, want) || lost != (had < missed && len(want) > 0) {
					t.Fatalf("who had %d of %d: %v, lost %v; want %v, lost before %d", had, len(list), got, lost, want, missed)
				}
			},
		})
	})
}

// TestFeedIsReadWhileAllElseHappens: readers of every pace, against publishers, consumers and the wheel. Run it with the
// race detector.
func TestFeedIsReadWhileAllElseHappens(t *testing.T) {
	const publishers, each = 4, 500
	for _, size := range []int{publishers * each, 64} {
		s := local.Open(store.Config{FeedProfiles: meshFeed, FeedRecords: size})
		ctx, cancel := context.WithCancel(t.Context())
		var readers, others sync.WaitGroup
		for reader := range 6 {
			readers.Go(func() {
				told := map[string]bool{}
				after, into := uint64(0), make([]store.Entry, 1+reader*7)
				for {
					n, lost, err := s.Feed().Next(ctx, after, into)
					if err != nil {
						break
					}
					if lost && size == publishers*each {
						t.Error("lost from a ring that is long enough")
					}
					for i, e := range into[:n] {
						if e.Position <= after && (i > 0 || !lost) {
							t.Errorf("%d after %d", e.Position, after)
						}
						after = e.Position
						if text := e.Held.Passports[0]; told[text] {
							t.Error("told twice")
						} else {
							told[text] = true
						}
					}
				}
				if reader != 0 || size < publishers*each {
					return
				}
				for i := range publishers * each {
					if stays, text := i%2 == 0, benchPublication(i, noon, 0).Passports[0]; stays && !told[text] {
						t.Errorf("%d was never told", i)
					}
				}
			})
		}
		for publisher := range publishers {
			others.Go(func() {
				for i := range each {
					n := publisher*each + i
					p := benchPublication(n, time.Now(), time.Minute)
					if n%6 == 1 {
						p.Expires = p.Received.Add(50 * time.Millisecond)
					}
					if _, err := s.Publish(ctx, p); err != nil && !errors.Is(err, oob.DeadlinePassed) {
						t.Error(err)
					}
					if n%6 == 3 {
						if _, err := s.Consume(ctx, oob.Consumption{Key: p.Key, Passport: oob.PassportID(p.Passports[0])}); err != nil {
							t.Error(err)
						}
					}
					if i%50 == 0 {
						s.Advance(time.Now())
					}
				}
			})
		}
		others.Wait()
		// Who has read up to the last has been told everything.
		last := benchPublication(publishers*each, time.Now(), time.Minute)
		before := s.Feed().Last()
		if _, err := s.Publish(ctx, last); err != nil {
			t.Fatal(err)
		}
		if n, _, err := s.Feed().Next(ctx, before, make([]store.Entry, 1)); n != 1 || err != nil {
			t.Error(n, err)
		}
		cancel()
		readers.Wait()
		_ = s.Close()
	}
}

// TestRoomOfWhatIsConsumedOrOverIsUsedAgain measures the heap: what comes next needs no more, the feed notwithstanding.
func TestRoomOfWhatIsConsumedOrOverIsUsedAgain(t *testing.T) {
	const records, size = 1000, 32 << 10
	const books = 26 << 20 // what the shelf keeps for itself, tombs of half of the records and the last chunks of all included
	v, f, _ := fedView(records)
	long := strings.Repeat("x", size)
	before := liveHeap()
	lay := func(from, to int, at time.Time) {
		for i := from; i < to; i++ {
			ev := laid(benchKey(i%records), byte(i), at, time.Minute, long+fmt.Sprint(i))
			ev.Publication.Use.ID[1], ev.Publication.Use.ID[2] = byte(i>>8), byte(at.Minute())
			v.Apply(ev)
		}
	}
	wants := func(when string) {
		t.Helper()
		const most = records*size + records*size/15 + books
		if taken := liveHeap() - before; taken < records*size || taken > most {
			t.Errorf("%s, %d bytes are taken", when, taken)
		}
	}
	lay(0, records, noon)
	wants("all is laid")
	for i := range records / 2 {
		v.Apply(consumed(benchKey(i), long+fmt.Sprint(i), noon))
	}
	lay(records, records*3/2, noon)
	wants("half is consumed, as much is laid")
	v.Advance(noon.Add(2 * time.Minute))
	lay(0, records, noon.Add(2*time.Minute))
	v.Advance(noon.Add(4 * time.Minute))
	wants("all was over, as much was laid")
	if got, lost := texts(t, f, f.Last()-records, 10); len(got) != 0 || lost {
		t.Errorf("told %d, lost %v", len(got), lost)
	}
}
