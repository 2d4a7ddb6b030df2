package cpsclient_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// shelf is a Source that answers after a time, with PASSporTs or a fault, and as late as its context at the latest.
type shelf struct {
	after     time.Duration
	passports []string
	fault     oob.Kind

	mu       sync.Mutex
	asked    []time.Time // guarded by mu, as what follows
	consumed []string
}

func (s *shelf) Retrieve(ctx context.Context, _ oob.Key) ([]string, error) {
	s.mu.Lock()
	s.asked = append(s.asked, time.Now())
	s.mu.Unlock()
	select {
	case <-time.After(s.after):
	case <-ctx.Done():
		return nil, oob.Faultf(oob.PeerTimeout, "too late")
	}
	if len(s.passports) == 0 {
		return nil, oob.Faultf(s.fault, "nothing")
	}
	return s.passports, nil
}

func (s *shelf) Consume(_ context.Context, _ oob.Key, ids []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.consumed = append(s.consumed, ids...)
	return nil
}

// pushedEvent is a record of a call as it is pushed now, and served for a minute.
func pushedEvent(k oob.Key, passports ...string) cpsclient.Event {
	now := time.Now()
	return cpsclient.Event{Held: oob.Held{Key: k, Record: oob.Record{Passports: passports, Received: now, Expires: now.Add(time.Minute)}}}
}

// TestRFC9888_S6_ACallWaitsForItsPush: which answers, when, and whether anybody else is asked. The budget is 1 s, of which
// 400 ms are for the pull; the patience of the form is 1 s.
func TestRFC9888_S6_ACallWaitsForItsPush(t *testing.T) {
	const never = -1
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, c := range []struct {
		name   string
		push   int // when a PASSporT is pushed, in ms after the call, negative before it; see never
		never  bool
		up     bool
		down   int    // when the subscription goes down, in ms after the call; 0 for not
		next   *shelf // nil for nobody
		caller int    // when the caller gives up; 0 for not
		want   string // the PASSporT; empty for a fault
		kind   oob.Kind
		took   int
		asked  int // when Next was asked; never for not
	}{
		{name: "it is there", push: -5, up: true, next: &shelf{}, want: "push", asked: never},
		{name: "it was there, and the subscription is down", push: -5, next: &shelf{}, want: "push", asked: never},
		{name: "it comes soon", push: 30, up: true, next: &shelf{passports: []string{"pull"}}, want: "push", took: 30, asked: never},
		{name: "it comes just before the pull", push: 599, up: true, next: &shelf{passports: []string{"pull"}}, want: "push", took: 599, asked: never},
		{name: "it comes while a pull is under way", push: 650, up: true, next: &shelf{after: ms(100), passports: []string{"pull"}}, want: "push", took: 650, asked: 600},
		{name: "the pull is faster", push: 750, up: true, next: &shelf{after: ms(100), passports: []string{"pull"}}, want: "pull", took: 700, asked: 600},
		{name: "the pull finds nothing, and it comes", push: 900, up: true, next: &shelf{after: ms(100), fault: oob.NotFound}, want: "push", took: 900, asked: 600},
		{name: "the pull fails, and it comes", push: 900, up: true, next: &shelf{after: ms(10), fault: oob.PeerFailed}, want: "push", took: 900, asked: 600},
		{name: "the pull hangs, and it comes", push: 999, up: true, next: &shelf{after: time.Hour}, want: "push", took: 999, asked: 600},
		{name: "nothing comes, and the pull finds it", never: true, up: true, next: &shelf{after: ms(50), passports: []string{"pull"}}, want: "pull", took: 650, asked: 600},
		{name: "nothing anywhere", never: true, up: true, next: &shelf{after: ms(50), fault: oob.NotFound}, kind: oob.NotFound, took: 1000, asked: 600},
		{name: "nothing, and the pull hangs", never: true, up: true, next: &shelf{after: time.Hour}, kind: oob.PeerTimeout, took: 1000, asked: 600},
		{name: "nothing, and nobody to ask", never: true, up: true, kind: oob.NotFound, took: 1000, asked: never},
		{name: "it comes, and nobody to ask", push: 999, up: true, want: "push", took: 999, asked: never},
		{name: "down: the pull at once", never: true, next: &shelf{after: ms(50), passports: []string{"pull"}}, want: "pull", took: 50},
		{name: "down: a pull that finds nothing", never: true, next: &shelf{after: ms(50), fault: oob.NotFound}, kind: oob.NotFound, took: 50},
		{name: "down: a pull that fails", never: true, next: &shelf{fault: oob.PeerFailed}, kind: oob.PeerFailed},
		{name: "down: a pull that hangs", never: true, next: &shelf{after: time.Hour}, kind: oob.PeerTimeout, took: 1000},
		{name: "down, and nobody to ask", never: true, kind: oob.PeerFailed, asked: never},
		{name: "down, and a push comes before the pull", push: 20, next: &shelf{after: ms(50), passports: []string{"pull"}}, want: "push", took: 20},
		{name: "goes down meanwhile: the pull at once", never: true, up: true, down: 100, next: &shelf{after: ms(50), passports: []string{"pull"}}, want: "pull", took: 150, asked: 100},
		{name: "goes down meanwhile, and nobody to ask", never: true, up: true, down: 100, kind: oob.PeerFailed, took: 100, asked: never},
		{name: "goes down while a pull finds nothing", push: 900, up: true, down: 650, next: &shelf{after: ms(100), fault: oob.NotFound}, kind: oob.NotFound, took: 700, asked: 600},
		{name: "the caller has little time: half is for the pull no more", never: true, up: true, caller: 500, next: &shelf{after: ms(50), passports: []string{"pull"}}, want: "pull", took: 150, asked: 100},
		{name: "the caller has no time to wait", never: true, up: true, caller: 300, next: &shelf{after: ms(50), passports: []string{"pull"}}, want: "pull", took: 50},
		{name: "the caller gives up", never: true, up: true, caller: 300, kind: oob.NotFound, took: 300, asked: never},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := cpsclient.InboxConfig{}
				if c.next != nil {
					cfg.Next = c.next
				}
				inbox := cpsclient.NewInbox(cfg)
				inbox.Alive(c.up)
				key := keyOf(oob.RFC9888)
				if !c.never {
					if c.push < 0 {
						inbox.Receive(pushedEvent(key, "push"))
						time.Sleep(ms(-c.push))
					} else {
						go func() { time.Sleep(ms(c.push)); inbox.Receive(pushedEvent(key, "push")) }()
					}
				}
				if c.down > 0 {
					go func() { time.Sleep(ms(c.down)); inbox.Alive(false) }()
				}
				ctx := t.Context()
				if c.caller > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, ms(c.caller))
					defer cancel()
				}
				began := time.Now()
				got, err := inbox.Retrieve(ctx, key)
				if took := time.Since(began); took != ms(c.took) {
					t.Errorf("took %v, want %v", took, ms(c.took))
				}
				switch {
				case c.want == "":
					wantFault(t, err, c.kind)
				case err != nil || !slices.Equal(got, []string{c.want}):
					t.Errorf("got %q, %v", got, err)
				}
				if c.next != nil {
					c.next.mu.Lock()
					if asked := len(c.next.asked) > 0; asked != (c.asked != never) || asked && c.next.asked[0].Sub(began) != ms(c.asked) {
						t.Errorf("Next was asked %v, want %d ms after the call", c.next.asked, c.asked)
					}
					c.next.mu.Unlock()
				}
				stats := inbox.Stats()
				if stats.Held+stats.Pushed+stats.Pulled+stats.Nothing != 1 || (stats.Nothing == 1) != (c.want == "") || (stats.Pulled == 1) != (c.want == "pull") {
					t.Errorf("%+v", stats)
				}
				time.Sleep(2 * time.Second) // whatever is left
			})
		})
	}
}

// TestAPushIsHeldWhileTheCPSWouldServeIt, by the clock of the CPS, and a minute at most.
func TestAPushIsHeldWhileTheCPSWouldServeIt(t *testing.T) {
	for _, c := range []struct {
		name              string
		received, expires time.Duration // from now, by the clock of the CPS
		want              time.Duration
	}{
		{"a minute", 0, time.Minute, time.Minute},
		{"seven seconds", 0, 7 * time.Second, 7 * time.Second},
		{"a CPS in yesterday", -24 * time.Hour, -24*time.Hour + 7*time.Second, 7 * time.Second},
		{"a CPS in tomorrow", 24 * time.Hour, 24*time.Hour + 7*time.Second, 7 * time.Second},
		{"for a year", 0, 365 * 24 * time.Hour, time.Minute},
		{"over before it began", 0, -time.Second, 0},
		{"no time at all", 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inbox := cpsclient.NewInbox(cpsclient.InboxConfig{})
				e := pushedEvent(keyOf(oob.RFC9888), "a.b.c")
				now := time.Now()
				e.Received, e.Expires = now.Add(c.received), now.Add(c.expires)
				inbox.Receive(e)
				if c.want > 0 {
					time.Sleep(c.want - time.Nanosecond)
					if got, err := inbox.Retrieve(t.Context(), e.Key); err != nil || len(got) != 1 {
						t.Errorf("just before its end: %q, %v", got, err)
					}
					time.Sleep(time.Nanosecond)
				}
				if _, err := inbox.Retrieve(t.Context(), e.Key); !errors.Is(err, oob.PeerFailed) {
					t.Errorf("at its end: %v", err)
				}
				if stats := inbox.Stats(); stats.Records != 0 || stats.Bytes != 0 || stats.Dropped != 0 {
					t.Errorf("%+v", stats)
				}
			})
		})
	}
}

// TestInboxGivesTheNewestFirst, each once, of this very call.
func TestInboxGivesTheNewestFirst(t *testing.T) {
	next := &shelf{fault: oob.NotFound}
	inbox := cpsclient.NewInbox(cpsclient.InboxConfig{Next: next})
	key, other, company := keyOf(oob.RFC9888), keyOf(oob.RFC9888), keyOf(oob.Company)
	other.Orig = number("12015550100")
	for _, e := range []cpsclient.Event{
		pushedEvent(key, "1", "2"), pushedEvent(other, "3"), pushedEvent(key, "4", "2"), pushedEvent(company, "5"),
	} {
		inbox.Receive(e)
	}
	if got, err := inbox.Retrieve(t.Context(), key); err != nil || !slices.Equal(got, []string{"4", "2", "1"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := inbox.Retrieve(t.Context(), company); err != nil || !slices.Equal(got, []string{"5"}) {
		t.Errorf("%q, %v", got, err)
	}
	if err := inbox.Consume(t.Context(), key, []string{oob.PassportID("2"), oob.PassportID("3")}); err != nil {
		t.Fatal(err)
	}
	if _, err := inbox.Retrieve(t.Context(), key); !errors.Is(err, oob.NotFound) {
		t.Errorf("what has been consumed: %v", err)
	}
	if got, err := inbox.Retrieve(t.Context(), other); err != nil || !slices.Equal(got, []string{"3"}) || len(next.consumed) != 2 {
		t.Errorf("another call: %q, %v", got, err)
	}
}

// TestInboxIsBounded: a flood for one number costs that number alone, and one for all costs the oldest.
func TestInboxIsBounded(t *testing.T) {
	key := func(called int) oob.Key {
		n, err := tn.ParseNumber(fmt.Sprint(12015550000 + called))
		if err != nil {
			t.Fatal(err)
		}
		return oob.Key{Profile: oob.RFC9888, Dest: tn.Of(n), Orig: number(orig)}
	}
	large := strings.Repeat("x", oob.PassportBytesMax)
	for _, c := range []struct {
		name string
		text func(i int) string
	}{
		{"records", func(i int) string { return fmt.Sprint(i) }},
		{"bytes", func(i int) string { return large[:len(large)-8] + fmt.Sprintf("%08d", i) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			const recordsMax, bytesMax = 1600, 16 * rfc9888.EventBytesMax
			inbox := cpsclient.NewInbox(cpsclient.InboxConfig{RecordsMax: recordsMax, BytesMax: bytesMax})
			held := func(called int) int {
				got, err := inbox.Retrieve(t.Context(), key(called))
				if err != nil {
					return 0
				}
				return len(got)
			}
			inbox.Receive(pushedEvent(key(0), "quiet"))
			for i := range 5000 {
				inbox.Receive(pushedEvent(key(1), c.text(i)))
			}
			stats := inbox.Stats()
			if held(0) != 1 || held(1) != min(recordsMax/16, bytesMax/16/len(c.text(0))) || stats.Dropped == 0 {
				t.Errorf("after a flood for one: %d and %d, %+v", held(0), held(1), stats)
			}
			for i := range 5000 {
				inbox.Receive(pushedEvent(key(2+i), c.text(i)))
			}
			stats = inbox.Stats()
			if stats.Records > recordsMax || stats.Bytes > bytesMax || stats.Records < 200 || held(0) != 0 || held(1) != 0 || held(5001) != 1 {
				t.Errorf("after a flood for all: %+v", stats)
			}
			if stats.Dropped != 10_001-int64(stats.Records) {
				t.Errorf("%d dropped", stats.Dropped)
			}
		})
	}
}

// TestAPushArrivesThroughAllOfIt: a real CPS, a subscription, an inbox, a pull behind it.
func TestAPushArrivesThroughAllOfIt(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var log asked
		url := n.serve("cps.example", log.record(n.newCPS(t, "cps.example").ServeHTTP))
		up, down := n.client(n.upstream, nil, url), n.client(n.downstream, nil, url)
		inbox := cpsclient.NewInbox(cpsclient.InboxConfig{Next: down})
		early := n.publication(t, oob.Company)
		if err := up.Publish(t.Context(), early); err != nil {
			t.Fatal(err)
		}
		if got, err := inbox.Retrieve(t.Context(), early.Key); err != nil || !slices.Equal(got, early.Passports) {
			t.Errorf("pulled %d, %v", len(got), err)
		}
		s, err := down.Subscribe(t.Context(), cpsclient.SubscribeConfig{
			Profile: oob.Company, Resources: []stircert.Resource{resource(t, "0-"+downstreamSPC)}, Receive: inbox.Receive, Alive: inbox.Alive,
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before := log.count()
		p := n.publication(t, oob.Company)
		p.Key.Orig = number(orig)
		var done sync.WaitGroup
		done.Go(func() {
			time.Sleep(300 * time.Millisecond)
			if err := up.Publish(t.Context(), p); err != nil {
				t.Error(err)
			}
		})
		if err := inbox.Consume(t.Context(), early.Key, []string{oob.PassportID(early.Passports[0])}); err != nil {
			t.Fatal(err)
		}
		took := since(func() {
			if got, err := inbox.Retrieve(t.Context(), p.Key); err != nil || !slices.Equal(got, p.Passports) {
				t.Errorf("pushed %d, %v", len(got), err)
			}
		})
		done.Wait()
		if took != 300*time.Millisecond || log.count()-before != 2 || s.Stats().Received < 1 {
			t.Errorf("took %v and %d requests, %+v", took, log.count()-before, s.Stats())
		}
	})
}
