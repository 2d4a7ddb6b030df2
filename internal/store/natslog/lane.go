package natslog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/viaduct-oob/viaduct/internal/store"
)

const (
	laneMost   = 4096                   // entries that wait for one stream
	ackMost    = 250 * time.Millisecond // for the answer of a stream, when others are faster
	ackSoon    = 50 * time.Millisecond  // after which nothing more is given to a stream that has not answered
	ackSlow    = 125 * time.Millisecond // a stream is fast that answers within it
	paceOf     = 8 * time.Millisecond   // between two messages of a node to a stream; what comes meanwhile makes the next
	ackLook    = 50 * time.Millisecond  // how often it is looked whether others are faster
	badFor     = 500 * time.Millisecond // how long a stream is left alone after it failed
	movesMost  = 3                      // other streams that an entry is tried on
	againAfter = 25 * time.Millisecond  // after a stream has failed and there is no other
)

// lane is the way into one stream. One batch is on its way at a time; what comes meanwhile makes the next one.
type lane struct {
	log     *Log
	stream  int
	subject string
	inbox   string // where answers come to, without the number of the batch
	queue   chan *entry
	acks    chan *nats.Msg
	bring   chan *nats.Msg // batches of other nodes
	back    chan uint64    // the first number of the batch that has come back last
	bad     atomic.Int64   // ns since 1970; until when the stream is left alone
	sent    atomic.Int64   // ns since 1970; when the batch was sent that has not been answered; 0: there is none

	paced   time.Time // when the message before was made
	batch   []*entry  // on its way, or to be tried again
	brought []brought
	buffer  []byte // the message, see sealed
	first   int    // where its first batch ends
	number  uint64 // of the message
}

func (l *Log) newLane(i int) (*lane, error) {
	a := &lane{
		log: l, stream: i, subject: subjectOf(l.cfg.Site, i), inbox: l.inbox("a", i),
		queue: make(chan *entry, laneMost), acks: make(chan *nats.Msg, 16), bring: make(chan *nats.Msg, broughtMost), back: make(chan uint64, 1),
		buffer: make([]byte, headRoom, batchBytes),
	}
	if _, err := l.nc.ChanSubscribe(a.inbox+"*", a.acks); err != nil {
		return nil, err
	}
	_, err := l.nc.ChanSubscribe(gatherSubject(l.cfg.Site, l.cfg.Node, i), a.bring)
	return a, err
}

// healthy gives the stream that an entry which belongs to another goes into: that one, unless it has just failed, or is about to,
// or nobody says that he leads it while others are led. To try one that nobody leads costs ackMost, and there may be several.
func (l *Log) healthy(home int) int {
	now := time.Now().UnixNano()
	best, rank := home, 0
	for i := range streams {
		a := l.lanes[(home+i)%streams]
		if a.bad.Load() > now {
			continue
		}
		is := 1
		if l.leader[a.stream].Load() != nil {
			is += 2
		}
		if sent := a.sent.Load(); sent == 0 || now-sent < int64(ackSoon) {
			is++
		}
		if is > rank {
			best, rank = a.stream, is
		}
	}
	return best
}

// faster tells whether another stream is faster than one that has not answered in time. When none is, all is slow, and to
// send more would make it slower. One that nobody leads is only idle, so that it is no faster than one that somebody leads.
func (l *Log) faster(slow int) bool {
	now := time.Now().UnixNano()
	led := l.leader[slow].Load() != nil
	for _, a := range l.lanes {
		sent := a.sent.Load()
		if a.stream != slow && a.bad.Load() <= now && (sent == 0 || now-sent < int64(ackSlow)) && (!led || l.leader[a.stream].Load() != nil) {
			return true
		}
	}
	return false
}

// offer takes an entry on, unless too many wait.
func (a *lane) offer(e *entry) bool {
	select {
	case a.queue <- e:
		return true
	default:
		return false
	}
}

// run sends batch after batch, until the log is closed.
func (a *lane) run(ctx context.Context) {
	for {
		if len(a.batch)+len(a.brought) == 0 {
			select {
			case e := <-a.queue:
				a.batch = append(a.batch, e)
			case m := <-a.bring:
				a.take(m)
			case <-ctx.Done():
				return
			}
		}
		to := a.log.gatherer(a.stream)
		if to == "" || len(a.brought) > 0 {
			to = ""
			a.pace(ctx)
		}
		sent := a.collect()
		if to == "" {
			a.gather()
		}
		if len(a.buffer) == headRoom {
			continue
		}
		err := a.send(ctx, sent, to)
		if err == nil {
			clear(a.batch[:sent])
			a.batch = append(a.batch[:0], a.batch[sent:]...)
			a.bad.Store(0)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		a.fail(to)
		a.log.complain("a stream of the log fails", "stream", a.subject, "error", err)
		a.reroute()
		if len(a.batch) > 0 && !a.log.pause(ctx, againAfter) {
			return
		}
	}
}

// fail has the stream left alone for a while, and all that the node leads that was to gather and did not.
func (a *lane) fail(gatherer string) {
	until := time.Now().Add(badFor).UnixNano()
	a.bad.Store(until)
	if gatherer != "" {
		for _, i := range a.log.forgetLeader(gatherer) {
			a.log.lanes[i].bad.Store(until)
		}
	}
}

// collect writes what waits as a batch, and tells how many entries it is: the first of a.batch. What is over is dropped.
func (a *lane) collect() (count int) {
	now := time.Now()
	kept := a.batch[:0]
	for _, e := range a.batch {
		if e.wanted(now) {
			kept = append(kept, e)
		}
	}
	clear(a.batch[len(kept):])
	a.batch = kept
	a.buffer = appendHeader(a.buffer[:headRoom], header{run: a.log.run, node: a.log.cfg.id()})
	at := len(a.buffer) - 1
	for more := true; more && count < batchEntries && len(a.buffer) < batchBytes; {
		if count == len(a.batch) {
			select {
			case e := <-a.queue:
				if !e.wanted(now) {
					continue
				}
				a.batch = append(a.batch, e)
			default:
				more = false
				continue
			}
		}
		a.buffer = append(a.buffer, a.batch[count].bytes...)
		count++
	}
	if count == 0 {
		a.buffer = a.buffer[:headRoom]
		return 0
	}
	a.buffer[at], a.first = byte(count), len(a.buffer)
	return count
}

// wanted tells whether somebody waits for the entry, or needs it without waiting.
func (e *entry) wanted(now time.Time) bool {
	return !e.over.Load() && (e.done != nil || e.until.After(now))
}

// send sends the message, to the stream or to who gathers for it, and waits until the stream has it. Of the first entries of a.batch, so many are in it.
func (a *lane) send(ctx context.Context, count int, gatherer string) error {
	a.number++
	subject, reply, awaited := a.subject, a.inbox+strconv.FormatUint(a.number, 36), uint64(0)
	if gatherer != "" {
		subject = gatherSubject(a.log.cfg.Site, gatherer, a.stream)
	}
	if count > 0 {
		awaited = a.batch[0].number
	}
	if err := a.log.nc.PublishRequest(subject, reply, sealed(a.buffer, a.first)); err != nil {
		return err
	}
	a.log.count.batches.Add(1)
	begun := time.Now()
	a.sent.Store(begun.UnixNano())
	defer a.sent.Store(0)
	timer := time.NewTimer(ackMost)
	defer timer.Stop()
	for {
		select {
		case m := <-a.acks:
			if m.Subject != reply {
				continue // too late
			}
			seq, err := readAck(m)
			if err == nil {
				a.log.own.followers[a.stream].know(seq)
			}
			return err
		case number := <-a.back:
			if number == awaited {
				return nil
			}
		case <-timer.C:
			if a.log.faster(a.stream) || time.Since(begun) >= appendMost {
				return errors.New("no answer")
			}
			timer.Reset(ackLook)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// cameBack notes that a batch has come back in its stream, by the number of its first entry. The follower of the stream alone calls it.
func (a *lane) cameBack(number uint64) {
	select {
	case <-a.back: // nobody waits for the one before
	default:
	}
	a.back <- number
}

// reroute gives what waits for this stream to others. What belongs to it alone stays, and so does everything when there is
// no other.
func (a *lane) reroute() {
	now := time.Now()
	for range len(a.queue) { // it must not wait behind what cannot go
		select {
		case e := <-a.queue:
			a.batch = append(a.batch, e)
		default:
		}
	}
	kept := a.batch[:0]
	for _, e := range a.batch {
		to := a.log.healthy(a.stream)
		switch {
		case !e.wanted(now):
		case e.act == store.Consumed || to == a.stream || e.moves == movesMost || !a.log.lanes[to].offer(e.moved()):
			kept = append(kept, e)
		default:
			a.log.count.moved.Add(1)
		}
	}
	if over := len(kept) - laneMost; over > 0 {
		a.log.count.dropped.Add(uint64(over))
		kept = append(kept[:0], kept[over:]...)
	}
	clear(a.batch[len(kept):])
	a.batch = kept
}

func (e *entry) moved() *entry {
	e.moves++
	return e
}

// readAck reads what a stream answers: the sequence number of what it has stored.
func readAck(m *nats.Msg) (uint64, error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return 0, nats.ErrNoResponders
	}
	var ack struct {
		Seq   uint64
		Error *struct{ Description string }
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return 0, fmt.Errorf("an answer that cannot be read: %w", err)
	}
	if ack.Error != nil {
		return 0, errors.New(ack.Error.Description)
	}
	return ack.Seq, nil
}
