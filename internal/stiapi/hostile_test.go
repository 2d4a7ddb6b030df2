package stiapi_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/stiapi"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
)

// raw is a connection of its own over HTTP/1.1.
func (l *laboratory) raw() *tls.Conn {
	l.Helper()
	conn, err := tls.Dial("tcp", l.address, &tls.Config{RootCAs: l.PKI.TLSRoots(), NextProtos: []string{"http/1.1"}})
	l.must(err)
	l.Cleanup(func() { conn.Close() })
	return conn
}

// say sends text, and gives the answer.
func (l *laboratory) say(conn *tls.Conn, text string) (*http.Response, string) {
	l.Helper()
	_, _ = io.WriteString(conn, text) // the server may have heard enough before the end
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	l.must(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	l.must(err)
	return response, string(body)
}

const head = "POST /stir/v1/signing?tgrp=sip-out HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + atisKey + "\r\nContent-Type: application/json\r\n"

// TestHostile_FormsOfHTTP: what is no request, or too much of one, is answered by the server, or here, and never kept.
func TestHostile_FormsOfHTTP(t *testing.T) {
	l := start(t, func(c *stiapi.Config) { c.BodyTimeout = 2 * time.Second })
	for name, c := range map[string]struct {
		text   string
		status int
		id     string
	}{
		"a header too large":      {head + "X-Large: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", 431, ""},
		"a thousand header lines": {head + strings.Repeat("X-Line: x\r\n", 4000) + "\r\n", 431, ""},
		"no length":               {head + "\r\n", 411, "SVC4007"},
		"two lengths":             {head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, ""},
		"a length and chunks":     {head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, "SVC4007"},
		"chunks without end":      {head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{    \r\n", 411, "SVC4007"},
		"a negative length":       {head + "Content-Length: -1\r\n\r\n", 400, ""},
		"a body that stops":       {head + "Content-Length: 100\r\n\r\n{", 400, "SVC4006"},
		"a body as announced":     {head + "Content-Length: 999999999\r\n\r\n", 400, "it is too long"},
		"a line in a header":      {head + "X-RequestID: a\r\n\tSet-Cookie: b\r\nContent-Length: 0\r\n\r\n", 400, "SVC4000"},
	} {
		t.Run(name, func(t *testing.T) {
			l := *l
			l.TB = t
			response, body := l.say(l.raw(), c.text)
			if response.StatusCode != c.status || !strings.Contains(body, c.id) || response.Header.Get("Set-Cookie") != "" {
				t.Errorf("%d %v %s", response.StatusCode, response.Header, body)
			}
		})
	}
}

// bodies that have done harm to others.
func hostileBodies() map[string]string {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, _ = w.Write(make([]byte, 1<<20)) // into memory
	_ = w.Close()
	return map[string]string{
		"a million arrays":        strings.Repeat("[", 1_000_000),
		"arrays in a request":     `{"signingRequest":{"attest":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + `}}`,
		"objects in a request":    `{"signingRequest":` + strings.Repeat(`{"dest":`, 8_000) + "1" + strings.Repeat("}", 8_000) + `}`,
		"compressed":              bomb.String(),
		"a member twice":          `{"signingRequest":{"attest":"A","attest":"B"}}`,
		"a member twice inside":   `{"signingRequest":{"attest":"A","orig":{"tn":"1","tn":"2"}}}`,
		"escaped, a member twice": `{"signingRequest":{"attest":"A","\u0061ttest":"B"}}`,
		"no object":               `"signingRequest"`,
		"a number":                `{"signingRequest":1}`,
		"null":                    `{"signingRequest":null}`,
		"not UTF-8":               "{\"signingRequest\":{\"attest\":\"\xff\"}}",
		"half a surrogate":        `{"signingRequest":{"attest":"\ud800"}}`,
		"more behind":             `{"signingRequest":{}}{}`,
		"a large number":          `{"signingRequest":{"attest":"A","iat":1e400,"orig":{"tn":"12155550121"},"dest":{"tn":["12155550131"]},"origid":"123e4567-e89b-12d3-a456-426655440000"}}`,
		"a long number":           `{"signingRequest":{"attest":"A","iat":1,"orig":{"tn":"` + strings.Repeat("1", 60_000) + `"},"dest":{"tn":["1"]},"origid":"x"}}`,
		"line breaks in numbers":  `{"signingRequest":{"attest":"A","iat":1,"orig":{"uri":"sip:a@b\r\nX: y"},"dest":{"tn":["1"]},"origid":"x"}}`,
		"wrong types":             `{"signingRequest":{"attest":["A"],"iat":"now","orig":"x","dest":{},"origid":7}}`,
	}
}

func TestHostile_Bodies(t *testing.T) {
	l := start(t, nil)
	for name, body := range hostileBodies() {
		t.Run(name, func(t *testing.T) {
			l := *l
			l.TB = t
			for _, path := range []string{signingPath, "/stir/v1/verification?tgrp=tdm-in", "/oob/v1/publish?tgrp=transit-out", "/oob/v1/retrieve?tgrp=transit-in"} {
				got := l.send(path, body, nil)
				if got.status != 400 || !json.Valid([]byte(got.body)) || len(got.body) > 1000 {
					t.Errorf("%d %.200s", got.status, got.body)
				}
			}
		})
	}
}

// TestHostile_PlacesAreBounded: one client has a quarter, and cannot keep others out.
func TestHostile_PlacesAreBounded(t *testing.T) {
	l := start(t, func(c *stiapi.Config) { c.InFlightMax = 4 }) // of which a client has one
	slow := l.raw()
	_, err := io.WriteString(slow, head+"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	l.must(err)
	reader := bufio.NewReader(slow)
	if line, err := reader.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err) // says that the body is being read
	}
	got := l.send(signingPath, l.signing(nil), nil)
	if got.status != 503 || got.header.Get("Retry-After") != "1" || !strings.Contains(got.body, "POL5030") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := l.sendBy(l.as("ms.switch.example"), signingPath, l.signing(nil), nil); got.status != 200 {
		t.Errorf("another client: %d %s", got.status, got.body)
	}
	_, err = io.WriteString(slow, "{}")
	l.must(err)
	_, _ = reader.ReadString('\n') // the empty line behind 100
	response, err := http.ReadResponse(reader, nil)
	l.must(err)
	response.Body.Close()
	slow.Close()
	if response.StatusCode != 400 {
		t.Errorf("%d", response.StatusCode)
	}
}

// TestATIS82_30_PanicIsPOL5000: whatever goes wrong inside, the requester hears nothing of it, and the log where.
func TestATIS82_30_PanicIsPOL5000(t *testing.T) {
	l := start(t, nil)
	request := httptest.NewRequest(http.MethodPost, signingPath, panicking{})
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Content-Length", "7")
	request.ContentLength, request.RemoteAddr = 7, "127.0.0.1:1"
	request.SetBasicAuth("ms", msKey)
	answer := httptest.NewRecorder()
	l.door.ServeHTTP(answer, request)
	if answer.Code != 500 || answer.Body.String() != `{"error":"Internal Server Error. Please try again later."}` {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	if text := l.log.String(); !strings.Contains(text, "exception=POL5000") || !strings.Contains(text, "panicking") || strings.Contains(text, "12155550121") {
		t.Errorf("%s", text)
	}
	if l.door.Stats().InFlight != 0 {
		t.Error("the place is not given back")
	}
}

// TestSignerThatPanicsIsPOL5000: it works in a goroutine of its own, where a panic would end the process.
func TestSignerThatPanicsIsPOL5000(t *testing.T) {
	broken := false
	var clock func() time.Time
	l := start(t, func(c *stiapi.Config) { clock = c.Now })
	l.now = func() time.Time {
		if broken {
			panic("a clock that is broken")
		}
		return clock()
	}
	l.config.Signer = l.signer()
	door, err := stiapi.New(l.config)
	l.must(err)
	l.door, broken = door, true
	got := l.recordedAnswer("/stir/v1/signing?tgrp=ministry", strings.NewReader(
		l.signing(object{"ppt": "rph", "attest": nil, "origid": nil, "rph": object{"auth": []string{"ets.0"}}})))
	l.wants(got, 500, `{"error":"Internal Server Error. Please try again later."}`)
	if !strings.Contains(l.log.String(), "fail_open=internal") {
		t.Errorf("%s", l.log)
	}
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) {
	panic("of 12155550121") // what a number in a bug would look like
}

// FuzzBodies: any body on any path is answered with JSON, in one of the statuses of the table, without a panic.
func FuzzBodies(f *testing.F) {
	l := start(f, nil)
	for _, body := range hostileBodies() {
		f.Add(uint8(0), body[:min(len(body), 4096)])
	}
	paths := []string{signingPath, "/stir/v1/signing?tgrp=ministry", "/stir/v1/verification?tgrp=sip-in", "/oob/v1/publish?tgrp=off", "/oob/v1/retrieve?tgrp=off"}
	for i, body := range []string{
		l.signing(nil), l.signing(object{"ppt": "rph", "attest": nil, "origid": nil, "rph": object{"auth": []string{"ets.0"}}}),
		l.verification(object{"identity": l.header()}), l.carrying("publishRequest", object{"identity": []string{l.header()}}), l.carrying("retrieveRequest", nil),
	} {
		f.Add(uint8(i), body)
	}
	statuses := map[int]bool{200: true}
	for _, kind := range sti.Kinds() {
		statuses[kind.Row().Status] = true
	}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		request := httptest.NewRequest(http.MethodPost, paths[int(which)%len(paths)], strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Content-Length", "1")
		request.Header.Set("Authorization", "Bearer "+atisKey)
		request.RemoteAddr = "127.0.0.1:1"
		answer := httptest.NewRecorder()
		l.door.ServeHTTP(answer, request)
		if !statuses[answer.Code] || answer.Code == 500 || !json.Valid(answer.Body.Bytes()) {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
	})
}
