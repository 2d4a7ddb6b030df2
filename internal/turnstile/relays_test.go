package turnstile_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/turnstile"
)

func relayed(s served) bool { return s.errand == turnstile.Relay }

// TestARelayIsInNobodysWay: whoever publishes or retrieves waits no longer than without relays, but for the one that is worked on
// and every eighth turn; and relays are not put off for ever.
func TestARelayIsInNobodysWay(t *testing.T) {
	for name, c := range map[string]struct {
		every  int // milliseconds between two publications, each of which takes one
		wait   time.Duration
		relays int // served in a second
	}{
		"half of the time is left":     {2, ms, 499},
		"publishers take all there is": {1, 50 * ms, 115},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := open(t, turnstile.Config{Places: 1, Target: 5 * ms, Burst: 50 * ms})
				own, peer := guest("192.0.2.1", "1234"), guest("192.0.2.2", "peer")
				l.prove(own, peer)
				began := time.Now()
				for at := range 1000 {
					synctest.Wait()
					for range 2 {
						l.come(peer, turnstile.Relay, ms)
					}
					if at%c.every == 0 {
						l.come(own, turnstile.Publication, ms)
					}
					time.Sleep(ms)
				}
				within := 0
				for _, s := range l.all() {
					if relayed(s) && s.err == nil && s.began.Add(s.waited).Sub(began) < time.Second {
						within++
					}
				}
				if within < c.relays || within > c.relays+30 {
					t.Errorf("%d relays", within)
				}
				if got := l.tally(claims("1234")); got.longest > c.wait {
					t.Errorf("publications: %+v", got)
				}
			})
		})
	}
}

// TestRelaysWaitInTheOrderInWhichTheyCame, for a second, however strained others find it; and are no strain for these.
func TestRelaysWaitInTheOrderInWhichTheyCame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := open(t, turnstile.Config{Places: 1, Target: 5 * ms, Burst: 50 * ms})
		own, peer := guest("192.0.2.1", "1234"), guest("192.0.2.2", "peer")
		l.prove(own, peer)
		l.come(peer, turnstile.Relay, ms)
		for range 1100 {
			l.come(peer, turnstile.Relay, ms)
		}
		time.Sleep(500 * ms)
		for range 40 { // a burst, which is served whole: nobody has been strained before
			l.come(own, turnstile.Retrieval, ms)
		}
		time.Sleep(2 * time.Second)
		if got := l.tally(claims("1234")); got.served != 40 || got.longest > 50*ms {
			t.Errorf("retrievals: %+v", got)
		}
		got := l.tally(relayed)
		if got.longest > time.Second || got.served < 900 || got.served+got.strained != 1101 {
			t.Errorf("relays: %+v", got)
		}
		last := time.Duration(-1)
		for _, s := range l.all() {
			if relayed(s) && s.err == nil {
				if s.waited < last {
					t.Fatalf("one that waited %v after one that waited %v", s.waited, last)
				}
				last = s.waited
			}
		}
	})
}

// TestPeersTakeTurns: one that relays much waits for itself.
func TestPeersTakeTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := open(t, turnstile.Config{Places: 1})
		busy, quiet := guest("192.0.2.1", "busy"), guest("192.0.2.2", "quiet")
		l.prove(busy, quiet)
		for range 500 {
			l.come(busy, turnstile.Relay, ms)
		}
		l.come(quiet, turnstile.Relay, ms)
		time.Sleep(time.Second)
		if got := l.tally(claims("quiet")); got.served != 1 || got.longest > 2*ms {
			t.Errorf("%+v", got)
		}
	})
}

// TestWhoOnlyClaimsToRelayWaitsLikeAnyStranger, and takes no room from those who do.
func TestWhoOnlyClaimsToRelayWaitsLikeAnyStranger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := open(t, turnstile.Config{Places: 1, Target: 5 * ms, Burst: 50 * ms})
		for range 200 {
			l.come(guest("198.51.100.1", "peer"), turnstile.Relay, ms)
		}
		time.Sleep(2 * time.Second)
		if got := l.tally(relayed); got.longest > 50*ms || got.strained+got.share < 100 {
			t.Errorf("%+v", got)
		}
	})
}

// TestRelaysHaveARoomOfTheirOwn: however many wait, others are not refused for it, and how many there are is bounded.
func TestRelaysHaveARoomOfTheirOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := open(t, turnstile.Config{Places: 1, Waiting: 40, Burst: time.Hour})
		var peers []turnstile.Guest
		for i := range 8 {
			peers = append(peers, guest("192.0.2."+strconv.Itoa(i), strconv.Itoa(i)))
		}
		own := guest("198.51.100.1", "1234")
		l.prove(own)
		l.prove(peers...)
		l.come(own, turnstile.Publication, time.Minute)
		for i := range 160 {
			l.come(peers[i%8], turnstile.Relay, ms)
		}
		if got := l.Stats(); got.Waiting != 40 || got.Strained != 120 || l.Queues() != 8 {
			t.Errorf("%+v, %d queues", got, l.Queues())
		}
		for range 10 {
			l.come(own, turnstile.Publication, ms)
		}
		if got := l.Stats(); got.Waiting != 50 || got.Strained != 120 {
			t.Errorf("%+v", got)
		}
		time.Sleep(time.Hour)
		if got := l.tally(claims("1234")); got.served != 11 {
			t.Errorf("%+v", got)
		}
		relays := l.tally(relayed)
		if got := l.Stats(); relays.strained+relays.share != 160 || got.Waiting != 0 || got.Working != 0 {
			t.Errorf("%+v, %+v", relays, got)
		}
	})
}
