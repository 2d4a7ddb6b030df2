package load_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/load"
)

// inBubble runs f in a testing/synctest bubble whose clock has been set to today, because the laboratory's certificates are of
// today. What it is given makes a configuration for a load on a handler: TLS and HTTP are the real ones, over pipes, and
// time is that of the bubble, so that latencies are exact.
func inBubble(t *testing.T, f func(t *testing.T, on func(handler http.HandlerFunc) load.Config)) {
	t.Helper()
	l := openLaboratory(t, 2)
	files, err := l.pki.IssueTLS("cps.example")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := files.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	today := time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(today))
		f(t, func(handler http.HandlerFunc) load.Config {
			listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
			var protocols http.Protocols
			protocols.SetHTTP1(true)
			protocols.SetHTTP2(true)
			server := &http.Server{
				Handler: handler, Protocols: &protocols, ErrorLog: log.New(io.Discard, "", 0),
				// A pipe holds no bytes: tickets would be written while nobody reads.
				TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, SessionTicketsDisabled: true},
			}
			go server.ServeTLS(listener, "", "")
			t.Cleanup(func() { _ = server.Close() })
			cfg := l.config(t, "publish=1", "https://cps.example")
			cfg.Arrivals = load.Even
			return load.In(cfg, listener.dial, func(time.Time) time.Duration { return 0 })
		})
	})
}

// pipes is a listener.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func stores(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }

// within tells whether a figure is exact to the digits that a histogram keeps.
func within(got, want float64) bool { return math.Abs(got-want) <= want/1000+0.001 }

// A CPS that stands still for a second is charged with what is left of that second by every request that was due in it, whether
// or not it could be sent: nothing is left out because it waited.
func TestRun_ACPSThatStandsStill(t *testing.T) {
	for _, c := range []struct {
		name  string
		http1 bool
	}{{"HTTP/2", false}, {"HTTP/1.1, where most wait for a connection", true}} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, on func(http.HandlerFunc) load.Config) {
				var begin time.Time // of the step, known from its first request
				cfg := on(func(w http.ResponseWriter, r *http.Request) {
					if at := time.Since(begin); at >= 500*time.Millisecond && at < 1500*time.Millisecond {
						time.Sleep(1500*time.Millisecond - at)
					}
					stores(w, r)
				})
				cfg.HTTP1, cfg.Connections = c.http1, 4
				cfg.Steps = []load.Step{{PerSecond: 100, For: 2 * time.Second}} // due at 5, 15, 25, … ms
				cfg = load.In(cfg, load.Dial(cfg), func(due time.Time) time.Duration {
					if begin.IsZero() {
						begin = due.Add(-5 * time.Millisecond)
					}
					return 0
				})
				r := run(t, cfg)
				o := operation(t, r.Steps[0], load.Publish)
				// Half of 200 took 5, 15, … 995 ms, the others nothing.
				if o.Good != 200 || !within(o.P90, 795) || !within(o.P99, 975) || !within(o.Max, 995) || o.P50 > 0.1 {
					t.Errorf("%+v", o)
				}
				if r.Steps[0].Tardy != 0 || r.Steps[0].Late.Max > 0.1 {
					t.Errorf("the generator was late: %+v", r.Steps[0].Late)
				}
			})
		})
	}
}

// A CPS that carries half of what comes: the queue is counted, and grows.
func TestRun_ACPSThatIsTooSlow(t *testing.T) {
	inBubble(t, func(t *testing.T, on func(http.HandlerFunc) load.Config) {
		cfg := on(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(20 * time.Millisecond)
			stores(w, r)
		})
		cfg.HTTP1, cfg.Connections = true, 1
		cfg.Steps = []load.Step{{PerSecond: 100, For: time.Second}}
		s := run(t, cfg).Steps[0]
		o := operation(t, s, load.Publish) // the n-th of 100 takes 20 ms, and 10 for each before it
		if o.Good != 100 || !within(o.P50, 510) || !within(o.P99, 1000) || !within(o.Max, 1010) {
			t.Errorf("%+v", o)
		}
		if s.Achieved < 49 || s.Achieved > 51 {
			t.Errorf("%.1f a second of 50", s.Achieved)
		}
	})
}

// What does not come in time, and what must not be sent any more, has failed; the generator does not hang.
func TestRun_ACPSThatIsSilent(t *testing.T) {
	inBubble(t, func(t *testing.T, on func(http.HandlerFunc) load.Config) {
		var requests atomic.Int64
		cfg := on(func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1) > 4 { // those that are tried, and the first ones
				<-r.Context().Done()
			}
			stores(w, r)
		})
		cfg.Timeout, cfg.InFlight = 100*time.Millisecond, 3
		s := run(t, cfg).Steps[0]
		if s.Failures["peer-timeout"] == 0 || s.Failures["not sent: too many under way"] == 0 {
			t.Errorf("%v", s.Failures)
		}
		if o := operation(t, s, load.Publish); o.Good+o.Failed != s.Due {
			t.Errorf("%d and %d of %d", o.Good, o.Failed, s.Due)
		}
	})
}

// A generator that is late says so, and counts it: latencies are from when requests were due.
func TestRun_TheGeneratorIsLate(t *testing.T) {
	inBubble(t, func(t *testing.T, on func(http.HandlerFunc) load.Config) {
		cfg := on(stores)
		cfg = load.In(cfg, load.Dial(cfg), func(time.Time) time.Duration { return 7 * time.Millisecond })
		r := run(t, cfg)
		s := r.Steps[0]
		if o := operation(t, s, load.Publish); s.Tardy != s.Due || !within(s.Late.P50, 7) || !within(o.P50, 7) {
			t.Errorf("%+v", s)
		}
		if r.OK() || len(s.Doubts) == 0 || !strings.Contains(s.Doubts[0], "100.0 %") {
			t.Errorf("%q", s.Doubts)
		}
	})
}

// slowKey takes its time for a signature, as a key in a token may.
type slowKey struct {
	crypto.Signer
	takes time.Duration
}

func (k slowKey) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	time.Sleep(k.takes)
	return k.Signer.Sign(random, digest, options)
}

// No more is prepared than may be. Where keys cannot keep up, requests wait for their signatures, and that is told.
func TestRun_TheStockIsUsedUp(t *testing.T) {
	inBubble(t, func(t *testing.T, on func(http.HandlerFunc) load.Config) {
		cfg := on(stores)
		cfg.AheadMax = 128
		cfg.Steps = []load.Step{{PerSecond: 1000, For: time.Second}}
		r := run(t, cfg)
		if s := r.Steps[0]; r.Prepared < 64 || r.Prepared > 128+2*64 || s.Due != 1000 || s.Unsigned != 0 || len(s.Failures) > 0 {
			t.Errorf("%d prepared; %+v", r.Prepared, s)
		}
		cfg.Providers = append([]load.Provider(nil), cfg.Providers...)
		for i := range cfg.Providers {
			cfg.Providers[i].Key = slowKey{cfg.Providers[i].Key, 50 * time.Millisecond}
		}
		r = run(t, cfg)
		if s := r.Steps[0]; s.Unsigned == 0 || len(s.Doubts) == 0 || r.OK() {
			t.Errorf("%+v", s)
		}
	})
}

// A stock that would expire before it is used is none, and nothing is sent.
func TestRun_TheStockWouldExpire(t *testing.T) {
	inBubble(t, func(t *testing.T, on func(http.HandlerFunc) load.Config) {
		cfg := on(stores)
		cfg.Ahead, cfg.Steps = 30*time.Second, []load.Step{{PerSecond: 1000, For: time.Minute}}
		cfg.Providers = append([]load.Provider(nil), cfg.Providers...)
		for i := range cfg.Providers {
			cfg.Providers[i].Key = slowKey{cfg.Providers[i].Key, 5 * time.Millisecond}
		}
		loaded, err := load.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer loaded.Close()
		if _, err := loaded.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "would expire before it is used") {
			t.Error(err)
		}
	})
}
