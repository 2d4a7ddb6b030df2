package stivs

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
)

// spent says that the PASSporT has verified this call, unless it has verified another. What is only compared with what
// decides is not spent, nor what says how a call was diverted: that belongs to the PASSporT of the call.
func (v *verification) spent(c *candidate) finding {
	switch {
	case c.role != proves && c.role != prioritises:
		return skip("it does not prove who calls")
	case c.role == proves && v.winner != nil:
		return skip("another PASSporT has passed")
	case c.role == proves && v.comparing:
		return skip("it is only compared")
	}
	return v.spend(c)
}

func (v *verification) spend(c *candidate) finding {
	if v.call.Preview {
		return skip("a preview uses nothing up")
	}
	if by, found := v.memory.spentBy(textKey(c), v.began); found && by != v.id {
		c.user = by
		return fail(V1, "another call has come with it")
	}
	wrong, by := v.memory.spend(v.useKey(c), v.use(c), v.began)
	c.user = by
	switch wrong {
	case noCase:
		return pass("no other call has been verified with it")
	case V1:
		return fail(V1, "another call has been verified with it")
	}
	return fail(wrong, "no more PASSporTs can be remembered")
}

func (v *verification) use(c *candidate) use {
	return use{call: v.id, name: v.call.ID, outOfBand: c.road() == oob.SourceOutOfBand}
}

// spendRest says of the other PASSporTs that came with a call which has passed in band that they came with it: they are
// of this call, and verify no other. They have not been verified, so they are known by their text.
func (v *verification) spendRest() {
	if v.call.Preview {
		return
	}
	for _, c := range v.current {
		if c != v.winner && c.role == proves && c.wrong == noCase && c.road() == oob.SourceInBand {
			v.memory.spend(textKey(c), v.use(c), v.began)
		}
	}
}

// textKey is what a PASSporT says, whoever says it.
func textKey(c *candidate) useKey { return sha256.Sum256([]byte(c.envelope.SigningInput())) }

// useKey is what the PASSporT says, and who says it. One that names several called parties is for a call to each of them.
// Two calls between the same numbers, signed in the same second with the same origid, cannot be told apart: signers that
// use one origid for many calls have the second of such calls refused.
func (v *verification) useKey(c *candidate) useKey {
	said := appendPart(make([]byte, 0, 512), c.signer())
	said = binary.BigEndian.AppendUint64(said, uint64(c.claims.IAT.Unix()))
	said = appendPart(appendPart(said, c.claims.OrigID), c.claims.Orig.String())
	for _, dest := range c.claims.Dest {
		said = appendPart(said, dest.String())
	}
	if len(c.claims.Dest) > 1 {
		called := v.call.Dest
		if len(c.diversions) > 0 {
			called = c.diversions[0].From
		}
		said = appendPart(said, called.String())
	}
	said = appendPart(said, c.claims.MSGI)
	for _, key := range c.claims.MKY {
		said = appendPart(appendPart(said, key.Alg), key.Dig)
	}
	if c.role == prioritises {
		said = appendPart(said, string(passport.RPH)) // it comes beside the PASSporT of the call, from the same hand
	}
	return sha256.Sum256(said)
}

// appendPart puts the length before a text, so that no two lists of texts are one.
func appendPart(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}

// signer stands for who signed: a provider, also when its certificate is renewed; or the certificate of a delegate.
func (c *candidate) signer() string {
	if spc := c.signerSPC(); spc != "" {
		return spc
	}
	return string(c.certificate.Hash[:])
}

func (v *verification) pair() pair { return pair{v.call.Orig, v.call.Dest} }

// unlessOutnumbered is the verdict on a call that was looked for out of band, where nothing ties a PASSporT to one of
// several calls between the same numbers.
func (v *verification) unlessOutnumbered(winner *candidate) oob.Verdict {
	if v.call.Preview {
		return v.decided(winner)
	}
	call := gathered{id: v.id, name: v.call.ID, at: v.began, verified: winner != nil}
	wrong, withdrawn := v.memory.gather(v.pair(), call, v.proofs(), v.freshness.Future, v.began)
	check := oob.Check{Name: "number of calls", Section: V2.Row().Section, Outcome: oob.CheckPassed}
	switch {
	case wrong != noCase:
	case winner == nil:
		check.Outcome, check.Detail = oob.CheckSkipped, "there is no PASSporT to count"
	default:
		check.Detail = "there are PASSporTs for all calls between these numbers"
	}
	if wrong == noCase {
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
	v.lost = withdrawn
	if winner == nil {
		return v.refused()
	}
	return v.withhold(winner, wrong)
}

// withdraw tells the owner which calls are verified no longer: those that are too many, and, of a call that is left
// without a PASSporT, those that out of band have taken what it came with. Nothing says which of the two that was made for.
func (v *verification) withdraw(verdict oob.Verdict) {
	if verdict.Verstat == oob.VerstatPassed && v.lost == nil {
		return
	}
	reason := map[string]Case{}
	for _, name := range v.lost {
		reason[name] = V2
	}
	for _, c := range v.judged {
		if c.wrong != V1 || v.keepOutnumbered || verdict.Verstat == oob.VerstatPassed {
			continue
		}
		if name := v.memory.takeBack(v.useKey(c), v.began); reason[name] == noCase {
			reason[name] = V1
		}
	}
	for name, why := range reason {
		if v.withdrawn != nil && name != "" {
			v.tell(name, why)
		}
	}
}

func (v *verification) tell(name string, why Case) {
	defer v.survive("withdrawal")
	v.withdrawn(name, why.Row().Sentence)
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
		if c.role != proves || !c.passed && c.wrong != V1 {
			continue
		}
		p := proof{iat: c.claims.IAT.Unix(), origID: c.claims.OrigID, signer: c.signer()}
		if c.wrong == V1 {
			p.user = c.user
		}
		all = append(all, p)
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
	doubt := fmt.Sprintf("In band is attest %q of %s, out of band %q of %s.",
		here.claims.Attest, here.signerSPC(), there.claims.Attest, there.signerSPC())
	check.Detail = doubt
	if v.differ == NobodyDecides {
		check.Outcome, check.Case = oob.CheckFailed, V3.String()
		v.check(check)
		return v.withhold(here, V3)
	}
	v.check(check)
	verdict := v.passed(here)
	if v.differ == OutOfBandDecides || v.differ == LowerDecides && lower(there.claims.Attest, here.claims.Attest) {
		verdict = v.tradedFor(there)
	}
	verdict.Doubt = doubt
	return verdict
}

// tradedFor is the verdict where out of band decides although in band is good: as on a call that has nothing in band.
func (v *verification) tradedFor(there *candidate) oob.Verdict {
	if f := v.spend(there); f.outcome == oob.CheckFailed {
		there.checks = there.checks[:len(there.checks)-1] // that it was only compared
		there.passed = false
		there.record(f, v.now(), v.now())
		there = nil
	}
	return v.unlessOutnumbered(there)
}

// counterpart finds, of the good PASSporTs out of band, the one to compare with that in band: one that says the same, else
// the first that is not another call's.
func (v *verification) counterpart(here *candidate) (there *candidate) {
	for _, c := range v.current {
		if c.role != proves || !c.passed {
			continue
		}
		if same(here, c) {
			return c
		}
		by, spent := v.memory.spentBy(v.useKey(c), v.began)
		if there == nil && (!spent || by == v.id || v.call.Preview) {
			there = c
		}
	}
	return there
}

// same tells whether two PASSporTs say the same of a call, whoever carried them.
func same(a, b *candidate) bool {
	return a.claims.Attest == b.claims.Attest && a.claims.OrigID == b.claims.OrigID && a.signerSPC() == b.signerSPC()
}

// lower tells whether a is a lower attestation than b: A is the highest, and none at all the lowest.
func lower(a, b passport.Attestation) bool {
	return b != "" && (a == "" || a > b)
}

// road is where the text came from: what is nested came with what it is nested in.
func (c *candidate) road() oob.Source {
	if c.outer != oob.SourceNone {
		return c.outer
	}
	return c.source
}
