package cpsclient_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
)

// once makes a client do one attempt for an operation.
func once(c *cpsclient.Config) {
	c.Budget, c.Timeout, c.Retry = 100*time.Millisecond, 100*time.Millisecond, time.Second
	c.Breaker = cpsclient.Breaker{Failures: 3, CoolDown: time.Second, CoolDownMax: 3 * time.Second}
}

func TestBreakerOpensAndProbes(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		kind    oob.Kind
	}{
		{"5xx", answering(500, ""), oob.PeerFailed},
		{"silence", hanging, oob.PeerTimeout},
		{"no CPS", answering(302, ""), oob.PeerFailed},
		{"breaks off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, oob.PeerFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				var log asked
				var healed atomic.Bool
				url := n.serve("a.example", log.record(func(w http.ResponseWriter, r *http.Request) {
					if healed.Load() {
						holding(`"a.b.c"`)(w, r)
						return
					}
					c.handler(w, r)
				}))
				down := n.client(n.downstream, once, url)
				retrieve := func() error {
					_, err := down.Retrieve(t.Context(), keyOf(oob.Mesh))
					synctest.Wait() // the attempt ends at the same instant
					return err
				}
				state := func(want cpsclient.BreakerState, failures int) {
					t.Helper()
					if s := down.States()[0]; s.Breaker != want || s.Failures != failures || s.URL != url {
						t.Errorf("%+v, want %s after %d failures", s, want, failures)
					}
				}
				for i := range 3 {
					state(cpsclient.BreakerClosed, i)
					wantFault(t, retrieve(), c.kind)
				}
				state(cpsclient.BreakerOpen, 3)
				if took := since(func() { wantFault(t, retrieve(), oob.PeerFailed) }); took != 0 || log.count() != 3 {
					t.Errorf("an open breaker cost %v, %d requests", took, log.count())
				}
				for i, coolDown := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
					time.Sleep(time.Until(down.States()[0].Until) - time.Nanosecond)
					state(cpsclient.BreakerOpen, 3+i)
					wantFault(t, retrieve(), oob.PeerFailed)
					if log.count() != 3+i {
						t.Fatalf("asked within the cool-down of %v", coolDown)
					}
					time.Sleep(time.Nanosecond)
					state(cpsclient.BreakerHalfOpen, 3+i)
					wantFault(t, retrieve(), c.kind)
					if log.count() != 4+i {
						t.Fatal("no probe after the cool-down")
					}
					want := min(2*coolDown, 3*time.Second)
					if got := time.Until(down.States()[0].Until); got != want {
						t.Errorf("next cool-down is %v, want %v", got, want)
					}
				}
				healed.Store(true)
				time.Sleep(3 * time.Second)
				if err := retrieve(); err != nil {
					t.Fatal(err)
				}
				state(cpsclient.BreakerClosed, 0)
				if o := down.States()[0].Outcomes; o[cpsclient.Success] != 1 || o[c.kind.String()] != 7 {
					t.Errorf("outcomes %v", o)
				}
			})
		})
	}
}

func TestOneProbeAtATime(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var log asked
		down := n.client(n.downstream, once, n.serve("a.example", log.record(hanging)))
		for range 3 {
			_, err := down.Retrieve(t.Context(), keyOf(oob.Mesh))
			wantFault(t, err, oob.PeerTimeout)
		}
		time.Sleep(time.Second)
		for range 10 {
			go down.Retrieve(t.Context(), keyOf(oob.Mesh))
		}
		synctest.Wait()
		if log.count() != 4 {
			t.Errorf("%d probes", log.count()-3)
		}
	})
}

func TestRefusalsDoNotOpenTheBreaker(t *testing.T) {
	for _, handler := range []http.HandlerFunc{notFound, answering(401, ""), answering(403, ""), answering(429, "", "Retry-After", "1")} {
		inBubble(t, func(t *testing.T, n *network) {
			down := n.client(n.downstream, once, n.serve("a.example", handler))
			for range 10 {
				_, _ = down.Retrieve(t.Context(), keyOf(oob.Mesh))
			}
			if s := down.States()[0]; s.Breaker != cpsclient.BreakerClosed || s.Failures != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A CPS that hangs beside one that answers must be found out, although nobody waits for it.
func TestDeadCPSOfAPairCostsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		a, b := n.serve("a.example", holding(`"a.b.c"`)), n.serve("b.example", hanging)
		down := n.client(n.downstream, nil, a, b)
		for range 5 {
			if _, err := down.Retrieve(t.Context(), keyOf(oob.Mesh)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(400 * time.Millisecond)
		if took := since(func() {
			if _, err := down.Retrieve(t.Context(), keyOf(oob.Mesh)); err != nil {
				t.Fatal(err)
			}
		}); took != 0 {
			t.Errorf("the sixth call was kept for %v", took)
		}
		if s := down.States(); s[0].Breaker != cpsclient.BreakerClosed || s[1].Breaker != cpsclient.BreakerOpen {
			t.Errorf("%+v", s)
		}
	})
}

// An attempt that the budget cut short says nothing about the CPS.
func TestShortAttemptsDoNotCount(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		down := n.client(n.downstream, func(c *cpsclient.Config) { c.Budget, c.Timeout = 150*time.Millisecond, 100*time.Millisecond }, n.serve("a.example", hanging))
		_, err := down.Retrieve(t.Context(), keyOf(oob.Mesh))
		wantFault(t, err, oob.PeerTimeout)
		down.Close()
		if f := down.States()[0].Failures; f != 1 {
			t.Errorf("%d failures, want that of the one whole attempt", f)
		}
	})
}
