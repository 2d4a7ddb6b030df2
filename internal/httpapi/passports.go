package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
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

// limitBody gives a body so long to arrive, also one that nobody is going to read: before it answers, net/http waits for
// the rest of a short one. In HTTP/2 the server keeps this time by itself (see NewServer), and there a deadline would be a
// message between goroutines.
func (x *exchange) limitBody(timeout time.Duration) error {
	if x.r.Body == http.NoBody {
		return x.unlimited()
	}
	return x.deadline(time.Now().Add(timeout))
}

// unlimited says that the body has arrived. HTTP/1.1 watches the connection from then on, and would take a deadline for the
// end of the requester.
func (x *exchange) unlimited() error { return x.deadline(time.Time{}) }

func (x *exchange) deadline(t time.Time) error {
	if x.r.ProtoMajor != 1 {
		return nil
	}
	err := http.NewResponseController(x.w).SetReadDeadline(t)
	if errors.Is(err, http.ErrNotSupported) {
		return nil // a recorder in a test
	}
	return err
}

// body reads a body, if there is a place for one more on its way.
func (d *door) body(x *exchange) ([]byte, error) {
	from := addressOf(x.r.RemoteAddr)
	if !d.bodies.take(from) {
		return nil, crowded()
	}
	defer d.bodies.leave(from)
	return x.readBody()
}

// readBody reads a body whose length need not be declared.
func (x *exchange) readBody() ([]byte, error) {
	body, err := readAll(http.MaxBytesReader(x.w, x.r.Body, oob.BodyBytesMax), x.r.ContentLength)
	if err == nil {
		return body, x.unlimited()
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, oob.Faultf(oob.TooLarge, "the body is longer than %d bytes", oob.BodyBytesMax)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, oob.Faultf(oob.TooSlow, "the body did not arrive in time").Because(err)
	}
	return nil, oob.Faultf(oob.Malformed, "the body broke off").Because(err)
}

// readAll is io.ReadAll with room for a body whose length is declared, as far as it may be believed.
func readAll(r io.Reader, declared int64) ([]byte, error) {
	body := bytes.NewBuffer(make([]byte, 0, min(max(declared, 1<<10), oob.BodyBytesMax)+bytes.MinRead))
	_, err := body.ReadFrom(r)
	return body.Bytes(), err
}
