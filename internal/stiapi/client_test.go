package stiapi_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/stiapi"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
)

const unproven = `{"requestError":{"policyException":{"messageId":"POL4010","text":"Error: Not authenticated."}}}`

func digest(key string) [][32]byte { return [][32]byte{sha256.Sum256([]byte(key))} }

func bearer(key string) func(*http.Request) { return setting("Authorization", "Bearer "+key) }

func basic(id, key string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(id, key) }
}

func TestClientsProveThemselves(t *testing.T) {
	elsewhere := netip.MustParsePrefix("192.0.2.0/24")
	keyed := []stiapi.Client{
		{Name: "keyed", Keys: append(digest(atisKey), digest(msKey)...)},
		{Name: "certified", CertificateNames: []string{"SBC.switch.example", "192.0.2.1"}},
		{Name: "keyed elsewhere", Keys: digest(wrongKey), Addresses: []netip.Prefix{elsewhere}},
		{Name: "both", CertificateNames: []string{"here.switch.example"}, Keys: digest("key of both"), Addresses: []netip.Prefix{loopback}},
		{Name: "certified here", CertificateNames: []string{"also.switch.example"}, Addresses: []netip.Prefix{loopback}},
		{Name: "keyed-here", Keys: digest("key-here"), Addresses: []netip.Prefix{loopback}},
		{Name: "certified elsewhere", CertificateNames: []string{"far.switch.example"}, Addresses: []netip.Prefix{elsewhere}},
	}
	near := append([]stiapi.Client{{Name: "near", Addresses: []netip.Prefix{loopback}}}, keyed...)
	for _, c := range []struct {
		name        string
		clients     []stiapi.Client
		inQuery     bool
		certificate string
		query       string
		edit        func(*http.Request)
		want        string // name of the client; empty: nobody
	}{
		{name: "nothing", clients: keyed},
		{name: "key as bearer token", clients: keyed, edit: bearer(atisKey), want: "keyed"},
		{name: "second key", clients: keyed, edit: bearer(msKey), want: "keyed"},
		{name: "scheme in another case", clients: keyed, edit: setting("Authorization", "bEARER  "+atisKey), want: "keyed"},
		{name: "key as password", clients: keyed, edit: basic("keyed", atisKey), want: "keyed"},
		{name: "key as password of nobody", clients: keyed, edit: basic("", atisKey), want: "keyed"},
		{name: "key as password of another", clients: keyed, edit: basic("certified", atisKey)},
		{name: "password in other base64", clients: keyed, edit: setting("Authorization", "Basic !")},
		{name: "wrong key", clients: keyed, edit: bearer(wrongKey + "x")},
		{name: "key of somebody elsewhere", clients: keyed, edit: bearer(wrongKey)},
		{name: "no key", clients: keyed, edit: bearer("")},
		{name: "another scheme", clients: keyed, edit: setting("Authorization", "Digest "+atisKey)},
		{name: "key twice", clients: keyed, edit: setting("Authorization", "Bearer "+atisKey, "Bearer "+atisKey)},
		{name: "hash for a key", clients: keyed, edit: bearer(hex.EncodeToString(keyed[0].Keys[0][:]))},
		{name: "key in the query, which is not read", clients: keyed, query: "&id=keyed&key=" + atisKey},
		{name: "key in the query", clients: keyed, inQuery: true, query: "&id=keyed&key=" + atisKey, want: "keyed"},
		{name: "key in the query of nobody", clients: keyed, inQuery: true, query: "&key=" + atisKey, want: "keyed"},
		{name: "key in the query of another", clients: keyed, inQuery: true, query: "&id=certified&key=" + atisKey},
		{name: "id without key", clients: keyed, inQuery: true, query: "&id=keyed"},
		{name: "certificate", clients: keyed, certificate: "sbc.switch.example", want: "certified"},
		{name: "certificate with a common name alone", clients: keyed, certificate: "192.0.2.1", want: "certified"},
		{name: "certificate of a stranger", clients: keyed, certificate: "other.switch.example"},
		{name: "certificate of a stranger, and a key", clients: keyed, certificate: "other.switch.example", edit: bearer(atisKey), want: "keyed"},
		{name: "certificate of somebody elsewhere", clients: keyed, certificate: "far.switch.example"},
		{name: "certificate, from its address", clients: keyed, certificate: "here.switch.example", want: "both"},
		{name: "key, from its address", clients: keyed, edit: bearer("key-here"), want: "keyed-here"},
		{name: "name within a name", clients: keyed, certificate: "sbc.switch.example.net"},
		{name: "address", clients: near, want: "near"},
		{name: "address and certificate", clients: near, certificate: "sbc.switch.example", want: "certified"},
		{name: "address does not make a wrong key good", clients: near, edit: bearer("x")},
		{name: "the narrower address", clients: append([]stiapi.Client{{Name: "this", Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}}, near...), want: "this"},
		{name: "address elsewhere", clients: []stiapi.Client{{Name: "far", Addresses: []netip.Prefix{elsewhere}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, func(config *stiapi.Config) { config.Clients, config.KeyInQuery = c.clients, c.inQuery })
			got := l.sendBy(l.as(c.certificate), signingPath+c.query, l.signing(nil), c.edit)
			l.shut()
			if c.want == "" {
				l.wants(got, 401, unproven)
				if strings.Join(got.header.Values("WWW-Authenticate"), ", ") != `Bearer realm="stir", Basic realm="stir"` || l.door.Stats().Unproven != 1 {
					t.Errorf("%v, %+v", got.header, l.door.Stats())
				}
				if l.recorder.Stats().Begun != 0 {
					t.Error("a stranger is in the trace")
				}
			} else if got.status != 200 || !strings.Contains(l.log.String(), "client="+c.want+" ") {
				t.Errorf("%d %s\n%s", got.status, got.body, l.log)
			}
			if strings.Contains(l.log.String(), atisKey) {
				t.Error("a key is in the log")
			}
		})
	}
}

// TestCertificateThatNobodyHasVerifiedProvesNothing: a listener may ask for one without looking at it.
func TestCertificateThatNobodyHasVerifiedProvesNothing(t *testing.T) {
	l := start(t, nil)
	files, err := l.PKI.IssueTLS("atis.switch.example")
	l.must(err)
	certificate, err := files.Certificate()
	l.must(err)
	for _, verified := range []bool{false, true} {
		request := httptest.NewRequest(http.MethodPost, signingPath, nil)
		request.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate.Leaf}}
		want := 401
		if verified {
			request.TLS.VerifiedChains, want = [][]*x509.Certificate{{certificate.Leaf, l.PKI.TLSRoot.Certificate}}, 415
		}
		answer := httptest.NewRecorder()
		l.door.ServeHTTP(answer, request)
		if answer.Code != want {
			t.Errorf("%d, want %d", answer.Code, want)
		}
	}
}

// TestStrangersReachNoParser: without proof nothing is said of the request, and its body is not read.
func TestStrangersReachNoParser(t *testing.T) {
	l := start(t, func(c *stiapi.Config) { c.Strangers = sti.Ms })
	for _, r := range refusals {
		path, body := signingPath, "{"
		if r.path != "" {
			path = r.path
		}
		l.wants(l.sendBy(l.as(""), path, body, r.edit), 401, `{"error":"Not authenticated."}`)
	}
	request := httptest.NewRequest(http.MethodPost, signingPath, unreadable{t})
	request.RemoteAddr = "198.51.100.7:1"
	answer := httptest.NewRecorder()
	l.door.ServeHTTP(answer, request)
	if answer.Code != 401 {
		t.Errorf("%d", answer.Code)
	}
}

// unreadable is a body that must not be read.
type unreadable struct{ *testing.T }

func (b unreadable) Read([]byte) (int, error) {
	b.Error("the body is read")
	return 0, context.Canceled
}

// TestFailedAttemptsAreCounted: an address that has failed too often is not looked at any more, for a while.
func TestFailedAttemptsAreCounted(t *testing.T) {
	l := start(t, nil)
	ask := func(address, key string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodPost, signingPath, strings.NewReader(""))
		request.RemoteAddr = address
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Content-Length", "0")
		request.Header.Set("Authorization", "Bearer "+key)
		answer := httptest.NewRecorder()
		l.door.ServeHTTP(answer, request)
		return answer
	}
	const one, sameNetwork, other = "[2001:db8::1]:1", "[2001:db8::2]:2", "[2001:db8:0:1::1]:1"
	for range stiapi.TriesMax {
		if got := ask(one, wrongKey); got.Code != 401 {
			t.Fatal(got.Code)
		}
	}
	l.Clock.Advance(10 * time.Second)
	for _, key := range []string{wrongKey, atisKey} {
		got := ask(sameNetwork, key)
		if got.Code != 429 || got.Header().Get("Retry-After") != "50" || !strings.Contains(got.Body.String(), "POL4290") {
			t.Errorf("%d %v %s", got.Code, got.Header(), got.Body)
		}
	}
	if got := ask(other, atisKey); got.Code != 404 { // no trunk is there
		t.Errorf("another address: %d", got.Code)
	}
	if got := l.send(signingPath, l.signing(nil), nil); got.status != 200 {
		t.Errorf("a certificate: %d", got.status)
	}
	l.Clock.Advance(50 * time.Second)
	if got := ask(one, atisKey); got.Code != 404 {
		t.Errorf("after a while: %d", got.Code)
	}
	if s := l.door.Stats(); s.TooManyTries != 2 || s.Unproven != stiapi.TriesMax {
		t.Errorf("%+v", s)
	}
}

func TestNew_RefusesWhatCannotBeMeant(t *testing.T) {
	l := start(t, nil)
	good := l.config
	for name, edit := range map[string]func(*stiapi.Config){
		"no dips":            func(c *stiapi.Config) { c.Dips = nil },
		"base without slash": func(c *stiapi.Config) { c.Base = "sti" },
		"base with two":      func(c *stiapi.Config) { c.Base = "/sti/" },
		"negative limit":     func(c *stiapi.Config) { c.InFlightMax = -1 },
		"nobody":             func(c *stiapi.Config) { c.Clients = nil },
		"no name":            func(c *stiapi.Config) { c.Clients = []stiapi.Client{{Keys: digest("a")}} },
		"one name twice": func(c *stiapi.Config) {
			c.Clients = []stiapi.Client{{Name: "a", Keys: digest("a")}, {Name: "a", Keys: digest("b")}}
		},
		"no proof": func(c *stiapi.Config) { c.Clients = []stiapi.Client{{Name: "a"}} },
		"one key twice": func(c *stiapi.Config) {
			c.Clients = []stiapi.Client{{Name: "a", Keys: digest("a")}, {Name: "b", Keys: digest("a")}}
		},
		"empty key": func(c *stiapi.Config) { c.Clients = []stiapi.Client{{Name: "a", Keys: digest("")}} },
		"no key":    func(c *stiapi.Config) { c.Clients = []stiapi.Client{{Name: "a", Keys: make([][32]byte, 1)}} },
		"one certificate twice": func(c *stiapi.Config) {
			c.Clients = []stiapi.Client{{Name: "a", CertificateNames: []string{"x"}}, {Name: "b", CertificateNames: []string{"X"}}}
		},
		"certificate without name": func(c *stiapi.Config) { c.Clients = []stiapi.Client{{Name: "a", CertificateNames: []string{""}}} },
		"everybody's address": func(c *stiapi.Config) {
			c.Clients = []stiapi.Client{{Name: "a", Addresses: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}}
		},
		"one address twice": func(c *stiapi.Config) {
			c.Clients = []stiapi.Client{{Name: "a", Addresses: []netip.Prefix{loopback}}, {Name: "b", Addresses: []netip.Prefix{loopback}}}
		},
		"bits behind the prefix": func(c *stiapi.Config) {
			c.Clients = []stiapi.Client{{Name: "a", Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}}}
		},
		"no address": func(c *stiapi.Config) { c.Clients = []stiapi.Client{{Name: "a", Addresses: make([]netip.Prefix, 1)}} },
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			edit(&config)
			if door, err := stiapi.New(config); err == nil || door != nil || strings.ContainsAny(err.Error(), "0123456789") && name != "no name" && name != "one name twice" {
				t.Errorf("%v", err)
			}
		})
	}
	good.Base = "/sti"
	if _, err := stiapi.New(good); err != nil {
		t.Error(err)
	}
}
