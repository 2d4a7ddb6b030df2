package cps

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Rate bounds how often one SPC may ask.
type Rate struct {
	PerSecond float64 // zero means 200
	Burst     int     // zero means what two seconds bring, and at least 1
}

func (r Rate) withDefaults() Rate {
	if r.PerSecond == 0 {
		r.PerSecond = 200
	}
	if r.Burst == 0 {
		r.Burst = max(1, int(min(2*r.PerSecond, 1e9)))
	}
	return r
}

// limiter is the generic cell rate algorithm: of each SPC it keeps one instant, the one at which its bucket will be full
// again. A request moves it on by the time that brings one, and is refused where that would be further ahead than the
// whole bucket. SPCs are proven before they get here, so that their number is that of the providers; perSPCMax is a bound
// all the same.
//
// Where several nodes share a rate, each also moves the instants on by what the others have admitted. Until they know what
// it has admitted itself, it gives away no more than comes in that time, and a small part of what is left of the bucket:
// one 2·nodes-th, because the times in which two nodes do not know of each other can overlap by half. So all together
// exceed the rate by no more than what comes in that time for each of the others, however they are asked.
type limiter struct {
	every int64     // ns in which one request comes; 0 where that is less than one
	depth int64     // ns that a full bucket is worth
	nodes int64     // that share the rate
	epoch time.Time // all instants are ns after it, by the monotonic clock where the times given have one
	cost  atomic.Int64
	told  atomic.Int64 // when the others were last told; neverTold while they hear nothing from us, or we nothing from them

	seed   maphash.Seed
	shards [limiterShards]limiterShard
}

const (
	perSPCMax     = 100_000
	limiterShards = 64
	shardMax      = perSPCMax / limiterShards

	everyMost = 1 << 50 // 13 days: no rate is lower
	depthMost = 1 << 61
	neverTold = -1 << 63
)

// limiterShard holds the SPCs whose names have the same hash, in part. mu is held while a client of it is used, to read:
// one that is dropped is used by nobody.
type limiterShard struct {
	mu      sync.RWMutex
	clients map[string]*client // guarded by mu
}

// client is what is kept of one SPC.
type client struct {
	full   atomic.Int64 // when its bucket is full again
	untold atomic.Int64 // requests admitted of which the other nodes have not been told
}

// newLimiter makes a limiter; nodes is how many share the rate, 0 or 1 for none but this.
func newLimiter(r Rate, nodes int, epoch time.Time) *limiter {
	r = r.withDefaults()
	l := &limiter{epoch: epoch, nodes: int64(max(1, nodes)), seed: maphash.MakeSeed()}
	l.every = int64(min(float64(time.Second)/r.PerSecond, everyMost))
	l.depth = max(l.every, int64(min(float64(l.every)*float64(r.Burst), depthMost)))
	for i := range l.shards {
		l.shards[i].clients = map[string]*client{}
	}
	l.divide()
	return l
}

// divide has this node give away its part of the rate alone, because it hears nothing of the others.
func (l *limiter) divide() {
	l.told.Store(neverTold)
	l.cost.Store(l.every * l.nodes)
}

// share has this node give away all of the rate, less what the others tell of.
func (l *limiter) share(at int64) {
	l.told.CompareAndSwap(neverTold, at)
	l.cost.Store(l.every)
}

// since is an instant of this limiter.
func (l *limiter) since(now time.Time) int64 { return int64(now.Sub(l.epoch)) }

func (l *limiter) shard(spc string) *limiterShard {
	return &l.shards[maphash.String(l.seed, spc)%limiterShards]
}

// take spends one request of the SPC's, or tells how long to wait for the next.
func (l *limiter) take(spc string, now time.Time) (wait time.Duration, ok bool) {
	if l.every == 0 {
		return 0, true
	}
	at, s := l.since(now), l.shard(spc)
	s.mu.RLock()
	if c := s.clients[spc]; c != nil {
		defer s.mu.RUnlock()
		return l.spend(c, at)
	}
	s.mu.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.spend(s.client(spc, at), at)
}

func (l *limiter) spend(c *client, at int64) (wait time.Duration, ok bool) {
	told := l.told.Load()
	if l.nodes == 1 || told == neverTold {
		return l.advance(c, at)
	}
	// Counted before it is admitted, so that no two at a time take the same room.
	untold := c.untold.Add(1)
	left := max(0, l.depth-max(0, c.full.Load()-at))
	if untold > 1 && untold*l.every > max(0, at-told)+left/(2*l.nodes) {
		c.untold.Add(-1)
		return max(time.Millisecond, gossipEvery-time.Duration(at-told)), false
	}
	if wait, ok = l.advance(c, at); !ok {
		c.untold.Add(-1)
	}
	return wait, ok
}

func (l *limiter) advance(c *client, at int64) (wait time.Duration, ok bool) {
	cost := l.cost.Load()
	for {
		full := c.full.Load()
		next := max(full, at) + cost
		if over := next - at - max(l.depth, cost); over > 0 {
			return time.Duration(over), false
		}
		if c.full.CompareAndSwap(full, next) {
			return 0, true
		}
	}
}

// charge counts what another node has admitted. The debt of a client has a bound: what is told of it may be wrong, and must
// not shut it out for long.
func (l *limiter) charge(spc string, count, at int64) {
	if l.every == 0 {
		return
	}
	s := l.shard(spc)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.client(spc, at)
	most := l.depth + 2*l.nodes*max(l.every, int64(gossipEvery))
	more := min(count, most/l.every+1) * l.every
	for {
		full := c.full.Load()
		next := max(full, min(max(full, at)+more, at+most))
		if c.full.CompareAndSwap(full, next) {
			return
		}
	}
}

// client gives what is kept of an SPC. The caller holds mu.
func (s *limiterShard) client(spc string, at int64) *client {
	if c := s.clients[spc]; c != nil {
		return c
	}
	if len(s.clients) >= shardMax {
		s.makeRoom(at)
	}
	c := &client{}
	c.full.Store(at)
	s.clients[strings.Clone(spc)] = c // the text may be part of a whole request
	return c
}

// makeRoom drops one SPC. There are not so many providers: of a few, whichever are met first, the one with the fullest bucket
// starts afresh. The caller holds mu.
func (s *limiterShard) makeRoom(at int64) {
	const sample = 8
	var pick string
	var fullest int64
	n := 0
	for spc, c := range s.clients {
		full := c.full.Load()
		if n == 0 || full < fullest {
			pick, fullest = spc, full
		}
		if n++; n == sample || full <= at {
			break
		}
	}
	delete(s.clients, pick)
}

// len is how many SPCs are told apart now.
func (l *limiter) len() int {
	n := 0
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.RLock()
		n += len(s.clients)
		s.mu.RUnlock()
	}
	return n
}

// misses counts retrievals that found nothing. SPCs beyond perSPCMax are counted together under "".
type misses struct {
	mu     sync.Mutex
	counts map[string]int64 // guarded by mu
}

func (m *misses) add(spc string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = map[string]int64{}
	}
	if _, known := m.counts[spc]; !known && len(m.counts) >= perSPCMax {
		spc = ""
	}
	m.counts[spc]++
}

func (m *misses) bySPC() map[string]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]int64, len(m.counts))
	for spc, n := range m.counts {
		all[spc] = n
	}
	return all
}
