package siptx_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

func TestRFC5626_S3_5_1_KeepAlive(t *testing.T) {
	bubble(t, siptx.Config{}, func(r *rig) {
		l := r.connect(theSwitch, false)
		for _, c := range []struct{ send, want string }{
			{"\r\n\r\n", "\r\n"}, {"\r\n", ""}, {"\r\n", "\r\n"}, {"\r", ""}, {"\n\r\n", "\r\n"},
		} {
			l.send(c.send)
			if got := l.take(); got != c.want {
				t.Errorf("%q was answered %q, want %q", c.send, got, c.want)
			}
		}
		l.send("\r\n" + request("OPTIONS", "z9hG4bK1")) // RFC 3261 §7.5
		if got := l.take(); !strings.HasPrefix(got, "SIP/2.0 200") {
			t.Errorf("got %q", got)
		}
	})
}

// TestRFC3261_S18_3_Framing: messages one behind the other, and one cut in two anywhere.
func TestRFC3261_S18_3_Framing(t *testing.T) {
	first := invite("z9hG4bK1", "Content-Length", "", "Content-Type", "application/sdp", "l", "\r\n 12", "body", "v=0\r\n\r\no=-\r\n")
	second := request("OPTIONS", "z9hG4bK2")
	both := first + second
	for cut := range len(both) {
		bubble(t, siptx.Config{}, func(r *rig) {
			l := r.connect(theSwitch, false)
			if cut > 0 {
				l.send(both[:cut])
			}
			l.send(both[cut:])
			got := l.take()
			if l.closed() || strings.Count(got, "SIP/2.0 302") != 1 || strings.Count(got, "SIP/2.0 200") != 1 {
				t.Fatalf("cut at %d: %q", cut, got)
			}
		})
	}
}

// TestStreamsThatMisbehave are answered where they can be, and closed.
func TestStreamsThatMisbehave(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		closed           bool
	}{
		{"RFC 3261 §20.14 no Content-Length", invite("z9hG4bK1", "Content-Length", ""), "SIP/2.0 400 Content-Length Missing", true},
		{"RFC 3261 §18.3 Content-Length negative", invite("z9hG4bK1", "Content-Length", "-1"), "SIP/2.0 400 Bad Content-Length", true},
		{"RFC 3261 §18.3 two Content-Lengths", invite("z9hG4bK1", "l", "0"), "SIP/2.0 400 Bad Content-Length", true},
		{"RFC 3261 §21.5.7 a body too large", invite("z9hG4bK1", "Content-Length", "100000"), "SIP/2.0 513 Message Too Large", true},
		{"RFC 3261 §21.5.7 a header too large", invite("z9hG4bK1", "X", strings.Repeat("y", 80000)), "SIP/2.0 513 Message Too Large", true},
		{"RFC 3261 §21.5.7 a line without end", strings.Repeat("y", 80000), "", true},
		{"RFC 3261 §7 LF alone", invite("z9hG4bK1", "X", "y\nz: a"), "SIP/2.0 400 Line Without CR LF", true},
		{"another fault", invite("z9hG4bK1", "CSeq", "x"), "SIP/2.0 400 Bad CSeq", false},
		{"no SIP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, siptx.Config{}, func(r *rig) {
				l := r.connect(theSwitch, false)
				l.send(c.text)
				if got := l.take(); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
					t.Errorf("got %q, want %q", got, c.want)
				}
				if l.closed() != c.closed {
					t.Errorf("closed: %t, want %t", l.closed(), c.closed)
				}
			})
		})
	}
}

// TestStreamsThatAreSlow: a message must be complete in time, whatever drips in; an idle connection is closed much later.
func TestStreamsThatAreSlow(t *testing.T) {
	bubble(t, siptx.Config{}, func(r *rig) {
		slow, idle := r.connect(theSwitch, false), r.connect(theSwitch, false)
		for i := 0; i < 100 && !slow.closed(); i++ {
			slow.send("x")
			time.Sleep(time.Second)
			synctest.Wait()
			if i > 6 {
				t.Fatal("a message took longer than MessageTimeout")
			}
		}
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		if idle.closed() {
			t.Fatal("closed before IdleTimeout")
		}
		idle.send(request("OPTIONS", "z9hG4bK1"))
		if got := idle.take(); !strings.HasPrefix(got, "SIP/2.0 200") {
			t.Errorf("got %q", got)
		}
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		if idle.closed() {
			t.Fatal("closed within IdleTimeout of a message")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !idle.closed() {
			t.Error("open after IdleTimeout")
		}
		if st := r.server.Stats(); st.StreamsTimedOut != 2 || st.Streams != 0 {
			t.Errorf("got %+v", st)
		}
	})
}

// TestStreamsThatDoNotRead are closed after WriteTimeout, and keep no other waiting.
func TestStreamsThatDoNotRead(t *testing.T) {
	bubble(t, siptx.Config{}, func(r *rig) {
		mute, other := r.connect(theSwitch, true), r.connect(theSwitch, false)
		mute.send(invite("z9hG4bK1"))
		other.send(invite("z9hG4bK2"))
		if got := other.take(); !strings.HasPrefix(got, "SIP/2.0 302") {
			t.Errorf("got %q", got)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if st := r.server.Stats(); st.Streams != 1 || st.StreamsTimedOut != 1 || st.InFlight != 0 {
			t.Errorf("got %+v", st)
		}
	})
}

// TestConnectionsLeaveRoomForOthers: each source has at most three times as many as are free.
func TestConnectionsLeaveRoomForOthers(t *testing.T) {
	bubble(t, siptx.Config{ConnectionsMax: 40}, func(r *rig) {
		for i, want := range []int{30, 8, 2, 0} {
			open := 0
			for j := range 40 {
				if l := r.connect(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}), uint16(1024+j)), false); !l.closed() {
					open++
				}
			}
			if open != want {
				t.Errorf("source %d has %d connections, want %d", i, open, want)
			}
		}
	})
}

func TestConnectionsAreBounded(t *testing.T) {
	bubble(t, siptx.Config{ConnectionsMax: 3, ConnectionsPerSource: 2}, func(r *rig) {
		var lines []*line
		for _, from := range []string{"192.0.2.10:1", "192.0.2.10:2", "192.0.2.10:3", "192.0.2.11:1", "192.0.2.12:1"} {
			lines = append(lines, r.connect(netip.MustParseAddrPort(from), false))
		}
		for i, want := range []bool{false, false, true, false, true} {
			if lines[i].closed() != want {
				t.Errorf("connection %d closed: %t, want %t", i, lines[i].closed(), want)
			}
		}
		lines[0].conn.Close()
		synctest.Wait()
		if again := r.connect(netip.MustParseAddrPort("192.0.2.10:4"), false); again.closed() {
			t.Error("there is room again, and the connection was closed")
		}
		if st := r.server.Stats(); st.Streams != 3 || st.Dropped["too many connections"] != 2 {
			t.Errorf("got %+v", st)
		}
	})
}
