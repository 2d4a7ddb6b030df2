package cpsclient

import (
	"context"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
)

// round is one operation at all CPSs: a goroutine for each, and one who waits for them.
type round struct {
	action  oob.Action
	over    context.Context // when the waiting ends: the caller's context, or the budget
	cancel  context.CancelFunc
	answers chan answer
	left    chan struct{} // closed when nobody waits any more
	quit    chan struct{} // closed when no further attempt is to begin: left, or nil when they go on
	heard   []answer      // the latest of each CPS

	// patience is until when what is not there may be on its way; zero for not at all. patient says that a CPS may be asked
	// to answer only when it is.
	patience time.Time
	patient  bool
}

// answer is how one attempt at one CPS ended.
type answer struct {
	cps       int
	passports []string
	fault     *oob.Fault // nil for success
	last      bool       // this CPS is not asked again
}

// try is one attempt at one CPS, which is asked to hold its answer until there is something, at most for hold.
type try func(ctx context.Context, hold time.Duration) ([]string, *failure)

// begin asks all CPSs. prepare makes the attempts at one CPS; it is called once for each, at the same time. Attempts
// are not bound to ctx but to the budget: one that nobody waits for still tells the breaker how its CPS is, and a
// publication or a consumption still arrives. Only of these further attempts are made even then.
func (c *Client) begin(
	ctx context.Context, action oob.Action, patience time.Time, patient bool, prepare func(p *peer) try,
) (*round, *oob.Fault) {
	if err := ctx.Err(); err != nil {
		return nil, outOfTime().Because(err)
	}
	r := &round{
		action: action, answers: make(chan answer), left: make(chan struct{}), heard: make([]answer, len(c.peers)),
		patience: patience, patient: patient,
	}
	if action == oob.ActionRetrieve {
		r.quit = r.left
	}
	budget := time.Now().Add(c.config.Budget)
	r.over, r.cancel = context.WithDeadline(ctx, budget)
	fault := c.goEach(func(i int, p *peer) {
		ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), budget)
		defer cancel()
		if !p.take() {
			r.tell(answer{cps: i, last: true, fault: oob.Faultf(oob.Overloaded, "too many requests to this CPS are under way")})
			return
		}
		defer p.release()
		c.pursue(ctx, r, i, prepare(p))
	})
	if fault != nil {
		r.cancel()
		return nil, fault
	}
	return r, nil
}

// pursue makes attempts at one CPS until one succeeds, or another would be of no use or too late.
func (c *Client) pursue(ctx context.Context, r *round, cps int, ask try) {
	for pause := c.config.Retry; ; pause *= 2 {
		passports, failed := c.attempt(ctx, r, c.peers[cps], ask)
		if failed == nil {
			r.tell(answer{cps: cps, passports: passports, last: true})
			return
		}
		wait := max(pause, failed.fault.RetryAfter)
		last := !failed.again || remaining(ctx) <= wait ||
			failed.fault.Kind == oob.NotFound && time.Now().Add(wait).After(r.patience)
		r.tell(answer{cps: cps, fault: failed.fault, last: last})
		if last || !r.wait(ctx, wait) {
			return
		}
	}
}

// attempt lets the breaker decide and learn.
func (c *Client) attempt(ctx context.Context, r *round, p *peer, ask try) (passports []string, failed *failure) {
	began := time.Now()
	defer func() { tellObserver(ctx, p, r.action, began, len(passports), failed) }()
	probe, ok := p.breaker.enter(c.config.Now())
	if !ok {
		return nil, &failure{fault: oob.Faultf(oob.PeerFailed, "the CPS has failed before and is left alone").Because(errOpen)}
	}
	whole := remaining(ctx) > c.config.Timeout*9/10 // else silence is the budget's doing
	hold := r.hold(p, c.config.Timeout)
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout+hold)
	defer cancel()
	passports, failed = ask(ctx, hold)
	shown := well
	switch {
	case failed == nil:
	case failed.ours, failed.fault.Kind == oob.PeerTimeout && !whole:
		shown = unknown
	case failed.sick:
		shown = sick
	}
	p.breaker.leave(probe, shown, c.config.Now())
	p.tally.add(failed)
	return passports, failed
}

// hold is for how long a CPS is asked to hold its answer: whole seconds, as the preference has them, as many as a record may
// still be on its way, and no more than leave time for the answer. Over HTTP/1.1 none: requests that wait there would take the
// connections that others need.
func (r *round) hold(p *peer, timeout time.Duration) time.Duration {
	if !r.patient || !p.multiplexed.Load() {
		return 0
	}
	useful := time.Until(r.patience) + time.Second - 1
	hold := min(useful, remaining(r.over)-timeout, rfc9888.WaitMax)
	return max(hold, 0).Truncate(time.Second)
}

// remaining is the time until the deadline that every ctx in a round has.
func remaining(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return time.Until(deadline)
}

func (r *round) tell(a answer) {
	select {
	case r.answers <- a:
	case <-r.left:
	}
}

// wait is false when no further attempt is to be made.
func (r *round) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-r.quit:
	}
	return false
}

// hear waits for the next answer; it is false when the time is over or enough closes.
func (r *round) hear(enough <-chan time.Time) (a answer, ok bool) {
	select {
	case a = <-r.answers:
		r.heard[a.cps] = a
		return a, true
	case <-enough:
	case <-r.over.Done():
	}
	return answer{}, false
}

// leave ends the waiting.
func (r *round) leave() {
	close(r.left)
	r.cancel()
}

// finished says that no CPS is asked any more.
func (r *round) finished() bool {
	return !slices.ContainsFunc(r.heard, func(a answer) bool { return !a.last })
}

// allHeard says that every CPS has answered something.
func (r *round) allHeard() bool {
	return !slices.ContainsFunc(r.heard, func(a answer) bool { return !a.last && a.fault == nil })
}

// fault is the most telling of what the CPSs said last. One that has said nothing ran out of time.
func (r *round) fault() *oob.Fault {
	var most *oob.Fault
	for _, a := range r.heard {
		f := a.fault
		if f == nil {
			f = outOfTime()
		}
		if most == nil || telling(f) > telling(most) {
			most = f
		}
	}
	return most
}

func outOfTime() *oob.Fault { return oob.Faultf(oob.PeerTimeout, "no answer from the CPS in time") }
