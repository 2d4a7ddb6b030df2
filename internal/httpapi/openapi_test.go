package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/openapitest"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// description is docs/openapi.yaml.
type description struct{ *openapitest.Description }

func readDescription(t *testing.T) *description {
	t.Helper()
	return &description{openapitest.Read(t, "../../docs/openapi.yaml")}
}

// fits wants an answer to be one that the description has for the operation.
func (d *description) fits(operation string, got oobtest.Answer) {
	d.Helper()
	d.Fits(operation, got.Status, got.Header, got.Body)
}

// TestOpenAPIIsWhatTheHandlersDo produces every documented status of every operation, and finds none that is not
// documented.
func TestOpenAPIIsWhatTheHandlersDo(t *testing.T) {
	d := readDescription(t)
	paths := map[oob.Profile]string{oob.Agreed: "/passports/{SPC}/{DEST}/{ORIG}", oob.Mesh: "/passports/{DEST}/{ORIG}"}
	// The straight road and all refusals.
	p := startPair(t, oobtest.CPSConfig{})
	health := &oobtest.Attempt{Method: http.MethodGet, Path: "/health", Authorization: []string{}}
	d.fits("get /health", p.send(health))
	for profile, path := range paths {
		a := p.Publish(profile, p.Passport("x"), p.Passport("y"))
		d.request(paths[profile], a)
		d.fits("post "+path, p.send(a))
		d.fits("get "+path, p.send(p.Retrieve(profile)))
		for _, r := range refusals {
			for action, operation := range map[oob.Action]string{toPublish: "post " + path, toRetrieve: "get " + path} {
				if r.on != "" && r.on != action || r.name == "POST to health" {
					continue
				}
				a := p.Retrieve(profile)
				if action == toPublish {
					a = p.Publish(profile, p.Passport(r.name))
				}
				r.spoil(p, a)
				d.fits(operation, p.send(a))
			}
		}
	}
	d.relay(t, paths[oob.Mesh])
	d.relays(t)
	post := *health
	post.Method = http.MethodPost
	d.fits("get /health", p.send(&post))
	p.CPS.Service.Drain()
	d.fits("get /health", p.send(health))
	// What needs a CPS of its own.
	limited := startPair(t, oobtest.CPSConfig{
		Service: cps.Config{PublishRate: cps.Rate{Burst: 1, PerSecond: 1}, RetrieveRate: cps.Rate{Burst: 1, PerSecond: 1}},
		Door:    httpapi.Config{BodyTimeout: soon},
	})
	broken := startWithShelf(t, httpapi.Config{}, func(context.Context) error { return errors.New("broken") })
	full := startWithShelf(t, httpapi.Config{}, func(context.Context) error { return oob.Faultf(oob.Overloaded, "the shelf is full") })
	for profile, path := range paths {
		for _, p := range []*pair{limited, limited, broken, full} {
			d.fits("post "+path, p.send(p.Publish(profile, p.Passport("x"))))
			d.fits("get "+path, p.send(p.Retrieve(profile)))
		}
		limited.Clock.Advance(2 * 1e9)
		d.fits("post "+path, limited.slow(limited.Publish(profile, limited.Passport("slow"))))
		limited.Clock.Advance(2 * 1e9)
	}
	d.providers(t)
	d.advertisement(t)
	d.AllSeen()
}

// relay wants what another CPS passes on to be what the description allows.
func (d *description) relay(t *testing.T, path string) {
	d.Helper()
	p := startPair(t, oobtest.CPSConfig{Service: cps.Config{Relay: cps.RelayConfig{Accepts: func(string) bool { return true }}}})
	original := p.Publish(oob.Mesh, p.Passport("x"))
	a := p.Publish(oob.Mesh, p.Passport("x"))
	a.Signer, a.Access.Issuer, a.Access.Subject = p.Downstream, p.Downstream.SPC, p.Downstream.SPC
	a.Access.Action, a.Body = oob.ActionRepublish, atis.WriteRelay([]string{p.Passport("x")}, p.token(original))
	d.request(path, a)
	d.fits("post "+path, p.send(a))
}

// request wants a good publication to be one that the description allows.
func (d *description) request(path string, a *oobtest.Attempt) {
	d.Helper()
	var body any
	if err := json.Unmarshal(a.Body, &body); err != nil {
		d.Fatal(err)
	}
	d.Valid("request", d.Of("paths", path, "post", "requestBody", "content", a.Header.Get("Content-Type"), "schema"), body)
	names, values := strings.Split(path, "/"), strings.Split(a.Path, "/")
	for i, name := range names {
		if name = strings.Trim(name, "{}"); name != names[i] {
			d.Valid("parameter "+name, d.Of("components", "parameters", name, "schema"), values[i])
		}
	}
	if got := d.Of("components", "schemas", "Passport", "maxLength"); openapitest.Figure(got) != oob.PassportBytesMax {
		d.Errorf("a PASSporT of at most %v bytes, but %d are taken", got, oob.PassportBytesMax)
	}
	if got := d.Of("components", "schemas", "Publication", "allOf").([]any)[1]; openapitest.Figure(d.At(got, "properties", "passports", "maxItems")) != oob.PassportsMax {
		d.Errorf("%v, but %d are taken", got, oob.PassportsMax)
	}
}

// slow sends half of a body.
func (p *pair) slow(a *oobtest.Attempt) oobtest.Answer {
	p.Helper()
	c := p.dialHTTP1(0)
	c.say("POST " + a.Path + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + p.token(a) + "\r\nContent-Length: 500\r\n\r\n{")
	response, text := c.answer(a.Method)
	return oobtest.Answer{Status: response.StatusCode, HTTPMajor: 1, Header: response.Header, Body: text}
}

// TestOpenAPIHasThePathsOfTheDialect, no more and no fewer.
func TestOpenAPIHasThePathsOfTheDialect(t *testing.T) {
	d := readDescription(t)
	want := []string{"get " + atis.HealthPath, "get " + advert.WellKnown, "post " + atis.RelaysPath}
	for _, e := range atis.Endpoints {
		path := strings.NewReplacer("{spc}", "{SPC}", "{dest}", "{DEST}", "{orig}", "{ORIG}").Replace(e.Pattern)
		want = append(want, "get "+path, "post "+path)
	}
	for _, e := range atis.CompanyEndpoints {
		path := strings.NewReplacer("{spc}", "{OCN}", "{dest}", "{DEST}", "{orig}", "{ORIG}", "{id}", "{ID}").Replace(e.Pattern)
		want = append(want, strings.ToLower(e.Method)+" "+path)
	}
	for _, e := range rfc9888.Endpoints {
		path := strings.NewReplacer("{dest}", "{DEST}", "{id}", "{ID}").Replace(e.Pattern)
		want = append(want, strings.ToLower(e.Method)+" "+path)
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(d.Operations())); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
