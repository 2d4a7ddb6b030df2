package httpapi_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/openapitest"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
)

// handshakes are those of WebSockets, good and bad, and what the good ones are told.
func (d *description) handshakes(p *pair) {
	d.Helper()
	const operation = "get /cps/ppts"
	upgrade := "\r\nUpgrade: websocket\r\n"
	connection, version, key := "Connection: Upgrade\r\n", "Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
	for text, status := range map[string]int{
		version + key: 400, connection + key: 400, connection + version: 400, connection + version + key + "Origin: https://elsewhere.example\r\n": 400,
	} {
		c := p.dialHTTP1(0)
		c.say("GET " + subscribePath + " HTTP/1.1\r\nHost: a\r\nAuthorization: " + p.bearer(p.Downstream, oob.ActionSubscribe) + upgrade + text + "\r\n")
		response, body := c.answer("GET")
		d.gives(operation, oobtest.Answer{Status: response.StatusCode, Header: response.Header, Body: body}, status)
	}
	client := p.PKI.Client()
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = false              // which has no Upgrade
	for _, after := range []string{"", "&after=" + strings.Repeat("A", 22)} { // the second is of another process
		conn, response, err := websocket.Dial(p.Context(), "wss"+strings.TrimPrefix(p.CPS.URL, "https")+subscribePath+after, &websocket.DialOptions{
			HTTPClient: client, HTTPHeader: http.Header{"Authorization": {p.bearer(p.Downstream, oob.ActionSubscribe)}},
		})
		if err != nil {
			d.Fatal(err)
		}
		defer conn.CloseNow()
		d.fits(operation, oobtest.Answer{Status: response.StatusCode, Header: response.Header})
		if got := p.ask(p.goodOnes(p.Passport("told" + after))["post /cps/{DEST}/ppts"]); got.Status != 201 {
			d.Fatal(got)
		}
		for event := (rfc9888.Event{}); event.Type != rfc9888.EventPassports; {
			_, text, err := conn.Read(p.Context())
			if err != nil {
				d.Fatal(err)
			}
			if event, err = rfc9888.ReadFrame(text); err != nil {
				d.Fatal(err)
			}
			d.frame(event)
		}
	}
	d.frame(rfc9888.Event{Type: rfc9888.EventAlive, Cursor: "0-1"})
	for _, reason := range []string{rfc9888.EndSlow, rfc9888.EndDraining, rfc9888.EndCredential} {
		d.frame(rfc9888.Event{Type: rfc9888.EventEnd, Reason: reason})
	}
}

// frame wants an event, as both streams carry it, to be what is documented.
func (d *description) frame(event rfc9888.Event) {
	d.Helper()
	var body any
	if err := json.Unmarshal(event.WriteFrame(), &body); err != nil {
		d.Fatal(err)
	}
	d.Valid("frame", d.Of("components", "schemas", "Frame"), body)
	if event.Type != rfc9888.EventPassports {
		return
	}
	_, data, _ := bytes.Cut(event.AppendSSE(nil), []byte("data: "))
	if err := json.Unmarshal(data, &body); err != nil {
		d.Fatal(err)
	}
	d.Valid("event", d.Of("components", "schemas", "Held"), body)
}

// failing is a key whose device has gone.
type failing struct {
	crypto.Signer
	gone bool
}

func (f *failing) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	if f.gone {
		return nil, errors.New("no device")
	}
	return f.Signer.Sign(random, digest, options)
}

// advertisement produces what is documented of what the CPS says of itself.
func (d *description) advertisement(t *testing.T) {
	const operation = "get " + advert.WellKnown
	var advertiser *advert.Advertiser
	p := startPair(t, oobtest.CPSConfig{Door: httpapi.Config{Advertisements: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { advertiser.ServeHTTP(w, r) })}})
	resource, err := stircert.ParseResource("0-" + oobtest.DownstreamSPC)
	if err != nil {
		t.Fatal(err)
	}
	key := &failing{Signer: p.Downstream.Key}
	if advertiser, err = advert.NewAdvertiser(advert.AdvertiserConfig{
		Signer: advert.Signer{Key: key, X5U: p.Downstream.X5U}, Now: p.Clock.Now,
		Entries: []advert.Entry{{Resource: resource, URL: "https://cps.example.net"}},
	}); err != nil {
		t.Fatal(err)
	}
	get := one{method: "GET", path: advert.WellKnown, header: http.Header{}}
	got := p.ask(get)
	d.gives(operation, got, 200)
	again := get
	again.header = http.Header{"If-None-Match": {got.Header.Get("ETag")}}
	d.gives(operation, p.ask(again), 304)
	post := get
	post.method = http.MethodPost
	d.gives(operation, p.ask(post), 405)
	key.gone = true
	p.Clock.Advance(48 * time.Hour)
	d.gives(operation, p.ask(get), 503)
	d.gives(operation, startPair(t, oobtest.CPSConfig{}).ask(get), 404)
}

// TestOpenAPIExamplesAreGood: each is what it stands beside, and what our own client reads.
func TestOpenAPIExamplesAreGood(t *testing.T) {
	d := readDescription(t)
	d.ExamplesFit()
	token, _ := d.Of("paths", "/cps/{DEST}/ppts/{ID}", "get", "responses", "200", "content", wire.PassportMedia, "example").(string)
	if id := oob.PassportID(token); d.Of("components", "parameters", "ID", "example") != id {
		t.Errorf("the example of an ID is not that of the PASSporT, %s", id)
	}
	text, _ := d.Of("paths", "/cps/ppts", "get", "responses", "200", "content", rfc9888.StreamMedia, "example").(string)
	var types []rfc9888.EventType
	stream := rfc9888.NewStream(strings.NewReader(text))
	for {
		event, err := stream.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, event.Type)
	}
	if want := []rfc9888.EventType{rfc9888.EventPassports, rfc9888.EventAlive, rfc9888.EventGap, rfc9888.EventEnd}; !slices.Equal(types, want) {
		t.Errorf("%q, want %q", types, want)
	}
	jws, _ := d.Of("paths", advert.WellKnown, "get", "responses", "200", "content", advert.MediaType, "example").(string)
	if _, err := advert.Parse(strings.TrimSpace(jws)); err != nil {
		t.Errorf("the advertisement: %v", err)
	}
}

// TestOpenAPISaysTheLimits: those that stand in it are those of the code.
func TestOpenAPISaysTheLimits(t *testing.T) {
	d := readDescription(t)
	schemas := func(way ...string) any { return d.Of(append([]string{"components", "schemas"}, way...)...) }
	for name, c := range map[string]struct {
		figure any
		want   int
	}{
		"items of a list":         {schemas("Items", "maxItems"), rfc9888.ListMax},
		"PASSporTs of a record":   {schemas("Held", "properties", "passports", "maxItems"), oob.PassportsMax},
		"cursor":                  {schemas("Cursor", "maxLength"), rfc9888.CursorBytesMax},
		"resources":               {d.Of("components", "parameters", "dest", "schema", "maxItems"), rfc9888.ResourcesMax},
		"name of a PASSporT":      {len(oob.PassportID("")), 22},
		"body":                    {65536, oob.BodyBytesMax},
		"seconds of waiting":      {30, int(rfc9888.WaitMax / time.Second)},
		"lines of advertisements": {64, advert.LinesMax},
	} {
		if got := openapitest.Figure(c.figure); got != float64(c.want) {
			t.Errorf("%s: %v, want %d", name, got, c.want)
		}
	}
	if pattern := fmt.Sprint(schemas("Lines", "pattern")); !strings.Contains(pattern, fmt.Sprintf("{0,%d}", oob.PassportsMax-1)) {
		t.Errorf("%s, want %d lines", pattern, oob.PassportsMax)
	}
}
