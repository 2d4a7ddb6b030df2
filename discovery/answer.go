package discovery

import (
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
)

// Answer is what a Resolver knows. To know of no CPS is no error: the call goes on without.
type Answer struct {
	CPSs     []string          // base URLs, best first; none when nothing was found. Shared: read only
	Source   string            // name of the source that knew
	Resource stircert.Resource // what it was published for
	Signer   string            // who said so, as Finding has it
	Age      time.Duration     // how long ago it was asked for, or issued where it is held here
	Stale    bool              // past its lifetime, and asked for again meanwhile
	Negative bool              // every source has answered, and none knows of one: not likely to change soon
	Reasons  []Reason          // one for each that was asked, in their order
}

// Reason is what one source has answered, for a person.
type Reason struct {
	Source  string
	Outcome Outcome
	Detail  string        // may hold numbers and URLs; never logged above debug
	Age     time.Duration // as in Answer; 0 for what was asked just now
	Took    time.Duration // 0 for what did not wait
}

// Outcome is how a question to one source ended.
type Outcome string

// The outcomes.
const (
	Found      Outcome = "found"
	FoundStale Outcome = "stale"      // found, and past its lifetime
	Absent     Outcome = "nothing"    // the source has nothing
	Failed     Outcome = "failed"     // it could not be asked, or answered with nonsense
	TooSlow    Outcome = "too-slow"   // it has not answered within its share of the time
	Background Outcome = "background" // it is asked, and nobody waits, because it has been too slow
	Busy       Outcome = "busy"       // too many are asking it
	Expired    Outcome = "expired"    // what it has must not be used any more
)

// Outcomes lists them all.
func Outcomes() []Outcome {
	return []Outcome{Found, FoundStale, Absent, Failed, TooSlow, Background, Busy, Expired}
}
