// Package sti holds the two dialects of the API with which switches have calls signed and verified: ATIS-1000082, and
// the Ms reference point of TS 24.229 §V (Rel-17).
//
// Knows: JSON bodies of requests and answers, the error table, the spellings of verstat. Never hears of: sockets, keys,
// how a call is signed or verified.
//
// Neither text is public. What this package does rests on public OpenAPI files, vendors' pages and two independent
// implementations. What they leave open is decided so:
//
//   - a request that has a member of one dialect is of that dialect; one that tells nothing is of the dialect that the
//     caller names
//   - a member that is null is absent
//   - error texts of Ms are those of ATIS-1000082 without "Error: ", with the variables in their places
//   - of a PASSporT that was not judged, Ms says nothing: its status can only be pass or fail
//
// POST {base}/stir/v1/verification and POST {base}/stir/v1/signing:
//
//	             ATIS-1000082                     Ms
//	request      from, to, time, identity         from, to, dest, time, identityHeader, identityHeaders
//	answer       verstat, reasoncode, …           verstatValue, verifyResults, divResult, verstatPriority
//	request      attest, dest, iat, orig, origid  the same, and ppt, div, rph, sph
//	answer       identity                         identityHeader
//
// Beside them a pair of ours, for an interworking function that only needs PASSporTs carried across TDM (carry.go):
// POST {base}/oob/v1/publish and POST {base}/oob/v1/retrieve.
//
// # Failures
//
// What cannot be read is an [*Exception]: a row of the error table, in the dialect of the request. Its variables name
// members and faults, never values. What is wrong with a PASSporT is no failure here: it is in the verdict.
//
// # Limits
//
// [BodyBytesMax], [DestMax]; header field values in one request are bounded by identity.HeadersMax. An answer is about
// as large as its request.
package sti

import (
	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/tn"
)

// Limits.
const (
	BodyBytesMax = 64 << 10 // of one request
	DestMax      = 32       // called parties in one request
	depthMax     = 8        // nesting of a request, which needs five levels
)

// Dialect is one of the two forms of the API.
type Dialect uint8

// The dialects.
const (
	ATIS Dialect = iota // ATIS-1000082
	Ms                  // TS 24.229 §V
)

// members are those of one object that are known and not null, as received.
type members map[string]jws.Value

// readMembers reads an object. Others than the known members are passed over.
func readMembers(object []byte, known ...string) (members, error) {
	found := members{}
	err := jws.Object(object, depthMax, func(name string, value jws.Value) error {
		for _, k := range known {
			if k == name && value.Kind() != 'n' {
				found[name] = value
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (m members) hasAny(names ...string) bool {
	for _, name := range names {
		if _, ok := m[name]; ok {
			return true
		}
	}
	return false
}

// readRequest reads what is inside of the one member of a body.
func readRequest(body []byte, request string, known ...string) (members, *Exception) {
	switch {
	case len(body) > BodyBytesMax:
		return nil, exception(Unparsable, "it is too long")
	case isBlank(body):
		return nil, exception(MissingBody)
	}
	outer, err := readMembers(body, request)
	if err != nil {
		return nil, exception(Unparsable, "it is not a JSON object, or has a member twice")
	}
	inner, ok := outer[request]
	if !ok {
		return nil, exception(MissingParameter, request)
	}
	found, err := readMembers(inner, known...)
	if err != nil {
		return nil, exception(InvalidParameter, request, "not an object")
	}
	return found, nil
}

func isBlank(body []byte) bool {
	for _, c := range body {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// party is how a request may write parties.
type party struct {
	single bool // as a string, under tn or uri
	list   bool // as an array
	most   int
}

// readParties reads {"tn":…} or {"uri":…} in the form that p allows: one identity at least.
func (m members) readParties(name string, p party, plan tn.Plan) ([]tn.Identity, *Exception) {
	value, ok := m[name]
	if !ok {
		return nil, exception(MissingParameter, name)
	}
	object, err := readMembers(value, "tn", "uri")
	if err != nil {
		return nil, exception(InvalidParameter, name, "not an object")
	}
	var ids []tn.Identity
	for _, kind := range []string{"tn", "uri"} {
		texts, ok := p.texts(object[kind])
		if !ok {
			return nil, exception(InvalidParameter, name, "wrong type, or too many")
		}
		for _, text := range texts {
			id, err := readIdentity(kind, text, plan)
			if err != nil {
				return nil, exception(InvalidParameter, name, "not a telephone number or URI")
			}
			ids = append(ids, id)
		}
	}
	switch {
	case len(ids) == 0:
		return nil, exception(InvalidParameter, name, "neither tn nor uri in it")
	case len(ids) > p.most:
		return nil, exception(InvalidParameter, name, "too many")
	}
	return ids, nil
}

// readParty is readParties for one alone.
func (m members) readParty(name string, p party, plan tn.Plan) (tn.Identity, *Exception) {
	p.most = 1
	ids, e := m.readParties(name, p, plan)
	if e != nil {
		return tn.Identity{}, e
	}
	return ids[0], nil
}

func (p party) texts(value jws.Value) ([]string, bool) {
	if value == nil {
		return nil, true
	}
	if text, ok := jws.String(value); ok {
		return []string{text}, p.single
	}
	texts, ok := jws.Strings(value, p.most)
	return texts, ok && p.list
}

// readIdentity takes numbers with + and visual separators, and as URIs what SIP header fields hold.
func readIdentity(kind, text string, plan tn.Plan) (tn.Identity, error) {
	if kind == "uri" {
		return plan.Identity(text)
	}
	n, err := plan.Number(text)
	return tn.Of(n), err
}

// readText reads a string that is not empty.
func (m members) readText(name string) (string, *Exception) {
	value, ok := m[name]
	if !ok {
		return "", exception(MissingParameter, name)
	}
	text, ok := jws.String(value)
	if !ok || text == "" {
		return "", exception(InvalidParameter, name, "not a string, or empty")
	}
	return text, nil
}

// readSeconds reads a time.
func (m members) readSeconds(name string) (int64, *Exception) {
	value, ok := m[name]
	if !ok {
		return 0, exception(MissingParameter, name)
	}
	seconds, ok := jws.Seconds(value)
	if !ok || seconds == 0 {
		return 0, exception(InvalidParameter, name, "not a positive integer")
	}
	return seconds, nil
}
