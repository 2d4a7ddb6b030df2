package relay

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
)

const (
	pauseMin = 50 * time.Millisecond // before the second attempt, doubled each time, half of it left to chance
	pauseMax = 2 * time.Second

	// alone is for how long a CPS is left alone at most, however long it asks for: by then nothing that waits would be of use.
	alone = time.Minute

	// sweepEvery is how often a full lane looks for what has expired in it.
	sweepEvery = 100 * time.Millisecond

	// severalBytes is when a request with several is full. One more of the longest still fits into what is taken.
	severalBytes = cpsclient.RelayBytesMax
)

// record is what has to be passed on, the same for all CPSs.
type record struct {
	relay     cpsclient.Relay
	size      int
	id        [16]byte // see oob.TokenUse
	publisher string
	expires   time.Time
	laid      time.Time
}

// lane is the way to one CPS.
type lane struct {
	of    *Relay
	url   string
	found bool
	mark  mark
	send  func(context.Context, *record) cpsclient.Relayed

	// several sends more than one in a request, at most severalMax: fewer than two where the CPS takes no such requests.
	several    func(context.Context, []*record) []cpsclient.Relayed
	severalMax func() int

	ends context.Context // when it closes
	end  context.CancelFunc

	client  *cpsclient.Client
	working sync.WaitGroup

	mu      sync.Mutex
	ready   turns     // guarded by mu, as all that follows
	later   later     // what is tried again
	waiting int       // records: ready, later and being sent
	bytes   int       // of these
	workers int       // goroutines that send
	free    time.Time // until when nobody asks
	gather  time.Time // until when there is no request that is not full, where several go together
	swept   time.Time // when a full lane was last looked through
	timer   *time.Timer
	shut    bool
	count   PeerStats
}

// entry is a record in a lane.
type entry struct {
	*record
	tries int
	due   time.Time
}

func newLane(r *Relay, url string, found bool, client *cpsclient.Client) *lane {
	l := &lane{of: r, url: url, found: found, mark: markOf(url), client: client}
	l.send = func(ctx context.Context, one *record) cpsclient.Relayed { return client.Relay(ctx, one.relay) }
	l.severalMax, l.several = client.RelaysMax, func(ctx context.Context, all []*record) []cpsclient.Relayed {
		relays := make([]cpsclient.Relay, len(all))
		for i, one := range all {
			relays[i] = one.relay
		}
		return client.RelayAll(ctx, relays)
	}
	l.ready.init(r.cfg.Records/2, r.cfg.InFlight/2)
	l.ends, l.end = context.WithCancel(r.open)
	l.timer = time.AfterFunc(time.Hour, l.wake)
	l.timer.Stop()
	return l
}

// add has a record passed on, if there is room. It never waits for anything but the lane's own bookkeeping.
func (l *lane) add(one *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut {
		return
	}
	cfg := &l.of.cfg
	full := func() bool { return l.waiting >= cfg.Records || l.bytes+one.size > cfg.Bytes }
	now := l.of.cfg.Now()
	if full() && now.Sub(l.swept) >= sweepEvery {
		l.swept = now
		l.sweep(now)
	}
	if full() || !l.ready.admit(one.publisher) {
		l.count.Dropped++
		return
	}
	l.waiting++
	l.bytes += one.size
	l.ready.add(&entry{record: one})
	l.help(now)
}

// most is how many records go in one request.
func (l *lane) most() int {
	if l.of.cfg.Gather <= 0 {
		return 1
	}
	return max(1, l.severalMax())
}

// due is when what is ready is sent. Where several go together that is when they fill a request, or when Config.Gather has passed since
// the last: what comes after a silence goes at once. The caller holds the lock.
func (l *lane) due() time.Time {
	if most := l.most(); most > 1 && l.ready.count < most && l.gather.After(l.free) {
		return l.gather
	}
	return l.free
}

// help starts one more worker, if one more may be and there is something due. The caller holds the lock.
func (l *lane) help(now time.Time) {
	switch {
	case !l.ready.any() || l.shut:
	case l.due().After(now):
		l.arm(now)
	case l.workers < l.workersMax():
		l.workers++
		l.working.Go(l.work)
	}
}

// workersMax is how many requests may be under way, so that no more than Config.InFlight records are.
func (l *lane) workersMax() int { return max(1, l.of.cfg.InFlight/l.most()) }

// wake is called when something is due.
func (l *lane) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.of.cfg.Now()
	l.ripen(now)
	if !l.ready.any() {
		l.arm(now)
		return
	}
	l.help(now) // one; where it succeeds others follow
}

// arm has the lane woken when it is free again, or when the next is due. The caller holds the lock.
func (l *lane) arm(now time.Time) {
	if l.shut || l.waiting == 0 {
		return
	}
	at := l.due()
	if len(l.later) > 0 && !l.ready.any() && l.later[0].due.After(at) {
		at = l.later[0].due
	}
	if l.ready.any() || len(l.later) > 0 {
		l.timer.Reset(max(at.Sub(now), 0))
	}
}

// ripen moves what is due to those that are ready. The caller holds the lock.
func (l *lane) ripen(now time.Time) {
	for len(l.later) > 0 && !l.later[0].due.After(now) {
		l.ready.add(heap.Pop(&l.later).(*entry))
	}
}

// work sends until there is nothing to send now. What is tried again goes alone: what was slow holds up nothing else twice.
func (l *lane) work() {
	for some := l.next(nil); len(some) > 0; some = l.next(some) {
		var together, alone []*entry
		for _, e := range some {
			if e.tries == 0 {
				together = append(together, e)
			} else {
				alone = append(alone, e)
			}
		}
		if len(together) > 1 {
			l.sendAll(together)
		} else {
			alone = append(alone, together...)
		}
		for _, e := range alone {
			ctx, cancel := context.WithTimeout(l.ends, e.expires.Sub(l.of.cfg.Now()))
			result := l.send(ctx, e.record)
			cancel()
			l.settle(e, result)
		}
	}
}

// sendAll sends several in one request.
func (l *lane) sendAll(some []*entry) {
	records, last := make([]*record, len(some)), some[0].expires
	for i, e := range some {
		if records[i] = e.record; e.expires.After(last) {
			last = e.expires
		}
	}
	ctx, cancel := context.WithTimeout(l.ends, last.Sub(l.of.cfg.Now()))
	defer cancel()
	for i, result := range l.several(ctx, records) {
		l.settle(some[i], result)
	}
}

// next is what is sent next, in the room of what was sent before; nothing ends the worker.
func (l *lane) next(some []*entry) []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.of.cfg.Now()
	l.ripen(now)
	some = some[:0]
	if !l.shut && !l.due().After(now) {
		some = l.take(some, now)
	}
	if len(some) == 0 {
		l.workers--
		l.arm(now)
		return nil
	}
	gather := l.of.cfg.Gather
	l.gather = now.Add(gather - rand.N(gather/4+1)) // that lanes do not send all at the same moment
	return some
}

// take takes out what goes together. The caller holds the lock.
func (l *lane) take(some []*entry, now time.Time) []*entry {
	most, bytes := l.most(), 0
	for len(some) < most && bytes < severalBytes {
		e := l.ready.take()
		if e == nil {
			break
		}
		if !now.Before(e.expires) {
			l.ready.leave(e)
			l.count.Late++
			l.drop(e)
			continue
		}
		bytes += e.size
		some = append(some, e)
	}
	return some
}

// settle notes what came of an attempt.
func (l *lane) settle(e *entry, result cpsclient.Relayed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready.leave(e)
	now := l.of.cfg.Now()
	switch {
	case result.Fault == nil:
		l.count.Passed++
		l.count.Delay = now.Sub(e.laid)
		l.help(now)
	case !result.Again:
		l.count.Refused++
	default:
		l.again(e, result, now)
		return
	}
	l.of.marks.add(e.id, l.mark)
	l.drop(e)
}

// again puts a record back for another attempt, if there is time for one. The caller holds the lock.
func (l *lane) again(e *entry, result cpsclient.Relayed, now time.Time) {
	pause := min(pauseMin<<min(e.tries, 16), pauseMax)
	pause = pause/2 + rand.N(pause/2+1)
	e.tries++
	if wait := min(result.Wait, alone); result.Whole {
		if until := now.Add(wait); until.After(l.free) {
			l.free = until
		}
		pause = max(pause, wait)
	} else {
		pause = max(pause, result.Wait)
	}
	if e.due = now.Add(pause); !e.due.Before(e.expires) || l.shut {
		l.count.Late++
		l.drop(e)
		return
	}
	l.ready.keep(e)
	heap.Push(&l.later, e)
}

// drop forgets a record. The caller holds the lock.
func (l *lane) drop(e *entry) {
	l.waiting--
	l.bytes -= e.size
}

// sweep drops what has expired. The caller holds the lock.
func (l *lane) sweep(now time.Time) {
	late := func(e *entry) bool {
		if now.Before(e.expires) {
			return false
		}
		l.count.Late++
		l.drop(e)
		return true
	}
	l.ready.sweep(late)
	kept := l.later[:0]
	for _, e := range l.later {
		if late(e) {
			l.ready.release(e)
		} else {
			kept = append(kept, e)
		}
	}
	clear(l.later[len(kept):])
	l.later = kept
	heap.Init(&l.later)
}

// close ends the lane; what is being sent is broken off.
func (l *lane) close() {
	l.mu.Lock()
	l.shut = true
	l.timer.Stop()
	l.mu.Unlock()
	l.end()
	l.working.Wait()
	l.client.Close()
}

func (l *lane) stats() PeerStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.count
	s.URL, s.Found, s.Waiting, s.Bytes = l.url, l.found, l.waiting, l.bytes
	state := l.client.States()[0]
	s.Breaker, s.Attempts = state.Breaker, state.Outcomes
	return s
}

// later is a heap of what is tried again, the earliest on top.
type later []*entry

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (q later) Len() int           { return len(q) }
func (q later) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q later) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push is for heap.Push alone.
func (q *later) Push(e any) { *q = append(*q, e.(*entry)) }

// Pop is for heap.Pop alone.
func (q *later) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}
