package stiapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
)

const signingPath = "/stir/v1/signing?tgrp=sip-out"

// refusal is one way to be refused.
type refusal struct {
	name   string
	path   string // signing when empty
	body   func(*laboratory) string
	edit   func(*http.Request)
	kind   sti.Kind
	said   []string // variables
	header string   // that has to be there
	value  string
}

func said(text string) func(*laboratory) string { return func(*laboratory) string { return text } }

func setting(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

var refusals = []refusal{
	{name: "no body", body: said(""), kind: sti.MissingBody},
	{name: "nothing but white space", body: said(" \r\n"), kind: sti.MissingBody},
	{name: "a parameter is missing", body: func(l *laboratory) string { return l.signing(object{"attest": nil}) }, kind: sti.MissingParameter, said: []string{"attest"}},
	{name: "another request", body: func(l *laboratory) string { return l.verification(nil) }, kind: sti.MissingParameter, said: []string{"signingRequest"}},
	{
		name: "verification in band without identity", path: "/stir/v1/verification?tgrp=sip-in",
		body: func(l *laboratory) string { return l.verification(nil) }, kind: sti.MissingParameter, said: []string{"identity"},
	},
	{name: "nothing to publish", path: "/oob/v1/publish?tgrp=transit-out", body: func(l *laboratory) string { return l.carrying("publishRequest", nil) }, kind: sti.MissingParameter, said: []string{"identity"}},
	{name: "publishing on a trunk that signs", path: "/oob/v1/publish?tgrp=tdm-out", kind: sti.NotFound},
	{name: "retrieving on a trunk that verifies", path: "/oob/v1/retrieve?tgrp=tdm-in", kind: sti.NotFound},
	{name: "retrieving for nobody", path: "/oob/v1/retrieve?tgrp=transit-in", body: func(l *laboratory) string { return l.carrying("retrieveRequest", object{"orig": nil}) }, kind: sti.MissingParameter, said: []string{"orig"}},
	{name: "answers in XML", edit: setting("Accept", "application/xml"), kind: sti.AnswerType, said: []string{"application/xml"}},
	{name: "any answer but JSON", edit: setting("Accept", "*/*, application/json;q=0.0"), kind: sti.AnswerType, said: []string{"*/*, application/json;q=0.0"}},
	{name: "Accept that is none", edit: setting("Accept", "json"), kind: sti.AnswerType, said: []string{"json"}},
	{name: "unknown path", path: "/stir/v2/signing?tgrp=sip-out", kind: sti.NotFound},
	{name: "a slash too many", path: "/stir/v1/signing/?tgrp=sip-out", kind: sti.NotFound},
	{name: "no trunk", path: "/stir/v1/signing?tgrp=nowhere", kind: sti.NotFound},
	{name: "signing on a trunk that verifies", path: "/stir/v1/signing?tgrp=tdm-in", kind: sti.NotFound},
	{name: "signing on a trunk that publishes what comes", path: "/stir/v1/signing?tgrp=transit-out", kind: sti.NotFound},
	{name: "signing on a trunk that is off", path: "/stir/v1/signing?tgrp=off", kind: sti.NotFound},
	{name: "verifying on a trunk that signs", path: "/stir/v1/verification?tgrp=sip-out", kind: sti.NotFound},
	{name: "a form", edit: setting("Content-Type", "application/x-www-form-urlencoded"), kind: sti.RequestType, said: []string{"application/json"}},
	{name: "no type", edit: setting("Content-Type"), kind: sti.RequestType, said: []string{"application/json"}},
	{name: "two types", edit: setting("Content-Type", "application/json", "application/json"), kind: sti.RequestType, said: []string{"application/json"}},
	{name: "compressed", edit: setting("Content-Encoding", "gzip"), kind: sti.RequestType, said: []string{"application/json"}},
	{name: "a bad parameter", body: func(l *laboratory) string { return l.signing(object{"attest": "D"}) }, kind: sti.InvalidParameter, said: []string{"attest", "neither A nor B nor C"}},
	{name: "of an hour ago", body: func(l *laboratory) string { return l.signing(object{"iat": l.Clock.Now().Unix() - 3600}) }, kind: sti.InvalidParameter, said: []string{"iat", "too far from now"}},
	{name: "left unsigned by policy", path: "/stir/v1/signing?tgrp=silent", kind: sti.InvalidParameter, said: []string{"orig", "the policy signs no such calls"}},
	{name: "to an emergency service", body: func(l *laboratory) string { return l.signing(object{"dest": object{"tn": []string{"911"}}}) }, kind: sti.InvalidParameter, said: []string{"dest", "an emergency call is left alone"}},
	{name: "to a number cut short", body: func(l *laboratory) string { return l.signing(object{"dest": object{"tn": []string{"5550131"}}}) }, kind: sti.InvalidParameter, said: []string{"dest", "not usable on this trunk"}},
	{name: "from a number cut short", body: func(l *laboratory) string { return l.signing(object{"orig": object{"tn": "121555501"}}) }, kind: sti.InvalidParameter, said: []string{"orig", "not usable on this trunk"}},
	{name: "to two parties", body: func(l *laboratory) string {
		return l.signing(object{"dest": object{"tn": []string{"12155550131", "12155550132"}}})
	}, kind: sti.InvalidParameter, said: []string{"dest", "more than one called party"}},
	{name: "no JSON", body: said(`{"signingRequest":`), kind: sti.Unparsable, said: []string{"it is not a JSON object, or has a member twice"}},
	{name: "a member twice", body: said(`{"signingRequest":{},"signingRequest":{}}`), kind: sti.Unparsable, said: []string{"it is not a JSON object, or has a member twice"}},
	{name: "too long", body: said(strings.Repeat(" ", sti.BodyBytesMax+1)), kind: sti.Unparsable, said: []string{"it is too long"}},
	{name: "in chunks", edit: func(r *http.Request) { r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader("{}")) }, kind: sti.MissingLength},
	{name: "GET", edit: func(r *http.Request) { r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0 }, kind: sti.WrongMethod, header: "Allow", value: "POST"},
	{name: "PUT", edit: func(r *http.Request) { r.Method = http.MethodPut }, kind: sti.WrongMethod, header: "Allow", value: "POST"},
	{name: "OPTIONS", edit: func(r *http.Request) { r.Method = http.MethodOptions }, kind: sti.WrongMethod, header: "Allow", value: "POST"},
}

// TestATIS82_30_EveryRowOfTheTableOverHTTP: in both dialects, over HTTP/1.1 and HTTP/2.
func TestATIS82_30_EveryRowOfTheTableOverHTTP(t *testing.T) {
	l := start(t, nil)
	reached := map[sti.Kind]bool{sti.Internal: true, sti.Unproven: true, sti.Tries: true, sti.Crowded: true} // these have tests of their own
	for _, client := range []struct {
		name    string
		dialect sti.Dialect
		http2   bool
	}{{"atis.switch.example", sti.ATIS, true}, {"ms.switch.example", sti.Ms, false}} {
		asking := l.as(client.name)
		protocols := new(http.Protocols)
		protocols.SetHTTP1(!client.http2)
		protocols.SetHTTP2(client.http2)
		asking.Transport.(*http.Transport).Protocols = protocols
		for _, r := range refusals {
			t.Run(client.name+"/"+r.name, func(t *testing.T) {
				l := *l
				l.TB = t
				body, path := l.signing(nil), signingPath
				if r.body != nil {
					body = r.body(&l)
				}
				if r.path != "" {
					path = r.path
				}
				want := r.kind.In(client.dialect, r.said...)
				if r.name == "verification in band without identity" && client.dialect == sti.Ms {
					want.Variables = []string{"identityHeader"}
				}
				got := l.sendBy(asking, path, body, r.edit)
				l.wants(got, r.kind.Row().Status, string(sti.WriteException(want)))
				if r.header != "" && got.header.Get(r.header) != r.value {
					t.Errorf("%s: %q", r.header, got.header.Get(r.header))
				}
				if got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "no-store" || !uuid.IsVersion4(got.header.Get("X-RequestID")) {
					t.Errorf("%v", got.header)
				}
			})
			reached[r.kind] = true
		}
	}
	for _, kind := range sti.Kinds() {
		if !reached[kind] {
			t.Errorf("%s is not reached", kind.Row().ID)
		}
	}
}

// TestATIS82_30_DialectOfTheRequestComesFirst: a client of one dialect that asks in the other is refused in the other.
func TestATIS82_30_DialectOfTheRequestComesFirst(t *testing.T) {
	l := start(t, nil)
	got := l.send(signingPath, l.signing(object{"ppt": "none"}), nil)
	l.wants(got, 400, `{"error":"Invalid 'ppt' parameter value: neither shaken nor div nor rph."}`)
}

func TestATIS82_30_HeaderFields(t *testing.T) {
	l := start(t, nil)
	good := l.signing(nil)
	for _, edit := range []func(*http.Request){
		setting("Content-Type", "application/json; charset=utf-8"), setting("Content-Type", `APPLICATION/JSON;charset="UTF-8"`),
		setting("Accept", "*/*"), setting("Accept", "application/*;q=0.1, text/html"), setting("Accept", "text/html", "application/json"),
		setting("Accept", "application/json;q=0.001, */*;q=0"), setting("Content-Encoding", "identity"),
	} {
		if got := l.send(signingPath, good, edit); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}

func TestATIS82_30_RequestIDGoesBack(t *testing.T) {
	l := start(t, nil)
	for name, c := range map[string]struct {
		given []string
		goes  bool
	}{
		"an identifier":         {[]string{"AA97B177-9383-4934-8543-0F91A7A02836"}, true},
		"of another form":       {[]string{"sbc1:call/0001@x.example"}, true},
		"the longest":           {[]string{strings.Repeat("x", 128)}, true},
		"too long":              {[]string{strings.Repeat("x", 129)}, false},
		"two":                   {[]string{"a", "b"}, false},
		"empty":                 {[]string{""}, false},
		"markup":                {[]string{"<script>"}, false},
		"a header field behind": {[]string{`a"; Set-Cookie: b`}, false},
		"beyond ASCII":          {[]string{"é"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := l.send(signingPath, "", setting("X-RequestID", c.given...)).header.Get("X-RequestID")
			if c.goes && got != c.given[0] || !c.goes && !uuid.IsVersion4(got) {
				t.Errorf("%q", got)
			}
		})
	}
}
