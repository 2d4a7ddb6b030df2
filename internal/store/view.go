package store

import (
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// View is what the log amounts to: the records and the token uses, in memory. Apply is its only writer, but for the
// passing of time, in which things expire. All that it does commutes, but for two uses of one token, and two who consume
// one PASSporT.
//
// It is cut into 64 shelves of records and as many memories of token uses, each with its own lock, so that few wait for
// the same one. Locks are taken in the order turn, memory, shelf, then names, ledger or feed; never two of a kind.
type View struct {
	cfg      Config
	seed     maphash.Seed // random, so that nobody can choose keys that collide
	shelves  [shards]shelf
	memories [shards]memory
	turns    [turns]sync.Mutex // of tokens: one is held from a token's use until what it publishes lies there
	names    *names
	ledger   *ledger
	feed     *Feed // nil when nothing is fed
}

const (
	shards     = 64
	shardShift = 64 - 6 // a shard is named by the top bits of a hash, a chain in its table by the lowest

	// turns are many because one is held for long, and to be woken takes ten times as long as to apply an event.
	turns     = 1024
	turnShift = 64 - 10

	// sweepMost nodes are swept under one lock: a few dozen microseconds.
	sweepMost = 32
)

// NewView makes an empty view.
func NewView(cfg Config) *View {
	v := &View{cfg: cfg.withDefaults(), seed: maphash.MakeSeed(), names: newNames(), ledger: newLedger()}
	now := nanos(v.cfg.Now())
	for i := range shards {
		v.shelves[i].init(uint64(i), v.ledger, now, v.seed)
		v.memories[i].init(now, v.seed)
	}
	v.feed = newFeed(v, v.cfg)
	return v
}

// shelf gives the shelf of all that is laid for a called party, packed.
func (v *View) shelf(dest uint64) *shelf {
	return &v.shelves[maphash.Comparable(v.seed, dest)>>shardShift]
}

// place gives the shelf of a key and its hash there.
func (v *View) place(k key) (*shelf, uint64) {
	return v.shelf(k.dest), maphash.Comparable(v.seed, k)
}

// token gives the turn of a token, its memory and its hash there.
func (v *View) token(id [16]byte) (turn *sync.Mutex, m *memory, hash uint64) {
	hash = maphash.Comparable(v.seed, id)
	return &v.turns[hash>>turnShift], &v.memories[hash>>shardShift], hash
}

// Apply makes ev happen, and returns what it did. It never refuses for want of room, for other nodes have done it too.
// What it does and returns follows from the events before it; this node's clock has no part in it.
func (v *View) Apply(ev Event) Outcome {
	use, at := ev.Publication.Use, nanos(ev.At)
	if ev.Act == Consumed {
		return v.consume(ev)
	}
	turn, m, hash := v.token(use.ID)
	// Held until the publication lies there: whoever is answered Repeated can read what it repeats.
	turn.Lock()
	defer turn.Unlock()
	used, same, more := m.spend(hash, use, at)
	if used {
		return outcomeOf(same && ev.Act == Laid)
	}
	v.ledger.tokens(more)
	if ev.Act == Laid && !v.lay(ev.Publication) {
		return Repeated
	}
	if ev.Act == Laid && v.cfg.Laid != nil {
		v.cfg.Laid(ev)
	}
	return Created
}

// lay puts a publication on its shelf, unless it holds what has been consumed. When a record says the same already, that one is kept instead, from the earlier
// receipt to the later deadline: earliest and latest, so that it does not matter which of the two is applied first.
func (v *View) lay(p oob.Publication) bool {
	w, ok := newWhole(v.names.hold(p.Key), p)
	s, hash := v.place(w.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok || s.buried(hash, &w) {
		v.names.release(w.key)
		return false
	}
	if old := s.same(hash, &w); old != nil {
		v.names.release(w.key)
		old.expires = max(old.expires, w.expires)
		if w.received < old.received {
			v.ledger.older(old.received, w.received)
			old.received = w.received
		}
		return true
	}
	w.account = v.ledger.lay(p.Publisher, w.size(), w.received, w.expires)
	ref := s.lay(&w)
	if v.feed.wants(p.Key.Profile) {
		s.records.at(ref).value.fed = v.feed.add(s.number, ref, w.key)
	}
	return true
}

// used tells whether a token is remembered at now, and whether with the same body.
func (v *View) used(use oob.TokenUse, now time.Time) (used, same bool) {
	turn, m, hash := v.token(use.ID)
	turn.Lock()
	defer turn.Unlock()
	return m.used(hash, use, nanos(now))
}

// Retrieve gives the live records under k, newest first; of two received at the same time, the last laid first. A
// PASSporT that several hold is given in the newest alone, and a record without any other is left out.
func (v *View) Retrieve(k oob.Key) []oob.Record {
	packed, ok := v.names.find(k)
	if !ok {
		return nil
	}
	s, hash := v.place(packed)
	var few [4]whole // what there mostly is; keeps the list off the heap
	found := s.find(few[:0], hash, packed, nanos(v.cfg.Now()))
	if len(found) == 0 {
		return nil
	}
	newestFirst(found)
	return unpack(found, func(_ *whole, shown oob.Record) (oob.Record, bool) { return shown, true })
}

// unpack makes the answer of the records found: of each, as far as it has a PASSporT that no other of its key had before,
// what give makes of it.
func unpack[T any](found []whole, give func(w *whole, shown oob.Record) (T, bool)) []T {
	count := 0
	for i := range found {
		count += found[i].count()
	}
	answer := make([]T, 0, len(found))
	passports := make([]string, 0, count) // for all of them
	var seen distinct                     // which one alone does not need
	if count > 1 {
		seen = distinct{}
	}
	for i := range found {
		r := &found[i]
		begun := len(passports)
		passports = unpackTokens(passports, r.tokens, r.count())
		if count > 1 {
			passports = seen.keep(r.key, passports, begun)
		}
		if len(passports) == begun {
			continue
		}
		if one, ok := give(r, r.show(passports[begun:len(passports):len(passports)])); ok {
			answer = append(answer, one)
		}
	}
	return answer
}

// show is the record as a reader sees it, with these of its PASSporTs.
func (w *whole) show(passports []string) oob.Record {
	return oob.Record{
		Passports: passports,
		Publisher: w.publisher,
		Received:  instant(w.received),
		Expires:   instant(w.expires),
	}
}

// distinct is a set of PASSporTs already given, each under its key.
type distinct map[given]struct{}

type given struct {
	key      key
	passport string
}

// keep takes out of list, from the index begun, what is in the set, and adds the rest to the set.
func (d distinct) keep(k key, list []string, begun int) []string {
	kept := list[:begun]
	for _, text := range list[begun:] {
		one := given{k, text}
		if _, ok := d[one]; !ok {
			d[one] = struct{}{}
			kept = append(kept, text)
		}
	}
	return kept
}

// List is [Store.List].
func (v *View) List(p oob.Profile, r tn.Range, after tn.Number, limit int) []tn.Number {
	if r.Start().IsZero() || limit <= 0 {
		return nil
	}
	first, last := interval(r)
	if !after.IsZero() {
		first = max(first, packNumber(after)+1)
	}
	now := nanos(v.cfg.Now())
	// A number with * or # sorts among the numbers of the block without being one of them.
	inRange := func(packed uint64) bool {
		n, err := unpackNumber(packed)
		return err == nil && r.Contains(n)
	}
	// The first of all are among the first of each shelf.
	var packed []uint64
	for i := range v.shelves {
		packed = v.shelves[i].list(packed, p, first, last, now, limit, inRange)
	}
	slices.Sort(packed)
	packed = slices.Compact(packed)
	numbers := make([]tn.Number, 0, min(limit, len(packed)))
	for _, one := range packed[:min(limit, len(packed))] {
		if n, err := unpackNumber(one); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// Advance sweeps out what has expired at now: records and token uses. It holds each lock for a short time only, and
// lets others run in between.
func (v *View) Advance(now time.Time) { v.advance(now, 0, shards) }

// advance is that for the shards from one to before another.
func (v *View) advance(now time.Time, from, to int) {
	at := nanos(now)
	for more := true; more; {
		more = false
		for i := from; i < to; i++ {
			records := v.shelves[i].sweep(at, sweepMost, v.gone)
			uses := v.memories[i].sweep(at, sweepMost, v.forgotten)
			tombs := v.shelves[i].sweepTombs(at, sweepMost, v.dug)
			more = more || records || uses || tombs
			runtime.Gosched()
		}
	}
}

// gone undoes what was noted elsewhere of a record that leaves its shelf. The caller holds the shelf's lock.
func (v *View) gone(r *record) {
	v.ledger.drop(r.account, r.size(), r.received, r.expires)
	v.names.release(r.key)
	if v.feed.wants(r.key.profile()) {
		v.feed.forget(r.fed)
	}
}

func (v *View) forgotten() { v.ledger.tokens(-1) }

// dug undoes what was noted elsewhere of a tomb. The caller holds the shelf's lock.
func (v *View) dug(t *tomb) {
	v.ledger.tokens(-1)
	v.names.release(t.key)
}

// Stats tells how full the view is. Oldest is when the oldest record was received, to the second.
func (v *View) Stats() oob.StoreStats { return v.ledger.stats(v.cfg.most()) }
