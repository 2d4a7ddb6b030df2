package cpsclient

import (
	"context"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// Attempt is one attempt at one CPS.
type Attempt struct {
	CPS     string // its URL
	Found   bool   // by Pool: whoever made the URL up can make up others, and write anything into them
	Action  oob.Action
	Outcome string // [Success], or the slug of the fault's kind
	Count   int    // PASSporTs that it gave
	Began   time.Time
	Took    time.Duration
}

type observerKey struct{}

// WithObserver has operations under ctx tell observe of each attempt when it has ended: at the same time for several
// CPSs, and of attempts that go on in the background after the operation has come back. It must not block.
func WithObserver(ctx context.Context, observe func(Attempt)) context.Context {
	return context.WithValue(ctx, observerKey{}, observe)
}

// tellObserver tells the observer of ctx, if there is one.
func tellObserver(ctx context.Context, p *peer, action oob.Action, began time.Time, count int, failed *failure) {
	observe, ok := ctx.Value(observerKey{}).(func(Attempt))
	if !ok {
		return
	}
	observe(Attempt{CPS: p.base, Found: p.found, Action: action, Outcome: failed.outcome(), Count: count, Began: began, Took: time.Since(began)})
}
