package turnstile

import (
	"strings"
	"sync"
)

// knownMax is how many guests are remembered to have proven who they are, each with where it came from.
const knownMax = 65_536

// known are the guests who have proven who they are.
type known struct {
	mu     sync.RWMutex
	guests map[Guest]struct{} // guarded by mu
}

func (k *known) has(g Guest) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	_, ok := k.guests[g]
	return ok
}

func (k *known) add(g Guest) {
	if k.has(g) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.guests == nil {
		k.guests = map[Guest]struct{}{}
	}
	if len(k.guests) >= knownMax {
		// Whichever is met first proves itself again with its next request.
		for other := range k.guests {
			delete(k.guests, other)
			break
		}
	}
	g.Claim = strings.Clone(g.Claim) // the text may be part of a whole request
	k.guests[g] = struct{}{}
}
