package stivs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// verification is one call on its way to a verdict.
type verification struct {
	*Service
	call    Call
	id      callID
	began   time.Time
	proving func(passport.Type) bool // the types that prove; nil for those of a call

	told      []told
	judged    []*candidate // in the order in which they decide
	current   []*candidate // of the road that is being looked at
	winner    *candidate   // of these, that proves who calls
	comparing bool         // they are compared with one in band that has passed
	ways      map[tn.Identity]hop
	decider   *candidate // the one with which the call has passed
	lost      []string   // names of calls that are too many with this one
	absent    []string   // why there was no PASSporT, in the words of ReasonDesc
}

// told is one thing in the account of a verdict: a check of the call itself, or all those of a PASSporT.
type told struct {
	check oob.Check
	of    *candidate
}

// Verify finds out whether the call is from whom it says. It takes no longer than the budget, whatever ctx allows.
func (s *Service) Verify(ctx context.Context, call Call) oob.Verdict {
	return s.verify(ctx, &verification{Service: s, call: call})
}

// VerifyConnected finds out who has answered a call: whether the party that it reached, whose Identity header field
// values are given, is the one that was called (draft-ietf-stir-rfc4916-update-07, PASSporTs of type rsp). It says the same
// orig and dest as the call, and its signer has authority over dest.
func (s *Service) VerifyConnected(ctx context.Context, call Call, answer []string) oob.Verdict {
	call.Identity, call.Key, call.Message = answer, oob.Key{}, nil
	call.Time = time.Time{} // the answer has its own
	return s.verify(ctx, &verification{
		Service: s, call: call, proving: func(ppt passport.Type) bool { return ppt == passport.RSP },
	})
}

func (s *Service) verify(ctx context.Context, v *verification) oob.Verdict {
	v.told = make([]told, 0, 5)
	v.began, v.id = s.now(), s.memory.identify(v.call.ID)
	ctx, cancel := context.WithTimeout(ctx, s.budget)
	defer cancel()
	verdict := v.run(ctx)
	v.withdraw(verdict)
	v.enrich(ctx, &verdict)
	verdict.Tokens, verdict.Checks = v.tokens(), v.account()
	verdict.Began, verdict.Took = v.began, s.now().Sub(v.began)
	return verdict
}

// survive is deferred around what must not stop a call, whatever is wrong with it.
func (v *verification) survive(what string) {
	if cause := recover(); cause != nil {
		v.check(oob.Check{Name: what, Outcome: oob.CheckFailed, Detail: fmt.Sprintf("internal error: %v", cause)})
	}
}

func (v *verification) run(ctx context.Context) (verdict oob.Verdict) {
	verdict = v.noVerdict("The verification service failed.") // unless it returns
	defer v.survive("verification")
	inBand, more := v.inBand()
	asksCPS := v.retriever != nil && v.call.Key != (oob.Key{}) && len(v.call.ID) <= IDBytesMax
	if len(inBand) == 0 && !asksCPS {
		v.skipped("date", "there is nothing to verify")
	} else if !v.dateIsFresh() {
		return v.stale(inBand)
	}
	v.noteInBand(len(inBand), more)
	here := v.judge(ctx, inBand, asksCPS, false)
	if here != nil {
		v.spendRest()
	}
	if !asksCPS || here != nil && v.differ == NotCompared {
		v.noteUnasked(here)
		return v.decided(here)
	}
	crowd := v.memory.others(v.pair(), v.id, v.began)
	v.comparing = here != nil
	there := v.judge(ctx, v.outOfBand(ctx), false, crowd || v.comparing)
	if here != nil {
		return v.compared(here, v.counterpart(here))
	}
	return v.unlessOutnumbered(there)
}

// decided is the verdict when one PASSporT or none has passed.
func (v *verification) decided(winner *candidate) oob.Verdict {
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
		v.told = append(v.told, told{of: c})
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

// judge checks the candidates of one road until one proves who calls. First all that costs nothing is checked of all of
// them, so that what is left of the budget can be divided among those that need a certificate; more keeps one share for
// what comes after, and all wants to know of each that could prove whether it is good.
func (v *verification) judge(ctx context.Context, road []*candidate, more, all bool) *candidate {
	for _, c := range road {
		v.take(c, stepsToRead)
	}
	road = v.unfold(road)
	for _, c := range road {
		v.told = append(v.told, told{of: c})
		v.take(c, stepsToRead)
	}
	v.judged = append(v.judged, road...)
	v.current, v.winner = road, nil
	v.ways = ways(v.call.Dest, v.diverting(func(d *candidate) bool {
		return d.wrong == noCase && v.checkFresh(d).wrong == noCase && v.checkOrig(d).wrong == noCase
	}))
	live := v.live(road)
	shares := len(live)
	if more {
		shares++
	}
	for i, c := range live {
		switch {
		case v.winner != nil && c.envelope.Header.PPT == passport.RCD:
			c.role = enriches
		case v.winner != nil && !(all && c.role == proves):
			c.skipRest("another PASSporT has passed", v.now())
		case ctx.Err() != nil: // what is cached needs no waiting, and many of it could take any time
			c.record(fail(E8, "there was no time left"), v.now(), v.now())
		case v.believe(ctx, c, shares-i) && v.winner == nil && c.role == proves:
			v.winner = c
		}
	}
	return v.winner
}

// live are the candidates that are about this call, in the order in which they are to be believed: those that name the
// called party, with attestation first, then the steps of a diversion, then those that were diverted. What does not decide comes later, see
// enrich.
func (v *verification) live(road []*candidate) []*candidate {
	var attested, direct, divs, diverted []*candidate
	for _, c := range road {
		switch matches := v.take(c, stepsToMatch); {
		case !matches:
		case c.role == proves && c.claims.Names(v.call.Dest) && c.envelope.Header.PPT == passport.Shaken:
			attested = append(attested, c)
		case c.role == proves && c.claims.Names(v.call.Dest):
			direct = append(direct, c)
		case c.role == proves:
			diverted = append(diverted, c)
		case c.role == diverts:
			divs = append(divs, c)
		}
	}
	direct = append(attested, direct...)
	if len(diverted) == 0 {
		for _, c := range divs {
			c.skipRest("it leads from "+c.claims.Div.String()+", whom no other PASSporT names", v.now())
		}
		return direct
	}
	return append(append(direct, divs...), diverted...)
}

// passed is the only place where a call is said to be from whom it says.
func (v *verification) passed(c *candidate) oob.Verdict {
	v.decider = c
	return oob.Verdict{
		Verstat:    oob.VerstatPassed,
		Source:     c.road(),
		Attest:     string(c.claims.Attest),
		OrigID:     visible(c.claims.OrigID),
		SignerSPC:  c.signerSPC(),
		Passport:   c.envelope.String(),
		Diversions: c.diversions,
	}
}

// refused lets the candidate decide that got furthest.
func (v *verification) refused() oob.Verdict {
	var deciding *candidate
	for _, c := range v.judged {
		if deciding == nil || c.rank() > deciding.rank() {
			deciding = c
		}
	}
	if deciding == nil {
		return v.noVerdict(strings.Join(v.absent, " "))
	}
	wrong := deciding.wrong
	if deciding.cannotProve() { // and so can all others
		wrong = E13
		if deciding.field.PPT != "" {
			wrong = E5
		}
		v.check(oob.Check{Name: "caller", Case: wrong.String(), Section: wrong.Row().Section, Outcome: oob.CheckFailed,
			Detail: "none of the PASSporTs is of a type that proves a caller"})
	}
	verdict := v.verdictOf(wrong)
	verdict.Source, verdict.Passport = deciding.road(), deciding.field.Token
	return verdict
}

// verdictOf is the verdict that a case asks for.
func (v *verification) verdictOf(c Case) oob.Verdict {
	row := c.Row()
	return oob.Verdict{
		Verstat: row.Verstat, Code: row.Code, ReasonText: row.ReasonText, ReasonDesc: row.Sentence, Case: c.String(),
	}
}

// noVerdict is that of a call of which nothing can be said. It has no code: 428 is not to be used until everybody
// signs (ATIS-1000074).
func (v *verification) noVerdict(why string) oob.Verdict {
	return oob.Verdict{Verstat: oob.VerstatNoValidation, ReasonDesc: why}
}

// tokens says of each PASSporT what was found.
func (v *verification) tokens() []oob.TokenVerdict {
	if len(v.judged) == 0 {
		return nil
	}
	all := make([]oob.TokenVerdict, len(v.judged))
	for i, c := range v.judged {
		t := oob.TokenVerdict{Source: c.road(), PPT: c.field.PPT, Passport: c.field.Token, Ignored: c.role == ignored}
		if c.envelope != nil {
			t.PPT = string(c.envelope.Header.PPT)
		}
		row := c.wrong.Row()
		t.Code, t.ReasonText, t.ReasonDesc, t.Case = row.Code, row.ReasonText, row.Sentence, c.wrong.String()
		switch {
		case c.passed:
			t.Verstat = oob.VerstatPassed
		case c.wrong != noCase:
			t.Verstat = row.Verstat
		default:
			t.Verstat = oob.VerstatNoValidation // it was not needed
		}
		all[i] = t
	}
	return all
}

// account is every check, in order.
func (v *verification) account() []oob.Check {
	n := 0
	for _, t := range v.told {
		if n++; t.of != nil {
			n += len(steps) - 1
		}
	}
	checks := make([]oob.Check, 0, n)
	for _, t := range v.told {
		if t.of == nil {
			checks = append(checks, t.check)
		} else {
			checks = append(checks, t.of.checks...)
		}
	}
	return checks
}

// check records a check of the call itself, which began at its At, or took no time.
func (v *verification) check(c oob.Check) {
	now := v.now()
	if c.At.IsZero() {
		c.At = now
	}
	c.Took = now.Sub(c.At)
	v.told = append(v.told, told{check: c})
}

func (v *verification) skipped(name, why string) {
	v.check(oob.Check{Name: name, Section: v.sectionOf(name), Outcome: oob.CheckSkipped, Detail: why})
}

// sectionOf says where the rule of a check of the call itself stands.
func (v *verification) sectionOf(name string) string {
	switch name {
	case "date":
		return E3.Row().Section
	case "identity":
		return "RFC 8224 §4"
	}
	return v.call.Key.Profile.Row().Document // retrieval: nothing without a key
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
