package store

import (
	"cmp"
	"hash/maphash"
	"runtime"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// View is what the log amounts to: the records and the token uses, in memory. Apply is its only writer, but for the
// passing of time, in which things expire. Publishing and expiring commute, and so do two publications.
//
// It is cut into 64 shelves of records and as many memories of token uses, each with its own lock, so that few wait for
// the same one. Locks are taken in the order memory, shelf, then names or ledger; never two of a kind.
type View struct {
	cfg      Config
	seed     maphash.Seed // random, so that nobody can choose keys that collide
	shelves  [shards]shelf
	memories [shards]memory
	names    *names
	ledger   *ledger
}

const (
	shards     = 64
	shardShift = 64 - 6 // a shard is named by the top bits of a hash, a chain in its table by the lowest

	// sweepMost nodes are swept under one lock: a few dozen microseconds.
	sweepMost = 32
)

// NewView makes an empty view.
func NewView(cfg Config) *View {
	v := &View{cfg: cfg.withDefaults(), seed: maphash.MakeSeed(), names: newNames(), ledger: newLedger()}
	now := nanos(v.cfg.Now())
	for i := range shards {
		v.shelves[i].init(now, v.seed)
		v.memories[i].init(now, v.seed)
	}
	return v
}

func (v *View) shelf(k key) (*shelf, uint64) {
	hash := maphash.Comparable(v.seed, k)
	return &v.shelves[hash>>shardShift], hash
}

func (v *View) memory(id [16]byte) (*memory, uint64) {
	hash := maphash.Comparable(v.seed, id)
	return &v.memories[hash>>shardShift], hash
}

// Apply makes ev happen, and returns what it did. It never refuses for want of room, for other nodes have done it too.
// What it does and returns follows from the events before it; this node's clock has no part in it.
func (v *View) Apply(ev Event) Outcome {
	use, at := ev.Publication.Use, nanos(ev.At)
	m, hash := v.memory(use.ID)
	// Held until the publication lies there: whoever is answered Repeated can read what it repeats.
	m.mu.Lock()
	defer m.mu.Unlock()
	if used, same := m.used(hash, use, at); used {
		return outcomeOf(same && ev.Act == Laid)
	}
	v.ledger.tokens(m.remember(hash, use, at))
	if ev.Act == Laid {
		v.lay(ev.Publication)
	}
	return Created
}

// lay puts a publication on its shelf. When a record says the same already, that one is kept instead, from the earlier
// receipt to the later deadline: earliest and latest, so that it does not matter which of the two is applied first.
func (v *View) lay(p oob.Publication) {
	r := newRecord(v.names.hold(p.Key), p)
	s, hash := v.shelf(r.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.same(hash, &r, p.Publisher); old != nil {
		v.names.release(r.key)
		old.expires = max(old.expires, r.expires)
		if r.received < old.received {
			v.ledger.older(old.received, r.received)
			old.received = r.received
		}
		return
	}
	r.account = v.ledger.lay(p.Publisher, r.size(), r.received, r.expires)
	s.lay(r)
}

// used tells whether a token is remembered at now, and whether with the same body.
func (v *View) used(use oob.TokenUse, now time.Time) (used, same bool) {
	m, hash := v.memory(use.ID)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used(hash, use, nanos(now))
}

// Retrieve gives the live records under k, newest first; of two received at the same time, the last laid first. A
// PASSporT that several hold is given in the newest alone, and a record without any other is left out.
func (v *View) Retrieve(k oob.Key) []oob.Record {
	packed, ok := v.names.find(k)
	if !ok {
		return nil
	}
	s, hash := v.shelf(packed)
	var few [4]record // what there mostly is; keeps the copies off the heap
	found := s.find(few[:0], hash, packed, nanos(v.cfg.Now()))
	if len(found) == 0 {
		return nil
	}
	if len(found) > 1 {
		slices.SortStableFunc(found, func(a, b record) int { return cmp.Compare(b.received, a.received) })
	}
	return unpack(found)
}

// unpack makes the answer of the records found.
func unpack(found []record) []oob.Record {
	count := 0
	for i := range found {
		count += int(found[i].count)
	}
	answer := make([]oob.Record, 0, len(found))
	passports := make([]string, 0, count) // for all of them
	seen := distinct{}
	for i := range found {
		r := &found[i]
		begun := len(passports)
		passports = unpackTokens(passports, r.tokens, int(r.count))
		if count > 1 {
			passports = seen.keep(passports, begun)
		}
		if len(passports) == begun {
			continue
		}
		answer = append(answer, oob.Record{
			Passports: passports[begun:len(passports):len(passports)],
			Publisher: r.account.name,
			Received:  instant(r.received),
			Expires:   instant(r.expires),
		})
	}
	return answer
}

// distinct is a set of PASSporTs already given.
type distinct map[string]struct{}

// keep takes out of list, from the index begun, what is in the set, and adds the rest to the set.
func (d distinct) keep(list []string, begun int) []string {
	kept := list[:begun]
	for _, text := range list[begun:] {
		if _, ok := d[text]; !ok {
			d[text] = struct{}{}
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
func (v *View) Advance(now time.Time) {
	at := nanos(now)
	for more := true; more; {
		more = false
		for i := range shards {
			records := v.shelves[i].sweep(at, sweepMost, v.gone)
			uses := v.memories[i].sweep(at, sweepMost, v.forgotten)
			more = more || records || uses
			runtime.Gosched()
		}
	}
}

func (v *View) gone(r *record) {
	v.ledger.drop(r.account, r.size(), r.received, r.expires)
	v.names.release(r.key)
}

func (v *View) forgotten() { v.ledger.tokens(-1) }

// Stats tells how full the view is. Oldest is when the oldest record was received, to the second.
func (v *View) Stats() oob.StoreStats { return v.ledger.stats(v.cfg.most()) }
