package trust

import (
	"sync"
	"sync/atomic"
	"time"
)

// cached is the chain that a URL served. A newer chain of the same URL is another cached.
type cached struct {
	credential *Credential
	chain      *Chain
	owner      string    // of the host that served it
	fresh      time.Time // until when it need not be fetched again

	proven    atomic.Bool  // a signature verified with its key, or with the same key in an older one
	used      atomic.Int64 // when it was last asked for, Unix time in seconds
	refreshed atomic.Int64 // when it was last fetched because it was no longer fresh, Unix time in seconds
	refetched atomic.Int64 // when it was last fetched because of a bad signature, Unix time in seconds
}

// over tells whether an entry is too old to be served on while its host is dead: what a TNAuthList that is not in the
// certificate says may change.
func (c *cached) over(now time.Time) bool {
	return c.chain.Leaf.TNAuthListURL != "" && now.Sub(c.credential.Fetched) >= CacheLifetimeMax
}

// cache holds believed chains by URL, in a bounded number.
type cache struct {
	max int

	mu    sync.RWMutex
	byURL map[string]*cached // guarded by mu
	hosts map[string]int     // URLs of each owner, not 0; guarded by mu
}

func newCache(max int) *cache {
	return &cache{max: max, byURL: make(map[string]*cached), hosts: make(map[string]int)}
}

// get gives the chain that x5u served, or nil.
func (c *cache) get(x5u string, now time.Time) *cached {
	c.mu.RLock()
	found := c.byURL[x5u]
	c.mu.RUnlock()
	if found == nil || found.over(now) {
		return nil
	}
	if second := now.Unix(); found.used.Load() != second { // a store for every call would be a contended cache line
		found.used.Store(second)
	}
	return found
}

// put lays a chain into the cache, unless a newer one of its URL is there, and gives the URL that had to go for it, or "".
func (c *cache) put(entry *cached, now time.Time) (evicted string, laid bool) {
	entry.used.Store(now.Unix())
	x5u := entry.credential.X5U
	c.mu.Lock()
	defer c.mu.Unlock()
	switch there := c.byURL[x5u]; {
	case there != nil && there.credential.Fetched.After(entry.credential.Fetched):
		return "", false
	case there != nil:
		c.remove(there)
	case len(c.byURL) >= c.max:
		out := c.dispensable(entry.owner, now)
		c.remove(out)
		evicted = out.credential.X5U
	}
	c.byURL[x5u] = entry
	c.hosts[entry.owner]++
	return evicted, true
}

// dispensable looks at a few entries, whichever come first, and picks one that has expired or else the one that was not
// used for the longest time: nearly as good as an exact order, without its cost on every hit. A host that has more than
// any other of them makes room for its newcomers out of its own. The caller holds mu.
func (c *cache) dispensable(owner string, now time.Time) *cached {
	const sample = 16
	var oldest, oldestOwn *cached
	largest, n := true, 0
	for _, entry := range c.byURL {
		if now.After(entry.chain.Leaf.NotAfter) {
			return entry
		}
		oldest = lessUsed(oldest, entry)
		if entry.owner == owner {
			oldestOwn = lessUsed(oldestOwn, entry)
		} else if c.hosts[entry.owner] > c.hosts[owner] {
			largest = false
		}
		if n++; n == sample {
			break
		}
	}
	if largest && oldestOwn != nil {
		return oldestOwn
	}
	return oldest
}

func lessUsed(a, b *cached) *cached {
	if a == nil || b.used.Load() < a.used.Load() {
		return b
	}
	return a
}

// drop removes an entry, if it is still there.
func (c *cache) drop(entry *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byURL[entry.credential.X5U] == entry {
		c.remove(entry)
	}
}

// remove takes out an entry that is there. The caller holds mu.
func (c *cache) remove(entry *cached) {
	delete(c.byURL, entry.credential.X5U)
	if c.hosts[entry.owner]--; c.hosts[entry.owner] == 0 {
		delete(c.hosts, entry.owner)
	}
}

// knows tells whether the cache holds anything of the host.
func (c *cache) knows(owner string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.hosts[owner] > 0
}

func (c *cache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.byURL)
}
