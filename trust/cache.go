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
	fresh      time.Time // until when it need not be fetched again

	used      atomic.Int64 // when it was last asked for, Unix time in seconds
	refetched atomic.Int64 // when it was last fetched because of a bad signature, Unix time in seconds
}

// cache holds trusted chains by URL, in a bounded number. It is not full of what nobody believes: only a chain that
// was believed when it came is laid into it.
type cache struct {
	max int

	mu    sync.RWMutex
	byURL map[string]*cached // guarded by mu
}

func newCache(max int) *cache { return &cache{max: max, byURL: make(map[string]*cached)} }

// get gives the chain that x5u served, or nil.
func (c *cache) get(x5u string, now time.Time) *cached {
	c.mu.RLock()
	found := c.byURL[x5u]
	c.mu.RUnlock()
	if found == nil {
		return nil
	}
	if second := now.Unix(); found.used.Load() != second { // a store for every call would be a contended cache line
		found.used.Store(second)
	}
	return found
}

// put lays a chain into the cache and gives the URL that had to go for it, or "".
func (c *cache) put(entry *cached, now time.Time) (evicted string) {
	entry.used.Store(now.Unix())
	x5u := entry.credential.X5U
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.byURL[x5u]; !there && len(c.byURL) >= c.max {
		evicted = c.leastUsed(now)
		delete(c.byURL, evicted)
	}
	c.byURL[x5u] = entry
	return evicted
}

// leastUsed looks at a few entries, whichever come first, and picks one that has expired or else the one that was not
// used for the longest time: nearly as good as an exact order, without its cost on every hit. The caller holds mu.
func (c *cache) leastUsed(now time.Time) string {
	const sample = 16
	var pick string
	var oldest int64
	n := 0
	for x5u, entry := range c.byURL {
		if now.After(entry.chain.Leaf.X509.NotAfter) {
			return x5u
		}
		if used := entry.used.Load(); n == 0 || used < oldest {
			pick, oldest = x5u, used
		}
		if n++; n == sample {
			break
		}
	}
	return pick
}

func (c *cache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.byURL)
}
