package stiapi

import (
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/sti"
)

// answer is the way out, and gives the status.
func (d *Door) answer(x *exchange, body []byte, e *sti.Exception) int {
	header := x.w.Header()
	status := http.StatusOK
	if e != nil {
		status, body = e.Kind.Row().Status, sti.WriteException(e)
		x.trace.Step("refused", e.Error())
	}
	header["Content-Type"], header["Cache-Control"], header["X-Content-Type-Options"] = typeJSON, notStored, notSniffed
	header["X-RequestID"] = []string{x.requestID} // as the documents spell it
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.w.WriteHeader(status)
	// A requester that has gone away cannot be told anything.
	_, _ = x.w.Write(body)
	return status
}

// Values that every answer has, shared: net/http does not change them.
var (
	typeJSON   = []string{mediaType}
	notStored  = []string{"no-store"}
	notSniffed = []string{"nosniff"}
)

// record counts the request and writes its log line. What the switch has chosen is not in it: it may hold numbers.
func (d *Door) record(x *exchange, status int, e *sti.Exception, took time.Duration) {
	client, on := "", ""
	if x.client != nil {
		client = x.client.Name
	}
	if x.trunk != nil {
		on = x.trunk.Name
	}
	d.tally.add(RequestCount{client, x.resource.asks.String(), status})
	level := slog.LevelInfo
	line := []slog.Attr{
		slog.String("resource", x.resource.asks.String()), slog.Int("status", status), slog.Float64("took_ms", float64(took.Microseconds())/1000),
		slog.String("client", client), slog.String("trunk", on), slog.String("peer", x.r.RemoteAddr),
	}
	if e != nil {
		line = append(line, slog.String("exception", e.Kind.Row().ID))
	}
	if x.failOpen != "" {
		line = append(line, slog.String("fail_open", string(x.failOpen)))
	}
	if e != nil && e.Kind == sti.Internal {
		level = slog.LevelError
		line = append(line, slog.String("trace", x.trace.ID()))
	}
	if x.stack != nil {
		line = append(line, slog.String("stack", string(x.stack))) // without what was said, which may quote a request
	}
	d.config.Log.LogAttrs(x.r.Context(), level, "switch request", line...)
}

// Stats is what has been counted since the start. No key holds anything that a requester chooses.
type Stats struct {
	Requests     map[RequestCount]int64
	Unproven     int64 // requests of nobody we know: no proof, or a wrong one
	TooManyTries int64 // those that were not looked at any more
	InFlight     int   // requests now
}

// RequestCount is what requests are counted by.
type RequestCount struct {
	Client   string // empty for nobody we know
	Resource string // signing, verification, publish, retrieve; empty for others
	Status   int
}

type tally struct {
	unproven, tooManyTries atomic.Int64

	mu       sync.Mutex
	requests map[RequestCount]int64 // guarded by mu
}

func (t *tally) add(c RequestCount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.requests == nil {
		t.requests = map[RequestCount]int64{}
	}
	t.requests[c]++
}

// Stats tells what has been counted.
func (d *Door) Stats() Stats {
	d.tally.mu.Lock()
	defer d.tally.mu.Unlock()
	return Stats{
		Requests: maps.Clone(d.tally.requests), Unproven: d.tally.unproven.Load(), TooManyTries: d.tally.tooManyTries.Load(), InFlight: d.places.Taken(),
	}
}
