package siptx_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

var (
	theSwitch = netip.MustParseAddrPort("192.0.2.10:5060")
	theHop    = netip.MustParseAddrPort("198.51.100.20:5060")
	self      = netip.MustParseAddrPort("203.0.113.1:5060")
)

// found answers every INVITE alike.
func found(context.Context, *siptx.Request) siptx.Response {
	return siptx.Response{Status: 302, Fields: []siptx.Field{{Name: "Contact", Value: "<sip:+12155550121@192.0.2.10>"}}}
}

// rig is a server on a wire in memory. In a synctest bubble, what it does is done when synctest.Wait returns.
type rig struct {
	t      *testing.T
	server *siptx.Server
	wire   *wire
	door   *door
}

func start(t *testing.T, c siptx.Config) *rig {
	t.Helper()
	if c.Respond == nil {
		c.Respond = found
	}
	server, err := siptx.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, server: server, wire: newWire(), door: &door{calls: make(chan net.Conn), closed: make(chan struct{})}}
	served := make(chan error, 2)
	go func() { served <- server.ServeUDP(r.wire) }()
	go func() { served <- server.ServeStream(r.door, siptx.TCP) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
	})
	synctest.Wait()
	return r
}

// bubble runs f in a synctest bubble.
func bubble(t *testing.T, c siptx.Config, f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(start(t, c)) })
}

// send gives the server a datagram and lets it do what it does at once.
func (r *rig) send(text string, from netip.AddrPort) {
	r.t.Helper()
	r.wire.in <- datagram{text, from}
	synctest.Wait()
}

// want takes the next datagram, which must begin with the words and go to the address.
func (r *rig) want(begin string, to netip.AddrPort) string {
	r.t.Helper()
	out := r.wire.take()
	if len(out) == 0 {
		r.t.Fatalf("nothing was sent, want %q", begin)
	}
	r.wire.putBack(out[1:])
	if !strings.HasPrefix(out[0].text, begin) || out[0].peer != to {
		r.t.Fatalf("to %v:\n%s\nwant to %v %q", out[0].peer, out[0].text, to, begin)
	}
	if _, err := sip.ParseMessage([]byte(out[0].text)); err != nil && !strings.HasPrefix(out[0].text, "SIP/2.0 400") {
		r.t.Fatalf("sipgo does not understand %q: %v", out[0].text, err)
	}
	return out[0].text
}

// silence wants that nothing was sent.
func (r *rig) silence() {
	r.t.Helper()
	if out := r.wire.take(); len(out) > 0 {
		r.t.Fatalf("%d datagrams, the first to %v:\n%s\nwant none", len(out), out[0].peer, out[0].text)
	}
}

// empty wants that no transaction is left.
func (r *rig) empty() {
	r.t.Helper()
	if st := r.server.Stats(); st.Transactions != 0 || st.InFlight != 0 {
		r.t.Fatalf("%d transactions, %d in flight are left", st.Transactions, st.InFlight)
	}
}

// request writes a request. edit replaces or, with an empty value, takes out header fields; "body" and "start" stand for these.
func request(method, branch string, edit ...string) string {
	fields := []string{
		"start", method + " sip:+12155550121@203.0.113.1 SIP/2.0",
		"Via", "SIP/2.0/UDP 192.0.2.10:5060;branch=" + branch,
		"Max-Forwards", "70",
		"From", `"A" <sip:+12155550112@192.0.2.10>;tag=f-` + branch,
		"To", "<sip:+12155550121@203.0.113.1>",
		"Call-ID", "c-" + branch + "@192.0.2.10",
		"CSeq", "1 " + method,
		"Content-Length", "0",
	}
	body := ""
edits:
	for i := 0; i < len(edit); i += 2 {
		if edit[i] == "body" {
			body = edit[i+1]
			continue
		}
		for j := 0; j < len(fields); j += 2 {
			if fields[j] == edit[i] {
				fields[j+1] = edit[i+1]
				continue edits
			}
		}
		fields = append(fields, edit[i], edit[i+1])
	}
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		switch {
		case fields[i] == "start":
			b.WriteString(fields[i+1] + "\r\n")
		case fields[i+1] != "":
			fmt.Fprintf(&b, "%s: %s\r\n", fields[i], fields[i+1])
		}
	}
	return b.String() + "\r\n" + body
}

func invite(branch string, edit ...string) string { return request("INVITE", branch, edit...) }

// ack is the ACK of what answered an INVITE of invite: its To tag is that of the answer.
func ack(branch, answer string, edit ...string) string {
	return request("ACK", branch, append([]string{"To", header(answer, "To"), "CSeq", "1 ACK"}, edit...)...)
}

// header is the value of the first header field of that name.
func header(message, name string) string {
	for line := range strings.SplitSeq(message, "\r\n") {
		if n, v, _ := strings.Cut(line, ": "); strings.EqualFold(n, name) {
			return v
		}
	}
	return ""
}

type datagram struct {
	text string
	peer netip.AddrPort
}

// wire is a datagram socket in memory.
type wire struct {
	in     chan datagram
	closed chan struct{}
	once   sync.Once

	mu  sync.Mutex
	out []datagram
}

func newWire() *wire { return &wire{in: make(chan datagram), closed: make(chan struct{})} }

func (w *wire) take() []datagram {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.out
	w.out = nil
	return out
}

func (w *wire) putBack(out []datagram) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = append(out, w.out...)
}

func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-w.in:
		return copy(b, d.text), net.UDPAddrFromAddrPort(d.peer), nil
	case <-w.closed:
		return 0, nil, net.ErrClosed
	}
}

func (w *wire) WriteTo(b []byte, to net.Addr) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = append(w.out, datagram{string(b), to.(*net.UDPAddr).AddrPort()})
	return len(b), nil
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

func (w *wire) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(self) }
func (w *wire) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (w *wire) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (w *wire) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// door is a listener in memory.
type door struct {
	calls  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.calls:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

func (d *door) Addr() net.Addr { return net.TCPAddrFromAddrPort(self) }

// end is an end of a pipe that says where it comes from.
type end struct {
	net.Conn
	remote netip.AddrPort
}

func (e end) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(e.remote) }
func (e end) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(self) }

// line is a connection to the server.
type line struct {
	r    *rig
	conn net.Conn

	mu     sync.Mutex
	got    strings.Builder
	hungUp bool
}

// connect opens a connection. Unless mute, all that comes is read.
func (r *rig) connect(from netip.AddrPort, mute bool) *line {
	ours, theirs := net.Pipe()
	l := &line{r: r, conn: ours}
	r.door.calls <- end{theirs, from}
	if !mute {
		go func() {
			b := make([]byte, 65536)
			for {
				n, err := ours.Read(b)
				l.mu.Lock()
				l.got.Write(b[:n])
				l.hungUp = err != nil
				l.mu.Unlock()
				if err != nil {
					return
				}
			}
		}()
	}
	r.t.Cleanup(func() { ours.Close() })
	synctest.Wait()
	return l
}

// send writes, and lets the server do what it does at once. What the server has closed takes nothing.
func (l *line) send(text string) {
	l.conn.Write([]byte(text)) // a closed connection is seen in closed
	synctest.Wait()
}

// take is all that came since the last time.
func (l *line) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	got := l.got.String()
	l.got.Reset()
	return got
}

func (l *line) closed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hungUp
}
