package siptx_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// TestForwardOverTLS: a next hop whose certificate is of its address is believed, and knows who we are; another gets nothing.
func TestForwardOverTLS(t *testing.T) {
	certificate, pool := certify(t)
	for _, c := range []struct {
		name   string
		client *tls.Config
		want   string
	}{
		{"believed", &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}}, "200"},
		{"by another name", &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}, ServerName: "proxy.example"}, "503"},
		{"of nobody we trust", &tls.Config{Certificates: []tls.Certificate{certificate}}, "503"},
		{"the system's roots", nil, "503"},
	} {
		t.Run(c.name, func(t *testing.T) {
			hop, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() { // answers one request
				defer close(done)
				conn, err := hop.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(time.Minute))
				b := make([]byte, 65536)
				if n, err := conn.Read(b); err == nil {
					conn.Write([]byte(response("200 OK", string(b[:n]))))
					conn.Read(b) // until the other side closes
				}
			}()
			to := netip.MustParseAddrPort(hop.Addr().String())
			server, err := siptx.New(siptx.Config{SentBy: "127.0.0.1", NextHopTLS: c.client, Respond: func(context.Context, *siptx.Request) siptx.Response {
				return siptx.Response{Forward: &siptx.Forward{Transport: siptx.TLS, To: to}}
			}})
			if err != nil {
				t.Fatal(err)
			}
			conn, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go server.ServeUDP(conn)
			if got := finalTo(t, conn.LocalAddr(), invite("z9hG4bK1", "Via", "SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK1")); !strings.HasPrefix(got, "SIP/2.0 "+c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
			server.Close() // all is counted
			st := server.Stats()
			if sent := c.want == "200"; sent != (st.Forwarded == 1) || sent == (st.ForwardFailures == 1) {
				t.Errorf("got %+v", st)
			}
			hop.Close()
			<-done
		})
	}
}

// finalTo sends a request over UDP and gives its final answer.
func finalTo(t *testing.T, to net.Addr, text string) string {
	t.Helper()
	conn, err := net.Dial("udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	conn.Write([]byte(text))
	b := make([]byte, 65536)
	for {
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(b[:n]), "SIP/2.0 1") {
			return string(b[:n])
		}
	}
}

// TestForwardFromASocketThatReaches the next hop: one of its family, if the request came to another.
func TestForwardFromASocketThatReaches(t *testing.T) {
	listen := func(address string) net.PacketConn {
		conn, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Skip("no IPv6 here:", err)
		}
		return conn
	}
	for name, c := range map[string]struct{ from, to string }{
		"from IPv4 to IPv6": {"127.0.0.1:0", "[::1]:0"},
		"from IPv6 to IPv4": {"[::1]:0", "127.0.0.1:0"},
	} {
		t.Run(name, func(t *testing.T) {
			hop, front, side := listen(c.to), listen(c.from), listen(c.to)
			defer hop.Close()
			server, err := siptx.New(siptx.Config{SentBy: "viaduct.example", Respond: func(context.Context, *siptx.Request) siptx.Response {
				return siptx.Response{Forward: &siptx.Forward{Transport: siptx.UDP, To: netip.MustParseAddrPort(hop.LocalAddr().String())}}
			}})
			if err != nil {
				t.Fatal(err)
			}
			go server.ServeUDP(front)
			go server.ServeUDP(side)
			defer server.Close()
			finalTo(t, side.LocalAddr(), request("OPTIONS", "z9hG4bK0", "Via", "SIP/2.0/UDP host;rport;branch=z9hG4bK0")) // it is served
			done := make(chan struct{})
			go func() {
				defer close(done)
				hop.SetDeadline(time.Now().Add(time.Minute))
				b := make([]byte, 65536)
				n, from, err := hop.ReadFrom(b)
				if err != nil {
					t.Error(err)
					return
				}
				if from.String() != side.LocalAddr().String() {
					t.Errorf("from %v, want %v", from, side.LocalAddr())
				}
				hop.WriteTo([]byte(response("200 OK", string(b[:n]))), from)
			}()
			if got := finalTo(t, front.LocalAddr(), invite("z9hG4bK1", "Via", "SIP/2.0/UDP host;rport;branch=z9hG4bK1")); !strings.HasPrefix(got, "SIP/2.0 200") {
				t.Errorf("got %s", got)
			}
			<-done
		})
	}
}

// TestRFC3261_S16_3_ARingOfTwo: what comes back to the first as it left is refused there.
func TestRFC3261_S16_3_ARingOfTwo(t *testing.T) {
	var sockets [2]net.PacketConn
	var servers [2]*siptx.Server
	for i := range servers {
		var err error
		if sockets[i], err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range servers {
		next := netip.MustParseAddrPort(sockets[1-i].LocalAddr().String())
		var err error
		if servers[i], err = siptx.New(siptx.Config{SentBy: sockets[i].LocalAddr().String(), Respond: func(context.Context, *siptx.Request) siptx.Response {
			return siptx.Response{Forward: &siptx.Forward{Transport: siptx.UDP, To: next, Add: []siptx.Field{{Name: "Identity", Value: itoa(i)}}}}
		}}); err != nil {
			t.Fatal(err)
		}
		go servers[i].ServeUDP(sockets[i])
		t.Cleanup(func() { servers[i].Close() })
	}
	if got := finalTo(t, sockets[0].LocalAddr(), invite("z9hG4bK1", "Via", "SIP/2.0/UDP host;rport;branch=z9hG4bK1")); !strings.HasPrefix(got, "SIP/2.0 482") || strings.Count(got, "Via:") != 1 {
		t.Errorf("got %s", got)
	}
	for i, s := range servers {
		s.Close() // all is counted
		if st := s.Stats(); st.Forwarded != 1 || st.ResponsesForwarded != 1 {
			t.Errorf("%d: got %+v", i, st)
		}
	}
}
