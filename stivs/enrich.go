package stivs

import (
	"context"

	"github.com/viaduct-oob/viaduct/oob"
)

// enrich adds to a verdict what does not decide it: the priority of the call, and what may be shown of the caller. Nobody
// who can add to a call is to hold up its verdict: it uses a quarter of what is left of the budget. Its failure is not the
// verdict's.
func (v *verification) enrich(ctx context.Context, verdict *oob.Verdict) {
	defer v.survive("rich call data")
	var beside, extras []*candidate
	for _, c := range v.judged {
		if c.role != prioritises && c.role != enriches {
			continue
		}
		if beside = append(beside, c); len(c.checks) == stepsToMatch {
			extras = append(extras, c)
		}
	}
	if beside == nil && (v.decider == nil || v.decider.claims.Rich == nil) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, remaining(ctx)/4)
	defer cancel()
	v.current = v.judged // a diversion may have come on either road
	for i, c := range extras {
		switch {
		case verdict.Verstat != oob.VerstatPassed && (c.role == enriches || c.road() == oob.SourceOutOfBand):
			c.skipRest("the caller is not verified", v.now())
			continue
		case ctx.Err() != nil:
			c.skipRest("there was no time left", v.now())
			continue
		}
		v.believe(ctx, c, len(extras)-i)
	}
	verdict.Priority = priority(beside)
	if verdict.Verstat == oob.VerstatPassed {
		verdict.Rich = v.rich(ctx, v.decider)
	}
}

// priority is what the rph PASSporTs say: one good one suffices.
func priority(beside []*candidate) *oob.Priority {
	var found *oob.Priority
	for _, c := range beside {
		switch {
		case c.role != prioritises:
			continue
		case c.passed:
			return &oob.Priority{Verstat: oob.PriorityPassed, Values: c.claims.RPH, SPH: c.claims.SPH}
		case c.wrong.Row().Verstat == oob.VerstatFailed:
			found = &oob.Priority{Verstat: oob.PriorityFailed}
		case found == nil:
			found = &oob.Priority{Verstat: oob.PriorityNoValidation}
		}
	}
	return found
}
