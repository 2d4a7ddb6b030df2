package stiapi

import (
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/tn"
)

// publish serves a publishRequest: what the call carries is published before it goes on into a TDM trunk.
func (d *Door) publish(x *exchange, body []byte) ([]byte, *sti.Exception) {
	request, err := sti.ReadPublish(body, x.trunk.Numbering.Plan, x.client.Dialect)
	if err != nil {
		return nil, d.unreadable(x, err)
	}
	answer := d.carry(x, request)
	status := sti.CarryNothing
	switch {
	case answer.FailOpen != "":
		status = sti.CarryFailed
	case answer.Result == dip.ResultPublished:
		status = sti.CarryPublished
	}
	return sti.WritePublish(status, string(answer.FailOpen)), nil
}

// retrieve serves a retrieveRequest: what was published for a call that has come out of a TDM trunk.
func (d *Door) retrieve(x *exchange, body []byte) ([]byte, *sti.Exception) {
	request, err := sti.ReadRetrieve(body, x.trunk.Numbering.Plan, x.client.Dialect)
	if err != nil {
		return nil, d.unreadable(x, err)
	}
	answer := d.carry(x, request)
	status := sti.CarryNothing
	switch {
	case len(answer.Identity) > 0:
		status = sti.CarryFound
	case answer.FailOpen != "":
		status = sti.CarryFailed
	}
	return sti.WriteRetrieve(status, answer.Identity, answer.Date, string(answer.FailOpen)), nil
}

func (d *Door) carry(x *exchange, request sti.CarryRequest) dip.Answer {
	answer := d.config.Dips.Do(x.ctx, x.trunk, dip.Call{
		ID:      x.callID(append(texts(request.Orig, request.Dest), request.Identity...)...),
		Parties: x.parties(request.Orig, request.Dest, tn.Identity{}), Carried: request.Identity, Trace: x.trace,
	})
	x.failOpen = answer.FailOpen
	return answer
}
