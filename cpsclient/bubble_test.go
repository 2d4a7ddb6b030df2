package cpsclient_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// network joins clients and servers in one testing/synctest bubble by pipes. TLS and HTTP are the real ones; time is
// that of the bubble, and the bubble fails when a goroutine is left over.
type network struct {
	*laboratory
	t         *testing.T
	mu        sync.Mutex
	listeners map[string]*pipeListener // guarded by mu
	dials     map[string]int           // guarded by mu
}

// inBubble runs f in a bubble whose clock has been set to today, because the laboratory's certificates are of today.
func inBubble(t *testing.T, f func(t *testing.T, n *network)) {
	l := openLaboratory()
	today := time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(today))
		t.Cleanup(func() { time.Sleep(time.Second) }) // runs last: servers that sleep find out that all is over
		f(t, &network{laboratory: l, t: t, listeners: map[string]*pipeListener{}, dials: map[string]int{}})
	})
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dials[address]++
	l := n.listeners[address]
	n.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) listen(host string) *pipeListener {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[host+":443"] = l
	return l
}

func (n *network) dialed(host string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials[host+":443"]
}

// serve runs a TLS server under a host name and gives its URL.
func (n *network) serve(host string, handler http.HandlerFunc) string {
	return n.serveProtocols(host, handler, new(http.Protocols), []string{host})
}

func (n *network) serveProtocols(host string, handler http.HandlerFunc, protocols *http.Protocols, certified []string) string {
	n.t.Helper()
	files, err := n.pki.IssueTLS(certified...)
	if err != nil {
		n.t.Fatal(err)
	}
	cert, err := files.Certificate()
	if err != nil {
		n.t.Fatal(err)
	}
	if *protocols == (http.Protocols{}) {
		protocols.SetHTTP1(true)
		protocols.SetHTTP2(true)
	}
	listener := n.listen(host)
	server := &http.Server{
		Handler: handler,
		// A pipe holds no bytes: tickets would be written while nobody reads.
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true, ClientAuth: tls.RequestClientCert,
		},
		ConnContext: proof.OnConnection,
		Protocols:   protocols,
		ErrorLog:    quiet,
	}
	go server.ServeTLS(listener, "", "")
	n.t.Cleanup(func() { _ = server.Close() })
	return "https://" + host
}

// quiet is for handshakes that clients break off.
var quiet = log.New(io.Discard, "", 0)

// client opens a client in the bubble.
func (n *network) client(id *oobtest.Identity, change func(*cpsclient.Config), urls ...string) *cpsclient.Client {
	n.t.Helper()
	cfg := cpsclient.WithDial(n.as(id, urls...), n.dial)
	if change != nil {
		change(&cfg)
	}
	return open(n.t, cfg)
}

// since measures the bubble's time.
func since(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// asked is what a server has been asked, in order.
type asked struct {
	mu     sync.Mutex
	at     []time.Time  // guarded by mu, as what follows
	tokens []oob.Access // of requests without one, the zero Access
	protos []int
}

// record wraps a handler.
func (a *asked) record(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a.note(r)
		next(w, r)
	}
}

func (a *asked) note(r *http.Request) {
	var access oob.Access
	if token, err := proof.Read(r.Header.Get("Authorization"), proof.RFC9888); err == nil {
		access, _ = atis.ReadAccess(token.Payload())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = append(a.at, time.Now())
	a.tokens = append(a.tokens, access)
	a.protos = append(a.protos, r.ProtoMajor)
}

func (a *asked) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.at)
}

// after gives when the requests came, relative to the first.
func (a *asked) after() []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []time.Duration
	for _, at := range a.at {
		all = append(all, at.Sub(a.at[0]))
	}
	return all
}

// accesses gives the access tokens, in order.
func (a *asked) accesses() []oob.Access {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]oob.Access(nil), a.tokens...)
}

// versions gives the major HTTP version of each request, in order.
func (a *asked) versions() []int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]int(nil), a.protos...)
}

// answering gives a handler that always answers the same.
func answering(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hanging reads the request and answers nothing, until its requester gives up.
func hanging(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // only then does an HTTP/1.1 server notice that the requester is gone
	<-r.Context().Done()
}

// inTurn answers the first request with the first handler and so on; the last stays.
func inTurn(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	next := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := handlers[min(next, len(handlers)-1)]
		next++
		mu.Unlock()
		h(w, r)
	}
}

// late answers after a time.
func late(d time.Duration, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(d)
		next(w, r)
	}
}

// dripping sends a status and then a byte from time to time.
func dripping(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
		panic(http.ErrAbortHandler) // no orderly end, even to one who is about to leave
	}
}
