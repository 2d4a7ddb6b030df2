// Package push tells subscribers of what is laid on the shelf: it stands between the feed of the store and whoever has
// said which calls are of interest.
//
// Knows: who is interested in which numbers and service provider codes, up to where each has been told, who only waits for
// one call. Never hears of: HTTP, wire forms, what a PASSporT says, who may be told: that is decided before.
//
// A record is matched once, by the goroutine of [Hub.Run], and put into the queue of each subscriber that it matches.
// Nobody waits for a subscriber: one whose queue is full is cut off. It comes again with its cursor, and is told what came
// after it, from the feed, in its own goroutine.
//
// Delivery is at least once. A cursor stands for a position in the feed, and says that every record up to there that matched
// has been delivered, was not live any more, or is of no interest. It never passes a record whose number is still being
// looked up; so records can overtake each other, and a record can come twice. One that is consumed while it waits in a
// queue is told all the same.
//
// Read hub.go, interest.go, index.go, subscription.go, cursor.go, replay.go, lookup.go, watch.go, in this order.
//
// # Failures
//
// [Hub.Subscribe] and [Hub.Watch] refuse with an [oob.Fault]. [Subscription.Next] ends with [ErrSlow], [ErrClosed] or
// the error of its context. A look-up that fails is repeated for as long as the record is live, and counted in [Stats].
//
// # Limits
//
// Those of [Config]. A queue holds references; a record is held once, however many are told of it. Queues hold records that
// have expired until their subscriber reads on, so a door bounds how long it waits for a socket.
package push

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

// Config bounds the hub. Every field that is zero has the default that its comment gives, but for Feed, which must be set.
type Config struct {
	Feed *store.Feed // what is laid

	// Numbering tells to which SPCs a called number belongs. When it is nil, nobody can subscribe to SPCs in a profile whose
	// records do not name one.
	Numbering oob.Numbering

	SubscribersMax        int // subscriptions at a time; default 16,384
	AccountSubscribersMax int // those of one account; default 1,024
	EntriesMax            int // numbers, ranges and SPCs of one subscription; default 256
	AllEntriesMax         int // those of all subscriptions; default 1,048,576, which take about 100 MiB. An account has a sixteenth, and EntriesMax at least.
	QueueMax              int // records that wait for one subscriber; default 1,024
	WatchersMax           int // those that wait for one call; default 16,384
	AccountWatchersMax    int // those of one account; default 1,024

	Now func() time.Time // the clock; default time.Now
}

func (c Config) withDefaults() Config {
	for _, one := range []struct {
		setting *int
		value   int
	}{
		{&c.SubscribersMax, 1 << 14}, {&c.AccountSubscribersMax, 1 << 10}, {&c.EntriesMax, 256}, {&c.AllEntriesMax, 1 << 20},
		{&c.QueueMax, 1 << 10}, {&c.WatchersMax, 1 << 14}, {&c.AccountWatchersMax, 1 << 10},
	} {
		if *one.setting == 0 {
			*one.setting = one.value
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// runStep is how many records are read from the feed at once.
const runStep = 64

// entryShares is how many accounts it takes to fill all entries.
const entryShares = 16

// Hub tells subscribers of what is laid. Make it with New, and call Run. All methods may be called at the same time.
type Hub struct {
	cfg     Config
	cursors cursors
	lookups lookups
	done    chan struct{} // closed when Run has ended

	replaying chan struct{} // one for each step of a replay that goes on

	// mu guards who is interested in what. Who matches a record holds it for reading, one record long.
	mu          sync.RWMutex
	indexes     []index // by profile
	all         map[*Subscription]struct{}
	subscribers share
	entries     share
	watches     map[slot][]*Watch
	watchers    share
	ended       bool
	asleep      chan struct{} // closed when somebody is interested again; nil while Run is awake
	serial      uint64        // of the last subscription

	seen    atomic.Uint64   // every record up to this position has been matched
	matched []*Subscription // of Run alone

	records, told, stale, slow, gaps, refused, replays atomic.Uint64
}

// Stats are the counters of a hub since New, and how it stands now.
type Stats struct {
	Records uint64 // that were matched
	Told    uint64 // records put into the queue of a subscriber, each counted; those of replays included
	Stale   uint64 // of these, those that expired in the queue
	Slow    uint64 // subscribers that were cut off
	Gaps    uint64 // subscribers told that their cursor is not known any more, or that records were lost
	Refused uint64 // subscriptions and watches that were one too many
	Replays uint64 // subscriptions that came with a cursor and began behind it

	Lookups        uint64 // questions to the Numbering
	LookupFailures uint64 // those that were not answered
	LookupsExpired uint64 // records that expired before it was known whose number they are for

	Subscribers int
	Entries     int // numbers, ranges and SPCs of all subscribers
	Watchers    int
	LookingUp   int // records whose number is being looked up
}

// New makes a hub that tells of what is laid from now on.
func New(cfg Config) *Hub {
	cfg = cfg.withDefaults()
	h := &Hub{cfg: cfg, cursors: newCursors(cfg.Feed.Epoch()), done: make(chan struct{}), replaying: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), all: map[*Subscription]struct{}{},
		subscribers: newShare(cfg.SubscribersMax, cfg.AccountSubscribersMax),
		entries:     newShare(cfg.AllEntriesMax, max(cfg.EntriesMax, cfg.AllEntriesMax/entryShares)),
		watches:     map[slot][]*Watch{}, watchers: newShare(cfg.WatchersMax, cfg.AccountWatchersMax)}
	h.indexes = make([]index, len(oob.Profiles())+1)
	for i := range h.indexes {
		h.indexes[i] = newIndex()
	}
	h.lookups.init(h)
	h.seen.Store(cfg.Feed.Last())
	return h
}

// Run matches what is laid until ctx is done; then every subscription ends with ErrClosed. It must be called once.
func (h *Hub) Run(ctx context.Context) {
	defer h.end()
	defer h.lookups.run(ctx).Wait()
	var batch [runStep]store.Entry
	for {
		if !h.sleep(ctx) {
			return
		}
		n, lost, err := h.cfg.Feed.Next(ctx, h.seen.Load(), batch[:])
		if err != nil {
			return
		}
		if lost {
			h.missed()
		}
		for i := range n {
			h.tell(&batch[i])
		}
		clear(batch[:n])
	}
}

// sleep waits while nobody is interested in anything, so that no record costs a wake-up. It is false when ctx is done.
func (h *Hub) sleep(ctx context.Context) bool {
	h.mu.Lock()
	if len(h.all)+len(h.watches) > 0 {
		h.mu.Unlock()
		return true
	}
	h.asleep = make(chan struct{})
	woken := h.asleep
	h.mu.Unlock()
	select {
	case <-woken:
		return true
	case <-ctx.Done():
		return false
	}
}

// wakeUp has Run go on with what is laid from now on. Whoever becomes interested calls it first, with the lock held.
func (h *Hub) wakeUp() {
	if h.asleep != nil {
		h.seen.Store(h.cfg.Feed.Last())
		close(h.asleep)
		h.asleep = nil
	}
}

// tell puts one record into the queues of all whom it matches.
func (h *Hub) tell(e *store.Entry) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	h.records.Add(1)
	key := &e.Held.Key
	if len(h.watches) > 0 {
		h.wake(key)
	}
	x := &h.indexes[key.Profile]
	h.matched = x.match(key, h.matched[:0])
	lookUp := x.looksUp(key)
	if len(h.matched) > 0 || lookUp {
		one := &laid{position: e.Position, held: e.Held}
		if lookUp && !h.lookups.begin(one) {
			x.cutReaders()
		}
		for _, s := range h.matched {
			s.push(one)
		}
		clear(h.matched)
	}
	h.seen.Store(e.Position) // the last, for cursors go up to here
}

// missed tells all subscribers that records were lost before they could be matched.
func (h *Hub) missed() {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for s := range h.all {
		s.miss()
	}
}

// end closes all that is open, and lets nothing be opened any more.
func (h *Hub) end() {
	h.mu.Lock()
	h.ended = true
	for s := range h.all {
		s.fail(ErrClosed)
	}
	h.mu.Unlock()
	close(h.done)
}

// Stats gives the counters.
func (h *Hub) Stats() Stats {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return Stats{Records: h.records.Load(), Told: h.told.Load(), Stale: h.stale.Load(), Slow: h.slow.Load(), Gaps: h.gaps.Load(),
		Refused: h.refused.Load(), Replays: h.replays.Load(),
		Lookups: h.lookups.asked.Load(), LookupFailures: h.lookups.failed.Load(), LookupsExpired: h.lookups.expired.Load(),
		Subscribers: h.subscribers.all, Entries: h.entries.all, Watchers: h.watchers.all, LookingUp: int(h.lookups.open.Load())}
}
