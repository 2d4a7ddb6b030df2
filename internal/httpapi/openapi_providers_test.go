package httpapi_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/tn"
)

const (
	calledPath    = "/cps/" + oobtest.CalledNumber + "/ppts"
	companyPath   = "/cps/company/" + oobtest.DownstreamSPC
	companyCall   = companyPath + "/" + oobtest.CalledNumber + "/" + oobtest.CallingNumber
	subscribePath = "/cps/ppts?dest=0-" + oobtest.DownstreamSPC
)

// one is a request of the forms in which the PASSporT says whose call it is; who asks shows a certificate, or a token for action.
type one struct {
	method, path, body string
	header             http.Header
	as                 *oobtest.Identity
	action             oob.Action
}

// ask makes a request. Of a stream it waits for nothing but that it begins.
func (p *pair) ask(r one) oobtest.Answer {
	p.Helper()
	client := p.PKI.Client()
	defer client.CloseIdleConnections()
	if r.as != nil && r.action == "" {
		client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{r.as.TLS()}
	}
	ctx, cancel := context.WithCancel(p.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, r.method, p.CPS.URL+r.path, strings.NewReader(r.body))
	if err != nil {
		p.Fatal(err)
	}
	request.Header = r.header.Clone()
	if r.action != "" {
		request.Header.Set("Authorization", p.bearer(r.as, r.action))
	}
	response, err := client.Do(request)
	if err != nil {
		p.Fatal(err)
	}
	defer response.Body.Close()
	answer := oobtest.Answer{Status: response.StatusCode, Header: response.Header}
	if response.Header.Get("Content-Type") != rfc9888.StreamMedia {
		text, err := io.ReadAll(response.Body)
		if err != nil {
			p.Fatal(err)
		}
		answer.Body = string(text)
	}
	return answer
}

// bearer is an access token for the call's numbers, or for a subscription.
func (p *pair) bearer(id *oobtest.Identity, action oob.Action) string {
	p.Helper()
	access := p.Retrieve(oob.Mesh).Access
	access.Action, access.Issuer, access.Subject = action, id.SPC, ""
	switch action {
	case oob.ActionConsume:
		access.SPC = id.SPC
	case oob.ActionSubscribe:
		access.Orig, access.Dest = tn.Identity{}, tn.Identity{}
	default:
		access.Orig = tn.Identity{}
	}
	authorization, err := id.Authorization(access)
	if err != nil {
		p.Fatal(err)
	}
	return authorization
}

// goodOnes are a good request of each operation, by its name in the description; token is of the call.
func (p *pair) goodOnes(token string) map[string]one {
	passport, stream := http.Header{"Content-Type": {wire.PassportMedia}}, http.Header{"Accept": {rfc9888.StreamMedia}}
	id := "/" + oob.PassportID(token)
	return map[string]one{
		"post /cps/{DEST}/ppts":                        {method: "POST", path: calledPath, body: token, header: passport, as: p.Upstream},
		"get /cps/{DEST}/ppts":                         {method: "GET", path: calledPath, header: http.Header{}, as: p.Downstream},
		"get /cps/{DEST}/ppts/{ID}":                    {method: "GET", path: calledPath + id, header: http.Header{}, as: p.Downstream},
		"get /cps/ppts":                                {method: "GET", path: subscribePath, header: stream, as: p.Downstream},
		"post /cps/company/{OCN}":                      {method: "POST", path: companyPath, body: token, header: passport},
		"get /cps/company/{OCN}/{DEST}/{ORIG}":         {method: "GET", path: companyCall, header: http.Header{}, as: p.Downstream},
		"delete /cps/company/{OCN}/{DEST}/{ORIG}/{ID}": {method: "DELETE", path: companyCall + id, header: http.Header{}, as: p.Downstream},
	}
}

// inOrder are the operations, what publishes before what reads and what reads before what takes away.
var inOrder = []string{
	"post /cps/{DEST}/ppts", "post /cps/company/{OCN}", "get /cps/{DEST}/ppts", "get /cps/{DEST}/ppts/{ID}",
	"get /cps/ppts", "get /cps/company/{OCN}/{DEST}/{ORIG}", "delete /cps/company/{OCN}/{DEST}/{ORIG}/{ID}",
}

// startProviders is a pair with a CPS that is the downstream provider's own.
func startProviders(t *testing.T, c oobtest.CPSConfig) *pair {
	t.Helper()
	c.Service.Everything = []string{oobtest.DownstreamSPC}
	return startPair(t, c)
}

// unshelved is a store that fails in everything that a request can ask of it.
type unshelved struct {
	oob.Store
	err error
}

func (s unshelved) Publish(context.Context, oob.Publication) (oob.Outcome, error) { return 0, s.err }
func (s unshelved) Retrieve(context.Context, oob.Key) ([]oob.Record, error)       { return nil, s.err }
func (s unshelved) Consumed(oob.Key, string) bool                                 { return false }
func (s unshelved) Consume(context.Context, oob.Consumption) (oob.Outcome, error) { return 0, s.err }
func (s unshelved) Spend(context.Context, oob.TokenUse) error                     { return s.err }

func (s unshelved) RetrieveCalled(context.Context, oob.Profile, tn.Number, int) ([]oob.Held, error) {
	return nil, s.err
}

func (s unshelved) FindCalled(context.Context, oob.Profile, tn.Number, string) ([]oob.Held, error) {
	return nil, s.err
}

// providers produces what is documented of the forms in which the PASSporT says whose call it is.
func (d *description) providers(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	token := p.Passport("a")
	good := p.goodOnes(token)
	if len(good) != len(inOrder) {
		t.Fatalf("%d operations, %d in order", len(good), len(inOrder))
	}
	for _, operation := range inOrder {
		r := good[operation]
		d.parameters(operation, r.path)
		if r.body != "" {
			d.Valid(operation, d.Of("components", "requestBodies", "Submission", "content", r.header.Get("Content-Type"), "schema"), r.body)
		}
		if got := p.ask(r); got.Status > 299 {
			t.Errorf("%s: %d %s", operation, got.Status, got.Body)
		} else {
			d.fits(operation, got)
		}
	}
	d.preferred(p, good)
	d.refused(p, good)
	d.handshakes(p)
	for _, served := range []struct{ form, other oob.Profile }{{oob.RFC9888, oob.Company}, {oob.Company, oob.RFC9888}, {oob.Mesh, 0}} {
		p := startPair(t, oobtest.CPSConfig{Door: httpapi.Config{Profiles: []oob.Profile{served.form}}})
		for operation, r := range p.goodOnes(token) {
			if served.other == 0 || strings.Contains(operation, "company") == (served.other == oob.Company) && operation != "get /cps/ppts" {
				d.gives(operation, p.ask(r), 404)
			}
		}
	}
	limited := startProviders(t, oobtest.CPSConfig{
		Service: cps.Config{
			PublishRate: cps.Rate{Burst: 1, PerSecond: 1e-3}, RetrieveRate: cps.Rate{Burst: 1, PerSecond: 1e-3}, OpenRate: cps.Rate{Burst: 1, PerSecond: 1e-3},
		},
	})
	for range 2 {
		for _, operation := range inOrder {
			d.fits(operation, limited.ask(limited.goodOnes(limited.Passport("b"))[operation]))
		}
	}
	slow := startProviders(t, oobtest.CPSConfig{Door: httpapi.Config{BodyTimeout: soon}})
	for _, operation := range []string{"post /cps/{DEST}/ppts", "post /cps/company/{OCN}"} {
		c := slow.dialHTTP1(0)
		c.say("POST " + good[operation].path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\ne")
		response, text := c.answer("POST")
		d.gives(operation, oobtest.Answer{Status: response.StatusCode, Header: response.Header, Body: text}, 408)
	}
	for status, err := range map[int]error{500: errors.New("broken"), 503: oob.Faultf(oob.Overloaded, "the shelf is full")} {
		shelf := local.Open(store.Config{})
		t.Cleanup(func() { shelf.Close() })
		p := startProviders(t, oobtest.CPSConfig{Service: cps.Config{Store: unshelved{shelf, err}}})
		for operation, r := range p.goodOnes(p.Passport("c")) {
			if operation == "get /cps/ppts" {
				r.action = oob.ActionSubscribe // of a certificate nothing has to be remembered
			}
			d.gives(operation, p.ask(r), status)
		}
	}
}

// gives wants an answer with a status, and that it is documented.
func (d *description) gives(operation string, got oobtest.Answer, status int) {
	d.Helper()
	if got.Status != status {
		d.Errorf("%s: %d %s, want %d", operation, got.Status, got.Body, status)
	}
	d.fits(operation, got)
}

// parameters wants what stands in a path and its query to be what is documented of it.
func (d *description) parameters(operation, path string) {
	d.Helper()
	method, template, _ := strings.Cut(operation, " ")
	path, _, _ = strings.Cut(path, "?")
	values := strings.Split(path, "/")
	described, _ := d.Of("paths", template, "parameters").([]any)
	for i, name := range strings.Split(template, "/") {
		if name == strings.Trim(name, "{}") {
			continue
		}
		at := slices.IndexFunc(described, func(one any) bool { return d.At(one, "in") == "path" && "{"+d.At(one, "name").(string)+"}" == name })
		if at < 0 {
			d.Errorf("%s: %s is not documented", operation, name)
			continue
		}
		d.Valid(operation+" "+name, d.At(described[at], "schema"), values[i])
	}
	free, _ := d.Of("paths", template, method, "security").([]any)
	if _, refuses := d.Operations()[operation]["401"]; refuses != (len(free) > 0) {
		d.Errorf("%s: 401 %v, but the ways to prove who asks are %v", operation, refuses, free)
	}
}

// preferred asks in the ways that RFC 7240 has for it, and with tokens.
func (d *description) preferred(p *pair, good map[string]one) {
	d.Helper()
	for operation, prefer := range map[string]string{"get /cps/{DEST}/ppts": "return=representation, wait=1", "get /cps/company/{OCN}/{DEST}/{ORIG}": "wait=0"} {
		r := good[operation]
		r.header = http.Header{"Prefer": {prefer}}
		got := p.ask(r)
		d.fits(operation, got)
		if got.Status == 200 && (got.Header.Get("Preference-Applied") == "" || !strings.HasPrefix(got.Body, `{"passports":["`)) {
			d.Errorf("%s: %v %s", operation, got.Header, got.Body)
		}
	}
	for operation, action := range map[string]oob.Action{"get /cps/{DEST}/ppts": oob.ActionRetrieve, "get /cps/ppts": oob.ActionSubscribe,
		"delete /cps/company/{OCN}/{DEST}/{ORIG}/{ID}": oob.ActionConsume} {
		r := good[operation]
		r.action = action
		d.gives(operation, p.ask(r), 200)
	}
}

// refused spoils good requests.
func (d *description) refused(p *pair, good map[string]one) {
	d.Helper()
	stranger := p.foreign(oobtest.UpstreamSPC)
	for _, c := range []struct {
		operation string
		status    int
		spoil     func(*one)
	}{
		{"post /cps/{DEST}/ppts", 400, func(r *one) { r.body = "no token" }},
		{"post /cps/{DEST}/ppts", 403, func(r *one) { r.path = "/cps/12155550132/ppts" }},
		{"post /cps/company/{OCN}", 400, func(r *one) { r.body = "no token" }},
		{"post /cps/company/{OCN}", 403, func(r *one) { r.body = p.PassportBy(stranger, "x") }},
		{"get /cps/{DEST}/ppts", 400, func(r *one) { r.path += "?orig=twelve" }},
		{"get /cps/{DEST}/ppts/{ID}", 400, func(r *one) { r.path += "x" }},
		{"get /cps/{DEST}/ppts/{ID}", 404, func(r *one) { r.path = calledPath + "/" + oob.PassportID("another") }},
		{"get /cps/ppts", 400, func(r *one) { r.path = "/cps/ppts?dest=3-1" }},
		{"get /cps/ppts", 413, func(r *one) { r.path += strings.Repeat("&dest=2-1", rfc9888.ResourcesMax) }},
		{"get /cps/ppts", 406, func(r *one) { r.header = http.Header{} }},
		{"get /cps/company/{OCN}/{DEST}/{ORIG}", 400, func(r *one) { r.path = companyPath + "/twelve/12155550121" }},
		{"get /cps/company/{OCN}/{DEST}/{ORIG}", 404, func(r *one) { r.path = companyPath + "/12155550132/12155550121" }},
		{"delete /cps/company/{OCN}/{DEST}/{ORIG}/{ID}", 400, func(r *one) { r.path += "x" }},
	} {
		r := good[c.operation]
		c.spoil(&r)
		d.gives(c.operation, p.ask(r), c.status)
	}
	for operation, r := range good {
		spoilt := r
		spoilt.method = http.MethodPut
		d.gives(operation, p.ask(spoilt), 405)
		if spoilt = r; operation != "post /cps/company/{OCN}" {
			spoilt.as = nil
			d.gives(operation, p.ask(spoilt), 401)
		}
		if spoilt = r; r.body == "" {
			spoilt.as = p.Upstream
			d.gives(operation, p.ask(spoilt), 403)
			continue
		}
		spoilt.body = strings.Repeat("e", oob.BodyBytesMax+1)
		d.gives(operation, p.ask(spoilt), 413)
		spoilt.header = http.Header{"Content-Type": {"application/json"}}
		d.gives(operation, p.ask(spoilt), 415)
	}
}
