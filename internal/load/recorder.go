package load

import (
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// A histogram counts whole microseconds to three digits, from one to the longest latency there can be: as late as a request
// may be sent, and its timeout, of both parts of a call.
const (
	digits        = 3
	digitsSummary = 2 // of providers, of whom there may be many
	longest       = 4*timeoutMax + 10*time.Second
)

func newHistogram(digits int) *hdr.Histogram { return hdr.New(1, longest.Microseconds(), digits) }

// count counts a latency.
func count(h *hdr.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 1), longest.Microseconds())) // which is in its range
}

// tally is what came of the requests of one kind.
type tally struct {
	good   *hdr.Histogram // of answers as they should be
	failed int64
}

func (t *tally) add(digits int, took time.Duration, failure string) {
	if failure != "" {
		t.failed++
		return
	}
	if t.good == nil {
		t.good = newHistogram(digits)
	}
	count(t.good, took)
}

// stepRecord is what came of one step.
type stepRecord struct {
	step       Step
	operations map[Operation]*tally
	failures   map[string]int64 // by kind: those of package oob and of this one, a bounded number
	late       *hdr.Histogram   // how long after they were due requests were sent
	tardy      int64            // sent more than tardyAfter late
	due        int64            // requests and whole calls that were to begin
	unsigned   int64            // that had to wait for their signature
	began      time.Time        // when its first was due
	ended      time.Time        // when its last answer came, but not before its end
	before     usage
	after      usage // when the last of it had been sent
}

// tardyAfter: a generator that is this late has a part in what it measures.
const tardyAfter = time.Millisecond

// usage is what the generator has taken so far.
type usage struct {
	processor   time.Duration
	connections int64
	waits       waits
}

// recorder writes down what comes of requests. Its methods may be called at the same time.
type recorder struct {
	mu        sync.Mutex
	steps     []*stepRecord
	providers []tally          // of each provider, over all steps, whole calls and single requests
	warming   map[string]int64 // failures in the warm-up, by kind
}

func newRecorder(steps []Step, providers int) *recorder {
	r := &recorder{providers: make([]tally, providers), warming: map[string]int64{}}
	for _, s := range steps {
		r.steps = append(r.steps, &stepRecord{
			step: s, operations: map[Operation]*tally{}, failures: map[string]int64{}, late: newHistogram(digits),
		})
	}
	return r
}

// sent notes that an arrival of a step was sent, or could not be, so late.
func (r *recorder) sent(step int, late time.Duration) {
	if step == noStep {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.steps[step]
	s.due++
	count(s.late, late)
	if late > tardyAfter {
		s.tardy++
	}
}

// came notes what came of one operation; failure is empty where it came as it should.
func (r *recorder) came(a arrival, op Operation, took time.Duration, failure string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.step == noStep {
		if failure != "" {
			r.warming[failure]++
		}
		return
	}
	s := r.steps[a.step]
	t := s.operations[op]
	if t == nil {
		t = &tally{}
		s.operations[op] = t
	}
	t.add(digits, took, failure)
	if failure != "" && op != Call { // that of its part has been counted
		s.failures[failure]++
	}
	if op == a.op && op != Stock {
		r.providers[a.actor()].add(digitsSummary, took, failure)
	}
	if at.After(s.ended) {
		s.ended = at
	}
}

// waited notes that requests of a step were not signed when they were due.
func (r *recorder) waited(step, requests int) {
	if step == noStep {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps[step].unsigned += int64(requests)
}

// turn notes what the generator had taken when one step ended and the next began; noStep is none.
func (r *recorder) turn(from, to int, now time.Time, u usage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if from != noStep {
		r.steps[from].after = u
	}
	if to != noStep {
		r.steps[to].before, r.steps[to].began = u, now
	}
}
