package trust

import (
	"sync"
	"time"
)

// What a host may be asked in vain. A fetch whose certificate verifies a signature costs nothing in the end: a network
// that begins with an empty cache is not held up, and tokens that were made up cannot send us against anybody faster
// than this. A stranger is a host with nothing in the cache.
const (
	vainRate         = 10 // a second, from a stranger
	vainBurst        = 10
	vainRateKnown    = 50 // a second, from a host that has served certificates with which signatures verified
	vainBurstKnown   = 200
	allowanceHosts   = 10_000 // hosts whose debts are remembered
	allowanceSamples = 16
)

// allowance counts for each host the fetches that have proven nothing yet.
type allowance struct {
	mu    sync.Mutex
	debts map[string]*debt // by owner; guarded by mu
}

type debt struct {
	fetches float64 // that proved nothing, less what time has forgiven
	at      time.Time
}

func newAllowance() *allowance { return &allowance{debts: make(map[string]*debt)} }

// take tells whether the host may be asked now, and counts it.
func (a *allowance) take(owner string, known bool, now time.Time) bool {
	rate, burst := float64(vainRate), float64(vainBurst)
	if known {
		rate, burst = vainRateKnown, vainBurstKnown
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.debts[owner]
	if d == nil {
		a.makeRoom(now)
		d = &debt{at: now}
		a.debts[owner] = d
	}
	d.fetches = d.left(rate, now)
	d.at = now
	if d.fetches+1 > burst {
		return false
	}
	d.fetches++
	return true
}

// giveBack says that a fetch has proven something.
func (a *allowance) giveBack(owner string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.debts[owner]; d != nil {
		d.fetches = max(0, d.fetches-1)
	}
}

func (d *debt) left(rate float64, now time.Time) float64 {
	return max(0, d.fetches-rate*max(0, now.Sub(d.at).Seconds()))
}

// makeRoom forgives the least debt among a few. The caller holds mu.
func (a *allowance) makeRoom(now time.Time) {
	if len(a.debts) < allowanceHosts {
		return
	}
	var pick string
	var least float64
	n := 0
	for owner, d := range a.debts {
		if left := d.left(vainRate, now); n == 0 || left < least {
			pick, least = owner, left
		}
		if n++; n == allowanceSamples {
			break
		}
	}
	delete(a.debts, pick)
}
