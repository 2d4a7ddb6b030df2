// Package stiapi is the door of the HTTP API with which switches have calls signed and verified (ATIS-1000082, and Ms of
// TS 24.229 §V), and PASSporTs carried across TDM.
//
// Knows: who may ask, methods, header fields, limits, statuses, which trunk a request belongs to, what a switch is told when
// something has failed. Never hears of: certificates of callers, CPSs, SIP messages, how a listener is opened.
//
// Read door.go first, then client.go, header.go, call.go, signing.go, verification.go, carry.go, answer.go.
//
// # What is asked, and of which trunks
//
//	POST {base}/stir/v1/signing       off: refused; sign: signed; sign_publish: signed and published before the answer
//	POST {base}/stir/v1/verification  off: No-TN-Validation; verify: verified, and looked for out of band
//	POST {base}/oob/v1/publish        off: nothing; publish: published
//	POST {base}/oob/v1/retrieve       off: nothing; retrieve: retrieved
//
// Another mode, or no trunk at all, is a resource that is not there: SVC4003. That holds for a signing request on a trunk
// that only publishes, because there is no PASSporT in the request that could be published. div and rph PASSporTs are signed,
// never published: out of band a diversion is a div-o, which needs the PASSporT inside that the switch keeps to itself.
//
// # Failures
//
// The call goes on, whatever happens. A verification that could not be made is No-TN-Validation, a signature that could not
// be published is given to the switch all the same, and publishing and retrieving that failed are an answer like others.
// Only a signature that cannot be made has no such answer in the documents. When that is for something in the request, it is
// a 400 that names the parameter: a switch counts that against no server. When we have nothing to sign with, it is POL5000:
// the switch tries its other server, and stops asking this one for a while, which is right.
//
// Every refusal is an [sti.Exception], in the dialect of the request as far as that can be told, else of the client. A panic
// is POL5000; the log has its stack and the requester nothing.
//
// # Limits
//
// Who has not proven who it is gets no further than its header: no body is read, no number parsed, no trace written. A
// client has a quarter of the places. Connections, and the time and the size of a header (16 KiB), are the server's: see
// httpapi.NewServer and httpapi.LimitConnections. Bodies: sti.BodyBytesMax, [Config].BodyTimeout.
package stiapi

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/httplimit"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/stias"
)

// Defaults.
const (
	InFlightDefault    = 4096
	BodyTimeoutDefault = 5 * time.Second
	TimeoutDefault     = trunk.BudgetMax + time.Second
)

// shares is how many clients it takes to fill all places.
const shares = 4

// Config is what a door needs. Zero durations and counts mean the defaults.
type Config struct {
	Dips    *dip.Service    // needed
	Signer  *stias.Service  // for div and rph, which are no dips, where the trunk has none of its own; nil: they are refused
	Trace   *trace.Recorder // nil for none
	Log     *slog.Logger    // nil for none
	Clients []Client        // who may ask; one at least
	Base    string          // before the paths, such as /sti; empty for none

	// KeyInQuery lets a client give its key as ?id=&key=, as some switches cannot do otherwise. URLs end in the logs of
	// proxies, so a key belongs into a header field.
	KeyInQuery bool

	// Strangers is the dialect in which those are refused who have not proven who they are.
	Strangers sti.Dialect

	InFlightMax int           // requests at a time
	BodyTimeout time.Duration // for a body to arrive
	Timeout     time.Duration // for an answer; above the budget of every trunk, which ends a dip before
	Now         func() time.Time
}

// Door answers requests. It is safe for concurrent use.
type Door struct {
	config    Config
	clients   clients
	tries     tries
	places    *httplimit.Places[string] // by client
	resources map[string]resource
	tally     tally
}

// resource is one path. do gives the body of the answer.
type resource struct {
	asks  trunk.Ask
	modes []trunk.Mode // of the trunks on which that makes sense
	do    func(*exchange, []byte) ([]byte, *sti.Exception)
}

// New makes a door. The error says which setting is wrong.
func New(c Config) (*Door, error) {
	if c.Dips == nil {
		return nil, errors.New("a door for switches needs somebody who knows what to do with their calls")
	}
	if c.Base != "" && (!strings.HasPrefix(c.Base, "/") || strings.HasSuffix(c.Base, "/")) {
		return nil, errors.New("the base of the paths begins with a slash and does not end with one")
	}
	if c.InFlightMax < 0 || c.BodyTimeout < 0 || c.Timeout < 0 {
		return nil, errors.New("a negative limit")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.InFlightMax = cmp.Or(c.InFlightMax, InFlightDefault)
	c.BodyTimeout = cmp.Or(c.BodyTimeout, BodyTimeoutDefault)
	c.Timeout = cmp.Or(c.Timeout, TimeoutDefault)
	known, err := newClients(c.Clients)
	if err != nil {
		return nil, err
	}
	d := &Door{config: c, clients: known, tries: tries{now: c.Now}}
	d.places = httplimit.NewPlaces[string](c.InFlightMax, c.InFlightMax/shares)
	d.resources = map[string]resource{
		c.Base + "/stir/v1/signing":      {trunk.AskSigning, []trunk.Mode{trunk.Sign, trunk.SignPublish}, d.sign},
		c.Base + "/stir/v1/verification": {trunk.AskVerification, []trunk.Mode{trunk.Off, trunk.Verify}, d.verify},
		c.Base + "/oob/v1/publish":       {trunk.AskPublish, []trunk.Mode{trunk.Off, trunk.Publish}, d.publish},
		c.Base + "/oob/v1/retrieve":      {trunk.AskRetrieve, []trunk.Mode{trunk.Off, trunk.Retrieve}, d.retrieve},
	}
	return d, nil
}

// exchange is one request and what becomes of it.
type exchange struct {
	w   http.ResponseWriter
	r   *http.Request
	ctx context.Context // that of the request, with the deadline for its answer

	client    *Client  // who asks; nil until that is proven
	resource  resource // zero until it is found
	requestID string
	trunk     *dip.Trunk // nil until it is found
	trace     *trace.Call
	failOpen  dip.Cause
	placed    bool
	stack     []byte // of a panic
}

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := d.config.Now()
	x := &exchange{w: w, r: r, requestID: requestIDOf(r.Header)}
	ctx, cancel := context.WithTimeout(r.Context(), d.config.Timeout)
	defer cancel()
	x.ctx = ctx
	defer func() {
		if x.placed {
			d.places.Leave(x.client.Name)
		}
	}()
	body, e := d.serve(x)
	status := d.answer(x, body, e)
	x.trace.Finish(status, string(x.failOpen))
	d.record(x, status, e, d.config.Now().Sub(began))
}

// serve is the way in: who asks, for what, in which form, on which trunk.
func (d *Door) serve(x *exchange) (body []byte, e *sti.Exception) {
	defer func() {
		if cause := recover(); cause != nil { // whatever is wrong with one request, the others go on
			x.stack = debug.Stack()
			body, e = nil, d.refuse(x, sti.Internal)
		}
	}()
	if err := httplimit.BodyTime(x.w, x.r, d.config.BodyTimeout); err != nil {
		return nil, d.refuse(x, sti.Internal)
	}
	var why sti.Kind
	if x.client, why = d.prove(x); x.client == nil {
		return nil, d.refuse(x, why)
	}
	resource, found := d.resources[x.r.URL.Path]
	if !found {
		return nil, d.refuse(x, sti.NotFound)
	}
	x.resource = resource
	x.trace = d.config.Trace.Begin("http", addressOf(x.r.RemoteAddr), localOf(x.r), x.requestID)
	x.noteInstance()
	if e := d.checkHeader(x); e != nil {
		return nil, e
	}
	if !d.places.Take(x.client.Name) {
		x.w.Header().Set("Retry-After", "1")
		return nil, d.refuse(x, sti.Crowded)
	}
	x.placed = true
	if e := d.findTrunk(x); e != nil {
		return nil, e
	}
	text, e := d.body(x)
	if e != nil {
		return nil, e
	}
	return x.resource.do(x, text)
}

// refuse makes an exception in the dialect of the client.
func (d *Door) refuse(x *exchange, why sti.Kind, variables ...string) *sti.Exception {
	return why.In(d.dialect(x), variables...)
}

func (d *Door) dialect(x *exchange) sti.Dialect {
	if x.client == nil {
		return d.config.Strangers
	}
	return x.client.Dialect
}

// body reads the body.
func (d *Door) body(x *exchange) ([]byte, *sti.Exception) {
	if x.r.ContentLength > sti.BodyBytesMax {
		return nil, d.refuse(x, sti.Unparsable, "it is too long")
	}
	text, err := httplimit.ReadBody(x.w, x.r, sti.BodyBytesMax, nil)
	switch {
	case err == nil:
		return text, nil
	case errors.Is(err, httplimit.ErrTooSlow):
		return nil, d.refuse(x, sti.Unparsable, "it did not arrive in time")
	case errors.Is(err, httplimit.ErrTooLong):
		return nil, d.refuse(x, sti.Unparsable, "it is too long")
	}
	return nil, d.refuse(x, sti.Unparsable, "it broke off")
}
