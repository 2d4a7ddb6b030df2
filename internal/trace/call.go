package trace

import (
	"net/netip"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/internal/uuid"
)

// Call is a record while it is written. All methods may be called at the same time from several goroutines, also after
// Finish: what still comes until the record settles is in it, and what comes later is counted and left out. Every method
// of a nil Call does nothing.
type Call struct {
	recorder *Recorder

	mu       sync.Mutex
	record   Record    // guarded by mu until settled; then nobody writes it
	finished time.Time // guarded by mu; zero before Finish
	settled  bool      // guarded by mu
	ends     bool      // guarded by mu; nothing goes on behind the answer
	cut      int       // guarded by mu; what did not fit
	captured int       // guarded by mu; bytes of messages
	weight   int       // captured when it finished; written once, before others see it

	steps    [10]Step   // first room for record.Steps, saves the growing
	attempts [2]Attempt // first room for record.Publish
}

// Begin starts the record of one leg of a call. A nil Recorder gives a nil Call.
func (r *Recorder) Begin(door string, peer, local netip.AddrPort, callID string) *Call {
	if r == nil {
		return nil
	}
	r.begun.Add(1)
	c := &Call{recorder: r}
	c.record.ID, c.record.Began = uuid.New(), time.Now()
	c.record.Door, c.record.Peer, c.record.Local, c.record.CallID = door, peer, local, callID
	c.record.Steps, c.record.Publish = c.steps[:0], c.attempts[:0]
	return c
}

// Note lets fill write what it knows into the record. It must neither wait nor keep the pointer, and leaves Steps,
// Publish, Retrieve and Messages to the methods that bound them.
func (c *Call) Note(fill func(*Record)) {
	if c.open() {
		fill(&c.record)
		c.mu.Unlock()
	}
}

// Step adds a step at this moment.
func (c *Call) Step(name, detail string) {
	if c.open() {
		add(c, &c.record.Steps, StepsMax, Step{At: time.Since(c.record.Began), Name: name, Detail: detail})
		c.mu.Unlock()
	}
}

// Published adds a request to publish, which began at the given time and ends now.
func (c *Call) Published(cps, status string, began time.Time) {
	if c.open() {
		add(c, &c.record.Publish, AttemptsMax, c.attempt(cps, status, 0, began))
		c.mu.Unlock()
	}
}

// Retrieved adds a request to retrieve, which began at the given time, ends now and has found count PASSporTs.
func (c *Call) Retrieved(cps, status string, count int, began time.Time) {
	if c.open() {
		add(c, &c.record.Retrieve, AttemptsMax, c.attempt(cps, status, count, began))
		c.mu.Unlock()
	}
}

// KeepsMessages reports whether messages are wanted, so that whoever has them need not make them up for nothing.
func (r *Recorder) KeepsMessages() bool { return r.capture }

// Message adds a copy of a message that came or went at this moment, where messages are wanted.
func (c *Call) Message(in bool, transport string, from, to netip.AddrPort, message []byte) {
	if c == nil || !c.recorder.capture || !c.open() {
		return
	}
	defer c.mu.Unlock()
	if c.captured+len(message) > MessagesBytes {
		c.cut++
		return
	}
	c.captured += len(message)
	add(c, &c.record.Messages, MessagesMax, Message{At: time.Since(c.record.Began), In: in, Transport: transport,
		From: from, To: to, Bytes: append([]byte(nil), message...)})
}

// Finish says how the request was answered: the status, and why the call went on without what was asked for, as a slug;
// empty when all went well. Only the first Finish counts.
func (c *Call) Finish(code int, failOpen string) {
	if !c.open() {
		return
	}
	if !c.finished.IsZero() {
		c.mu.Unlock()
		return
	}
	c.finished = time.Now()
	c.record.Took = c.finished.Sub(c.record.Began)
	c.record.SIPCode, c.record.FailOpen = code, failOpen
	ends := c.ends
	c.weight = c.captured
	c.mu.Unlock()
	c.recorder.finish(c, ends)
}

// EndsWithAnswer says that nothing goes on behind the answer: the record need not stay open for it, and no longer holds on to
// what it was made of.
func (c *Call) EndsWithAnswer() {
	if c.open() {
		c.ends = true
		c.mu.Unlock()
	}
}

// ID gives the record's ID; of a nil Call, the empty text.
func (c *Call) ID() string {
	if c == nil {
		return ""
	}
	return c.record.ID // written before anybody else has the Call
}

// open takes the lock, unless nothing can be added any more.
func (c *Call) open() bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	if c.settled {
		c.mu.Unlock()
		c.recorder.late.Add(1)
		return false
	}
	return true
}

// add appends within a bound. The caller holds the lock.
func add[T any](c *Call, list *[]T, most int, one T) {
	if len(*list) >= most {
		c.cut++
		return
	}
	*list = append(*list, one)
}

func (c *Call) attempt(cps, status string, count int, began time.Time) Attempt {
	return Attempt{CPS: cps, Status: status, Count: count, Began: began.Sub(c.record.Began), Took: time.Since(began)}
}

// bound leaves out what Note has written beyond the bounds of a record, and tells how much did not fit in all. The caller
// holds the lock.
func (c *Call) bound() int {
	r := &c.record
	c.cut += shorten(&r.Steps, StepsMax) + shorten(&r.Publish, AttemptsMax) + shorten(&r.Retrieve, AttemptsMax) +
		shorten(&r.Checks, ChecksMax) + shorten(&r.Passports, PassportsMax) + shorten(&r.Messages, MessagesMax)
	return c.cut
}

func shorten[T any](list *[]T, most int) int {
	over := max(len(*list)-most, 0)
	*list = (*list)[:len(*list)-over]
	return over
}
