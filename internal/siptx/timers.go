package siptx

import "time"

// errand is what is to be done for a transaction that is due.
type errand int

const (
	nothing errand = iota
	sendTrying
	sendAgain
	leftUnsent
	unacknowledged
)

// parcel is what an errand needs: the request to answer 100, or the answer to send again.
type parcel struct {
	request *Request
	last    []byte
}

func (t *table) scheduled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wheel.held > 0 || t.past.held() > 0
}

// due takes out what is due by now.
func (t *table) due(into []*transaction) []*transaction {
	t.mu.Lock()
	defer t.mu.Unlock()
	into = t.wheel.advance(into)
	t.past.lapse(t.wheel.now)
	return into
}

// elapse is told that the time x waited for has come, and says what is to be done outside.
func (t *table) elapse(x *transaction) (parcel, errand) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.scheduled { // it became something else meanwhile, and waits for that
		return parcel{}, nothing
	}
	switch x.state {
	case proceeding:
		if x.last == nil && x.request != nil {
			return parcel{request: x.request}, sendTrying
		}
	case completed:
		if !time.Now().Before(x.giveUp) {
			t.remove(x)
			return parcel{}, unacknowledged // Timer H
		}
		x.interval = min(2*x.interval, t.config.T2) // Timer G
		t.schedule(x, min(x.interval, time.Until(x.giveUp)))
		if x.load.unacknowledged > resendMax {
			return parcel{}, leftUnsent
		}
		return parcel{last: x.last}, sendAgain
	case forwarded:
		t.remove(x)
	}
	return parcel{}, nothing
}

// tried keeps the 100 for retransmissions, unless the answer is there.
func (t *table) tried(x *transaction, trying []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.state != proceeding {
		return false
	}
	x.last = trying
	return true
}

// pending is the request while Respond has it.
func (t *table) pending(x *transaction) *Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	return x.request
}
