package dip

import (
	"maps"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
)

// Buckets are the upper bounds of the histogram of how long dips take.
var Buckets = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second,
}

// Stats is what has been counted since the start. No key of a map holds anything that a caller or a peer chooses: trunks
// are those of the table.
type Stats struct {
	Dips      map[DipCount]int64
	Durations map[trunk.Mode]Histogram
	Unusable  map[UnusableCount]int64
	Looks     map[string]Looks         // by trunk: what retrieving found
	Signed    map[string]int64         // by attestation
	Verified  map[VerdictCount]int64   //
	FailOpen  map[FailOpenCount]int64  //
	Asked     map[AskedCount]Histogram // attempts at CPSs
	Consumed  map[string]Consumptions  // by trunk
	Held      map[string]int64         // by trunk: calls for which a PASSporT was there already
	Placed    int                      // calls remembered that were published
}

// AskedCount is what attempts at CPSs are counted by.
type AskedCount struct {
	Action  oob.Action
	CPS     string // its URL
	Outcome string // as in cpsclient.Attempt
}

// DipCount is what dips are counted by.
type DipCount struct {
	Trunk  string
	Mode   trunk.Mode
	Result Result
}

// UnusableCount is what calls whose numbers made no key are counted by.
type UnusableCount struct {
	Trunk string
	Cause string
}

// FailOpenCount is what calls that went on with less are counted by.
type FailOpenCount struct {
	Trunk string
	Cause Cause
}

// VerdictCount is what verdicts are counted by: verstat, the reason code, and the row of the error table.
type VerdictCount struct {
	Verstat oob.Verstat
	Code    int
	Case    string
}

// Looks counts retrievals that had an answer.
type Looks struct{ Hits, Misses int64 }

// Histogram counts durations; Counts[i] are those up to Buckets[i], and not up to the one before.
type Histogram struct {
	Counts [len(Buckets)]int64
	Count  int64
	Sum    time.Duration
}

func (h *Histogram) add(took time.Duration) {
	h.Count++
	h.Sum += took
	for i, most := range Buckets {
		if took <= most {
			h.Counts[i]++
			return
		}
	}
}

// tally counts.
type tally struct {
	mu    sync.Mutex
	stats Stats                    // without what follows; guarded by mu
	looks map[string]Looks         // guarded by mu
	gone  map[string]Consumptions  // guarded by mu
	held  map[string]int64         // guarded by mu
	tries map[AskedCount]Histogram // guarded by mu
}

func (t *tally) add(on *Trunk, call Call, a Answer, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.stats
	if s.Dips == nil {
		*s = Stats{
			Dips: map[DipCount]int64{}, Durations: map[trunk.Mode]Histogram{}, Unusable: map[UnusableCount]int64{},
			Signed: map[string]int64{}, Verified: map[VerdictCount]int64{}, FailOpen: map[FailOpenCount]int64{},
		}
	}
	s.Dips[DipCount{on.Name, on.Mode, a.Result}]++
	h := s.Durations[on.Mode]
	h.add(took)
	s.Durations[on.Mode] = h
	if cause := call.Parties.Unusable; cause != "" {
		s.Unusable[UnusableCount{on.Name, string(cause)}]++
	}
	if a.FailOpen != "" {
		s.FailOpen[FailOpenCount{on.Name, a.FailOpen}]++
	}
	if a.Signed.Attest != "" {
		s.Signed[string(a.Signed.Attest)]++
	}
	if v := a.Verdict; v != nil {
		s.Verified[VerdictCount{v.Verstat, v.Code, v.Case}]++
	}
}

func (t *tally) looked(trunk string, found bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.looks == nil {
		t.looks = map[string]Looks{}
	}
	l := t.looks[trunk]
	if found {
		l.Hits++
	} else {
		l.Misses++
	}
	t.looks[trunk] = l
}

func (t *tally) consumed(trunk string, more Consumptions) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone == nil {
		t.gone = map[string]Consumptions{}
	}
	c := t.gone[trunk]
	t.gone[trunk] = Consumptions{Done: c.Done + more.Done, Failed: c.Failed + more.Failed, Left: c.Left + more.Left}
}

func (t *tally) keptHeld(trunk string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held == nil {
		t.held = map[string]int64{}
	}
	t.held[trunk]++
}

// Discovered stands in AskedCount for all CPSs that were found rather than named in the configuration: there may be as many as who
// advertises them likes, and a number in each.
const Discovered = "discovered"

func (t *tally) asked(a cpsclient.Attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tries == nil {
		t.tries = map[AskedCount]Histogram{}
	}
	count := AskedCount{a.Action, a.CPS, a.Outcome}
	if a.Found {
		count.CPS = Discovered
	}
	h := t.tries[count]
	h.add(a.Took)
	t.tries[count] = h
}

// Stats tells what has been counted.
func (s *Service) Stats() Stats {
	t := &s.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.stats
	c.Dips, c.Durations, c.Unusable = maps.Clone(c.Dips), maps.Clone(c.Durations), maps.Clone(c.Unusable)
	c.Looks, c.Signed, c.Verified, c.FailOpen = maps.Clone(t.looks), maps.Clone(c.Signed), maps.Clone(c.Verified), maps.Clone(c.FailOpen)
	c.Consumed, c.Held = maps.Clone(t.gone), maps.Clone(t.held)
	c.Asked, c.Placed = maps.Clone(t.tries), s.placed.len()
	return c
}
