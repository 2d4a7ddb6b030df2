package passport_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
)

// The jCards of RFC 9795 §8.3 and §6.1.3, without white space, and what they refer to.
const (
	qBranch = `["vcard",[["version",{},"text","4.0"],["fn",{},"text","Q Branch"],["org",{},"text","MI6;Q Branch Spy Gadgets"],` +
		`["photo",{},"uri","https://example.com/photos/q-256x256.png"],["logo",{},"uri","https://example.com/logos/mi6-256x256.jpg"],` +
		`["logo",{},"uri","https://example.com/logos/mi6-64x64.jpg"]]]`
	photoDigest = "sha256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4"
	logoDigest  = "sha256-jL4f47fF82LuwcrOrSyckA4SWrlElfARHkW6kYo1JdI"
	smallDigest = "sha256-GKNxxqlLRarbyBNh7hc/4lbZAdK6B0kMRf1AMRWPkSo"
	namDigest   = "sha256-sM275lTgzCte+LHOKHtU4SxG8shlOo6OS4ot8IJQImY" // of "Q Branch Spy Gadgets", with quotation marks
	cardDigest  = "sha256-qCn4pEH6BJu7zXndLFuAP6DwlTv5fRmJ1AFkqftwnCs" // of qBranch
	otherDigest = "sha256-7kdCBZqH0nqMSPsmABvsKlHPhZEStgjojhdSJGRr3rk" // of qBranch with another photo
)

// rich makes rcd and rcdi members; pairs are pointers and digests.
func rich(rcd string, pairs ...string) string {
	text := `"rcd":` + rcd
	var digests []string
	for i := 0; i < len(pairs); i += 2 {
		digests = append(digests, fmt.Sprintf("%q:%q", pairs[i], pairs[i+1]))
	}
	if len(digests) > 0 {
		text += `,"rcdi":{` + strings.Join(digests, ",") + `}`
	}
	return text
}

// readRich reads rich call data out of an rcd PASSporT that must be good.
func readRich(t *testing.T, members string) *passport.RichCallData {
	t.Helper()
	return check(t, forge(t, headerOf(passport.RCD), with(members)), 0).Claims.Rich
}

func TestRFC9795_S5_RichCallDataIsRead(t *testing.T) {
	got := readRich(t, `"iss":"Zorin","crn":"Rendezvous","rcdi":{"/nam":"`+namDigest+`","/icn":"`+photoDigest+`="},`+
		`"rcd":{"nam":"Q Branch Spy Gadgets","apn":"12025559990","icn":"https://example.com/q.png","jcd":[ 1 ],"new":{"a":1}}`)
	want := &passport.RichCallData{
		HasRCD: true, Nam: "Q Branch Spy Gadgets", APN: "12025559990", ICN: "https://example.com/q.png", JCD: "[ 1 ]",
		Digests: []passport.RichDigest{{"/icn", photoDigest}, {"/nam", namDigest}}, CRN: "Rendezvous", ISS: "Zorin",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if token := check(t, forge(t, shakenHeader, shakenPayload), 0); token.Claims.Rich != nil {
		t.Errorf("in a plain shaken: %+v", token.Claims.Rich)
	}
	if r := readRich(t, `"crn":"x"`); r.HasRCD || r.CRN != "x" {
		t.Errorf("crn alone: %+v", r)
	}
}

// richForms are rich call data by their form alone.
var richForms = []partCase{
	{"nam", rich(`{"nam":"James Bond"}`), 0},
	{"empty nam", rich(`{"nam":""}`), 0},
	{"crn alone", `"crn":"x"`, 0},
	{"a key that nobody knows", rich(`{"nam":"","new":[1]}`), 0},
	{"apn that is a URI", rich(`{"nam":"","apn":"sip:a@example.com"}`), 0},
	{"a URI of a MIME part", rich(`{"nam":"","jcl":"cid:a@example.com"}`), 0},
	{"no nam", rich(`{"apn":"12025559990"}`), passport.RCDForm},
	{"empty", rich(`{}`), passport.RCDForm},
	{"nam null", rich(`{"nam":null}`), passport.RCDForm},
	{"nam number", rich(`{"nam":7}`), passport.RCDForm},
	{"string", rich(`"James Bond"`), passport.RCDForm},
	{"array", rich(`[{"nam":"x"}]`), passport.RCDForm},
	{"null", rich(`null`), passport.RCDForm},
	{"jcd and jcl", rich(`{"nam":"","jcd":[],"jcl":"https://a.example/c"}`), passport.RCDForm},
	{"jcd that is an object", rich(`{"nam":"","jcd":{}}`), passport.RCDForm},
	{"jcd as a string", rich(`{"nam":"","jcd":"[]"}`), passport.RCDForm},
	{"empty apn", rich(`{"nam":"","apn":""}`), passport.RCDForm},
	{"apn with a plus", rich(`{"nam":"","apn":"+12025559990"}`), passport.RCDForm},
	{"apn that is words", rich(`{"nam":"","apn":"Your bank"}`), passport.RCDForm},
	{"empty icn", rich(`{"nam":"","icn":""}`), passport.RCDForm},
	{"relative icn", rich(`{"nam":"","icn":"//a.example/c"}`), passport.RCDForm},
	{"icn with a space", rich(`{"nam":"","icn":"https://a.example/b c"}`), passport.RCDForm},
	{"icn with a line break", rich(`{"nam":"","icn":"https://a.example/b\r\nc"}`), passport.RCDForm},
	{"jcl not ASCII", rich(`{"nam":"","jcl":"https://é.example/c"}`), passport.RCDForm},
	{"jcl that is an array", rich(`{"nam":"","jcl":["https://a.example/c"]}`), passport.RCDForm},
	{"empty crn", `"crn":""`, passport.RCDForm},
	{"crn that is an object", `"crn":{}`, passport.RCDForm},
	{"iss that is a number", `"crn":"x","iss":7`, passport.RCDForm},

	{"digest", rich(`{"nam":""}`, "/nam", namDigest), 0},
	{"digest, padded", rich(`{"nam":""}`, "/nam", namDigest+"="), 0},
	{"sha384", rich(`{"nam":""}`, "/nam", hi384), 0},
	{"sha512", rich(`{"nam":""}`, "/nam", hi512), 0},
	{"a pointer with escapes", rich(`{"nam":""}`, "/jcd/~0~1/0", namDigest), 0},
	{"32 digests", rich(`{"nam":""}`, manyDigests(32)...), 0},
	{"33 digests", rich(`{"nam":""}`, manyDigests(33)...), passport.RCDIForm},
	{"no rcd", `"crn":"x","rcdi":{"/nam":"` + namDigest + `"}`, passport.RCDIForm},
	{"no digests", rich(`{"nam":""}`) + `,"rcdi":{}`, passport.RCDIForm},
	{"the string of an early draft", rich(`{"nam":""}`) + `,"rcdi":"` + namDigest + `"`, passport.RCDIForm},
	{"array of digests", rich(`{"nam":""}`) + `,"rcdi":["` + namDigest + `"]`, passport.RCDIForm},
	{"digest null", rich(`{"nam":""}`) + `,"rcdi":{"/nam":null}`, passport.RCDIForm},
	{"pointer without slash", rich(`{"nam":""}`, "nam", namDigest), passport.RCDIForm},
	{"pointer to the whole", rich(`{"nam":""}`, "", namDigest), passport.RCDIForm},
	{"pointer with a bare tilde", rich(`{"nam":""}`, "/jcd/~", namDigest), passport.RCDIForm},
	{"pointer with an unknown escape", rich(`{"nam":""}`, "/jcd/~2", namDigest), passport.RCDIForm},
	{"another algorithm", rich(`{"nam":""}`, "/nam", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk"), passport.RCDIForm},
	{"upper case", rich(`{"nam":""}`, "/nam", strings.ToUpper(namDigest[:6])+namDigest[6:]), passport.RCDIForm},
	{"a digest too short", rich(`{"nam":""}`, "/nam", namDigest[:len(namDigest)-2]), passport.RCDIForm},
	{"a digest of another algorithm's length", rich(`{"nam":""}`, "/nam", "sha512"+namDigest[6:]), passport.RCDIForm},
	{"bits to spare that are not zero", rich(`{"nam":""}`, "/nam", namDigest[:len(namDigest)-1]+"Z"), passport.RCDIForm},
}

func manyDigests(n int) []string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("/jcl/%d", i), namDigest)
	}
	return pairs
}

func TestRFC9795_S5_RCDPassportIsRefusedWhenMalformed(t *testing.T) {
	for _, c := range richForms {
		t.Run(c.name, func(t *testing.T) { check(t, forge(t, headerOf(passport.RCD), with(c.part)), c.want) })
	}
	checkPayloads(t, headerOf(passport.RCD), []partCase{
		{"neither rcd nor crn", basePayload, passport.ClaimMissing},
		{"iss alone", with(`"iss":"x"`), passport.ClaimMissing},
		{"nam twice", with(rich(`{"nam":"a","nam":"b"}`)), passport.PayloadForm},
		{"a pointer twice", with(rich(`{"nam":""}`, "/nam", namDigest, "/nam", photoDigest)), passport.PayloadForm},
	})
}

// What is wrong with rich call data takes it away from a shaken PASSporT, and nothing else.
func TestRFC9795_S8_2_CallIsNotTheWorseForMalformedRichCallData(t *testing.T) {
	for _, c := range richForms {
		t.Run(c.name, func(t *testing.T) {
			token := check(t, forge(t, shakenHeader, strings.Replace(shakenPayload, "{", "{"+c.part+",", 1)), 0)
			r := token.Claims.Rich
			if r == nil || token.Claims.Attest != passport.AttestFull {
				t.Fatalf("read %+v", token.Claims)
			}
			if c.want == 0 {
				return
			}
			if err := r.CheckInline(); !errors.Is(err, c.want) {
				t.Errorf("CheckInline: %v, want %q", err, c.want)
			}
			checkSigned(t, testKey(t), passport.Shaken, testX5U, token.Claims, c.want)
		})
	}
}

func TestMalformedClaimIsNotKept(t *testing.T) {
	text := strings.Replace(shakenPayload, "{", `{"rcd":{"nam":"Bank","icn":"https://a.example/c","jcl":7},"crn":"x",`, 1)
	r := check(t, forge(t, shakenHeader, text), 0).Claims.Rich
	if r.Nam != "" || r.ICN != "" || r.Links() != nil || !r.HasRCD || r.CRN != "x" {
		t.Errorf("%+v, %v", r, r.Links())
	}
}

func TestSignRefusesRichCallDataThatMayNotBeShown(t *testing.T) {
	type data = passport.RichCallData
	card := func(photo string) string { return `["vcard",[["photo",{},"uri","` + photo + `"]]]` }
	for _, c := range []struct {
		name string
		rich data
		want passport.Problem
	}{
		{"nam", data{HasRCD: true, Nam: "Q & <B>"}, 0},
		{"empty nam", data{HasRCD: true}, 0},
		{"crn alone", data{CRN: "x"}, 0},
		{"a digest, padded", data{HasRCD: true, Nam: "Q Branch Spy Gadgets", Digests: []passport.RichDigest{{"/nam", namDigest + "="}}}, 0},
		{"a jCard", data{HasRCD: true, JCD: card("data:image/png;base64,AA==")}, 0},
		{"nam without rcd", data{Nam: "x", CRN: "x"}, passport.RCDForm},
		{"nothing", data{}, passport.ClaimMissing},
		{"iss alone", data{ISS: "x"}, passport.ClaimMissing},
		{"digests without rcd", data{CRN: "x", Digests: []passport.RichDigest{{"/nam", namDigest}}}, passport.RCDIForm},
		{"nam that is not UTF-8", data{HasRCD: true, Nam: "\xff"}, passport.RCDForm},
		{"crn that is not UTF-8", data{CRN: "\xff"}, passport.RCDForm},
		{"iss that is not UTF-8", data{CRN: "x", ISS: "\xff"}, passport.RCDForm},
		{"apn that is words", data{HasRCD: true, APN: "Your bank"}, passport.RCDForm},
		{"icn without digest", data{HasRCD: true, ICN: "https://a.example/c"}, passport.RCDIForm},
		{"jcl without digest", data{HasRCD: true, JCL: "https://a.example/c"}, passport.RCDIForm},
		{"jcd without the digest of a photo", data{HasRCD: true, JCD: card("https://a.example/c")}, passport.RCDIForm},
		{"jcd that is no jCard", data{HasRCD: true, JCD: `["vcard"]`}, passport.RCDForm},
		{"jcd that is no JSON", data{HasRCD: true, JCD: `["vcard",[]`}, passport.RCDForm},
		{"jcd and jcl", data{HasRCD: true, JCD: `["vcard",[]]`, JCL: "https://a.example/c", Digests: []passport.RichDigest{{"/jcl", namDigest}}}, passport.RCDForm},
		{"a wrong digest", data{HasRCD: true, Nam: "x", Digests: []passport.RichDigest{{"/nam", namDigest}}}, passport.DigestMismatch},
		{"a malformed digest", data{HasRCD: true, ICN: "https://a.example/c", Digests: []passport.RichDigest{{"/icn", "sha256-x"}}}, passport.RCDIForm},
		{"a malformed digest of nam", data{HasRCD: true, Digests: []passport.RichDigest{{"/nam", "md5-x"}}}, passport.DigestMismatch},
		{"a digest of nothing", data{HasRCD: true, Digests: []passport.RichDigest{{"/icn", namDigest}}}, passport.RCDIForm},
		{"a pointer twice", data{HasRCD: true, ICN: "https://a.example/c", Digests: []passport.RichDigest{{"/icn", namDigest}, {"/icn", photoDigest}}}, passport.RCDIForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := baseClaims(t)
			claims.Rich = &c.rich
			checkSigned(t, testKey(t), passport.RCD, testX5U, claims, c.want)
		})
	}
	for _, name := range []string{"rcd", "rcdi", "crn", "iss"} {
		claims := baseClaims(t)
		extra(name, `"x"`)(&claims)
		checkSigned(t, testKey(t), passport.Base, testX5U, claims, passport.Unsignable)
	}
}

func TestRFC9795_S8_3_RichCallDataIsSignedInCanonicalBytes(t *testing.T) {
	claims := baseClaims(t)
	claims.Rich = &passport.RichCallData{
		HasRCD: true, Nam: "Q Branch Spy Gadgets", JCD: strings.ReplaceAll(qBranch, `,`, " ,\n"), CRN: "Rendezvous", ISS: "MI6",
		Digests: []passport.RichDigest{{"/nam", namDigest}, {"/jcd/1/5/3", smallDigest}, {"/jcd", cardDigest + "="},
			{"/jcd/1/4/3", logoDigest}, {"/jcd/1/3/3", photoDigest}},
	}
	compact, err := passport.Sign(testKey(t), passport.RCD, testX5U, claims)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"crn":"Rendezvous","dest":{"tn":["12155550131"]},"iat":1443208345,"iss":"MI6","orig":{"tn":"12155550121"},` +
		`"rcd":{"jcd":` + qBranch + `,"nam":"Q Branch Spy Gadgets"},"rcdi":{"/jcd":"` + cardDigest + `","/jcd/1/3/3":"` + photoDigest +
		`","/jcd/1/4/3":"` + logoDigest + `","/jcd/1/5/3":"` + smallDigest + `","/nam":"` + namDigest + `"}}`
	if got := segment(t, compact, 1); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
