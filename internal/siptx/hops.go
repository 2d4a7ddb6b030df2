package siptx

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
)

// nextHop is where requests are sent on to over a connection.
type nextHop struct {
	transport transport
	to        netip.AddrPort
}

// hopConnection is a connection to a next hop, or one on its way: done is closed when stream or err is there.
type hopConnection struct {
	done   chan struct{}
	stream *stream
	err    error
}

var errTooManyHops = errors.New("there are NextHopsMax connections to next hops")

// hopTo is the connection to a next hop, dialled if there is none. Whoever asks while it is dialled waits along.
func (s *Server) hopTo(hop nextHop) (*stream, error) {
	s.mu.Lock()
	h := s.hops[hop]
	switch {
	case h != nil:
		s.mu.Unlock()
		<-h.done
		return h.stream, h.err
	case s.closed:
		s.mu.Unlock()
		return nil, net.ErrClosed
	case len(s.hops) >= s.config.NextHopsMax:
		s.mu.Unlock()
		return nil, errTooManyHops
	}
	h = &hopConnection{done: make(chan struct{})}
	s.hops[hop] = h
	s.mu.Unlock()
	defer close(h.done)
	c, err := s.dial(hop)
	if err == nil && !s.enroll(c) {
		c.conn.Close() // nobody to tell
		err = net.ErrClosed
	}
	if err != nil {
		h.err = err
		s.mu.Lock()
		delete(s.hops, hop)
		s.mu.Unlock()
		return nil, err
	}
	s.mu.Lock()
	h.stream = c
	s.mu.Unlock()
	go c.serve()
	return c, nil
}

func (s *Server) dial(hop nextHop) (*stream, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DialTimeout)
	defer cancel()
	var conn net.Conn
	var err error
	if hop.transport == tlsTransport {
		d := &tls.Dialer{Config: s.config.NextHopTLS}
		conn, err = d.DialContext(ctx, "tcp", hop.to.String())
	} else {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "tcp", hop.to.String())
	}
	if err != nil {
		return nil, err
	}
	return &stream{conn: conn, transport: hop.transport, source: hop.to, local: addrPort(conn.LocalAddr()), server: s}, nil
}

// forgetHop takes c from the connections to next hops. The lock is held.
func (s *Server) forgetHop(c *stream) {
	for hop, h := range s.hops {
		if h.stream == c {
			delete(s.hops, hop)
		}
	}
}
