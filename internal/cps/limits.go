package cps

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate bounds how often one SPC may ask.
type Rate struct {
	PerSecond float64 // zero means 200
	Burst     int     // zero means what two seconds bring, and at least 1
}

func (r Rate) withDefaults() Rate {
	if r.PerSecond == 0 {
		r.PerSecond = 200
	}
	if r.Burst == 0 {
		r.Burst = max(1, int(min(2*r.PerSecond, 1e9)))
	}
	return r
}

// limiter holds a token bucket per SPC. SPCs are proven before they get here, so that their number is that of the
// providers; perSPCMax is a bound all the same.
type limiter struct {
	rate Rate

	mu      sync.Mutex
	buckets map[string]*rate.Limiter // guarded by mu
}

const perSPCMax = 100_000

func newLimiter(r Rate) *limiter {
	return &limiter{rate: r.withDefaults(), buckets: map[string]*rate.Limiter{}}
}

// take spends one request of the SPC's, or tells how long to wait for the next.
func (l *limiter) take(spc string, now time.Time) (wait time.Duration, ok bool) {
	reservation := l.bucket(spc).ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait == 0 {
		return 0, true
	}
	reservation.CancelAt(now)
	return wait, false
}

func (l *limiter) bucket(spc string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if bucket, ok := l.buckets[spc]; ok {
		return bucket
	}
	if len(l.buckets) >= perSPCMax {
		// There are not so many providers. Whichever is met first starts afresh with a full bucket.
		for other := range l.buckets {
			delete(l.buckets, other)
			break
		}
	}
	bucket := rate.NewLimiter(rate.Limit(l.rate.PerSecond), l.rate.Burst)
	l.buckets[spc] = bucket
	return bucket
}

// misses counts retrievals that found nothing. SPCs beyond perSPCMax are counted together under "".
type misses struct {
	mu     sync.Mutex
	counts map[string]int64 // guarded by mu
}

func (m *misses) add(spc string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = map[string]int64{}
	}
	if _, known := m.counts[spc]; !known && len(m.counts) >= perSPCMax {
		spc = ""
	}
	m.counts[spc]++
}

func (m *misses) bySPC() map[string]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]int64, len(m.counts))
	for spc, n := range m.counts {
		all[spc] = n
	}
	return all
}
