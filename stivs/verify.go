package stivs

import (
	"context"
	"fmt"
	"strings"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
)

// verification is one call on its way to a verdict.
type verification struct {
	*Service
	call   Call
	checks []oob.Check  // of the call itself and of the candidates that are done with
	judged []*candidate // in the order in which they decide
	absent []string     // why there was no PASSporT, in the words of ReasonDesc
}

// Verify finds out whether the call is from whom it says. It takes no longer than the budget, whatever ctx allows.
func (s *Service) Verify(ctx context.Context, call Call) (verdict oob.Verdict) {
	v := &verification{Service: s, call: call, checks: make([]oob.Check, 0, 3+len(steps))}
	began := s.now()
	defer func() {
		if cause := recover(); cause != nil { // no fault of ours may stop a call
			v.check(oob.Check{Name: "verification", Outcome: oob.CheckFailed, Detail: fmt.Sprintf("internal error: %v", cause)})
			verdict = v.noVerdict("The verification service failed.")
		}
		verdict.Began, verdict.Took = began, s.now().Sub(began)
	}()
	ctx, cancel := context.WithTimeout(ctx, s.budget)
	defer cancel()
	return v.run(ctx)
}

func (v *verification) run(ctx context.Context) oob.Verdict {
	inBand, more := v.inBand()
	asksCPS := v.retriever != nil && v.call.Key != (oob.Key{})
	if len(inBand) == 0 && !asksCPS {
		v.skipped("date", "there is nothing to verify")
	} else if !v.dateIsFresh() {
		return v.stale(inBand)
	}
	v.noteInBand(len(inBand), more)
	winner := v.judge(ctx, inBand, asksCPS)
	if winner == nil && asksCPS {
		winner = v.judge(ctx, v.outOfBand(ctx), false)
	} else {
		v.noteUnasked(winner)
	}
	if winner != nil {
		return v.passed(winner)
	}
	return v.refused()
}

// dateIsFresh is case E3. Of a call without a date, now is its date.
func (v *verification) dateIsFresh() bool {
	now := v.now()
	check := oob.Check{Name: "date", Section: E3.Row().Section, Outcome: oob.CheckPassed, At: now}
	if v.call.Time.IsZero() {
		check.Detail = "the call has none: it is taken to be of now"
	} else if err := v.freshness.Check(v.call.Time, now); err != nil {
		check.Case, check.Outcome, check.Detail = E3.String(), oob.CheckFailed, err.Error()
	} else {
		check.Detail = age(v.call.Time, now)
	}
	v.check(check)
	return check.Outcome == oob.CheckPassed
}

// stale is the verdict on a call whose own date is not fresh: nothing else is looked at.
func (v *verification) stale(inBand []*candidate) oob.Verdict {
	const why = "the date of the call is not fresh"
	v.skipped("identity", why)
	for _, c := range inBand {
		c.skipRest(why, v.now())
		v.checks = append(v.checks, c.checks...)
	}
	v.skipped("retrieval", why)
	return v.verdictOf(E3)
}

// inBand makes a candidate of each Identity header field value, and tells whether there were more than are read.
func (v *verification) inBand() (all []*candidate, more bool) {
	var values []string
	for _, value := range v.call.Identity {
		for _, piece := range identity.Split(value) {
			if len(values) == identity.HeadersMax {
				return candidates(oob.SourceInBand, values), true
			}
			values = append(values, piece)
		}
	}
	return candidates(oob.SourceInBand, values), false
}

func (v *verification) noteInBand(n int, more bool) {
	if n == 0 {
		v.absent = append(v.absent, "There is no Identity header.")
		v.skipped("identity", "no Identity header field")
		return
	}
	detail := fmt.Sprintf("%d Identity header field(s)", n)
	if more {
		detail = fmt.Sprintf("more Identity header fields than the %d that are read", n)
	}
	v.check(oob.Check{Name: "identity", Section: "RFC 8224 §4", Outcome: oob.CheckPassed, Detail: detail})
}

// judge checks the candidates until one passes. First all that costs nothing is checked of all of them, so that what is
// left of the budget can be divided among those that need a certificate; more keeps one share for what comes after.
func (v *verification) judge(ctx context.Context, all []*candidate, more bool) (winner *candidate) {
	var live []*candidate
	for _, c := range all {
		if v.examine(c) {
			live = append(live, c)
		}
	}
	shares := len(live)
	if more {
		shares++
	}
	for i, c := range live {
		if winner != nil {
			c.skipRest("another PASSporT has passed", v.now())
		} else if v.believe(ctx, c, shares-i) {
			winner = c
		}
	}
	for _, c := range all {
		v.checks = append(v.checks, c.checks...)
	}
	v.judged = append(v.judged, all...)
	return winner
}

// passed is the only place where a call is said to be from whom it says.
func (v *verification) passed(c *candidate) oob.Verdict {
	return oob.Verdict{
		Verstat:   oob.VerstatPassed,
		Source:    c.source,
		Attest:    string(c.claims.Attest),
		OrigID:    visible(c.claims.OrigID),
		SignerSPC: c.certificate.TNAuthList.SPCs[0],
		Passport:  c.envelope.String(),
		Checks:    v.checks,
	}
}

// refused lets the candidate decide that got furthest.
func (v *verification) refused() oob.Verdict {
	var deciding *candidate
	diverted := false
	for _, c := range v.judged {
		if deciding == nil || c.rank() > deciding.rank() {
			deciding = c
		}
		diverted = diverted || c.envelope != nil && c.envelope.Header.PPT == passport.Div
	}
	if diverted {
		v.check(oob.Check{Name: "diversion", Section: "RFC 8946 §3", Outcome: oob.CheckSkipped,
			Detail: "there are div PASSporTs; chains of them are not judged yet"})
	}
	if deciding == nil {
		return v.noVerdict(strings.Join(v.absent, " "))
	}
	verdict := v.verdictOf(deciding.wrong)
	verdict.Source, verdict.Passport = deciding.source, deciding.field.Token
	return verdict
}

// verdictOf is the verdict that a case asks for.
func (v *verification) verdictOf(c Case) oob.Verdict {
	row := c.Row()
	return oob.Verdict{
		Verstat: row.Verstat, Code: row.Code, ReasonText: row.ReasonText, ReasonDesc: row.Sentence, Case: c.String(),
		Checks: v.checks,
	}
}

// noVerdict is that of a call of which nothing can be said. It has no code: 428 is not to be used until everybody
// signs (ATIS-1000074).
func (v *verification) noVerdict(why string) oob.Verdict {
	return oob.Verdict{Verstat: oob.VerstatNoValidation, ReasonDesc: why, Checks: v.checks}
}

// check records a check of the call itself, which began at its At, or took no time.
func (v *verification) check(c oob.Check) {
	now := v.now()
	if c.At.IsZero() {
		c.At = now
	}
	c.Took = now.Sub(c.At)
	v.checks = append(v.checks, c)
}

func (v *verification) skipped(name, why string) {
	v.check(oob.Check{Name: name, Outcome: oob.CheckSkipped, Detail: why})
}

// visible is text as a header field may hold it, or nothing: an origid is whatever its signer wrote, line breaks
// included.
func visible(text string) string {
	const lengthMax = 128
	if len(text) > lengthMax || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return text
}
