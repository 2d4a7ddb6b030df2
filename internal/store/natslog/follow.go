package natslog

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/viaduct-oob/viaduct/internal/store"
)

const (
	liveMost    = 512                    // messages of a stream that may wait; more are a gap
	lookEvery   = 50 * time.Millisecond  // how often a follower looks whether something is missing, while it knows of something
	silence     = 200 * time.Millisecond // after which a stream is asked whether there is nothing
	silenceMost = time.Second            // the same, of one that has said so before
	probeIdle   = 3 * time.Second        // after which a silent stream is asked whether it is still the same

	skewMost = 2 * time.Second // between the clocks of two nodes
)

// source is a site whose streams are followed: this one, or another.
type source struct {
	log       *Log
	site      string
	nc        *nats.Conn
	moved     chan struct{} // what has been applied is more; nil for the own site
	failures  failures      // of nc
	followers [streams]*follower
}

func (l *Log) newSource(site string, nc *nats.Conn) *source {
	s := &source{log: l, site: site, nc: nc}
	for i := range s.followers {
		s.followers[i] = &follower{
			source: s, stream: i, own: site == l.cfg.Site, inbox: l.inbox("f", i), next: 1,
			live: make(chan *nats.Msg, l.cfg.live), answers: make(chan *nats.Msg, fillMost+8), poke: make(chan struct{}, 1), look: make(chan struct{}, 1),
		}
	}
	return s
}

// follow starts to follow the streams.
func (s *source) follow() error {
	for i, f := range s.followers {
		if _, err := s.nc.ChanSubscribe(f.inbox+"*", f.answers); err != nil {
			return err
		}
		if _, err := s.nc.ChanSubscribe(viewSubject(s.site, i), f.live); err != nil {
			return err
		}
		s.log.task(f.run)
	}
	return nil
}

// lag is for how long the view has not been level with all streams.
func (s *source) lag() time.Duration {
	now, longest := time.Now(), time.Duration(0)
	for _, f := range s.followers {
		since := s.log.opened
		if at := f.level.Load(); at != 0 {
			since = time.Unix(0, at)
		}
		longest = max(longest, now.Sub(since))
	}
	return longest
}

// replayed tells whether the view has been level with every stream once.
func (s *source) replayed() bool {
	for _, f := range s.followers {
		if f.level.Load() == 0 {
			return false
		}
	}
	return true
}

// exists tells whether all streams have been made, or the site has been reached.
func (s *source) exists() bool {
	for _, f := range s.followers {
		if !f.exists.Load() {
			return false
		}
	}
	return true
}

// positions are the last messages that were applied, one for each stream.
func (s *source) positions() (p [streams]uint64) {
	for i, f := range s.followers {
		p[i] = f.position.Load()
	}
	return p
}

// follower brings one stream into the view: what comes by itself, and what is missing by asking.
type follower struct {
	source  *source
	stream  int
	own     bool
	inbox   string // where answers come to, without the number of the question
	live    chan *nats.Msg
	answers chan *nats.Msg
	poke    chan struct{}
	exists  atomic.Bool   // the stream has been made, and who leads it has said what is in it; of another site: it is connected
	known   atomic.Uint64 // the last message that is known to be there
	first   atomic.Uint64 // the first that is still there, as far as is known
	look    chan struct{} // there is one that may be missing

	next      uint64    // the message to be applied next
	last      time.Time // when the one before was stored, by the clock of the node that led
	heard     time.Time // when the stream last said something
	probed    time.Time
	inquired  time.Time // when who leads it was last asked what is there
	asked     uint64    // questions so far
	sure      bool      // it is known what there is, see begin
	begun     uint64    // the first message that was read
	doubted   uint64    // the last that was read before that was known; 0: none
	doubtedAt time.Time // when it was stored
	position  atomic.Uint64
	patience  time.Duration // how long the stream may say nothing before it is asked
	level     atomic.Int64  // ns since 1970; until when the view is taken to be level with the stream; 0: it never was
}

// know notes that a message is there, and has the follower look soon whether it has come.
func (f *follower) know(seq uint64) {
	f.raise(seq)
	if seq > f.position.Load() {
		select {
		case f.look <- struct{}{}:
		default:
		}
	}
}

// raise notes that a message is there.
func (f *follower) raise(seq uint64) {
	for {
		known := f.known.Load()
		if seq <= known || f.known.CompareAndSwap(known, seq) {
			return
		}
	}
}

// hurry makes the follower ask at once.
func (f *follower) hurry() {
	select {
	case f.poke <- struct{}{}:
	default:
	}
}

func (f *follower) run(ctx context.Context) {
	due := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	before := uint64(0)
	for {
		select {
		case m := <-f.live:
			f.receive(ctx, m)
			continue
		case <-f.poke:
			f.catchUp(ctx)
			continue
		case <-f.look:
			if time.Until(due) <= lookEvery {
				continue
			}
		case <-timer.C:
			stuck := f.next == before && f.known.Load() >= f.next
			before = f.next
			if stuck || time.Since(f.heard) >= f.patience {
				f.catchUp(ctx)
			}
		case <-ctx.Done():
			return
		}
		wait := lookEvery
		if f.known.Load() < f.next {
			wait = max(wait, f.patience-time.Since(f.heard))
		}
		due = time.Now().Add(wait)
		timer.Reset(wait)
	}
}

// receive takes a message that came by itself.
func (f *follower) receive(ctx context.Context, m *nats.Msg) {
	seq, at, ok := stamp(m)
	if !ok {
		f.source.log.count.unreadable.Add(1)
		return
	}
	f.heard, f.patience = time.Now(), silence
	if f.begunAnew(seq, at) {
		f.catchUp(ctx)
	}
	f.raise(seq)
	if seq > f.next {
		f.catchUp(ctx)
	}
	switch {
	case seq == f.next:
		f.take(seq, at, m.Data)
	case seq < f.next:
		f.source.log.count.repeated.Add(1)
	}
	if len(f.live) == 0 {
		f.levelled()
	}
}

// begunAnew tells whether a message shows that the stream is not the one that was followed: an early number at a late
// time. What was followed is forgotten then. It may be wrong, which costs no more than reading it all again.
func (f *follower) begunAnew(seq uint64, at time.Time) bool {
	if seq >= f.next || f.last.IsZero() || !at.After(f.last.Add(skewMost)) {
		return false
	}
	f.source.log.count.resets.Add(1)
	f.next, f.last = 1, time.Time{}
	f.known.Store(0)
	f.first.Store(0)
	return true
}

// take applies the message that is next, and more than next when a stream has lost what is between.
func (f *follower) take(seq uint64, at time.Time, data []byte) {
	if f.next > 1 && seq > f.next {
		f.source.log.count.lost.Add(seq - f.next)
	}
	f.next, f.last = seq+1, at
	f.read(seq, at, data)
	f.position.Store(seq)
	select {
	case f.source.moved <- struct{}{}:
	default: // nobody wants to know, or is about to look
	}
}

// read applies the events of a message.
func (f *follower) read(seq uint64, at time.Time, data []byte) {
	m, err := readMessage(data)
	if err != nil {
		f.unreadable("a message of the log cannot be read", err)
		return
	}
	latest := at.Add(f.source.log.cfg.KeepMax)
	cut(&latest, f.source.log.cfg.Now().Add(skewMost+f.source.log.cfg.KeepMax)) // however wrong the clock of the node that led
	for more := true; more; more = m.more() {
		b, err := m.next()
		if err != nil {
			f.unreadable("a batch of the log cannot be read", err)
			continue
		}
		if site, _, _ := strings.Cut(b.node, "/"); site != f.source.site {
			f.unreadable("a batch of the log names a node of another site", nil)
			continue
		}
		f.apply(&b, seq, latest)
	}
}

// apply applies the events of a batch, cut to the latest time that they can matter.
func (f *follower) apply(b *batch, seq uint64, latest time.Time) {
	l := f.source.log
	mine, first := f.own && b.run == l.run, uint64(0)
	for b.count > 0 {
		number, ev, err := b.next()
		if err != nil {
			f.unreadable("an event of the log cannot be read", err)
			continue
		}
		if first == 0 {
			first = number
		}
		if mine && ev.Act == store.Spent {
			continue // it was applied before it was sent
		}
		ev.Foreign = !f.own
		cut(&ev.Publication.Use.Until, latest)
		cut(&ev.Publication.Expires, latest)
		outcome := l.apply(ev)
		l.count.applied.Add(1)
		if mine {
			l.waiting.answer(number, applied{outcome: outcome, stream: f.stream, seq: seq})
		}
	}
	if mine {
		l.lanes[f.stream].cameBack(first)
	}
}

// unreadable notes that something in the stream makes no sense.
func (f *follower) unreadable(what string, err error) {
	f.source.log.count.unreadable.Add(1)
	f.source.log.complain(what, "site", f.source.site, "error", err)
}

func cut(t *time.Time, latest time.Time) {
	if t.After(latest) {
		*t = latest
	}
}

// levelled notes that all that is known has been applied, if so and it is known what there is. It is taken to be so until the stream is asked again.
func (f *follower) levelled() {
	if f.sure && f.next > f.known.Load() {
		f.level.Store(time.Now().Add(max(f.patience, silence) + lookEvery).UnixNano())
	}
}

// stamp reads the number of a message in its stream, and when it was stored.
func stamp(m *nats.Msg) (seq uint64, at time.Time, ok bool) {
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil || seq == 0 {
		return 0, time.Time{}, false
	}
	at, err = time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
	return seq, at, err == nil
}
