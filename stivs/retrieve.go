package stivs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
)

// outOfBand asks for the PASSporTs under the call's key.
func (v *verification) outOfBand(ctx context.Context) []*candidate {
	check := oob.Check{Name: "retrieval", Section: v.sectionOf("retrieval"), At: v.now()}
	tokens, err := v.retrieve(ctx)
	if err != nil {
		fault := oob.FaultOf(err)
		why := "The CPS gave no answer: " + fault.Kind.Row().Title + "."
		if fault.Kind == oob.NotFound {
			why = "Nothing is published for the call."
		}
		v.absent = append(v.absent, why)
		check.Outcome, check.Detail = oob.CheckFailed, why+" ("+fault.Error()+")"
		v.check(check)
		return nil
	}
	check.Outcome, check.Detail = oob.CheckPassed, fmt.Sprintf("%d PASSporT(s)", len(tokens))
	if tokens = v.ofCaller(tokens); len(tokens) == 0 {
		v.absent = append(v.absent, "Nothing is published for the call.")
		check.Detail += ", all of other callers"
		v.check(check)
		return nil
	}
	tokens = v.mostPromising(tokens)
	if len(tokens) > RetrievedMax {
		tokens = tokens[:RetrievedMax]
		check.Detail += fmt.Sprintf(", of which the %d most promising are judged", RetrievedMax)
	}
	v.check(check)
	return candidates(oob.SourceOutOfBand, tokens)
}

// ofCaller leaves out what was published for other callers, before anything else is looked at (RFC 8816 §8.2): in the forms where
// the caller stands in the PASSporT alone, a CPS may give all that it has for the called number, which is no fault of this
// call. What cannot be read there is of nobody.
func (v *verification) ofCaller(tokens []string) []string {
	if !v.call.Key.Profile.Row().CallerInside {
		return tokens
	}
	var own []string
	for _, text := range tokens {
		if token, err := passport.Parse(text); err == nil && token.Claims.Orig == v.call.Orig {
			own = append(own, text)
		}
	}
	return own
}

// mostPromising puts PASSporTs that fit the call first, and of these the ones whose certificates are at hand, so that
// nobody can hide a good one behind many that must be fetched for or are of no use. Nothing is believed because of it.
func (v *verification) mostPromising(tokens []string) []string {
	if len(tokens) < 2 {
		return tokens
	}
	promises := make(map[string]int, len(tokens))
	for _, text := range tokens {
		promises[text] = v.promise(text)
	}
	tokens = slices.Clone(tokens)
	slices.SortStableFunc(tokens, func(a, b string) int { return promises[b] - promises[a] })
	return tokens
}

func (v *verification) promise(text string) int {
	token, err := passport.Parse(text)
	switch {
	case err != nil || v.roleOf(token.Header.PPT) == ignored:
		return 0
	case token.Claims.Orig != v.call.Orig || v.freshness.Check(token.Claims.IAT, v.now()) != nil:
		return 1
	case v.roleOf(token.Header.PPT) == proves && !token.Claims.Names(v.call.Dest):
		return 2 // good only where others tell of a diversion
	case !v.verifier.Cached(token.Header.X5U):
		return 3
	}
	return 4
}

// retrieve keeps a quarter of the time for the certificates: a client that asks again until its time is up, because
// nothing is there yet, must leave enough to judge what it finds in the end. It does not rely on the client to keep
// the time.
func (v *verification) retrieve(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, remaining(ctx)*3/4)
	defer cancel()
	type answer struct {
		tokens []string
		err    error
	}
	answers := make(chan answer, 1) // the goroutine ends even when nobody waits any more
	go func() {
		var a answer
		defer func() {
			if cause := recover(); cause != nil {
				a = answer{err: fmt.Errorf("retriever: %v", cause)}
			}
			answers <- a
		}()
		a.tokens, a.err = v.retriever.Retrieve(ctx, v.call.Key)
		if a.err == nil && len(a.tokens) == 0 {
			a.err = oob.Faultf(oob.NotFound, "nothing there")
		}
	}()
	select {
	case a := <-answers:
		return a.tokens, a.err
	case <-ctx.Done():
		return nil, oob.Faultf(oob.PeerTimeout, "no answer in time").Because(ctx.Err())
	}
}

// noteUnasked says why the CPS was not asked.
func (v *verification) noteUnasked(winner *candidate) {
	switch {
	case winner != nil:
		v.skipped("retrieval", "a PASSporT in band has passed")
		return
	case v.retriever == nil:
		v.skipped("retrieval", "there is no CPS to ask")
	default:
		v.skipped("retrieval", "no CPS is to be asked for this call")
	}
	v.absent = append(v.absent, "No CPS was asked.")
}

// remaining is the time that ctx leaves. ctx has a deadline.
func remaining(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return time.Until(deadline)
}
