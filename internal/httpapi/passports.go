package httpapi

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httplimit"
	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// passports serves one resource of an ATIS form: decode, call the service, encode.
func (d *door) passports(e atis.Endpoint) func(*exchange) error {
	return func(x *exchange) error {
		x.profile = e.Profile.String()
		switch x.r.Method {
		case http.MethodPost:
			x.operation = string(oob.ActionPublish)
			return d.publish(x, e)
		case http.MethodGet:
			x.operation = string(oob.ActionRetrieve)
			return d.retrieve(x, e)
		}
		return x.wrongMethod("GET, POST")
	}
}

func (d *door) publish(x *exchange, e atis.Endpoint) error {
	request, err := d.request(x, e)
	if err != nil {
		return err
	}
	if err := checkMedia(x.r.Header); err != nil {
		return err
	}
	body, err := d.body(x)
	if err != nil {
		return err
	}
	if err := d.enter(x); err != nil {
		return err
	}
	if request.Passports, err = atis.ReadPublish(body); err != nil {
		return err
	}
	request.Digest = atis.Digest(request.Passports)
	principal, err := d.config.Service.Publish(x.ctx, request)
	x.spc = principal.SPC
	x.status = http.StatusCreated
	return err
}

func (d *door) retrieve(x *exchange, e atis.Endpoint) error {
	request, err := d.request(x, e)
	if err != nil {
		return err
	}
	if err := d.enter(x); err != nil {
		return err
	}
	principal, records, err := d.config.Service.Retrieve(x.ctx, request)
	x.spc = principal.SPC
	x.body = atis.WriteRetrieved(records)
	return err
}

// request reads what both operations share: the key from the path, the claims from the access token.
func (d *door) request(x *exchange, e atis.Endpoint) (cps.Request, error) {
	key, err := atis.ReadKey(e.Profile, x.r.PathValue)
	if err != nil {
		return cps.Request{}, err
	}
	if len(x.r.Header.Values("Authorization")) > 1 {
		return cps.Request{}, oob.Faultf(oob.Unproven, "more than one Authorization header") // RFC 9110 §5.3
	}
	token, err := proof.Read(x.r.Header.Get("Authorization"))
	if err != nil {
		return cps.Request{}, err
	}
	access, err := atis.ReadAccess(token.Payload())
	if err != nil {
		return cps.Request{}, err
	}
	return cps.Request{Key: key, Access: access, Prove: func(ctx context.Context, spc string) (oob.Principal, error) {
		return token.Prove(ctx, d.config.Verifier, spc)
	}}, nil
}

// checkMedia takes application/json with any parameters, and a body whose type is not said; a body that is encoded it
// refuses as the same kind (RFC 9110 §15.5.16).
func checkMedia(header http.Header) error {
	if coding := header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return oob.Faultf(oob.WrongMedia, "the body must not have a Content-Encoding")
	}
	contentType := header.Get("Content-Type")
	if contentType == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || media != "application/json" {
		return oob.Faultf(oob.WrongMedia, "the body has to be application/json")
	}
	return nil
}

// body reads a body, if there is a place for one more on its way.
func (d *door) body(x *exchange) ([]byte, error) {
	from := httplimit.AddressOf(x.r.RemoteAddr)
	if !d.bodies.Take(from) {
		return nil, crowded()
	}
	defer d.bodies.Leave(from)
	return x.readBody()
}

func (x *exchange) readBody() ([]byte, error) {
	body, err := httplimit.ReadBody(x.w, x.r, oob.BodyBytesMax)
	switch {
	case errors.Is(err, httplimit.ErrTooLong):
		return nil, oob.Faultf(oob.TooLarge, "the body is longer than %d bytes", oob.BodyBytesMax)
	case errors.Is(err, httplimit.ErrTooSlow):
		return nil, oob.Faultf(oob.TooSlow, "the body did not arrive in time").Because(err)
	case errors.Is(err, httplimit.ErrBroken):
		return nil, oob.Faultf(oob.Malformed, "the body broke off").Because(err)
	}
	return body, err
}
