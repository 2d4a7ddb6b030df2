package dip

import (
	"cmp"
	"context"
	"errors"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

// sign is the dip of a call that goes on over SIP.
func (d *doing) sign(ctx context.Context) Answer {
	answer, _ := d.signed(ctx)
	return answer
}

// signed makes the PASSporTs that the call is to have, and gives those that it came with and that go on with it.
func (d *doing) signed(ctx context.Context) (answer Answer, carried []string) {
	if d.signer() == nil {
		return d.nothing("unsigned", "nothing is signed here"), nil
	}
	if d.call.Parties.Orig.IsZero() || d.call.Parties.Dest.IsZero() {
		return d.nothing("unsigned", "a party of the call is not known"), nil
	}
	carried = d.believed(ctx)
	if diverted := d.diverted(ctx); len(diverted) > 0 {
		return Answer{Result: ResultSigned, Identity: diverted}, d.call.Carried
	}
	signed, err := d.signature(ctx, d.request(carried))
	switch {
	case err == nil:
		d.noteSigned(&signed)
		// Package stias has seen to it that what it signs can be written.
		return Answer{Result: ResultSigned, Identity: append([]string{signed.Identity.String()}, d.prioritised(ctx)...), Signed: signed}, nil
	case errors.Is(err, stias.AlreadySigned):
		return d.nothing("signed already", err.Error()), carried
	case errors.Is(err, stias.LeftUnsigned), errors.Is(err, stias.NotCovered):
		return d.nothing("unsigned", err.Error()), nil
	}
	return d.unsigned(err), nil
}

// unsigned is the answer when a signature should have been there.
func (d *doing) unsigned(err error) Answer {
	cause := CauseCredential
	var problem passport.Problem
	switch {
	case errors.Is(err, stias.StaleDate):
		cause = CauseDate
	case errors.Is(err, context.DeadlineExceeded):
		cause = CauseBudget
	case errors.Is(err, context.Canceled):
		cause = CauseAbandoned
	case errors.As(err, &problem):
		cause = CauseUnsignable
	}
	d.call.Trace.Step("not signed", err.Error())
	return Answer{FailOpen: cause}
}

// signer is that of the trunk, or of the service; nil when nothing is signed.
func (d *doing) signer() *stias.Service { return cmp.Or(d.trunk.Signer, d.config.Signer) }

// spc is that of the provider for whom the call is handled.
func (d *doing) spc() string { return cmp.Or(d.trunk.SPC, d.config.SPC) }

func (d *doing) request(carried []string) stias.Call {
	// Of two levels the lesser: A stands before B in the alphabet, and an empty one before both.
	return stias.Call{
		Orig: d.call.Parties.Orig, Dest: []tn.Identity{d.call.Parties.Dest}, Customer: cmp.Or(d.call.Customer, d.trunk.Signing.Customer),
		Trunk: d.trunk.Name, Gateway: d.trunk.Signing.Gateway, OrigID: d.call.OrigID, Fingerprints: d.call.Fingerprints,
		Attest: max(d.call.Attest, d.trunk.Signing.Attest), Date: d.date(), Carried: carried,
	}
}

// signature signs. A switch that asks for more than the policy gives is given what the policy gives: without a PASSporT the
// call would be worth less still.
func (d *doing) signature(ctx context.Context, call stias.Call) (stias.Signed, error) {
	return within(ctx, d.trunk.SlowKey, func() (stias.Signed, error) {
		signed, err := d.signer().Sign(call)
		if errors.Is(err, stias.NotEntitled) {
			d.call.Trace.Step("attestation", "the switch asked for more than the policy gives")
			call.Attest = d.signer().Attest(call).Attest
			signed, err = d.signer().Sign(call)
		}
		return signed, err
	})
}

// within does what may need our key, and with a slow one waits for it no longer than the call can.
func within[T any](ctx context.Context, slow bool, do func() (T, error)) (T, error) {
	if !slow {
		return do()
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	type outcome struct {
		made T
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		o := outcome{err: errors.New("the signing key has failed")} // unless it comes back
		defer func() {
			_ = recover() // a fault in a vendor's library ends no other call
			done <- o
		}()
		o.made, o.err = do()
	}()
	select {
	case o := <-done:
		return o.made, o.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// prioritised signs the priority that the call asks for, where the policy lets its customer or trunk assert it
// (RFC 8443 §4.1). Otherwise the call goes on without: what the header field says is then for others to judge.
func (d *doing) prioritised(ctx context.Context) []string {
	if len(d.call.Priorities) == 0 {
		return nil
	}
	signed, err := within(ctx, d.trunk.SlowKey, func() (stias.Signed, error) {
		return d.signer().Prioritise(stias.Prioritised{
			Orig: d.call.Parties.Orig, Dest: []tn.Identity{d.call.Parties.Dest}, Customer: cmp.Or(d.call.Customer, d.trunk.Signing.Customer),
			Trunk: d.trunk.Name, Values: d.call.Priorities, Date: d.date(),
		})
	})
	if err != nil {
		d.call.Trace.Step("priority not signed", err.Error())
		return nil
	}
	d.call.Trace.Step("priority signed", "")
	return []string{signed.Identity.String()}
}

// believed gives the Identity header field values that came with the call, when the verification service believes them.
// Whether another call has been verified with them does not matter: the call has a name of its own on each leg, and who
// verifies it in the end sees to it that a PASSporT is used once.
func (d *doing) believed(ctx context.Context) []string {
	if len(d.call.Carried) == 0 || d.trunk.Verifies == nil {
		return nil
	}
	verdict := d.preview(ctx, d.call.Parties.Dest)
	if verdict.Verstat != oob.VerstatPassed {
		return nil
	}
	return d.call.Carried
}

// preview judges what came with the call, as if it were for this called party, in a third of the time that is left: a
// certificate that is not to be had must not keep the call from what comes after.
func (d *doing) preview(ctx context.Context, dest tn.Identity) oob.Verdict {
	ctx, cancel := share(ctx, 3)
	defer cancel()
	verdict := d.trunk.Verifies.Verify(ctx, stivs.Call{
		ID: d.call.ID, Orig: d.call.Parties.Orig, Dest: dest, Identity: d.call.Carried, Time: d.date(),
		Fingerprints: d.call.Fingerprints, Preview: true,
	})
	found := string(verdict.Verstat)
	if verdict.Case == stivs.E8.String() {
		found += ", for want of something else: " + string(CauseFetch)
	}
	d.call.Trace.Step("carried", found)
	return verdict
}

// diverted signs that we have sent the call on to another called party, where it came with PASSporTs that verify for the
// former one (RFC 8946 §4.1). That it was sent on is what the switch says: the PASSporTs show at least that the caller has
// called there.
func (d *doing) diverted(ctx context.Context) []string {
	p := &d.call.Parties
	if !p.Diverted || p.DivertedFrom.IsZero() || len(d.call.Carried) == 0 {
		return nil
	}
	const refused = "diversion not signed"
	switch {
	case d.trunk.Signing.Gateway:
		d.call.Trace.Step(refused, "the call comes from another network: not we have sent it on")
		return nil
	case d.trunk.Verifies == nil:
		d.call.Trace.Step(refused, "the PASSporTs that came with the call cannot be verified here")
		return nil
	}
	verdict := d.preview(ctx, p.DivertedFrom)
	if verdict.Verstat != oob.VerstatPassed {
		d.call.Trace.Step(refused, "no PASSporT that came with the call verifies for who has diverted it")
		return nil
	}
	var verified []string // others may name another caller
	for _, t := range verdict.Tokens {
		if t.Verstat == oob.VerstatPassed {
			verified = append(verified, t.Passport)
		}
	}
	signed, err := within(ctx, d.trunk.SlowKey, func() ([]stias.Signed, error) {
		return d.signer().Divert(stias.Diversion{Carried: verified, From: p.DivertedFrom, To: p.Dest, HI: p.HI})
	})
	if err != nil {
		d.call.Trace.Step(refused, err.Error())
		return nil
	}
	var values []string
	for _, s := range signed {
		if value, err := s.Identity.MarshalText(); err == nil {
			values = append(values, string(value))
		}
	}
	d.call.Trace.Step("diversion signed", "")
	return values
}
