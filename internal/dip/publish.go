package dip

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
)

// signAndPublish is the dip of a call that goes into a TDM trunk where it begins. What came with a PASSporT that is
// believed and fits is published as it is.
func (d *doing) signAndPublish(ctx context.Context) Answer {
	return d.once(ctx, func() Answer {
		answer, carried := d.signed(ctx)
		if answer.FailOpen != "" || len(answer.Identity) == 0 && len(carried) == 0 {
			return answer
		}
		return d.place(ctx, answer, append(carried, answer.Identity...))
	})
}

// publish is the dip of a call that goes into a TDM trunk in transit: its PASSporTs are published unchanged.
func (d *doing) publish(ctx context.Context) Answer {
	if len(d.call.Carried) == 0 {
		return d.nothing("nothing to publish", "the call came without an Identity header")
	}
	return d.once(ctx, func() Answer { return d.place(ctx, Answer{}, d.call.Carried) })
}

// once gives a second dip of the same call what the first one was given, and has it wait while the first is under way.
// What has failed is tried again.
func (d *doing) once(ctx context.Context, do func() Answer) Answer {
	if d.call.ID == "" {
		return do()
	}
	name := d.placing()
	for {
		p, mine := d.placed.enter(name)
		if mine {
			defer d.placed.leave(p) // also when do panics
			p.answer = do()
			return p.answer
		}
		select {
		case <-p.done:
			if p.answer.FailOpen == "" && p.answer.Result != "" {
				d.noteRepeated()
				return p.answer
			}
			d.placed.forget(p)
		case <-ctx.Done():
			return Answer{FailOpen: d.over(ctx)}
		}
	}
}

// place publishes PASSporTs under the call's key. Whatever comes of it, answer is what the switch is told.
func (d *doing) place(ctx context.Context, answer Answer, values []string) Answer {
	tokens := tokensOf(values)
	switch {
	case len(tokens) == 0:
		d.call.Trace.Step("nothing to publish", "no Identity header can be read")
		answer.FailOpen = CauseUnreadable
		return answer
	case len(tokens) > oob.PassportsMax:
		tokens = tokens[:oob.PassportsMax]
	}
	keys := d.trunk.Keys(d.call.Parties, d.spc(), true)
	if len(keys) == 0 || d.trunk.Publisher == nil {
		d.call.Trace.Step("nothing to publish", "the call has no key")
		answer.Result = cmp.Or(answer.Result, ResultNothing)
		return answer
	}
	d.noteKey(keys[0])
	if d.isHeld(ctx, keys[0]) {
		d.tally.keptHeld(d.trunk.Name)
		d.call.Trace.Step("not published", "a CPS has a PASSporT for the call already")
		answer.Result = cmp.Or(answer.Result, ResultNothing)
		return answer
	}
	err := d.handOver(ctx, keys[0], tokens)
	if err == nil {
		answer.Result = ResultPublished
		return answer
	}
	answer.FailOpen = d.failed(ctx, err)
	d.call.Trace.Step("not published", oob.FaultOf(err).Kind.Row().Title)
	return answer
}

// isHeld asks, where the trunk wants that, whether a CPS has a PASSporT for the call already (RFC 8816 §5.4), in half of the time
// that is left. Where that cannot be found out there is none. It is not verified: who may publish there can keep ours away.
func (d *doing) isHeld(ctx context.Context, key oob.Key) bool {
	if !d.trunk.UnlessHeld || d.trunk.Held == nil {
		return false
	}
	ctx, cancel := share(ctx, 2)
	defer cancel()
	// What fails here is no failure of publishing.
	tokens, err := d.trunk.Held.Retrieve(cpsclient.WithObserver(ctx, d.tally.asked), key)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(tokens, func(text string) bool {
		token, err := passport.Parse(text)
		return err == nil && token.Claims.Orig == d.call.Parties.Orig && token.Claims.Names(d.call.Parties.Dest) &&
			stias.Fresh.Check(token.Claims.IAT, d.config.Now()) == nil
	})
}

// handOver publishes all together; where a CPS finds fault with them, one by one, so that a bad PASSporT that came with the
// call takes no good one with it.
func (d *doing) handOver(ctx context.Context, key oob.Key, tokens []string) error {
	ctx = d.watch(ctx)
	err := d.trunk.Publisher.Publish(ctx, oob.Publication{Key: key, Passports: tokens})
	if err == nil || len(tokens) == 1 || !faultsContent(err) {
		return err
	}
	outcomes := make(chan error, len(tokens))
	for i := range tokens {
		go func() {
			outcome := errors.New("the CPS client has failed") // unless it comes back
			defer func() {
				_ = recover() // a fault in publishing one PASSporT ends no other call
				outcomes <- outcome
			}()
			outcome = d.trunk.Publisher.Publish(ctx, oob.Publication{Key: key, Passports: tokens[i : i+1]})
		}()
	}
	for range tokens {
		if outcome := <-outcomes; outcome == nil {
			err = nil
		}
	}
	return err
}

// failed is the cause of what a CPS client says, or of what has ended it.
func (d *doing) failed(ctx context.Context, err error) Cause {
	if cause := causeOf(err); cause != CauseTimeout {
		return cause
	}
	return d.over(ctx)
}

// over tells why there is no more time. The budget ending is the CPS's doing where one was asked: its silence, or that it
// failed as often as it was asked. The switch giving up is not.
func (d *doing) over(ctx context.Context) Cause {
	switch {
	case ctx.Err() != nil && context.Cause(ctx) != context.DeadlineExceeded:
		return CauseAbandoned
	case d.failing.Load() && !d.silent.Load():
		return CauseFailed
	}
	return CauseTimeout
}

// tokensOf takes the PASSporTs out of Identity header field values. What is none, or in compact form and so says too little,
// is left behind.
func tokensOf(values []string) []string {
	headers, _ := identity.ParseAll(values)
	tokens := make([]string, 0, len(headers))
	for _, h := range headers {
		if _, err := passport.Parse(h.Token); err == nil && len(h.Token) <= oob.PassportBytesMax {
			tokens = append(tokens, h.Token)
		}
	}
	return tokens
}
