package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/stircert"
)

// subscriber is one who is told of what is published for its number, over server-sent events on a TLS connection of its
// own. It reads no more of an event than the run needs, so that ten thousand of them fit on one core.
type subscriber struct {
	crowd  *crowd
	path   string
	config *tls.Config

	mu       sync.Mutex
	raw      *net.TCPConn       // guarded by mu; nil while it is away
	away     time.Duration      // guarded by mu; how long it stays away when the connection has ended
	cursor   string             // guarded by mu
	arrivals map[string]arrival // guarded by mu; by the id of the first PASSporT
}

// arrival is when an event of PASSporTs came first, and when the connection over which it did was opened.
type arrival struct{ at, connected time.Time }

// crowd is all subscribers, and what they have in common.
type crowd struct {
	address  string
	knocking chan struct{} // bounds the handshakes at a time
	all      []*subscriber
	running  sync.WaitGroup

	placed   atomic.Int64 // that have a cursor
	again    atomic.Int64 // records that came once more
	cuts     atomic.Int64
	lost     atomic.Int64          // connections that ended though nobody cut them
	lastLoss atomic.Pointer[error] // of the last of these, why
}

// handshakesMax is well below what one address may have in flight at a CPS.
const handshakesMax = 64

func newCrowd(address string) *crowd {
	return &crowd{address: address, knocking: make(chan struct{}, handshakesMax)}
}

// add lets one more subscribe until ctx ends, under the configuration of its provider.
func (c *crowd) add(ctx context.Context, number stircert.Resource, config *tls.Config) {
	path := rfc9888.Subscription{Resources: []stircert.Resource{number}}
	s := &subscriber{crowd: c, path: path.Path(), config: config, arrivals: map[string]arrival{}}
	c.all = append(c.all, s)
	c.running.Go(func() { s.run(ctx) })
}

// lostPause keeps those whom the server refuses from asking without end.
const lostPause = 20 * time.Millisecond

func (s *subscriber) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.follow(ctx)
		s.mu.Lock()
		pause := s.away
		s.raw, s.away = nil, 0
		s.mu.Unlock()
		if pause == 0 && ctx.Err() == nil {
			s.crowd.lost.Add(1)
			s.crowd.lastLoss.Store(&err)
			pause = lostPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// cut breaks the connection off without a word and keeps the subscriber away for a while. It is false when there is none.
func (s *subscriber) cut(away time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.raw == nil || s.away > 0 {
		return false
	}
	s.away = away
	_ = s.raw.SetLinger(0)
	_ = s.raw.Close()
	return true
}

// follow subscribes, from its cursor on if it has one, and takes what it is told until the connection ends.
func (s *subscriber) follow(ctx context.Context) error {
	s.crowd.knocking <- struct{}{}
	body, err := s.connect(ctx)
	<-s.crowd.knocking
	if err != nil {
		return err
	}
	connected := time.Now()
	lines := bufio.NewReaderSize(body, 2<<10)
	var kind, cursor string
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch line = bytes.TrimSuffix(line, []byte("\n")); {
		case bytes.HasPrefix(line, []byte("id: ")):
			cursor = string(line[len("id: "):])
		case bytes.HasPrefix(line, []byte("event: ")):
			kind = string(line[len("event: "):])
		case bytes.HasPrefix(line, []byte("data: ")):
			if err := s.take(rfc9888.EventType(kind), cursor, line, connected); err != nil {
				return err
			}
		}
	}
}

// connect gives the stream of events.
func (s *subscriber) connect(ctx context.Context) (io.Reader, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.crowd.address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	secured := tls.Client(conn, s.config)
	s.mu.Lock()
	s.raw, _ = conn.(*net.TCPConn)
	resume := ""
	if s.cursor != "" {
		resume = rfc9888.LastEventID + ": " + s.cursor + "\r\n"
	}
	s.mu.Unlock()
	_, err = fmt.Fprintf(secured, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\n%s\r\n", s.path, s.crowd.address, rfc9888.StreamMedia, resume)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(secured, 2<<10), nil)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body) // what there is of it
		return nil, errors.Join(fmt.Errorf("a subscription was answered %d: %s", answer.StatusCode, text), conn.Close())
	}
	return answer.Body, nil
}

// take notes one event.
func (s *subscriber) take(kind rfc9888.EventType, cursor string, data []byte, connected time.Time) error {
	now := time.Now()
	switch kind {
	case rfc9888.EventPassports, rfc9888.EventAlive:
	default:
		return fmt.Errorf("event %s: %s", kind, data)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cursor == "" {
		s.crowd.placed.Add(1)
	}
	s.cursor = cursor
	if kind == rfc9888.EventAlive {
		return nil
	}
	_, rest, _ := bytes.Cut(data, []byte(`"id":"`))
	id, _, found := bytes.Cut(rest, []byte(`"`))
	if !found {
		return errors.New("an event of PASSporTs without an id")
	}
	if _, there := s.arrivals[string(id)]; there {
		s.crowd.again.Add(1)
	} else {
		s.arrivals[string(id)] = arrival{now, connected}
	}
	return nil
}

// arrived gives the arrival of a record.
func (s *subscriber) arrived(id string) (a arrival, there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, there = s.arrivals[id]
	return a, there
}
