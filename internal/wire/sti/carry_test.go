package sti_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/tn"
)

func TestCarryRequests(t *testing.T) {
	want := sti.CarryRequest{Orig: party(t, "12155550121"), Dest: party(t, "12155550131"), Identity: []string{"a", "b"}}
	for name, body := range map[string]string{
		"in short":                   `{"publishRequest":{"orig":{"tn":"12155550121"},"dest":{"tn":"12155550131"},"identity":["a","b"]}}`,
		"as in other requests":       `{"publishRequest":{"orig":{"tn":"+1 215-555-0121"},"dest":{"tn":["12155550131"]},"identity":["a","b"]}}`,
		"as URIs":                    `{"publishRequest":{"orig":{"uri":"tel:+12155550121"},"dest":{"uri":["sip:+12155550131@a.example;user=phone"]},"identity":["a","b"]}}`,
		"with members of the future": `{"x":1,"publishRequest":{"y":{},"orig":{"tn":"12155550121"},"dest":{"tn":"12155550131"},"identity":["a","b"]}}`,
	} {
		if got, err := sti.ReadPublish([]byte(body), tn.NANP, sti.Ms); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		want := want
		want.Identity = nil
		retrieve := strings.Replace(body, "publishRequest", "retrieveRequest", 1)
		if got, err := sti.ReadRetrieve([]byte(retrieve), tn.NANP, sti.Ms); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestBadCarryRequests(t *testing.T) {
	const orig, dest = `"orig":{"tn":"12155550121"}`, `"dest":{"tn":"12155550131"}`
	many, err := json.Marshal(make([]string, identity.HeadersMax+1))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		inside string
		kind   sti.Kind
		about  string
	}{
		"no orig":             {dest + `,"identity":["a"]`, sti.MissingParameter, "orig"},
		"no dest":             {orig + `,"identity":["a"]`, sti.MissingParameter, "dest"},
		"two callers":         {`"orig":{"tn":["1","2"]},` + dest + `,"identity":["a"]`, sti.InvalidParameter, "orig"},
		"two called parties":  {orig + `,"dest":{"tn":["1","2"]},"identity":["a"]`, sti.InvalidParameter, "dest"},
		"nothing to publish":  {orig + "," + dest, sti.MissingParameter, "identity"},
		"null to publish":     {orig + "," + dest + `,"identity":null`, sti.MissingParameter, "identity"},
		"an empty list":       {orig + "," + dest + `,"identity":[]`, sti.InvalidParameter, "identity"},
		"one that is no list": {orig + "," + dest + `,"identity":"a"`, sti.InvalidParameter, "identity"},
		"one of another type": {orig + "," + dest + `,"identity":["a",1]`, sti.InvalidParameter, "identity"},
		"too many":            {orig + "," + dest + `,"identity":` + string(many), sti.InvalidParameter, "identity"},
	} {
		for _, d := range []sti.Dialect{sti.ATIS, sti.Ms} {
			got, err := sti.ReadPublish([]byte(`{"publishRequest":{`+c.inside+`}}`), tn.NANP, d)
			var e *sti.Exception
			if !errors.As(err, &e) || e.Kind != c.kind || e.Variables[0] != c.about || e.Dialect != d || !reflect.DeepEqual(got, sti.CarryRequest{}) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	}
	for _, body := range []string{"", "{", "[]", `{"publishRequest":{}}`, `{"retrieveRequest":1}`, strings.Repeat(" ", sti.BodyBytesMax+1)} {
		if got, err := sti.ReadRetrieve([]byte(body), tn.NANP, sti.ATIS); err == nil || !reflect.DeepEqual(got, sti.CarryRequest{}) {
			t.Errorf("%.20q: %+v", body, got)
		}
	}
}

func TestCarryAnswers(t *testing.T) {
	for want, got := range map[string][]byte{
		`{"publishResponse":{"status":"published"}}`:                                           sti.WritePublish(sti.CarryPublished, ""),
		`{"publishResponse":{"status":"failed","reason":"cps-timeout"}}`:                       sti.WritePublish(sti.CarryFailed, "cps-timeout"),
		`{"retrieveResponse":{"status":"found","identity":["a;b=<c>","\""],"iat":1443208345}}`: sti.WriteRetrieve(sti.CarryFound, []string{"a;b=<c>", `"`}, time.Unix(1443208345, 700), ""),
		`{"retrieveResponse":{"status":"nothing"}}`:                                            sti.WriteRetrieve(sti.CarryNothing, []string{}, time.Time{}, ""),
	} {
		if string(got) != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestVerificationOutOfBandMayLackIdentity, and nothing else that the other needs.
func TestVerificationOutOfBandMayLackIdentity(t *testing.T) {
	const call = `"from":{"tn":"12155550121"},"to":{"tn":["12155550131"]},"time":1443208345`
	for inside, want := range map[string]struct {
		dialect sti.Dialect
		count   int
	}{
		call:                              {sti.Ms, 0}, // as the caller names it
		call + `,"identity":""`:           {sti.ATIS, 0},
		call + `,"identityHeader":""`:     {sti.Ms, 0},
		call + `,"identityHeaders":[]`:    {sti.Ms, 0},
		call + `,"identity":"a"`:          {sti.ATIS, 1},
		call + `,"identityHeaders":["a"]`: {sti.Ms, 1},
	} {
		got, err := sti.ReadVerificationOutOfBand([]byte(`{"verificationRequest":{`+inside+`}}`), tn.NANP, sti.Ms)
		if err != nil || got.Dialect != want.dialect || len(got.Identity) != want.count || got.From != party(t, "12155550121") {
			t.Errorf("%s: %+v, %v", inside, got, err)
		}
	}
	for _, inside := range []string{
		call + `,"identity":1`, call + `,"identity":["a"]`, call + `,"identityHeaders":"a"`, call + `,"identity":"a","identityHeader":"b"`,
		`"from":{"tn":"12155550121"},"to":{"tn":["12155550131"]}`,
	} {
		got, err := sti.ReadVerificationOutOfBand([]byte(`{"verificationRequest":{`+inside+`}}`), tn.NANP, sti.Ms)
		if err == nil || !reflect.DeepEqual(got, sti.VerificationRequest{}) {
			t.Errorf("%s: %+v", inside, got)
		}
	}
}

func FuzzReadCarry(f *testing.F) {
	f.Add([]byte(`{"publishRequest":{"orig":{"tn":"12155550121"},"dest":{"tn":"12155550131"},"identity":["a"]},"retrieveRequest":{"orig":{"uri":"sip:a@b.example"},"dest":{"tn":["1"]}}}`))
	f.Add([]byte(`{"publishRequest":{"orig":{},"dest":{"tn":[]},"identity":[]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := sti.ReadPublish(body, tn.NANP, sti.ATIS)
		if err != nil && !reflect.DeepEqual(p, sti.CarryRequest{}) || err == nil && (p.Orig.IsZero() || p.Dest.IsZero() || len(p.Identity) == 0) {
			t.Errorf("%+v, %v", p, err)
		}
		r, err := sti.ReadRetrieve(body, tn.NANP, sti.ATIS)
		if err != nil && !reflect.DeepEqual(r, sti.CarryRequest{}) || err == nil && (r.Orig.IsZero() || r.Dest.IsZero() || r.Identity != nil) {
			t.Errorf("%+v, %v", r, err)
		}
		var e *sti.Exception
		if err != nil && (!errors.As(err, &e) || !json.Valid(sti.WriteException(e))) {
			t.Errorf("%v", err)
		}
	})
}
