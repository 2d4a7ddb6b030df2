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
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
)

// answer is the way out. A fault's row says the status; some statuses come with a header field of their own.
func (d *door) answer(x *exchange, fault *oob.Fault) {
	if x.told {
		return
	}
	header := x.w.Header()
	if header["Content-Type"] == nil || fault != nil {
		header["Content-Type"] = isJSON
	}
	header["Cache-Control"], header["X-Content-Type-Options"] = notStored, notSniffed
	status, body := x.status, x.body
	if fault != nil {
		status = fault.Kind.Row().HTTP
		told := x.outward(fault)
		if x.problem {
			header["Content-Type"], body = isProblem, rfc9888.WriteProblem(told)
		} else {
			body = statusOf(told)
		}
		switch status {
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			header.Set("Retry-After", wholeSeconds(fault.RetryAfter))
		case http.StatusUnauthorized:
			header.Set("WWW-Authenticate", "Bearer") // RFC 9110 §15.5.2
		}
	} else if status == http.StatusNoContent {
		delete(header, "Content-Type")
	} else if body == nil {
		body = atis.WriteStatus(status, http.StatusText(status), "")
	}
	// Of what is short net/http counts it by itself, in a place that is there already.
	if status != http.StatusNoContent && len(body) > countedMost {
		header["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	x.w.WriteHeader(status)
	// A requester that has gone away cannot be told anything.
	_, _ = x.w.Write(body)
}

// outward is what is told of a fault: of one of ours nothing but the id under which the log tells more.
func (x *exchange) outward(fault *oob.Fault) *oob.Fault {
	if fault.Kind != oob.Internal {
		return fault
	}
	told := *fault
	x.id = requestID()
	told.Detail = "request " + x.id
	return &told
}

// statusOf is a fault as the forms of ATIS tell it.
func statusOf(told *oob.Fault) []byte {
	row, message := told.Kind.Row(), told.Kind.Row().Title
	switch {
	case told.Detail == "":
	case told.Kind == oob.Internal:
		message += ", " + told.Detail
	default:
		message += ": " + told.Detail
	}
	return atis.WriteStatus(row.HTTP, message, row.Slug)
}

// countedMost is how long a body can be that net/http keeps until the handler has returned, in HTTP/1.1 and in HTTP/2.
const countedMost = 2000

// wholeSeconds is a time to wait, rounded up; one second where it is not known.
func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}

// causeBytesMax bounds what a log line says of a cause: some causes quote what a repository sent.
const causeBytesMax = 300

// record writes the one log line, but for most of a flood, and the metrics. The path is not in it, because it holds numbers.
func (d *door) record(x *exchange, pattern string, fault *oob.Fault, began time.Time) {
	now := time.Now()
	took := now.Sub(began)
	kind, level, status := "", slog.LevelInfo, x.status
	if fault != nil {
		kind, status = fault.Kind.String(), fault.Kind.Row().HTTP
		if fault.Kind == oob.Internal {
			level = slog.LevelError
		}
	}
	d.config.Metrics.observe(x.operation, x.profile, kind, took)
	if x.quiet || x.crowded && fault != nil && !d.flood.hasLine(fault.Kind) {
		return
	}
	ctx, handler := x.r.Context(), d.config.Log.Handler()
	if !handler.Enabled(ctx, level) {
		return
	}
	line := slog.NewRecord(now, level, "request", 0) // a Logger would look up the caller, which is always this line
	line.AddAttrs(
		slog.String("method", knownMethod(x.r.Method)), slog.String("resource", pattern), slog.Int("status", status),
		slog.Float64("took_ms", float64(took.Microseconds())/1000), slog.String("spc", x.spc), slog.String("peer", x.r.RemoteAddr),
	)
	if x.holder != "" {
		line.AddAttrs(slog.String("certificate", x.holder))
	}
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
	isProblem  = []string{rfc9888.ProblemMedia}
	notStored  = []string{"no-store"}
	notSniffed = []string{"nosniff"}
)
