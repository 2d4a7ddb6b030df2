package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httplimit"
	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// collectionPattern is that of two resources: the paths of RFC 8816 §9 and of the company form overlap, though on paper
// alone, for company is no number.
const (
	collectionPattern = "/cps/{first}/{second}"
	companyPattern    = "/cps/company/{spc}" // of publications in the company form, for the log
	providersPath     = "/cps/"              // below which all of these forms are
)

// openProviders registers the resources of the forms in which the PASSporT says whose call it is.
func (d *door) openProviders() {
	d.mux.Handle(collectionPattern, d.through(collectionPattern, d.collection))
	d.mux.Handle(rfc9888.ItemPattern, d.through(rfc9888.ItemPattern, d.form(oob.RFC9888, d.item)))
	d.mux.Handle(rfc9888.SubscribePattern, d.through(rfc9888.SubscribePattern, d.stream))
	for _, e := range atis.CompanyEndpoints {
		switch e.Action {
		case oob.ActionRetrieve:
			d.mux.Handle(e.Pattern, d.through(e.Pattern, d.form(oob.Company, d.companyCall)))
		case oob.ActionConsume:
			d.mux.Handle(e.Pattern, d.through(e.Pattern, d.form(oob.Company, d.companyConsume)))
		}
	}
}

// form is a resource of one form; where that is not served it does not exist.
func (d *door) form(profile oob.Profile, resource func(*exchange) error) func(*exchange) error {
	return func(x *exchange) error {
		x.profile, x.problem = profile.String(), true
		if !d.serves(profile) {
			return oob.Faultf(oob.WrongPath, "there is no such resource")
		}
		return resource(x)
	}
}

// collection tells the two forms apart by what the segments are.
func (d *door) collection(x *exchange) error {
	first, second := x.r.PathValue("first"), x.r.PathValue("second")
	switch {
	case first == "company":
		x.pattern = companyPattern
		return d.form(oob.Company, d.companyPublish)(x)
	case second == "ppts":
		x.pattern = rfc9888.CollectionPattern
		return d.form(oob.RFC9888, d.ppts)(x)
	}
	x.problem = true
	return oob.Faultf(oob.WrongPath, "there is no such resource")
}

// ppts is the collection of one called number (RFC 8816 §9).
func (d *door) ppts(x *exchange) error {
	dest, err := rfc9888.ReadDest(x.r.PathValue("first"))
	if err != nil {
		return err
	}
	key := oob.Key{Profile: oob.RFC9888, Dest: tn.Of(dest)}
	switch x.r.Method {
	case http.MethodPost:
		return d.place(x, key)
	case http.MethodGet:
		return d.list(x, key)
	}
	return x.wrongMethod("GET, POST")
}

// place publishes what the body holds under a key, and says where it lies.
func (d *door) place(x *exchange, key oob.Key) error {
	x.operation = string(oob.ActionPublish)
	request, err := d.proven(x, key)
	if err != nil {
		return err
	}
	if request.Passports, err = d.passportBody(x, request); err != nil {
		return err
	}
	if !request.Bare {
		request.Digest = atis.Digest(request.Passports)
	}
	if err := d.publishTo(x, request); err != nil {
		return err
	}
	dest, _ := key.Dest.Number()
	x.w.Header().Set("Location", rfc9888.ItemPath(dest, oob.PassportID(request.Passports[0])))
	return nil
}

func (d *door) publishTo(x *exchange, request cps.Request) error {
	principal, err := d.config.Service.Publish(x.ctx, request)
	x.whom(principal)
	x.status = http.StatusCreated
	return err
}

// passportBody reads a body of the type application/passport, and takes a place among the requests.
func (d *door) passportBody(x *exchange, request cps.Request) ([]string, error) {
	if err := checkMedia(x.r.Header, wire.PassportMedia); err != nil {
		return nil, err
	}
	body, err := d.body(x, oob.BodyBytesMax)
	if err != nil {
		return nil, err
	}
	if err := d.enter(x, turnstile.Publication, request); err != nil {
		return nil, err
	}
	return wire.ReadLines(body)
}

// list gives the items of one called number: their URIs, or themselves where the requester prefers that.
func (d *door) list(x *exchange, key oob.Key) error {
	x.operation = string(oob.ActionRetrieve)
	var err error
	if key.Orig, err = rfc9888.ReadOrig(x.r.URL.Query()); err != nil {
		return err
	}
	records, preferences, err := d.retrieved(x, key)
	if err != nil && !errors.Is(err, oob.NotFound) {
		return err
	}
	dest, _ := key.Dest.Number()
	x.w.Header().Set("Link", rfc9888.Link(rfc9888.CollectionPath(dest), "self"))
	if preferences.Representation {
		x.body = wire.WriteRetrieved(records)
	} else {
		x.body = rfc9888.WriteList("", dest, records)
	}
	return nil
}

// retrieved asks for what lies under a key, and waits for it as long as the requester prefers.
func (d *door) retrieved(x *exchange, key oob.Key) ([]oob.Record, rfc9888.Preferences, error) {
	request, err := d.proven(x, key)
	if err != nil {
		return nil, rfc9888.Preferences{}, err
	}
	preferences := rfc9888.ReadPrefer(x.r.Header)
	if preferences.Wait > 0 {
		x.ctx = x.r.Context() // which the wait bounds
	}
	if err := d.enter(x, turnstile.Retrieval, request); err != nil {
		return nil, preferences, err
	}
	if preferences.Wait > 0 {
		request.Wait = preferences.Wait
		request.Waiting = func() error { return d.startWaiting(x) }
	}
	principal, records, err := d.config.Service.Retrieve(x.ctx, request)
	x.whom(principal)
	preferences.SetApplied(x.w.Header())
	return records, preferences, err
}

// startWaiting gives back the place among the requests for one among those who wait: they keep nobody out.
func (d *door) startWaiting(x *exchange) error {
	from := httplimit.AddressOf(x.r.RemoteAddr)
	if !d.waits.Take(from) {
		return x.crowd()
	}
	x.leave()
	x.leave = func() { d.waits.Leave(from) }
	x.pass.Leave()
	if err := x.endless(); err != nil {
		return err
	}
	return http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(rfc9888.ReadPrefer(x.r.Header).Wait + answerTimeout))
}

// item gives one PASSporT, with those that were published along with it.
func (d *door) item(x *exchange) error {
	if x.r.Method != http.MethodGet {
		return x.wrongMethod("GET")
	}
	x.operation = string(oob.ActionRetrieve)
	dest, err := rfc9888.ReadDest(x.r.PathValue("dest"))
	if err != nil {
		return err
	}
	id, err := wire.ReadID(x.r.PathValue("id"))
	if err != nil {
		return err
	}
	request, err := d.proven(x, oob.Key{Profile: oob.RFC9888, Dest: tn.Of(dest)})
	if err != nil {
		return err
	}
	if err := d.enter(x, turnstile.Retrieval, request); err != nil {
		return err
	}
	principal, record, err := d.config.Service.Item(x.ctx, request, id)
	x.whom(principal)
	if err != nil {
		return err
	}
	x.w.Header().Set("Content-Type", wire.PassportMedia)
	x.w.Header().Set("Link", rfc9888.Link(rfc9888.CollectionPath(dest), "collection"))
	x.body = wire.WriteLines(record.Passports)
	return nil
}

// proven reads who asks: what a token says, or that there is none and the certificate of the connection has to do.
func (d *door) proven(x *exchange, key oob.Key) (cps.Request, error) {
	header := x.r.Header.Values("Authorization")
	if len(header) == 0 {
		return cps.Request{Key: key, Bare: true, Prove: proves(func(ctx context.Context, _ string) (oob.Principal, error) {
			return proof.OfConnection(ctx, x.r.TLS, d.config.Verifier)
		})}, nil
	}
	return d.tokenRequest(x, key, proof.RFC9888)
}

func (d *door) serves(profile oob.Profile) bool {
	return slices.Contains(d.config.Profiles, profile)
}

// trimmed takes the slash at the end of a path of these forms away, which RFC 8816 §9 writes in an example.
func trimmed(path string) string {
	if strings.HasPrefix(path, "/cps/") {
		return strings.TrimSuffix(path, "/")
	}
	return path
}
