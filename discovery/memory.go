package discovery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Pace says how a slow source is asked: what time it may cost and how long its answers are used. Zero values are replaced by
// the defaults.
type Pace struct {
	Share    time.Duration // for which one who asks waits; default 150 ms
	Patience time.Duration // after which a question is given up, in the background; default 5 s

	Fresh    time.Duration // for which what was found is not asked for again; default 5 min
	Stale    time.Duration // for which it is used after that, while it is asked for again; default 24 h
	Negative time.Duration // for which it is believed that there is nothing; default 1 min
	Failed   time.Duration // for which a source that failed is not asked the same again; default 2 s

	AnswersMax int // remembered, of about 500 bytes each; default 100,000
	AskingMax  int // questions under way; default 64
}

func (p Pace) withDefaults() Pace {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&p.Share, 150 * time.Millisecond}, {&p.Patience, 5 * time.Second}, {&p.Fresh, 5 * time.Minute}, {&p.Stale, 24 * time.Hour},
		{&p.Negative, time.Minute}, {&p.Failed, 2 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if p.AnswersMax <= 0 {
		p.AnswersMax = 100_000
	}
	if p.AskingMax <= 0 {
		p.AskingMax = 64
	}
	return p
}

// key is what an answer is remembered for: all of a question but the certificate, which no slow source sees.
type key struct {
	side   Side
	number tn.Number
	spc    string
}

// said is what a slow source has answered.
type said[V any] struct {
	value V
	err   error // a NotFound when there is nothing; any other means that nothing is known
	at    time.Time
	fresh time.Time // until when it is not asked for again
	over  time.Time // until when it is used at all
}

// flight is a question under way.
type flight[V any] struct {
	began time.Time
	done  chan struct{} // closed when said is there
	said  said[V]
}

// goodFor is for how long a source that has answered in time is waited for although another question takes too long: whoever has
// numbers that take long to look up could else have all others done without.
const goodFor = 2 * time.Second

// memory remembers what a slow source has said, and asks it: one question at a time for all who want the same. One that is
// too slow makes nobody wait any more until an answer comes in time; meanwhile it is asked in the background.
type memory[V any] struct {
	pace    Pace
	find    func(ctx context.Context, k key) (value V, fresh, expires time.Time, err error)
	open    context.Context // ends with close
	hangUp  context.CancelFunc
	running sync.WaitGroup

	mu         sync.Mutex
	young, old map[key]said[V] // what is not used while half of all came anew is forgotten
	flights    map[key]*flight[V]
	slow       bool      // the last question took longer than its share
	good       time.Time // when the last one came that did not
	counts     Counts
}

// Counts are what a memory has done.
type Counts struct {
	Answers  int   // remembered now
	Slow     bool  // asked in the background alone
	Hits     int64 // answered from memory, stale answers included
	Stale    int64
	Asked    int64 // questions that were put to the source
	Failures int64 // of these, those that it did not answer
	TooSlow  int64 // who asked and did not wait for the end
	Busy     int64 // who was not served, because too many were asking
}

func newMemory[V any](p Pace, find func(context.Context, key) (V, time.Time, time.Time, error)) *memory[V] {
	m := &memory[V]{pace: p.withDefaults(), find: find, young: make(map[key]said[V]), flights: make(map[key]*flight[V])}
	m.open, m.hangUp = context.WithCancel(context.Background())
	return m
}

func (m *memory[V]) close() {
	m.mu.Lock()
	m.hangUp()
	m.mu.Unlock()
	m.running.Wait()
}

func (m *memory[V]) state() Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := m.counts
	counts.Answers, counts.Slow = len(m.young)+len(m.old), m.slow
	return counts
}

// ask gives what is known of k, and waits for no longer than it may. The outcome is Found or FoundStale when value counts.
func (m *memory[V]) ask(ctx context.Context, k key, now time.Time) (s said[V], outcome Outcome) {
	s, f, outcome := m.look(k, now)
	if f == nil {
		return s, outcome
	}
	wait := m.pace.Share - now.Sub(f.began)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-f.done:
		return f.said, outcomeOf(f.said.err)
	case <-timer.C:
		m.mu.Lock()
		m.slow = true
		m.counts.TooSlow++
		m.mu.Unlock()
	case <-ctx.Done():
	}
	return said[V]{}, TooSlow
}

func outcomeOf(err error) Outcome {
	switch {
	case err == nil:
		return Found
	case errors.Is(err, oob.NotFound):
		return Absent
	}
	return Failed
}

// look gives what is remembered, or the question under way that is worth waiting for, or why there is neither.
func (m *memory[V]) look(k key, now time.Time) (said[V], *flight[V], Outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, known := m.get(k)
	if known && now.Before(s.fresh) {
		m.counts.Hits++
		return s, nil, outcomeOf(s.err)
	}
	f := m.launch(k, now)
	switch {
	case known && s.err == nil && now.Before(s.over):
		m.counts.Hits++
		m.counts.Stale++
		return s, nil, FoundStale
	case f == nil:
		m.counts.Busy++
		return said[V]{}, nil, Busy
	case m.slow && now.Sub(m.good) >= goodFor || now.Sub(f.began) >= m.pace.Share:
		m.counts.TooSlow++
		return said[V]{}, nil, Background
	}
	return said[V]{}, f, ""
}

// launch starts a question, or joins the one under way. It gives nil when there are too many. It is called with mu held.
func (m *memory[V]) launch(k key, now time.Time) *flight[V] {
	if f := m.flights[k]; f != nil {
		return f
	}
	if len(m.flights) >= m.pace.AskingMax || m.open.Err() != nil {
		return nil
	}
	f := &flight[V]{began: now, done: make(chan struct{})}
	m.flights[k] = f
	m.counts.Asked++
	m.running.Go(func() { m.fly(k, f) })
	return f
}

func (m *memory[V]) fly(k key, f *flight[V]) {
	ctx, cancel := context.WithTimeout(m.open, m.pace.Patience)
	defer cancel()
	value, fresh, expires, err := m.find(ctx, k)
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.flights, k)
	if m.slow = now.Sub(f.began) >= m.pace.Share; !m.slow {
		m.good = now
	}
	f.said = said[V]{value: value, err: err, at: now}
	m.date(&f.said, fresh, expires)
	switch was, known := m.get(k); {
	case outcomeOf(err) != Failed:
		m.put(k, f.said)
	case m.open.Err() != nil: // we hung up
	default:
		m.counts.Failures++
		if known && was.err == nil && now.Before(was.over) {
			was.fresh = f.said.fresh // what is held serves on, and is not asked for again at once
			m.put(k, was)
		} else {
			m.put(k, f.said)
		}
	}
	close(f.done)
}

// date says how long an answer is used. What the source says of it counts, within the settings.
func (m *memory[V]) date(s *said[V], fresh, expires time.Time) {
	switch outcomeOf(s.err) {
	case Absent:
		s.fresh = s.at.Add(m.pace.Negative)
		if said := oob.FaultOf(s.err).RetryAfter; said > 0 && said < m.pace.Negative {
			s.fresh = s.at.Add(said) // the source says itself for how long there is nothing
		}
	case Failed:
		s.fresh = s.at.Add(m.pace.Failed)
	default:
		s.fresh = s.at.Add(m.pace.Fresh)
		if !fresh.IsZero() && fresh.Before(s.fresh) {
			s.fresh = fresh
		}
		s.over = s.at.Add(m.pace.Fresh + m.pace.Stale)
		if !expires.IsZero() && expires.Before(s.over) {
			s.over = expires
		}
		if s.over.Before(s.fresh) {
			s.fresh = s.over
		}
	}
}

// get is called with mu held, and so is put.
func (m *memory[V]) get(k key) (said[V], bool) {
	s, known := m.young[k]
	if known {
		return s, true
	}
	if s, known = m.old[k]; known {
		m.put(k, s)
	}
	return s, known
}

func (m *memory[V]) put(k key, s said[V]) {
	delete(m.old, k)
	if _, there := m.young[k]; !there && len(m.young) >= max(1, m.pace.AnswersMax/2) {
		m.old, m.young = m.young, make(map[key]said[V])
	}
	m.young[k] = s
}
