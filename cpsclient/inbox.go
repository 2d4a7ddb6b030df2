package cpsclient

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
)

// Source is where PASSporTs are retrieved from, and told that their call has come: a [Client] or a [Pool].
type Source interface {
	oob.Retriever
	Consume(ctx context.Context, k oob.Key, ids []string) error
}

var (
	_ Source = (*Client)(nil)
	_ Source = (*Pool)(nil)
	_ Source = (*Inbox)(nil)
)

// InboxConfig says how much an inbox holds, and whom it asks besides. Zero values mean the defaults in the comments.
type InboxConfig struct {
	Next   Source        // asked for what has not been pushed; nil for nobody
	Budget time.Duration // for one Retrieve with all that it does; 1 s. The caller's context may be shorter
	Pull   time.Duration // what of the budget is kept for Next; 400 ms, at most half of the budget

	// Of each CPS, so that none can push out what another has pushed; no called number has more than a sixteenth.
	RecordsMax int              // 131,072, at least 16
	BytesMax   int              // of PASSporTs; 128 MiB, at least 2
	Now        func() time.Time // clock for the end of records; nil means time.Now
}

// Inbox is an oob.Retriever over a subscription, whose Receive and Alive are its methods. It keeps what was pushed until
// the CPS would not serve it any more, and answers from that at once. What has not come yet is waited for while there is a
// subscription; what it cannot tell, Next is asked.
//
// It believes nothing that it holds: a PASSporT is judged by whoever gets it.
type Inbox struct {
	config InboxConfig

	mu      sync.Mutex
	letters map[string]*letters          // by the URL of the CPS that has pushed them; guarded by mu, as what follows
	waiting map[oob.Key]map[*waiter]bool // calls that wait for a push
	up      bool
	stats   InboxStats
}

// waiter is one call that waits.
type waiter struct {
	come chan struct{} // closed when something has come
	down chan struct{} // closed when there is no subscription, or none any more
	lost bool          // down is closed
}

// InboxStats counts how calls were answered.
type InboxStats struct {
	Up             bool  // there is a subscription
	Records, Bytes int   // held now
	Dropped        int64 // pushed records that ended before their time, for want of room
	Held           int64 // calls answered at once
	Pushed         int64 // calls answered by a push that they waited for
	Pulled         int64 // calls answered by Next
	Nothing        int64 // calls with no answer
}

// NewInbox makes an empty inbox without a subscription.
func NewInbox(cfg InboxConfig) *Inbox {
	if cfg.Budget <= 0 {
		cfg.Budget = time.Second
	}
	if cfg.Pull <= 0 {
		cfg.Pull = 400 * time.Millisecond
	}
	cfg.Pull = min(cfg.Pull, cfg.Budget/2)
	if cfg.RecordsMax <= 0 {
		cfg.RecordsMax = 1 << 17
	}
	if cfg.BytesMax <= 0 {
		cfg.BytesMax = 128 << 20
	}
	cfg.RecordsMax, cfg.BytesMax = max(cfg.RecordsMax, lettersShare), max(cfg.BytesMax, lettersShare*rfc9888.EventBytesMax)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Inbox{
		config: cfg, letters: map[string]*letters{},
		waiting: map[oob.Key]map[*waiter]bool{},
	}
}

// Receive takes a record that was pushed.
func (b *Inbox) Receive(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.config.Now()
	// How long it is served counts by the clock of the CPS, whatever that says.
	left := min(e.Expires.Sub(e.Received), e.Key.Profile.Row().RetentionMax)
	if left <= 0 {
		return
	}
	from := b.letters[e.CPS]
	if from == nil {
		own := newLetters(b.config.RecordsMax, b.config.BytesMax)
		from = &own
		b.letters[e.CPS] = from
	}
	from.put(e.Held, now, now.Add(left))
	for w := range b.waiting[e.Key] {
		close(w.come)
	}
	delete(b.waiting, e.Key)
}

// Alive notes whether there is a subscription.
func (b *Inbox) Alive(up bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up = up
	if up {
		return
	}
	for _, waiters := range b.waiting {
		for w := range waiters {
			w.lose()
		}
	}
}

func (w *waiter) lose() {
	if !w.lost {
		w.lost = true
		close(w.down)
	}
}

// Retrieve gives what was pushed for the call. Where there is nothing and a subscription, it waits for a push as long as a
// record may be on its way (oob.Row, Patience), but for the time that Next needs; then, or where there is no subscription, it
// asks Next, and takes what comes first. NotFound means that Next says so or, without Next, that nothing was pushed.
func (b *Inbox) Retrieve(ctx context.Context, k oob.Key) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, b.config.Budget)
	defer cancel()
	w, held := b.enter(k)
	if len(held) > 0 {
		return held, nil
	}
	defer b.leave(k, w)
	patience := time.Now().Add(k.Profile.Row().Patience)
	if b.config.Next == nil {
		if w.wait(ctx, time.Until(patience)) {
			return b.pushed(k), nil
		}
		return nil, b.nothing(w.missed())
	}
	if w.wait(ctx, min(time.Until(patience), remaining(ctx)-b.config.Pull)) {
		return b.pushed(k), nil
	}
	pulled := make(chan pull, 1)
	go func() {
		passports, err := b.config.Next.Retrieve(ctx, k)
		pulled <- pull{passports, err}
	}()
	select {
	case <-w.come:
		return b.pushed(k), nil
	case p := <-pulled: // within ctx, as every Retriever
		if p.err == nil {
			b.count(func(s *InboxStats) { s.Pulled++ })
			return p.passports, nil
		}
		if w.wait(ctx, time.Until(patience)) {
			return b.pushed(k), nil
		}
		return nil, b.nothing(oob.FaultOf(p.err))
	}
}

// pull is what Next has answered.
type pull struct {
	passports []string
	err       error
}

// held gives what is held under a key, one PASSporT of each CPS in turn, as Client.Retrieve does. It needs mu.
func (b *Inbox) held(k oob.Key) []string {
	var lists [][]string
	for _, cps := range slices.Sorted(maps.Keys(b.letters)) {
		if list := b.letters[cps].of(k, b.config.Now()); len(list) > 0 {
			lists = append(lists, list)
		}
	}
	return union(lists)
}

// enter gives what is held under a key or, where there is nothing, a place to wait at.
func (b *Inbox) enter(k oob.Key) (*waiter, []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if held := b.held(k); len(held) > 0 {
		b.stats.Held++
		return nil, held
	}
	w := &waiter{come: make(chan struct{}), down: make(chan struct{})}
	if !b.up {
		w.lose()
	}
	if b.waiting[k] == nil {
		b.waiting[k] = map[*waiter]bool{}
	}
	b.waiting[k][w] = true
	return w, nil
}

func (b *Inbox) leave(k oob.Key, w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if delete(b.waiting[k], w); len(b.waiting[k]) == 0 {
		delete(b.waiting, k)
	}
}

// wait is true when something has come. It is false when the time is over, or there is no subscription.
func (w *waiter) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.come:
		return true
	case <-w.down:
	case <-timer.C:
	case <-ctx.Done():
	}
	select {
	case <-w.come: // at the same moment
		return true
	default:
		return false
	}
}

// missed is why nothing has come.
func (w *waiter) missed() *oob.Fault {
	select {
	case <-w.down:
		return oob.Faultf(oob.PeerFailed, "there is no subscription")
	default:
		return oob.Faultf(oob.NotFound, "nothing was pushed for this call")
	}
}

// pushed gives what a call has waited for.
func (b *Inbox) pushed(k oob.Key) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Pushed++
	return b.held(k)
}

func (b *Inbox) nothing(fault *oob.Fault) *oob.Fault {
	b.count(func(s *InboxStats) { s.Nothing++ })
	return fault
}

func (b *Inbox) count(one func(*InboxStats)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one(&b.stats)
}

// Consume forgets the records under k that hold the PASSporTs which ids name, and tells Next.
func (b *Inbox) Consume(ctx context.Context, k oob.Key, ids []string) error {
	b.mu.Lock()
	for _, letters := range b.letters {
		letters.take(k, ids)
	}
	b.mu.Unlock()
	if b.config.Next == nil {
		return nil
	}
	return b.config.Next.Consume(ctx, k, ids)
}

// Stats tells how full the inbox is, and how calls were answered.
func (b *Inbox) Stats() InboxStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	stats := b.stats
	stats.Up = b.up
	for _, letters := range b.letters {
		letters.sweep(b.config.Now())
		stats.Records, stats.Bytes, stats.Dropped = stats.Records+letters.all.Len(), stats.Bytes+letters.bytes, stats.Dropped+letters.dropped
	}
	return stats
}
