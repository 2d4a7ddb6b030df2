package atis

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Several relays in one request, which is ours, between CPSs of ours alone: what a relay costs is mostly the request and the
// token of who relays, and here both are for all of them.
//
//	POST /relays   {"relays":[{"dest":"…","orig":"…","passports":["…"],"token":"…"},…]}
//	  ──►  200 {"relays":[{"status":201,"message":"Created"},…]}
//
// A CPS that takes them says so in RelaysHeader of its answer to a relay of the form of ATIS-1000096; nobody else is sent any. The
// access token is that of a relay without dest and orig, and its passports claim is RelaysDigest. Each relay has an answer of its
// own, in their order.
const (
	RelaysPath   = "/relays"
	RelaysHeader = "Viaduct-Relays" // how many are taken in one request
)

const (
	RelaysMax      = 64        // in one request
	RelaysBytesMax = 256 << 10 // of a body with several; each is as long as one alone may be
)

// OneOfRelays is one of several relays as it was read.
type OneOfRelays struct {
	Key       oob.Key
	Passports []string
	Token     string
}

// RelaysDigest is the value of the claim passports for several relays: SHA-256 over the body as it is.
func RelaysDigest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// AppendOneOfRelays appends a relay to a body that BeginRelays began, from the key and the body that it has alone (WriteRelay).
func AppendOneOfRelays(body []byte, k oob.Key, alone []byte) []byte {
	if last := body[len(body)-1]; last != '[' {
		body = append(body, ',')
	}
	body = jws.AppendString(append(body, `{"dest":`...), k.Dest.String())
	body = jws.AppendString(append(body, `,"orig":`...), k.Orig.String())
	return append(append(body, ','), alone[1:]...)
}

// BeginRelays begins a body, and EndRelays ends it.
func BeginRelays(room int) []byte { return append(make([]byte, 0, room), `{"relays":[`...) }

// EndRelays ends what BeginRelays began.
func EndRelays(body []byte) []byte { return append(body, `]}`...) }

// ReadRelays reads a body with several relays. The error is a Fault, of the whole.
func ReadRelays(body []byte) ([]OneOfRelays, error) {
	var all []OneOfRelays
	err := jws.Object(body, depthMax, func(name string, value jws.Value) error {
		if name != "relays" {
			return nil
		}
		_, err := jws.Array(value, depthMax, func(i int, value jws.Value) error {
			if i == RelaysMax {
				return oob.Faultf(oob.TooLarge, "more than %d relays", RelaysMax)
			}
			one, err := readOneOfRelays(value)
			all = append(all, one)
			return err
		})
		return err
	})
	switch {
	case errors.Is(err, jws.ErrJSON):
		return nil, oob.Faultf(oob.Malformed, "the body is not a JSON object with an array of relays, or has a member twice").Because(err)
	case err != nil:
		return nil, err
	case len(all) == 0:
		return nil, oob.Faultf(oob.Malformed, "relays is missing or empty")
	}
	return all, nil
}

func readOneOfRelays(value jws.Value) (one OneOfRelays, err error) {
	one.Key.Profile = oob.Mesh
	err = jws.Object(value, depthMax, func(name string, value jws.Value) (err error) {
		switch name {
		case "dest":
			one.Key.Dest, err = readSegment(value)
		case "orig":
			one.Key.Orig, err = readSegment(value)
		}
		return err
	})
	if err != nil {
		return OneOfRelays{}, err
	}
	if one.Key.Dest.IsZero() || one.Key.Orig.IsZero() {
		return OneOfRelays{}, oob.Faultf(oob.Malformed, "a relay lacks dest or orig")
	}
	if one.Passports, one.Token, err = ReadRelay(value); err != nil {
		return OneOfRelays{}, err
	}
	return one, nil
}

// readSegment reads what stands in the path of a relay alone.
func readSegment(value jws.Value) (tn.Identity, error) {
	text, ok := jws.String(value)
	id, err := tn.ParseIdentity(text)
	if !ok || err != nil {
		return tn.Identity{}, oob.Faultf(oob.Malformed, "dest or orig of a relay is neither digits without + nor a URI")
	}
	return id, nil
}

// WriteRelaysAnswer is the answer to several relays: what each would have been answered alone (WriteStatus).
func WriteRelaysAnswer(each [][]byte) []byte {
	body := []byte(`{"relays":[`)
	for i, one := range each {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, one...)
	}
	return append(body, `]}`...)
}

// RelayStatus is what one of several relays was answered: its status, and its body, as of a relay alone.
type RelayStatus struct {
	Status int
	Body   []byte
}

// ReadRelaysAnswer reads the answer to so many relays; ok is false where it is none.
func ReadRelaysAnswer(body []byte, count int) (all []RelayStatus, ok bool) {
	err := jws.Object(body, depthMax, func(name string, value jws.Value) error {
		if name != "relays" {
			return nil
		}
		_, err := jws.Array(value, depthMax, func(i int, value jws.Value) error {
			one := RelayStatus{Body: value}
			if i >= count {
				return jws.ErrJSON
			}
			err := jws.Object(value, depthMax, func(name string, value jws.Value) (err error) {
				if name == "status" {
					one.Status, err = strconv.Atoi(string(value))
				}
				return err
			})
			all = append(all, one)
			return err
		})
		return err
	})
	if err != nil || len(all) != count {
		return nil, false
	}
	return all, true
}

// ReadRelaysHeader reads how many relays a CPS takes in one request; 0 for none.
func ReadRelaysHeader(value string) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < 2 {
		return 0
	}
	return min(n, RelaysMax)
}
