package numbering

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// SPCsMax bounds the provider codes of one answer of a server. A number has one provider, and for the days of a port two.
const SPCsMax = 16

// CacheConfig says how long the answers of a server are believed, and how hard it is asked. Zero values are replaced by the
// defaults. How late a port is noticed is at most LifetimeMax and Stale together.
type CacheConfig struct {
	NumbersMax int // numbers remembered, of about 300 bytes each; default 100,000

	Lifetime    time.Duration // of an answer that does not say; default 5 min
	LifetimeMin time.Duration // of one that says less; default 10 s
	LifetimeMax time.Duration // of one that says more; default 1 h
	UnknownMax  time.Duration // of the answer that nothing is known of a number; default 1 min
	Stale       time.Duration // how long after its lifetime an answer is still given while the server is asked again; default 5 min, negative for not at all

	Timeout   time.Duration // of a question, from waiting for its turn to the last byte of the answer; default 1 s
	AskingMax int           // questions asked at the same time; default 32. Fifteen times as many may wait, and more are refused

	// After Failures questions in a row without an answer the server is left alone for Pause, and for twice as long each time
	// one more question has shown that it still does not answer, up to PauseMax.
	Failures int           // default 5
	Pause    time.Duration // default 1 s
	PauseMax time.Duration // default 30 s
}

func (c CacheConfig) withDefaults() CacheConfig {
	c.NumbersMax = positive(c.NumbersMax, 100_000)
	c.Lifetime = positive(c.Lifetime, 5*time.Minute)
	c.LifetimeMin = positive(c.LifetimeMin, 10*time.Second)
	c.LifetimeMax = max(positive(c.LifetimeMax, time.Hour), c.LifetimeMin)
	c.UnknownMax = positive(c.UnknownMax, time.Minute)
	if c.Stale == 0 {
		c.Stale = 5 * time.Minute
	}
	c.Timeout = positive(c.Timeout, time.Second)
	c.AskingMax = positive(c.AskingMax, 32)
	c.Failures = positive(c.Failures, 5)
	c.Pause = positive(c.Pause, time.Second)
	c.PauseMax = max(positive(c.PauseMax, 30*time.Second), c.Pause)
	return c
}

func positive[T cmp.Ordered](value, otherwise T) T {
	var zero T
	if value <= zero {
		return otherwise
	}
	return value
}

// answer is what a server says of a number.
type answer struct {
	spcs     []string      // empty when nothing is known of the number
	lifetime time.Duration // for how long it may be believed; negative when the server does not say
}

// question asks a server for one number. An error that is no Fault becomes PeerFailed, or PeerTimeout when ctx is over. It
// may be called from many goroutines.
type question func(ctx context.Context, n tn.Number) (answer, error)

// cache remembers answers, lets those who want the same number wait for one question together, and leaves a server that
// does not answer alone. It is oob.Numbering.
type cache struct {
	config CacheConfig
	ask    question
	turns  chan struct{} // one in it for each question that is asked

	open    context.Context // ends with close
	hangUp  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	entries map[tn.Number]*entry
	oldest  entry // the ring of all entries, from the last used to the first
	flights map[tn.Number]*flight
	health  health
	stats   CacheStats
}

// CacheStats count what a cache has done. Entries is how many numbers it remembers now.
type CacheStats struct {
	Entries                  int
	Hits, Misses             int64 // looked up: answered from memory, stale answers included, or not
	Stale                    int64 // of the hits, those past their lifetime
	Asked, Failures, Refused int64 // questions put to the server; those without an answer; those not put because there were too many or the server is left alone
	Paused                   bool  // the server is left alone
}

// entry is one answer that is remembered.
type entry struct {
	number       tn.Number
	spcs         []string
	fresh, over  time.Time // until when it is believed, and given at all
	retry        time.Time // no refresh before
	newer, older *entry
}

// flight is a question under way.
type flight struct {
	done chan struct{} // closed when spcs and err are there
	spcs []string
	err  error
}

func newCache(cfg CacheConfig, ask question) *cache {
	cfg = cfg.withDefaults()
	c := &cache{
		config: cfg, ask: ask, turns: make(chan struct{}, cfg.AskingMax),
		entries: make(map[tn.Number]*entry), flights: make(map[tn.Number]*flight),
	}
	c.open, c.hangUp = context.WithCancel(context.Background())
	c.oldest.newer, c.oldest.older = &c.oldest, &c.oldest
	return c
}

// close ends all questions. What is remembered is still given.
func (c *cache) close() {
	c.mu.Lock()
	c.hangUp()
	c.mu.Unlock()
	c.running.Wait()
}

// SPCs implements oob.Numbering. The slice is shared and not to be changed.
func (c *cache) SPCs(ctx context.Context, n tn.Number) ([]string, error) {
	spcs, f, err := c.look(n, time.Now())
	if f == nil {
		return spcs, err
	}
	defer turnstile.Aside(ctx)() // nobody else is to wait for that
	select {
	case <-f.done:
		return f.spcs, f.err
	case <-ctx.Done():
		return nil, oob.Faultf(oob.PeerTimeout, "whose number it is was not told in time").Because(ctx.Err())
	}
}

// look gives what is remembered, or else the question to wait for. An answer past its lifetime starts one for which
// nobody waits.
func (c *cache) look(n tn.Number, now time.Time) ([]string, *flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[n]
	if e == nil || !now.Before(e.over) {
		c.stats.Misses++
		f, err := c.launch(n, now)
		return nil, f, err
	}
	c.stats.Hits++
	c.use(e)
	if !now.Before(e.fresh) {
		c.stats.Stale++
		if !now.Before(e.retry) {
			e.retry = now.Add(c.config.Pause)
			c.launch(n, now) // that it could not be asked now is no reason to be silent
		}
	}
	if len(e.spcs) == 0 {
		return nil, nil, unknown()
	}
	return e.spcs, nil, nil
}

func unknown() error {
	return &oob.Fault{Kind: oob.NotFound, Detail: "nothing is known of whose number it is"}
}

// launch starts the question for a number, or joins the one under way. The caller holds mu.
func (c *cache) launch(n tn.Number, now time.Time) (*flight, error) {
	if f := c.flights[n]; f != nil {
		return f, nil
	}
	if c.open.Err() != nil {
		return nil, oob.Faultf(oob.PeerFailed, "it is not asked any more").Because(context.Canceled)
	}
	const waiting = 16 // questions for each place
	if len(c.flights) >= waiting*c.config.AskingMax {
		c.stats.Refused++
		return nil, oob.Faultf(oob.Overloaded, "too many numbers are asked for").After(c.config.Timeout)
	}
	probe, wait := c.health.enter(now)
	if wait > 0 {
		c.stats.Refused++
		return nil, oob.Faultf(oob.PeerFailed, "the server does not answer and is left alone").After(wait)
	}
	f := &flight{done: make(chan struct{})}
	c.flights[n] = f
	c.running.Go(func() { c.fly(f, n, probe) })
	return f, nil
}

// fly asks, whoever still waits, and remembers the answer.
func (c *cache) fly(f *flight, n tn.Number, probe bool) {
	ctx, cancel := context.WithTimeout(c.open, c.config.Timeout)
	defer cancel()
	got, asked, err := c.inTurn(ctx, n)
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(f.done)
	delete(c.flights, n)
	if asked {
		c.stats.Asked++
	}
	// A question that we ended ourselves tells nothing of the server. One that was answered shows that it is there, whatever it
	// says of one number: whoever has a number of which it says nonsense could else silence it for all.
	c.health.leave(probe, err != nil && !isNonsense(err), c.open.Err() != nil || !asked, now, c.config)
	switch {
	case err == nil:
		c.put(n, got, now)
		if len(got.spcs) == 0 {
			f.err = unknown()
			break
		}
		f.spcs = got.spcs
	case !asked:
		c.stats.Refused++
		f.err = oob.Faultf(oob.Overloaded, "too many numbers are asked for").After(c.config.Timeout).Because(err)
	default:
		c.stats.Failures++
		f.err = unanswered(ctx, err)
	}
}

// inTurn waits until the server may be asked, and asks it if there is time left then.
func (c *cache) inTurn(ctx context.Context, n tn.Number) (got answer, asked bool, err error) {
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
		return answer{}, false, ctx.Err()
	}
	if deadline, _ := ctx.Deadline(); !time.Now().Before(deadline) {
		return answer{}, false, context.DeadlineExceeded
	}
	if got, err = c.ask(ctx, n); err == nil {
		err = check(got)
	}
	return got, true, err
}

// nonsense is an answer about one number that cannot be used.
type nonsense struct{ *oob.Fault }

// Unwrap gives the fault.
func (n nonsense) Unwrap() error { return n.Fault }

func isNonsense(err error) bool {
	_, ok := errors.AsType[nonsense](err)
	return ok
}

func nonsensical(format string, args ...any) error {
	return nonsense{oob.Faultf(oob.PeerFailed, format, args...)}
}

// check refuses what no provider of numbering data says.
func check(a answer) error {
	if len(a.spcs) > SPCsMax {
		return nonsensical("more than %d provider codes for one number", SPCsMax)
	}
	for _, spc := range a.spcs {
		if !stircert.ValidSPC(spc) {
			return nonsensical("a provider code that is none")
		}
	}
	return nil
}

func unanswered(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*oob.Fault](err); ok {
		return err
	}
	if ctx.Err() != nil {
		return oob.Faultf(oob.PeerTimeout, "whose number it is was not told in time").Because(err)
	}
	return oob.Faultf(oob.PeerFailed, "whose number it is could not be asked").Because(err)
}

// put remembers an answer, and forgets the one that was not used for the longest time when there are too many. The caller
// holds mu.
func (c *cache) put(n tn.Number, a answer, now time.Time) {
	lifetime := a.lifetime
	if lifetime < 0 {
		lifetime = c.config.Lifetime
	}
	lifetime = min(max(lifetime, c.config.LifetimeMin), c.config.LifetimeMax)
	e := c.entries[n]
	if e == nil {
		e = &entry{number: n}
		c.entries[n] = e
		e.newer, e.older = e, e
	}
	e.spcs, e.fresh = a.spcs, now.Add(lifetime)
	e.over = e.fresh.Add(max(0, c.config.Stale))
	if len(a.spcs) == 0 { // a new number should work at once
		e.fresh = now.Add(min(lifetime, c.config.UnknownMax))
		e.over = e.fresh
	}
	e.retry = time.Time{}
	c.use(e)
	if len(c.entries) > c.config.NumbersMax {
		first := c.oldest.newer
		first.unlink()
		delete(c.entries, first.number)
	}
}

// use makes an entry the one that was used last. The caller holds mu.
func (c *cache) use(e *entry) {
	e.unlink()
	e.newer, e.older = &c.oldest, c.oldest.older
	e.older.newer, c.oldest.older = e, e
}

func (e *entry) unlink() { e.newer.older, e.older.newer = e.older, e.newer }

// Stats tells what the cache has done.
func (c *cache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Entries, s.Paused = len(c.entries), c.health.pause > 0
	return s
}

// health says whether a server is asked.
type health struct {
	failures int           // in a row
	pause    time.Duration // zero while it is asked
	until    time.Time     // end of pause
	probing  bool          // one question is under way to see whether it answers again
}

// enter tells how long the server must be left alone, or that it may be asked, and whether this is the probe.
func (h *health) enter(now time.Time) (probe bool, wait time.Duration) {
	if h.pause == 0 {
		return false, 0
	}
	if wait = h.until.Sub(now); wait > 0 {
		return false, wait
	}
	if h.probing {
		return false, h.pause
	}
	h.probing = true
	return true, 0
}

// leave takes what a question has shown, if anything. Questions that began before the pause may end it, but not prolong it.
func (h *health) leave(probe, failed, nothing bool, now time.Time, cfg CacheConfig) {
	if probe {
		h.probing = false
	}
	switch {
	case !failed:
		h.failures, h.pause = 0, 0
	case nothing:
	case h.pause == 0:
		if h.failures++; h.failures >= cfg.Failures {
			h.pause, h.until = cfg.Pause, now.Add(cfg.Pause)
		}
	case probe:
		h.pause = min(2*h.pause, cfg.PauseMax)
		h.until = now.Add(h.pause)
	}
}
