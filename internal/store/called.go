package store

import (
	"cmp"
	"slices"

	"github.com/tidwall/btree"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// calledStep is how many records of one called number are looked at under one lock: some ten microseconds.
const calledStep = 128

// called is an entry of the index of called numbers.
type called struct {
	number uint64 // packed
	ref    uint32
}

// calledBefore is the order of the index.
func calledBefore(a, b called) bool {
	return a.number < b.number || a.number == b.number && a.ref < b.ref
}

// index is the called numbers of one shelf, in order. While many records are laid one after the other, their entries wait: put in
// at once, in order, they take a tenth of the time. The caller holds the lock of the shelf.
type index struct {
	tree    *btree.BTreeG[called]
	filling bool
	late    []called // not in the tree yet
}

func newIndex() index {
	return index{tree: btree.NewBTreeGOptions(calledBefore, btree.Options{NoLocks: true})}
}

func (x *index) set(c called) {
	if x.filling {
		x.late = append(x.late, c)
		return
	}
	x.tree.Set(c)
}

func (x *index) delete(c called) {
	x.settle()
	x.tree.Delete(c)
}

// ascend visits the entries from one on, in order, until visit returns false.
func (x *index) ascend(from called, visit func(called) bool) {
	x.settle()
	x.tree.Ascend(from, visit)
}

// settle puts in what waits.
func (x *index) settle() {
	if len(x.late) == 0 {
		return
	}
	slices.SortFunc(x.late, func(a, b called) int {
		if calledBefore(a, b) {
			return -1
		}
		return 1 // no two are alike
	})
	for _, c := range x.late {
		x.tree.Load(c)
	}
	x.late = x.late[:0]
	if !x.filling {
		x.late = nil
	}
}

// Filling says whether the view is being filled from a log, by one who is not ready yet: then laying is faster, and the first
// reading by called number after it, or the end of Filling, takes some milliseconds under the lock of a shelf.
func (v *View) Filling(is bool) {
	for i := range v.shelves {
		s := &v.shelves[i]
		s.mu.Lock()
		s.called.filling = is
		if !is {
			s.called.settle()
		}
		s.mu.Unlock()
	}
}

// RetrieveCalled gives the live records of profile p whose called party is dest, newest first, at most limit. When there
// are more, publishers are heard in turn, see [InTurn]. A PASSporT that several records of one key hold is given in the
// newest of those chosen alone, as by Retrieve.
//
// However many there are for the number, it needs room for but twice the limit, or calledStep more than the limit. Its
// time grows with their number.
func (v *View) RetrieveCalled(p oob.Profile, dest tn.Number, limit int) []oob.Held {
	return v.retrieveCalled(p, dest, limit, nil)
}

// FindCalled gives those of them that hold the PASSporT that id names, however many there are for the number.
func (v *View) FindCalled(p oob.Profile, dest tn.Number, id string) []oob.Held {
	hash, ok := oob.PassportHash(id)
	if !ok {
		return nil
	}
	return v.retrieveCalled(p, dest, v.cfg.KeyRecords, func(w whole) bool { return w.holds(hash) })
}

func (v *View) retrieveCalled(p oob.Profile, dest tn.Number, limit int, want func(whole) bool) []oob.Held {
	if dest.IsZero() || limit <= 0 {
		return nil
	}
	from, now := called{number: packNumber(dest)}, nanos(v.cfg.Now())
	s := v.shelf(from.number)
	var few [4]whole
	found := few[:0]
	for more := true; more; {
		begun := len(found)
		found, from, more = s.calls(found, p, from, now)
		if want != nil { // no lock is held for that
			read := s.fill(found[begun:], 0, now)
			found = append(found[:begun], slices.DeleteFunc(read, func(w whole) bool { return !want(w) })...)
		}
		// What is not among the first of a part is not among the first of the whole.
		if len(found) > limit && len(found)-limit > max(limit, calledStep) {
			found = choose(found, limit)
		}
	}
	if len(found) > limit {
		found = choose(found, limit)
	}
	if want == nil {
		found = s.fill(found, 0, now)
	}
	newestFirst(found)
	return unpack(found, func(w *whole, shown oob.Record) (oob.Held, bool) {
		k, ok := v.names.unpack(w.key)
		return oob.Held{Key: k, Record: shown}, ok
	})
}

// choose gives the first limit of found, by publishers in turn.
func choose(found []whole, limit int) []whole {
	newestFirst(found)
	return InTurn(found, func(w *whole) string { return w.publisher })[:limit]
}

func newestFirst(found []whole) {
	if len(found) > 1 {
		slices.SortStableFunc(found, func(a, b whole) int { return cmp.Compare(b.received, a.received) })
	}
}

// calls appends copies of the live records of profile p that the index has at from and after, of the same called number, as yet
// without their PASSporTs. It looks at calledStep of them, and tells where to go on when there are more.
func (s *shelf) calls(into []whole, p oob.Profile, from called, now int64) (found []whole, next called, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	looked := 0
	s.called.ascend(from, func(c called) bool {
		if c.number != from.number {
			return false
		}
		if looked == calledStep {
			next, more = c, true
			return false
		}
		looked++
		if r := &s.records.at(c.ref).value; r.expires > now && r.key.profile() == p {
			into = append(into, whole{record: *r, ref: c.ref, publisher: s.publisher(r)})
		}
		return true
	})
	return into, next, more
}
