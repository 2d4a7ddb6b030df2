package turnstile

import (
	"math"
	"time"
)

const (
	strangersTurn = 8   // of so many turns one is of those who have proven nothing, if any of them waits
	longTurn      = 8   // of so many turns one is of a queue that does not empty, if there is one
	bringersTurn  = 4   // of so many turns of one guest one is for what he brings, if he does
	relaysTurn    = 8   // of so many turns one is of relays, if any of them waits
	guestShare    = 4   // one guest may have that part of all who wait
	fadeTime      = 4   // in so many times the burst, what a guest has asked for counts half
	refusedLate   = 200 // so many times the target who asks for much more than others waits for its refusal
	refusedPart   = 64  // at each of its turns one of them is refused, and one of so many more: many answers at once keep others waiting
	muchMore      = 4   // so many times what the others ask for on average is much more

	// forgotten is how few requests are as good as none: one, after some four times fadeTime.
	forgotten = 1.0 / 16

	// relaysWait is how long a relay may wait. Nobody's call waits for its answer, and whoever is refused comes again: a short
	// rush is over by then, and what lasts is noticed by who relays in that his requests take so long.
	relaysWait = time.Second
)

// hall is where one kind of guests waits: a queue for each. New queues are those that were empty a moment ago, by what their first
// came for; who was served from there goes to the long ones, empty or not, and is new again when it had its turn there and nobody
// was in it. So being new is of use once a round.
type hall struct {
	queues  map[Guest]*queue
	fresh   [errands]list[queue]
	long    list[queue]
	skipped int // turns of new queues since a long one had one
	waiting int
	asked   float64 // by all of late
	strain  strain  // of the new ones together
}

// queue is one guest's. While it is in no order, nobody is in it, and it only remembers what was asked for.
type queue struct {
	guest   Guest
	hall    *hall
	lines   [errands]list[waiter]
	skipped int // turns of retrievals since a publication had one
	turn    place[queue]
	asked   float64 // of late: requests that had to wait or were refused, each counting half as much after some time
	strain  strain
}

func (q *queue) len() int { return q.lines[Retrieval].count + q.lines[Publication].count }

// oldest is who makes room for one of that errand: retrievals make none for publications.
func (q *queue) oldest(errand Errand) *waiter {
	p := q.lines[Publication].first
	if p == nil && errand == Retrieval {
		p = q.lines[Retrieval].first
	}
	if p == nil {
		return nil
	}
	return p.of
}

// isLong tells whether a queue is one of the long ones.
func (q *queue) isLong() bool { return q.turn.in == &q.hall.long }

// strain tells bursts from what lasts.
type strain struct {
	since duration // somebody waits, if anybody does
	shed  duration // when somebody was last shed
}

// lasts tells whether there are always some who wait.
func (s *strain) lasts(now, burst duration) bool { return now-s.since >= burst || now-s.shed < burst }

// enqueue has a request wait. The caller holds mu.
func (t *Turnstile) enqueue(guest Guest, errand Errand) (*waiter, error) {
	now := t.now()
	t.fade(now)
	h, name := &t.halls[1], Guest{Address: guest.Address}
	if guest.Claim != "" && t.known.has(guest) {
		h, name = &t.halls[0], Guest{Claim: guest.Claim}
		if errand == Relay {
			h = &t.relays
		}
	}
	if errand == Relay {
		errand = Publication // of a stranger it is nothing better
	}
	q, waiting := h.queues[name], t.queued
	if h == &t.relays {
		waiting = h.waiting
	}
	full := waiting >= t.config.Waiting
	if q == nil {
		if full {
			t.count(ErrStrained)
			return nil, ErrStrained
		}
		q = &queue{guest: name, hall: h, strain: strain{shed: never}}
		q.turn.of = q
		h.queues[name] = q
	}
	q.asked++
	h.asked++
	if full || q.len() >= max(1, t.config.Waiting/guestShare) {
		refusal := q.judge()
		t.count(refusal)
		// Who has waited for longest makes room: what is refused at once comes again at once.
		w := q.oldest(errand)
		if w == nil {
			return nil, refusal
		}
		t.withdraw(w)
		w.decide(refusal)
	}
	if q.turn.in == nil {
		if h.fresh[Retrieval].count+h.fresh[Publication].count == 0 {
			h.strain.since = now
		}
		h.fresh[errand].push(&q.turn)
	}
	if q.len() == 0 {
		q.strain.since = now
	}
	w := t.spare.Get().(*waiter)
	w.since, w.queue = now, q
	q.lines[errand].push(&w.place)
	h.waiting++
	if h != &t.relays {
		t.queued++
	}
	return w, nil
}

// fade has what was asked for some time ago count less, and forgets guests who have asked for nothing of late. The caller holds mu.
func (t *Turnstile) fade(now duration) {
	every := fadeTime * t.config.Burst
	times := (now - t.faded) / every
	if times == 0 {
		return
	}
	t.faded += times * every
	for _, h := range t.all() {
		h.asked = 0
		for name, q := range h.queues {
			q.asked = math.Ldexp(q.asked, -int(min(times, 64)))
			if q.turn.in == nil && q.asked < forgotten {
				delete(h.queues, name)
			} else {
				h.asked += q.asked
			}
		}
	}
}

// withdraw takes a waiter out. The caller holds mu.
func (t *Turnstile) withdraw(w *waiter) {
	w.place.leave()
	if w.queue == nil {
		return
	}
	w.queue.hall.waiting--
	if w.queue.hall != &t.relays {
		t.queued--
	}
}

// next takes out who is to be served next, and sheds who has waited for too long; nil when nobody is left. The caller holds mu.
func (t *Turnstile) next(now duration) *waiter {
	if p := t.returning.first; p != nil {
		p.leave()
		return p.of
	}
	for t.queued > 0 || t.relays.waiting > 0 {
		h := t.whose()
		w := t.serve(h, now)
		if w == nil {
			continue
		}
		if h == &t.relays {
			t.delayed = 0
		} else if t.relays.waiting > 0 {
			t.delayed++
		}
		t.stats.Entered++
		return w
	}
	return nil
}

// whose is the hall out of which somebody is served next.
func (t *Turnstile) whose() *hall {
	if t.relays.waiting > 0 && (t.queued == 0 || t.delayed >= relaysTurn-1) {
		return &t.relays
	}
	h := &t.halls[0]
	if strangers := &t.halls[1]; h.waiting == 0 || strangers.waiting > 0 && t.patience >= strangersTurn-1 {
		h, t.patience = strangers, 0
	} else if strangers.waiting > 0 {
		t.patience++
	}
	return h
}

// serve gives the next queue of a hall its turn. In that there may be nobody, or nobody any more.
func (t *Turnstile) serve(h *hall, now duration) *waiter {
	turn := h.fresh[Retrieval].first
	if turn == nil {
		turn = h.fresh[Publication].first
	}
	if turn == nil || h.long.first != nil && h.skipped >= longTurn-1 {
		turn = h.long.first
	}
	q := turn.of
	wasLong, hasLong := q.isLong(), h.long.first != nil
	w := t.pick(q, now)
	switch {
	case w == nil: // nobody's turn has passed
	case wasLong:
		h.skipped = 0
	case hasLong:
		h.skipped++
	}
	q.turn.leave()
	// One that stays behind empty, so as not to be new at once, must not be one of ever so many.
	switch many := len(h.queues) > t.config.Waiting; {
	case q.len() > 0 || !wasLong && !many:
		h.long.push(&q.turn)
	case many:
		delete(h.queues, q.guest)
		h.asked -= q.asked
	}
	if h.waiting == 0 {
		h.renew()
	}
	return w
}

// renew has all queues be new, in which there is nobody.
func (h *hall) renew() {
	for _, order := range []*list[queue]{&h.fresh[Retrieval], &h.fresh[Publication], &h.long} {
		for order.first != nil {
			order.first.leave()
		}
	}
	h.skipped = 0
}

// strained tells whether a guest is one of those of whom there are always some who wait: by itself, or with all others who come and
// are gone again.
func (t *Turnstile) strained(q *queue, now duration) bool {
	return q.strain.lasts(now, t.config.Burst) || !q.isLong() && q.hall.strain.lasts(now, t.config.Burst)
}

// pick takes one out of a queue, after it has shed those who have waited for too long; nil when nobody is left.
func (t *Turnstile) pick(q *queue, now duration) *waiter {
	if q.len() == 0 {
		return nil
	}
	relayed := q.hall == &t.relays
	strained := !relayed && t.strained(q, now)
	limit, refusal := t.config.Burst, q.judge()
	switch {
	case relayed:
		limit = relaysWait
	case refusal == ErrShare:
		limit = max(limit, refusedLate*t.config.Target)
	case strained:
		limit = t.config.Target
	}
	for i := range q.lines {
		most := q.lines[i].count
		if refusal == ErrShare {
			most = 1 + most/refusedPart
		}
		for p := q.lines[i].first; p != nil && most > 0 && now-p.of.since > limit; p, most = q.lines[i].first, most-1 {
			t.withdraw(p.of)
			t.count(refusal)
			q.strain.shed = now
			if !q.isLong() {
				q.hall.strain.shed = now
			}
			p.of.decide(refusal)
		}
	}
	line := &q.lines[Retrieval]
	if line.count == 0 || q.lines[Publication].count > 0 && q.skipped >= bringersTurn-1 {
		line, q.skipped = &q.lines[Publication], 0
	} else {
		q.skipped++
	}
	p := line.first
	if strained {
		p = line.last
	}
	if p == nil {
		return nil
	}
	t.withdraw(p.of)
	return p.of
}

// judge is why a guest is refused: ErrShare where it asks for much more than others of its kind do on average. How long its queue
// is says nothing of that: it is longer because who is refused late stays in it for longer.
func (q *queue) judge() error {
	others, theirs := float64(len(q.hall.queues)-1), q.hall.asked-q.asked
	if others > 0 && q.asked*others > muchMore*max(others, theirs) {
		return ErrShare
	}
	return ErrStrained
}

func (t *Turnstile) count(refusal error) {
	if refusal == ErrShare {
		t.stats.Share++
	} else {
		t.stats.Strained++
	}
}

// waiter is one request that waits.
type waiter struct {
	verdict chan error // takes what was decided: nil for a place at work
	since   duration
	queue   *queue        // nil when it comes back
	place   place[waiter] // in none when it has been decided
}

func newWaiter() any {
	w := &waiter{verdict: make(chan error, 1)}
	w.place.of = w
	return w
}

// free lets somebody else be the waiter.
func (t *Turnstile) free(w *waiter) {
	w.queue = nil
	t.spare.Put(w)
}

// decide tells a waiter, who is in no list any more.
func (w *waiter) decide(err error) { w.verdict <- err }
