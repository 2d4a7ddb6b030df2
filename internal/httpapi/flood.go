package httpapi

import (
	"log/slog"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// What is written of a flood.
const (
	floodLines = 10               // of those refused in floodTime that have a line of their own
	floodTime  = 10 * time.Second // after which it is said how many they were, and the next have lines again
)

// flood bounds what is logged of requests that are refused for want of a place. They come by the thousand when processor time is
// what there is too little of, and whoever keeps the lines has to spend some on each, too. Metrics count all of them.
type flood struct {
	log *slog.Logger

	mu      sync.Mutex
	refused int // in this floodTime, which the first of them begins; guarded by mu
	greedy  int // of these, those who asked for much more than others; guarded by mu
}

// hasLine counts one who is refused, and tells whether it is to have a line in the log.
func (f *flood) hasLine(kind oob.Kind) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refused == 0 {
		time.AfterFunc(floodTime, f.sum)
	}
	f.refused++
	if kind == oob.RateLimited {
		f.greedy++
	}
	return f.refused <= floodLines
}

// sum says how many they were, where not each has its line.
func (f *flood) sum() {
	f.mu.Lock()
	refused, greedy := f.refused, f.greedy
	f.refused, f.greedy = 0, 0
	f.mu.Unlock()
	if refused > floodLines {
		f.log.Warn("more was asked than can be answered", "refused", refused, oob.RateLimited.String(), greedy, oob.Overloaded.String(), refused-greedy)
	}
}
