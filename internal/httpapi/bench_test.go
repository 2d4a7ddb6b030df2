package httpapi_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/logline"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// counter is a desk of a benchmark: the handler of a CPS without a network, and requests of the agreed form for it.
type counter struct {
	*testing.B
	pair *oobtest.Pair
	gate *turnstile.Turnstile // of one place
	door http.Handler
}

func openCounter(b *testing.B) *counter {
	b.Helper()
	free := cps.Rate{PerSecond: 1e9, Burst: 1e9}
	pair, err := oobtest.StartPair(oobtest.CPSConfig{Service: cps.Config{PublishRate: free, RetrieveRate: free}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { pair.Close() })
	gate := turnstile.New(turnstile.Config{Places: 1, Waiting: 1, Burst: time.Hour})
	door, err := httpapi.New(httpapi.Config{
		Service: pair.CPS.Service, Verifier: pair.CPS.Verifier, Log: slog.New(logline.New(io.Discard, slog.LevelInfo)),
		Metrics: httpapi.NewMetrics(prometheus.NewRegistry()), Turnstile: gate,
	})
	if err != nil {
		b.Fatal(err)
	}
	return &counter{b, pair, gate, door}
}

// requests makes n requests of one kind, each with a token of its own.
func (c *counter) requests(action oob.Action, n int) []*http.Request {
	c.Helper()
	list := make([]*http.Request, n)
	for i := range list {
		key := c.pair.Key(oob.Agreed)
		number, err := tn.ParseNumber(fmt.Sprint(15_000_000_000 + i))
		if err != nil {
			c.Fatal(err)
		}
		key.Dest = tn.Of(number)
		by, passports, body := c.pair.Downstream, []string(nil), []byte(nil)
		if action == oob.ActionPublish {
			by = c.pair.Upstream
			claims := c.pair.Claims(fmt.Sprint(i))
			claims.Dest = []tn.Identity{key.Dest}
			token, err := passport.Sign(by.Key, passport.Shaken, by.X5U, claims)
			if err != nil {
				c.Fatal(err)
			}
			passports = []string{token}
			body = atis.WritePublish(passports)
		}
		authorization, err := by.Authorization(by.Access(action, key, passports, uuid.New(), c.pair.Clock.Now()))
		if err != nil {
			c.Fatal(err)
		}
		list[i] = &http.Request{
			Method: http.MethodGet, URL: &url.URL{Path: atis.Path(key)}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header:     http.Header{"Authorization": {authorization}, "Content-Type": {"application/json"}, "User-Agent": {"x"}},
			RemoteAddr: "192.0.2.1:1234", Body: http.NoBody, Host: "cps.example",
		}
		if body != nil {
			list[i].Method, list[i].Body, list[i].ContentLength = http.MethodPost, io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
	}
	return list
}

// sink is where an answer goes.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header             { return s.header }
func (s *sink) Write(p []byte) (int, error)     { return len(p), nil }
func (s *sink) WriteHeader(status int)          { s.status = status }
func (s *sink) SetReadDeadline(time.Time) error { return nil }

func (c *counter) serve(list []*http.Request, status int) {
	c.Helper()
	w := &sink{header: http.Header{}}
	for _, r := range list {
		clear(w.header)
		if c.door.ServeHTTP(w, r); w.status != status {
			c.Fatalf("%s %s: %d", r.Method, r.URL.Path, w.status)
		}
	}
}

// BenchmarkPublish is a publication of the agreed form from its request to its answer, without HTTP and TLS: two
// verifications, and everything that is ours.
func BenchmarkPublish(b *testing.B) {
	c := openCounter(b)
	c.serve(c.requests(oob.ActionPublish, 1), http.StatusCreated)
	list := c.requests(oob.ActionPublish, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	c.serve(list, http.StatusCreated)
}

// BenchmarkRetrieve is the same of a retrieval, with one verification.
func BenchmarkRetrieve(b *testing.B) {
	c := openCounter(b)
	c.serve(c.requests(oob.ActionPublish, b.N), http.StatusCreated)
	list := c.requests(oob.ActionRetrieve, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	c.serve(list, http.StatusOK)
}

// BenchmarkRefused is a publication that finds no place to wait for its turn, from its request to its answer: everything that is
// ours of a refusal.
func BenchmarkRefused(b *testing.B) {
	c := openCounter(b)
	list := c.requests(oob.ActionPublish, b.N)
	defer shut(b, c.gate)()
	b.ReportAllocs()
	b.ResetTimer()
	c.serve(list, http.StatusServiceUnavailable)
}
