package trust_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
)

func TestContent_IsWhatTheHostServes(t *testing.T) {
	l := newLaboratory(t, nil)
	l.answers(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.RawQuery, strings.Repeat(".", 100)) })
	for _, c := range []struct {
		query string
		max   int
		want  error
	}{{"", 100, nil}, {"?v=1", 103, nil}, {"?v=1", 102, trust.ErrContent}, {"", 0, trust.ErrContent}} {
		body, err := l.verifier.Content(t.Context(), l.host.URL+"/logo.png"+c.query, c.max)
		if !errors.Is(err, c.want) || err == nil && len(body) != c.max || err != nil && body != nil {
			t.Errorf("%s, %d: %d bytes, %v", c.query, c.max, len(body), err)
		}
	}
	if s := l.verifier.Stats(); s.Contents != 4 || s.Fetches != 0 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
}

func TestContent_Refused(t *testing.T) {
	l := newLaboratory(t, nil)
	l.answers(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusFound) })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name, url string
		ctx       context.Context
		want      error
	}{
		{"nothing", "", t.Context(), trust.ErrURL},
		{"not https", "http://127.0.0.1/", t.Context(), trust.ErrURL},
		{"data", "data:,hello", t.Context(), trust.ErrURL},
		{"another port", "https://sp.example:22/", t.Context(), trust.ErrURL},
		{"user information", "https://a:b@sp.example/", t.Context(), trust.ErrURL},
		{"a fragment", "https://sp.example/#a", t.Context(), trust.ErrURL},
		{"a private address", "https://169.254.169.254/latest/meta-data?a=b", t.Context(), trust.ErrAddress},
		{"a redirect", l.host.URL + "/here", t.Context(), trust.ErrContent},
		{"the caller gave up", l.host.URL + "/here", ended, context.Canceled},
	} {
		body, err := l.verifier.Content(c.ctx, c.url, 100)
		asked := errors.Is(err, c.want) || c.ctx == ended && errors.Is(err, trust.ErrBusy) // before its turn or after
		if !asked || body != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	l.wantRequests(1)
	l.verifier.Close()
	if _, err := l.verifier.Content(t.Context(), l.host.URL+"/here", 100); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// A provider cannot aim us at somebody with its tokens, and certificates do not wait for pictures.
func TestContent_HostsAreAskedSoOften(t *testing.T) {
	l := newLaboratory(t, nil)
	l.answers(func(w http.ResponseWriter, _ *http.Request) {})
	asked := 0
	for range 100 {
		if _, err := l.verifier.Content(t.Context(), l.host.URL+"/logo.png", 100); err == nil {
			asked++
		} else if !errors.Is(err, trust.ErrBusy) {
			t.Fatal(err)
		}
	}
	if asked != 10 {
		t.Errorf("asked %d times, want 10", asked)
	}
	l.answers(nil)
	l.mustVerify(l.issue(oobtest.IssueConfig{SPC: "1234"}))
}
