package httpapi

import (
	"net/http"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httplimit"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// companyPublish takes PASSporTs for the calls of one provider from anybody.
func (d *door) companyPublish(x *exchange) error {
	x.operation = string(oob.ActionPublish)
	if x.r.Method != http.MethodPost {
		return x.wrongMethod("POST")
	}
	spc, err := atis.ReadCompany(x.r.PathValue("second"))
	if err != nil {
		return err
	}
	request := cps.Request{Key: oob.Key{Profile: oob.Company, SPC: spc}, Bare: true, Origin: httplimit.AddressOf(x.r.RemoteAddr).String()}
	if request.Passports, err = d.passportBody(x, request); err != nil {
		return err
	}
	return d.publishTo(x, request)
}

// companyCall gives the provider the PASSporTs of one call.
func (d *door) companyCall(x *exchange) error {
	x.operation = string(oob.ActionRetrieve)
	if x.r.Method != http.MethodGet {
		return x.wrongMethod("GET")
	}
	key, err := atis.ReadKey(oob.Company, x.r.PathValue)
	if err != nil {
		return err
	}
	records, _, err := d.retrieved(x, key)
	x.body = wire.WriteRetrieved(records)
	return err
}

// companyConsume takes away the PASSporT of a call that has come.
func (d *door) companyConsume(x *exchange) error {
	x.operation = string(oob.ActionConsume)
	if x.r.Method != http.MethodDelete {
		return x.wrongMethod("DELETE")
	}
	key, err := atis.ReadKey(oob.Company, x.r.PathValue)
	if err != nil {
		return err
	}
	id, err := wire.ReadID(x.r.PathValue("id"))
	if err != nil {
		return err
	}
	request, err := d.proven(x, key)
	if err != nil {
		return err
	}
	if err := d.enter(x, turnstile.Retrieval, request); err != nil {
		return err
	}
	principal, first, err := d.config.Service.Consume(x.ctx, request, id)
	x.whom(principal)
	if first {
		x.status = http.StatusNoContent
	} else if err == nil {
		x.body = atis.WriteStatus(http.StatusOK, "Consumed before", "")
	}
	return err
}
