// Package turnstile decides who is served next where more ask than can be served, and who not at all.
//
// Knows: who asks, as far as can be told for nothing; whether he fetches or brings; how long he has waited; how many are
// at work. Never hears of: what is asked, HTTP, how somebody proves who he is.
//
// What is scarce in a CPS is processor time, and most of that goes into signatures. So whoever has a signature to be verified
// passes here first, and holds a place while he is worked on: never while he waits for a network, a log or something to
// come (see [Aside] and [Leave]). While there is a free place, that is all. Where there is none he waits in a queue, and:
//
//   - Those who come back with what they waited for go first: much has been spent on them.
//   - Each guest has a queue of its own, and queues take turns, so that who asks for much waits for himself. A guest is in whose
//     name a request is made. That is a claim until it is proven, and only claims that were proven from the same address
//     before count; everybody else is one guest with all who share his address, and all of them together have every eighth
//     turn while others wait.
//   - A queue that was empty goes before those that are not, but not for ever (RFC 8290 §4.2).
//   - Retrievals go before publications, of which every fourth turn of a guest is one: a retrieval is what is left of a call
//     that somebody has published already.
//   - What another CPS passes on waits until nobody else does, but for every eighth turn, so that it is not put off for ever:
//     whoever has published it has long been answered. It has queues of its own, in turns, too.
//
// # Shedding
//
// A queue that never empties helps nobody: it only makes everything late. So time in the queue is what is bounded, as in CoDel
// (RFC 8289 §4). Short bursts may wait for Config.Burst. When a guest has had somebody in his queue for that long, or of those who
// come and are gone again there has always been one, or somebody was shed in that time, nobody waits there for longer than
// Config.Target, and the newest go first: theirs are the calls that are not yet lost. Whoever has waited for longer is refused with
// [ErrStrained], so that he can ask elsewhere; but who asks for much more than others do, with [ErrShare] and late, after some two hundred
// times as long and one by one: what is refused at once comes again at once, to refuse it takes time, too, and over a connection
// on which nothing was answered nothing more is asked. So it is the greedy one's connections that carry his excess.
// What is passed on waits for relaysWait, in the order in which it came, and is no strain: how much of it is under way is up to who
// passes it on.
//
// # The network
//
// Whoever has not been read from a socket is in no queue, and the runtime looks at sockets only where it has nothing to run: under
// load hardly ever. So while anybody waits there is an usher, a goroutine that is woken by way of the network poller, and places
// are given away after it has been looked who else has come, every Config.Look at least.
//
// # Limits
//
// Config.Places at work, Config.Waiting in queues and as many relays, of both a quarter for one guest; knownMax guests are
// remembered to be proven. There are at most twice as many queues as may wait. The usher goes home when nobody waits; the two ends of his pipe stay open for as
// long as the turnstile is used.
//
// # Failures
//
// [ErrShare], [ErrStrained], and the end of the context while waiting, as it is.
package turnstile

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"time"
)

// Why somebody is not served.
var (
	ErrShare    = errors.New("too much is asked, and of this guest more than of others")
	ErrStrained = errors.New("more is asked than can be served")
)

// Config says how much is done at a time, and how long others may wait for it. Zero values mean the defaults in the comments.
type Config struct {
	Places  int           // at work at a time; as many as there are processors
	Waiting int           // requests that wait; 4096
	Target  time.Duration // how long one may wait while there are always some who do; 5 ms
	Burst   time.Duration // how long one may wait otherwise; 50 ms

	// Look is how long it may take, while anybody waits, until it is looked who else has come over the network; 0.4 ms. Below zero
	// the runtime looks when it likes, as in a testing/synctest bubble, where nobody comes from outside.
	Look time.Duration
}

func (c Config) withDefaults() Config {
	if c.Places <= 0 {
		c.Places = runtime.GOMAXPROCS(0)
	}
	if c.Waiting <= 0 {
		c.Waiting = 4096
	}
	if c.Target <= 0 {
		c.Target = 5 * time.Millisecond
	}
	if c.Burst <= 0 {
		c.Burst = 50 * time.Millisecond
	}
	if c.Look == 0 {
		c.Look = 400 * time.Microsecond
	}
	return c
}

// Guest is who asks.
type Guest struct {
	Address netip.Prefix // where it comes from
	Claim   string       // in whose name, as far as it says so
}

// Errand is what somebody comes for.
type Errand uint8

// The errands.
const (
	Retrieval Errand = iota
	Publication
	errands // for each of which a guest has a line

	// Relay is a publication that another CPS passes on. It waits behind all others, and for longer.
	Relay = errands
)

// Turnstile is one of them. It is safe for concurrent use.
type Turnstile struct {
	config Config
	epoch  time.Time
	known  known
	spare  sync.Pool // of *waiter, who have nothing to wait for

	mu        sync.Mutex
	working   int          // guarded by mu, as all below; no less than Config.Places while anybody waits, or else the usher has been rung for
	returning list[waiter] // those who come back
	halls     [2]hall      // of guests who are known, and of strangers
	relays    hall         // of guests who are known, with what they pass on
	patience  int          // turns of known guests since a stranger had one
	delayed   int          // turns of halls since a relay had one
	queued    int          // in halls
	faded     duration     // until when what was asked for has been made to count less
	bell      *bell        // calls the usher; nil before anybody has waited
	ushered   bool         // there is an usher
	looked    duration     // when it was last looked who has come over the network, while there is an usher
	stats     Stats
}

// duration is a time after Turnstile.epoch.
type duration = time.Duration

const never = -1 << 62 // long ago

// New makes a turnstile with nobody in it.
func New(c Config) *Turnstile {
	t := &Turnstile{config: c.withDefaults(), epoch: time.Now(), spare: sync.Pool{New: newWaiter}}
	for _, h := range t.all() {
		h.queues, h.strain.shed = map[Guest]*queue{}, never
	}
	return t
}

func (t *Turnstile) all() [3]*hall { return [...]*hall{&t.halls[0], &t.halls[1], &t.relays} }

func (t *Turnstile) now() duration { return time.Since(t.epoch) }

// Pass is the right of one request to be worked on, and the context of that work: at first that with which it has entered. It is
// used by one goroutine at a time.
type Pass struct {
	context.Context
	turnstile *Turnstile
	guest     Guest
	held      bool // a place
	over      bool // it needs none any more
}

type passKey struct{}

// Value implements context.Context.
func (p *Pass) Value(key any) any {
	if key == (passKey{}) {
		return p
	}
	return p.Context.Value(key)
}

func passOf(ctx context.Context) *Pass {
	p, _ := ctx.Value(passKey{}).(*Pass)
	return p
}

// Enter waits until a guest is to be worked on. The pass is to be left when that is done. The error is ErrShare, ErrStrained,
// or why ctx ended.
func (t *Turnstile) Enter(ctx context.Context, guest Guest, errand Errand) (*Pass, error) {
	p := &Pass{Context: ctx, turnstile: t, guest: guest, held: true}
	t.mu.Lock()
	if t.working < t.config.Places && !t.anybody() {
		t.working++
		t.stats.Entered++
		last := t.working == t.config.Places
		t.mu.Unlock()
		if last {
			// Whoever has come at the same time is to be in a queue by the time that this place is given back: what waits in the
			// runtime waits in the order in which it came.
			runtime.Gosched()
		}
		return p, nil
	}
	w, err := t.enqueue(guest, errand)
	if err == nil {
		t.callUsher()
	}
	t.mu.Unlock()
	if err == nil {
		err = t.wait(ctx, w)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Leave gives the place back for good.
func (p *Pass) Leave() {
	p.over = true
	p.lend()
}

func (p *Pass) lend() {
	if p.held {
		p.held = false
		p.turnstile.leave()
	}
}

// Leave gives the place of the work under ctx back for good, if it has one: what is left of it costs next to nothing.
func Leave(ctx context.Context) {
	if p := passOf(ctx); p != nil {
		p.Leave()
	}
}

// Aside gives the place of the work under ctx back while it waits for somebody else. Call back when that is over: it waits for a
// place again. When the context of the pass ends, it goes on without.
func Aside(ctx context.Context) (back func()) {
	p := passOf(ctx)
	if p == nil || !p.held {
		return func() {}
	}
	p.lend()
	return func() {
		if !p.over && !p.held {
			p.held = p.turnstile.readmit(p.Context)
		}
	}
}

// Proven notes that the guest of the work under ctx is who it claims to be.
func Proven(ctx context.Context) {
	if p := passOf(ctx); p != nil && p.guest.Claim != "" {
		p.turnstile.known.add(p.guest)
	}
}

// readmit waits for a place before all who have not had one; false when ctx ends before.
func (t *Turnstile) readmit(ctx context.Context) bool {
	t.mu.Lock()
	if t.working < t.config.Places {
		t.working++
		t.mu.Unlock()
		return true
	}
	w := t.spare.Get().(*waiter)
	t.returning.push(&w.place)
	t.mu.Unlock()
	return t.wait(ctx, w) == nil
}

// wait waits for what is decided about w.
func (t *Turnstile) wait(ctx context.Context, w *waiter) error {
	select {
	case err := <-w.verdict:
		t.free(w)
		return err
	case <-ctx.Done():
	}
	t.mu.Lock()
	if w.place.in != nil {
		t.withdraw(w)
		t.stats.Gone++
		t.mu.Unlock()
		t.free(w)
		return context.Cause(ctx)
	}
	t.mu.Unlock()
	// It was decided at the same moment.
	if err := <-w.verdict; err == nil {
		t.leave()
	}
	t.free(w)
	return context.Cause(ctx)
}

// leave gives a place back: to who is next, or to the usher, who looks first who else has come, where that has not been done for
// some time. An usher without anybody is rung for, too, to go home.
func (t *Turnstile) leave() {
	t.mu.Lock()
	t.working--
	rings := t.ushered && (!t.anybody() || t.now()-t.looked >= t.config.Look)
	if !rings {
		t.admit()
	}
	t.mu.Unlock()
	if rings {
		t.bell.ring()
	}
}

// admit gives free places to who is next. The caller holds mu.
func (t *Turnstile) admit() {
	for t.working < t.config.Places {
		w := t.next(t.now())
		if w == nil {
			return
		}
		t.working++
		w.decide(nil)
	}
}

// anybody tells whether anybody waits. The caller holds mu.
func (t *Turnstile) anybody() bool {
	return t.queued > 0 || t.relays.waiting > 0 || t.returning.count > 0
}

// Stats is what a turnstile has seen.
type Stats struct {
	Working  int   // now
	Waiting  int   // now
	Places   int   // at most
	Entered  int64 // requests that were worked on
	Strained int64 // requests refused with ErrStrained
	Share    int64 // requests refused with ErrShare
	Gone     int64 // requests whose requester was gone before their turn
}

// Stats tells what the turnstile has seen.
func (t *Turnstile) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Working, s.Waiting, s.Places = t.working, t.queued+t.relays.waiting, t.config.Places
	return s
}
