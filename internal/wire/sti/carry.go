package sti

import (
	"strconv"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/tn"
)

// CarryRequest is a call whose PASSporTs are to be published before it goes on into a TDM trunk, or retrieved where it
// comes out of one: a publishRequest or a retrieveRequest.
type CarryRequest struct {
	Orig, Dest tn.Identity // as on the trunk: what the far side will see
	Identity   []string    // Identity header field values as received; none in a retrieveRequest
}

// Carried says what became of a CarryRequest.
type Carried string

// The words.
const (
	CarryPublished Carried = "published" // a CPS has acknowledged it
	CarryFound     Carried = "found"     // identity says what
	CarryNothing   Carried = "nothing"   // nothing to publish, or nothing found
	CarryFailed    Carried = "failed"    // reason says why; the call goes on without
)

// ReadPublish reads {"publishRequest":{"orig":…,"dest":…,"identity":[…]}}: one value at least. Parties are
// written as in the other requests, in any of their forms. The error is an [*Exception] in dialect d.
func ReadPublish(body []byte, plan tn.Plan, d Dialect) (CarryRequest, error) {
	m, e := readRequest(body, "publishRequest", "orig", "dest", "identity")
	if e != nil {
		return CarryRequest{}, e.in(d)
	}
	r, e := readCarry(m, plan)
	if e != nil {
		return CarryRequest{}, e.in(d)
	}
	if !m.hasAny("identity") {
		return CarryRequest{}, exception(MissingParameter, "identity").in(d)
	}
	values, ok := jws.Strings(m["identity"], identity.HeadersMax)
	if !ok || len(values) == 0 {
		return CarryRequest{}, exception(InvalidParameter, "identity", "not an array of strings, empty, or too many").in(d)
	}
	r.Identity = values
	return r, nil
}

// ReadRetrieve reads {"retrieveRequest":{"orig":…,"dest":…}}, as ReadPublish does.
func ReadRetrieve(body []byte, plan tn.Plan, d Dialect) (CarryRequest, error) {
	m, e := readRequest(body, "retrieveRequest", "orig", "dest")
	if e != nil {
		return CarryRequest{}, e.in(d)
	}
	r, e := readCarry(m, plan)
	if e != nil {
		return CarryRequest{}, e.in(d)
	}
	return r, nil
}

func readCarry(m members, plan tn.Plan) (r CarryRequest, e *Exception) {
	anyForm := party{single: true, list: true}
	if r.Orig, e = m.readParty("orig", anyForm, plan); e != nil {
		return CarryRequest{}, e
	}
	if r.Dest, e = m.readParty("dest", anyForm, plan); e != nil {
		return CarryRequest{}, e
	}
	return r, nil
}

// WritePublish is the answer to a publishRequest. reason is a word, and left out when empty.
func WritePublish(status Carried, reason string) []byte {
	return writeCarry(`{"publishResponse":`, status, nil, time.Time{}, reason)
}

// WriteRetrieve is the answer to a retrieveRequest: identity are the header field values for the INVITE that goes on, and iat
// is what its Date is to be made from; left out when zero.
func WriteRetrieve(status Carried, identity []string, iat time.Time, reason string) []byte {
	return writeCarry(`{"retrieveResponse":`, status, identity, iat, reason)
}

func writeCarry(response string, status Carried, identity []string, iat time.Time, reason string) []byte {
	o := open([]byte(response))
	o.add("status", string(status))
	if len(identity) > 0 {
		o.name("identity")
		o.text = append(o.text, '[')
		for i, value := range identity {
			if i > 0 {
				o.text = append(o.text, ',')
			}
			o.text = jws.AppendString(o.text, value)
		}
		o.text = append(o.text, ']')
	}
	if !iat.IsZero() {
		o.name("iat")
		o.text = strconv.AppendInt(o.text, iat.Unix(), 10)
	}
	o.add("reason", reason)
	return append(o.close(), '}')
}
