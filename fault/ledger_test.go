package fault

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// entry is a record that a node has acknowledged.
type entry struct {
	publication
	at           *node
	begun, acked time.Time // begun: when it was sent to the node that acknowledged it
}

// ledger is what clients were told: all that was acknowledged, and what was not.
type ledger struct {
	mu      sync.Mutex
	acked   []entry         // guarded by mu
	settled int             // how many of them have been read back; guarded by mu
	delays  []time.Duration // from when a publication was due to its acknowledgement; guarded by mu
	tried   int             // first attempts that failed; guarded by mu
	errors  map[string]int  // publications that were not acknowledged at all, by what the attempts brought; guarded by mu
	back    readBack        // guarded by mu

	notes []string // what else the table says; of the test's goroutine
}

func newLedger() *ledger { return &ledger{errors: map[string]int{}} }

// acknowledged notes that a record is in the care of the CPS.
func (l *ledger) acknowledged(e entry, delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, e)
	l.delays = append(l.delays, delay)
}

// stumbled notes that a first attempt failed.
func (l *ledger) stumbled() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tried++
}

// failed notes that a publication was given up.
func (l *ledger) failed(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errors[why]++
}

// entries are all that was acknowledged so far.
func (l *ledger) entries() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.acked)
}

// since are those that were begun at a time or later.
func (l *ledger) since(begin time.Time) []entry {
	return slices.DeleteFunc(l.entries(), func(e entry) bool { return e.begun.Before(begin) })
}

// unsettled are those that have not been read back yet, and now count as if they had.
func (l *ledger) unsettled() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := l.settled
	l.settled = len(l.acked)
	return slices.Clone(l.acked[from:])
}

// count is how many were acknowledged so far.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// tooMuch is what a node says to whom it sheds.
const tooMuch = "more is asked than can be answered"

// countErrors is how many publications were given up, and how many of them because a node had too much to do.
func (l *ledger) countErrors() (n, shed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for why, count := range l.errors {
		n += count
		if strings.Contains(why, tooMuch) {
			shed += count
		}
	}
	return n, shed
}

// why says what given-up publications were told, the most frequent first.
func (l *ledger) why() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	const shown = 6
	reasons := slices.SortedFunc(maps.Keys(l.errors), func(a, b string) int {
		return cmp.Or(cmp.Compare(l.errors[b], l.errors[a]), cmp.Compare(a, b))
	})
	var all []string
	for _, text := range reasons[:min(len(reasons), shown)] {
		all = append(all, fmt.Sprintf("%d × %s", l.errors[text], text))
	}
	return strings.Join(all, "; ")
}

// worst is the longest that anybody waited for an acknowledgement; half waited no longer than the median.
func (l *ledger) worst() (worst, median time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return spread(l.delays)
}

// spread is the longest and the median of durations.
func spread(all []time.Duration) (longest, median time.Duration) {
	if len(all) == 0 {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)-1], sorted[len(sorted)/2]
}

// note adds to the line of the table.
func (l *ledger) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// demand is what a fault may cost at most. Nothing that was acknowledged may be lost, whatever the fault.
type demand struct {
	errors bool          // publications may fail though they were tried twice
	few    int           // so many of them may
	shed   bool          // they may be refused because the machine is busy with something else
	worst  time.Duration // the longest wait for an acknowledgement; 0: any
}

// smooth is what clients may notice of a node that goes away: somebody waits for a second at most.
func smooth() demand { return noticed(time.Second) }

// noticed is what they may notice of worse.
func noticed(worst time.Duration) demand {
	if all {
		return demand{worst: worst}
	}
	return demand{shed: true} // beside other tests, it is the machine that makes everybody wait
}

// conclude adds the line about a fault to the table, and fails the test for what must not be.
func (l *ledger) conclude(t *testing.T, d demand) {
	t.Helper()
	worst, median := l.worst()
	failed, shed := l.countErrors()
	l.mu.Lock()
	tried, back := l.tried, l.back
	l.mu.Unlock()
	table.add(row{
		fault: strings.TrimPrefix(t.Name(), "TestFaults/"), acked: l.count(), lost: back.lost, errors: failed, tried: tried,
		worst: worst, median: median, notes: strings.Join(l.notes, "; "),
	})
	t.Logf("acked %d, read back %d times, lost %d, errors %d, first attempts that failed %d, worst %s, median %s, %s",
		l.count(), back.read, back.lost, failed, tried, worst.Round(time.Millisecond), median.Round(10*time.Microsecond), strings.Join(l.notes, "; "))
	if why := l.why(); why != "" {
		t.Log("errors: " + why)
	}
	switch {
	case l.count() == 0:
		t.Error("nothing was acknowledged")
	case back.read == 0:
		t.Error("nothing was read back")
	case back.lost > 0 || back.unread > 0 || back.twice > 0:
		t.Errorf("of %d acknowledged records %d are lost, %d were not read before their minute ended, %d were there twice",
			l.count(), back.lost, back.unread, back.twice)
	}
	if d.shed {
		failed -= shed
	}
	if failed > d.few && !d.errors {
		t.Errorf("%d publications failed at both nodes that were asked", failed)
	}
	if d.worst > 0 && worst > d.worst {
		t.Errorf("somebody waited %s for an acknowledgement, more than %s", worst, d.worst)
	}
}
