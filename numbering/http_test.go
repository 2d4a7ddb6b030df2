package numbering_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/numbering"
	"github.com/viaduct-oob/viaduct/oob"
)

// serve starts a server with TLS and gives its URL and the roots to believe it.
func serve(t testing.TB, handler http.HandlerFunc) (string, *x509.CertPool) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server.URL, roots
}

func dial(t testing.TB, cfg numbering.HTTPConfig) *numbering.HTTP {
	t.Helper()
	h, err := numbering.NewHTTP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func TestHTTP_ReadsWhatAServerSays(t *testing.T) {
	const asked = "12155550121"
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   []string
		kind   oob.Kind
	}{
		{"one code", 200, `{"spc":"567A"}`, []string{"567A"}, 0},
		{"a list", 200, ` {"tn":"12155550121","spc":["567A","1234"],"more":{"a":[1]}} `, []string{"567A", "1234"}, 0},
		{"nobody", 200, `{"spc":[]}`, nil, oob.NotFound},
		{"not found", 404, `whatever`, nil, oob.NotFound},
		{"gone", 410, ``, nil, oob.PeerFailed},
		{"no content", 204, ``, nil, oob.PeerFailed},
		{"forbidden", 403, `{"spc":"567A"}`, nil, oob.PeerFailed},
		{"down", 503, ``, nil, oob.PeerFailed},
		{"a redirect", 302, `{"spc":"567A"}`, nil, oob.PeerFailed},
		{"nothing", 200, ``, nil, oob.PeerFailed},
		{"no object", 200, `["567A"]`, nil, oob.PeerFailed},
		{"no spc", 200, `{"ocn":"567A"}`, nil, oob.PeerFailed},
		{"spc twice", 200, `{"spc":"567A","spc":"1234"}`, nil, oob.PeerFailed},
		{"a number as code", 200, `{"spc":1234}`, nil, oob.PeerFailed},
		{"null", 200, `{"spc":null}`, nil, oob.PeerFailed},
		{"an empty code", 200, `{"spc":""}`, nil, oob.PeerFailed},
		{"a code that is none", 200, `{"spc":["567A","5\n"]}`, nil, oob.PeerFailed},
		{"a list of lists", 200, `{"spc":[["567A"]]}`, nil, oob.PeerFailed},
		{"a long list", 200, `{"spc":["1"` + strings.Repeat(`,"1"`, numbering.SPCsMax) + `]}`, nil, oob.PeerFailed},
		{"deep", 200, `{"spc":"567A","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, nil, oob.PeerFailed},
		{"long", 200, `{"spc":"567A"}` + strings.Repeat(" ", 17<<10), nil, oob.PeerFailed},
		{"without end", 200, "", nil, oob.PeerFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, roots := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/spc/"+asked || r.URL.RawQuery != "v=1" || r.Method != http.MethodGet || r.Header.Get("Accept") != "application/json" {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				w.Header().Set("Location", "/spc/elsewhere")
				w.WriteHeader(c.status)
				for c.name == "without end" {
					if _, err := w.Write(make([]byte, 1<<10)); err != nil {
						return
					}
				}
				_, _ = io.WriteString(w, c.body)
			})
			h := dial(t, numbering.HTTPConfig{URL: base + "/spc/{tn}?v=1", Roots: roots, Cache: numbering.CacheConfig{Timeout: 10 * time.Second}})
			wants(t, h, number(t, asked), c.kind, c.want...)
		})
	}
}

func TestHTTP_BelievesCacheControl(t *testing.T) {
	for _, c := range []struct {
		name, control, age string
		want               time.Duration
	}{
		{"nothing", "", "", -1},
		{"max-age", "public, Max-Age=90", "", 90 * time.Second},
		{"quoted", `max-age="90"`, "", 90 * time.Second},
		{"less its age", "max-age=90", "30", 60 * time.Second},
		{"older than it may be", "max-age=90", "300", 0},
		{"for ever", "max-age=99999999999999999999", "", 1 << 31 * time.Second},
		{"none that is a number", "max-age=soon", "", 0},
		{"not to be stored", "max-age=90, no-store", "", 0},
		{"another directive", "s-maxage=90", "", -1},
	} {
		header := http.Header{"Cache-Control": {c.control}, "Age": {c.age}}
		if got := numbering.LifetimeOf(header); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestHTTP_AsksOnceAndRemembers(t *testing.T) {
	var asked atomic.Int64
	base, roots := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if strings.HasSuffix(r.URL.Path, "2") {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `{"spc":"567A"}`)
	})
	h := dial(t, numbering.HTTPConfig{URL: base + "/{tn}", Roots: roots})
	for range 100 {
		wants(t, h, number(t, "12155550121"), 0, "567A")
		wants(t, h, number(t, "12155550122"), oob.NotFound)
	}
	if asked.Load() != 2 || h.Stats().Hits != 198 {
		t.Errorf("asked %d times: %+v", asked.Load(), h.Stats())
	}
}

func TestRFC6750_S2_1_TheTokenIsReadForEachQuestion(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	var seen []string
	base, roots := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		fmt.Fprint(w, `{"spc":"567A"}`)
	})
	h := dial(t, numbering.HTTPConfig{URL: base + "/{tn}", Roots: roots, TokenFile: token})
	wants(t, h, number(t, "12155550121"), oob.Internal)
	for i, text := range []string{"first\n", "second", "two lines\nof text"} {
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := h.SPCs(t.Context(), number(t, fmt.Sprintf("1215555013%d", i))); (err == nil) != (i < 2) || err != nil && strings.Contains(err.Error(), "two") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if !slices.Equal(seen, []string{"Bearer first", "Bearer second"}) {
		t.Errorf("%q", seen)
	}
}

func TestHTTP_AServerThatHangsDelaysNobodyBeyondHisTime(t *testing.T) {
	release := make(chan struct{})
	base, roots := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	h := dial(t, numbering.HTTPConfig{URL: base + "/{tn}", Roots: roots, Cache: numbering.CacheConfig{Timeout: 50 * time.Millisecond, Failures: 2}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.SPCs(ctx, number(t, "12155550120")); !errors.Is(err, oob.PeerTimeout) {
		t.Errorf("%v", err)
	}
	wants(t, h, number(t, "12155550120"), oob.PeerTimeout)
	wants(t, h, number(t, "12155550121"), oob.PeerTimeout)
	wants(t, h, number(t, "12155550122"), oob.PeerFailed) // it is left alone
	if !h.Stats().Paused {
		t.Errorf("%+v", h.Stats())
	}
}

func TestHTTP_ErrorsDoNotRepeatWhatAServerSends(t *testing.T) {
	const asked = "12155550121"
	base, roots := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "NOT HTTP %s\r\n\r\n", r.URL.Path)
	})
	// HTTP/1.1, for a connection of HTTP/2 cannot be taken over.
	h := dial(t, numbering.HTTPConfig{URL: base + "/{tn}", Roots: roots})
	numbering.OnlyHTTP1(h)
	wants(t, h, number(t, asked), oob.PeerFailed)
}

func TestHTTP_AStrangersCertificateIsNotTrusted(t *testing.T) {
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Error("asked") })
	h := dial(t, numbering.HTTPConfig{URL: base + "/{tn}"})
	_, err := h.SPCs(t.Context(), number(t, "12155550121"))
	if !errors.Is(err, oob.PeerFailed) || !strings.Contains(err.Error(), "not trusted") {
		t.Errorf("%v", err)
	}
}

func TestNewHTTP_URLs(t *testing.T) {
	for text, good := range map[string]bool{
		"https://numbers.example.net/spc/{tn}":    true,
		"https://numbers.example.net:8443/{tn}/x": true,
		"https://192.0.2.1/?tn={tn}":              true,
		"https://numbers.example.net/spc":         false,
		"https://numbers.example.net/{tn}/{tn}":   false,
		"http://numbers.example.net/{tn}":         false,
		"https://{tn}.example.net/":               false,
		"https://example.net:{tn}/":               false,
		"https://example.net{tn}/":                false,
		"https://example.net?{tn}":                false,
		"https://u:p@example.net/{tn}":            false,
		"https://example.net/#{tn}":               false,
		"https:///{tn}":                           false,
		"{tn}":                                    false,
		"":                                        false,
	} {
		h, err := numbering.NewHTTP(numbering.HTTPConfig{URL: text})
		if (err == nil) != good || (h != nil) != good {
			t.Errorf("%q: %v", text, err)
		}
		if h != nil {
			h.Close()
		}
	}
}

func TestChain_AsksTheNextOnlyWhenNothingIsKnown(t *testing.T) {
	base, roots := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "3"):
			w.WriteHeader(http.StatusInternalServerError)
		case strings.HasSuffix(r.URL.Path, "4"):
			http.NotFound(w, r)
		default:
			fmt.Fprint(w, `{"spc":"HTTP"}`)
		}
	})
	h := dial(t, numbering.HTTPConfig{URL: base + "/{tn}", Roots: roots})
	first := openFile(t, "FILE,12155550121\n")
	last := openFile(t, "LAST,12155550120,10\n")
	chain := numbering.Chain{first, h, last}
	wants(t, chain, number(t, "12155550121"), 0, "FILE")
	wants(t, chain, number(t, "12155550122"), 0, "HTTP")
	wants(t, chain, number(t, "12155550123"), oob.PeerFailed) // the last may not know of a port
	wants(t, chain, number(t, "12155550124"), 0, "LAST")
	wants(t, chain, number(t, "12155550134"), oob.NotFound)
	wants(t, numbering.Chain{}, number(t, "12155550121"), oob.NotFound)
}

// FuzzReadSPCs: an error comes without codes; what is read is no more than may be.
func FuzzReadSPCs(f *testing.F) {
	for _, seed := range []string{`{"spc":"567A"}`, `{"spc":["567A","1234"],"x":[{}]}`, `{"spc":[]}`, `{"spc":[1]}`} {
		f.Add([]byte(seed))
	}
	if spcs, err := numbering.ReadSPCs([]byte(`{"spc":["567A"]}`)); err != nil || len(spcs) != 1 {
		f.Errorf("seed: %v", err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		spcs, err := numbering.ReadSPCs(body)
		if err != nil && (spcs != nil || !errors.Is(err, oob.PeerFailed)) || len(spcs) > numbering.SPCsMax {
			t.Fatalf("%v, %v", spcs, err)
		}
	})
}
