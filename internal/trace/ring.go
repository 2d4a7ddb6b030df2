package trace

import "time"

// ring holds the settled records, packed, the oldest first. What it may hold is bounded in bytes and in age.
type ring struct {
	entries []entry
	bytes   int
	most    int
	age     time.Duration
	evicted uint64 // for want of room
	aged    uint64 // because of their age
}

type entry struct {
	began  int64 // in nanoseconds since 1970
	packed []byte
}

// entryBytes is what an entry takes beside its bytes: itself, and its share of a list that has just grown.
const entryBytes = 2 * 32

func (e entry) size() int { return cap(e.packed) + entryBytes }

// put adds the newest record and lets the oldest go. A record that is larger than the whole ring is not kept.
func (r *ring) put(e entry, now time.Time) {
	if e.size() > r.most {
		r.evicted++
		return
	}
	r.entries = append(r.entries, e)
	r.bytes += e.size()
	r.expire(now)
	r.trim()
}

// trim lets the oldest go until there is no more than there may be.
func (r *ring) trim() {
	for r.bytes > r.most {
		r.drop()
		r.evicted++
	}
}

// expire lets go what is too old.
func (r *ring) expire(now time.Time) {
	for len(r.entries) > 0 && r.entries[0].began <= now.Add(-r.age).UnixNano() {
		r.drop()
		r.aged++
	}
}

func (r *ring) drop() {
	r.bytes -= r.entries[0].size()
	r.entries[0] = entry{} // its bytes are free although the list still stands on it
	r.entries = r.entries[1:]
}

// replace puts other bytes in the place of one record. Whoever has replaced what he wants to trims.
func (r *ring) replace(at int, packed []byte) {
	r.bytes -= r.entries[at].size()
	r.entries[at].packed = packed
	r.bytes += r.entries[at].size()
}
