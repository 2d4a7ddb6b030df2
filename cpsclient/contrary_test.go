package cpsclient_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
)

// endless answers with a status and a body that never ends.
func endless(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		for {
			if _, err := io.WriteString(w, strings.Repeat(`{"passports":[`, 1000)); err != nil {
				return
			}
		}
	}
}

// A contrary CPS costs the call nothing but time within the budget, over either HTTP, and its partner serves.
func TestContraryCPSs(t *testing.T) {
	http1, both := new(http.Protocols), new(http.Protocols)
	http1.SetHTTP1(true)
	both.SetHTTP1(true)
	both.SetHTTP2(true)
	longHeader := answering(200, "", "X-Long", strings.Repeat("x", 32<<10))
	tooMany := `{"passports":["a.b.c"` + strings.Repeat(`,"a.b.c"`, 1024) + `]}`
	for _, c := range []struct {
		name     string
		handler  http.HandlerFunc
		retrieve oob.Kind
		publish  oob.Kind // 0 when it counts as stored
	}{
		{"500", answering(500, `{"status":500}`), oob.PeerFailed, oob.PeerFailed},
		{"500 with our own slug", answering(500, `{"status":500,"message":"x","fault":"internal"}`), oob.Internal, oob.Internal},
		{"503 without a body", answering(503, ""), oob.Overloaded, oob.Overloaded},
		{"hangs", hanging, oob.PeerTimeout, oob.PeerTimeout},
		{"breaks off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, oob.PeerFailed, oob.PeerFailed},
		{"redirects", answering(307, "", "Location", "https://good.example/passports/1/2"), oob.PeerFailed, oob.PeerFailed},
		{"long header", longHeader, oob.PeerFailed, oob.PeerFailed},
		{"endless 200", endless(200), oob.PeerFailed, 0},
		{"endless 201", endless(201), oob.PeerFailed, 0},
		{"endless 404", endless(404), oob.NotFound, oob.WrongPath},
		{"dripping 200", dripping(200), oob.PeerTimeout, 0},
		{"dripping 403", dripping(403), oob.Refused, oob.Refused},
		{"not JSON", answering(200, "<html>welcome</html>"), oob.PeerFailed, 0},
		{"other JSON", answering(200, `["a.b.c"]`), oob.PeerFailed, 0},
		{"no passports", answering(200, `{}`), oob.PeerFailed, 0},
		{"passports twice", answering(200, `{"passports":["a.b.c"],"passports":["d.e.f"]}`), oob.PeerFailed, 0},
		{"a number among passports", answering(200, `{"passports":["a.b.c",7]}`), oob.PeerFailed, 0},
		{"header injection", answering(200, `{"passports":["a.b.c\r\nX: y"]}`), oob.PeerFailed, 0},
		{"too many passports", answering(200, tooMany), oob.PeerFailed, 0},
		{"deep", answering(200, strings.Repeat("[", 10_000)), oob.PeerFailed, 0},
		{"unknown status", answering(799, ""), oob.PeerFailed, oob.PeerFailed},
		{"204", answering(204, ""), oob.PeerFailed, oob.PeerFailed},
		{"206", answering(206, `{"passports":["a.b.c"]}`), oob.PeerFailed, oob.PeerFailed},
		{"lies about its fault", answering(403, `{"fault":"not-found"}`), oob.Refused, oob.Refused},
	} {
		for _, spoken := range []struct {
			version   string
			protocols *http.Protocols
			form      oob.Profile
		}{{"HTTP/1.1", http1, oob.Agreed}, {"HTTP/2", both, oob.Agreed}, {"HTTP/1.1", http1, oob.RFC9888}, {"HTTP/2", both, oob.RFC9888}} {
			t.Run(c.name+" "+spoken.version+" "+spoken.form.String(), func(t *testing.T) {
				inBubble(t, func(t *testing.T, n *network) {
					bad := n.serveProtocols("bad.example", c.handler, spoken.protocols, []string{"bad.example"})
					good := n.serve("good.example", n.newCPS(t, "good.example").ServeHTTP)
					p := n.publication(t, spoken.form)

					alone := func() *cpsclient.Client {
						return n.client(n.upstream, func(c *cpsclient.Config) { c.NotFoundFinal = true }, bad)
					}
					took := since(func() {
						err := alone().Publish(t.Context(), p)
						if c.publish != 0 || err != nil {
							wantFault(t, err, c.publish)
						}
					})
					took += since(func() { _, err := alone().Retrieve(t.Context(), p.Key); wantFault(t, err, c.retrieve) })
					if took > 2*time.Second {
						t.Errorf("two operations took %v", took)
					}

					pair := n.client(n.upstream, nil, bad, good)
					if err := pair.Publish(t.Context(), p); err != nil {
						t.Errorf("publish to the pair: %v", err)
					}
					pair.Close()
					pair = n.client(n.downstream, nil, bad, good)
					if got, err := pair.Retrieve(t.Context(), p.Key); err != nil || len(got) != 1 {
						t.Errorf("retrieve from the pair: %d, %v", len(got), err)
					}
				})
			})
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		n.serve("other.example", created)
		for _, status := range []int{301, 302, 303, 307, 308} {
			up := n.client(n.upstream, nil, n.serve("a.example", answering(status, "", "Location", "https://other.example/")))
			wantFault(t, up.Publish(t.Context(), n.publication(t, oob.Mesh)), oob.PeerFailed)
		}
		if n.dialed("other.example") != 0 {
			t.Error("a token went to another host")
		}
	})
}

func TestCookiesAreNotKept(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		up := n.client(n.upstream, nil, n.serve("a.example", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Cookie") != "" {
				t.Error("a cookie came back")
			}
			answering(201, "", "Set-Cookie", "a=b; Path=/")(w, r)
		}))
		for range 2 {
			if err := up.Publish(t.Context(), n.publication(t, oob.Mesh)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestTLSIsVerified(t *testing.T) {
	both := new(http.Protocols)
	both.SetHTTP1(true)
	both.SetHTTP2(true)
	for _, c := range []struct {
		name   string
		serve  func(n *network) string
		change func(*cpsclient.Config)
		kind   oob.Kind
	}{
		{"another host's certificate", func(n *network) string {
			return n.serveProtocols("a.example", created, both, []string{"b.example"})
		}, nil, oob.PeerFailed},
		{"unknown root", func(n *network) string { return n.serve("a.example", created) },
			func(c *cpsclient.Config) { c.RootCAs = nil }, oob.PeerFailed},
		{"no TLS at all", func(n *network) string {
			l := n.listen("a.example")
			server := &http.Server{Handler: created, ErrorLog: quiet}
			go server.Serve(l)
			n.t.Cleanup(func() { _ = server.Close() })
			return "https://a.example"
		}, nil, oob.PeerFailed},
		{"nothing but silence", func(n *network) string { n.listen("a.example"); return "https://a.example" }, nil, oob.PeerTimeout},
		{"nobody there", func(*network) string { return "https://a.example" }, nil, oob.PeerFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				up := n.client(n.upstream, c.change, c.serve(n))
				wantFault(t, up.Publish(t.Context(), n.publication(t, oob.Mesh)), c.kind)
			})
		})
	}
}

func TestRFC9325_S3_OldTLSIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		files, err := n.pki.IssueTLS("a.example")
		if err != nil {
			t.Fatal(err)
		}
		cert, err := files.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		l := n.listen("a.example")
		server := &http.Server{Handler: created, ErrorLog: quiet}
		go server.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}))
		t.Cleanup(func() { _ = server.Close() })
		up := n.client(n.upstream, nil, "https://a.example")
		wantFault(t, up.Publish(t.Context(), n.publication(t, oob.Mesh)), oob.PeerFailed)
	})
}

// Whatever a CPS repeats of the request, no error holds a number, a URI or a token.
func TestFaultsHoldNoNumberAndNoToken(t *testing.T) {
	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			text := r.URL.Path + " " + r.URL.EscapedPath() + " " + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			fmt.Fprintf(w, `{"status":%d,"message":"no %s"}`, status, text)
		}
	}
	garbage := func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 %s %s\r\n\r\n", r.URL.Path, r.Header.Get("Authorization"))
		_ = conn.Close()
	}
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	for name, handler := range map[string]http.HandlerFunc{
		"400": echo(400), "404": echo(404), "500": echo(500), "302": echo(302), "200": echo(200), "malformed": garbage,
	} {
		for _, form := range []oob.Profile{oob.Mesh, oob.RFC9888, oob.Company} {
			t.Run(name+" "+form.String(), func(t *testing.T) {
				inBubble(t, func(t *testing.T, n *network) {
					down := n.client(n.downstream, nil, n.serveProtocols("a.example", handler, http1, []string{"a.example"}))
					_, err := down.Retrieve(t.Context(), keyOf(form))
					if _, ok := err.(*oob.Fault); !ok {
						t.Fatalf("got %v", err)
					}
					for e := err; e != nil; e = errors.Unwrap(e) {
						for _, hidden := range []string{dest, orig, "eyJ"} {
							if strings.Contains(e.Error(), hidden) {
								t.Errorf("%q holds %s", e, hidden)
							}
						}
					}
				})
			})
		}
	}
}
