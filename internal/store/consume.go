package store

import (
	"hash/maphash"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// tomb stands where a PASSporT was consumed, so that none that holds it is laid there again: not by a publisher who comes
// too late or twice, and not by an event that a log brings after the one that consumed it.
type tomb struct {
	key   key
	id    [16]byte // see oob.PassportHash
	by    [8]byte  // whose it is, but for the last bit, which says where
	until int64    // ns
}

// abroad is the bit of tomb.by that says that another site decided whose it is, and this one has not.
const abroad = 1

// owner is whose a tomb is.
func owner(by [8]byte) [8]byte {
	by[7] &^= abroad
	return by
}

func (t *tomb) elsewhere() bool { return t.by[7]&abroad != 0 }

func newTombs(now int64, seed maphash.Seed) table[tomb] {
	return newTable(now,
		func(t *tomb) uint64 { return maphash.Comparable(seed, t.key) },
		func(t *tomb) int64 { return t.until })
}

// consume takes away the records that the consumption is of, and sets its tomb first: what is laid while it looks finds that.
func (v *View) consume(ev Event) Outcome {
	p, at := ev.Publication, nanos(ev.At)
	one := tomb{key: v.names.hold(p.Key), id: p.Use.ID, by: owner(p.Use.Body), until: nanos(p.Use.Until)}
	if ev.Foreign {
		one.by[7] |= abroad
	}
	s, hash := v.place(one.key)
	old, set := s.bury(hash, one, at)
	if !set {
		v.names.release(one.key)
	}
	if old != nil {
		return outcomeOf(*old == owner(one.by))
	}
	if set {
		v.ledger.tokens(1)
	}
	// Those that the tomb would have kept away, live at that time or not, so that it does not matter whether they came before it.
	// Naming a PASSporT means hashing it, and no lock is held for that.
	var few [4]whole
	id := p.Use.ID
	named := slices.DeleteFunc(s.find(few[:0], hash, one.key, 0), func(w whole) bool {
		return w.received >= one.until && w.received > at || !w.holds(id)
	})
	if len(named) > 0 {
		s.take(hash, one.key, named, v.gone)
	}
	return Created
}

// consumed tells whether there is a tomb under k at a time.
func (v *View) consumed(k oob.Key, id [16]byte, now time.Time) bool {
	packed, ok := v.names.find(k)
	if !ok {
		return false
	}
	s, hash := v.place(packed)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tomb(hash, packed, nanos(now), func(t *tomb) bool { return t.id == id }) != nil
}

// consumedElsewhere tells whether another site has let somebody else consume it, as far as is known at a time.
func (v *View) consumedElsewhere(k oob.Key, use oob.TokenUse, now time.Time) bool {
	packed, ok := v.names.find(k)
	if !ok {
		return false
	}
	s, hash := v.place(packed)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tomb(hash, packed, nanos(now), func(t *tomb) bool { return t.id == use.ID && t.elsewhere() && owner(t.by) != owner(use.Body) }) != nil
}

// bury sets a tomb, unless it would be over at once, or there is one, which then stands for the longer of both times. It gives
// whose there is. One of another site gives way to the first of this one, which had been asked before it knew of that.
func (s *shelf) bury(hash uint64, one tomb, now int64) (old *[8]byte, set bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if there := s.tomb(hash, one.key, now, func(t *tomb) bool { return t.id == one.id }); there != nil {
		by := owner(there.by)
		there.until = max(there.until, one.until)
		if there.elsewhere() && !one.elsewhere() {
			there.by = one.by
			if by != one.by {
				return nil, false
			}
		}
		return &by, false
	}
	if one.until <= now {
		return nil, false
	}
	s.tombs.add(one)
	return nil, true
}

// tomb finds one of the tombs under k that stand at now; nil when there is none. The caller holds the lock.
func (s *shelf) tomb(hash uint64, k key, now int64, want func(*tomb) bool) *tomb {
	for ref := s.tombs.first(hash); ref != 0; {
		n := s.tombs.at(ref)
		if n.value.key == k && n.value.until > now && want(&n.value) {
			return &n.value
		}
		ref = n.next
	}
	return nil
}

// buried tells whether w holds what has a tomb. The caller holds the lock.
func (s *shelf) buried(hash uint64, w *whole) bool {
	return s.tomb(hash, w.key, w.received, func(t *tomb) bool { return w.holds(t.id) }) != nil
}

// sweepTombs drops those that are over at now, at most so many; gone is told of each.
func (s *shelf) sweepTombs(now int64, most int, gone func(*tomb)) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tombs.sweep(now, most, func(_ uint32, t *tomb) { gone(t) })
}

// soonestTomb is when the next tomb will be dropped; 0 when there is none.
func (s *shelf) soonestTomb() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tombs.soonest()
}

// holds tells whether the PASSporT of this hash is in the record.
func (w *whole) holds(id [16]byte) bool {
	var few [oob.PassportsMax]string
	return slices.ContainsFunc(unpackTokens(few[:0], w.tokens, w.count()), func(passport string) bool {
		hash, _ := oob.PassportHash(oob.PassportID(passport))
		return hash == id
	})
}

// take removes the records under k that say the same as one of those named; gone is told of each. Nothing of them stays but
// an empty node, until its slot of the wheel comes round.
func (s *shelf) take(hash uint64, k key, named []whole, gone func(*record)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ref := s.records.first(hash); ref != 0; {
		n := s.records.at(ref)
		next := n.next
		r := &n.value
		if r.key == k && slices.ContainsFunc(named, func(one whole) bool { return one.extent == r.extent && s.texts.is(r.last, r.bytes(), one.tokens) }) {
			s.forget(ref, r, gone)
			s.records.take(ref)
		}
		ref = next
	}
}
