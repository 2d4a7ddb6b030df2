package push

import (
	"context"
	"errors"
	"sync"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

// How a subscription ends.
var (
	ErrSlow   = errors.New("push: cut off, for too much waits to be told")
	ErrClosed = errors.New("push: closed")
)

// Event is what a subscriber is told: a record that matches, or that there is a gap.
type Event struct {
	Cursor string   // from here on, once this has been delivered
	Gap    bool     // the cursor is not known any more, or records were lost; what is live of them follows
	Held   oob.Held // shared with others: not to be altered
}

// Subscription is one subscriber. Next is for one goroutine; the other methods may be called from any.
type Subscription struct {
	hub     *Hub
	account string
	wants   wants
	serial  uint64
	joined  uint64        // records after it are put into the queue when they are laid; the others are replayed
	wake    chan struct{} // holds one: there may be something to do for Next

	mu     sync.Mutex
	queue  queue
	given  uint64       // the greatest position of a cursor that was given
	late   int          // records in the queue that are replayed: they have their own bounds
	popped uint64       // the greatest position that was taken from the queue
	at     uint64       // up to where it has been replayed
	behind bool         // it is being replayed
	sifts  *store.Sieve // of what is replayed; nil when it is not behind
	gap    bool         // a gap is to be told of
	open   lookupList
	err    error // why it has ended
}

// Subscribe begins to queue what is laid and matches in, and what was laid after cursor and is live; when it is empty,
// what is laid from now on. A cursor of another feed, or of one that has gone on for too long, is a gap: the first event
// says so, and everything that is live and matches follows. Close it after use.
//
// The subscriber is to be told [Subscription.Cursor] at once, so that it has one if it is cut before the first event.
//
// Faults: Malformed, TooLarge and Refused about what is wanted; QuotaExceeded and Overloaded with RetryAfter; Draining.
func (h *Hub) Subscribe(account string, in Interest, cursor string) (*Subscription, error) {
	w, err := h.read(in)
	if err != nil {
		return nil, err
	}
	position, known, err := h.cursors.open(cursor)
	if err != nil {
		return nil, err
	}
	s := &Subscription{hub: h, account: account, wants: w, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.admit(s); err != nil {
		return nil, err
	}
	h.wakeUp()
	s.joined = h.seen.Load()
	switch {
	case cursor == "":
		s.given = s.joined
	case !known || position > h.cfg.Feed.Last():
		s.gap, s.behind = true, true
	default:
		s.given, s.at, s.behind = position, position, position < s.joined
	}
	if s.behind {
		h.replays.Add(1)
		s.sifts = s.wants.sieve(in)
	}
	h.serial++
	s.serial = h.serial
	h.all[s] = struct{}{}
	h.indexes[w.profile].add(s)
	return s, nil
}

// admit finds room for a subscription. The caller holds the lock.
func (h *Hub) admit(s *Subscription) error {
	if h.ended {
		return oob.Faultf(oob.Draining, "")
	}
	if err := h.entries.take(s.account, s.wants.entries()); err != nil {
		h.refused.Add(1)
		return err
	}
	if err := h.subscribers.take(s.account, 1); err != nil {
		h.entries.give(s.account, s.wants.entries())
		h.refused.Add(1)
		return err
	}
	return nil
}

// Close ends it; Next answers ErrClosed. It may be called more than once.
func (s *Subscription) Close() {
	h := s.hub
	h.mu.Lock()
	if _, open := h.all[s]; open {
		delete(h.all, s)
		h.indexes[s.wants.profile].remove(s)
		h.entries.give(s.account, s.wants.entries())
		h.subscribers.give(s.account, 1)
	}
	h.mu.Unlock()
	s.fail(ErrClosed)
}

// Next waits for the next event. The error is ErrSlow, ErrClosed, or that of ctx, after which it can be called again.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		event, more, err := s.take()
		if err != nil {
			return Event{}, err
		}
		if event.Cursor != "" {
			return event, nil
		}
		if more {
			if err := ctx.Err(); err != nil {
				return Event{}, err
			}
			s.replay()
			continue
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// take gives the event that is next, if there is one; else more tells whether to replay.
func (s *Subscription) take() (event Event, more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return Event{}, false, s.err
	}
	if s.gap {
		s.gap = false
		s.hub.gaps.Add(1)
		return Event{Cursor: s.cursor(), Gap: true}, false, nil
	}
	// What lies before goes first; unless that waits for look-ups.
	more = s.behind && s.open.count < replayLookups
	for len(s.queue) > 0 && (!more || s.queue[0].position <= s.at) {
		one := s.queue.pop()
		s.popped = max(s.popped, one.position)
		if one.position <= s.joined {
			s.late--
		}
		if !one.held.Expires.After(s.hub.cfg.Now()) {
			s.hub.stale.Add(1)
			continue
		}
		return Event{Cursor: s.cursor(), Held: one.held}, false, nil
	}
	return Event{}, more, nil
}

// push has the subscriber told of a record, or cuts it off when too much waits already.
func (s *Subscription) push(one *laid) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil || one.position <= s.given && one.position > s.joined: // it came with a cursor ahead of the hub
	case len(s.queue)-s.late >= s.hub.cfg.QueueMax:
		s.cutLocked()
	default:
		s.put(one)
	}
}

// put is push without a bound. The caller holds the lock.
func (s *Subscription) put(one *laid) {
	s.hub.told.Add(1)
	if one.position <= s.joined {
		s.late++
	}
	s.queue.push(one)
	s.signal()
}

// signal has Next look again.
func (s *Subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// miss has the subscriber told of a gap.
func (s *Subscription) miss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gap = true
	s.signal()
}

func (s *Subscription) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cutLocked()
}

func (s *Subscription) cutLocked() {
	if s.err == nil {
		s.hub.slow.Add(1)
		s.failLocked(ErrSlow)
	}
}

func (s *Subscription) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(err)
}

// failLocked ends it for good. The cursor stays where it is now.
func (s *Subscription) failLocked(err error) {
	if s.err == nil {
		s.cursor()
		s.err, s.queue, s.open = err, nil, lookupList{}
		s.signal()
	}
}

// Cursor is up to where everything has been delivered or is of no interest: for a heartbeat.
func (s *Subscription) Cursor() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursor()
}

// cursor never goes back: what has been delivered stays so. The caller holds the lock. What it looks at is in this order,
// for a record is among the look-ups before it is seen, and in the queue before it leaves them.
func (s *Subscription) cursor() string {
	if s.err == nil {
		reached := s.at
		if !s.behind {
			reached = max(s.hub.seen.Load(), s.popped)
			if s.wants.lookUp {
				reached = min(reached, s.hub.lookups.before.Load())
			}
		}
		reached = min(reached, s.open.before())
		if len(s.queue) > 0 {
			reached = min(reached, s.queue[0].position-1)
		}
		s.given = max(s.given, reached)
	}
	return s.hub.cursors.seal(s.given)
}
