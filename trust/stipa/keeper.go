package stipa

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"sync"
	"time"
)

// How a Keeper goes about it.
const (
	BackoffMin   = 30 * time.Second // after the first failure; doubled up to Config.Refresh
	ClockSkewMax = 5 * time.Minute  // by which a document may be issued in the future
	jitter       = 0.1              // of an interval, either way: not everybody asks the STI-PA at the full hour
)

// Offer is a document as it came, to be checked.
type Offer struct {
	Body []byte
	Kept bool // Body is what Document.Kept was, from our own disk
	Now  time.Time
}

// Document is one that a Check has found to be what it is meant to be, and signed by who may. Whether it is current and
// newer is for the Keeper to say.
type Document[T any] struct {
	Value   T
	Number  *big.Int          // what must never go back: the sequence of a list, the CRL number
	Content [sha256.Size]byte // the same for documents that say the same
	Issued  time.Time         // zero when it does not say
	Expires time.Time
	Entries int
	Skipped int    // entries that are not used
	Kept    []byte // what to keep on disk
}

// Config says what a Keeper keeps.
type Config[T any] struct {
	Name   string // of the document, for the log and as its file name: a word
	Source Source

	// Check reads a document and makes sure who signed it. Its errors wrap a Problem; one that does not counts as Malformed.
	Check func(context.Context, Offer) (*Document[T], error)

	// Accept puts a document to use, Withdraw stops using any. They are called one at a time, and must not block. A
	// document that says the same as the one in use is not given to Accept.
	Accept   func(T)
	Withdraw func()

	// StopWhenExpired withdraws a document when it expires. Otherwise it is used on, with an alarm, also after a restart:
	// that an STI-PA is late must not stop the calls of a country.
	StopWhenExpired bool

	// Directory keeps the last good document across restarts; empty for memory alone. Whoever can write to it can take us
	// back to an older document that was signed by the right one, until the source is read; he cannot make us believe another.
	Directory string

	Refresh    time.Duration // between two looks at the source; default 1 h
	Timeout    time.Duration // of one look; default 30 s
	AlarmAfter time.Duration // without a good look, raises the alarm; default 24 h
	BytesMax   int64         // of a document; default ListBytesMax

	Log *slog.Logger // default: none
	Now func() time.Time
}

func (c Config[T]) withDefaults() Config[T] {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&c.Refresh, time.Hour}, {&c.Timeout, 30 * time.Second}, {&c.AlarmAfter, 24 * time.Hour}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if c.BytesMax <= 0 {
		c.BytesMax = ListBytesMax
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Keeper keeps the newest good document in use. It is safe for concurrent use.
type Keeper[T any] struct {
	cfg    Config[T]
	reader *reader
	made   time.Time
	wake   chan struct{} // holds a value when Run is to look at the source now

	turn  sync.Mutex                                         // held while a document is judged and taken: one at a time
	check func(context.Context, Offer) (*Document[T], error) // guarded by turn

	mu       sync.Mutex   // guards what follows, for State; never held while anything waits
	held     *Document[T] // newest that was good; stays when it has expired, for its number. Written with turn held
	believed bool         // held has been accepted and not withdrawn
	counts   counts
	logged   struct {
		alarm   Alarm
		problem Problem
	}
}

// New makes a Keeper and takes up what is on disk, and the file if the source is one, so that it is in use when New
// returns. That there is nothing good is no error but an alarm: Run will find something.
func New[T any](cfg Config[T]) (*Keeper[T], error) {
	cfg = cfg.withDefaults()
	if err := cfg.Source.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Name, err)
	}
	k := &Keeper[T]{
		cfg: cfg, reader: newReader(cfg.Source, cfg.BytesMax, cfg.Timeout), made: cfg.Now(), wake: make(chan struct{}, 1), check: cfg.Check,
	}
	k.counts.refusals = make(map[Problem]int64)
	k.restore()
	if cfg.Source.File != "" {
		k.look(context.Background())
	}
	return k, nil
}

// Run looks at the source until ctx ends: at once, then every Refresh, sooner after a failure.
func (k *Keeper[T]) Run(ctx context.Context) {
	failures := 0
	next := k.cfg.Now()
	for {
		if now := k.cfg.Now(); !now.Before(next) {
			failures++
			if k.look(ctx) {
				failures = 0
			}
			next = k.cfg.Now().Add(k.pause(failures))
		}
		k.watch()
		timer := time.NewTimer(k.until(next).Sub(k.cfg.Now()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-k.wake:
			next = k.cfg.Now()
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Refresh makes Run look at the source now.
func (k *Keeper[T]) Refresh() {
	select {
	case k.wake <- struct{}{}:
	default: // it is going to, anyway
	}
}

// SetCheck judges by another check from now on, also what is held: when that is not good any more, it is withdrawn, and
// its number binds nobody.
func (k *Keeper[T]) SetCheck(check func(context.Context, Offer) (*Document[T], error)) {
	k.turn.Lock()
	defer k.turn.Unlock()
	k.check = check
	held := k.held
	if held == nil {
		return
	}
	if err := k.resume(held.Kept); err != nil {
		k.refuse(err)
		k.withdraw()
	}
}

// resume takes up a document that was accepted before. When it was signed by the right one, its number is the one to go
// back no further than, even if it has expired and is not used on. It is called with turn held.
func (k *Keeper[T]) resume(kept []byte) error {
	now := k.cfg.Now()
	doc, err := k.check(context.Background(), Offer{Body: kept, Kept: true, Now: now})
	if err == nil {
		err = k.current(doc, now, true)
	}
	if err != nil {
		k.mu.Lock()
		k.held = doc // nil when it is not signed by the right one
		k.mu.Unlock()
		return err
	}
	k.accept(doc)
	return nil
}

// look reads the source once and takes what is good. It tells whether something was.
func (k *Keeper[T]) look(ctx context.Context) bool {
	body, err := k.reader.read(ctx)
	if ctx.Err() != nil {
		return false // we are leaving; nobody failed
	}
	k.turn.Lock()
	defer k.turn.Unlock()
	if err == nil {
		err = k.offer(ctx, body)
	}
	if err != nil {
		k.refuse(err)
		return false
	}
	k.succeed()
	return true
}

// offer takes a document from the source if it is good and newer than what is held.
func (k *Keeper[T]) offer(ctx context.Context, body []byte) error {
	now := k.cfg.Now()
	doc, err := k.check(ctx, Offer{Body: body, Now: now})
	if err != nil {
		return err
	}
	if err := k.current(doc, now, k.cfg.Source.File != ""); err != nil {
		return err
	}
	if held := k.held; held != nil {
		switch order := doc.Number.Cmp(held.Number); {
		case order < 0:
			return Backwards
		case order == 0 && doc.Content != held.Content:
			return Contradicting
		case order == 0 && k.believed && !doc.Expires.After(held.Expires):
			return nil // nothing new
		}
	}
	k.accept(doc)
	k.keep(doc)
	return nil
}

// current checks the times of a document. One that has expired is never taken from the network. From a file or from our own
// disk it is, where expired documents are used on: there it is no news, but what was in use before.
func (k *Keeper[T]) current(doc *Document[T], now time.Time, ours bool) error {
	switch {
	case doc.Issued.After(now.Add(ClockSkewMax)):
		return NotYetValid
	case !now.Before(doc.Expires) && (k.cfg.StopWhenExpired || !ours):
		return Expired
	}
	return nil
}

// accept puts a document to use, unless one that says the same is in use.
func (k *Keeper[T]) accept(doc *Document[T]) {
	k.mu.Lock()
	was := k.held
	same := k.believed && was.Content == doc.Content
	k.held, k.believed = doc, true
	k.mu.Unlock()
	if !same {
		k.cfg.Accept(doc.Value)
	}
	if same && was.Number.Cmp(doc.Number) == 0 {
		return // prolonged
	}
	k.cfg.Log.Info(k.cfg.Name+" accepted", "number", doc.Number, "expires", doc.Expires.UTC(), "entries", doc.Entries, "skipped", doc.Skipped)
}

// withdraw stops using what is held; its number stays.
func (k *Keeper[T]) withdraw() {
	k.mu.Lock()
	was := k.believed
	k.believed = false
	k.mu.Unlock()
	if was {
		k.cfg.Withdraw()
		k.cfg.Log.Error(k.cfg.Name + " is not used any more")
	}
}

func (k *Keeper[T]) succeed() {
	k.mu.Lock()
	k.counts.successes++
	k.counts.lastSuccess = k.cfg.Now()
	recovered := k.logged.problem != 0
	k.logged.problem = 0
	k.mu.Unlock()
	if recovered {
		k.cfg.Log.Info(k.cfg.Name + ": the source is good again")
	}
}

// refuse counts a failure, and logs it when it is another than the last.
func (k *Keeper[T]) refuse(err error) {
	problem, typed := errors.AsType[Problem](err)
	if !typed {
		problem = Malformed
	}
	k.mu.Lock()
	k.counts.refusals[problem]++
	k.counts.lastFailure, k.counts.lastProblem = k.cfg.Now(), problem
	news := k.logged.problem != problem
	k.logged.problem = problem
	k.mu.Unlock()
	if news {
		k.cfg.Log.Warn(k.cfg.Name+" refused; what is held stays", "problem", problem.Name(), "error", err.Error())
	}
}

// watch withdraws what has expired, if that is asked for, and logs a change of the alarm.
func (k *Keeper[T]) watch() {
	k.turn.Lock()
	defer k.turn.Unlock()
	k.mu.Lock()
	alarm := k.alarm(k.cfg.Now())
	changed := alarm != k.logged.alarm
	k.logged.alarm = alarm
	k.mu.Unlock()
	if alarm == AlarmExpired && k.cfg.StopWhenExpired {
		k.withdraw()
	}
	switch {
	case changed && alarm == NoAlarm:
		k.cfg.Log.Info(k.cfg.Name + ": the alarm is over")
	case changed:
		k.cfg.Log.Error(k.cfg.Name+": alarm", "reason", alarm.String())
	}
}

// pause is how long to wait for the next look, after so many failures: less when what is held expires meanwhile.
func (k *Keeper[T]) pause(failures int) time.Duration {
	pause := k.cfg.Refresh
	k.mu.Lock()
	if k.held != nil {
		if left := k.held.Expires.Sub(k.cfg.Now()); left > 0 {
			pause = min(pause, max(left/2, BackoffMin))
		}
	}
	k.mu.Unlock()
	if failures > 0 {
		pause = min(pause, BackoffMin<<min(failures-1, 20))
	}
	return time.Duration(float64(pause) * (1 - jitter + 2*jitter*rand.Float64()))
}

// until is when Run has something to do again: the next look, or a change of the alarm before that.
func (k *Keeper[T]) until(next time.Time) time.Time {
	now := k.cfg.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held == nil {
		return next
	}
	for _, change := range []time.Time{k.held.Expires, k.staleAt()} {
		if change.After(now) && change.Before(next) {
			next = change
		}
	}
	return next
}
