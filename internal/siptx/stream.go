package siptx

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// stream is one connection, accepted or dialled.
type stream struct {
	conn      net.Conn
	transport transport
	source    netip.AddrPort
	local     netip.AddrPort
	peer      []*x509.Certificate
	accepted  bool
	stranger  bool // of a source that is not served: one message, and little time for it
	server    *Server

	mu   sync.Mutex // one message is written at a time
	dead bool       // guarded by mu
}

// ServeStream takes connections until Close, and closes l. transport is TCP or TLS; a listener for TLS brings its
// configuration along (tls.NewListener). It returns nil after Close, else what accepting ended of.
func (s *Server) ServeStream(l net.Listener, transport string) error {
	kind := tcpTransport
	switch transport {
	case TCP:
	case TLS:
		kind = tlsTransport
	default:
		return errors.Join(fmt.Errorf("%q is no transport of connections", transport), l.Close())
	}
	if !s.begin() {
		return errors.Join(net.ErrClosed, l.Close())
	}
	defer s.work.Done()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return l.Close()
	}
	s.doors[l] = true
	s.mu.Unlock()
	for {
		conn, err := l.Accept()
		if err == nil {
			s.admit(conn, kind)
			continue
		}
		select {
		case <-s.stopped:
			return nil
		default:
		}
		if isPassing(err) {
			s.config.Log.Warn("no connection can be accepted", "error", err)
			select {
			case <-time.After(100 * time.Millisecond): // as long as the process has no descriptors
				continue
			case <-s.stopped:
				return nil
			}
		}
		s.mu.Lock()
		delete(s.doors, l)
		s.mu.Unlock()
		return errors.Join(err, l.Close())
	}
}

// admit serves a connection if there is room for it.
func (s *Server) admit(conn net.Conn, kind transport) {
	c := &stream{conn: conn, transport: kind, source: addrPort(conn.RemoteAddr()), local: addrPort(conn.LocalAddr()), accepted: true, server: s}
	c.stranger = !s.config.Allow(c.source.Addr(), kind.String())
	if !s.enroll(c) {
		s.counts.drop(tooManyStreams)
		conn.Close() // nobody to tell
		return
	}
	s.counts.streamsAccepted.Add(1)
	go c.serve()
}

// enroll has c among the connections, and Close wait for it.
func (s *Server) enroll(c *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if c.accepted {
		mine := s.sources[c.source.Addr()]
		if full(len(s.streams)-len(s.hops), mine, 1, s.config.ConnectionsMax) || mine >= s.config.ConnectionsPerSource ||
			c.stranger && s.strangers >= max(s.config.ConnectionsMax/16, 1) {
			return false
		}
		s.sources[c.source.Addr()]++
		if c.stranger {
			s.strangers++
		}
	}
	s.streams[c] = true
	s.work.Add(1)
	return true
}

func (s *Server) discharge(c *stream) {
	c.close()
	s.mu.Lock()
	delete(s.streams, c)
	if c.stranger {
		s.strangers--
	}
	if c.accepted {
		if s.sources[c.source.Addr()]--; s.sources[c.source.Addr()] == 0 {
			delete(s.sources, c.source.Addr())
		}
	}
	s.forgetHop(c)
	s.mu.Unlock()
	s.work.Done()
}

// serve reads messages until the connection ends or is no longer to be understood.
func (c *stream) serve() {
	s := c.server
	defer s.discharge(c)
	if t, ok := c.conn.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(context.Background(), s.config.MessageTimeout)
		err := t.HandshakeContext(ctx)
		cancel()
		if err != nil {
			return
		}
		c.peer = t.ConnectionState().PeerCertificates
	}
	frames := framer{max: s.config.MessageBytesMax, fresh: true}
	for {
		if !c.drain(&frames) {
			return
		}
		wait := s.config.IdleTimeout
		if frames.begun() || c.stranger {
			wait = s.config.MessageTimeout
		}
		if frames.fresh {
			frames.fresh = false
			c.conn.SetReadDeadline(time.Now().Add(wait)) // fails only if the connection is closed, which Read tells
		}
		n, err := c.conn.Read(frames.space())
		frames.filled(n)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				s.counts.streamsTimedOut.Add(1)
			}
			return
		}
	}
}

// drain takes the messages that are there; false if the connection is to be closed.
func (c *stream) drain(frames *framer) bool {
	s := c.server
	from := origin{transport: c.transport, stream: c}
	for {
		text, what := frames.next()
		switch what {
		case incomplete:
			return true
		case keepAlive:
			s.counts.keepAlives.Add(1)
			if !c.write([]byte("\r\n")) { // RFC 5626 §3.5.1
				return false
			}
		case oversized:
			s.takeOversized(text, c.source, from)
			return false
		case unframed:
			s.take(text, c.source, from, c.peer)
			return false
		case whole:
			s.take(text, c.source, from, c.peer)
			if c.stranger {
				return false
			}
		}
	}
}

// takeOversized answers 513 to a message of which only the beginning was read.
func (s *Server) takeOversized(text string, source netip.AddrPort, from origin) {
	s.counts.malform(tooLarge)
	r := &Request{Transport: from.transport.String(), Source: source, Local: from.local(), from: from}
	if isResponse(text) || !s.config.Allow(source.Addr(), from.transport.String()) {
		s.counts.drop(unanswerable)
		return
	}
	if _, answerable := readRequest(r, text); !answerable {
		s.counts.drop(unanswerable)
		return
	}
	s.counts.request(from.transport, r.Method)
	s.refuseStatelessly(r, verdict{status: 513})
}

// write sends a message whole, or closes the connection.
func (c *stream) write(b []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return false
	}
	c.conn.SetWriteDeadline(time.Now().Add(c.server.config.WriteTimeout)) // fails only if the connection is closed, which Write tells
	if _, err := c.conn.Write(b); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.server.counts.streamsTimedOut.Add(1)
		}
		c.dead = true
		c.conn.Close() // the fault is in err
		return false
	}
	return true
}

func (c *stream) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	c.conn.Close() // nobody to tell
}

// frame is what stands at the beginning of what was read.
type frame int

const (
	incomplete frame = iota
	keepAlive
	whole
	oversized
	unframed // a header, but where the message ends cannot be told
)

// framer cuts a stream into messages by Content-Length (RFC 3261 §18.3).
type framer struct {
	max    int
	buffer []byte
	at     int  // where what is unread begins
	seen   int  // up to here there is no end of header
	need   int  // bytes of the message at at, once its header is there
	fresh  bool // a message has begun or ended since the deadline was set
	open   bool // a message has begun
}

// begun tells whether there is part of a message.
func (f *framer) begun() bool { return f.open }

// space is where to read to.
func (f *framer) space() []byte {
	const step = 4096
	if f.at > 0 {
		f.buffer = append(f.buffer[:0], f.buffer[f.at:]...)
		f.seen -= f.at
		f.at = 0
	}
	if len(f.buffer) == 0 && cap(f.buffer) > 4*step {
		f.buffer = nil
	}
	if cap(f.buffer)-len(f.buffer) < step/2 {
		f.buffer = append(make([]byte, 0, 2*cap(f.buffer)+step), f.buffer...)
	}
	return f.buffer[len(f.buffer):cap(f.buffer)]
}

func (f *framer) filled(n int) { f.buffer = f.buffer[:len(f.buffer)+n] }

var headerEnd = []byte("\r\n\r\n")

// next cuts off what is there.
func (f *framer) next() (text string, what frame) {
	text, what = f.cut()
	if open := what == incomplete && len(f.buffer)-f.at > 0; open != f.open || what != incomplete {
		f.open, f.fresh = open, true
	}
	return text, what
}

func (f *framer) cut() (string, frame) {
	rest := f.buffer[f.at:]
	switch { // RFC 3261 §7.5: what stands before the start line is skipped
	case bytes.HasPrefix(rest, headerEnd):
		f.skip(len(headerEnd))
		return "", keepAlive
	case bytes.HasPrefix(rest, headerEnd[:2]) && len(rest) > 2 && !bytes.HasPrefix(headerEnd, rest):
		f.skip(2)
		rest = rest[2:]
	}
	if len(rest) == 0 || bytes.HasPrefix(headerEnd, rest) {
		return "", incomplete
	}
	if f.need > 0 {
		return f.whole(rest)
	}
	i := bytes.Index(f.buffer[max(f.seen, f.at):], headerEnd)
	if i < 0 {
		f.seen = max(len(f.buffer)-len(headerEnd)+1, f.at)
		if len(rest) > f.max {
			return string(rest[:f.max]), oversized
		}
		return "", incomplete
	}
	head := max(f.seen, f.at) + i + len(headerEnd) - f.at
	n, ok := contentLength(string(rest[:head]))
	switch {
	case !ok:
		return string(rest[:head]), unframed
	case head+n > f.max:
		return string(rest[:min(head, f.max)]), oversized
	}
	f.need = head + n
	return f.whole(rest)
}

// whole cuts off the message at the beginning of rest, if it is there.
func (f *framer) whole(rest []byte) (string, frame) {
	if f.need > len(rest) {
		return "", incomplete
	}
	text := string(rest[:f.need])
	f.skip(f.need)
	f.need = 0
	return text, whole
}

func (f *framer) skip(n int) {
	f.at += n
	f.seen = f.at
}

// contentLength reads the one Content-Length of a header whose lines are as they should be.
func contentLength(head string) (n int, ok bool) {
	found := 0
	_, at, bad := line(head, 0)
	for bad == "" {
		end, next, f := line(head, at)
		if end == at || f != "" {
			bad = f
			break
		}
		if field, ok := readField(head, at, end, next); ok && field.kind == contentLengthField {
			for next < len(head) && isSpace(head[next]) && bad == "" { // folded
				end, next, bad = line(head, next)
			}
			if n, ok = readCount(strings.TrimSpace(unfold(head[field.valueAt:end])), 1<<31); !ok {
				return 0, false
			}
			found++
		}
		at = next
	}
	return n, found == 1 && bad == ""
}

// isPassing tells whether accepting may succeed later.
func isPassing(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}
