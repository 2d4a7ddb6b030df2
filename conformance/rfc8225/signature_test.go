package rfc8225_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

func TestRFC8225_31_OnlyCompactSerialisation(t *testing.T) {
	good := sign(t, newKey(t), claims(t))
	segments := strings.Split(good, ".")
	for _, text := range []string{
		`{"protected":"` + segments[0] + `","payload":"` + segments[1] + `","signature":"` + segments[2] + `"}`,
		segments[0] + "." + segments[1],
		good + "." + segments[2],
		"",
	} {
		refuses(t, text, passport.SegmentCount)
	}
}

func TestRFC8225_32_SegmentsAreBase64URL(t *testing.T) {
	good := sign(t, newKey(t), claims(t))
	segments := strings.Split(good, ".")
	for _, text := range []string{
		segments[0] + "=." + segments[1] + "." + segments[2],
		segments[0] + "." + segments[1] + "." + segments[2] + "==",
		segments[0] + "." + segments[1] + ".+" + segments[2][1:],
		segments[0] + ". " + segments[1] + "." + segments[2],
		segments[0] + "." + segments[1] + "\n." + segments[2],
	} {
		refuses(t, text, passport.Base64Form)
	}
}

// signText signs a header and payload as they are.
func signText(t *testing.T, key *ecdsa.PrivateKey, header, payload string) string {
	t.Helper()
	input := base64url.EncodeToString([]byte(header)) + "." + base64url.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(nil, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + base64url.EncodeToString(signature)
}

const oddPayload = "{ \"orig\" : {\"tn\":\"12155551212\"},\n\"iat\":1443208345, \"dest\":{\"tn\":[\"12155551213\"]} }"

func TestRFC8225_33_SignatureCoversTheReceivedText(t *testing.T) {
	key := newKey(t)
	compact := signText(t, key, goodHeader, oddPayload)
	token := accepts(t, compact)
	if err := token.Verify(&key.PublicKey); err != nil {
		t.Error(err)
	}
	if want := compact[:strings.LastIndex(compact, ".")]; token.SigningInput() != want || token.String() != compact {
		t.Error("the signing input is not the text of the token")
	}
}

func TestRFC8225_34_SignatureIsRAndS(t *testing.T) {
	key := newKey(t)
	good := sign(t, key, claims(t))
	input, text := cutLast(good)
	raw, err := base64url.DecodeString(text)
	if err != nil || len(raw) != 64 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
	if err != nil {
		t.Fatal(err)
	}
	for _, signature := range [][]byte{der, raw[:63], append(raw, 0), {}} {
		refuses(t, input+"."+base64url.EncodeToString(signature), passport.SignatureForm)
	}
}

// cutLast parts a token into what is signed and the signature.
func cutLast(compact string) (input, signature string) {
	dot := strings.LastIndex(compact, ".")
	return compact[:dot], compact[dot+1:]
}

func TestRFC8225_35_ChangesFail(t *testing.T) {
	key := newKey(t)
	good := sign(t, key, claims(t))
	input, signature := cutLast(good)
	segments := strings.Split(good, ".")
	encode := func(text string) string { return base64url.EncodeToString([]byte(text)) }
	for name, text := range map[string]string{
		"header":    encode(strings.Replace(goodHeader, "p.pem", "q.pem", 1)) + "." + segments[1] + "." + signature,
		"payload":   segments[0] + "." + encode(changed(t, "12155551212", "12155551219")) + "." + signature,
		"signature": input + "." + base64url.EncodeToString(make([]byte, 64)),
	} {
		if err := accepts(t, text).Verify(&key.PublicKey); !errors.Is(err, passport.SignatureInvalid) {
			t.Errorf("changed %s: %v", name, err)
		}
	}
	if err := accepts(t, good).Verify(&newKey(t).PublicKey); !errors.Is(err, passport.SignatureInvalid) {
		t.Errorf("another key: %v", err)
	}
}

func TestRFC8225_36_CompactFormIsNamed(t *testing.T) {
	_, signature := cutLast(sign(t, newKey(t), claims(t)))
	refuses(t, ".."+signature, passport.CompactForm)
}

func TestRFC8225_45_OtherFormsVerify(t *testing.T) {
	key := newKey(t)
	token := accepts(t, signText(t, key, goodHeader, oddPayload))
	if err := token.Verify(&key.PublicKey); err != nil {
		t.Error(err)
	}
	if _, payload := signed(t, token.Claims); payload != goodPayload {
		t.Errorf("signing its claims makes %s", payload)
	}
}

// The example of RFC 8225 §7.1, whose iat is a string, and the public key of RFC 8225 §A.
const (
	publishedHeader    = "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9"
	publishedPayload   = "eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6IjE0NDMyMDgzNDUiLCJvcmlnIjp7InRuIjoiMTIxNTU1NTEyMTIifX0"
	publishedSignature = "rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojNCpTzO3QfPOlckGaS6hEck7w"
	publishedKey       = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH78YTU8qLS8I5HLHSSmlATLcslQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g=="

	// The payload of the example of RFC 8225 §A, with a numeric iat.
	publishedPayloadA = "eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6IjEyMTU1NTUxMjEyIn19"
)

func TestRFC8225_47_PublishedSignatureVerifies(t *testing.T) {
	der, err := base64.StdEncoding.DecodeString(publishedKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	compact := publishedHeader + "." + publishedPayload + "." + publishedSignature
	envelope, err := passport.Open(compact)
	if err != nil {
		t.Fatal(err)
	}
	if err := envelope.Verify(key.(*ecdsa.PublicKey)); err != nil {
		t.Error(err)
	}
	refuses(t, compact, passport.IATForm) // as the erratum to the example says, iat must be a number
}

func TestRFC8225_48_PublishedTokenIsMade(t *testing.T) {
	compact, err := passport.Sign(newKey(t), passport.Base, "https://cert.example.org/passport.cer", passport.Claims{
		IAT:  time.Unix(1471375418, 0),
		Orig: identity(t, "12155551212"),
		Dest: []tn.Identity{identity(t, "sip:alice@example.com")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if input, _ := cutLast(compact); input != publishedHeader+"."+publishedPayloadA {
		t.Errorf("made %s", input)
	}
}
