// Package store is the shelf of a CPS: it keeps publications until they expire, and remembers which access tokens
// have been used.
//
// Knows: what is laid under which key, for how long, by whom, and how much room there is. Never hears of: HTTP, wire
// forms, what a PASSporT says, who may read.
//
// There is one [View], in memory, and every read is answered from it. The only way to change it is [View.Apply], and
// the only one to call that is a [Log]: publishing appends an [Event] to the log, and is acknowledged when the event
// has been applied to this node's own view. The log of package store/local is a function call. A replicated log
// applies the same events on every node; nothing here would change.
//
// So there are two sorts of decision, and they live apart:
//   - whether there is room (admit.go) is decided before the event is appended, by the node that was asked;
//   - whether a token was used before is decided when the event is applied, so that all nodes decide alike.
//
// Those who want to be told what is laid, instead of asking, read the [Feed].
//
// Read log.go, store.go, admit.go, view.go, shelf.go, table.go, in this order; then called.go, consume.go, feed.go.
//
// # Failures
//
// Every error is an [oob.Fault]: those that [oob.Store] lists, Draining after [Store.Close], and what the log fails
// with. What was refused has changed nothing.
//
// # Limits
//
// Those of [Config], which [Config.Memory] adds up. What the shelf allocates grows to what was needed for the most records,
// tokens and bytes of PASSporTs ever held at one time, is used again, and is not given back before the View itself is dropped.
// A record whose PASSporTs have 900 bytes takes at most 300 beside them; the feed adds nothing to it, and 24 bytes for each
// place of its ring, however many are in use. The garbage collector looks at next to nothing of all that, see package heap.
//
// A lock is held for a few dozen microseconds at most, however full the shelf is: what is long, sweeping, listing, copying many
// PASSporTs, is done in parts, and whatever grows does so by a chunk, without being moved.
package store

import (
	"context"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Store is the shelf: a View, the Log that feeds it, and the goroutine that lets its records expire. It is an
// [oob.Store].
type Store struct {
	view *View
	log  Log
	quit chan struct{}
	done chan struct{}
	once sync.Once
}

// New makes the store of a view and the log that feeds it, and starts to expire. Close it after use.
func New(view *View, log Log) *Store {
	s := &Store{view: view, log: log, quit: make(chan struct{}), done: make(chan struct{})}
	go s.expire()
	return s
}

// Publish lays p under its key and remembers its token. See [oob.Store].
func (s *Store) Publish(ctx context.Context, p oob.Publication) (oob.Outcome, error) {
	now := s.view.cfg.Now()
	// A retry is answered before anything else, so that it can neither be late nor find the shelf full.
	if used, same := s.view.used(p.Use, now); used {
		return answer(outcomeOf(same))
	}
	if err := s.closed(); err != nil {
		return 0, err
	}
	room, err := s.view.admit(p, now)
	if err != nil {
		return 0, err
	}
	defer s.view.ledger.release(p.Publisher, room)
	outcome, err := s.log.Append(ctx, Event{Act: Laid, At: now, Publication: p})
	if err != nil {
		return 0, oob.FaultOf(err)
	}
	return answer(outcome)
}

// Retrieve gives the live records under k, newest first. See [oob.Store].
func (s *Store) Retrieve(_ context.Context, k oob.Key) ([]oob.Record, error) {
	return s.view.Retrieve(k), nil
}

// RetrieveCalled gives the live records of profile p whose called party is dest, newest first, at most limit of them; when
// there are more, publishers are heard in turn, see [InTurn]. See [oob.Store].
func (s *Store) RetrieveCalled(_ context.Context, p oob.Profile, dest tn.Number, limit int) ([]oob.Held, error) {
	return s.view.RetrieveCalled(p, dest, limit), nil
}

// FindCalled gives those that hold the PASSporT that id names. See [oob.Store].
func (s *Store) FindCalled(_ context.Context, p oob.Profile, dest tn.Number, id string) ([]oob.Held, error) {
	return s.view.FindCalled(p, dest, id), nil
}

// Consume takes away the records under a key that hold a PASSporT, and keeps it away. See [oob.Store]. What names no PASSporT
// can be consumed as often as one likes.
func (s *Store) Consume(ctx context.Context, c oob.Consumption) (oob.Outcome, error) {
	hash, ok := oob.PassportHash(c.Passport)
	if err := s.closed(); err != nil {
		return 0, err
	}
	if !ok {
		return oob.Repeated, nil
	}
	now := s.view.cfg.Now()
	use := oob.TokenUse{ID: hash, Body: c.By, Until: c.Until}
	if s.view.consumedElsewhere(c.Key, use, now) {
		return 0, consumedBefore()
	}
	room, err := s.view.admitUse(now)
	if err != nil {
		return 0, err
	}
	defer s.view.ledger.release("", room)
	outcome, err := s.log.Append(ctx, Event{Act: Consumed, At: now, Publication: oob.Publication{Key: c.Key, Use: use}})
	switch {
	case err != nil:
		return 0, oob.FaultOf(err)
	case outcome == Replayed:
		return 0, consumedBefore()
	}
	return answer(outcome)
}

func consumedBefore() error { return oob.Faultf(oob.Replayed, "somebody else has consumed it") }

// Consumed tells whether a PASSporT has been consumed under k. See [oob.Store].
func (s *Store) Consumed(k oob.Key, id string) bool {
	hash, ok := oob.PassportHash(id)
	return ok && s.view.consumed(k, hash, s.view.cfg.Now())
}

// Feed is what is laid, in the order in which it is applied; nil when the configuration names no profile for it.
func (s *Store) Feed() *Feed { return s.view.feed }

// Spend remembers the use of a token that changes nothing else. See [oob.Store].
func (s *Store) Spend(ctx context.Context, use oob.TokenUse) error {
	now := s.view.cfg.Now()
	if used, _ := s.view.used(use, now); used {
		return replayed()
	}
	if err := s.closed(); err != nil {
		return err
	}
	room, err := s.view.admitUse(now)
	if err != nil {
		return err
	}
	defer s.view.ledger.release("", room)
	outcome, err := s.log.Append(ctx, Event{Act: Spent, At: now, Publication: oob.Publication{Use: use}})
	if err != nil {
		return oob.FaultOf(err)
	}
	_, err = answer(outcome)
	return err
}

// Used tells whether a token has been used, and whether with the same Body. See [oob.Store].
func (s *Store) Used(use oob.TokenUse) (used, same bool) {
	return s.view.used(use, s.view.cfg.Now())
}

// List gives called numbers of r that have a live record of profile p: those after the number after, or from the start
// of r when it is the zero Number; at most limit of them, in ascending order.
func (s *Store) List(p oob.Profile, r tn.Range, after tn.Number, limit int) []tn.Number {
	return s.view.List(p, r, after, limit)
}

// Stats tells how full the shelf is. What has expired counts until it has been swept, a moment later.
func (s *Store) Stats() oob.StoreStats { return s.view.Stats() }

// Advance sweeps out what has expired at now. The store does so by itself; a test with its own clock calls it.
func (s *Store) Advance(now time.Time) { s.view.Advance(now) }

// Ready is nil when both publishing and retrieving work.
func (s *Store) Ready() error {
	if err := s.closed(); err != nil {
		return err
	}
	return s.log.Ready()
}

// Close ends expiry and refuses what comes later, except reading. It may be called more than once. It does not close
// the log.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.quit) })
	<-s.done
	return nil
}

func (s *Store) closed() error {
	select {
	case <-s.quit:
		return oob.Faultf(oob.Draining, "")
	default:
		return nil
	}
}

// sweepParts is in how many parts the shelves are swept: of fifty thousand records that end in a second, each part has a
// millisecond's work. At once it would be eight, in which a processor has no time for those who wait for it.
const sweepParts = 8

// expire sweeps each shelf once every slot of the wheel. A late tick costs memory for that long and nothing else, because
// reading compares with the clock.
func (s *Store) expire() {
	defer close(s.done)
	tick := time.NewTicker(wheelSlot / sweepParts)
	defer tick.Stop()
	for part := 0; ; part = (part + 1) % sweepParts {
		select {
		case <-tick.C:
			s.view.advance(s.view.cfg.Now(), part*shards/sweepParts, (part+1)*shards/sweepParts)
		case <-s.quit:
			return
		}
	}
}

// answer puts what the view decided into the words of [oob.Store].
func answer(o Outcome) (oob.Outcome, error) {
	switch o {
	case Created:
		return oob.Created, nil
	case Repeated:
		return oob.Repeated, nil
	case Replayed:
		return 0, replayed()
	}
	return 0, oob.Faultf(oob.Internal, "")
}

func replayed() error { return oob.Faultf(oob.Replayed, "this access token has been used before") }
