package sti

import (
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// prioritiesMax bounds the r-values in one signing request; IANA has some 60 namespaces, and a call is in one or two.
const prioritiesMax = 16

// SigningRequest is a call to be signed, as a switch describes it.
type SigningRequest struct {
	Dialect    Dialect
	Type       passport.Type // shaken, div or rph
	Attest     passport.Attestation
	OrigID     string // a UUID, as Attest of shaken alone
	Orig       tn.Identity
	Dest       []tn.Identity
	IAT        time.Time   // whole seconds
	Div        tn.Identity // div alone
	HI         string      // div alone: index in History-Info; empty when absent
	Priorities []string    // rph alone: r-values, as received
	SPH        string      // rph alone, as received; empty when absent
}

// ReadSigning reads the body of a signing request of either dialect; otherwise is the dialect of one that does not tell:
// for shaken the two look alike. What would be signed is read more strictly than what is verified: dest is an array, and
// what belongs to another type is refused. The error is an [*Exception].
func ReadSigning(body []byte, plan tn.Plan, otherwise Dialect) (SigningRequest, error) {
	m, e := readRequest(body, "signingRequest", "attest", "dest", "iat", "orig", "origid", "ppt", "div", "rph", "sph")
	if e != nil {
		return SigningRequest{}, e.in(otherwise)
	}
	r := SigningRequest{Dialect: otherwise}
	if m.hasAny("ppt", "div", "rph", "sph") {
		r.Dialect = Ms
	}
	if e := r.read(m, plan); e != nil {
		return SigningRequest{}, e.in(r.Dialect)
	}
	return r, nil
}

func (r *SigningRequest) read(m members, plan tn.Plan) (e *Exception) {
	if e := r.readType(m); e != nil {
		return e
	}
	if r.Orig, e = m.readParty("orig", party{single: true}, plan); e != nil {
		return e
	}
	if r.Dest, e = m.readParties("dest", party{list: true, most: DestMax}, plan); e != nil {
		return e
	}
	seconds, e := m.readSeconds("iat")
	if e != nil {
		return e
	}
	r.IAT = time.Unix(seconds, 0)
	switch r.Type {
	case passport.Div:
		return r.readDiv(m, plan)
	case passport.RPH:
		return r.readPriority(m)
	}
	return r.readAttestation(m)
}

func (r *SigningRequest) readType(m members) *Exception {
	r.Type = passport.Shaken
	if m.hasAny("ppt") {
		text, e := m.readText("ppt")
		if e != nil {
			return e
		}
		r.Type = passport.Type(text)
	}
	switch r.Type {
	case passport.Shaken, passport.Div, passport.RPH:
	default:
		return exception(InvalidParameter, "ppt", "neither shaken nor div nor rph")
	}
	for name, ppt := range map[string]passport.Type{"div": passport.Div, "rph": passport.RPH, "sph": passport.RPH} {
		if r.Type != ppt && m.hasAny(name) {
			return exception(InvalidParameter, "ppt", "of another type than the other parameters")
		}
	}
	return nil
}

func (r *SigningRequest) readAttestation(m members) *Exception {
	attest, e := m.readText("attest")
	if e != nil {
		return e
	}
	if r.Attest = passport.Attestation(attest); !r.Attest.Valid() {
		return exception(InvalidParameter, "attest", "neither A nor B nor C")
	}
	if r.OrigID, e = m.readText("origid"); e != nil {
		return e
	}
	if !uuid.Is(r.OrigID) {
		return exception(InvalidParameter, "origid", "not a UUID")
	}
	return nil
}

func (r *SigningRequest) readDiv(m members, plan tn.Plan) (e *Exception) {
	if r.Div, e = m.readParty("div", party{single: true}, plan); e != nil {
		return e
	}
	div, err := readMembers(m["div"], "hi")
	if err != nil {
		return exception(InvalidParameter, "div", "not an object")
	}
	if div.hasAny("hi") {
		if r.HI, e = div.readText("hi"); e != nil {
			return exception(InvalidParameter, "div", "hi is not a string, or empty")
		}
	}
	return nil
}

func (r *SigningRequest) readPriority(m members) (e *Exception) {
	if !m.hasAny("rph") {
		return exception(MissingParameter, "rph")
	}
	rph, err := readMembers(m["rph"], "auth")
	if err != nil {
		return exception(InvalidParameter, "rph", "not an object")
	}
	values, ok := jws.Strings(rph["auth"], prioritiesMax)
	if !ok || len(values) == 0 {
		return exception(InvalidParameter, "rph", "auth is not an array of strings, empty, or too long")
	}
	r.Priorities = values
	if m.hasAny("sph") {
		r.SPH, e = m.readText("sph")
	}
	return e
}

// WriteSigning is the answer to a signing request: the Identity header field value, under the member of each dialect
// given. To give both serves clients of which it is not known which one they read.
func WriteSigning(header string, dialects ...Dialect) []byte {
	o := open([]byte(`{"signingResponse":`))
	for _, d := range dialects {
		name := "identity"
		if d == Ms {
			name = "identityHeader"
		}
		o.add(name, header)
	}
	return append(o.close(), '}')
}
