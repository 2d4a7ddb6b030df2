package rfc8225_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// A good header and payload, canonical; the cases change one thing of them.
const (
	x5u         = "https://cr.example.org/p.pem?v=1&w=<2>"
	goodHeader  = `{"alg":"ES256","typ":"passport","x5u":"` + x5u + `"}`
	goodPayload = `{"dest":{"tn":["12155551213"]},"iat":1443208345,"orig":{"tn":"12155551212"}}`
)

var base64url = base64.RawURLEncoding

// unsigned makes a token whose form is sound and whose signature is not.
func unsigned(header, payload string) string {
	return base64url.EncodeToString([]byte(header)) + "." + base64url.EncodeToString([]byte(payload)) + "." +
		base64url.EncodeToString(make([]byte, 64))
}

func accepts(t *testing.T, compact string) *passport.Token {
	t.Helper()
	token, err := passport.Parse(compact)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return token
}

func refuses(t *testing.T, compact string, want passport.Problem) {
	t.Helper()
	token, err := passport.Parse(compact)
	if !errors.Is(err, want) || token != nil {
		t.Errorf("%s: %v, want %v and no token", compact, err, want)
	}
}

// refusesPayloads makes a token of each payload and wants all refused for the same reason.
func refusesPayloads(t *testing.T, want passport.Problem, payloads ...string) {
	t.Helper()
	for _, payload := range payloads {
		refuses(t, unsigned(goodHeader, payload), want)
	}
}

// changed is the good payload with one part replaced, which must be there.
func changed(t *testing.T, old, new string) string {
	t.Helper()
	if !strings.Contains(goodPayload, old) {
		t.Fatalf("the good payload has no %s", old)
	}
	return strings.Replace(goodPayload, old, new, 1)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func identity(t *testing.T, text string) tn.Identity {
	t.Helper()
	id, err := tn.ParseIdentity(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// claims are those of the good payload.
func claims(t *testing.T) passport.Claims {
	t.Helper()
	return passport.Claims{
		IAT:  time.Unix(1443208345, 0),
		Orig: identity(t, "12155551212"),
		Dest: []tn.Identity{identity(t, "12155551213")},
	}
}

func sign(t *testing.T, key *ecdsa.PrivateKey, c passport.Claims) string {
	t.Helper()
	compact, err := passport.Sign(key, passport.Base, x5u, c)
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// signed gives the decoded header and payload of what signing c makes.
func signed(t *testing.T, c passport.Claims) (header, payload string) {
	t.Helper()
	return decoded(t, sign(t, newKey(t), c))
}

func decoded(t *testing.T, compact string) (header, payload string) {
	t.Helper()
	segments := strings.Split(compact, ".")
	if len(segments) != 3 {
		t.Fatalf("%d segments", len(segments))
	}
	for i := range 2 {
		text, err := base64url.DecodeString(segments[i])
		if err != nil {
			t.Fatal(err)
		}
		segments[i] = string(text)
	}
	return segments[0], segments[1]
}
