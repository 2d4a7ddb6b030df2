package advert

import (
	"slices"
	"time"
)

// Stats are what operators see of a Book.
type Stats struct {
	Live      int // advertisements in use
	Entries   int // members in use
	Signers   int // that are remembered
	Sets      int // of which a number is remembered
	Conflicts int // resources for which signers disagree

	Accepted      int64
	Repeated      int64 // that were held already
	Refusals      map[Problem]int64
	Members       map[Problem]int64 // members that were refused of advertisements that were accepted
	Equivocations int64
	Withdrawn     int64 // whose certificates were not believed any more
	DiskFailures  int64
}

// Equivocation is that a signer has said two things under one number.
type Equivocation struct {
	Signer string
	Seq    uint64
	At     time.Time
}

const equivocationsMax = 100

// Stats gives what is held and what was done.
func (b *Book) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	s.Signers, s.Sets = len(b.signers), len(b.sets)
	s.Refusals, s.Members = make(map[Problem]int64), make(map[Problem]int64)
	for problem, n := range b.stats.Refusals {
		s.Refusals[problem] = n
	}
	for problem, n := range b.stats.Members {
		s.Members[problem] = n
	}
	return s
}

// Equivocations gives the latest, the oldest first.
func (b *Book) Equivocations() []Equivocation {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.doubles)
}

// equivocate is called with mu held.
func (b *Book) equivocate(checked *Checked, now time.Time) {
	b.stats.Equivocations++
	if len(b.doubles) == equivocationsMax {
		b.doubles = slices.Delete(b.doubles, 0, 1)
	}
	b.doubles = append(b.doubles, Equivocation{checked.Signer, checked.Seq, now})
	b.cfg.Log.Error("advertisement: two of one number", "signer", checked.Signer, "seq", checked.Seq)
}
