package siptx

import "time"

// wheel holds transactions by when they are next due, to within a tick: one list for each tick of a round. A timer of
// the runtime for each would cost more than all else that is done for a call.
type wheel struct {
	began time.Time
	slots [wheelSlots]*transaction // the first of each list
	now   int64                    // the last tick that has passed
	held  int
}

const (
	wheelTick  = 10 * time.Millisecond
	wheelSlots = 4096 // a round is 41 s: what is due later stays in its slot for another
)

// schedule has x due after d, and not at any time it was due before.
func (w *wheel) schedule(x *transaction, d time.Duration) {
	w.unschedule(x)
	x.due = w.after(d)
	first := &w.slots[x.due%wheelSlots]
	x.next, x.scheduled = *first, true
	if x.next != nil {
		x.next.prev = x
	}
	*first = x
	w.held++
}

// after is the tick by which d has passed.
func (w *wheel) after(d time.Duration) int64 {
	return max(w.now, int64(time.Since(w.began)/wheelTick)) + int64((d+wheelTick-1)/wheelTick) + 1
}

func (w *wheel) unschedule(x *transaction) {
	if !x.scheduled {
		return
	}
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		w.slots[x.due%wheelSlots] = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	}
	x.next, x.prev, x.scheduled = nil, nil, false
	w.held--
}

// advance takes out what is due by now.
func (w *wheel) advance(due []*transaction) []*transaction {
	until := int64(time.Since(w.began) / wheelTick)
	w.now = max(w.now, until-wheelSlots) // a round visits every slot
	for w.now < until {
		w.now++
		for x := w.slots[w.now%wheelSlots]; x != nil; {
			next := x.next
			if x.due <= until {
				w.unschedule(x)
				due = append(due, x)
			}
			x = next
		}
	}
	return due
}
