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
	weight     int       // bytes of memory, about

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

// What a chain may take of the cache on average: CertificatesMax of them take so much at most. One can take more, if it
// has many certificates or a long TNAuthList, and then there is room for fewer.
const (
	chainWeight  = 4000    // bytes
	cacheMinimum = 1 << 20 // bytes of a whole cache: the largest chain fits into the smallest
)

func weightOf(c *Chain) int {
	const (
		each = 1000 // what holds the parts together
		text = 64   // one entry of a list, parsed
	)
	leaf := c.Leaf
	entries := len(leaf.TNAuthList.SPCs) + len(leaf.TNAuthList.Ranges)
	weight := each + len(leaf.Raw)
	if limits := leaf.Constraints; limits != nil {
		weight += len(leaf.Raw) // what they say may be long, and is there twice
		entries += len(limits.MustInclude) + len(limits.MustExclude)
		for _, values := range limits.PermittedValues {
			entries += 1 + len(values.Values)
		}
	}
	for _, other := range c.others {
		weight += len(other.Value()) // as if no other chain had it
	}
	return weight + text*entries
}

// cache holds believed chains by URL, in a bounded number and in bounded memory.
type cache struct {
	max       int
	weightMax int

	mu     sync.RWMutex
	byURL  map[string]*cached // guarded by mu
	hosts  map[string]int     // weight of what each owner has, not 0; guarded by mu
	weight int                // of all; guarded by mu
}

func newCache(certificatesMax int) *cache {
	return &cache{
		max: certificatesMax, weightMax: max(certificatesMax*chainWeight, cacheMinimum),
		byURL: make(map[string]*cached), hosts: make(map[string]int),
	}
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

// put lays a chain into the cache, unless a newer one of its URL is there, and gives the URLs that had to go for it.
func (c *cache) put(entry *cached, now time.Time) (evicted []string, laid bool) {
	entry.used.Store(now.Unix())
	x5u := entry.credential.X5U
	c.mu.Lock()
	defer c.mu.Unlock()
	if there := c.byURL[x5u]; there != nil {
		if there.credential.Fetched.After(entry.credential.Fetched) {
			return nil, false
		}
		c.remove(there)
	}
	for !c.fits(entry) {
		out := c.dispensable(entry.owner, now)
		c.remove(out)
		evicted = append(evicted, out.credential.X5U)
	}
	c.byURL[x5u] = entry
	c.hosts[entry.owner] += entry.weight
	c.weight += entry.weight
	return evicted, true
}

// fits tells whether there is room for one more. The caller holds mu.
func (c *cache) fits(entry *cached) bool {
	return len(c.byURL) == 0 || len(c.byURL) < c.max && c.weight+entry.weight <= c.weightMax
}

// hasRoom tells whether one more would displace nothing.
func (c *cache) hasRoom(entry *cached) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.fits(entry)
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
	c.weight -= entry.weight
	if c.hosts[entry.owner] -= entry.weight; c.hosts[entry.owner] == 0 {
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
