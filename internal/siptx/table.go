package siptx

import (
	"context"
	"hash/maphash"
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
	confirmed               // ACK came: what is late is absorbed
	forwarded               // sent on
	gone                    // no longer in the table
)

// transaction is an INVITE that is remembered (RFC 3261 §17.2.1). All but key, from, ctx and cancel are guarded by the
// lock of the table.
type transaction struct {
	key    key
	from   origin
	ctx    context.Context // of Respond
	cancel context.CancelFunc

	state      state
	request    *Request // while proceeding
	merge      key      // what a merged request would have in common; zero in proxy mode
	last       []byte   // the response that a retransmission gets: 100, or the final answer; nil without
	terminated []byte   // 487, if a CANCEL came before Respond was done
	interval   time.Duration
	giveUp     time.Time
	way        *way // when forwarded

	inFlight       bool
	due            int64 // this and the next three belong to the wheel
	next, prev     *transaction
	scheduled      bool
	younger, elder *transaction // of those that are confirmed; nil for others
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
	ages      transaction // head of the ring of those confirmed, the oldest first
	inFlight  int
	waiting   []chan struct{} // for inFlight to become 0
	abandoned bool            // cancelAll was called
}

func newTable(c Config) *table {
	t := &table{config: c, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, wake: make(chan struct{}, 1),
		byKey: map[key]*transaction{}, byBranch: map[branch]*transaction{}, merges: map[key]*transaction{}, wheel: &wheel{began: time.Now()}}
	t.ages.younger, t.ages.elder = &t.ages, &t.ages
	return t
}

// hash makes a key of what write writes.
func (t *table) hash(write func(*maphash.Hash)) key {
	var k key
	for i := range k {
		var h maphash.Hash
		h.SetSeed(t.seeds[i])
		write(&h)
		k[i] = h.Sum64()
	}
	return k
}

// keyOf is the key of the INVITE that a request is, acknowledges or cancels: branch and sent-by where the branch is
// unique, else what RFC 2543 matched by (RFC 3261 §17.2.3). The To tag, which an ACK has and its INVITE has not, is left out.
func (t *table) keyOf(r *Request) key {
	source := r.Source.Addr().As16()
	return t.hash(func(h *maphash.Hash) {
		h.Write(source[:])
		if v := &r.via; v.unique() {
			writeAll(h, v.branch, v.by.host)
			maphash.WriteComparable(h, v.by.port)
		} else {
			writeAll(h, r.URI, r.fromTag, r.callID, r.via.text)
			maphash.WriteComparable(h, r.cseq)
		}
	})
}

// mergeOf is what a merged request has in common with the first (RFC 3261 §8.2.2.2).
func (t *table) mergeOf(r *Request) key {
	return t.hash(func(h *maphash.Hash) {
		writeAll(h, r.fromTag, r.callID)
		maphash.WriteComparable(h, r.cseq)
	})
}

func writeAll(h *maphash.Hash, parts ...string) {
	for _, p := range parts {
		h.WriteString(p)
		h.WriteByte(0)
	}
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
// the way it was sent on; both may be missing.
func (t *table) enter(k key, r *Request, proxy bool) (x *transaction, how entry, last []byte, w *way) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x := t.byKey[k]; x != nil {
		return x, repeated, x.last, x.way
	}
	var m key
	if !proxy {
		m = t.mergeOf(r)
		if t.merges[m] != nil {
			return nil, merged, nil, nil
		}
	}
	if t.abandoned || t.inFlight >= t.config.InFlightMax || !t.room() {
		return nil, overloaded, nil, nil
	}
	x = &transaction{key: k, from: r.from, request: r, merge: m, inFlight: true}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	t.byKey[k] = x
	if !proxy {
		t.merges[m] = x
	}
	t.inFlight++
	t.schedule(x, t.config.TryingAfter)
	return x, fresh, nil, nil
}

// room tells whether there is place for one more, and makes it where only late ones are waited for.
func (t *table) room() bool {
	if len(t.byKey) < t.config.TransactionsMax {
		return true
	}
	oldest := t.ages.younger
	if oldest == &t.ages {
		return false
	}
	t.remove(oldest)
	return true
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

// find is the transaction with that key, if it is there.
func (t *table) find(k key) (x *transaction, st state, w *way) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x = t.byKey[k]; x == nil {
		return nil, gone, nil
	}
	return x, x.state, x.way
}

// complete gives x its final answer; false if it has one already, was sent on or is gone.
func (t *table) complete(x *transaction, answer []byte, terminated bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.state != proceeding {
		return false
	}
	t.settle(x, answer)
	if terminated {
		x.terminated = answer
	}
	return true
}

// settle has x completed: Timer H, and Timer G where answers are sent again (RFC 3261 §17.2.1).
func (t *table) settle(x *transaction, answer []byte) {
	t.leaveProceeding(x)
	x.state, x.last = completed, answer
	x.interval = t.config.T1
	x.giveUp = time.Now().Add(64 * t.config.T1)
	if x.from.reliable() {
		x.interval = 64 * t.config.T1
	}
	t.schedule(x, x.interval)
}

func (t *table) leaveProceeding(x *transaction) {
	x.request = nil
	if t.merges[x.merge] == x {
		delete(t.merges, x.merge)
	}
}

// acknowledge is told of an ACK, and gives the way it goes on if the INVITE was sent on.
func (t *table) acknowledge(k key) (known bool, w *way) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.byKey[k]
	if x == nil {
		return false, nil
	}
	if x.state != completed {
		return true, x.way
	}
	if x.from.reliable() { // Timer I is zero
		t.remove(x)
		return true, nil
	}
	x.state, x.last = confirmed, nil
	head := &t.ages
	x.elder, x.younger = head.elder, head
	head.elder.younger, head.elder = x, x
	t.schedule(x, t.config.T4)
	return true, nil
}

// remove forgets x.
func (t *table) remove(x *transaction) {
	t.wheel.unschedule(x)
	if x.state == proceeding {
		t.leaveProceeding(x)
	}
	if x.elder != nil {
		x.elder.younger, x.younger.elder = x.younger, x.elder
		x.elder, x.younger = nil, nil
	}
	if x.way != nil {
		delete(t.byBranch, x.way.branch)
	}
	delete(t.byKey, x.key)
	x.state, x.last, x.way = gone, nil, nil
}

// responded is told that Respond has returned, and gives the 487 that was sent meanwhile.
func (t *table) responded(x *transaction) (terminated []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.inFlight {
		x.inFlight = false
		if t.inFlight--; t.inFlight == 0 {
			for _, w := range t.waiting {
				close(w)
			}
			t.waiting = nil
		}
	}
	return x.terminated
}

// idle is closed when Respond has nothing.
func (t *table) idle() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := make(chan struct{})
	if t.inFlight == 0 {
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
		x.cancel()
	}
}

// sizes are how many INVITEs are remembered, and how many Respond has.
func (t *table) sizes() (transactions, inFlight int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byKey), t.inFlight
}
