package push

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/tn"
)

// Bounds of the look-ups.
const (
	lookupsMax     = 1 << 17 // records whose number is being looked up: those of a minute at 2,000/s. Replays have half of it.
	lookupsAtOnce  = 256     // questions to the Numbering. Replays have half of them: what is laid now does not wait for those.
	lookupTime     = 2 * time.Second
	lookupPauseMin = 250 * time.Millisecond // before a question is repeated, four times that the next time
	lookupPauseMax = 15 * time.Second
)

// lookups finds out to which SPCs called numbers belong, while everything else goes on. A record is looked up until the
// answer is known or it has expired.
type lookups struct {
	hub   *Hub
	ready chan *lookup // never full: it has room for all there are
	late  chan *lookup // those of replays, as ready
	open  atomic.Int64 // all there are, those that pause included

	before atomic.Uint64 // every record up to this position is looked up, for those who were there when it was laid

	mu   sync.Mutex
	live lookupList // guarded by mu; those for all who were there when the record was laid

	asked, failed, expired atomic.Uint64
}

// lookup is one record that is looked up.
type lookup struct {
	*laid
	only  *Subscription // who asks, for a replay; nil for all who were there
	pause time.Duration // before the next question
}

func (l *lookups) init(h *Hub) {
	l.hub = h
	l.before.Store(math.MaxUint64)
	if h.cfg.Numbering != nil {
		l.ready, l.late = make(chan *lookup, lookupsMax), make(chan *lookup, lookupsMax)
	}
}

// run answers until ctx is done, and gives who does.
func (l *lookups) run(ctx context.Context) *sync.WaitGroup {
	all := new(sync.WaitGroup)
	if l.ready == nil {
		return all
	}
	for i := range lookupsAtOnce {
		late := l.late
		if i%2 == 0 {
			late = nil
		}
		all.Go(func() {
			for {
				select {
				case one := <-l.ready:
					l.ask(ctx, one)
				case one := <-late:
					l.ask(ctx, one)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	return all
}

// begin looks up the number of a record that has just been laid; false when there is no room.
func (l *lookups) begin(one *laid) bool {
	if l.open.Add(1) > lookupsMax {
		l.open.Add(-1)
		return false
	}
	look := &lookup{laid: one, pause: lookupPauseMin}
	l.mu.Lock()
	l.live.add(look)
	l.before.Store(l.live.before())
	l.mu.Unlock()
	l.line(look) <- look
	return true
}

// beginFor looks up the number of a record for one subscription, whose lock the caller holds; false when there is no room.
func (l *lookups) beginFor(s *Subscription, one *laid) bool {
	if l.open.Add(1) > lookupsMax/2 {
		l.open.Add(-1)
		return false
	}
	look := &lookup{laid: one, only: s, pause: lookupPauseMin}
	s.open.add(look)
	l.line(look) <- look
	return true
}

// ask asks once. Without an answer it will be asked again.
func (l *lookups) ask(ctx context.Context, look *lookup) {
	left := look.held.Expires.Sub(l.hub.cfg.Now())
	if look.only.gone() {
		l.settle(look, nil)
		return
	}
	if left <= 0 {
		l.expired.Add(1)
		l.settle(look, nil)
		return
	}
	dest, _ := look.held.Key.Dest.Number()
	spcs, err := l.spcs(ctx, dest, min(left, lookupTime))
	if err == nil {
		l.settle(look, spcs)
		return
	}
	l.failed.Add(1)
	pause := look.pause
	look.pause = min(4*pause, lookupPauseMax)
	left = look.held.Expires.Sub(l.hub.cfg.Now()) // by when its cursors may go on
	time.AfterFunc(min(pause, left), func() { l.line(look) <- look })
}

// line is where a look-up waits to be asked.
func (l *lookups) line(look *lookup) chan<- *lookup {
	if look.only != nil {
		return l.late
	}
	return l.ready
}

func (l *lookups) spcs(ctx context.Context, dest tn.Number, most time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	l.asked.Add(1)
	return l.hub.cfg.Numbering.SPCs(ctx, dest)
}

// settle tells whoever wants one of the SPCs, and then lets cursors go on.
func (l *lookups) settle(look *lookup, spcs []string) {
	defer l.open.Add(-1)
	if s := look.only; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err == nil {
			if s.wants.oneOf(spcs) {
				s.put(look.laid)
			}
			s.open.settle(look)
			s.signal()
		}
		return
	}
	l.hub.looked(look.laid, spcs)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live.settle(look)
	l.before.Store(l.live.before())
}

// looked puts a record into the queues of those who wait for one of its SPCs, and do not have it already.
func (h *Hub) looked(one *laid, spcs []string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	x := &h.indexes[one.held.Key.Profile]
	for i, spc := range spcs {
		for s := range x.spcs[spc] {
			if one.position > s.joined && !s.wants.oneOf(spcs[:i]) && !s.wants.number(one.held.Key.Dest) {
				s.push(one)
			}
		}
	}
}

// lookupList is look-ups in the order of their records. Those in front are open.
type lookupList struct {
	list  []*lookup
	count int // that are open
}

// add appends a look-up of a later record.
func (l *lookupList) add(look *lookup) {
	l.list = append(l.list, look)
	l.count++
}

// settle takes one out, once.
func (l *lookupList) settle(look *lookup) {
	look.laid = nil
	l.count--
	for len(l.list) > 0 && l.list[0].laid == nil {
		l.list[0] = nil
		l.list = l.list[1:]
	}
}

// before is the position before the first that is open; the greatest when none is.
func (l *lookupList) before() uint64 {
	if len(l.list) == 0 {
		return math.MaxUint64
	}
	return l.list[0].position - 1
}

// gone tells whether it has ended; nobody never does.
func (s *Subscription) gone() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}
