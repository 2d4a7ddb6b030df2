package atis_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

func identity(t interface {
	Helper()
	Fatal(...any)
}, text string) tn.Identity {
	t.Helper()
	id, err := tn.ParseIdentity(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestATIS1000105_S7_ClaimsAsThePublicClientWritesThem: composed after the reference client, claim for claim.
func TestATIS1000105_S7_ClaimsAsThePublicClientWritesThem(t *testing.T) {
	const payload = `{"iat":1795316200,"action":"publish","exp":1795316203,"spc":"567B","iss":"567B","aud":"cps.example.net",` +
		`"jti":"2f0c8a52-3f0e-4c55-9a41-0a1d3e6b7c11","dest":{"tn":["19032469103"]},"orig":{"tn":"12013776051"},` +
		`"passports":"sha256-zKgfrcdamkcRrtGElNTkO0yj8dx4P9Vg6oFH0sKSGlA="}`
	want := oob.Access{
		Action: oob.ActionPublish, Issuer: "567B", SPC: "567B", Audience: []string{"cps.example.net"},
		IssuedAt: time.Unix(1795316200, 0), Deadline: time.Unix(1795316203, 0), ID: "2f0c8a52-3f0e-4c55-9a41-0a1d3e6b7c11",
		Dest: identity(t, "19032469103"), Orig: identity(t, "12013776051"), Digest: "sha256-zKgfrcdamkcRrtGElNTkO0yj8dx4P9Vg6oFH0sKSGlA=",
	}
	got, err := atis.ReadAccess([]byte(payload))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if text := string(atis.WriteAccess(want)); text != payload {
		t.Errorf("%s\nwant %s", text, payload)
	}
}

func TestReadAccessTolerates(t *testing.T) {
	for name, c := range map[string]struct {
		claims string
		want   oob.Access
	}{
		"aud as a list":          {`"aud":["a","b"]`, oob.Access{Audience: []string{"a", "b"}}},
		"dest as text":           {`"dest":{"tn":"12013776051"}`, oob.Access{Dest: identity(t, "12013776051")}},
		"orig as a list":         {`"orig":{"tn":["12013776051"]}`, oob.Access{Orig: identity(t, "12013776051")}},
		"a URI":                  {`"dest":{"uri":["urn:service:sos"]}`, oob.Access{Dest: identity(t, "urn:service:sos")}},
		"further claims":         {`"nonce":{"a":[1,2]},"nbf":1`, oob.Access{}},
		"further member of orig": {`"orig":{"tn":"12013776051","x":1}`, oob.Access{Orig: identity(t, "12013776051")}},
		"nothing":                {``, oob.Access{}},
	} {
		got, err := atis.ReadAccess([]byte("{" + c.claims + "}"))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestReadAccessRefuses(t *testing.T) {
	for _, claims := range []string{
		`"iss":1`, `"iss":null`, `"action":["publish"]`, `"iat":"1795316200"`, `"iat":1795316200.5`, `"iat":1e9`, `"iat":-1`, `"iat":253402300800`,
		`"exp":true`, `"aud":[1]`, `"aud":{}`, `"aud":["a","b","c","d","e","f","g","h","i"]`, `"dest":[]`, `"dest":{}`, `"dest":{"tn":[]}`, `"dest":"12013776051"`,
		`"dest":{"tn":["12013776051","12013776052"]}`, `"dest":{"tn":["12013776051"],"uri":["urn:service:sos"]}`, `"orig":{"tn":"+12013776051"}`,
		`"orig":{"tn":""}`, `"orig":{"uri":"x"}`, `"orig":{"tn":"12013776051","tn":"12013776051"}`, `"jti":1`, `"passports":["a"]`,
		`"iss":"a","iss":"a"`, `"x":{"y":1,"y":2}`, `"x":` + strings.Repeat("[", 10) + strings.Repeat("]", 10), "\"x\":\"\xff\"", `"x"`,
	} {
		got, err := atis.ReadAccess([]byte("{" + claims + "}"))
		if !errors.Is(err, oob.Unproven) || !reflect.DeepEqual(got, oob.Access{}) {
			t.Errorf("%s: %+v, %v", claims, got, err)
		}
	}
}

var spcs = rapid.StringMatching(`[0-9A-Z]{4}`)

// parties are numbers and URIs.
var parties = rapid.Custom(func(t *rapid.T) tn.Identity {
	return identity(t, rapid.OneOf(
		rapid.StringMatching(`[0-9#*]{1,15}`),
		rapid.SampledFrom([]string{"urn:service:sos", "sip:alice@example.com", "sips:+1;x@example.com", "urn:x:a/b%2Fc?d", "http://a//b/../c", "urn:x:.", "urn:x:%25"}),
		rapid.StringMatching(`urn:x:[a-z/?#%+;:@.=&-]{1,20}`).Filter(func(s string) bool { _, err := tn.ParseURI(s); return err == nil }),
	).Draw(t, "party"))
})

// TestAccessIsReadAsItWasWritten holds for every Access that a client can mean.
func TestAccessIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := oob.Access{
			Action:   oob.Action(rapid.SampledFrom([]string{"publish", "retrieve", "x\"\\"}).Draw(t, "action")),
			Issuer:   spcs.Draw(t, "iss"),
			Audience: []string{rapid.StringN(1, 30, -1).Draw(t, "aud")},
			IssuedAt: time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, "iat"), 0),
			ID:       rapid.StringN(1, 40, -1).Draw(t, "jti"),
			Dest:     parties.Draw(t, "dest"),
			Orig:     parties.Draw(t, "orig"),
		}
		if rapid.Bool().Draw(t, "agreed") {
			want.SPC = spcs.Draw(t, "spc")
			want.Deadline = want.IssuedAt.Add(time.Minute).Truncate(time.Second)
		} else {
			want.Subject = spcs.Draw(t, "sub")
		}
		if want.Action == oob.ActionPublish {
			want.Digest = atis.Digest([]string{"a.b.c"})
		}
		if want.Deadline.Unix() > 253402300799 {
			return // no date
		}
		payload := atis.WriteAccess(want)
		if !json.Valid(payload) {
			t.Fatalf("no JSON: %s", payload)
		}
		got, err := atis.ReadAccess(payload)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %+v, %v", payload, got, err)
		}
	})
}

// FuzzReadAccess: what is read, and has the claims that every token has, is written and read the same; what is refused is
// Unproven.
func FuzzReadAccess(f *testing.F) {
	for _, seed := range []string{
		`{"iat":1795316200,"action":"publish","sub":"567B","iss":"567B","aud":"cps.example.net","jti":"x","dest":{"tn":["19032469103"]},"orig":{"tn":"12013776051"},"passports":"y"}`,
		`{"iat":1795316200,"exp":1,"action":"retrieve","spc":"567B","iss":"890C","aud":["cps"],"jti":"x","dest":{"uri":["urn:service:sos"]},"orig":{"uri":"sip:a@b.example"}}`,
		`{"iat":1795316200,"action":"subscribe","iss":"12013776051","aud":"cps.example.net","jti":"x"}`,
		`{}`, `{"aud":[]}`, `{"orig":{"tn":"+1"}}`, `[]`, `{"iat":1,"iat":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		a, err := atis.ReadAccess(payload)
		if err != nil {
			if !errors.Is(err, oob.Unproven) || !reflect.DeepEqual(a, oob.Access{}) {
				t.Fatalf("%+v, %v", a, err)
			}
			return
		}
		if a.IssuedAt.IsZero() || len(a.Audience) > 1 {
			return // no client of ours writes it
		}
		if len(a.Audience) == 1 && a.Audience[0] == "" || len(a.Audience) == 0 {
			a.Audience = nil // an empty name is not written
		}
		again, err := atis.ReadAccess(atis.WriteAccess(a))
		if err != nil || !reflect.DeepEqual(again, a) {
			t.Fatalf("%+v\nthen %+v, %v", a, again, err)
		}
	})
}
