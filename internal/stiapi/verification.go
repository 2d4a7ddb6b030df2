package stiapi

import (
	"strconv"

	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// verify serves a verification request. On a trunk that is looked for out of band, the call may have come without Identity.
func (d *Door) verify(x *exchange, body []byte) ([]byte, *sti.Exception) {
	read := sti.ReadVerification
	if len(x.trunk.CPS) > 0 {
		read = sti.ReadVerificationOutOfBand
	}
	request, err := read(body, x.trunk.Numbering.Plan, x.client.Dialect)
	if err != nil {
		return nil, d.unreadable(x, err)
	}
	var before tn.Identity
	if !request.Dest.IsZero() {
		before = request.To[0]
	}
	said := append(texts(request.From, request.Called(), before), strconv.FormatInt(request.Time.Unix(), 10))
	answer := d.config.Dips.Do(x.ctx, x.trunk, dip.Call{
		ID: x.callID(append(said, request.Identity...)...), Parties: x.parties(request.From, request.Called(), before),
		Carried: request.Identity, Date: request.Time, Trace: x.trace,
	})
	x.failOpen = answer.FailOpen
	verdict := oob.Verdict{Verstat: oob.VerstatNoValidation, ReasonDesc: "The call was not verified."}
	if answer.Verdict != nil {
		verdict = *answer.Verdict
	}
	style := sti.AnswerStyle{Verstat: x.client.Verstat, ReasonDescription: x.client.ReasonDescription}
	return sti.WriteVerification(request.Dialect, verdict, style), nil
}
