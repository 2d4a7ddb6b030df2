// Package httpapi is the door of a CPS: it lets a request in, has it read by its dialect and judged by the service, and
// gives the answer. Every request goes through the same steps, in serve.
//
// Knows: limits, deadlines, methods, media types, status codes, one log line per request, but for most of a flood. Never
// hears of: what is stored how, what a PASSporT says.
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
// Of those that are judged, as many are worked on at a time as there are processors for; the others wait before anything is
// spent on a signature, or are answered 429 or 503 (package turnstile; overload.go). TLS handshakes, HTTP and what is read of
// a request until then come before that, and are bounded by connections, places and times alone.
//
// Read door.go, overload.go, passports.go, answer.go, server.go, in this order.
package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httplimit"
	"github.com/viaduct-oob/viaduct/internal/latent"
	"github.com/viaduct-oob/viaduct/internal/nice"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
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

	// Turnstile says who is worked on next; nil means one of its own, with the defaults.
	Turnstile *turnstile.Turnstile

	// Advertisements serves what this CPS says of itself at its well-known path; nil for nothing.
	Advertisements http.Handler

	WaitsMax  int           // requests that wait for something to come, see RFC 7240 §4.3; 16,384
	Heartbeat time.Duration // how often a subscriber is told something though nothing happens; 15 s
	Crew      int           // goroutines that are kept for serving requests, see crew.go; 0 for none
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
	if c.WaitsMax == 0 {
		c.WaitsMax = 16_384
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 15 * time.Second
	}
	if c.Turnstile == nil {
		c.Turnstile = turnstile.New(turnstile.Config{})
	}
	if len(c.Profiles) == 0 {
		c.Profiles = oob.Profiles()
	}
	d := &door{config: c, mux: http.NewServeMux(), crew: newCrew(c.Crew), nice: nice.New(), flood: flood{log: c.Log}}
	d.bodies = httplimit.NewPlaces[netip.Prefix](c.InFlightMax, c.InFlightMax/shares)
	d.requests = httplimit.NewPlaces[netip.Prefix](c.InFlightMax, c.InFlightMax/shares)
	for _, e := range atis.Endpoints {
		if d.serves(e.Profile) {
			resource := d.passports(e)
			d.mux.Handle(e.Pattern, d.through(e.Pattern, resource))
			d.direct.put(e, resource)
		}
	}
	if d.serves(oob.Mesh) {
		d.mux.Handle(atis.RelaysPath, d.through(atis.RelaysPath, d.relays))
	}
	d.waits = httplimit.NewPlaces[netip.Prefix](c.WaitsMax, c.WaitsMax/shares)
	if d.serves(oob.RFC9888) || d.serves(oob.Company) {
		d.openProviders()
	}
	if c.Advertisements != nil {
		d.mux.Handle(advert.WellKnown, d.through(advert.WellKnown, func(x *exchange) error {
			x.operation, x.told = "advertisement", true
			seen := &statusWriter{ResponseWriter: x.w, status: x.status}
			c.Advertisements.ServeHTTP(seen, x.r)
			x.status = seen.status
			return nil
		}))
	}
	d.mux.Handle(atis.HealthPath, d.through(atis.HealthPath, d.health))
	d.unknown = d.through("", func(x *exchange) error {
		x.problem = strings.HasPrefix(x.r.URL.Path, providersPath)
		return oob.Faultf(oob.WrongPath, "there is no such resource")
	})
	d.mux.Handle("/", d.unknown)
	d.hall = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to, segments, ok := d.direct.find(r); ok {
			d.pass(&exchange{w: w, r: r, status: http.StatusOK, segments: segments}, to)
		} else {
			d.mux.ServeHTTP(w, r)
		}
	})
	return d, nil
}

type door struct {
	config   Config
	mux      *http.ServeMux
	direct   direct       // the ways that need no mux
	hall     http.Handler // finds any way
	unknown  http.Handler
	bodies   *httplimit.Places[netip.Prefix] // of bodies on their way: what it costs is memory
	crew     *crew
	nice     *nice.Thread // judges what other CPSs pass on
	flood    flood
	waits    *httplimit.Places[netip.Prefix] // of requests that wait for something to come
	requests *httplimit.Places[netip.Prefix] // of requests from when all of them is there to when their answer has been taken
}

// ServeHTTP hands the request to its resource. The mux would redirect a path with empty or dot segments; nobody who
// publishes a PASSporT follows a redirect, so that such a path is simply unknown. So is the asterisk of OPTIONS.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if to, segments, ok := d.direct.find(r); ok {
		if r.ProtoMajor < 2 {
			d.pass(&exchange{w: w, r: r, status: http.StatusOK, segments: segments}, to)
		} else {
			d.crew.serve(d.hall, w, r)
		}
		return
	}
	if at := trimmed(r.URL.Path); at != r.URL.Path {
		trim := *r
		trim.URL = &url.URL{Path: at, RawPath: trimmed(r.URL.RawPath), RawQuery: r.URL.RawQuery}
		r = &trim
	}
	if escaped := r.URL.EscapedPath(); !strings.HasPrefix(escaped, "/") || path.Clean(escaped) != escaped {
		d.unknown.ServeHTTP(w, r)
		return
	}
	// Who waits is none for the crew, and in HTTP/1.1 a connection has one goroutine for all its requests.
	if r.ProtoMajor < 2 || r.URL.Path == rfc9888.SubscribePattern || len(r.Header["Prefer"]) > 0 {
		d.mux.ServeHTTP(w, r)
		return
	}
	d.crew.serve(d.mux, w, r)
}

// statusWriter remembers the status that somebody else answers with.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// exchange is one request and what becomes of it.
type exchange struct {
	w   http.ResponseWriter
	r   *http.Request
	ctx context.Context // that of the request, with the deadline for its answer

	operation string // what was asked for: publish, retrieve, health; for log and metrics
	profile   string
	spc       string // who asked, once proven
	holder    string // what stands for its certificate, where that names no provider or several
	pattern   string // of the resource, where its handler has several; else empty
	id        string // request id, for an Internal fault
	leave     func() // gives back the place among the requests; nil when there is none

	pass *turnstile.Pass // while it is worked on; nil before
	room *[]byte         // of its body; nil before that is there

	segments [3]string // of the path: {spc}, {dest} and {orig}; empty where the mux has read them

	status  int // of a success
	body    []byte
	crowded bool // refused for want of a place
	quiet   bool // it has no line in the log: one of several relays, of which the request has one
	problem bool // a fault is told as problem details (RFC 9457)
	told    bool // the answer has been given: a stream
}

// whom notes who asked.
func (x *exchange) whom(p oob.Principal) {
	if len(p.Scope.SPCs) == 1 {
		x.spc = p.Account
		return
	}
	x.spc, x.holder = p.SPC, p.Account
}

// through gives every resource the same way in and out.
func (d *door) through(pattern string, resource func(*exchange) error) http.Handler {
	to := &way{pattern, resource}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.pass(&exchange{w: w, r: r, status: http.StatusOK}, to)
	})
}

// pass lets one request in and out.
func (d *door) pass(x *exchange, to *way) {
	began := time.Now()
	fault := d.serve(x, to.resource)
	d.answer(x, fault)
	x.leaveRoom()
	if x.leave != nil {
		x.leave()
	}
	d.record(x, cmp.Or(x.pattern, to.pattern), fault, began)
}

// serve is the way in: deadlines, the resource.
func (d *door) serve(x *exchange, resource func(*exchange) error) (fault *oob.Fault) {
	if err := httplimit.BodyTime(x.w, x.r, d.config.BodyTimeout); err != nil {
		return oob.FaultOf(err)
	}
	defer func() {
		if x.pass != nil {
			x.pass.Leave()
		}
		if p := recover(); p != nil {
			fault = oob.FaultOf(panicked(p))
		}
	}()
	ctx, cancel := latent.WithTimeout(x.r.Context(), d.config.Timeout)
	defer cancel()
	x.ctx = ctx
	return interrupted(oob.FaultOf(resource(x)))
}

// panicked is the error of who has panicked, which ends nothing but what was asked for.
func panicked(p any) error { return fmt.Errorf("panic: %v: %s", p, debug.Stack()) }

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
