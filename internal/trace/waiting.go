package trace

import "time"

// waiting are finished records that settle a span after their answer, the first to have finished first.
type waiting struct {
	calls []*Call
	bytes int // of the messages that they hold
	span  time.Duration
}

// add puts a call behind the others.
func (w *waiting) add(c *Call) {
	w.calls = append(w.calls, c)
	w.bytes += c.weight
}

// full says that the first has to make room.
func (w *waiting) full() bool { return len(w.calls) > settlingMax || w.bytes > settlingBytesMax }

// first is the one whose time has come, and whether that is because too many wait; with the zero time, the first in any
// case; else nil.
func (w *waiting) first(now time.Time) (c *Call, early bool) {
	if len(w.calls) == 0 {
		return nil, false
	}
	c = w.calls[0]
	switch {
	case now.IsZero() || now.Sub(c.finished) >= w.span:
		return c, false
	case w.full():
		return c, true
	}
	return nil, false
}

// due is when the next settles; zero when none waits.
func (w *waiting) due() time.Time {
	if len(w.calls) == 0 {
		return time.Time{}
	}
	return w.calls[0].finished.Add(w.span)
}

// drop takes the first out.
func (w *waiting) drop() {
	w.bytes -= w.calls[0].weight
	w.calls[0] = nil
	if w.calls = w.calls[1:]; len(w.calls) == 0 {
		w.calls = nil // and with it the list that it stood on
	}
}
