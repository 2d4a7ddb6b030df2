package stiapi

import (
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
)

const mediaType = "application/json"

// checkHeader judges what a request says of itself, in the order of the statuses that it could have.
func (d *Door) checkHeader(x *exchange) *sti.Exception {
	header := x.r.Header
	switch {
	case x.r.Method != http.MethodPost:
		x.w.Header().Set("Allow", http.MethodPost)
		return d.refuse(x, sti.WrongMethod)
	case !isJSON(header):
		return d.refuse(x, sti.RequestType, mediaType)
	case !accepts(header.Values("Accept")):
		return d.refuse(x, sti.AnswerType, strings.Join(header.Values("Accept"), ", "))
	case x.r.ContentLength < 0 || header.Get("Content-Length") == "": // a body in chunks, or of HTTP/2 without its length
		return d.refuse(x, sti.MissingLength)
	}
	return nil
}

// isJSON takes application/json with any parameters, said once, for a body that is not encoded: what is compressed could
// be any length.
func isJSON(header http.Header) bool {
	if coding := header.Values("Content-Encoding"); len(coding) > 1 || len(coding) == 1 && !strings.EqualFold(coding[0], "identity") {
		return false
	}
	types := header.Values("Content-Type")
	if len(types) != 1 {
		return false
	}
	media, _, err := mime.ParseMediaType(types[0])
	return (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter)) && media == mediaType
}

// accepts reports whether the answer may be JSON: by the media range that says most of it (RFC 9110 §12.5.1). A range of
// weight 0 is one that is not wanted. Without Accept anything is.
func accepts(values []string) bool {
	said, wanted := -1, len(values) == 0
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") {
			media, parameters, _ := mime.ParseMediaType(one)
			precision := map[string]int{"*/*": 0, "application/*": 1, mediaType: 2}
			p, fits := precision[media]
			if !fits || p < said {
				continue
			}
			weight := strings.Trim(parameters["q"], "0.")
			isWanted := parameters["q"] == "" || weight != ""
			wanted = isWanted || wanted && p == said
			said = p
		}
	}
	return wanted
}

// requestIDBytesMax bounds X-RequestID. A UUID has 36.
const requestIDBytesMax = 128

// requestIDOf is the X-RequestID that the switch has given, or a new one where it has given none, several, or one that is
// more than an identifier: it goes back in a header field, and into the trace.
func requestIDOf(header http.Header) string {
	values := header.Values("X-RequestID")
	if len(values) != 1 || values[0] == "" || len(values[0]) > requestIDBytesMax {
		return uuid.New()
	}
	for i := range len(values[0]) {
		c := values[0][i]
		isAlphanumeric := '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !isAlphanumeric && strings.IndexByte("-._~:/@+=", c) < 0 {
			return uuid.New()
		}
	}
	return values[0]
}
