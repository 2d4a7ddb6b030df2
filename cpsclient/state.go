package cpsclient

import (
	"maps"
	"sync"
	"time"
)

// Success is the outcome in [State] of an attempt that got what it wanted.
const Success = "ok"

// State is how one CPS stands, for metrics. It is the only place where the failure of one CPS shows while another of
// the pair serves.
type State struct {
	URL      string
	Breaker  BreakerState
	Failures int              // in a row, until now
	Until    time.Time        // when an open breaker lets the next request through; zero when it is closed
	Outcomes map[string]int64 // attempts since the start: Success, or the slug of the fault's kind
	// Skew is how far the CPS's clock was ahead of ours when it last answered, by its Date field, to the second; zero
	// when it has not said. Access tokens are refused when it is many seconds.
	Skew time.Duration
}

// States tells how each CPS stands, in the order of the configuration.
func (c *Client) States() []State {
	now := c.config.Now()
	states := make([]State, 0, len(c.peers))
	for _, p := range c.peers {
		s := State{URL: p.base, Outcomes: p.tally.all(), Skew: time.Duration(p.skew.Load())}
		s.Breaker, s.Failures, s.Until = p.breaker.state(now)
		states = append(states, s)
	}
	return states
}

// tally counts attempts by outcome.
type tally struct {
	mu     sync.Mutex
	counts map[string]int64 // guarded by mu
}

func (t *tally) add(failed *failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int64{}
	}
	t.counts[failed.outcome()]++
}

func (t *tally) all() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}
