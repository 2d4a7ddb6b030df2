package relay

// turns is what is ready to be sent to one CPS. Publishers are heard in turn, and one alone can take neither all the room nor
// all the requests: what is slow because of who has published it, a certificate that cannot be fetched for instance, holds up
// nobody else.
type turns struct {
	recordsMax, sendingMax int // of one publisher
	of                     map[string]*turn
	next                   []*turn // those who have something ready and may send, in order
	count                  int     // entries that are ready
}

// turn is that of one publisher.
type turn struct {
	ready   []*entry
	records int // in the lane
	sending int
	listed  bool
}

func (t *turns) init(recordsMax, sendingMax int) {
	t.recordsMax, t.sendingMax, t.of = max(recordsMax, 1), max(sendingMax, 1), map[string]*turn{}
}

// admit counts one more record of a publisher, if it may have one more.
func (t *turns) admit(publisher string) bool {
	one := t.of[publisher]
	if one == nil {
		one = &turn{}
		t.of[publisher] = one
	}
	if one.records >= t.recordsMax {
		return false
	}
	one.records++
	return true
}

// add has an entry of a record that is counted wait for its turn.
func (t *turns) add(e *entry) {
	one := t.of[e.publisher]
	one.ready = append(one.ready, e)
	t.count++
	t.list(one)
}

func (t *turns) list(one *turn) {
	if !one.listed && len(one.ready) > 0 && one.sending < t.sendingMax {
		one.listed = true
		t.next = append(t.next, one)
	}
}

// any says that there is something to take.
func (t *turns) any() bool { return len(t.next) > 0 }

// take gives what is sent next; nil when there is nothing, or nobody may send more.
func (t *turns) take() *entry {
	if len(t.next) == 0 {
		return nil
	}
	one := t.next[0]
	t.next[0] = nil
	t.next = t.next[1:]
	e := one.ready[0]
	one.ready[0] = nil
	one.ready = one.ready[1:]
	t.count--
	one.listed = false
	one.sending++
	t.list(one)
	return e
}

// leave says that an entry that was taken is not being sent any more, and its record not counted.
func (t *turns) leave(e *entry) {
	one := t.of[e.publisher]
	one.sending--
	t.list(one)
	t.release(e)
}

// keep counts the record of an entry that has left again: it will come back.
func (t *turns) keep(e *entry) {
	one := t.of[e.publisher]
	if one == nil {
		one = &turn{}
		t.of[e.publisher] = one
	}
	one.records++
}

// release counts a record no more.
func (t *turns) release(e *entry) {
	one := t.of[e.publisher]
	if one.records--; one.records == 0 {
		delete(t.of, e.publisher)
	}
}

// sweep drops what is ready and late.
func (t *turns) sweep(late func(*entry) bool) {
	for publisher, one := range t.of {
		kept := one.ready[:0]
		for _, e := range one.ready {
			if late(e) {
				one.records--
				t.count--
			} else {
				kept = append(kept, e)
			}
		}
		clear(one.ready[len(kept):])
		one.ready = kept
		if one.records == 0 {
			delete(t.of, publisher)
		}
	}
	listed := t.next
	t.next = nil
	for _, one := range listed {
		one.listed = false
		t.list(one)
	}
}
