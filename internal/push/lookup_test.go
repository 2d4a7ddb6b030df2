package push_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// hanging answers as plain does, but not for numbers that begin with 1999 before it is released.
func hanging(released chan struct{}) directory {
	return func(ctx context.Context, n tn.Number) ([]string, error) {
		if !strings.HasPrefix(n.String(), "1999") {
			return plain(ctx, n)
		}
		select {
		case <-released:
			return []string{"567A"}, nil
		case <-ctx.Done():
			return nil, oob.Faultf(oob.PeerTimeout, "")
		}
	}
}

func TestCursorWaitsForLookups(t *testing.T) {
	released := make(chan struct{})
	synctest.Test(t, func(t *testing.T) {
		released = make(chan struct{})
		r := open(t, push.Config{Numbering: directory(func(ctx context.Context, n tn.Number) ([]string, error) { return hanging(released)(ctx, n) })}, 0)
		defer r.end()
		in := push.Interest{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100"), SPCs: []string{"567A"}}
		s, plain := r.subscribe(in, ""), r.subscribe(push.Interest{Profile: oob.RFC9888, Numbers: in.Numbers}, "")
		began := s.Cursor()
		r.lay(to(t, "19995550100"), "hangs", time.Minute)
		r.lay(to(t, "12155550100"), "number", time.Minute)
		r.lay(to(t, "15550000001"), "SPC", time.Minute)
		got, cursor := all(t, s)
		if fmt.Sprint(got) != "[number SPC]" || cursor != began {
			t.Errorf("told %q up to %s, began at %s", got, cursor, began)
		}
		if got, cursor := all(t, plain); fmt.Sprint(got) != "[number]" || cursor == began {
			t.Errorf("who wants no SPC is told %q up to %s", got, cursor)
		}
		// One that comes again meanwhile is told all of it.
		again := r.subscribe(in, cursor)
		if got, at := all(t, again); fmt.Sprint(got) != "[number SPC]" || at != began {
			t.Errorf("who comes again is told %q up to %s", got, at)
		}
		time.Sleep(20 * time.Second) // some questions time out, and are repeated
		if got, at := all(t, s); len(got) != 0 || at != began {
			t.Errorf("while it hangs: %q up to %s", got, at)
		}
		close(released)
		time.Sleep(20 * time.Second)
		for name, one := range map[string]*push.Subscription{"it": s, "who came again": again} {
			if got, at := all(t, one); fmt.Sprint(got) != "[hangs]" || at == began {
				t.Errorf("%s is told %q up to %s", name, got, at)
			}
		}
		if stats := r.hub.Stats(); stats.LookupFailures < 4 || stats.LookupsExpired != 0 || stats.LookingUp != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

func TestLookupEndsWithItsRecord(t *testing.T) {
	for _, c := range []struct {
		name      string
		numbering directory
	}{
		{"unknown", func(context.Context, tn.Number) ([]string, error) { return nil, oob.Faultf(oob.NotFound, "") }},
		{"failing", func(context.Context, tn.Number) ([]string, error) { return nil, errors.New("no") }},
		{"hanging", hanging(nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, push.Config{Numbering: c.numbering}, func(t *testing.T, r *shelf) {
				in := push.Interest{Profile: oob.RFC9888, SPCs: []string{"567A"}}
				s := r.subscribe(in, "")
				began := s.Cursor()
				r.lay(to(t, "19995550100"), "it", 30*time.Second)
				again := r.subscribe(in, began)
				for _, one := range []*push.Subscription{s, again} {
					if got, at := all(t, one); len(got) != 0 || at != began {
						t.Errorf("told %q up to %s", got, at)
					}
				}
				time.Sleep(31 * time.Second)
				for _, one := range []*push.Subscription{s, again} {
					if got, at := all(t, one); len(got) != 0 || at == began {
						t.Errorf("told %q up to %s", got, at)
					}
				}
				if stats := r.hub.Stats(); stats.LookupsExpired != 2 || stats.LookingUp != 0 || stats.Lookups < 8 || stats.Lookups > 30 {
					t.Errorf("%+v", stats)
				}
			})
		})
	}
}

// TestReplayLooksUpInParts: more than a replay looks up at a time.
func TestReplayLooksUpInParts(t *testing.T) {
	const laid = 1000
	released := make(chan struct{})
	synctest.Test(t, func(t *testing.T) {
		released = make(chan struct{})
		r := open(t, push.Config{Numbering: directory(func(ctx context.Context, n tn.Number) ([]string, error) { return hanging(released)(ctx, n) })}, 0)
		defer r.end()
		in := push.Interest{Profile: oob.RFC9888, SPCs: []string{"567A"}}
		first := r.subscribe(in, "")
		began := first.Cursor()
		first.Close()
		for i := range laid {
			r.lay(to(t, fmt.Sprint(19990000000+i)), fmt.Sprint(i), time.Minute)
		}
		s := r.subscribe(in, began)
		r.lay(to(t, "15550000001"), "live", time.Minute)
		got, at := all(t, s)
		if open := r.hub.Stats().LookingUp; fmt.Sprint(got) != "[live]" || at != began || open == 0 || open > 300 {
			t.Errorf("told %q up to %s, %d are looked up", got, at, open)
		}
		close(released)
		time.Sleep(15 * time.Second)
		got, at = all(t, s)
		slices.Sort(got)
		if want := texts(0, laid); len(got) != laid || !slices.Equal(got, slices.Sorted(slices.Values(want))) || at == began {
			t.Errorf("told %d up to %s", len(got), at)
		}
	})
}

// TestTooManyLookups: who wants SPCs is cut off, and comes again; nobody else is disturbed.
func TestTooManyLookups(t *testing.T) {
	bubble(t, push.Config{Numbering: hanging(nil), QueueMax: 2}, func(t *testing.T, r *shelf) {
		s := r.subscribe(push.Interest{Profile: oob.RFC9888, SPCs: []string{"567A"}}, "")
		other := r.subscribe(push.Interest{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100")}, "")
		company := r.subscribe(push.Interest{Profile: oob.Company, SPCs: []string{"567A"}}, "")
		began := s.Cursor()
		for i := range push.LookupsMax + 1 {
			r.publish(to(t, fmt.Sprint(19990000000+i)), "x", time.Minute)
		}
		r.lay(to(t, "12155550100"), "number", time.Minute)
		r.lay(key(t, oob.Company, "567A", "12155550100", "12025550100"), "company", time.Minute)
		if _, err := s.Next(t.Context()); !errors.Is(err, push.ErrSlow) || s.Cursor() != began {
			t.Errorf("%v, at %s", err, s.Cursor())
		}
		for want, one := range map[string]*push.Subscription{"number": other, "company": company} {
			if got, _ := all(t, one); !slices.Equal(got, []string{want}) {
				t.Errorf("told %q, want %s", got, want)
			}
		}
	})
}

// TestResumeStormsCostOthersNothing: who comes again and goes, again and again, leaves no look-ups behind; and while they go
// on, what is laid now is told at once.
func TestResumeStormsCostOthersNothing(t *testing.T) {
	bubble(t, push.Config{Numbering: hanging(nil)}, func(t *testing.T, r *shelf) {
		in := push.Interest{Profile: oob.RFC9888, SPCs: []string{"890B"}}
		first := r.subscribe(in, "")
		began := first.Cursor()
		first.Close()
		for i := range 300 {
			r.lay(to(t, fmt.Sprint(19990000000+i)), fmt.Sprint(i), time.Minute)
		}
		var storm []*push.Subscription
		for range 20 {
			s := r.subscribe(in, began)
			next(t, s) // which begins with the replay
			storm = append(storm, s)
		}
		if n := r.hub.Stats().LookingUp; n < 20*250 {
			t.Errorf("%d are looked up", n)
		}
		s := r.subscribe(in, "")
		r.lay(to(t, "15550000009"), "it", time.Minute)
		if got, _ := all(t, s); !slices.Equal(got, []string{"it"}) {
			t.Errorf("told %q", got)
		}
		for _, s := range storm {
			s.Close()
		}
		before := r.hub.Stats().Lookups
		time.Sleep(40 * time.Second) // those that are being asked end, and no others are asked any more
		if stats := r.hub.Stats(); stats.LookingUp != 0 || stats.Lookups-before > 256 {
			t.Errorf("%+v, before %d", stats, before)
		}
	})
}
