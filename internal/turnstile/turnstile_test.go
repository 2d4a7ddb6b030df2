package turnstile_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/turnstile"
)

// lab has requests that come at their time and take their time.
type lab struct {
	*testing.T
	*turnstile.Turnstile

	mu     sync.Mutex
	served []served // guarded by mu
}

// served is what became of one request.
type served struct {
	guest   turnstile.Guest
	errand  turnstile.Errand
	began   time.Time
	waited  time.Duration
	err     error
	ordinal int // in which it was decided
}

func open(t *testing.T, c turnstile.Config) *lab {
	t.Helper()
	c.Look = -1
	return &lab{T: t, Turnstile: turnstile.New(c)}
}

// come has a request come now; it is worked on for as long as is said. What becomes of it is written down when it is decided.
func (l *lab) come(g turnstile.Guest, errand turnstile.Errand, work time.Duration) {
	began := time.Now()
	go func() {
		pass, err := l.Enter(l.Context(), g, errand)
		l.mu.Lock()
		l.served = append(l.served, served{g, errand, began, time.Since(began), err, len(l.served)})
		l.mu.Unlock()
		if err == nil {
			time.Sleep(work)
			pass.Leave()
		}
	}()
	synctest.Wait()
}

// prove has guests known.
func (l *lab) prove(guests ...turnstile.Guest) {
	for _, g := range guests {
		pass, err := l.Enter(l.Context(), g, turnstile.Retrieval)
		if err != nil {
			l.Fatal(err)
		}
		turnstile.Proven(pass)
		pass.Leave()
	}
}

// all is what has been decided so far.
func (l *lab) all() []served {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.served)
}

// tally is what became of the requests of one guest.
type tally struct {
	served, share, strained int
	longest                 time.Duration // waited by who was served
}

func (l *lab) tally(match func(served) bool) (sum tally) {
	for _, s := range l.all() {
		switch {
		case !match(s):
		case s.err == nil:
			sum.served++
			sum.longest = max(sum.longest, s.waited)
		case errors.Is(s.err, turnstile.ErrShare):
			sum.share++
		case errors.Is(s.err, turnstile.ErrStrained):
			sum.strained++
		default:
			l.Errorf("%v", s.err)
		}
	}
	return sum
}

func claims(claim string) func(served) bool {
	return func(s served) bool { return s.guest.Claim == claim }
}

func guest(address, claim string) turnstile.Guest {
	return turnstile.Guest{Address: netip.MustParsePrefix(address + "/32"), Claim: claim}
}

const ms = time.Millisecond

// bubble runs a test in a time of its own, until nobody waits any more.
func bubble(t *testing.T, test func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		test(t)
		time.Sleep(2 * time.Hour)
	})
}

func TestWithFreePlacesNobodyWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := open(t, turnstile.Config{Places: 3})
		for range 3 {
			l.come(guest("192.0.2.1", "1234"), turnstile.Publication, ms)
		}
		l.come(guest("192.0.2.1", "1234"), turnstile.Publication, ms)
		time.Sleep(10 * ms)
		if got := l.Stats(); got != (turnstile.Stats{Places: 3, Entered: 4}) {
			t.Errorf("%+v", got)
		}
		for i, want := range []time.Duration{0, 0, 0, ms} {
			if l.all()[i].waited != want {
				t.Errorf("%d waited %v", i, l.all()[i].waited)
			}
		}
	})
}

// TestOneGreedyGuestWaitsForItself: others are served at once, but for who is worked on and one turn; what is too much is its own.
func TestOneGreedyGuestWaitsForItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := open(t, turnstile.Config{Places: 1, Target: 5 * ms, Burst: 20 * ms})
		greedy := guest("192.0.2.1", "greedy")
		l.prove(greedy, guest("192.0.2.2", "a"), guest("192.0.2.3", "b"))
		for at := range 2000 { // every other millisecond is one request of the others, of which each takes one
			l.come(greedy, turnstile.Retrieval, ms)
			l.come(greedy, turnstile.Publication, ms)
			switch at % 4 {
			case 1:
				l.come(guest("192.0.2.2", "a"), turnstile.Publication, ms)
			case 3:
				l.come(guest("192.0.2.3", "b"), turnstile.Publication, ms)
			}
			time.Sleep(ms)
		}
		time.Sleep(time.Second)
		for _, claim := range []string{"a", "b"} {
			if got := l.tally(claims(claim)); got.served != 500 || got.longest > 3*ms {
				t.Errorf("%s: %+v", claim, got)
			}
		}
		got := l.tally(claims("greedy"))
		if got.served < 950 || got.share < 2000 || got.strained > 500 {
			t.Errorf("greedy: %+v", got)
		}
	})
}

// TestWhoIsGreedyIsRefusedLate, also where others ask so seldom that none of them waits; who is alone is no more greedy than anybody.
func TestWhoIsGreedyIsRefusedLate(t *testing.T) {
	for name, c := range map[string]struct {
		others   bool
		earliest time.Duration // of refusals
		refusal  error
	}{
		"beside others": {true, 100 * ms, turnstile.ErrShare},
		"alone":         {false, 5 * ms, turnstile.ErrStrained},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := open(t, turnstile.Config{Places: 1, Target: 5 * ms, Burst: 50 * ms})
				greedy := guest("192.0.2.1", "greedy")
				l.prove(greedy, guest("192.0.2.2", "a"))
				for at := range 3000 {
					for range 3 {
						l.come(greedy, turnstile.Publication, ms)
					}
					if c.others && at%100 == 0 {
						l.come(guest("192.0.2.2", "a"), turnstile.Publication, ms)
					}
					time.Sleep(ms)
				}
				refused := 0
				for _, s := range l.all() {
					if since := s.began.Sub(l.all()[0].began); s.err == nil || since < time.Second/2 || since > 2*time.Second || !claims("greedy")(s) {
						continue
					}
					if refused++; !errors.Is(s.err, c.refusal) || s.waited < c.earliest {
						t.Fatalf("%v after %v", s.err, s.waited)
					}
				}
				if refused < 500 {
					t.Errorf("%d refused", refused)
				}
			})
		})
	}
}

// TestAGreedyGuestMovesNobodysWait: how long others wait does hardly depend on it.
func TestAGreedyGuestMovesNobodysWait(t *testing.T) {
	longest := func(greedy bool) (longest time.Duration) {
		bubble(t, func(t *testing.T) {
			l := open(t, turnstile.Config{Places: 2})
			var others []turnstile.Guest
			for i := range 10 {
				others = append(others, guest("192.0.2."+strconv.Itoa(i), "other"+strconv.Itoa(i)))
			}
			l.prove(others...)
			l.prove(guest("198.51.100.1", "greedy"))
			for at := range 4000 { // 20 others in 16 ms, which is 62 %
				if at%8 == 0 {
					for i := range 10 {
						l.come(others[(at+i)%10], turnstile.Errand(i%2), ms)
					}
				}
				for range 8 {
					if greedy {
						l.come(guest("198.51.100.1", "greedy"), turnstile.Errand(at%2), ms)
					}
				}
				time.Sleep(ms)
			}
			time.Sleep(time.Second)
			longest = l.tally(func(s served) bool { return s.guest.Claim != "greedy" }).longest
		})
		return longest
	}
	without, with := longest(false), longest(true)
	if with > without+2*ms {
		t.Errorf("%v without, %v with", without, with)
	}
}

// TestStrangersCannotCrowdOutTheKnown, though they claim to be them; and have their turn all the same.
func TestStrangersCannotCrowdOutTheKnown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := open(t, turnstile.Config{Places: 1, Target: 5 * ms, Burst: 20 * ms})
		known := guest("192.0.2.1", "1234")
		l.prove(known)
		for at := range 1000 {
			for i := range 4 {
				// From ever other addresses, in ever other names; one claims to be whom everybody knows.
				l.come(guest(fmt.Sprintf("198.51.%d.%d", at%250, i), strconv.Itoa(at)), turnstile.Retrieval, ms)
				l.come(guest("198.51.100.1", "1234"), turnstile.Retrieval, ms)
			}
			if at%2 == 0 {
				l.come(known, turnstile.Publication, ms)
			}
			time.Sleep(ms)
		}
		time.Sleep(time.Second)
		got := l.tally(func(s served) bool { return s.guest == known })
		if got.served != 500 || got.longest > 2*ms {
			t.Errorf("%+v", got)
		}
		if got := l.tally(func(s served) bool { return s.guest != known }); got.served < 400 {
			t.Errorf("strangers: %+v", got)
		}
	})
}

// TestStrangersHaveEveryEighthTurn while the known take all they can get.
func TestStrangersHaveEveryEighthTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := open(t, turnstile.Config{Places: 1, Target: 20 * ms})
		l.prove(guest("192.0.2.1", "1234"))
		for range 1000 {
			l.come(guest("192.0.2.1", "1234"), turnstile.Retrieval, ms)
			l.come(guest("192.0.2.1", "1234"), turnstile.Retrieval, ms)
			l.come(guest("198.51.100.1", "new"), turnstile.Retrieval, ms)
			time.Sleep(ms)
		}
		if got := l.tally(claims("new")); got.served < 115 || got.served > 135 {
			t.Errorf("%+v", got)
		}
	})
}

// TestRetrievalsGoFirst, and publications have every fourth turn at least.
func TestRetrievalsGoFirst(t *testing.T) {
	for name, c := range map[string]struct {
		retrievals   int // in a millisecond, beside one publication
		served, most int // publications of a thousand
	}{
		"a few":    {0, 990, 1000},
		"too many": {3, 230, 280},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := open(t, turnstile.Config{Places: 1, Target: 5 * ms, Burst: 20 * ms})
				g := guest("192.0.2.1", "1234")
				l.prove(g)
				for range 1000 {
					l.come(g, turnstile.Publication, ms)
					for range c.retrievals {
						l.come(g, turnstile.Retrieval, ms)
					}
					time.Sleep(ms)
				}
				time.Sleep(time.Second)
				got := l.tally(func(s served) bool { return s.errand == turnstile.Publication })
				if got.served < c.served || got.served > c.most {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// TestRetrievalsOfOthersGoFirst: of two who come for the first time, who fetches goes before who brings.
func TestRetrievalsOfOthersGoFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := open(t, turnstile.Config{Places: 1})
		l.come(guest("192.0.2.1", "a"), turnstile.Publication, ms)
		l.come(guest("192.0.2.2", "b"), turnstile.Publication, ms)
		l.come(guest("192.0.2.3", "c"), turnstile.Retrieval, ms)
		time.Sleep(10 * ms)
		for i, want := range []string{"a", "c", "b"} {
			if l.all()[i].guest.Claim != want {
				t.Errorf("%d: %s", i, l.all()[i].guest.Claim)
			}
		}
	})
}

// TestRFC8289_S4_TimeInTheQueueIsBounded, not its length: a burst is served whole; where there is always a queue, nobody waits for longer
// than the target, the newest go first, and all that can be served is.
func TestRFC8289_S4_TimeInTheQueueIsBounded(t *testing.T) {
	config := turnstile.Config{Places: 1, Target: 5 * ms, Burst: 50 * ms}
	g := guest("192.0.2.1", "1234")
	t.Run("a burst", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			l := open(t, config)
			for range 50 {
				l.come(g, turnstile.Retrieval, ms)
			}
			time.Sleep(100 * ms)
			if got := l.tally(claims("1234")); got.served != 50 || got.longest != 49*ms {
				t.Errorf("%+v", got)
			}
		})
	})
	t.Run("twice what can be served", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			l := open(t, config)
			began := time.Now()
			for range 2000 {
				l.come(g, turnstile.Retrieval, ms)
				l.come(g, turnstile.Retrieval, ms)
				time.Sleep(ms)
			}
			over := l.tally(func(s served) bool { return s.began.Sub(began) > 100*ms })
			if over.served < 1890 || over.longest > 6*ms || over.share != 0 || over.strained < 1850 {
				t.Errorf("%+v", over)
			}
			// And when the load falls, it is as if nothing had been.
			time.Sleep(100 * ms)
			calm := len(l.all())
			for range 50 {
				l.come(g, turnstile.Retrieval, ms)
			}
			time.Sleep(100 * ms)
			if got := l.tally(func(s served) bool { return s.ordinal >= calm }); got.served != 50 {
				t.Errorf("afterwards %+v", got)
			}
		})
	})
}

// TestWhoWaitsForOthersHoldsNoPlace, and goes first when he comes back, without ever being shed.
func TestWhoWaitsForOthersHoldsNoPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := open(t, turnstile.Config{Places: 1, Target: 5 * ms, Burst: 20 * ms})
		var order []string
		for i := range 100 { // repositories that take a second
			go func() {
				pass, err := l.Enter(t.Context(), guest("192.0.2.9", "slow"), turnstile.Publication)
				if err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := context.WithTimeout(pass, time.Hour) // as whoever waits has one below it
				defer cancel()
				back := turnstile.Aside(ctx)
				time.Sleep(time.Second)
				back()
				order = append(order, "slow"+strconv.Itoa(i))
				time.Sleep(ms)
				pass.Leave()
			}()
			synctest.Wait()
		}
		for range 900 {
			l.come(guest("192.0.2.1", "quick"), turnstile.Publication, ms)
			time.Sleep(ms)
		}
		if got := l.tally(claims("quick")); got.served != 900 || got.longest != 0 {
			t.Errorf("%+v", got)
		}
		time.Sleep(95 * ms)
		l.come(guest("192.0.2.1", "quick"), turnstile.Publication, ms)
		time.Sleep(10 * ms)
		l.come(guest("192.0.2.1", "quick"), turnstile.Publication, ms) // while they come back
		time.Sleep(200 * ms)
		synctest.Wait()
		if len(order) != 100 {
			t.Errorf("%d came back", len(order))
		}
		if got := l.Stats(); got.Working != 0 || got.Waiting != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// TestWhoIsGoneIsNotWaitedFor: neither in the queue, nor when he would come back, nor when it is just his turn.
func TestWhoIsGoneIsNotWaitedFor(t *testing.T) {
	g := guest("192.0.2.1", "1234")
	type state struct {
		*turnstile.Turnstile
		first  *turnstile.Pass // at work
		cancel context.CancelFunc
	}
	waiting := func(t *testing.T, test func(s state, ended <-chan error)) {
		bubble(t, func(t *testing.T) {
			l := turnstile.New(turnstile.Config{Places: 1, Look: -1})
			first, err := l.Enter(t.Context(), g, turnstile.Retrieval)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				pass, err := l.Enter(ctx, g, turnstile.Retrieval)
				if err == nil {
					pass.Leave()
				}
				ended <- err
			}()
			synctest.Wait()
			test(state{l, first, cancel}, ended)
			if got := l.Stats(); got.Working != 0 || got.Waiting != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
	t.Run("in the queue", func(t *testing.T) {
		waiting(t, func(s state, ended <-chan error) {
			s.cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) || s.Stats().Gone != 1 {
				t.Errorf("%v", err)
			}
			s.first.Leave()
		})
	})
	t.Run("at the moment of his turn", func(t *testing.T) {
		for range 100 {
			waiting(t, func(s state, ended <-chan error) {
				s.first.Leave()
				s.cancel()
				if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("%v", err)
				}
			})
		}
	})
	t.Run("when he would come back", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			l := turnstile.New(turnstile.Config{Places: 1, Look: -1})
			ctx, cancel := context.WithCancel(t.Context())
			pass, err := l.Enter(ctx, g, turnstile.Retrieval)
			if err != nil {
				t.Fatal(err)
			}
			back := turnstile.Aside(pass)
			other, err := l.Enter(t.Context(), g, turnstile.Retrieval)
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			back()
			pass.Leave()
			other.Leave()
			if got := l.Stats(); got.Working != 0 {
				t.Errorf("%+v", got)
			}
		})
	})
}

// TestWhoWaitsIsBounded: in all, and of one guest; and what is kept of guests, however many names they claim.
func TestWhoWaitsIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := open(t, turnstile.Config{Places: 1, Waiting: 40, Burst: time.Hour})
		l.come(guest("192.0.2.1", "a"), turnstile.Retrieval, time.Minute)
		for range 20 {
			l.come(guest("192.0.2.1", "a"), turnstile.Retrieval, ms)
		}
		if got := l.tally(claims("a")); got.strained != 10 || l.Stats().Waiting != 10 {
			t.Errorf("%+v", got)
		}
		for i := range 100 {
			l.come(guest("192.0.2.2", strconv.Itoa(i)), turnstile.Retrieval, ms) // one guest, whatever it claims
		}
		if got := l.Stats(); got.Waiting != 20 || l.Queues() != 2 {
			t.Errorf("%+v, %d queues", got, l.Queues())
		}
		for i := range 100 {
			l.come(guest("198.51.100."+strconv.Itoa(i), ""), turnstile.Retrieval, ms)
		}
		if got := l.Stats(); got.Waiting != 40 || l.Queues() != 22 {
			t.Errorf("%+v, %d queues", got, l.Queues())
		}
		time.Sleep(100 * time.Hour)
		for range 2 { // one has its place, one waits, and who has not asked of late is forgotten
			l.come(guest("192.0.2.1", "a"), turnstile.Retrieval, ms)
		}
		if l.Queues() != 1 {
			t.Errorf("%d queues", l.Queues())
		}
		time.Sleep(time.Hour)
		if got := l.Stats(); got.Waiting != 0 || got.Working != 0 {
			t.Errorf("%+v, %d queues", got, l.Queues())
		}
	})
}

// TestQueuesOfWhoIsNeverSeenAgainAreForgotten while there are always some who wait.
func TestQueuesOfWhoIsNeverSeenAgainAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := open(t, turnstile.Config{Places: 1, Waiting: 64})
		most := 0
		for i := range 5000 {
			for j := range 2 {
				l.come(guest(fmt.Sprintf("198.%d.%d.%d", i>>8, i&255, j), ""), turnstile.Retrieval, ms)
			}
			time.Sleep(ms)
			most = max(most, l.Queues())
		}
		if most > 128+1 {
			t.Errorf("%d queues", most)
		}
	})
}

func TestTheProvenAreBounded(t *testing.T) {
	l := open(t, turnstile.Config{})
	for i := range turnstile.KnownMax + 100 {
		l.prove(guest("192.0.2.1", strconv.Itoa(i)))
	}
	if got := l.Known(); got != turnstile.KnownMax {
		t.Errorf("%d", got)
	}
}

func TestLeavingTwiceGivesOnePlaceBack(t *testing.T) {
	l := open(t, turnstile.Config{Places: 2})
	for range 2 {
		pass, err := l.Enter(t.Context(), guest("192.0.2.1", "1234"), turnstile.Retrieval)
		if err != nil {
			t.Fatal(err)
		}
		turnstile.Leave(pass)
		back := turnstile.Aside(pass)
		back()
		pass.Leave()
	}
	if got := l.Stats(); got.Working != 0 || got.Entered != 2 {
		t.Errorf("%+v", got)
	}
	turnstile.Leave(t.Context()) // of what has no place
	turnstile.Aside(t.Context())()
	turnstile.Proven(t.Context())
}
