package stiapi_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/openapitest"
	"github.com/viaduct-oob/viaduct/internal/stiapi"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
)

// TestOpenAPIIsWhatTheDoorDoes produces every documented status of every operation, and finds none that is not documented.
func TestOpenAPIIsWhatTheDoorDoes(t *testing.T) {
	d := openapitest.Read(t, "../../docs/openapi-switch.yaml")
	l := start(t, func(c *stiapi.Config) { c.InFlightMax = 4 })
	want := []string{"post /oob/v1/publish", "post /oob/v1/retrieve", "post /stir/v1/signing", "post /stir/v1/verification"}
	if got := slices.Sorted(maps.Keys(d.Operations())); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	l.as("ms.switch.example")
	type call struct{ trunk, body string }
	for path, made := range map[string]func() []call{
		"/stir/v1/signing": func() []call {
			return []call{
				{"sip-out", l.signing(nil)}, {"tdm-out", l.signing(object{"orig": object{"uri": "tel:+12155550121"}})},
				{"ministry", l.signing(object{"ppt": "rph", "attest": nil, "origid": nil, "rph": object{"auth": []string{"esnet.1"}}, "sph": "psap-callback"})},
			}
		},
		"/stir/v1/verification": func() []call {
			return []call{
				{"sip-in", l.verification(object{"identity": l.header()})}, {"sip-in", l.verification(object{"identityHeader": "nonsense"})},
				{"tdm-in", l.verification(nil)}, {"tdm-in-gone", l.verification(object{"identityHeaders": []string{}})},
				{"sip-in", l.verification(object{"identity": l.header(), "time": 1})}, {"off", l.verification(object{"identity": "x"})},
			}
		},
		"/oob/v1/publish": func() []call {
			return []call{
				{"transit-out", l.carrying("publishRequest", object{"identity": []string{l.header()}})},
				{"transit-out-gone", l.carrying("publishRequest", object{"identity": []string{l.header()}})},
			}
		},
		"/oob/v1/retrieve": func() []call {
			return []call{
				{"transit-in", l.carrying("retrieveRequest", nil)}, {"transit-in-gone", l.carrying("retrieveRequest", nil)}, {"off", l.carrying("retrieveRequest", nil)},
			}
		},
	} {
		operation, calls := "post "+path, made()
		fits := func(got answer) {
			t.Helper()
			d.Fits(operation, got.status, got.header, got.body)
		}
		for _, call := range calls {
			var body any
			l.must(json.Unmarshal([]byte(call.body), &body))
			d.Valid(operation, d.Of("paths", path, "post", "requestBody", "content", "application/json", "schema"), body)
			got := l.send(path+"?tgrp="+call.trunk, call.body, nil)
			if got.status != 200 {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
			fits(got)
		}
		for _, client := range []string{"atis.switch.example", "ms.switch.example"} {
			for _, r := range refusals {
				if r.path != "" || r.body != nil && r.name != "no body" {
					continue
				}
				body := calls[0].body
				if r.body != nil {
					body = r.body(l)
				}
				fits(l.sendBy(l.as(client), path+"?tgrp="+calls[0].trunk, body, r.edit))
			}
			fits(l.sendBy(l.as(client), path+"?tgrp=nowhere", calls[0].body, nil))
		}
		fits(l.sendBy(l.as(""), path, "", nil))
		for range stiapi.TriesMax + 1 {
			fits(l.sendBy(l.as(""), path, "", bearer(wrongKey)))
		}
		l.Clock.Advance(stiapi.TriesWindow)
		fits(l.recordedAnswer(path+"?tgrp="+calls[0].trunk, panicking{}))
		fits(l.crowded(path, calls[0].trunk))
	}
	d.AllSeen()
	if got := d.Of("components", "parameters", "requestID", "schema", "maxLength"); openapitest.Figure(got) != 128 {
		t.Errorf("%v", got)
	}
	if got := openapitest.Figure(d.Of("components", "schemas", "Texts", "maxItems")); got != sti.DestMax || got < identity.HeadersMax {
		t.Errorf("%v", got)
	}
}

// recordedAnswer asks without a network, with a body of a test's own.
func (l *laboratory) recordedAnswer(path string, body io.Reader) answer {
	request := httptest.NewRequest(http.MethodPost, path, body)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Content-Length", "7") // nobody counts it here
	request.Header.Set("Authorization", "Bearer "+atisKey)
	request.ContentLength, request.RemoteAddr = 7, "127.0.0.1:1"
	recorder := httptest.NewRecorder()
	l.door.ServeHTTP(recorder, request)
	header := http.Header{}
	for name, values := range recorder.Header() {
		header[http.CanonicalHeaderKey(name)] = values // as they are after a journey
	}
	return answer{recorder.Code, header, recorder.Body.String()}
}

// crowded asks while another request of the same client has its place.
func (l *laboratory) crowded(path, trunk string) (got answer) {
	l.recordedAnswer(path+"?tgrp="+trunk, reading(func() {
		got = l.recordedAnswer(path+"?tgrp="+trunk, strings.NewReader("{}"))
	}))
	return got
}

// reading does something while it is read.
type reading func()

func (do reading) Read([]byte) (int, error) {
	do()
	return 0, http.ErrBodyReadAfterClose
}
