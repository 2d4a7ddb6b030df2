package atis

import (
	"errors"
	"strconv"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// audienceMax is how many names an aud array may hold.
const audienceMax = 8

// ReadAccess reads the payload of an access token (ATIS-1000096 §7, ATIS-1000105 §7). It refuses only what it cannot
// represent, as Unproven: a malformed token proves nothing (RFC 6750 §3.1). What a claim must say is for the CPS to
// decide. Claims that it does not know are passed over.
func ReadAccess(payload []byte) (oob.Access, error) {
	var a oob.Access
	err := jws.Object(payload, depthMax, func(name string, value jws.Value) error {
		if !readClaim(&a, name, value) {
			return oob.Faultf(oob.Unproven, "claim %s of the access token has the wrong form", name)
		}
		return nil
	})
	if errors.Is(err, jws.ErrJSON) {
		return oob.Access{}, oob.Faultf(oob.Unproven, "the access token's payload is not a JSON object, or has a claim twice")
	}
	if err != nil {
		return oob.Access{}, err
	}
	return a, nil
}

func readClaim(a *oob.Access, name string, value jws.Value) (ok bool) {
	switch name {
	case "action":
		var action string
		action, ok = jws.String(value)
		if action == republishSpelled {
			action = string(oob.ActionRepublish)
		}
		a.Action = oob.Action(action)
	case "iss":
		a.Issuer, ok = jws.String(value)
	case "sub":
		a.Subject, ok = jws.String(value)
	case "spc":
		a.SPC, ok = jws.String(value)
	case "jti":
		a.ID, ok = jws.String(value)
	case "passports":
		a.Digest, ok = jws.String(value)
	case "aud":
		a.Audience, ok = readAudience(value)
	case "iat":
		a.IssuedAt, ok = readTime(value)
	case "exp":
		a.Deadline, ok = readTime(value)
	case "dest":
		a.Dest, ok = readParty(value)
	case "orig":
		a.Orig, ok = readParty(value)
	default:
		ok = true
	}
	return ok
}

func readTime(value jws.Value) (time.Time, bool) {
	seconds, ok := jws.Seconds(value)
	return time.Unix(seconds, 0), ok
}

// readAudience takes a string or an array, as deployed clients send either (RFC 7519 §4.1.3).
func readAudience(value jws.Value) ([]string, bool) {
	if name, ok := jws.String(value); ok {
		return []string{name}, true
	}
	return jws.Strings(value, audienceMax)
}

// readParty reads {"tn":"…"}, {"tn":["…"]} or the same with uri. The reference client writes dest as an array and orig as a
// string; both are taken in both places, with exactly one identity.
func readParty(value jws.Value) (tn.Identity, bool) {
	var id tn.Identity
	err := jws.Object(value, depthMax, func(name string, value jws.Value) error {
		if name != "tn" && name != "uri" {
			return nil
		}
		text, ok := jws.String(value)
		if !ok {
			texts, isList := jws.Strings(value, 1)
			if !isList || len(texts) == 0 {
				return jws.ErrJSON
			}
			text = texts[0]
		}
		if !id.IsZero() {
			return jws.ErrJSON
		}
		var err error
		if name == "tn" {
			var n tn.Number
			n, err = tn.ParseNumber(text)
			id = tn.Of(n)
		} else {
			id, err = tn.ParseURI(text)
		}
		return err
	})
	return id, err == nil && !id.IsZero()
}

// WriteAccess is the payload of an access token, with its claims in the order of the reference client. Those that a has no
// value for are left out.
func WriteAccess(a oob.Access) []byte {
	text := []byte(`{"iat":` + strconv.FormatInt(a.IssuedAt.Unix(), 10))
	text = appendClaim(text, "action", string(a.Action))
	if !a.Deadline.IsZero() {
		text = append(text, `,"exp":`+strconv.FormatInt(a.Deadline.Unix(), 10)...)
	}
	text = appendClaim(text, "sub", a.Subject)
	text = appendClaim(text, "spc", a.SPC)
	text = appendClaim(text, "iss", a.Issuer)
	if len(a.Audience) > 0 {
		text = appendClaim(text, "aud", a.Audience[0])
	}
	text = appendClaim(text, "jti", a.ID)
	if !a.Dest.IsZero() {
		text = append(append(text, `,"dest":{"`...), partyMember(a.Dest)...)
		text = append(wire.AppendArray(append(text, `":`...), []string{a.Dest.String()}), '}')
	}
	if !a.Orig.IsZero() {
		text = append(append(text, `,"orig":{"`...), partyMember(a.Orig)...)
		text = append(jws.AppendString(append(text, `":`...), a.Orig.String()), '}')
	}
	text = appendClaim(text, "passports", a.Digest)
	return append(text, '}')
}

func partyMember(id tn.Identity) string {
	if id.IsURI() {
		return "uri"
	}
	return "tn"
}

func appendClaim(text []byte, name, value string) []byte {
	if value == "" {
		return text
	}
	text = append(append(append(text, ',', '"'), name...), `":`...)
	return jws.AppendString(text, value)
}
