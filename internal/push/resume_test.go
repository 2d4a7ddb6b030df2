package push_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/oob"
)

func TestSubscriberComesAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		feed    int // records that the feed holds
		laid    int // records before it comes
		of      func(r *shelf, cursor string) string
		want    string
		another bool // and one more when it is there
	}{
		{name: "at once", of: same, want: "[]"},
		{name: "with what it has missed", laid: 3, of: same, want: "[0 1 2]"},
		{name: "and one more", laid: 3, of: same, want: "[0 1 2]", another: true},
		{name: "with much that it has missed", laid: 100, of: same, want: fmt.Sprint(texts(0, 100))},
		{name: "after the feed has gone on", feed: 4, laid: 10, of: same, want: "[gap 6 7 8 9]"},
		{name: "when the feed has just held out", feed: 4, laid: 4, of: same, want: "[0 1 2 3]"},
		{name: "from another feed", laid: 3, of: func(*shelf, string) string { return foreign }, want: "[gap 0 1 2]", another: true},
		{name: "from the future", laid: 3, of: func(r *shelf, _ string) string { return r.hub.CursorOf(1000) }, want: "[gap 0 1 2]"},
		{name: "without a cursor", laid: 3, of: func(*shelf, string) string { return "" }, want: "[]", another: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := open(t, push.Config{QueueMax: 2}, c.feed)
				defer r.end()
				in := push.Interest{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100")}
				s := r.subscribe(in, "")
				cursor := s.Cursor()
				s.Close()
				for i := range c.laid {
					r.lay(to(t, "12155550100"), fmt.Sprint(i), time.Minute)
				}
				s = r.subscribe(in, c.of(r, cursor))
				got, cursor := all(t, s)
				if fmt.Sprint(got) != c.want {
					t.Errorf("told %q, want %s", got, c.want)
				}
				if c.another {
					r.lay(to(t, "12155550100"), "more", time.Minute)
					if got, last := all(t, s); !slices.Equal(got, []string{"more"}) || last == cursor {
						t.Errorf("then %q up to %s", got, last)
					}
				}
			})
		})
	}
}

// foreign is a cursor of another feed.
const foreign = "0123456789abcdefghijkA"

func same(_ *shelf, cursor string) string { return cursor }

func texts(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

// TestNoCursorIsAheadOfWhatWasTold: a subscriber that is cut after any of its events, a gap among them, and comes again
// with the cursor of that event is told the rest.
func TestNoCursorIsAheadOfWhatWasTold(t *testing.T) {
	bubble(t, push.Config{}, func(t *testing.T, r *shelf) {
		in := push.Interest{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100-12155550199")}
		const laid = 80
		for i := range laid {
			r.lay(to(t, fmt.Sprint(12155550100+i)), fmt.Sprint(i), time.Minute)
			r.lay(to(t, "12155550300"), "of no interest", time.Minute)
		}
		s := r.subscribe(in, foreign)
		for i := -1; i < laid; i++ {
			text, cursor := next(t, s)
			if i < 0 && text != "gap" || i >= 0 && text != fmt.Sprint(i) {
				t.Fatalf("event %d is %q", i, text)
			}
			if s.Cursor() != cursor {
				t.Fatalf("the cursor is %s after one of %s", s.Cursor(), cursor)
			}
			s.Close()
			s = r.subscribe(in, cursor)
		}
		if text, _ := next(t, s); text != "" {
			t.Errorf("in the end %q", text)
		}
	})
}

// TestQueueGrowsDuringReplay: what is laid meanwhile comes after what is replayed.
func TestQueueGrowsDuringReplay(t *testing.T) {
	bubble(t, push.Config{QueueMax: 10}, func(t *testing.T, r *shelf) {
		in := push.Interest{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100")}
		began := r.subscribe(in, "").Cursor()
		for i := range 100 {
			r.lay(to(t, "12155550100"), fmt.Sprint(i), time.Minute)
		}
		s := r.subscribe(in, began)
		var got []string
		for i := range 10 {
			text, _ := next(t, s)
			got = append(got, text)
			r.lay(to(t, "12155550100"), fmt.Sprint(100+i), time.Minute)
		}
		rest, cursor := all(t, s)
		if got = append(got, rest...); !slices.Equal(got, texts(0, 110)) {
			t.Errorf("told %q", got)
		}
		if again, _ := all(t, r.subscribe(in, cursor)); len(again) != 0 {
			t.Errorf("told %q again", again)
		}
	})
}

// TestHubThatIsLate: when the feed is overwritten before the hub has read it, everybody is told.
func TestHubThatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, push.Config{}, 4)
		defer r.end()
		in := push.Interest{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100")}
		s := r.subscribe(in, "")
		synctest.Wait()
		held := r.hub.Hold() // nothing is matched now
		for i := range 100 {
			r.publish(to(t, "12155550100"), fmt.Sprint(i), time.Minute)
		}
		held()
		got, _ := all(t, s)
		if len(got) < 5 || !slices.Contains(got, "gap") || got[len(got)-1] != "99" {
			t.Errorf("told %q", got)
		}
	})
}

// TestWhatTheFeedHasLostIsAGap: it may have been of interest, though nothing else is.
func TestWhatTheFeedHasLostIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, push.Config{}, 4)
		defer r.end()
		in := push.Interest{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100")}
		s := r.subscribe(in, "")
		cursor := s.Cursor()
		s.Close()
		r.lay(to(t, "12155550100"), "lost", time.Minute)
		for i := range 10 {
			r.lay(to(t, "12155550300"), fmt.Sprint("of no interest ", i), time.Minute)
		}
		s = r.subscribe(in, cursor)
		if got, last := all(t, s); !slices.Equal(got, []string{"gap"}) || last == cursor {
			t.Errorf("told %q up to %s", got, last)
		}
	})
}

// TestCursorsTellNothing: how many calls of others there were between two of them.
func TestCursorsTellNothing(t *testing.T) {
	bubble(t, push.Config{}, func(t *testing.T, r *shelf) {
		seen := map[string]bool{}
		for position := range uint64(100) {
			cursor := r.hub.CursorOf(position)
			if seen[cursor[:8]] || seen[cursor[14:]] {
				t.Errorf("%s shares a part with another", cursor)
			}
			seen[cursor[:8]], seen[cursor[14:]] = true, true
		}
	})
}

// FuzzCursor: a cursor is refused, or stands for a subscription whose own cursor is good again.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "-", foreign, foreign[1:], foreign + "A", foreign[:20] + "\r\n", "0123456789abcdefghijkB", "0123456789abcdefghij=="} {
		f.Add(seed)
	}
	r := open(f, push.Config{}, 8)
	f.Cleanup(r.end)
	in := push.Interest{Profile: oob.RFC9888, Numbers: numbers(f, "12155550100")}
	f.Fuzz(func(t *testing.T, cursor string) {
		s, err := r.hub.Subscribe("us", in, cursor)
		if err != nil {
			if s != nil || !errors.Is(err, oob.Malformed) {
				t.Fatalf("%v, %v", s, err)
			}
			return
		}
		defer s.Close()
		again, err := r.hub.Subscribe("us", in, s.Cursor())
		if err != nil {
			t.Fatalf("its own cursor: %v", err)
		}
		again.Close()
	})
}
