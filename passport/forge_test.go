package passport_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// testKey is the published key of RFC 6979 §A.2.5, so that the tests sign the same tokens every time.
func testKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	raw, _ := hex.DecodeString("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const (
	testX5U    = "https://certificates.example.org/shaken/1234.pem"
	testOrigID = "123e4567-e89b-12d3-a456-426655440000"

	shakenHeader  = `{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://certificates.example.org/shaken/1234.pem"}`
	baseHeader    = `{"alg":"ES256","typ":"passport","x5u":"https://certificates.example.org/shaken/1234.pem"}`
	divHeader     = `{"alg":"ES256","ppt":"div","typ":"passport","x5u":"https://certificates.example.org/shaken/1234.pem"}`
	shakenPayload = `{"attest":"A","dest":{"tn":["12155550131"]},"iat":1443208345,"orig":{"tn":"12155550121"},"origid":"123e4567-e89b-12d3-a456-426655440000"}`
	basePayload   = `{"dest":{"tn":["12155550131"]},"iat":1443208345,"orig":{"tn":"12155550121"}}`
	divPayload    = `{"dest":{"tn":["12155550131"]},"div":{"tn":"12155550132"},"iat":1443208345,"orig":{"tn":"12155550121"}}`
)

// headerOf is the canonical header of a type.
func headerOf(ppt passport.Type) string {
	if ppt == passport.Base {
		return baseHeader
	}
	return strings.Replace(shakenHeader, "shaken", string(ppt), 1)
}

// forge signs any header and payload, also such as Sign would refuse: a wrong token has a good signature here, so that
// nothing but the fault in question can make it fail.
func forge(t testing.TB, header, payload string) string {
	t.Helper()
	input := encode(header) + "." + encode(payload)
	der, err := testKey(t).Sign(nil, sha256Of(input), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		t.Fatal(err)
	}
	raw := pair.S.FillBytes(make([]byte, 64))
	pair.R.FillBytes(raw[:32])
	return input + "." + encode(string(raw))
}

func sha256Of(text string) []byte {
	digest := sha256.Sum256([]byte(text))
	return digest[:]
}

func encode(segment string) string { return base64.RawURLEncoding.EncodeToString([]byte(segment)) }

func number(t testing.TB, digits string) tn.Identity {
	t.Helper()
	n, err := tn.ParseNumber(digits)
	if err != nil {
		t.Fatal(err)
	}
	return tn.Of(n)
}

func uri(t testing.TB, text string) tn.Identity {
	t.Helper()
	id, err := tn.ParseURI(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// shakenClaims are the claims of shakenPayload.
func shakenClaims(t testing.TB) passport.Claims {
	return passport.Claims{
		IAT:    time.Unix(1443208345, 0).UTC(),
		Orig:   number(t, "12155550121"),
		Dest:   []tn.Identity{number(t, "12155550131")},
		Attest: passport.AttestFull,
		OrigID: testOrigID,
	}
}

// baseClaims are the claims of basePayload.
func baseClaims(t testing.TB) passport.Claims {
	c := shakenClaims(t)
	c.Attest, c.OrigID = "", ""
	return c
}

// slug is the problem's name, "ok" for no error, and a failure for an error that is not a problem of this package.
func slug(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return "ok"
	}
	p := passport.ProblemOf(err)
	if p == 0 {
		t.Fatalf("%v is not a *passport.Error", err)
	}
	return p.String()
}
