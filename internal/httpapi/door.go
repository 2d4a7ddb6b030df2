// Package httpapi is the door of a CPS: it lets a request in, has it read by its dialect and judged by the service, and
// gives the answer. Every request goes through the same steps, in serve.
//
// Knows: limits, deadlines, methods, media types, status codes, one log line per request. Never hears of: what is
// stored how, what a PASSporT says.
//
// # Failures
//
// Every failure is an *oob.Fault; its row gives the status, its detail goes to the requester. Whatever is no Fault is
// Internal, a panic included: the requester gets a request id and no text, the log gets both.
//
// # Limits
//
// A body has at most oob.BodyBytesMax bytes and must arrive within Config.BodyTimeout; a request is answered within
// Config.Timeout. At most Config.InFlightMax bodies are on their way at a time, and as many requests are judged and
// answered; of both, one address has a sixteenth. More are answered 503. Asking for health takes no place. What is no
// HTTP, or has a header of more than 16 KiB, never gets here: net/http answers it 400 or 431.
//
// Read door.go, passports.go, answer.go, server.go, in this order.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httplimit"
	"github.com/viaduct-oob/viaduct/internal/latent"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/trust"
)

// Config is what a door needs. Zero durations and counts mean the defaults in the comments.
type Config struct {
	Service  *cps.Service    // needed
	Verifier *trust.Verifier // proves who asks; needed
	Profiles []oob.Profile   // the forms to serve; empty means all
	Log      *slog.Logger    // nil means none
	Metrics  *Metrics        // nil means none

	BodyTimeout time.Duration // for the whole body to arrive; 5 s
	Timeout     time.Duration // for an answer, fetching certificates included; 5 s
	InFlightMax int           // requests at a time, and bodies on their way at a time; 4096
	Crew        int           // goroutines that are kept for serving requests, see crew.go; 0 for none
}

// shares is how many addresses it takes to fill all places.
const shares = 16

// New makes the handler of the public listener.
func New(c Config) (http.Handler, error) {
	if c.Service == nil || c.Verifier == nil {
		return nil, errors.New("a door needs a service and a verifier")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.BodyTimeout == 0 {
		c.BodyTimeout = bodyTimeoutDefault
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.InFlightMax == 0 {
		c.InFlightMax = 4096
	}
	d := &door{config: c, mux: http.NewServeMux(), crew: newCrew(c.Crew)}
	d.bodies = httplimit.NewPlaces[netip.Prefix](c.InFlightMax, c.InFlightMax/shares)
	d.requests = httplimit.NewPlaces[netip.Prefix](c.InFlightMax, c.InFlightMax/shares)
	for _, e := range atis.Endpoints {
		if len(c.Profiles) == 0 || slices.Contains(c.Profiles, e.Profile) {
			d.mux.Handle(e.Pattern, d.through(e.Pattern, d.passports(e)))
		}
	}
	d.mux.Handle(atis.HealthPath, d.through(atis.HealthPath, d.health))
	d.unknown = d.through("", func(*exchange) error { return oob.Faultf(oob.WrongPath, "there is no such resource") })
	d.mux.Handle("/", d.unknown)
	return d, nil
}

type door struct {
	config   Config
	mux      *http.ServeMux
	unknown  http.Handler
	bodies   *httplimit.Places[netip.Prefix] // of bodies on their way: what it costs is memory
	crew     *crew
	requests *httplimit.Places[netip.Prefix] // of requests from when all of them is there to when their answer has been taken
}

// ServeHTTP hands the request to its resource. The mux would redirect a path with empty or dot segments; nobody who
// publishes a PASSporT follows a redirect, so that such a path is simply unknown. So is the asterisk of OPTIONS.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if escaped := r.URL.EscapedPath(); !strings.HasPrefix(escaped, "/") || path.Clean(escaped) != escaped {
		d.unknown.ServeHTTP(w, r)
		return
	}
	d.crew.serve(d.mux, w, r)
}

// exchange is one request and what becomes of it.
type exchange struct {
	w   http.ResponseWriter
	r   *http.Request
	ctx context.Context // that of the request, with the deadline for its answer

	operation string // what was asked for: publish, retrieve, health; for log and metrics
	profile   string
	spc       string // who asked, once proven
	id        string // request id, for an Internal fault
	leave     func() // gives back the place among the requests; nil when there is none

	status int // of a success
	body   []byte
}

// through gives every resource the same way in and out.
func (d *door) through(pattern string, resource func(*exchange) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		x := &exchange{w: w, r: r, status: http.StatusOK}
		fault := d.serve(x, resource)
		d.answer(x, fault)
		if x.leave != nil {
			x.leave()
		}
		d.record(x, pattern, fault, time.Since(began))
	})
}

// serve is the way in: deadlines, the resource.
func (d *door) serve(x *exchange, resource func(*exchange) error) (fault *oob.Fault) {
	if err := httplimit.BodyTime(x.w, x.r, d.config.BodyTimeout); err != nil {
		return oob.FaultOf(err)
	}
	defer func() {
		if p := recover(); p != nil {
			fault = oob.FaultOf(fmt.Errorf("panic: %v: %s", p, debug.Stack()))
		}
	}()
	ctx, cancel := latent.WithTimeout(x.r.Context(), d.config.Timeout)
	defer cancel()
	x.ctx = ctx
	return interrupted(oob.FaultOf(resource(x)))
}

// enter takes a place among the requests, which is kept until the answer has been taken. A request whose body is not
// there yet has none: whoever sends slowly keeps nobody out.
func (d *door) enter(x *exchange) error {
	from := httplimit.AddressOf(x.r.RemoteAddr)
	if !d.requests.Take(from) {
		return crowded()
	}
	x.leave = func() { d.requests.Leave(from) }
	return nil
}

func crowded() error {
	return oob.Faultf(oob.Overloaded, "too many requests at a time").After(time.Second)
}

// interrupted tells an end of the request's context, which is nobody's bug, from an Internal fault.
func interrupted(fault *oob.Fault) *oob.Fault {
	switch {
	case fault == nil || fault.Kind != oob.Internal:
		return fault
	case errors.Is(fault, context.Canceled):
		return oob.Faultf(oob.Malformed, "the requester broke off").Because(fault.Err)
	case errors.Is(fault, context.DeadlineExceeded):
		return oob.Faultf(oob.Overloaded, "no answer in time").Because(fault.Err).After(time.Second)
	}
	return fault
}

// health needs no authentication (ATIS-1000096 §7).
func (d *door) health(x *exchange) error {
	x.operation = "health"
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return x.wrongMethod("GET, HEAD")
	}
	return d.config.Service.Health()
}

func (x *exchange) wrongMethod(allow string) error {
	x.w.Header().Set("Allow", allow)
	return oob.Faultf(oob.WrongMethod, "allowed here: %s", allow)
}
