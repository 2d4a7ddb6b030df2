package cps

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Rates that several nodes share. Each tells the others four times a second what it has admitted, and adds what it hears
// to its own account of each SPC. All together exceed a rate by at most
//
//	rate × (0.25 s + the way of a message) × (nodes − 1), or two requests for each of the others where that is more,
//
// over any time. A node that has heard nothing for a second gives away its part, rate ÷ nodes, until it hears of somebody. Of a
// cluster that is cut in parts, each part with more than one node gives away the whole rate.
//
// What is counted by address (Row.Open) is of strangers, and each node counts it for itself.
const (
	gossipEvery    = 250 * time.Millisecond // how often Admitted is to be called
	gossipMissing  = time.Second            // without a word from anybody, after which a node takes itself for alone
	gossipBytesMax = 64 << 10               // of one message; what does not fit is told next time
	gossipNameMax  = 64                     // bytes of the name of an account
	gossipCountMax = 1 << 40                // requests of one SPC that one message tells of
	nodesMax       = 1024                   // that share rates
	nodeNameMax    = 256                    // bytes
	gossipVersion  = 1
)

// shared are the limiters whose counts are told, in the order in which a message has them.
const (
	sharedPublishes = iota
	sharedRetrieves
	sharedRelays
	sharedKinds
)

// gossip is what is known of the other nodes.
type gossip struct {
	limiters [sharedKinds]*limiter
	nodes    int

	mu    sync.Mutex
	begun uint64 // tells this life of the node from its earlier ones
	told  uint64 // messages; guarded by mu
	last  time.Time
	from  map[string]heard // by node; guarded by mu

	alone   atomic.Bool
	refused atomic.Int64
}

// heard is the last message of a node.
type heard struct{ begun, number uint64 }

func newGossip(nodes int, now time.Time, limiters [sharedKinds]*limiter) *gossip {
	g := &gossip{limiters: limiters, nodes: nodes, begun: uint64(now.UnixNano()), from: map[string]heard{}}
	g.alone.Store(nodes > 1)
	return g
}

// usage is one message: what a node has admitted since the one before.
type usage struct {
	heard
	admitted [sharedKinds][]admitted
}

// admitted is how many requests of an account were.
type admitted struct {
	account string
	count   uint64
}

// Admitted is what this node has admitted since the last call, for the other nodes; nil where it shares its rates with nobody.
// Call it every 250 ms: it is also how this node finds out that it hears from nobody. At most 64 KiB.
func (s *Service) Admitted() []byte {
	g := s.gossip
	if g.nodes <= 1 {
		return nil
	}
	now := s.config.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.last) > gossipMissing {
		g.alone.Store(true)
		for _, l := range g.limiters {
			l.divide()
		}
	}
	g.told++
	u := usage{heard: heard{g.begun, g.told}}
	room := gossipBytesMax - 3*binary.MaxVarintLen64
	for i, l := range g.limiters {
		var taken int
		u.admitted[i], taken = l.tell(l.since(now), int(g.told), room/(sharedKinds-i))
		room -= taken
	}
	return u.append(nil)
}

// Charge counts what another node has admitted to the rates of this one. What no node would say is refused, and counted; so is
// a message that was heard before.
func (s *Service) Charge(node string, data []byte) {
	g, now := s.gossip, s.config.Now()
	u, err := readUsage(data)
	if err != nil || !g.hear(node, u.heard, now) {
		g.refused.Add(1)
		return
	}
	for i, l := range g.limiters {
		at := l.since(now)
		l.share(at)
		for _, a := range u.admitted[i] {
			l.charge(a.account, int64(a.count), at)
		}
	}
	g.alone.Store(false)
}

// RateSharing is how a node shares its rates.
type RateSharing struct {
	Alone   bool  // several nodes are configured, and nothing is heard of the others
	Refused int64 // messages of others that could not be taken
}

// RateSharing tells how the rates are shared now.
func (s *Service) RateSharing() RateSharing {
	return RateSharing{Alone: s.gossip.alone.Load(), Refused: s.gossip.refused.Load()}
}

// hear notes a message, and tells whether it counts.
func (g *gossip) hear(node string, h heard, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	before, known := g.from[node]
	switch {
	case g.nodes <= 1, node == "", len(node) > nodeNameMax, !known && len(g.from) >= nodesMax,
		known && before.begun == h.begun && h.number <= before.number:
		return false
	}
	g.from[node], g.last = h, now
	return true
}

// tell gives what the other nodes have not been told, as far as it takes no more than room bytes in a message. Each time it begins with
// another shard, so that everybody has a turn.
func (l *limiter) tell(at int64, turn, room int) (all []admitted, taken int) {
	if l.told.Load() != neverTold {
		l.told.Store(at)
	}
	for i := range l.shards {
		s := &l.shards[(turn+i)%limiterShards]
		s.mu.RLock()
		for account, c := range s.clients {
			bytes := 1 + len(account) + binary.MaxVarintLen64
			if n := c.untold.Load(); n > 0 && len(account) <= gossipNameMax && taken+bytes <= room {
				c.untold.Add(-n)
				all, taken = append(all, admitted{account, uint64(n)}), taken+bytes
			}
		}
		s.mu.RUnlock()
	}
	return all, taken
}

func (u usage) append(text []byte) []byte {
	text = append(text, gossipVersion)
	text = binary.AppendUvarint(text, u.begun)
	text = binary.AppendUvarint(text, u.number)
	for _, list := range u.admitted {
		text = binary.AppendUvarint(text, uint64(len(list)))
		for _, a := range list {
			text = append(append(text, byte(len(a.account))), a.account...)
			text = binary.AppendUvarint(text, a.count)
		}
	}
	return text
}

var errUsage = errors.New("what a node tells of its rates cannot be read")

// readUsage reads a message strictly: what it gives is written as it was read.
func readUsage(data []byte) (usage, error) {
	if len(data) > gossipBytesMax {
		return usage{}, errUsage
	}
	r := usageReader{rest: string(data)}
	r.failed = r.byte() != gossipVersion
	u := usage{heard: heard{r.uvarint(), r.uvarint()}}
	for i := range u.admitted {
		for n := r.uvarint(); n > 0 && !r.failed; n-- {
			a := admitted{account: r.account(), count: r.uvarint()}
			r.failed = r.failed || a.count == 0 || a.count > gossipCountMax
			u.admitted[i] = append(u.admitted[i], a)
		}
	}
	if r.failed || r.rest != "" {
		return usage{}, errUsage
	}
	return u, nil
}

// usageReader reads on until something is wrong; what it gives after that means nothing.
type usageReader struct {
	rest   string
	failed bool
}

func (r *usageReader) byte() byte {
	if r.rest == "" {
		r.failed = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// uvarint reads a number in its shortest form.
func (r *usageReader) uvarint() (value uint64) {
	for shift := 0; shift < 64; shift += 7 {
		b := r.byte()
		value |= uint64(b&0x7f) << shift
		if b < 0x80 {
			r.failed = r.failed || b == 0 && shift > 0 || shift == 63 && b > 1
			return value
		}
	}
	r.failed = true
	return 0
}

// account reads the name of an account: an SPC, or what stands for a certificate.
func (r *usageReader) account() string {
	n := int(r.byte())
	if n == 0 || n > gossipNameMax || n > len(r.rest) {
		r.failed = true
		return ""
	}
	name := r.rest[:n]
	r.rest = r.rest[n:]
	for i := range len(name) {
		b := name[i]
		r.failed = r.failed || !('0' <= b && b <= '9' || 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z')
	}
	return name
}
