package stipa

import (
	"math/big"
	"time"
)

// State is what operators see of a Keeper.
type State struct {
	Believed bool // a document is in use

	// Of the document that is held; zero when there is none.
	Number  *big.Int
	Issued  time.Time
	Expires time.Time
	Entries int
	Skipped int

	LastSuccess time.Time // when the source last gave a document that was good; zero for never
	LastFailure time.Time
	LastProblem Problem // of the last failure

	Successes    int64
	Refusals     map[Problem]int64
	DiskFailures int64 // documents that could not be kept across a restart

	Alarm Alarm
}

// Alarm says why somebody should look. Calls go on meanwhile.
type Alarm uint8

// The alarms.
const (
	NoAlarm      Alarm = iota
	AlarmNone          // nothing is held
	AlarmExpired       // what is held has expired
	AlarmStale         // for Config.AlarmAfter nothing good has come from the source
)

// Alarms lists them all, but NoAlarm.
func Alarms() []Alarm { return []Alarm{AlarmNone, AlarmExpired, AlarmStale} }

// String is the word for logs and metrics.
func (a Alarm) String() string {
	return [...]string{"none", "nothing-held", "expired", "stale"}[a]
}

// counts are what a Keeper counts beside what it holds.
type counts struct {
	lastSuccess, lastFailure time.Time
	lastProblem              Problem
	successes, diskFailures  int64
	refusals                 map[Problem]int64
}

// State gives the state now.
func (k *Keeper[T]) State() State {
	now := k.cfg.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	s := State{
		Believed: k.believed, Alarm: k.alarm(now),
		LastSuccess: k.counts.lastSuccess, LastFailure: k.counts.lastFailure, LastProblem: k.counts.lastProblem,
		Successes: k.counts.successes, DiskFailures: k.counts.diskFailures, Refusals: make(map[Problem]int64),
	}
	for problem, n := range k.counts.refusals {
		s.Refusals[problem] = n
	}
	if d := k.held; d != nil {
		s.Number, s.Issued, s.Expires, s.Entries, s.Skipped = new(big.Int).Set(d.Number), d.Issued, d.Expires, d.Entries, d.Skipped
	}
	return s
}

// alarm is called with mu held.
func (k *Keeper[T]) alarm(now time.Time) Alarm {
	switch {
	case k.held == nil:
		return AlarmNone
	case !now.Before(k.held.Expires):
		return AlarmExpired
	case !now.Before(k.staleAt()):
		return AlarmStale
	}
	return NoAlarm
}

// staleAt is called with mu held.
func (k *Keeper[T]) staleAt() time.Time {
	last := k.counts.lastSuccess
	if last.IsZero() {
		last = k.made
	}
	return last.Add(k.cfg.AlarmAfter)
}
