package push

import (
	"github.com/viaduct-oob/viaduct/internal/store"
)

const (
	replayStep    = 32  // records that are read from the feed at once
	replayLookups = 256 // look-ups of one replay at a time; more wait until some are done
)

// sieve lets through what a subscription has to read of the feed.
func (w *wants) sieve(in Interest) *store.Sieve {
	switch {
	case w.lookUp:
		return store.NewNumberSieve(w.profile) // it may be one of an SPC's
	case w.all:
		return &store.Sieve{}
	}
	return store.NewSieve(w.profile, in.Numbers, in.SPCs)
}

// replay goes one step on towards the present, which is where the subscription joined. It is for the goroutine of Next.
// However many come at once, or come with a cursor that makes them begin at the beginning, they get half of the processors.
func (s *Subscription) replay() {
	s.hub.replaying <- struct{}{}
	defer func() { <-s.hub.replaying }()
	var batch [replayStep]store.Entry
	n, reached, lost := s.hub.cfg.Feed.Past(s.at, s.joined, s.sifts, batch[:]) // only replay writes at
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.gap = s.gap || lost
	for i := range n {
		e := &batch[i]
		switch {
		case s.wants.direct(&e.Held.Key):
			s.put(&laid{e.Position, e.Held})
		case s.wants.lookUp && s.wants.profile == e.Held.Key.Profile:
			if _, ok := e.Held.Key.Dest.Number(); ok && !s.hub.lookups.beginFor(s, &laid{e.Position, e.Held}) {
				s.cutLocked()
				return
			}
		}
		s.at = e.Position
	}
	if s.at = reached; s.at == s.joined {
		s.behind, s.sifts = false, nil
	}
}
