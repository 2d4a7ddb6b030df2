package rfc8588_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// A good header and payload, canonical: those of the example of RFC 8588 §6, with the commas that it lacks and a numeric iat.
const (
	x5u         = "https://cert.example.org/passport.cer"
	goodHeader  = `{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"` + x5u + `"}`
	goodPayload = `{"attest":"A","dest":{"tn":["12155550131"]},"iat":1443208345,"orig":{"tn":"12155550121"},` +
		`"origid":"123e4567-e89b-12d3-a456-426655440000"}`
)

var base64url = base64.RawURLEncoding

// unsigned makes a token of the good header whose form is sound and whose signature is not.
func unsigned(payload string) string {
	return base64url.EncodeToString([]byte(goodHeader)) + "." + base64url.EncodeToString([]byte(payload)) + "." +
		base64url.EncodeToString(make([]byte, 64))
}

// changed is the good payload with one part replaced, which must be there.
func changed(t *testing.T, old, new string) string {
	t.Helper()
	if !strings.Contains(goodPayload, old) {
		t.Fatalf("the good payload has no %s", old)
	}
	return strings.Replace(goodPayload, old, new, 1)
}

func refuses(t *testing.T, payload string, want passport.Problem) {
	t.Helper()
	if token, err := passport.Parse(unsigned(payload)); !errors.Is(err, want) || token != nil {
		t.Errorf("%s: %v, want %v and no token", payload, err, want)
	}
}

func claims(t *testing.T) passport.Claims {
	t.Helper()
	return passport.Claims{
		IAT:    time.Unix(1443208345, 0).UTC(),
		Orig:   identity(t, "12155550121"),
		Dest:   []tn.Identity{identity(t, "12155550131")},
		Attest: passport.AttestFull,
		OrigID: "123e4567-e89b-12d3-a456-426655440000",
	}
}

func identity(t *testing.T, text string) tn.Identity {
	t.Helper()
	id, err := tn.ParseIdentity(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, key *ecdsa.PrivateKey, c passport.Claims) string {
	t.Helper()
	compact, err := passport.Sign(key, passport.Shaken, x5u, c)
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// segment decodes a segment of a token.
func segment(t *testing.T, compact string, i int) string {
	t.Helper()
	text, err := base64url.DecodeString(strings.Split(compact, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRFC8588_01_PPTIsShaken(t *testing.T) {
	if header := segment(t, sign(t, newKey(t), claims(t)), 0); header != goodHeader {
		t.Errorf("header %s", header)
	}
}

func TestRFC8588_02_BaseClaimsArePresent(t *testing.T) {
	for _, claim := range []string{`"dest":{"tn":["12155550131"]},`, `"iat":1443208345,`, `"orig":{"tn":"12155550121"},`} {
		refuses(t, changed(t, claim, ""), passport.ClaimMissing)
	}
}

func TestRFC8588_03_FullFormOnly(t *testing.T) {
	compact := sign(t, newKey(t), claims(t))
	form := ".." + compact[strings.LastIndex(compact, ".")+1:]
	if _, err := passport.Parse(form); !errors.Is(err, passport.CompactForm) {
		t.Errorf("compact form: %v", err)
	}
}

func TestRFC8588_04_AttestIsPresent(t *testing.T) {
	refuses(t, changed(t, `"attest":"A",`, ``), passport.ClaimMissing)
	c := claims(t)
	c.Attest = ""
	if _, err := passport.Sign(newKey(t), passport.Shaken, x5u, c); !errors.Is(err, passport.ClaimMissing) {
		t.Errorf("signing without attest: %v", err)
	}
}

func TestRFC8588_05_AttestIsAOrBOrC(t *testing.T) {
	for _, attest := range []string{`"A"`, `"B"`, `"C"`} {
		if _, err := passport.Parse(unsigned(changed(t, `"A"`, attest))); err != nil {
			t.Errorf("attest %s: %v", attest, err)
		}
	}
	for _, attest := range []string{`"a"`, `"D"`, `""`, `"AB"`, `" A"`, `1`, `null`, `["A"]`} {
		refuses(t, changed(t, `"A"`, attest), passport.AttestInvalid)
	}
	c := claims(t)
	c.Attest = "D"
	if _, err := passport.Sign(newKey(t), passport.Shaken, x5u, c); !errors.Is(err, passport.AttestInvalid) {
		t.Errorf("signing attest D: %v", err)
	}
}

const origID = `,"origid":"123e4567-e89b-12d3-a456-426655440000"`

func TestRFC8588_07_OrigIDIsPresent(t *testing.T) {
	refuses(t, changed(t, origID, ``), passport.ClaimMissing)
}

func TestRFC8588_08_OrigIDIsAString(t *testing.T) {
	for _, value := range []string{`""`, `7`, `null`, `["123e4567-e89b-12d3-a456-426655440000"]`} {
		refuses(t, changed(t, origID, `,"origid":`+value), passport.OrigIDForm)
	}
}

func TestRFC8588_09_OrigIDIsAUUID(t *testing.T) {
	for _, id := range []string{"", "call-7", "123e4567e89b12d3a456426655440000", "123e4567-e89b-12d3-a456-42665544000g"} {
		c := claims(t)
		c.OrigID = id
		if _, err := passport.Sign(newKey(t), passport.Shaken, x5u, c); !errors.Is(err, passport.OrigIDForm) {
			t.Errorf("signing origid %q: %v", id, err)
		}
	}
}

func TestRFC8588_10_OtherOrigIDsAreReported(t *testing.T) {
	compact := unsigned(changed(t, origID, `,"origid":"call-7"`))
	token, err := passport.Parse(compact)
	if err != nil || token.Claims.OrigID != "call-7" {
		t.Fatalf("%v", err)
	}
	reported := slices.ContainsFunc(passport.Diagnose(compact).Deviations, func(d passport.Deviation) bool {
		return d.Code == "origid-uuid"
	})
	if !reported {
		t.Error("the diagnosis does not report it")
	}
}

func TestRFC8588_12_PublishedClaimsAreMade(t *testing.T) {
	if payload := segment(t, sign(t, newKey(t), claims(t)), 1); payload != goodPayload {
		t.Errorf("made %s", payload)
	}
}

func TestRFC8588_14_ClaimOrder(t *testing.T) {
	payload := segment(t, sign(t, newKey(t), claims(t)), 1)
	last := -1
	for _, name := range []string{`"attest":`, `"dest":`, `"iat":`, `"orig":`, `"origid":`} {
		at := strings.Index(payload, name)
		if at <= last {
			t.Errorf("%s is out of order in %s", name, payload)
		}
		last = at
	}
}

func TestRFC8588_15_RoundTrip(t *testing.T) {
	key := newKey(t)
	token, err := passport.Parse(sign(t, key, claims(t)))
	if err != nil {
		t.Fatal(err)
	}
	if err := token.Verify(&key.PublicKey); err != nil {
		t.Error(err)
	}
	got, want := token.Claims, claims(t)
	if !got.IAT.Equal(want.IAT) || got.Orig != want.Orig || !slices.Equal(got.Dest, want.Dest) ||
		got.Attest != want.Attest || got.OrigID != want.OrigID || len(got.Extra) != 0 {
		t.Errorf("read %+v, signed %+v", got, want)
	}
}
