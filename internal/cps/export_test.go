package cps

import "time"

// PerSPCMax is how many SPCs are told apart.
const PerSPCMax = perSPCMax

// Limiter and Misses are what is kept per SPC.
type (
	Limiter struct{ *limiter }
	Misses  struct{ misses }
)

// NewLimiter makes a limiter.
func NewLimiter(r Rate) Limiter { return Limiter{newLimiter(r)} }

// Take is take, and Len how many SPCs have a bucket.
func (l Limiter) Take(spc string, now time.Time) (time.Duration, bool) { return l.take(spc, now) }
func (l Limiter) Len() int                                             { return len(l.buckets) }

// Add is add, and Counts bySPC.
func (m *Misses) Add(spc string)           { m.add(spc) }
func (m *Misses) Counts() map[string]int64 { return m.bySPC() }

// WithDefaults is withDefaults.
func (r Rate) WithDefaults() Rate { return r.withDefaults() }
