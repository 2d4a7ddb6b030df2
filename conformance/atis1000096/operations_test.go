package atis1000096_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

func health() *oobtest.Attempt {
	return &oobtest.Attempt{Method: http.MethodGet, Path: "/health", Authorization: []string{}}
}

func TestATIS96_01_HealthNeedsNoToken(t *testing.T) {
	if got := start(t, oobtest.CPSConfig{}).Ask(health()); got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

func TestATIS96_02_HealthIsOKWhileBothWork(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.Created(p.Publish(form, p.Passport("x")))
	p.Holds(p.Passport("x"))
	if got := p.Ask(health()); got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

func TestATIS96_03_HealthFailsWhenEitherDoes(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.CPS.Store.Close()
	if got := p.Ask(health()); got.Status < 400 {
		t.Errorf("with a store that is closed: %d %s", got.Status, got.Body)
	}
	p = start(t, oobtest.CPSConfig{})
	p.CPS.Service.Drain()
	if got := p.Ask(health()); got.Status < 400 {
		t.Errorf("while shutting down: %d %s", got.Status, got.Body)
	}
}

func TestATIS96_04_OnlyTLS(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	conn, err := net.Dial("tcp", p.CPS.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /health HTTP/1.1\r\nHost: %s\r\n\r\n", p.CPS.Host)
	answer, _ := io.ReadAll(conn) // the error does not matter: the connection may be reset
	if bytes.Contains(answer, []byte("status")) || bytes.Contains(answer, []byte(" 200 ")) {
		t.Errorf("without TLS: %q", answer)
	}
}

func TestATIS96_05_PublishByPost(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	a := p.Publish(form, p.Passport("x"))
	if a.Method != "POST" || a.Path != "/passports/"+oobtest.CalledNumber+"/"+oobtest.CallingNumber {
		t.Fatalf("%s %s", a.Method, a.Path)
	}
	p.Created(a)
}

func TestATIS96_06_PublishedIs201(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	if got := p.Ask(p.Publish(form, p.Passport("x"))); got.Status != 201 || got.Body != `{"status":201,"message":"Created"}` {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if got := p.CPS.Store.Stats().Records; got != 1 {
		t.Errorf("%d records", got)
	}
}

func TestATIS96_07_RetrievedIs200(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	a := p.Publish(form, p.Passport("x"))
	p.Created(a)
	r := p.Retrieve(form)
	if r.Method != "GET" || r.Path != a.Path {
		t.Fatalf("%s %s", r.Method, r.Path)
	}
	p.Brings(r, p.Passport("x"))
}

func TestATIS96_08_NothingIs404(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.Refused(p.Retrieve(form), 404, oob.NotFound)
}

func TestATIS96_09_BodyIsAListOfPassports(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	one, two := p.Passport("1"), p.Passport("2")
	a := p.Publish(form, one, two)
	a.Body = []byte(`{"passports":["` + one + `","` + two + `"]}`)
	p.Created(a)
	p.Holds(one, two)
}

func TestATIS96_10_AnswerIsAListOfPassports(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.Created(p.Publish(form, p.Passport("1"), p.Passport("2")))
	var answer struct{ Passports []string }
	got := p.Ask(p.Retrieve(form))
	if err := json.Unmarshal([]byte(got.Body), &answer); err != nil || len(answer.Passports) != 2 || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s, %v", got.Body, err)
	}
}

func TestATIS96_11_PassportsComeBackUnchanged(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	token := p.Passport("x")
	a := p.Publish(form, token)
	a.Body = []byte(`{"passports":["` + strings.ReplaceAll(token, "e", `\u0065`) + `"]}`)
	p.Created(a)
	p.Holds(token)
}

func TestATIS96_12_ContentTypeMayHaveParameters(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, media := range []string{"application/json", "application/json;charset=utf-8", "application/json; charset=UTF-8"} {
		a := p.Publish(form, p.Passport("x"))
		a.Header.Set("Content-Type", media)
		p.Created(a)
	}
}

func TestATIS96_13_OtherContentTypeIs415(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, media := range []string{"text/plain", "application/passport", "application/jsonx", "application/x-www-form-urlencoded"} {
		a := p.Publish(form, p.Passport("x"))
		a.Header.Set("Content-Type", media)
		p.Refused(a, 415, oob.WrongMedia)
	}
	a := p.Publish(form, p.Passport("x"))
	a.Header.Set("Content-Encoding", "gzip")
	p.Refused(a, 415, oob.WrongMedia)
}

func TestATIS96_14_MalformedBodyIs400(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, body := range []string{``, `[]`, `{}`, `{"passports":"a.b.c"}`, `{"passports":[]}`, `{"passports":[1]}`, `{"passports":["a"]}`, `{"passports":["a.b.c"],"passports":[]}`} {
		a := p.Publish(form, p.Passport("x"))
		a.Body = []byte(body)
		p.Refused(a, 400, oob.Malformed)
	}
}

func TestATIS96_15_FurtherMembersArePassedOver(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	token := p.Passport("x")
	a := p.Publish(form, token)
	a.Body = []byte(`{"token":"a.b.c","passports":["` + token + `"],"more":{"passports":1}}`)
	p.Created(a)
	p.Holds(token)
}

func TestATIS96_16_SeveralSignersAtOnce(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	signer := p.Issue(oobtest.IssueConfig{SPC: "890C"})
	claims := p.Claims("div")
	claims.Attest, claims.OrigID = "", ""
	claims.Div = p.Orig
	div, err := passport.Sign(signer.Key, passport.Div, signer.X5U, claims)
	if err != nil {
		t.Fatal(err)
	}
	p.Created(p.Publish(form, p.Passport("x"), div))
	p.Holds(p.Passport("x"), div)
}

func TestATIS96_17_BoundsAre413(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for name, body := range map[string]string{
		"body":     `{"passports":["a.b.c"]}` + strings.Repeat(" ", oob.BodyBytesMax),
		"list":     `{"passports":["a.b.c"` + strings.Repeat(`,"a.b.c"`, oob.PassportsMax) + `]}`,
		"PASSporT": `{"passports":["a.b.` + strings.Repeat("c", oob.PassportBytesMax) + `"]}`,
	} {
		a := p.Publish(form, p.Passport(name))
		a.Body = []byte(body)
		p.Refused(a, 413, oob.TooLarge)
	}
}

func TestATIS96_48_PathNumbersAreCanonical(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, number := range []string{"+12155550131", "%2B12155550131", "1-215-555-0131", "tel:12155550131", "1215555013112155550131"} {
		p.RefusesBoth(400, oob.Malformed, func(a *oobtest.Attempt) { a.Path = strings.Replace(a.Path, oobtest.CalledNumber, number, 1) })
	}
}

func TestATIS96_49_PathTakesURIs(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	var err error
	if p.Dest, err = tn.ParseIdentity("urn:service:sos"); err != nil {
		t.Fatal(err)
	}
	token := p.Passport("x")
	a := p.Publish(form, token)
	a.Path = "/passports/urn%3Aservice%3Asos/" + oobtest.CallingNumber
	p.Created(a)
	p.Holds(token)
}

func TestATIS96_59_OtherPathIs404(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, path := range []string{"/", "/passports", "/passports/1", "/passports/1/2/", "/passports/1/2/3/4", "/v1/passports/1/2", "/passports//1"} {
		for _, a := range p.Both() {
			a.Path = path
			p.Refused(a, 404, oob.WrongPath)
		}
	}
}

func TestATIS96_60_OtherMethodIs405(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "FOO"} {
		a := p.Retrieve(form)
		a.Method = method
		if got := p.Refused(a, 405, oob.WrongMethod); got.Header.Get("Allow") != "GET, POST" {
			t.Errorf("%s: Allow %q", method, got.Header.Get("Allow"))
		}
		a = health()
		a.Method = method
		if got := p.Refused(a, 405, oob.WrongMethod); got.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: Allow %q", method, got.Header.Get("Allow"))
		}
	}
}

func TestATIS96_61_AnswersSayStatusAndMessage(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	nobody := p.Retrieve(form)
	nobody.Authorization = []string{}
	elsewhere := health()
	elsewhere.Path = "/"
	for _, a := range []*oobtest.Attempt{health(), p.Publish(form, p.Passport("x")), nobody, elsewhere} {
		got := p.Ask(a)
		var body struct {
			Status  int
			Message string
		}
		if err := json.Unmarshal([]byte(got.Body), &body); err != nil || body.Status != got.Status || body.Message == "" || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%d %s, %v", got.Status, got.Body, err)
		}
	}
}

func TestATIS96_62_BothHTTPVersions(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for http1, major := range map[bool]int{false: 2, true: 1} {
		for _, a := range p.Both() {
			a.HTTP1 = http1
			if got := p.Ask(a); got.HTTPMajor != major || got.Status >= 400 {
				t.Errorf("HTTP/%d, %d %s", got.HTTPMajor, got.Status, got.Body)
			}
		}
	}
}

func TestATIS96_63_NoContentLengthNeeded(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, http1 := range []bool{false, true} { // Send declares no length: chunked, or a stream that ends
		a := p.Publish(form, p.Passport("x"))
		a.HTTP1 = http1
		p.Created(a)
	}
}

func TestATIS96_64_AuthorityMayHaveAPort(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	client := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: p.PKI.TLSRoots()},
	}}
	defer client.CloseIdleConnections()
	for _, authority := range []string{"cps.transnexus.com:443", "cps.transnexus.com", "x:1"} {
		a := p.Publish(form, p.Passport("x"))
		token, err := a.Token()
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), a.Method, p.CPS.URL+a.Path, bytes.NewReader(a.Body))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = authority
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 201 {
			t.Errorf("%s: %d", authority, response.StatusCode)
		}
	}
}

func TestATIS96_58_FullIs503(t *testing.T) {
	p := start(t, oobtest.CPSConfig{Store: store.Config{Records: 1}})
	p.Created(p.Publish(form, p.Passport("1")))
	if got := p.Refused(p.Publish(form, p.Passport("2")), 503, oob.Overloaded); got.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	p.Holds(p.Passport("1"))
}
