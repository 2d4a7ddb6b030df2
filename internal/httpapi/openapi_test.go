package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// description is docs/openapi.yaml: what it says of each operation, and what has been seen of it.
type description struct {
	*testing.T
	root any
	seen map[string]bool // "operation status"
}

func readDescription(t *testing.T) *description {
	t.Helper()
	text, err := os.ReadFile("../../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := &description{T: t, seen: map[string]bool{}}
	if err := yaml.Unmarshal(text, &d.root); err != nil {
		t.Fatal(err)
	}
	return d
}

// at finds what stands at the end of a way from node, through references.
func (d *description) at(node any, way ...string) any {
	for {
		m, _ := node.(map[string]any)
		if ref, ok := m["$ref"].(string); ok {
			node = d.at(d.root, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			continue
		}
		if len(way) == 0 || m == nil {
			return node
		}
		node, way = m[way[0]], way[1:]
	}
}

// operations are "get /health" and so on, each with its responses by status.
func (d *description) operations() map[string]map[string]any {
	all := map[string]map[string]any{}
	paths, _ := d.at(d.root, "paths").(map[string]any)
	for path, item := range paths {
		for _, method := range []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"} {
			if responses, ok := d.at(item, method, "responses").(map[string]any); ok {
				all[method+" "+path] = responses
			}
		}
	}
	return all
}

// fits wants an answer to be one that the description has for the operation.
func (d *description) fits(operation string, got oobtest.Answer) {
	d.Helper()
	status := strconv.Itoa(got.Status)
	response, documented := d.operations()[operation][status]
	if !documented {
		d.Errorf("%s: status %s is not documented", operation, status)
		return
	}
	d.seen[operation+" "+status] = true
	headers, _ := d.at(response, "headers").(map[string]any)
	for name, header := range headers {
		value := got.Header.Get(name)
		if value == "" {
			if d.at(header, "required") == true {
				d.Errorf("%s %s: no %s", operation, status, name)
			}
			continue
		}
		var typed any = value
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			typed = n
		}
		d.valid(operation+" "+status+" "+name, d.at(header, "schema"), typed)
	}
	var body any
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
		d.Errorf("%s %s: %v", operation, status, err)
	}
	schema := d.at(response, "content", got.Header.Get("Content-Type"), "schema")
	if schema == nil {
		d.Errorf("%s %s: content type %q is not documented", operation, status, got.Header.Get("Content-Type"))
		return
	}
	d.valid(operation+" "+status, schema, body)
}

// valid checks a value against a schema. A keyword that it does not know fails, so that none is passed over.
func (d *description) valid(where string, schema, value any) {
	d.Helper()
	keywords, ok := d.at(schema).(map[string]any)
	if !ok {
		d.Errorf("%s: no schema", where)
		return
	}
	for keyword, rule := range keywords {
		if !d.keeps(where, keyword, rule, value) {
			d.Errorf("%s: %s %v is not kept by %v", where, keyword, rule, value)
		}
	}
}

func (d *description) keeps(where, keyword string, rule, value any) bool {
	d.Helper()
	text, isText := value.(string)
	list, isList := value.([]any)
	object, isObject := value.(map[string]any)
	number, isNumber := value.(float64)
	switch keyword {
	case "description", "example":
		return true
	case "type":
		return rule == "string" && isText || rule == "array" && isList || rule == "object" && isObject || rule == "integer" && isNumber && number == float64(int64(number))
	case "required":
		return !slices.ContainsFunc(rule.([]any), func(name any) bool { _, has := object[name.(string)]; return !has })
	case "properties":
		for name, schema := range rule.(map[string]any) {
			if member, has := object[name]; has {
				d.valid(where+"/"+name, schema, member)
			}
		}
		return true
	case "items":
		for _, element := range list {
			d.valid(where+"[]", rule, element)
		}
		return true
	case "allOf":
		for _, schema := range rule.([]any) {
			d.valid(where, schema, value)
		}
		return true
	case "minimum":
		return number >= figure(rule)
	case "minItems":
		return float64(len(list)) >= figure(rule)
	case "maxItems":
		return float64(len(list)) <= figure(rule)
	case "minLength":
		return float64(len(text)) >= figure(rule)
	case "maxLength":
		return float64(len(text)) <= figure(rule)
	case "pattern":
		return regexp.MustCompile(rule.(string)).MatchString(text)
	}
	d.Errorf("%s: this test does not know the keyword %s", where, keyword)
	return false
}

func figure(rule any) float64 {
	n, err := strconv.ParseFloat(fmt.Sprint(rule), 64)
	if err != nil {
		panic(err) // a limit that is no number
	}
	return n
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
	for operation, responses := range d.operations() {
		for _, status := range slices.Sorted(maps.Keys(responses)) {
			if !d.seen[operation+" "+status] {
				t.Errorf("%s: status %s is documented and was not produced", operation, status)
			}
		}
	}
}

// request wants a good publication to be one that the description allows.
func (d *description) request(path string, a *oobtest.Attempt) {
	d.Helper()
	var body any
	if err := json.Unmarshal(a.Body, &body); err != nil {
		d.Fatal(err)
	}
	d.valid("request", d.at(d.root, "paths", path, "post", "requestBody", "content", a.Header.Get("Content-Type"), "schema"), body)
	names, values := strings.Split(path, "/"), strings.Split(a.Path, "/")
	for i, name := range names {
		if name = strings.Trim(name, "{}"); name != names[i] {
			d.valid("parameter "+name, d.at(d.root, "components", "parameters", name, "schema"), values[i])
		}
	}
	if got := d.at(d.root, "components", "schemas", "Passport", "maxLength"); figure(got) != oob.PassportBytesMax {
		d.Errorf("a PASSporT of at most %v bytes, but %d are taken", got, oob.PassportBytesMax)
	}
	if got := d.at(d.root, "components", "schemas", "Publication", "allOf").([]any)[1]; figure(d.at(got, "properties", "passports", "maxItems")) != oob.PassportsMax {
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
	want := []string{"get " + atis.HealthPath}
	for _, e := range atis.Endpoints {
		path := strings.NewReplacer("{spc}", "{SPC}", "{dest}", "{DEST}", "{orig}", "{ORIG}").Replace(e.Pattern)
		want = append(want, "get "+path, "post "+path)
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(d.operations())); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
