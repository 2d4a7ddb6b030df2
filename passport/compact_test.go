package passport_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
)

// compactOf is the compact form of a token (RFC 8225 §7).
func compactOf(t *passport.Token) string {
	return ".." + t.String()[strings.LastIndexByte(t.String(), '.')+1:]
}

func TestRFC8225_S7_CompactFormIsRebuilt(t *testing.T) {
	claims := baseClaims(t)
	claims.Dest = append(claims.Dest, number(t, "12155550130"), uri(t, "sip:alice@example.com"))
	claims.MKY = []passport.KeyDigest{{"sha-256", "4A"}, {"sha-256", "02"}}
	text, err := passport.Sign(testKey(t), passport.Base, testX5U, claims)
	if err != nil {
		t.Fatal(err)
	}
	full := check(t, text, 0)
	slices.Reverse(claims.Dest) // signalling knows no order
	slices.Reverse(claims.MKY)
	for name, header := range map[string]passport.Header{
		"x5u alone": {X5U: testX5U}, "all of it": {Alg: "ES256", Typ: "passport", X5U: testX5U},
	} {
		e, err := passport.Rebuild(compactOf(full), header, claims)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if e.String() != text || e.Header != full.Header {
			t.Errorf("%s: rebuilt %q", name, e)
		}
		if err := e.Verify(&testKey(t).PublicKey); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	claims.Orig = number(t, "12155550199")
	e, err := passport.Rebuild(compactOf(full), passport.Header{X5U: testX5U}, claims)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Verify(&testKey(t).PublicKey); !errors.Is(err, passport.SignatureInvalid) {
		t.Errorf("of another caller: %v", err)
	}
}

func TestRFC8225_A_ExampleIsRebuiltByteForByte(t *testing.T) {
	full := check(t, rfcToken(t, "rfc8225-A").token, 0)
	e, err := passport.Rebuild(compactOf(full), full.Header, full.Claims)
	if err != nil || e.String() != full.String() {
		t.Errorf("%v, %v", e, err)
	}
}

func TestRFC8225_S7_WhatCannotBeRebuiltIsRefused(t *testing.T) {
	good := check(t, forge(t, baseHeader, basePayload), 0)
	for _, c := range []struct {
		name    string
		compact string
		change  func(*passport.Header, *passport.Claims)
		want    passport.Problem
	}{
		{"good", compactOf(good), func(*passport.Header, *passport.Claims) {}, 0},
		{"shaken", compactOf(good), func(h *passport.Header, _ *passport.Claims) { h.PPT = passport.Shaken }, passport.CompactForm},
		{"div", compactOf(good), func(h *passport.Header, _ *passport.Claims) { h.PPT = passport.Div }, passport.CompactForm},
		{"rsp", compactOf(good), func(h *passport.Header, _ *passport.Claims) { h.PPT = passport.RSP }, passport.CompactForm},
		{"a type that is not judged here", compactOf(good), func(h *passport.Header, _ *passport.Claims) { h.PPT = "msec" }, passport.CompactForm},
		{"full form", good.String(), func(*passport.Header, *passport.Claims) {}, passport.CompactForm},
		{"nothing", "", func(*passport.Header, *passport.Claims) {}, passport.CompactForm},
		{"a claim that is not of the base", compactOf(good), func(_ *passport.Header, c *passport.Claims) { c.Attest = "A" }, passport.CompactForm},
		{"rich call data", compactOf(good), func(_ *passport.Header, c *passport.Claims) { c.Rich = &passport.RichCallData{CRN: "x"} }, passport.CompactForm},
		{"a further claim", compactOf(good), func(_ *passport.Header, c *passport.Claims) { c.Extra = []passport.Member{{Name: "a", Value: "1"}} }, passport.CompactForm},
		{"no dest", compactOf(good), func(_ *passport.Header, c *passport.Claims) { c.Dest = nil }, passport.DestForm},
		{"another alg", compactOf(good), func(h *passport.Header, _ *passport.Claims) { h.Alg = "none" }, passport.AlgInvalid},
		{"another typ", compactOf(good), func(h *passport.Header, _ *passport.Claims) { h.Typ = "JWT" }, passport.TypInvalid},
		{"no x5u", compactOf(good), func(h *passport.Header, _ *passport.Claims) { h.X5U = "" }, passport.HeaderForm},
		{"no signature", "..", func(*passport.Header, *passport.Claims) {}, passport.SignatureForm},
		{"a signature in DER", ".." + encode("\x30\x44"+strings.Repeat("\x02", 68)), func(*passport.Header, *passport.Claims) {}, passport.SignatureForm},
		{"three dots", "..." + strings.TrimPrefix(compactOf(good), ".."), func(*passport.Header, *passport.Claims) {}, passport.SegmentCount},
		{"not base64url", "..!", func(*passport.Header, *passport.Claims) {}, passport.Base64Form},
		{"too long", ".." + strings.Repeat("A", passport.TokenBytesMax), func(*passport.Header, *passport.Claims) {}, passport.TooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			header, claims := good.Header, good.Claims
			c.change(&header, &claims)
			e, err := passport.Rebuild(c.compact, header, claims)
			if c.want == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, c.want) || e != nil {
				t.Errorf("%v, %v, want %q", e, err, c.want)
			}
		})
	}
}

func TestClaimIsGivenAsConstraintsCompareIt(t *testing.T) {
	e, err := passport.Open(forge(t, shakenHeader, strings.Replace(shakenPayload, "{",
		`{"a":"x\u0041 & é", "b" : { "d":[1, 2],"c":null }, "n":12,"t":true,"e":"","z":null,`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	before := e.SigningInput()
	want := map[string]string{
		"a": "xA & é", "b": `{"c":null,"d":[1,2]}`, "n": "12", "t": "true", "e": "", "z": "null", "attest": "A", "origid": testOrigID,
		"iat": "1443208345", "orig": `{"tn":"12155550121"}`, "dest": `{"tn":["12155550131"]}`,
	}
	if got := e.ClaimTexts(); !maps.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if _, err := e.Claims(); err != nil || e.SigningInput() != before {
		t.Errorf("the token was changed: %v", err)
	}
	twice, err := passport.Open(forge(t, shakenHeader, `{"attest":"A","attest":"B"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := twice.ClaimTexts(); got != nil {
		t.Errorf("of a claim that stands twice: %q", got)
	}
}
