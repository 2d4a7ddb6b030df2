package httpapi

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// answer is the way out. A fault's row says the status; some statuses come with a header field of their own.
func (d *door) answer(x *exchange, fault *oob.Fault) {
	header := x.w.Header()
	header["Content-Type"], header["Cache-Control"], header["X-Content-Type-Options"] = isJSON, notStored, notSniffed
	status, body := x.status, x.body
	if fault != nil {
		row := fault.Kind.Row()
		status = row.HTTP
		message := row.Title
		switch {
		case fault.Kind == oob.Internal:
			x.id = requestID()
			message += ", request " + x.id
		case fault.Detail != "":
			message += ": " + fault.Detail
		}
		body = atis.WriteStatus(status, message, row.Slug)
		switch status {
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			header.Set("Retry-After", wholeSeconds(fault.RetryAfter))
		case http.StatusUnauthorized:
			header.Set("WWW-Authenticate", "Bearer") // RFC 9110 §15.5.2
		}
	} else if body == nil {
		body = atis.WriteStatus(status, http.StatusText(status), "")
	}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.w.WriteHeader(status)
	// A requester that has gone away cannot be told anything.
	_, _ = x.w.Write(body)
}

// wholeSeconds is a time to wait, rounded up; one second where it is not known.
func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}

// causeBytesMax bounds what a log line says of a cause: some causes quote what a repository sent.
const causeBytesMax = 300

// record writes the one log line and the metrics. The path is not in it, because it holds numbers.
func (d *door) record(x *exchange, pattern string, fault *oob.Fault, took time.Duration) {
	kind, level, status := "", slog.LevelInfo, x.status
	if fault != nil {
		kind, status = fault.Kind.String(), fault.Kind.Row().HTTP
		if fault.Kind == oob.Internal {
			level = slog.LevelError
		}
	}
	d.config.Metrics.observe(x.operation, x.profile, kind, took)
	ctx, handler := x.r.Context(), d.config.Log.Handler()
	if !handler.Enabled(ctx, level) {
		return
	}
	line := slog.NewRecord(time.Now(), level, "request", 0) // a Logger would look up the caller, which is always this line
	line.AddAttrs(
		slog.String("method", knownMethod(x.r.Method)), slog.String("resource", pattern), slog.Int("status", status),
		slog.Float64("took_ms", float64(took.Microseconds())/1000), slog.String("spc", x.spc), slog.String("peer", x.r.RemoteAddr),
	)
	if fault != nil {
		line.AddAttrs(slog.String("fault", kind), slog.String("detail", fault.Detail))
		if fault.Err != nil {
			line.AddAttrs(slog.String("cause", causeOf(fault)))
		}
		if x.id != "" {
			line.AddAttrs(slog.String("request", x.id))
		}
	}
	_ = handler.Handle(ctx, line) // as every Logger does: where to complain but the log?
}

// knownMethod keeps what a peer invents out of the log.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "other"
}

// numbers are what a cause may quote from an x5u or a peer, and a log must not hold.
var numbers = regexp.MustCompile(`[0-9]{7,}`)

// causeOf is whole for an Internal fault, which may be a panic with its stack.
func causeOf(fault *oob.Fault) string {
	text := numbers.ReplaceAllString(fault.Err.Error(), "#")
	if fault.Kind != oob.Internal && len(text) > causeBytesMax {
		text = text[:causeBytesMax] + "…"
	}
	return text
}

func requestID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand
	return hex.EncodeToString(id[:])
}

// Values that every answer has, shared: net/http does not change them.
var (
	isJSON     = []string{"application/json"}
	notStored  = []string{"no-store"}
	notSniffed = []string{"nosniff"}
)
