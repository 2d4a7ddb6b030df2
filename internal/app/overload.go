package app

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/internal/turnstile"
)

// TurnstileConfig says how many requests a CPS works on at a time, and how long others may wait for that.
type TurnstileConfig struct {
	Places  int      `yaml:"places"`
	Waiting int      `yaml:"waiting"`
	Target  Duration `yaml:"target"`
	Burst   Duration `yaml:"burst"`
}

func (c TurnstileConfig) check(note func(string, error)) {
	if c.Places < 0 || c.Places > 1024 {
		note("$.cps.limits.turnstile.places", errors.New("is between 0 and 1024"))
	}
	if c.Waiting < 1 {
		note("$.cps.limits.turnstile.waiting", errors.New("must be above zero"))
	}
	if c.Target <= 0 || c.Burst < c.Target || c.Burst > Duration(time.Second) {
		note("$.cps.limits.turnstile", errors.New("target is above 0s, burst no less than that, and at most 1s"))
	}
}

func (c TurnstileConfig) open() *turnstile.Turnstile {
	return turnstile.New(turnstile.Config{Places: c.Places, Waiting: c.Waiting, Target: time.Duration(c.Target), Burst: time.Duration(c.Burst)})
}

var (
	descTurns        = describe("cps_turnstile_requests_total", "Requests by what became of them at the turnstile: worked, share (refused 429: the requester asked for more than its share), strained (refused 503), gone (the requester was gone before its turn).", "outcome")
	descTurnWaiting  = describe("cps_turnstile_waiting", "Requests that wait to be worked on, now.")
	descTurnWorking  = describe("cps_turnstile_working", "Requests that are worked on, now.")
	descTurnPlaces   = describe("cps_turnstile_places", "Requests that are worked on at a time, at most.")
	descRatesAlone   = describe("cps_rates_alone", "1 while this node gives away its part of the rates alone, because it hears of no other.")
	descRatesRefused = describe("cps_rates_refused_messages_total", "Messages of other nodes about the rates that could not be taken.")
)

// collectOverload gives the counters of what is refused for want of anything.
func (r *cpsRole) collectOverload(gauge func(*prometheus.Desc, int64), counter func(*prometheus.Desc, int64, ...string)) {
	turns := r.turnstile.Stats()
	for outcome, n := range map[string]int64{"worked": turns.Entered, "share": turns.Share, "strained": turns.Strained, "gone": turns.Gone} {
		counter(descTurns, n, outcome)
	}
	gauge(descTurnWaiting, int64(turns.Waiting))
	gauge(descTurnWorking, int64(turns.Working))
	gauge(descTurnPlaces, int64(turns.Places))
	rates := r.service.RateSharing()
	gauge(descRatesAlone, int64(truth(rates.Alone)))
	counter(descRatesRefused, rates.Refused)
}
