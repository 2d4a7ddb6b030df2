package atis

import (
	"errors"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/oob"
)

// The relay form, in which one CPS passes on to another what a provider has published to it (ATIS-1000096 §7, republish):
//
//	POST /passports/{DEST}/{ORIG}   {"passports":["…"],"token":"…"}  ──►  201
//
// It is a publish but for the action of its access token, which is the CPS's own, and for the member token: the access token
// with which the provider has published.

// republishSpelled is the other spelling of the action. Both are read everywhere, as [oob.ActionRepublish].
const republishSpelled = "re-publish"

// RelayActions are the spellings of the action, the usual one first.
func RelayActions() []string { return []string{string(oob.ActionRepublish), republishSpelled} }

// RelayTokenBytesMax bounds the member token. Package proof, which reads it, takes no longer one.
const RelayTokenBytesMax = 4 << 10

// RelayBytesMax bounds the body of a relay: what is published may be as long as ever, and the token comes with it.
const RelayBytesMax = oob.BodyBytesMax + RelayTokenBytesMax + len(`,"token":""`)

// ReadRelay reads the body of a relay. token is empty where the member is missing.
func ReadRelay(body []byte) (passports []string, token string, err error) {
	err = jws.Object(body, depthMax, func(name string, value jws.Value) (err error) {
		switch name {
		case "passports":
			passports, err = wire.ReadArray(value, oob.PassportsMax)
		case "token":
			var ok bool
			if token, ok = jws.String(value); !ok {
				err = oob.Faultf(oob.Malformed, "token is not a string")
			}
		}
		return err
	})
	switch {
	case errors.Is(err, jws.ErrJSON):
		return nil, "", oob.Faultf(oob.Malformed, "the body is not a JSON object, or has a member twice").Because(err)
	case err != nil:
		return nil, "", err
	case len(passports) == 0:
		return nil, "", oob.Faultf(oob.Malformed, "passports is missing or empty")
	}
	// One public prototype sends the whole value of the header field.
	if scheme, rest, found := strings.Cut(token, " "); found && strings.EqualFold(scheme, "Bearer") {
		token = rest
	}
	if len(token) > RelayTokenBytesMax {
		return nil, "", oob.Faultf(oob.TooLarge, "token is longer than %d bytes", RelayTokenBytesMax)
	}
	return passports, token, nil
}

// WriteRelay is the body of a relay.
func WriteRelay(passports []string, token string) []byte {
	body := wire.WritePassports(passports)
	body = append(body[:len(body)-1], `,"token":`...)
	return append(jws.AppendString(body, token), '}')
}
