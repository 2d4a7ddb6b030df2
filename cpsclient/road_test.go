package cpsclient_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
)

// start runs a server on a real socket.
func start(t testing.TB, handler http.Handler, http2 bool) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = http2
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// Real sockets, real TLS, a redundant pair of real CPSs.
func TestRoadOverSockets(t *testing.T) {
	l := openLaboratory()
	for _, http2 := range []bool{true, false} {
		for _, form := range forms {
			t.Run(map[bool]string{true: "HTTP/2 ", false: "HTTP/1.1 "}[http2]+form.String(), func(t *testing.T) {
				var log asked
				cfgUp, cfgDown := l.as(l.upstream), l.as(l.downstream)
				for _, cfg := range []*cpsclient.Config{&cfgUp, &cfgDown} {
					cfg.RootCAs = nil
				}
				for _, name := range []string{"a.example", "b.example"} {
					server := start(t, log.record(l.newCPS(t, name).ServeHTTP), http2)
					for _, cfg := range []*cpsclient.Config{&cfgUp, &cfgDown} {
						if cfg.RootCAs == nil {
							cfg.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs.Clone()
						}
						cfg.RootCAs.AddCert(server.Certificate())
						cfg.CPSs = append(cfg.CPSs, cpsclient.CPS{URL: server.URL, Audience: name})
					}
				}
				up, down := open(t, cfgUp), open(t, cfgDown)
				if err := up.Warm(t.Context()); err != nil {
					t.Fatal(err)
				}
				for range 5 {
					p := l.publication(t, form)
					if err := up.Publish(t.Context(), p); err != nil {
						t.Fatal(err)
					}
					got, err := down.Retrieve(t.Context(), p.Key)
					if err != nil || !slices.Contains(got, p.Passports[0]) {
						t.Fatalf("got %d, %v", len(got), err)
					}
				}
				up.Close() // the other CPS of the pair may still be at it
				for _, major := range log.versions() {
					if (major == 2) != http2 {
						t.Fatalf("a request over HTTP/%d", major)
					}
				}
			})
		}
	}
}

// A whole CPS on a real socket, as it is served, and certificates in TLS: publish, push, retrieve.
func TestRFC9888_S5_RoadToAWholeCPS(t *testing.T) {
	l := openLaboratory()
	whole, err := oobtest.StartCPS(l.pki, l.repository, oobtest.CPSConfig{Service: cps.Config{Numbering: numbering{}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = whole.Close() })
	for _, transport := range bothTransports {
		for _, form := range providerForms {
			up, down := open(t, l.shown(l.upstream, whole.URL)), open(t, l.shown(l.downstream, whole.URL))
			came, alive := make(chan cpsclient.Event, 10), make(chan bool, 10)
			s, err := down.Subscribe(t.Context(), cpsclient.SubscribeConfig{
				Profile: form, Resources: []stircert.Resource{resource(t, "0-"+downstreamSPC)}, Transport: transport,
				Receive: func(e cpsclient.Event) { came <- e }, Alive: func(up bool) { alive <- up },
			})
			if err != nil {
				t.Fatal(err)
			}
			if !<-alive {
				t.Fatalf("%s %s: %+v", transport, form, s.Stats())
			}
			p := l.publication(t, form)
			if err := up.Publish(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			for e := range came { // what the other transport was told of comes first
				if slices.Equal(e.Passports, p.Passports) {
					break
				}
			}
			if got, err := down.Retrieve(t.Context(), p.Key); err != nil || !slices.Contains(got, p.Passports[0]) {
				t.Errorf("%s %s: got %d, %v", transport, form, len(got), err)
			}
			down.Close()
			s.Wait()
		}
	}
}

func TestConnectionsAreReused(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		url := n.serve("a.example", n.newCPS(t, "a.example").ServeHTTP)
		up := n.client(n.upstream, nil, url)
		if err := up.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			go func() {
				if err := up.Publish(t.Context(), n.publication(t, oob.Mesh)); err != nil {
					t.Error(err)
				}
			}()
		}
		synctest.Wait()
		if n.dialed("a.example") != 1 {
			t.Errorf("%d connections", n.dialed("a.example"))
		}
	})
}

// A bubble fails when a goroutine of its own is left; this is the same on real sockets, abandoned attempts included.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	l := openLaboratory()
	before := runtime.NumGoroutine()
	hung := httptest.NewUnstartedServer(http.HandlerFunc(hanging))
	hung.EnableHTTP2 = true
	hung.Config.ErrorLog = quiet
	hung.StartTLS()
	cfg := l.as(l.upstream, hung.URL, "https://127.0.0.1:1")
	cfg.RootCAs = hung.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	cfg.Budget, cfg.Timeout = 1, 1 // nothing succeeds; everything is left in the background
	c, err := cpsclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		_, err := c.Retrieve(t.Context(), keyOf(oob.Mesh))
		if _, ok := err.(*oob.Fault); !ok {
			t.Fatalf("got %v", err)
		}
	}
	c.Close()
	hung.CloseClientConnections()
	hung.Close()
	// Connections take a moment to notice that they are closed; the test's own time limit is the bound.
	for runtime.NumGoroutine() > before {
		runtime.Gosched()
	}
}

func TestATIS1000096_S7_Health(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		a := n.serve("a.example", n.newCPS(t, "a.example").ServeHTTP)
		b := n.serve("b.example", answering(503, ""))
		c := n.client(n.upstream, nil, a, b+"/base/", "https://c.example")
		if err := c.Warm(t.Context()); err != nil {
			t.Errorf("one is healthy: %v", err)
		}
		all := c.Health(t.Context())
		if all[0].Fault != nil || all[0].URL != a {
			t.Errorf("healthy CPS: %+v", all[0])
		}
		wantFault(t, all[1].Fault, oob.Overloaded)
		wantFault(t, all[2].Fault, oob.PeerFailed)
		wantFault(t, n.client(n.upstream, nil, b).Warm(t.Context()), oob.Overloaded)
	})
}

func TestBasePath(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		real := n.newCPS(t, "a.example")
		a := n.serve("a.example", http.StripPrefix("/oob/v1", real).ServeHTTP)
		up := n.client(n.upstream, nil, a+"/oob/v1/")
		p := n.publication(t, oob.Agreed)
		if err := up.Publish(t.Context(), p); err != nil {
			t.Error(err)
		}
		for _, s := range up.States() {
			if !strings.HasSuffix(s.URL, "/oob/v1") {
				t.Error(s.URL)
			}
		}
	})
}

// A connection that died without a word must not take the calls of the next minutes with it.
func TestSilentlyDeadConnectionIsReplaced(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		url := n.serve("a.example", holding(`"a.b.c"`))
		var cut []*cuttable
		down := open(t, cpsclient.WithDial(n.as(n.downstream, url), func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := n.dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			c := &cuttable{Conn: conn, cut: make(chan struct{})}
			cut = append(cut, c)
			return c, nil
		}))
		if err := down.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
		close(cut[0].cut)
		time.Sleep(20 * time.Second)
		took := since(func() {
			if _, err := down.Retrieve(t.Context(), keyOf(oob.Mesh)); err != nil {
				t.Fatal(err)
			}
		})
		if took != 0 || len(cut) != 2 {
			t.Errorf("took %v with %d connections", took, len(cut))
		}
	})
}

// cuttable is a connection whose other end can vanish: nothing is delivered and nothing is refused.
type cuttable struct {
	net.Conn
	cut chan struct{}
}

func (c *cuttable) Write(p []byte) (int, error) {
	select {
	case <-c.cut:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}
