package siptx

import (
	"context"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// key names a transaction: two hashes, under seeds of this process, of what RFC 3261 §17.2.3 matches by. Nobody can
// make two of one key, and a key takes sixteen bytes whatever a switch writes into its branch.
type key [2]uint64

// state of a transaction.
type state int

const (
	proceeding state = iota // Respond has it
	completed               // answered, no ACK yet
	confirmed               // ACK came: what is late is absorbed. Nothing but the key is left, see past
	forwarded               // sent on
	gone                    // no longer in the table
)

// transaction is an INVITE that is remembered (RFC 3261 §17.2.1). All but key and from are guarded by the lock of the table.
type transaction struct {
	key    key
	from   origin
	cancel context.CancelFunc // of the context of Respond; nil after it

	state      state
	request    *Request // while proceeding
	load       *load    // of its source
	merge      key      // what a merged request would have in common; zero in proxy mode
	last       []byte   // the response that a retransmission gets: 100, or the final answer over UDP; nil without
	terminated []byte   // 487, if a CANCEL came before Respond was done
	interval   time.Duration
	giveUp     time.Time
	way        *way // when forwarded

	taken          int   // bytes of request, while Respond has it
	due            int64 // this and the next three belong to the wheel
	next, prev     *transaction
	scheduled      bool
	younger, elder *transaction // of those that are completed; nil for others
}

// table holds all transactions of a Server.
type table struct {
	config Config
	seeds  [2]maphash.Seed
	wake   chan struct{} // tells keepTime that something is scheduled

	mu        sync.Mutex
	byKey     map[key]*transaction    // guarded by mu, as all below
	byBranch  map[branch]*transaction // those forwarded
	merges    map[key]*transaction    // those proceeding
	wheel     *wheel
	past      past
	ages      transaction // head of the ring of those completed, the oldest first
	kept      int         // bytes of the answers of those completed
	loads     map[netip.Addr]*load
	total     load
	forgotten uint64          // answers that were forgotten before their ACK, for want of room
	waiting   []chan struct{} // for total.inFlight to become 0
	abandoned bool            // cancelAll was called
}

func newTable(c Config) *table {
	t := &table{config: c, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, wake: make(chan struct{}, 1),
		byKey: map[key]*transaction{}, byBranch: map[branch]*transaction{}, merges: map[key]*transaction{}, wheel: &wheel{began: time.Now()},
		loads: map[netip.Addr]*load{}}
	t.ages.younger, t.ages.elder = &t.ages, &t.ages
	return t
}

// keyed makes a key of what names a transaction.
func keyed[T comparable](t *table, name T) key {
	return key{maphash.Comparable(t.seeds[0], name), maphash.Comparable(t.seeds[1], name)}
}

// keyOf is the key of the INVITE that a request is, acknowledges or cancels: branch and sent-by where the branch is
// unique, else what RFC 2543 matched by (RFC 3261 §17.2.3). The To tag, which an ACK has and its INVITE has not, is left out.
//
// DIVERGES RFC 3261 §17.2.3: source address, Call-ID and CSeq number count besides, because no switch may reach the calls of
// another, and one that starts its branches anew would be told of a call that is over.
func (t *table) keyOf(r *Request) key {
	type common struct {
		source netip.Addr
		callID string
		cseq   uint32
	}
	c := common{r.Source.Addr(), r.callID, r.cseq}
	if v := &r.via; v.unique() {
		return keyed(t, struct {
			common
			by     sentBy
			branch string
		}{c, v.by, v.branch})
	}
	return keyed(t, struct {
		common
		uri, fromTag, via string
	}{c, r.URI, r.fromTag, r.via.text})
}

// mergeOf is what a merged request has in common with the first (RFC 3261 §8.2.2.2).
func (t *table) mergeOf(r *Request) key {
	return keyed(t, struct {
		fromTag, callID string
		cseq            uint32
	}{r.fromTag, r.callID, r.cseq})
}

// entry is how an INVITE is found or let into the table.
type entry int

const (
	fresh entry = iota
	repeated
	merged
	overloaded
)

// enter finds the transaction of an INVITE or makes it. A repeated one comes with what it gets once more: a response, or
// the way it was sent on; both may be missing. A fresh one comes with the context of Respond.
func (t *table) enter(k key, r *Request, proxy bool) (x *transaction, how entry, ctx context.Context, last []byte, w *way) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x := t.byKey[k]; x != nil {
		if x.state != completed || !x.from.reliable() || x.from.stream == r.from.stream {
			return x, repeated, nil, x.last, x.way
		}
		t.remove(x) // its answer went to a connection that the switch has given up
	}
	if t.past.has(k) {
		return nil, repeated, nil, nil, nil
	}
	var m key
	if !proxy {
		m = t.mergeOf(r)
		if t.merges[m] != nil {
			return nil, merged, nil, nil, nil
		}
	}
	source := t.loadOf(r.Source.Addr())
	if t.abandoned || !t.room(source, len(r.text)) {
		t.drop(source, r.Source.Addr())
		return nil, overloaded, nil, nil, nil
	}
	x = &transaction{key: k, from: r.from, request: r, merge: m, load: source, taken: len(r.text)}
	ctx, x.cancel = context.WithCancel(context.Background())
	t.byKey[k] = x
	if !proxy {
		t.merges[m] = x
	}
	for _, l := range [...]*load{&t.total, source} {
		l.inFlight, l.open, l.bytes = l.inFlight+1, l.open+1, l.bytes+x.taken
	}
	t.schedule(x, t.config.TryingAfter)
	return x, fresh, ctx, nil, nil
}

func (t *table) schedule(x *transaction, d time.Duration) {
	t.wheel.schedule(x, d)
	if t.wheel.held == 1 {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// find is the state of the transaction with that key, and the way it was sent on.
func (t *table) find(k key) (x *transaction, st state, w *way) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x = t.byKey[k]; x != nil {
		return x, x.state, x.way
	}
	if t.past.has(k) {
		return nil, confirmed, nil
	}
	return nil, gone, nil
}

// complete gives x its final answer; false if it has one already, was sent on or is gone.
func (t *table) complete(x *transaction, answer []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.state != proceeding {
		return false
	}
	t.settle(x, answer)
	return true
}

// terminate gives x the answer to a CANCEL, as complete does, and ends the context of Respond.
func (t *table) terminate(x *transaction, answer []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.state != proceeding {
		return false
	}
	t.settle(x, answer)
	if x.cancel != nil {
		x.terminated = answer
		x.cancel()
	}
	return true
}

// settle has x completed: Timer H, and Timer G where answers are sent again (RFC 3261 §17.2.1). Over a stream nobody asks
// for the answer again, and it is not kept.
func (t *table) settle(x *transaction, answer []byte) {
	t.leaveOpen(x)
	x.state = completed
	x.giveUp = time.Now().Add(64 * t.config.T1)
	if x.from.reliable() {
		x.last, x.interval = nil, 64*t.config.T1
	} else {
		x.last, x.interval = answer, t.config.T1
		t.kept += len(answer)
		x.load.unacknowledged++
	}
	head := &t.ages
	x.elder, x.younger = head.elder, head
	head.elder.younger, head.elder = x, x
	t.schedule(x, x.interval)
}

// leaveProceeding lets go of the request.
func (t *table) leaveProceeding(x *transaction) {
	x.request = nil
	if t.merges[x.merge] == x {
		delete(t.merges, x.merge)
	}
}

// leaveOpen is told that x waits for nothing that would be lost with it.
func (t *table) leaveOpen(x *transaction) {
	t.leaveProceeding(x)
	t.total.open--
	x.load.open--
}

// acknowledge is told of an ACK, and gives the way it goes on if the INVITE was sent on.
func (t *table) acknowledge(k key) (known bool, w *way) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.byKey[k]
	if x == nil {
		return t.past.has(k), nil
	}
	if x.state != completed {
		return true, x.way
	}
	t.remove(x)
	if !x.from.reliable() { // else Timer I is zero
		t.past.remember(k, t.wheel.after(t.config.T4))
	}
	return true, nil
}

// remove forgets x.
func (t *table) remove(x *transaction) {
	t.wheel.unschedule(x)
	switch x.state {
	case proceeding, forwarded:
		t.leaveOpen(x)
	case completed:
		x.elder.younger, x.younger.elder = x.younger, x.elder
		x.elder, x.younger = nil, nil
		if !x.from.reliable() {
			t.kept -= len(x.last)
			x.load.unacknowledged--
		}
	}
	if x.way != nil {
		delete(t.byBranch, x.way.branch)
	}
	delete(t.byKey, x.key)
	x.state, x.last, x.way = gone, nil, nil
	t.drop(x.load, x.from.source())
}

// responded is told that Respond has returned, and gives the 487 that was sent meanwhile.
func (t *table) responded(x *transaction) (terminated []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x.cancel()
	x.cancel = nil
	for _, l := range [...]*load{&t.total, x.load} {
		l.inFlight, l.bytes = l.inFlight-1, l.bytes-x.taken
	}
	t.drop(x.load, x.from.source())
	if t.total.inFlight == 0 {
		for _, w := range t.waiting {
			close(w)
		}
		t.waiting = nil
	}
	terminated, x.terminated = x.terminated, nil
	return terminated
}

// idle is closed when Respond has nothing.
func (t *table) idle() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := make(chan struct{})
	if t.total.inFlight == 0 {
		close(w)
	} else {
		t.waiting = append(t.waiting, w)
	}
	return w
}

// cancelAll ends the context of every INVITE in Respond, and lets none in any more.
func (t *table) cancelAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.abandoned = true
	for _, x := range t.byKey {
		if x.cancel != nil {
			x.cancel()
		}
	}
}

// sizes are how many INVITEs are remembered, how many Respond has, and how many answers were forgotten.
func (t *table) sizes() (transactions, inFlight int, forgotten uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byKey) + t.past.held(), t.total.inFlight, t.forgotten
}
