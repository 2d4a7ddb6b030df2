package siptx

import "net/netip"

// load is what the INVITEs of a source take, or those of all.
type load struct {
	inFlight       int // in Respond
	open           int // that would be lost if they were forgotten: without final answer, or sent on
	bytes          int // of requests in Respond
	unacknowledged int // answers over UDP without ACK; of a source alone
}

// resendMax is how many answers a source may leave without ACK and still have them sent again. A switch that works leaves
// as many only while its network does not; in the name of one that is forged, more would be sent than came.
const resendMax = 512

// full tells whether one more with so much is too many: there is no room, or its source would have more than three times what
// is free. So one alone gets three quarters, and there is always room for another, however many there are.
func full(all, mine, more, most int) bool {
	return all+more > most || mine+more > 3*(most-all)
}

// room tells whether there is place for one more INVITE of a source, and makes it: those that have their ACK are forgotten
// first, then those whose answer was sent, the oldest first. What is repeated of them is a new call. Of others, none is.
func (t *table) room(source *load, bytes int) bool {
	c := &t.config
	if full(t.total.inFlight, source.inFlight, 1, c.InFlightMax) || full(t.total.open, source.open, 1, c.TransactionsMax) ||
		full(t.total.bytes, source.bytes, bytes, c.HeldBytesMax) {
		return false
	}
	for len(t.byKey)+t.past.held() >= c.TransactionsMax && t.past.forgetOldest() {
	}
	for len(t.byKey) >= c.TransactionsMax || t.total.bytes+bytes+t.kept > c.HeldBytesMax {
		oldest := t.ages.younger
		if oldest == &t.ages {
			return false
		}
		t.remove(oldest)
		t.forgotten++
	}
	return true
}

// loadOf is that of a source, to be dropped if nothing is put on it.
func (t *table) loadOf(source netip.Addr) *load {
	l := t.loads[source]
	if l == nil {
		l = &load{}
		t.loads[source] = l
	}
	return l
}

// drop forgets a load that has become nothing.
func (t *table) drop(l *load, source netip.Addr) {
	if *l == (load{}) && t.loads[source] == l {
		delete(t.loads, source)
	}
}

// past holds the keys of INVITEs that have had their ACK over UDP: what is late of them is absorbed, for Timer I. That is
// the same for all, so that they lapse in the order they came.
type past struct {
	keys  map[key]struct{}
	queue []lapse
	first int // of the queue: what stands before has lapsed
}

type lapse struct {
	key key
	due int64 // tick of the wheel
}

func (p *past) held() int { return len(p.keys) }

func (p *past) has(k key) bool {
	_, found := p.keys[k]
	return found
}

func (p *past) remember(k key, due int64) {
	if p.keys == nil {
		p.keys = map[key]struct{}{}
	}
	p.keys[k] = struct{}{}
	if p.first > len(p.queue)/2 && len(p.queue) == cap(p.queue) {
		p.queue = p.queue[:copy(p.queue, p.queue[p.first:])]
		p.first = 0
	}
	p.queue = append(p.queue, lapse{k, due})
}

// forgetOldest makes room; false if there is none to forget.
func (p *past) forgetOldest() bool {
	if p.first == len(p.queue) {
		return false
	}
	delete(p.keys, p.queue[p.first].key)
	if p.first++; p.first == len(p.queue) {
		*p = past{} // what a rush has taken is given back
	}
	return true
}

// lapse forgets what is due by now.
func (p *past) lapse(now int64) {
	for p.first < len(p.queue) && p.queue[p.first].due <= now {
		p.forgetOldest()
	}
}
