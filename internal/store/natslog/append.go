package natslog

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

const (
	// appendMost is how long Append takes at most.
	appendMost = 900 * time.Millisecond

	// comeAgain is when to try again after Append has failed.
	comeAgain = time.Second
)

// entry is an event on its way into the log.
type entry struct {
	bytes  []byte // as appendEntry wrote it
	number uint64
	act    store.Act
	home   int       // the stream that it belongs to
	until  time.Time // when nobody needs it any more

	moves int          // times that another stream was tried; of the lane that has it
	over  atomic.Bool  // nobody waits for it any more, or it has come back
	done  chan applied // what the first application gave; nil when nobody waits
}

// applied says what the application of an event gave, and where the event lies in the log.
type applied struct {
	outcome store.Outcome
	stream  int
	seq     uint64
}

// Append makes ev part of the log, and returns what its first application to the own view gave. A Spent is applied at
// once and made known to the others in the background, so that reading works while the log has no majority.
// Faults: Overloaded with a RetryAfter, Draining, and those of ctx.
func (l *Log) Append(ctx context.Context, ev store.Event) (store.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return 0, oob.FaultOf(err)
	}
	if l.apply == nil {
		return 0, oob.Faultf(oob.Overloaded, "this node is a witness")
	}
	e, err := l.newEntry(&ev)
	if err != nil {
		l.count.failed.Add(1)
		return 0, oob.Faultf(oob.Internal, "").Because(err)
	}
	if ev.Act == store.Spent {
		return l.spend(ev, e), nil
	}
	done, err := l.submit(ctx, e)
	if err != nil {
		l.count.failed.Add(1)
		return 0, err
	}
	l.count.appended.Add(1)
	return done.outcome, nil
}

func (l *Log) newEntry(ev *store.Event) (*entry, error) {
	use := &ev.Publication.Use
	e := &entry{number: l.waiting.last.Add(1), act: ev.Act, home: home(ev, l.cfg.Now()), until: use.Until}
	size := 256 + len(ev.Publication.Token)
	for _, p := range ev.Publication.Passports {
		size += 2 + len(p)
	}
	var err error
	e.bytes, err = appendEntry(make([]byte, 0, size), e.number, ev)
	return e, err
}

// spend applies a use that leaves nothing on the shelf, and sends it on its way.
func (l *Log) spend(ev store.Event, e *entry) store.Outcome {
	ev.Node = l.cfg.id()
	cut(&ev.Publication.Use.Until, l.cfg.Now().Add(l.cfg.KeepMax))
	outcome := l.apply(ev)
	if outcome == store.Created {
		if !l.lanes[l.healthy(e.home)].offer(e) {
			l.count.dropped.Add(1)
		}
		l.count.appended.Add(1)
	}
	return outcome
}

// submit hands an entry to its lane and waits until it has come back, and until as many sites have it as must.
func (l *Log) submit(ctx context.Context, e *entry) (applied, error) {
	if l.lonely.long() {
		return applied{}, unavailable("this node hears no majority of its site")
	}
	e.done = make(chan applied, 1)
	l.waiting.add(e)
	defer l.waiting.drop(e)
	to := e.home
	if e.act != store.Consumed {
		to = l.healthy(to)
	}
	if !l.lanes[to].offer(e) {
		return applied{}, unavailable("too much waits for the log")
	}
	timer := time.NewTimer(l.cfg.most)
	defer timer.Stop()
	var done applied
	select {
	case done = <-e.done:
	case <-timer.C:
		return applied{}, unavailable("the log does not answer")
	case <-ctx.Done():
		return applied{}, oob.FaultOf(ctx.Err())
	case <-l.quit.Done():
		return applied{}, oob.Faultf(oob.Draining, "")
	}
	if l.cfg.AcknowledgeSites == 0 {
		return done, nil
	}
	return done, l.awaitSites(ctx, timer, done)
}

func unavailable(why string) error {
	return oob.Faultf(oob.Overloaded, "%s", why).After(comeAgain)
}

// waiting is who waits for which entry.
type waiting struct {
	last    atomic.Uint64 // the last number that was given
	mu      sync.Mutex
	entries map[uint64]*entry
}

func (w *waiting) add(e *entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.entries == nil {
		w.entries = map[uint64]*entry{}
	}
	w.entries[e.number] = e
}

func (w *waiting) drop(e *entry) {
	e.over.Store(true)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.entries, e.number)
}

// answer tells who waits for an entry that it has been applied.
func (w *waiting) answer(number uint64, a applied) {
	w.mu.Lock()
	e := w.entries[number]
	delete(w.entries, number)
	w.mu.Unlock()
	if e != nil {
		e.over.Store(true)
		e.done <- a
	}
}
