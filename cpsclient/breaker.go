package cpsclient

import (
	"sync"
	"time"
)

// Breaker says when a CPS is left alone. After Failures consecutive failures it is not asked for CoolDown; then one
// request is let through, and its outcome decides: success puts the CPS back, failure doubles the wait, up to
// CoolDownMax. Failures are those of the CPS: no answer, none in time, a 5xx, or one that no CPS gives. A refusal is
// none.
type Breaker struct {
	Failures    int           // 5
	CoolDown    time.Duration // 1 s
	CoolDownMax time.Duration // 30 s
}

func (b Breaker) withDefaults() Breaker {
	if b.Failures <= 0 {
		b.Failures = 5
	}
	if b.CoolDown <= 0 {
		b.CoolDown = time.Second
	}
	if b.CoolDownMax <= 0 {
		b.CoolDownMax = 30 * time.Second
	}
	b.CoolDownMax = max(b.CoolDownMax, b.CoolDown)
	return b
}

// BreakerState is whether a CPS is asked.
type BreakerState string

// The states.
const (
	BreakerClosed   BreakerState = "closed"    // it is asked
	BreakerOpen     BreakerState = "open"      // it is not asked
	BreakerHalfOpen BreakerState = "half-open" // the next request, or one under way, is the probe
)

// effect is what one attempt says about the health of its CPS.
type effect uint8

const (
	unknown effect = iota // nothing: it was given up before its time
	well
	sick
)

// breaker is the state of one CPS.
type breaker struct {
	settings Breaker

	mu       sync.Mutex
	failures int           // in a row
	coolDown time.Duration // zero while closed
	until    time.Time     // end of coolDown
	probing  bool
}

// enter asks whether an attempt may be made now. The answer to ok attempts is owed to leave, with the same probe.
func (b *breaker) enter(now time.Time) (probe, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.coolDown == 0 {
		return false, true
	}
	if b.probing || now.Before(b.until) {
		return false, false
	}
	b.probing = true
	return true, true
}

// leave takes what an attempt has shown. Attempts that began before the breaker opened may close it, but not keep it
// open: they tell of the past.
func (b *breaker) leave(probe bool, e effect, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	switch {
	case e == well:
		b.failures, b.coolDown = 0, 0
	case e == unknown:
	case b.coolDown == 0:
		if b.failures++; b.failures >= b.settings.Failures {
			b.coolDown, b.until = b.settings.CoolDown, now.Add(b.settings.CoolDown)
		}
	case probe:
		b.failures++
		b.coolDown = min(2*b.coolDown, b.settings.CoolDownMax)
		b.until = now.Add(b.coolDown)
	}
}

// state tells how the breaker stands.
func (b *breaker) state(now time.Time) (state BreakerState, failures int, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.coolDown == 0:
		return BreakerClosed, b.failures, time.Time{}
	case b.probing, !now.Before(b.until):
		return BreakerHalfOpen, b.failures, b.until
	}
	return BreakerOpen, b.failures, b.until
}
