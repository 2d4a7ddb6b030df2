// Package rfc9888 is the dialect of RFC 9888: the interface that RFC 8816 §9 sketches, with what it leaves open chosen
// here, and the push that RFC 9888 §6 names and does not define. Both directions of every body stand side by side, so that a
// client and a server of ours cannot disagree.
//
// Knows: paths, bodies, preferences, problem details, events and the two streams that carry them. Never hears of: who may do
// what, where records lie, sockets, signatures.
//
//	POST /cps/{dest}/ppts       application/passport  ──►  201, Location: /cps/{dest}/ppts/{id}
//	GET  /cps/{dest}/ppts                             ──►  200 ["/cps/{dest}/ppts/{id}", …]
//	GET  /cps/{dest}/ppts/{id}                        ──►  200 application/passport
//	GET  /cps/ppts?dest=0-567A&dest=2-12015550199     ──►  200 text/event-stream, or 101 WebSocket
//
// # What the documents leave open
//
// A list is a JSON array of references to its items, newest first, and empty where there is nothing; ?orig= narrows it to
// one caller. Who prefers it (RFC 7240) gets the PASSporTs themselves, as in the ATIS forms, or waits until there are any.
// A called number stands in the path in canonical form; a + in front, visual separators and a slash behind are
// tolerated. Refusals are problem details (RFC 9457).
//
// # Failures
//
// Whatever cannot be read is an *oob.Fault of kind Malformed or TooLarge, whose detail names the part and never its value.
//
// # Limits
//
// Those of package oob hold, and those of the constants here.
package rfc9888

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Patterns of paths below the base path, with {dest} and {id}, each one percent-encoded segment.
const (
	CollectionPattern = "/cps/{dest}/ppts"
	ItemPattern       = "/cps/{dest}/ppts/{id}"
	SubscribePattern  = "/cps/ppts"
)

// Endpoint is one operation.
type Endpoint struct {
	Method  string
	Pattern string
	Action  oob.Action // what an access token must permit
	Section string
}

// Endpoints are the operations of the form.
var Endpoints = []Endpoint{
	{http.MethodPost, CollectionPattern, oob.ActionPublish, "RFC 8816 §9"},
	{http.MethodGet, CollectionPattern, oob.ActionRetrieve, "RFC 8816 §9"},
	{http.MethodGet, ItemPattern, oob.ActionRetrieve, "RFC 8816 §9"},
	{http.MethodGet, SubscribePattern, oob.ActionSubscribe, "RFC 9888 §6"},
}

// separators are what people put between digits, and RFC 8816 §9 does.
var separators = strings.NewReplacer(".", "", "-", "", "(", "", ")", "", " ", "")

// destLengthMax bounds a called number as it is written.
const destLengthMax = 64

// ReadDest reads the decoded segment {dest}: a number with a + or without, and visual separators anywhere.
func ReadDest(segment string) (tn.Number, error) {
	n, err := tn.Number{}, error(tn.ErrNotNumber)
	if len(segment) <= destLengthMax {
		n, err = tn.ParseNumber(separators.Replace(strings.TrimPrefix(segment, "+")))
	}
	if err != nil {
		return tn.Number{}, oob.Faultf(oob.Malformed, "the called number in the path is not one")
	}
	return n, nil
}

// ReadOrig reads the query of a list: the caller that it is narrowed to, nobody when there is none. Other parameters are passed
// over.
func ReadOrig(query url.Values) (tn.Identity, error) {
	values := query[origParameter]
	if len(values) == 0 {
		return tn.Identity{}, nil
	}
	orig, err := tn.ParseIdentity(values[0])
	if err != nil || len(values) > 1 {
		return tn.Identity{}, oob.Faultf(oob.Malformed, "orig in the query is neither digits without + nor a URI, or stands twice")
	}
	return orig, nil
}

const origParameter = "orig"

// CollectionPath is where a client publishes to and finds what is there for dest.
func CollectionPath(dest tn.Number) string {
	return "/cps/" + url.PathEscape(dest.String()) + "/ppts"
}

// NarrowedPath is that of a collection, with the query that narrows it to one caller; nobody narrows nothing.
func NarrowedPath(dest tn.Number, orig tn.Identity) string {
	if orig.IsZero() {
		return CollectionPath(dest)
	}
	return CollectionPath(dest) + "?" + url.Values{origParameter: {orig.String()}}.Encode()
}

// ItemPath is where the record with a PASSporT of that name is found, see oob.PassportID.
func ItemPath(dest tn.Number, id string) string {
	return CollectionPath(dest) + "/" + url.PathEscape(id)
}

// Link is the value of a Link header field (RFC 8288 §3): self on a collection, collection on an item.
func Link(path, relation string) string { return "<" + path + `>; rel="` + relation + `"` }
