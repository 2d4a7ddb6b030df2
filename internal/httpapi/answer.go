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
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
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
	header.Set("Content-Length", strconv.Itoa(len(body)))
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
	ctx := x.r.Context()
	if !d.config.Log.Enabled(ctx, level) {
		return
	}
	attributes := []slog.Attr{
		slog.String("method", knownMethod(x.r.Method)), slog.String("resource", pattern), slog.Int("status", status),
		slog.Duration("took", took), slog.String("spc", x.spc), slog.String("peer", x.r.RemoteAddr),
	}
	if fault != nil {
		attributes = append(attributes, slog.String("fault", kind), slog.String("detail", fault.Detail))
		if fault.Err != nil {
			attributes = append(attributes, slog.String("cause", causeOf(fault)))
		}
		if x.id != "" {
			attributes = append(attributes, slog.String("request", x.id))
		}
	}
	d.config.Log.LogAttrs(ctx, level, "request", attributes...)
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
