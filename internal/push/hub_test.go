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

func TestSubscriberIsToldWhatMatches(t *testing.T) {
	rfc := func(numbers []tn.Range, spcs ...string) push.Interest {
		return push.Interest{Profile: oob.RFC9888, Numbers: numbers, SPCs: spcs}
	}
	company := func(numbers []tn.Range, spcs ...string) push.Interest {
		return push.Interest{Profile: oob.Company, Numbers: numbers, SPCs: spcs}
	}
	theirs := key(t, oob.Company, "567A", "15550000001", "12025550100")
	for _, c := range []struct {
		name string
		in   push.Interest
		laid oob.Key
		told int
	}{
		{"the number", rfc(numbers(t, "12155550100")), to(t, "12155550100"), 1},
		{"another number", rfc(numbers(t, "12155550100")), to(t, "12155550101"), 0},
		{"a longer number", rfc(numbers(t, "1215555")), to(t, "12155550100"), 0},
		{"who calls", rfc(numbers(t, "12025550100")), to(t, "12155550100"), 0},
		{"in the range", rfc(numbers(t, "12155550100-12155550199")), to(t, "12155550150"), 1},
		{"first of the range", rfc(numbers(t, "12155550100-12155550199")), to(t, "12155550100"), 1},
		{"last of the range", rfc(numbers(t, "12155550100-12155550199")), to(t, "12155550199"), 1},
		{"before the range", rfc(numbers(t, "12155550100-12155550199")), to(t, "12155550099"), 0},
		{"behind the range", rfc(numbers(t, "12155550100-12155550199")), to(t, "12155550200"), 0},
		{"another length", rfc(numbers(t, "1000-1999")), to(t, "15000"), 0},
		{"leading zero", rfc(numbers(t, "0000-0999")), to(t, "500"), 0},
		{"star", rfc(numbers(t, "*67")), to(t, "*67"), 1},
		{"star is not hash", rfc(numbers(t, "*67")), to(t, "#67"), 0},
		{"star is in no range", rfc(numbers(t, "000-999")), to(t, "*67"), 0},
		{"a URI", rfc(numbers(t, "000-999")), to(t, "sip:alice@example.com"), 0},
		{"ranges that overlap", rfc(numbers(t, "12155550100-12155550199", "12155550150-12155550299", "12155550160")), to(t, "12155550160"), 1},
		{"a range within another", rfc(numbers(t, "12155550100-12155550199", "12155550110-12155550119")), to(t, "12155550180"), 1},
		{"another profile", rfc(numbers(t, "15550000001")), theirs, 0},
		{"the SPC of the key", company(nil, "567A"), theirs, 1},
		{"another SPC", company(nil, "567B"), theirs, 0},
		{"the number of the other form", company(numbers(t, "15550000001")), theirs, 1},
		{"SPC of the key and number", company(numbers(t, "15550000001"), "567A"), theirs, 1},
		{"SPC of the number", rfc(nil, "567A"), to(t, "15550000001"), 1},
		{"SPC of another number", rfc(nil, "890B"), to(t, "15550000001"), 0},
		{"SPC of a number that is unknown", rfc(nil, "567A"), to(t, "13035550100"), 0},
		{"SPC and number", rfc(numbers(t, "15550000001"), "567A"), to(t, "15550000001"), 1},
		{"two SPCs of one number", rfc(nil, "890B", "567A"), to(t, "15550000009"), 1},
		{"SPC twice", rfc(nil, "567A", "567A"), to(t, "15550000001"), 1},
		{"everything", push.Interest{Profile: oob.RFC9888, All: true, Numbers: numbers(t, "12155550100"), SPCs: []string{"567A"}}, to(t, "12155550100"), 1},
		{"everything of the other form", push.Interest{Profile: oob.Company, All: true}, to(t, "12155550100"), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, push.Config{Numbering: directory(plain)}, func(t *testing.T, r *shelf) {
				s, other := r.subscribe(c.in, ""), r.subscribe(c.in, "")
				began := s.Cursor()
				r.lay(c.laid, "it", time.Minute)
				got, last := all(t, s)
				if len(got) != c.told {
					t.Errorf("told %q", got)
				}
				// The same from the feed, for one that comes with a cursor.
				again := r.subscribe(c.in, began)
				if replayed, end := all(t, again); !slices.Equal(replayed, got) || end != last {
					t.Errorf("replayed %q up to %s, told %q up to %s", replayed, end, got, last)
				}
				// And nothing is left behind of those who have gone.
				s.Close()
				again.Close()
				other.Close()
				r.lay(c.laid, "more", time.Minute)
				if stats := r.hub.Stats(); stats.Subscribers != 0 || stats.Entries != 0 || stats.Told != uint64(3*c.told) {
					t.Errorf("%+v", stats)
				}
			})
		})
	}
}

func TestSubscriptionIsRefused(t *testing.T) {
	cfg := push.Config{EntriesMax: 3, SubscribersMax: 3, AccountSubscribersMax: 2, AllEntriesMax: 5}
	good := push.Interest{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100")}
	for _, c := range []struct {
		name   string
		before int // subscriptions of as many accounts
		mine   int // and of the same
		in     push.Interest
		cursor string
		want   oob.Kind
	}{
		{name: "a form that is not pushed", in: push.Interest{Profile: oob.Mesh, Numbers: good.Numbers}, want: oob.Malformed},
		{name: "nothing", in: push.Interest{Profile: oob.RFC9888}, want: oob.Malformed},
		{name: "a range of nothing", in: push.Interest{Profile: oob.RFC9888, Numbers: make([]tn.Range, 1)}, want: oob.Malformed},
		{name: "an empty SPC", in: push.Interest{Profile: oob.Company, SPCs: []string{""}}, want: oob.Malformed},
		{name: "a long SPC", in: push.Interest{Profile: oob.Company, SPCs: []string{strings.Repeat("A", 65)}}, want: oob.Malformed},
		{name: "an SPC whose numbers nobody knows", in: push.Interest{Profile: oob.RFC9888, SPCs: []string{"567A"}}, want: oob.Refused},
		{name: "too much", in: push.Interest{Profile: oob.Company, Numbers: numbers(t, "1", "2"), SPCs: []string{"567A", "567B"}}, want: oob.TooLarge},
		{name: "no cursor", in: good, cursor: "5", want: oob.Malformed},
		{name: "a short cursor", in: good, cursor: strings.Repeat("A", 21), want: oob.Malformed},
		{name: "padding", in: good, cursor: strings.Repeat("A", 22) + "==", want: oob.Malformed},
		{name: "another way to write it", in: good, cursor: strings.Repeat("A", 21) + "B", want: oob.Malformed},
		{name: "line breaks", in: good, cursor: strings.Repeat("A", 20) + "\r\n", want: oob.Malformed},
		{name: "a long cursor", in: good, cursor: strings.Repeat("A", 23), want: oob.Malformed},
		{name: "too many of one account", mine: 2, in: good, want: oob.QuotaExceeded},
		{name: "too many entries of one account", mine: 1, in: push.Interest{Profile: oob.Company, Numbers: numbers(t, "1", "3"), SPCs: []string{"567A"}}, want: oob.QuotaExceeded},
		{name: "too many", before: 3, in: good, want: oob.Overloaded},
		{name: "too many entries in all", before: 2, mine: 0, in: push.Interest{Profile: oob.Company, Numbers: numbers(t, "1", "3"), SPCs: []string{"567A"}}, want: oob.Overloaded},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := cfg
			if c.name == "too many entries in all" {
				cfg.AllEntriesMax = 4
			}
			bubble(t, cfg, func(t *testing.T, r *shelf) {
				var open []*push.Subscription
				for i := range c.before + c.mine {
					account := "us"
					if i < c.before {
						account = fmt.Sprint(i)
					}
					s, err := r.hub.Subscribe(account, good, "")
					if err != nil {
						t.Fatal(err)
					}
					open = append(open, s)
				}
				s, err := r.hub.Subscribe("us", c.in, c.cursor)
				if !errors.Is(err, c.want) || s != nil {
					t.Errorf("%v", err)
				}
				if len(open) == 0 {
					return
				}
				if oob.FaultOf(err).RetryAfter == 0 || r.hub.Stats().Refused != 1 {
					t.Errorf("try again %v", oob.FaultOf(err).RetryAfter)
				}
				open[0].Close()
				open[0].Close() // frees one place alone
				if s, err := r.hub.Subscribe("us", c.in, c.cursor); err != nil {
					t.Errorf("in a place that is free: %v", err)
				} else if _, err := r.hub.Subscribe("us", c.in, c.cursor); err == nil {
					t.Error("one place is taken twice")
				} else {
					s.Close()
				}
			})
		})
	}
}

func TestSlowSubscriberIsCutOff(t *testing.T) {
	bubble(t, push.Config{QueueMax: 4}, func(t *testing.T, r *shelf) {
		in := push.Interest{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100-12155550199")}
		slow, quick := r.subscribe(in, ""), r.subscribe(in, "")
		var want []string
		for i := range 10 {
			text := fmt.Sprint(i)
			r.lay(to(t, fmt.Sprint(12155550100+i)), text, time.Minute)
			want = append(want, text)
			if got, _ := all(t, quick); !slices.Equal(got, []string{text}) {
				t.Fatalf("the quick one has %q", got)
			}
			if i == 0 {
				if got, _ := next(t, slow); got != "0" {
					t.Fatalf("the slow one begins with %q", got)
				}
			}
		}
		if _, err := slow.Next(t.Context()); !errors.Is(err, push.ErrSlow) || r.hub.Stats().Slow != 1 {
			t.Fatalf("the slow one: %v", err)
		}
		cursor := slow.Cursor()
		slow.Close()
		// It gets the rest, although that is more than its queue takes.
		if got, _ := all(t, r.subscribe(in, cursor)); !slices.Equal(got, want[1:]) {
			t.Errorf("told %q after it came again", got)
		}
	})
}

func TestNothingIsToldAfterItHasExpired(t *testing.T) {
	bubble(t, push.Config{}, func(t *testing.T, r *shelf) {
		in := push.Interest{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100")}
		s := r.subscribe(in, "")
		began := s.Cursor()
		r.lay(to(t, "12155550100"), "short", time.Second)
		r.lay(to(t, "12155550100"), "long", time.Minute)
		time.Sleep(time.Second)
		got, cursor := all(t, s)
		if fmt.Sprint(got) != "[long]" || r.hub.Stats().Stale != 1 {
			t.Errorf("told %q", got)
		}
		if got, end := all(t, r.subscribe(in, began)); fmt.Sprint(got) != "[long]" || end != cursor {
			t.Errorf("told %q after it came again", got)
		}
		// What is consumed is not told to those who come later.
		if _, err := r.store.Consume(t.Context(), oob.Consumption{Key: to(t, "12155550100"), Passport: oob.PassportID("long")}); err != nil {
			t.Fatal(err)
		}
		if got, end := all(t, r.subscribe(in, began)); len(got) != 0 || end != cursor {
			t.Errorf("told %q after it was consumed", got)
		}
	})
}

func TestHubEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, push.Config{}, 0)
		in := push.Interest{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100")}
		s, closed := r.subscribe(in, ""), r.subscribe(in, "")
		w, err := r.hub.Watch("us", to(t, "12155550100"))
		if err != nil {
			t.Fatal(err)
		}
		waited := make(chan bool)
		go func() { waited <- w.Wait(t.Context()) }()
		told := make(chan error)
		go func() {
			_, err := s.Next(t.Context())
			told <- err
		}()
		closed.Close()
		if _, err := closed.Next(t.Context()); !errors.Is(err, push.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		synctest.Wait()
		r.end()
		if <-waited || !errors.Is(<-told, push.ErrClosed) {
			t.Error("somebody waits on, or was told something")
		}
		if s.Cursor() == "" {
			t.Error("the cursor is lost")
		}
		s.Close()
		w.Close()
		if _, err := r.hub.Subscribe("us", in, ""); !errors.Is(err, oob.Draining) {
			t.Errorf("subscribed with %v", err)
		}
		if _, err := r.hub.Watch("us", to(t, "12155550100")); !errors.Is(err, oob.Draining) {
			t.Errorf("watched with %v", err)
		}
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	bubble(t, push.Config{}, func(t *testing.T, r *shelf) {
		s := r.subscribe(push.Interest{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100")}, "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if event, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) || event.Cursor != "" {
			t.Errorf("%+v, %v", event, err)
		}
		r.lay(to(t, "12155550100"), "after", time.Minute)
		if text, _ := next(t, s); text != "after" {
			t.Errorf("then %q", text)
		}
	})
}
