package store

import (
	"hash/maphash"
	"sync"

	"github.com/viaduct-oob/viaduct/oob"
)

// record is one publication on the shelf.
//
// What a record with one PASSporT of 900 bytes takes, beside those 900:
//
//	60  links of the 15 blocks in which they lie; on average another 30, because the last block is seldom full
//	64  its node: 56 for record and 8 for links
//	 4  its head
//	25  its entry in the index of called numbers: 16, in leaves that are two thirds full, and their headers;
//	    34 when called numbers come in ascending order, which leaves the leaves half full
//	40  the node of its token use, in the memories
//	 4  its head
//	12  nodes and blocks not in use in the last chunk of each, of a million records
//
// which is 209 to 248. BenchmarkMemoryMillion measures it.
type record struct {
	key      key
	received int64  // ns
	expires  int64  // ns
	account  uint32 // its number in the ledger
	last     uint32 // its PASSporTs, packed, in the texts of its shelf
	extent   uint32 // how many PASSporTs, and how many bytes that text has, see extentOf
	fed      uint32 // the lower half of its position in the feed; 0 for a profile that is not fed
}

// Of an extent, the lower bits are bytes.
const (
	countShift = 24
	packedMost = 1<<countShift - 1
	countMost  = 1<<(32-countShift) - 1
)

func extentOf(count, bytes int) uint32 { return uint32(count)<<countShift | uint32(bytes) }

func (r *record) count() int { return int(r.extent >> countShift) }
func (r *record) bytes() int { return int(r.extent & packedMost) }

// size is how many bytes of PASSporTs the record has.
func (r *record) size() int {
	if r.count() == 1 {
		return r.bytes()
	}
	return r.bytes() - 4*r.count()
}

// whole is a record with what it refers to: what it is before it is laid, and what is taken with one from a shelf.
type whole struct {
	record
	ref       uint32 // where it lies
	publisher string
	tokens    string // see packTokens
}

// newWhole is the record that p becomes, but for its account. It reports false of what nobody could have published.
func newWhole(k key, p oob.Publication) (w whole, ok bool) {
	packed := 4*len(p.Passports) + tokenBytes(p.Passports)
	if len(p.Passports) > countMost || packed > packedMost {
		return whole{}, false
	}
	w = whole{
		record:    record{key: k, received: nanos(p.Received), expires: nanos(p.Expires)},
		publisher: p.Publisher,
		tokens:    packTokens(p.Passports),
	}
	w.extent = extentOf(len(p.Passports), len(w.tokens))
	return w, true
}

// shelf is one shard of the records. All records for one called party are in one shelf.
type shelf struct {
	number  uint64  // among the shelves of its view; does not change, nor does its ledger
	ledger  *ledger // which knows the accounts by their numbers
	mu      sync.Mutex
	records table[record]
	texts   texts       // of the records
	called  index       // of the records whose called party is a number
	tombs   table[tomb] // what has been consumed
}

func (s *shelf) init(number uint64, l *ledger, now int64, seed maphash.Seed) {
	s.number, s.ledger = number, l
	s.records = newTable(now,
		func(r *record) uint64 { return maphash.Comparable(seed, r.key) },
		func(r *record) int64 { return r.expires })
	s.called = newIndex()
	s.tombs = newTombs(now, seed)
}

// each calls visit for the records under k that are live at now, the last laid first, until visit returns false. The
// caller holds the lock.
func (s *shelf) each(hash uint64, k key, now int64, visit func(ref uint32, r *record) bool) {
	for ref := s.records.first(hash); ref != 0; {
		n := s.records.at(ref)
		if n.value.key == k && n.value.expires > now && !visit(ref, &n.value) {
			return
		}
		ref = n.next
	}
}

// find appends copies of the live records under k, the last laid first.
func (s *shelf) find(into []whole, hash uint64, k key, now int64) []whole {
	var room [copiedAtOnce]byte
	s.mu.Lock()
	s.each(hash, k, now, func(ref uint32, r *record) bool {
		into = append(into, whole{record: *r, ref: ref})
		return true
	})
	done := s.copy(into, room[:])
	s.mu.Unlock()
	keep(into[:done], room[:])
	return s.fill(into, done, now)
}

const (
	// copiedMost is how many bytes are copied under one lock, and those of one record: some ten microseconds.
	copiedMost = 32 << 10

	// copiedAtOnce is enough for what there mostly is, and little enough for a stack.
	copiedAtOnce = 2 << 10
)

// copy gets what the records at the beginning of the list refer to, as many as there is room for, and gives their number. Their
// PASSporTs come into the room, one behind the other: nothing is allocated here, because who allocates may have to help the garbage
// collector or to wait for it, and all who want something of this shelf would wait too. The caller holds the lock, and has just
// found them all.
func (s *shelf) copy(list []whole, room []byte) (done int) {
	for ; done < len(list) && list[done].bytes() <= len(room); done++ {
		w := &list[done]
		w.publisher = s.publisher(&w.record)
		s.texts.read(room[:w.bytes()], w.last)
		room = room[w.bytes():]
	}
	return done
}

// keep gives records what copy has put into the room for them. No lock is held for that.
func keep(list []whole, room []byte) {
	for i := range list {
		w := &list[i]
		w.tokens, room = string(room[:w.bytes()]), room[w.bytes():]
	}
}

// roomFor is how many bytes are copied under one lock of a list that is not empty.
func roomFor(list []whole) int {
	bytes := list[0].bytes()
	for i := 1; i < len(list) && bytes+list[i].bytes() <= copiedMost; i++ {
		bytes += list[i].bytes()
	}
	return bytes
}

// fill gets what the records of the list refer to, but the first done, and takes out of it those that have gone meanwhile.
func (s *shelf) fill(list []whole, done int, now int64) []whole {
	if done == len(list) {
		return list
	}
	var few [copiedAtOnce]byte
	room := few[:]
	for done < len(list) {
		if bytes := roomFor(list[done:]); bytes > len(room) {
			room = make([]byte, bytes)
		}
		list, done = s.fillMore(list, done, now, room)
	}
	return list
}

func (s *shelf) fillMore(list []whole, begun int, now int64, room []byte) ([]whole, int) {
	s.mu.Lock()
	list = list[:begun+s.still(list[begun:], now)]
	done := begun + s.copy(list[begun:], room)
	s.mu.Unlock()
	keep(list[begun:done], room)
	return list, done
}

// still moves to the front of the list those that are still there, as they are now, and gives their number. Where another record
// under the same key lies since, that is as good. The caller holds the lock.
func (s *shelf) still(list []whole, now int64) (n int) {
	for i := range list {
		w := &list[i]
		if r := s.records.at(w.ref).value; r.key == w.key && r.expires > now {
			list[n] = whole{record: r, ref: w.ref}
			n++
		}
	}
	return n
}

// same finds a record that says the same as w: the same list of PASSporTs under the same key by the same publisher, at
// times that touch, whichever came first. The caller holds the lock.
func (s *shelf) same(hash uint64, w *whole) (found *record) {
	s.each(hash, w.key, w.received, func(_ uint32, old *record) bool {
		if old.received < w.expires && old.extent == w.extent && s.publisher(old) == w.publisher && s.texts.is(old.last, old.bytes(), w.tokens) {
			found = old
		}
		return found == nil
	})
	return found
}

// publisher is who published a record that lies here. The caller holds the lock.
func (s *shelf) publisher(r *record) string { return s.ledger.numbered(r.account).name }

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

// survey tells whether a record that says the same as w lies there already, and otherwise counts the records that are
// live at now under its key, and those of its publisher among them.
func (s *shelf) survey(hash uint64, w *whole, now int64) (same bool, all, own crowd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.same(hash, w) != nil {
		return true, crowd{}, crowd{}
	}
	s.each(hash, w.key, now, func(_ uint32, old *record) bool {
		all.count(old.expires)
		if s.publisher(old) == w.publisher {
			own.count(old.expires)
		}
		return true
	})
	return false, all, own
}

// lay adds a record. The caller holds the lock.
func (s *shelf) lay(w *whole) (ref uint32) {
	w.last = s.texts.put(w.tokens)
	ref = s.records.add(w.record)
	if isNumber(w.key.dest) {
		s.called.set(called{number: w.key.dest, ref: ref})
	}
	return ref
}

// forget takes out of the index a record that goes, and its PASSporTs, and tells gone of it. The caller holds the lock.
func (s *shelf) forget(ref uint32, r *record, gone func(*record)) {
	if isNumber(r.key.dest) {
		s.called.delete(called{number: r.key.dest, ref: ref})
	}
	s.texts.drop(r.last)
	gone(r)
}

// sweep drops what has expired at now, at most so many records; gone is told of each.
func (s *shelf) sweep(now int64, most int, gone func(*record)) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records.sweep(now, most, func(ref uint32, r *record) { s.forget(ref, r, gone) })
}

// list appends the packed called numbers, from first to last, that have a live record of profile p: each once, in
// ascending order, those alone that want accepts, at most limit.
func (s *shelf) list(into []uint64, p oob.Profile, first, last uint64, now int64, limit int, want func(uint64) bool) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := len(into)
	s.called.ascend(called{number: first}, func(c called) bool {
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
