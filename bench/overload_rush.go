package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// rush are the providers that ask, each over connections of its own. Requests are written as bytes that were made before: the
// generator has one core, as the CPS has, and has to send twice what that one can answer.
type rush struct {
	clients []*client // publishers first

	// What the generator itself has done, one value a phase: which percentage of its core it took, and how late it handed out
	// requests, in ms (p99).
	took, late []float64
}

// How many connections a provider has, and one that is greedy.
const (
	connectionsEach   = 24
	connectionsGreedy = 160
	dialsMax          = 16 // at a time: a server gives up a handshake that takes seconds
)

// client is one provider.
type client struct {
	desk   *desk
	from   string // its address
	host   string
	config *tls.Config
	reads  bool
	next   chan *shot
}

// shot is one request and what became of it.
type shot struct {
	due    time.Duration
	client *client
	wire   []byte

	took   time.Duration // from when it was due
	status int
	later  bool // Retry-After was there
	err    error
}

func newRush(p *process) (*rush, error) {
	base, err := url.Parse(p.URL)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(p.TLSRootPEM) {
		return nil, errors.New("a server without a TLS root")
	}
	c := &rush{}
	for i := range p.Providers {
		d, err := newDesk(p.Providers, false)
		if err != nil {
			return nil, err
		}
		reads := i >= providers
		if reads {
			d.readers = d.readers[i-providers : i-providers+1]
		} else {
			d.publishers = d.publishers[i : i+1]
		}
		c.clients = append(c.clients, &client{
			desk: d, from: fmt.Sprintf("127.0.0.%d", 10+i), host: base.Host, reads: reads,
			config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}, ServerName: base.Hostname()},
		})
	}
	return c, nil
}

func (c *rush) everybody() []*client { return c.clients }

// greedy is one publisher; others are all but it.
func (c *rush) greedy() []*client { return c.clients[:1] }
func (c *rush) others() []*client { return c.clients[1:] }

// fire sends each at its time, and waits for the answers.
func (c *rush) fire(ctx context.Context, all shots) error {
	if err := c.prepare(ctx, all); err != nil {
		return err
	}
	var began time.Time
	return c.dispatch(ctx, all, &began)
}

// volley sends requests as fast as they are answered, so many at a time, for as long as is said. Each is due when it is sent.
func (c *rush) volley(ctx context.Context, all shots, inFlight int, began *time.Time, length time.Duration) error {
	if err := c.prepare(ctx, all); err != nil {
		return err
	}
	queue := make(chan *shot, len(all))
	for _, s := range all {
		queue <- s
	}
	close(queue)
	var running sync.WaitGroup
	*began = time.Now()
	for i := range inFlight {
		running.Go(func() {
			line, err := c.clients[i%len(c.clients)].dial(ctx)
			if err != nil {
				return
			}
			defer line.Close()
			for s := range queue {
				if s.due = time.Since(*began); s.due > length || ctx.Err() != nil {
					return
				}
				line.send(s, *began)
			}
		})
	}
	running.Wait()
	return ctx.Err()
}

// dispatch hands each request to its provider's connections when it is due.
func (c *rush) dispatch(ctx context.Context, all shots, began *time.Time) error {
	var ready, running sync.WaitGroup
	failed := make(chan error, len(c.clients)*connectionsEach+connectionsGreedy)
	start, dialling := make(chan struct{}), make(chan struct{}, dialsMax)
	for _, who := range c.clients {
		who.next = make(chan *shot, len(all))
		connections := connectionsEach
		if who == c.clients[0] {
			connections = connectionsGreedy
		}
		for range connections {
			ready.Add(1)
			running.Go(func() {
				dialling <- struct{}{}
				line, err := who.dial(ctx)
				if err == nil {
					defer line.Close()
					err = line.greet(who.host)
				}
				<-dialling
				ready.Done()
				if err != nil {
					failed <- err
					return
				}
				<-start
				for s := range who.next {
					line.send(s, *began)
				}
			})
		}
	}
	ready.Wait()
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a phase is short: what it leaves is collected before the next
	*began = time.Now().Add(10 * time.Millisecond)
	close(start)
	busy, late := cpuOf(os.Getpid()), make([]float64, len(all))
	for i, s := range all {
		if wait := time.Until(began.Add(s.due)); wait > 0 {
			nap(wait)
		}
		late[i] = time.Since(began.Add(s.due)).Seconds() * 1e3
		s.client.next <- s
	}
	c.took = append(c.took, 100*(cpuOf(os.Getpid())-busy).Seconds()/time.Since(*began).Seconds())
	c.late = append(c.late, percentile(late, 99))
	for _, who := range c.clients {
		close(who.next)
	}
	running.Wait()
	close(failed)
	if err := <-failed; err != nil {
		return err
	}
	for _, s := range all {
		if s.err != nil {
			return s.err
		}
		if s.status == 0 || s.status >= 400 && s.status != 429 && s.status != 503 {
			return fmt.Errorf("a request was answered %d", s.status)
		}
	}
	return ctx.Err()
}

// kept is one connection.
type kept struct {
	*tls.Conn
	answers *bufio.Reader
}

func (who *client) dial(ctx context.Context) (*kept, error) {
	local := &net.TCPAddr{IP: net.ParseIP(who.from)}
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{LocalAddr: local}, Config: who.config}).DialContext(ctx, "tcp", who.host)
	if err != nil {
		return nil, err
	}
	return &kept{conn.(*tls.Conn), bufio.NewReader(conn)}, nil
}

// greet asks for what is not there. A server gives up a connection over which the first request does not come within seconds, which
// all handshakes before a phase can take; between two requests it waits for a minute.
func (k *kept) greet(host string) error {
	hello := shot{wire: request{method: http.MethodGet, path: "/"}.http1(host)}
	k.send(&hello, time.Now())
	return hello.err
}

// send sends a request and reads its answer.
func (k *kept) send(s *shot, began time.Time) {
	if s.err != nil {
		return
	}
	_, err := k.Write(s.wire)
	if err == nil {
		var answer *http.Response
		if answer, err = http.ReadResponse(k.answers, nil); err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			s.status, s.later = answer.StatusCode, answer.Header.Get("Retry-After") != ""
		}
	}
	s.err, s.took = err, time.Since(began.Add(s.due))
}

// prepare signs everything. What is to be retrieved is published first.
func (c *rush) prepare(ctx context.Context, all shots) error {
	const each = 64 // records of each publisher, of which retrievals find one
	now := time.Now()
	var held []request
	var placing shots
	for _, who := range c.clients[:providers] {
		list, err := who.desk.publications(each)
		if err != nil {
			return err
		}
		held = append(held, list...)
		for _, r := range list {
			placing = append(placing, &shot{client: who, wire: r.http1(who.host)})
		}
	}
	line, err := c.clients[0].dial(ctx)
	if err != nil {
		return err
	}
	defer line.Close()
	for _, s := range placing {
		if line.send(s, now); s.err != nil || s.status != http.StatusCreated {
			return errors.Join(fmt.Errorf("what is to be retrieved was answered %d", s.status), s.err)
		}
	}
	for _, s := range all {
		var list []request
		var err error
		if s.client.reads {
			list, err = s.client.desk.retrievals(1, held)
		} else {
			list, err = s.client.desk.publications(1)
		}
		if err != nil {
			return err
		}
		s.wire = list[0].http1(s.client.host)
	}
	return nil
}

// http1 is the request as it is sent over HTTP/1.1.
func (r request) http1(host string) []byte {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\n", r.method, r.path, host, r.authorization)
	if len(r.body) > 0 {
		fmt.Fprintf(&text, "Content-Type: %s\r\nContent-Length: %d\r\n", r.media, len(r.body))
	}
	text.WriteString("\r\n")
	text.Write(r.body)
	return []byte(text.String())
}
