package httpapi_test

import (
	"crypto/tls"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

var tlsVersions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// What the public reference client sends, byte by byte as it was observed, in each of its generations: health, publish
// and retrieve one after the other on one connection. Its signer, in both roles, is the publisher.

// TestATIS1000096_S7_PublicClientOverHTTP1 sends what the generations of 2021 to 2024 do.
func TestATIS1000096_S7_PublicClientOverHTTP1(t *testing.T) {
	generations := []struct {
		name      string
		profile   oob.Profile
		mediaType string
		more      string // further header fields
		exp       bool
	}{
		{"2021", oob.Mesh, "application/json;charset=utf-8", "User-Agent: axios/0.21.1\r\n", false},
		{"2023", oob.Agreed, "application/json", "User-Agent: axios/1.5.1\r\nAccept-Encoding: gzip, compress, deflate, br\r\n", false},
		{"2024", oob.Agreed, "application/json", "User-Agent: axios/1.6.7\r\nAccept-Encoding: gzip, compress, deflate, br\r\n", true},
	}
	for _, version := range tlsVersions {
		for _, g := range generations {
			t.Run(g.name+"/"+tls.VersionName(version), func(t *testing.T) {
				p := startPair(t, oobtest.CPSConfig{})
				c := p.dialHTTP1(version)
				common := "Accept: application/json, text/plain, */*\r\n" + g.more + "Host: cps.transnexus.com\r\nConnection: keep-alive\r\n\r\n"

				c.say("GET /health HTTP/1.1\r\n" + common)
				if response, text := c.answer("GET"); response.StatusCode != 200 || text != `{"status":200,"message":"OK"}` {
					t.Errorf("health: %d %s", response.StatusCode, text)
				}

				passports := []string{p.Passport("public")}
				a := p.Publish(g.profile, passports...)
				if g.exp {
					a.Access.Deadline = a.Access.IssuedAt.Add(3e9)
				}
				c.say("POST " + a.Path + " HTTP/1.1\r\nContent-Type: " + g.mediaType + "\r\nAuthorization: Bearer " + p.token(a) +
					"\r\nContent-Length: " + strconv.Itoa(len(a.Body)) + "\r\n" + common + string(a.Body))
				if response, text := c.answer("POST"); response.StatusCode != 201 || text != `{"status":201,"message":"Created"}` {
					t.Errorf("publish: %d %s", response.StatusCode, text)
				}

				a = p.Retrieve(g.profile)
				p.bySameProvider(a)
				c.say("GET " + a.Path + " HTTP/1.1\r\nAuthorization: Bearer " + p.token(a) + "\r\n" + common)
				response, text := c.answer("GET")
				if response.StatusCode != 200 || text != string(atis.WritePublish(passports)) || response.Header.Get("Content-Encoding") != "" {
					t.Errorf("retrieve: %d %s, %v", response.StatusCode, text, response.Header)
				}
			})
		}
	}
}

// TestATIS1000105_S7_PublicClientOverHTTP2 sends what the generations since 2024 do: an authority with a port, a body
// without Content-Length, no header fields but authorization and content-type.
func TestATIS1000105_S7_PublicClientOverHTTP2(t *testing.T) {
	for _, version := range tlsVersions {
		for _, audience := range []string{`"` + oobtest.CPSAudience + `"`, `["` + oobtest.CPSAudience + `"]`} {
			t.Run(tls.VersionName(version)+"/"+audience, func(t *testing.T) {
				p := startPair(t, oobtest.CPSConfig{})
				c := p.dialHTTP2(version)
				begin := func(method, path string) []string {
					return []string{":method", method, ":path", path, ":scheme", "https", ":authority", "cps.transnexus.com:443"}
				}
				c.headers(1, flagEndStream, begin("GET", "/health")...)
				if status, _, text := c.answer(1); status != "200" || text != `{"status":200,"message":"OK"}` {
					t.Errorf("health: %s %s", status, text)
				}

				passports := []string{p.Passport("public")}
				a := p.Publish(oob.Agreed, passports...)
				a.Access.Deadline = a.Access.IssuedAt.Add(3e9)
				p.asPublicClient(a, audience)
				c.headers(3, 0, append(begin("POST", a.Path), "authorization", "Bearer "+p.token(a), "content-type", "application/json")...)
				half := len(a.Body) / 2
				c.data(3, 0, string(a.Body[:half]))
				c.data(3, 0, string(a.Body[half:]))
				c.data(3, flagEndStream, "")
				if status, header, text := c.answer(3); status != "201" || text != `{"status":201,"message":"Created"}` || header["content-type"] != "application/json" {
					t.Errorf("publish: %s %s %v", status, text, header)
				}

				a = p.Retrieve(oob.Agreed)
				p.bySameProvider(a)
				p.asPublicClient(a, audience)
				c.headers(5, flagEndStream, append(begin("GET", a.Path), "authorization", "Bearer "+p.token(a))...)
				if status, _, text := c.answer(5); status != "200" || text != string(atis.WritePublish(passports)) {
					t.Errorf("retrieve: %s %s", status, text)
				}
			})
		}
	}
}

// asPublicClient gives the token the header of the public client, without typ, and the aud that is wanted.
func (p *pair) asPublicClient(a *oobtest.Attempt, audience string) {
	a.JOSE = fmt.Appendf(nil, `{"alg":"ES256","x5u":"%s"}`, a.Signer.X5U)
	claims(`"aud":"`+oobtest.CPSAudience+`"`, `"aud":`+audience)(p, a)
}

// bySameProvider lets the publisher retrieve its own.
func (p *pair) bySameProvider(a *oobtest.Attempt) {
	a.Signer, a.Access.Issuer = p.Upstream, p.Upstream.SPC
	if a.Access.Subject != "" {
		a.Access.Subject = p.Upstream.SPC
	}
}

// TestATIS1000096_S7_TokenHeaderForms are forms that others may send and that say the same.
func TestATIS1000096_S7_TokenHeaderForms(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	x5u := p.Upstream.X5U
	for name, header := range map[string]string{
		"as the public client": `{"alg":"ES256","x5u":"` + x5u + `"}`,
		"another order":        `{"x5u":"` + x5u + `","alg":"ES256"}`,
		"typ JWT":              `{"alg":"ES256","typ":"JWT","x5u":"` + x5u + `"}`,
		"kid":                  `{"alg":"ES256","kid":"1","x5u":"` + x5u + `"}`,
		"escapes":              `{"alg":"ES\u003256","x5u":"` + strings.ReplaceAll(x5u, "/", `\/`) + `"}`,
		"white space":          "{ \"alg\": \"ES256\",\n\"x5u\": \"" + x5u + "\" }",
	} {
		a := p.Publish(oob.Mesh, p.Passport(name))
		a.JOSE = []byte(header)
		p.wantBody(p.send(a), 201, `{"status":201,"message":"Created"}`)
	}
	for _, form := range []string{"Bearer %s", "bearer %s", "BEARER %s", "Bearer   %s", "Bearer %s  "} {
		a := p.Publish(oob.Mesh, p.Passport(form))
		a.Authorization = []string{fmt.Sprintf(form, p.token(a))}
		p.wantBody(p.send(a), 201, `{"status":201,"message":"Created"}`)
	}
}

// TestATIS1000096_S7_MediaTypes are those that say JSON; a body whose type is not said is taken for JSON.
func TestATIS1000096_S7_MediaTypes(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	for _, media := range []string{"application/json", "application/json;charset=utf-8", "Application/JSON; charset=UTF-8", "application/json;", "application/json; charset", ""} {
		a := p.Publish(oob.Mesh, p.Passport("media"+media))
		a.Header.Set("Content-Type", media)
		p.wantBody(p.send(a), 201, `{"status":201,"message":"Created"}`)
	}
	a := p.Publish(oob.Mesh, p.Passport("identity"))
	a.Header.Set("Content-Encoding", "identity")
	p.wantBody(p.send(a), 201, `{"status":201,"message":"Created"}`)
}

func TestRFC9325_S3_1_TLSVersions(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	for version, want := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		for _, protocol := range []string{"h2", "http/1.1"} {
			if _, err := p.tryDial(protocol, version); (err == nil) != want {
				t.Errorf("%s over %s: %v", protocol, tls.VersionName(version), err)
			}
		}
	}
	if conn, err := p.tryDial("spdy/3", tls.VersionTLS13); err == nil {
		t.Errorf("negotiated %q", conn.ConnectionState().NegotiatedProtocol)
	}
	lines, _ := p.log.take(t)
	if len(lines) != 0 {
		t.Errorf("broken handshakes are logged: %v", lines)
	}
}
