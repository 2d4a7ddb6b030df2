package stiapi

import (
	"cmp"
	"context"
	"errors"
	"strconv"

	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/tn"
)

// sign serves a signing request: the Identity header field value of one PASSporT.
func (d *Door) sign(x *exchange, body []byte) ([]byte, *sti.Exception) {
	request, err := sti.ReadSigning(body, x.trunk.Numbering.Plan, x.client.Dialect)
	if err != nil {
		return nil, d.unreadable(x, err)
	}
	var value string
	var e *sti.Exception
	switch request.Type {
	case passport.Shaken:
		value, e = d.shaken(x, request)
	default:
		value, e = d.beside(x, request)
	}
	if e != nil {
		e.Dialect = request.Dialect
		return nil, e
	}
	if x.client.BothAnswers {
		return sti.WriteSigning(value, sti.ATIS, sti.Ms), nil
	}
	return sti.WriteSigning(value, request.Dialect), nil
}

// unreadable is the exception of a body.
func (d *Door) unreadable(x *exchange, err error) *sti.Exception {
	if e, ok := errors.AsType[*sti.Exception](err); ok {
		return e
	}
	return d.refuse(x, sti.Internal)
}

// shaken has the PASSporT of a call signed, and published where its trunk says so.
func (d *Door) shaken(x *exchange, request sti.SigningRequest) (string, *sti.Exception) {
	if len(request.Dest) > 1 {
		return "", d.refuse(x, sti.InvalidParameter, "dest", "more than one called party")
	}
	parties := x.parties(request.Orig, request.Dest[0], tn.Identity{})
	said := append(texts(request.Orig, request.Dest[0]), strconv.FormatInt(request.IAT.Unix(), 10), request.OrigID, string(request.Attest))
	answer := d.config.Dips.Do(x.ctx, x.trunk, dip.Call{
		ID: x.callID(said...), Parties: parties, Date: request.IAT, Attest: request.Attest, OrigID: request.OrigID, Trace: x.trace,
	})
	x.failOpen = answer.FailOpen
	switch {
	case len(answer.Identity) > 0:
		return answer.Identity[0], nil
	case parties.Emergency:
		return "", d.refuse(x, sti.InvalidParameter, "dest", "an emergency call is left alone")
	case parties.Dest.IsZero():
		return "", d.refuse(x, sti.InvalidParameter, "dest", "not usable on this trunk")
	case parties.Orig.IsZero():
		return "", d.refuse(x, sti.InvalidParameter, "orig", "not usable on this trunk")
	}
	switch answer.FailOpen {
	case "":
		return "", d.refuse(x, sti.InvalidParameter, "orig", "the policy signs no such calls")
	case dip.CauseDate:
		return "", d.refuse(x, sti.InvalidParameter, "iat", "too far from now")
	case dip.CauseUnsignable:
		return "", d.refuse(x, sti.InvalidParameter, "orig", "no PASSporT can name such a call")
	}
	return "", d.refuse(x, sti.Internal)
}

// beside signs a PASSporT that stands beside that of the caller: div, or rph. It is no dip: nothing is published.
func (d *Door) beside(x *exchange, request sti.SigningRequest) (string, *sti.Exception) {
	signer := cmp.Or(x.trunk.Signer, d.config.Signer)
	if signer == nil {
		return "", d.refuse(x, sti.Internal)
	}
	x.trace.Note(func(r *trace.Record) {
		r.Trunk, r.Mode, r.Orig, r.Dest, r.RedirectedFrom = x.trunk.Name, x.trunk.Mode.String(), request.Orig, request.Dest[0], request.Div
	})
	ctx, cancel := context.WithTimeout(x.ctx, x.trunk.Budget)
	defer cancel()
	signed, err := within(ctx, func() (stias.Signed, error) { return signBeside(signer, x.trunk, request) })
	x.trace.Step("signed", string(request.Type))
	switch {
	case err == nil:
	case errors.Is(err, stias.PriorityNotEntitled):
		return "", d.refuse(x, sti.InvalidParameter, "rph", "not to be asserted by this client")
	case errors.Is(err, stias.NoAuthority), errors.Is(err, stias.NotCovered) && request.Type == passport.Div:
		return "", d.refuse(x, sti.InvalidParameter, "div", "not a number of this provider")
	case errors.Is(err, stias.NotCovered):
		return "", d.refuse(x, sti.InvalidParameter, "orig", "not a number for which is signed here")
	case errors.Is(err, stias.NotRetargeted):
		return "", d.refuse(x, sti.InvalidParameter, "div", "the same as dest")
	case errors.Is(err, stias.StaleDate):
		return "", d.refuse(x, sti.InvalidParameter, "iat", "too far from now")
	default:
		if _, ok := errors.AsType[passport.Problem](err); ok {
			return "", d.refuse(x, sti.InvalidParameter, string(request.Type), "no PASSporT can say this")
		}
		if x.failOpen = dip.CauseCredential; errors.Is(err, errFault) {
			x.failOpen = dip.CauseInternal
		}
		return "", d.refuse(x, sti.Internal)
	}
	value, err := signed.Identity.MarshalText()
	if err != nil {
		return "", d.refuse(x, sti.Internal)
	}
	x.trace.Note(func(r *trace.Record) {
		r.IAT, r.X5U, r.Passports = signed.IAT, signed.Identity.Info, append(r.Passports, signed.Passport)
	})
	return string(value), nil
}

func signBeside(signer *stias.Service, on *dip.Trunk, request sti.SigningRequest) (stias.Signed, error) {
	if request.Type == passport.Div {
		return signer.Retarget(stias.Retargeting{
			Orig: request.Orig, From: request.Div, To: request.Dest, HI: request.HI, Date: request.IAT,
		})
	}
	return signer.Prioritise(stias.Prioritised{
		Orig: request.Orig, Dest: request.Dest, Customer: on.Signing.Customer, Trunk: on.Name,
		Values: request.Priorities, SPH: request.SPH, Date: request.IAT,
	})
}

// errFault is a fault of this program.
var errFault = errors.New("a fault of this program")

// within waits for a signature no longer than ctx allows: a key in a token may be slow.
func within(ctx context.Context, sign func() (stias.Signed, error)) (stias.Signed, error) {
	type outcome struct {
		signed stias.Signed
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		o := outcome{err: errFault} // unless it comes back
		defer func() {
			_ = recover() // here nobody else could: the requester is told errFault
			done <- o
		}()
		o.signed, o.err = sign()
	}()
	select {
	case o := <-done:
		return o.signed, o.err
	case <-ctx.Done():
		return stias.Signed{}, ctx.Err()
	}
}
