package stivs

import (
	"strconv"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
)

// used says that the PASSporT has verified this call, unless it has verified another. What says something of a call
// that another PASSporT proves belongs to that one, and is not counted.
func (v *verification) used(c *candidate) finding {
	if c.role != proves {
		return skip("it does not prove who calls")
	}
	if v.winner != nil {
		return skip("another PASSporT has passed")
	}
	switch wrong := v.memory.use(c.envelope.SigningInput(), v.id, v.began); wrong {
	case noCase:
		return pass("no other call has been verified with it")
	case V1:
		return fail(V1, "another call has been verified with it")
	default:
		return fail(wrong, "no more PASSporTs can be remembered")
	}
}

func (v *verification) pair() pair { return pair{v.call.Orig, v.call.Dest} }

// unlessOutnumbered is the verdict on a call that was looked for out of band, where nothing ties a PASSporT to one of
// several calls between the same numbers.
func (v *verification) unlessOutnumbered(winner *candidate) oob.Verdict {
	call := gathered{id: v.id, name: v.call.ID, at: v.began, verified: winner != nil}
	wrong, withdrawn := v.memory.gather(v.pair(), call, v.proofs(), v.freshness.Future, v.began)
	check := oob.Check{Name: "number of calls", Section: V2.Row().Section, Outcome: oob.CheckPassed}
	if wrong == noCase {
		check.Detail = "there are PASSporTs for all calls between these numbers"
		v.check(check)
		return v.decided(winner)
	}
	check.Outcome, check.Detail = oob.CheckFailed, wrong.Row().Sentence
	if v.keepOutnumbered {
		check.Outcome = oob.CheckSkipped
		check.Detail += " They stay verified by configuration."
		v.check(check)
		verdict := v.decided(winner)
		verdict.Doubt = wrong.Row().Sentence
		return verdict
	}
	check.Case = wrong.String()
	v.check(check)
	for _, name := range withdrawn {
		if v.withdrawn != nil && name != "" {
			v.withdrawn(name, wrong.Row().Sentence)
		}
	}
	if winner == nil {
		return v.refused()
	}
	return v.withhold(winner, wrong)
}

// withhold is the verdict on a call whose PASSporT is good and that is not verified all the same.
func (v *verification) withhold(winner *candidate, why Case) oob.Verdict {
	verdict := v.verdictOf(why)
	verdict.Source, verdict.Passport, verdict.Doubt = winner.road(), winner.envelope.String(), why.Row().Sentence
	return verdict
}

// proofs are the PASSporTs out of band that are good, whether or not they have been used before.
func (v *verification) proofs() []proof {
	var all []proof
	for _, c := range v.current {
		if c.role == proves && (c.passed || c.wrong == V1) {
			all = append(all, proof{iat: c.claims.IAT.Unix(), origID: c.claims.OrigID, signer: c.certificate.Hash})
		}
	}
	return all
}

// compared is the verdict on a call with a good PASSporT in band, when out of band was looked for as well.
func (v *verification) compared(here, there *candidate) oob.Verdict {
	check := oob.Check{Name: "both roads", Section: V3.Row().Section, Outcome: oob.CheckPassed}
	if there == nil || same(here, there) {
		check.Detail = "out of band says nothing else than in band"
		v.check(check)
		return v.passed(here)
	}
	winner := here
	if v.differ == OutOfBandDecides || v.differ == LowerDecides && lower(there.claims.Attest, here.claims.Attest) {
		winner = there
	}
	doubt := "In band is attest " + strconv.Quote(string(here.claims.Attest)) + " of " + here.signerSPC() +
		", out of band " + strconv.Quote(string(there.claims.Attest)) + " of " + there.signerSPC() + "."
	check.Detail = doubt
	if v.differ == NobodyDecides {
		check.Outcome, check.Case = oob.CheckFailed, V3.String()
		v.check(check)
		return v.withhold(here, V3)
	}
	v.check(check)
	verdict := v.passed(winner)
	verdict.Doubt = doubt
	return verdict
}

// same tells whether two PASSporTs say the same of a call, whoever carried them.
func same(a, b *candidate) bool {
	return a.claims.Attest == b.claims.Attest && a.claims.OrigID == b.claims.OrigID && a.signerSPC() == b.signerSPC()
}

func lower(a, b passport.Attestation) bool { return a > b } // A is the highest, C the lowest; none is above all

// road is where the text came from: what is nested came with what it is nested in.
func (c *candidate) road() oob.Source {
	if c.outer != oob.SourceNone {
		return c.outer
	}
	return c.source
}
