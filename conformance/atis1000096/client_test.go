package atis1000096_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// recorder is a host that answers as it is told, and keeps the access tokens that it is shown.
type recorder struct {
	mu     sync.Mutex
	tokens []string
	answer func(n int, w http.ResponseWriter) // n counts the requests, from 1
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.tokens = append(r.tokens, strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer "))
	n := len(r.tokens)
	r.mu.Unlock()
	r.answer(n, w)
}

func (p *pair) recorder(answer func(n int, w http.ResponseWriter)) (*recorder, string) {
	p.Helper()
	r := &recorder{answer: answer}
	host, err := p.PKI.StartHost(r)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { host.Close() })
	return r, host.URL
}

// parts are header and payload of the n-th token.
func (r *recorder) parts(t *testing.T, n int) (header, payload map[string]any) {
	t.Helper()
	segments := strings.Split(r.tokens[n], ".")
	for i, to := range []*map[string]any{&header, &payload} {
		text, err := base64.RawURLEncoding.DecodeString(segments[i])
		if err == nil {
			err = json.Unmarshal(text, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, payload
}

func created(_ int, w http.ResponseWriter) {
	w.WriteHeader(http.StatusCreated)
}

func TestATIS96_70_ClientToken(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	r, url := p.recorder(created)
	if err := p.Client(p.Upstream, url).Publish(t.Context(), p.Publication(p.Passport("x"))); err != nil {
		t.Fatal(err)
	}
	header, payload := r.parts(t, 0)
	if want := map[string]any{"alg": "ES256", "x5u": p.Upstream.X5U}; !maps.Equal(header, want) {
		t.Errorf("header %v", header)
	}
	names := slices.Sorted(maps.Keys(payload))
	if want := []string{"action", "aud", "dest", "iat", "iss", "jti", "orig", "passports", "sub"}; !slices.Equal(names, want) {
		t.Errorf("claims %v", names)
	}
	if payload["sub"] != p.Upstream.SPC || payload["iss"] != p.Upstream.SPC || payload["aud"] != oobtest.CPSAudience || payload["action"] != "publish" {
		t.Errorf("claims %v", payload)
	}
	if err := p.Client(p.Upstream).Publish(t.Context(), p.Publication(p.Passport("x"))); err != nil {
		t.Errorf("a CPS refuses it: %v", err)
	}
	p.Holds(p.Passport("x"))
}

func TestATIS96_71_ClientJTIIsNew(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	r, url := p.recorder(created)
	client := p.Client(p.Upstream, url)
	seen := map[any]bool{}
	for n := range 5 {
		if err := client.Publish(t.Context(), p.Publication(p.Passport("x"))); err != nil {
			t.Fatal(err)
		}
		_, payload := r.parts(t, n)
		id, _ := payload["jti"].(string)
		if seen[id] || !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
			t.Errorf("jti %q", id)
		}
		seen[id] = true
	}
}

func TestATIS96_72_ClientFailsOver(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	_, down := p.recorder(func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) })
	token := p.Passport("x")
	if err := p.Client(p.Upstream, down, p.CPS.URL).Publish(t.Context(), p.Publication(token)); err != nil {
		t.Fatal(err)
	}
	got, err := p.Client(p.Downstream, down, p.CPS.URL).Retrieve(t.Context(), p.Key(oob.Mesh))
	if err != nil || !slices.Equal(got, []string{token}) {
		t.Errorf("%d PASSporTs, %v", len(got), err)
	}
}

func TestATIS96_73_ClientAsksAgain(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	_, url := p.recorder(func(n int, w http.ResponseWriter) {
		if n < 3 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Write([]byte(`{"passports":["a.b.c"]}`))
	})
	got, err := p.Client(p.Downstream, url).Retrieve(t.Context(), p.Key(oob.Mesh))
	if err != nil || !slices.Equal(got, []string{"a.b.c"}) {
		t.Errorf("%q, %v", got, err)
	}
}
