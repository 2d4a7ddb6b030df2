package trace

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of Config.
const (
	DefaultBytes  = 12 << 20
	DefaultAge    = 72 * time.Hour // a traceback is to be answered within 24 hours
	DefaultSettle = 1500 * time.Millisecond
)

// Config says what is kept and where it goes. The zero Config keeps records in memory alone.
type Config struct {
	Bytes    int           // memory for settled records; default DefaultBytes, negative for none
	Age      time.Duration // how long a record is kept at most; default DefaultAge
	Settle   time.Duration // how long after the answer a record stays open for what goes on behind it; default DefaultSettle
	Messages bool          // keep the raw messages: they are the bulk of a record, and hold all numbers

	Lines   *LinesConfig   // nil for none
	Webhook *WebhookConfig // nil for none
	HEP     *HEPConfig     // nil for none
}

const (
	settlingMax = 1 << 14 // records that wait to settle; beyond, the oldest settles early

	settlingBytesMax = 16 << 20              // bytes of their messages; beyond, too
	settleRhythm     = 50 * time.Millisecond // records settle in batches, no more often than that
	expireRhythm     = time.Minute           // how long a record may stay in memory after its age
	withdrawnSpan    = 10 * time.Second      // so long before its record settles may a verdict be withdrawn
)

// Recorder makes, keeps and hands on records. Make it with Open. All methods may be called at the same time from several
// goroutines. A nil Recorder records nothing.
//
// A record goes three ways in turn: it is written as a Call; once finished it waits to settle, first in, first out; then
// one goroutine packs it into the ring and hands it to the outputs, each of which has a queue and a goroutine of its own.
type Recorder struct {
	cfg     Config
	capture bool // somebody wants raw messages
	outputs []output
	lines   *lines
	webhook *hook
	hep     *homer

	begun, late, lost atomic.Uint64

	mu      sync.Mutex
	open    waiting // guarded by mu; records that stay open for what goes on behind the answer
	ended   waiting // guarded by mu; records that ended with it: see Call.EndsWithAnswer
	ring    ring    // guarded by mu; written by run alone
	settled uint64  // guarded by mu
	early   uint64  // guarded by mu
	cut     uint64  // guarded by mu
	amended uint64  // guarded by mu

	wake      chan struct{}
	withdraws chan withdrawal
	recent    []withdrawal // of run alone: for records that have not settled, the newest last
	scratch   []byte       // of run alone: room to pack in
	closing   chan struct{}
	closeOnce sync.Once
	closed    chan struct{}
}

// withdrawal says that the verdict on a call no longer stands.
type withdrawal struct {
	key, why string
	at       time.Time
}

// Open starts a recorder. The error says which setting is wrong, or which file cannot be opened.
func Open(cfg Config) (*Recorder, error) {
	if cfg.Bytes == 0 {
		cfg.Bytes = DefaultBytes
	}
	if cfg.Age == 0 {
		cfg.Age = DefaultAge
	}
	if cfg.Settle == 0 {
		cfg.Settle = DefaultSettle
	}
	if cfg.Age < 0 || cfg.Settle < 0 {
		return nil, fmt.Errorf("age and settle time of a record are not negative")
	}
	r := &Recorder{cfg: cfg, capture: cfg.Messages || cfg.HEP != nil && cfg.HEP.Role == Full,
		open: waiting{span: cfg.Settle}, ended: waiting{span: settleRhythm}, ring: ring{most: cfg.Bytes, age: cfg.Age}, wake: make(chan struct{}, 1), withdraws: make(chan withdrawal, withdrawalsHeld),
		closing: make(chan struct{}), closed: make(chan struct{})}
	if err := r.openOutputs(); err != nil {
		return nil, err
	}
	go r.run()
	return r, nil
}

// openOutputs starts the outputs that are configured, or none.
func (r *Recorder) openOutputs() (err error) {
	if r.cfg.Webhook != nil {
		if r.webhook, err = newHook(*r.cfg.Webhook); err != nil {
			return fmt.Errorf("webhook: %w", err)
		}
	}
	if r.cfg.HEP != nil {
		if r.hep, err = newHomer(*r.cfg.HEP); err != nil {
			return fmt.Errorf("HEP: %w", err)
		}
	}
	if r.cfg.Lines != nil { // the last, because it leaves a file open
		if r.lines, err = openLines(*r.cfg.Lines); err != nil {
			return fmt.Errorf("JSON lines: %w", err)
		}
		r.outputs = append(r.outputs, r.lines)
	}
	if r.webhook != nil {
		r.outputs = append(r.outputs, r.webhook)
	}
	if r.hep != nil {
		r.outputs = append(r.outputs, r.hep)
	}
	for _, o := range r.outputs {
		go o.Run()
	}
	return nil
}

// Close settles and hands on what there is at once, and waits for the outputs until ctx is done; the error then is that
// of ctx, and what is still in a queue is lost. Calls must not be finished after Close.
func (r *Recorder) Close(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.closeOnce.Do(func() { close(r.closing) })
	<-r.closed
	var err error
	for _, o := range r.outputs {
		if e := o.Close(ctx); e != nil {
			err = e
		}
	}
	return err
}

// finish puts a call among those that settle.
func (r *Recorder) finish(c *Call, ends bool) {
	r.mu.Lock()
	w := &r.open
	if ends && !r.capture { // the answer itself is a message that comes later
		w = &r.ended
	}
	w.add(c)
	rouse := len(w.calls) == 1 || w.full()
	r.mu.Unlock()
	if rouse {
		r.rouse()
	}
}

func (r *Recorder) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Withdraw amends the records of a call whose verdict no longer stands, and tells the outputs. It never waits: where more
// withdrawals come than can be held, the rest is counted as lost.
func (r *Recorder) Withdraw(callKey, why string) {
	if r == nil || callKey == "" {
		return
	}
	select {
	case r.withdraws <- withdrawal{clip(callKey, TextBytesMax), why, time.Now()}:
	default:
		r.lost.Add(1)
	}
}

// run settles records when they are due, until Close.
func (r *Recorder) run() {
	defer close(r.closed)
	timer := time.NewTimer(expireRhythm)
	for {
		select {
		case <-r.wake:
		case <-timer.C:
		case w := <-r.withdraws:
			r.withdraw(w)
		case <-r.closing:
			for len(r.withdraws) > 0 {
				r.withdraw(<-r.withdraws)
			}
			r.settleAll(time.Time{})
			return
		}
		now := time.Now()
		r.settleAll(now)
		timer.Reset(r.pause(now))
	}
}

// settleAll settles every record whose time has come; with the zero time, every one.
func (r *Recorder) settleAll(now time.Time) {
	for _, w := range []*waiting{&r.ended, &r.open} {
		for call := r.due(w, now); call != nil; call = r.due(w, now) {
			r.settle(call, w, now)
		}
	}
}

// due is the first call of w, if its time has come. It stays where a search finds it until it is in the ring.
func (r *Recorder) due(w *waiting, now time.Time) *Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, early := w.first(now)
	if early {
		r.early++
	}
	return c
}

// pause is how long there is nothing to settle.
func (r *Recorder) pause(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring.expire(now)
	rest := expireRhythm
	for _, w := range []*waiting{&r.ended, &r.open} {
		if due := w.due(); !due.IsZero() {
			rest = min(rest, max(due.Sub(now), settleRhythm))
		}
	}
	return rest
}

// settle closes a record, keeps it and hands it on.
func (r *Recorder) settle(c *Call, from *waiting, now time.Time) {
	if now.IsZero() {
		now = time.Now()
	}
	c.mu.Lock()
	for _, w := range r.recent {
		if w.key == clip(c.record.CallKey, TextBytesMax) && now.Sub(w.at) < withdrawnSpan+r.cfg.Settle {
			c.record.Withdrawn, c.record.WithdrawnReason = w.at, w.why
		}
	}
	c.settled = true
	cut := c.bound()
	c.mu.Unlock()
	record := &c.record // which nobody writes any more
	packed := r.packed(record)
	r.mu.Lock()
	from.drop()
	r.settled++
	r.cut += uint64(cut)
	if packed != nil {
		r.ring.put(entry{record.Began.UnixNano(), packed}, now)
	}
	r.mu.Unlock()
	if len(r.outputs) > 0 { // which get what is kept: within its bounds, and without the packets that it came in
		r.scratch = pack(r.scratch[:0], record)
		r.handOn(unpack(r.scratch))
	}
}

// packed is the record as the ring keeps it; nil where it keeps none.
func (r *Recorder) packed(record *Record) []byte {
	if r.cfg.Bytes < 0 {
		return nil
	}
	kept := *record
	if !r.cfg.Messages {
		kept.Messages = nil
	}
	r.scratch = pack(r.scratch[:0], &kept)
	return append([]byte(nil), r.scratch...)
}

// withdraw amends what has settled, and remembers it for what has not.
func (r *Recorder) withdraw(w withdrawal) {
	if len(r.recent) == withdrawalsHeld {
		r.recent = append(r.recent[:0], r.recent[1:]...)
	}
	r.recent = append(r.recent, w)
	for i, e := range r.ring.entries { // nobody else writes them
		record := e.about(w.key)
		if record == nil || record.CallKey != w.key || !record.Withdrawn.IsZero() {
			continue
		}
		record.Withdrawn, record.WithdrawnReason = w.at, w.why
		packed := r.packed(record)
		r.mu.Lock()
		r.ring.replace(i, packed)
		r.amended++
		r.mu.Unlock()
		record.Messages = nil // they have been handed on
		r.handOn(record)
	}
	r.mu.Lock()
	r.ring.trim()
	r.mu.Unlock()
}
