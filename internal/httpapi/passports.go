package httpapi

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httplimit"
	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
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
	if err := checkMedia(x.r.Header, "application/json"); err != nil {
		return err
	}
	most, errand := oob.BodyBytesMax, turnstile.Publication
	relays := request.Access.Action == oob.ActionRepublish && e.Profile.Row().Relayed
	if relays {
		most, errand = atis.RelayBytesMax, turnstile.Relay
	}
	body, err := d.body(x, most)
	if err != nil {
		return err
	}
	if err := d.enter(x, errand, request); err != nil {
		return err
	}
	do := d.config.Service.Publish
	if relays {
		x.operation = string(oob.ActionRepublish)
		do, err = d.config.Service.Relay, d.readRelay(&request, body)
	} else {
		request.Passports, err = atis.ReadPublish(body)
	}
	if err != nil {
		return err
	}
	request.Digest = atis.Digest(request.Passports)
	principal, err := do(x.ctx, request)
	x.spc = principal.SPC
	x.status = http.StatusCreated
	if relays && err == nil {
		x.w.Header()[atis.RelaysHeader] = takesRelays
	}
	return err
}

// readRelay reads what another CPS passes on, with the token of who has published.
func (d *door) readRelay(request *cps.Request, body []byte) error {
	passports, text, err := atis.ReadRelay(body)
	if err != nil {
		return err
	}
	request.Passports = passports
	return d.readOriginal(request, text)
}

// readOriginal reads the token of who has published, if there is one.
func (d *door) readOriginal(request *cps.Request, text string) error {
	if text == "" {
		return nil
	}
	token, err := proof.ReadText(text, proof.ATIS)
	if err != nil {
		return oob.Faultf(oob.Unproven, "token is no access token").Because(err)
	}
	original := &cps.Original{Prove: d.prove(token)}
	if original.Access, err = atis.ReadAccess(token.Payload()); err != nil {
		return oob.Faultf(oob.Unproven, "token is no access token").Because(err)
	}
	request.Original = original
	return nil
}

// prove is how whoever shows a token proves who he is.
func (d *door) prove(token *proof.Token) func(context.Context, string) (oob.Principal, error) {
	return func(ctx context.Context, spc string) (oob.Principal, error) {
		return token.Prove(ctx, d.config.Verifier, spc)
	}
}

func (d *door) retrieve(x *exchange, e atis.Endpoint) error {
	request, err := d.request(x, e)
	if err != nil {
		return err
	}
	if err := d.enter(x, turnstile.Retrieval, request); err != nil {
		return err
	}
	principal, records, err := d.config.Service.Retrieve(x.ctx, request)
	x.spc = principal.SPC
	if err == nil {
		x.room = rooms.Get().(*[]byte)
		*x.room = atis.AppendRetrieved((*x.room)[:0], records)
		x.body = *x.room
	}
	return err
}

// request reads what both operations share: the key from the path, the claims from the access token.
func (d *door) request(x *exchange, e atis.Endpoint) (cps.Request, error) {
	key, err := atis.ReadKey(e.Profile, x.segment)
	if err != nil {
		return cps.Request{}, err
	}
	return d.tokenRequest(x, key, proof.ATIS)
}

// tokenRequest is one that an access token proves; it reads what the token says.
func (d *door) tokenRequest(x *exchange, key oob.Key, rules proof.Rules) (cps.Request, error) {
	shown := x.r.Header["Authorization"]
	if len(shown) > 1 {
		return cps.Request{}, oob.Faultf(oob.Unproven, "more than one Authorization header") // RFC 9110 §5.3
	}
	token, err := proof.Read(strings.Join(shown, ""), rules)
	if err != nil {
		return cps.Request{}, err
	}
	access, err := atis.ReadAccess(token.Payload())
	if err != nil {
		return cps.Request{}, err
	}
	return cps.Request{Key: key, Access: access, Token: token.Text(), Prove: proves(d.prove(token))}, nil
}

// checkMedia takes the wanted type with any parameters, and a body whose type is not said; a body that is encoded it
// refuses as the same kind (RFC 9110 §15.5.16).
func checkMedia(header http.Header, wanted string) error {
	if coding := header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return oob.Faultf(oob.WrongMedia, "the body must not have a Content-Encoding")
	}
	contentType := header.Get("Content-Type")
	if contentType == "" || contentType == wanted {
		return nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || media != wanted {
		return oob.Faultf(oob.WrongMedia, "the body has to be %s", wanted)
	}
	return nil
}

// body reads a body of at most most bytes, if there is a place for one more on its way.
func (d *door) body(x *exchange, most int) ([]byte, error) {
	from := httplimit.AddressOf(x.r.RemoteAddr)
	if !d.bodies.Take(from) {
		return nil, x.crowd()
	}
	defer d.bodies.Leave(from)
	return x.readBody(most)
}

func (x *exchange) readBody(most int) ([]byte, error) {
	room := rooms.Get().(*[]byte)
	body, err := httplimit.ReadBody(x.w, x.r, int64(most), *room)
	if err == nil {
		*room, x.room = body, room
	} else {
		rooms.Put(room)
	}
	switch {
	case errors.Is(err, httplimit.ErrTooLong):
		return nil, oob.Faultf(oob.TooLarge, "the body is longer than %d bytes", most)
	case errors.Is(err, httplimit.ErrTooSlow):
		return nil, oob.Faultf(oob.TooSlow, "the body did not arrive in time").Because(err)
	case errors.Is(err, httplimit.ErrBroken):
		return nil, oob.Faultf(oob.Malformed, "the body broke off").Because(err)
	}
	return body, err
}

// rooms are for bodies, of requests and of answers. What is read of a body is copied out of it, and what is written has been
// taken when Write returns (http.ResponseWriter), so that a room is free again when the answer is given.
var rooms = sync.Pool{New: func() any { room := make([]byte, 0, 2<<10); return &room }}

// roomBytesMax is what a room may have grown to that is kept.
const roomBytesMax = 16 << 10

// leaveRoom gives back the room of the body, if there is any.
func (x *exchange) leaveRoom() {
	if x.room != nil && cap(*x.room) <= roomBytesMax {
		rooms.Put(x.room)
	}
	x.room = nil
}
