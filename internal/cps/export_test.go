package cps

import "time"

// PerSPCMax is how many SPCs are told apart.
const PerSPCMax = perSPCMax

// Limiter and Misses are what is kept per SPC.
type (
	Limiter struct{ *limiter }
	Misses  struct{ misses }
)

// NewLimiter makes a limiter of one node.
func NewLimiter(r Rate, now time.Time) Limiter { return Limiter{newLimiter(r, 1, now)} }

// Take is take, and Len how many SPCs have a bucket.
func (l Limiter) Take(spc string, now time.Time) (time.Duration, bool) { return l.take(spc, now) }
func (l Limiter) Len() int                                             { return l.len() }

// Add is add, and Counts bySPC.
func (m *Misses) Add(spc string)           { m.add(spc) }
func (m *Misses) Counts() map[string]int64 { return m.bySPC() }

// WithDefaults is withDefaults.
func (r Rate) WithDefaults() Rate { return r.withDefaults() }

// Claimed is how many names of signers that nobody has proven are remembered, and how long the longest is.
func (s *Service) Claimed() (count, longest int) {
	for i := range s.claimed.shards {
		for name := range s.claimed.shards[i].clients {
			longest = max(longest, len(name))
		}
	}
	return s.claimed.len(), longest
}

// Rereads reads a message of a node and writes it again.
func Rereads(data []byte) ([]byte, error) {
	u, err := readUsage(data)
	if err != nil {
		return nil, err
	}
	return u.append(nil), nil
}

// GossipBytesMax is what a message has at most.
const GossipBytesMax = gossipBytesMax

// TakePublish asks for one publication of an SPC now.
func (s *Service) TakePublish(spc string) (time.Duration, bool) {
	return s.publishes.take(spc, s.config.Now())
}
