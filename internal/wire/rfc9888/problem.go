package rfc9888

import (
	"strconv"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/oob"
)

// ProblemMedia is the media type of a refusal (RFC 9457 §3).
const ProblemMedia = "application/problem+json"

// problemType comes before the slug of a kind, in the type of a problem.
const problemType = "urn:viaduct:fault:"

// WriteProblem is the body of a refusal (RFC 9457 §3). Of f, only what may be told is in it.
func WriteProblem(f *oob.Fault) []byte {
	row := f.Kind.Row()
	text := jws.AppendString([]byte(`{"type":`), problemType+row.Slug)
	text = jws.AppendString(append(text, `,"title":`...), row.Title)
	text = strconv.AppendInt(append(text, `,"status":`...), int64(row.HTTP), 10)
	if f.Detail != "" {
		text = jws.AppendString(append(text, `,"detail":`...), strings.ToValidUTF8(f.Detail, "?"))
	}
	return append(text, '}')
}

// ReadProblem makes the Fault that an answer with an error status stands for. The kind is that of the type where its row has
// this status, else the one that the status suggests. What the peer says of it becomes the cause, for the log.
func ReadProblem(status int, body []byte) *oob.Fault {
	var kind, title, detail string
	// A body that cannot be read leaves all empty: the status alone decides.
	_ = jws.Object(body, wire.DepthMax, func(name string, value jws.Value) error {
		switch name {
		case "type":
			kind, _ = jws.String(value)
		case "title":
			title, _ = jws.String(value)
		case "detail":
			detail, _ = jws.String(value)
		}
		return nil
	})
	if detail == "" {
		detail = title
	}
	slug, _ := strings.CutPrefix(kind, problemType)
	return wire.FaultOf(status, slug, detail)
}
