package relay_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/porttest"
	"github.com/viaduct-oob/viaduct/internal/relay"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

func TestATIS1000096_S7_EachCPSIsSentEachRecordOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, relay.Config{}, has, has)
		for n := range 3 {
			w.laid(n, "1234")
		}
		w.wants(north, 0, 1, 2)
		w.wants(south, 0, 1, 2)
		w.counts(north, 3, 0, 0, 0)
		time.Sleep(20 * time.Second)
		w.wants(north, 0, 1, 2)
		if !w.Empty() {
			t.Error("something is left over")
		}
	})
}

func TestATIS1000096_S7_ARelayIsNeverRelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, relay.Config{}, has, has)
		p := publication(1, "1234")
		p.Token = "" // as it comes from a relay
		w.Laid(store.Event{Act: store.Laid, Publication: p})
		agreed := publication(2, "1234")
		agreed.Key.Profile = oob.Agreed
		w.Laid(store.Event{Act: store.Laid, Publication: agreed})
		w.wants(north)
		w.wants(south)
	})
}

// TestACPSThatHangsHoldsUpNobodyElse, neither publishers nor other CPSs.
func TestACPSThatHangsHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, relay.Config{InFlight: 8, Records: 100}, hangs, has)
		for n := range 1000 {
			w.laid(n, []string{"1234", "567B", "890C"}[n%3])
			if n%100 == 0 {
				synctest.Wait()
			}
		}
		if got := time.Since(w.began); got != 0 {
			t.Errorf("publishers waited for %s", got)
		}
		if got := len(w.each(south)); got != 1000 {
			t.Errorf("%d records at the other CPS", got)
		}
		w.counts(south, 1000, 0, 0, 0)
		w.counts(north, 0, 0, 0, 900)
		if s := w.of(north); s.Waiting != 100 || len(w.attempts(north)) != 8 {
			t.Errorf("%d wait, %d attempts", s.Waiting, len(w.attempts(north)))
		}
		time.Sleep(20 * time.Second)
		w.counts(north, 0, 0, 100, 900)
		if !w.Empty() {
			t.Error("something is left over")
		}
	})
}

// TestACPSThatWasGoneForLongIsTriedSoon: however long nobody answers there, a record is never left to expire untried.
func TestACPSThatWasGoneForLongIsTriedSoon(t *testing.T) {
	id, err := laboratory()
	if err != nil {
		t.Fatal(err)
	}
	nobody, err := porttest.Address("tcp")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r, err := relay.New(relay.Config{
			Peers: []cpsclient.CPS{{URL: "https://" + nobody}}, Client: cpsclient.Config{SPC: id.SPC, Key: id.Key, X5U: id.X5U},
		})
		if err != nil {
			t.Fatal(err)
		}
		w := &ways{TB: t, Relay: r}
		r.Start()
		tried := func() (n int64) {
			for _, count := range r.Stats().Peers[0].Attempts {
				n += count
			}
			return n
		}
		for n := range 10 { // one after the other, each for 15 seconds
			w.laid(n, "1234")
			before := tried()
			time.Sleep(15 * time.Second)
			if made := tried() - before; made < 3 {
				t.Errorf("%d attempts in the time of record %d", made, n)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_ = r.Close(ended) // what is left is of no matter here
	})
}

func TestRecordIsTriedUntilItExpires(t *testing.T) {
	for name, answer := range map[string]answering{"it fails": busy(0, true), "it fails for this record": busy(0, false)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, relay.Config{}, answer, has)
				w.laid(1, "1234")
				time.Sleep(time.Minute)
				all := w.attempts(north)
				if len(all) < 10 || len(all) > 40 || all[len(all)-1].at >= 15*time.Second || all[len(all)-1].at < 15*time.Second-relay.PauseMax {
					t.Errorf("tried at %v", all)
				}
				w.counts(north, 0, 0, 1, 0)
				w.counts(south, 1, 0, 0, 0)
			})
		})
	}
}

// TestRFC9110_S10_2_3_RetryAfterIsHonoured: of the whole CPS, or of one record.
func TestRFC9110_S10_2_3_RetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said atomic.Bool
		w := start(t, relay.Config{}, func(ctx context.Context, n int) cpsclient.Relayed {
			if said.Swap(true) {
				return has(ctx, n)
			}
			return busy(3*time.Second, true)(ctx, n)
		}, func(ctx context.Context, n int) cpsclient.Relayed {
			if n == 1 && time.Since(w0(ctx)) == 0 {
				return busy(3*time.Second, false)(ctx, n)
			}
			return has(ctx, n)
		})
		w.laid(1, "1234")
		w.wants(north, 1)
		time.Sleep(time.Second)
		w.laid(2, "567B")
		w.wants(north, 1)
		time.Sleep(2*time.Second - time.Millisecond)
		w.wants(north, 1)
		w.wants(south, 1, 2)
		time.Sleep(time.Second)
		w.wants(north, 1, 1, 2)
		w.wants(south, 1, 1, 2)
		w.counts(north, 2, 0, 0, 0)
	})
}

// w0 is when the record of an attempt was laid.
func w0(ctx context.Context) time.Time {
	expires, _ := ctx.Deadline()
	return expires.Add(-15 * time.Second)
}

func TestRefusalIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, relay.Config{}, func(context.Context, int) cpsclient.Relayed {
			return cpsclient.Relayed{Fault: oob.Faultf(oob.Refused, ""), Whole: true}
		}, has)
		w.laid(1, "1234")
		time.Sleep(20 * time.Second)
		w.wants(north, 1)
		w.counts(north, 0, 1, 0, 0)
	})
}

// TestOnePublisherTakesHalf of the room and of the requests.
func TestOnePublisherTakesHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, relay.Config{InFlight: 4, Records: 40}, func(ctx context.Context, n int) cpsclient.Relayed {
			if n < 100 {
				return hangs(ctx, n)
			}
			return has(ctx, n)
		}, has)
		for n := range 100 {
			w.laid(n, "greedy")
		}
		synctest.Wait()
		w.laid(100, "modest")
		w.laid(101, "modest")
		w.counts(north, 2, 0, 0, 80)
		if got := len(w.attempts(north)); got != 4 {
			t.Errorf("%d attempts", got)
		}
	})
}

func TestRoomIsMadeOfWhatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, relay.Config{Records: 10}, busy(time.Minute, true), has)
		w.laid(0, "1234") // is late at once: the CPS wants to be left alone for a minute
		w.counts(north, 0, 0, 1, 0)
		for n := range 12 {
			w.laid(1+n, []string{"1234", "567B", "890C"}[n%3])
		}
		w.counts(north, 0, 0, 1, 2)
		time.Sleep(16 * time.Second)
		w.laid(13, "1234")
		w.counts(north, 0, 0, 11, 2)
		if s := w.of(north); s.Waiting != 1 {
			t.Errorf("%d wait", s.Waiting)
		}
	})
}

func TestWhatArrivesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, relay.Config{}, has, has)
		long := publication(0, "1234")
		long.Passports = []string{strings.Repeat("x", relay.ArrivalBytesMax)}
		w.Laid(store.Event{Act: store.Laid, Publication: long})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_ = w.Close(ended) // nobody takes any more, and nobody is told
		w.laid(1, "1234")
		if got := w.Stats().Dropped; got != 1 {
			t.Errorf("%d dropped", got)
		}
	})
}

func TestCloseHasWhatWaitsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var works atomic.Bool
		w := start(t, relay.Config{}, func(ctx context.Context, n int) cpsclient.Relayed {
			if works.Load() {
				return has(ctx, n)
			}
			return busy(0, false)(ctx, n)
		}, has)
		w.laid(1, "1234")
		time.Sleep(time.Second)
		works.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := w.Close(ctx); err != nil {
			t.Error(err)
		}
		w.counts(north, 1, 0, 0, 0)
	})
	synctest.Test(t, func(t *testing.T) {
		w := start(t, relay.Config{}, hangs, has)
		w.laid(1, "1234")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Close(ctx); err == nil || time.Since(w.began) > 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(w.began))
		}
	})
}

func TestDiscoveredCPSsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var found atomic.Pointer[[]cpsclient.CPS]
		found.Store(&[]cpsclient.CPS{{URL: "https://east.example"}, {URL: north}, {URL: "https://own.example"}, {URL: "no URL"}})
		w := start(t, relay.Config{Discover: func() []cpsclient.CPS { return *found.Load() }, Own: []string{"https://own.example"}}, has, has)
		peers := func() (all []string) {
			synctest.Wait()
			for _, s := range w.Stats().Peers {
				all = append(all, s.URL)
			}
			return all
		}
		if got := strings.Join(peers(), " "); got != north+" "+south+" https://east.example" {
			t.Error(got)
		}
		found.Store(&[]cpsclient.CPS{{URL: "https://west.example"}})
		time.Sleep(time.Minute)
		if got := strings.Join(peers(), " "); got != north+" "+south+" https://west.example" {
			t.Error(got)
		}
	})
}

func TestConfigurationsThatAreNone(t *testing.T) {
	for name, c := range map[string]relay.Config{
		"no credential": {Peers: []cpsclient.CPS{{URL: north}}},
		"half a bus":    {Broadcast: func(string, []byte) {}},
		"too many":      {Peers: make([]cpsclient.CPS, relay.PeersMax+1)},
	} {
		if r, err := relay.New(c); err == nil || r != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
