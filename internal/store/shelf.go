package store

import (
	"hash/maphash"
	"sync"

	"github.com/tidwall/btree"

	"github.com/viaduct-oob/viaduct/oob"
)

// record is one publication on the shelf.
//
// What a record with one PASSporT of 900 bytes takes, beside those 900:
//
//	124  because Go allocates 1024 for 900
//	 80  its node: 72 for record and 8 for links
//	  6  its heads: one and a half, 4 bytes each
//	 25  its entry in the index of called numbers: 16, in leaves that are two thirds full, and their headers;
//	     34 when called numbers come in ascending order, which leaves the leaves half full
//	 40  the node of its token use, in the memories
//	  6  its heads
//	  5  nodes not in use in the last chunk of each table, room for more heads
//
// which is 286 to 295. BenchmarkMemoryMillion measures it.
type record struct {
	key      key
	tokens   string // see packTokens; the only large thing
	received int64  // ns
	expires  int64  // ns
	account  *account
	count    uint32 // PASSporTs
}

// newRecord is the record that p becomes, but for its account.
func newRecord(k key, p oob.Publication) record {
	return record{
		key: k, tokens: packTokens(p.Passports), count: uint32(len(p.Passports)),
		received: nanos(p.Received), expires: nanos(p.Expires),
	}
}

// size is how many bytes of PASSporTs the record has.
func (r *record) size() int {
	if r.count == 1 {
		return len(r.tokens)
	}
	return len(r.tokens) - 4*int(r.count)
}

// called is an entry of the index of called numbers.
type called struct {
	number uint64 // packed
	ref    uint32
}

func calledBefore(a, b called) bool {
	return a.number < b.number || a.number == b.number && a.ref < b.ref
}

// shelf is one shard of the records. All records of one key are in one shelf.
type shelf struct {
	mu      sync.Mutex
	records table[record]
	called  *btree.BTreeG[called] // of the records whose called party is a number
}

func (s *shelf) init(now int64, seed maphash.Seed) {
	s.records = newTable(now,
		func(r *record) uint64 { return maphash.Comparable(seed, r.key) },
		func(r *record) int64 { return r.expires })
	s.called = btree.NewBTreeGOptions(calledBefore, btree.Options{NoLocks: true})
}

// each calls visit for the records under k that are live at now, the last laid first, until visit returns false. The
// caller holds the lock.
func (s *shelf) each(hash uint64, k key, now int64, visit func(*record) bool) {
	for ref := s.records.first(hash); ref != 0; {
		n := s.records.at(ref)
		if n.value.key == k && n.value.expires > now && !visit(&n.value) {
			return
		}
		ref = n.next
	}
}

// find appends copies of the live records under k, the last laid first.
func (s *shelf) find(into []record, hash uint64, k key, now int64) []record {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.each(hash, k, now, func(r *record) bool {
		into = append(into, *r)
		return true
	})
	return into
}

// same finds a record that says the same as r: the same list of PASSporTs under the same key by the same publisher, at
// times that touch, whichever came first. The caller holds the lock.
func (s *shelf) same(hash uint64, r *record, publisher string) (found *record) {
	s.each(hash, r.key, r.received, func(old *record) bool {
		if old.received < r.expires && old.count == r.count && old.account.name == publisher && old.tokens == r.tokens {
			found = old
		}
		return found == nil
	})
	return found
}

// crowd is how many live records there are under one key, and when the first of them expires.
type crowd struct {
	records int
	soonest int64
}

func (c *crowd) count(expires int64) {
	if c.records == 0 || expires < c.soonest {
		c.soonest = expires
	}
	c.records++
}

// survey tells whether a record that says the same as r lies there already, and otherwise counts the records that are
// live at now under its key, and those of publisher among them.
func (s *shelf) survey(hash uint64, r *record, publisher string, now int64) (same bool, all, own crowd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.same(hash, r, publisher) != nil {
		return true, crowd{}, crowd{}
	}
	s.each(hash, r.key, now, func(old *record) bool {
		all.count(old.expires)
		if old.account.name == publisher {
			own.count(old.expires)
		}
		return true
	})
	return false, all, own
}

// lay adds a record. The caller holds the lock.
func (s *shelf) lay(r record) {
	ref := s.records.add(r)
	if isNumber(r.key.dest) {
		s.called.Set(called{number: r.key.dest, ref: ref})
	}
}

// sweep drops what has expired at now, at most so many records; gone is told of each.
func (s *shelf) sweep(now int64, most int, gone func(*record)) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records.sweep(now, most, func(ref uint32, r *record) {
		if isNumber(r.key.dest) {
			s.called.Delete(called{number: r.key.dest, ref: ref})
		}
		gone(r)
	})
}

// list appends the packed called numbers, from first to last, that have a live record of profile p: each once, in
// ascending order, those alone that want accepts, at most limit.
func (s *shelf) list(into []uint64, p oob.Profile, first, last uint64, now int64, limit int, want func(uint64) bool) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := len(into)
	s.called.Ascend(called{number: first}, func(c called) bool {
		if c.number > last || len(into)-begun == limit {
			return false
		}
		if len(into) > begun && into[len(into)-1] == c.number {
			return true
		}
		if r := &s.records.at(c.ref).value; r.expires > now && r.key.profile() == p && want(c.number) {
			into = append(into, c.number)
		}
		return true
	})
	return into
}

// soonest is when the next record will be swept; 0 when there is none.
func (s *shelf) soonest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records.soonest()
}
