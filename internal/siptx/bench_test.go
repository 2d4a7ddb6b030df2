package siptx_test

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// sdp is a body of the usual size.
const sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n" +
	"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"

var identity = strings.Repeat("eyJhbGciOiJFUzI1NiIs", 30) + ";info=<https://certificates.example.com/a.pem>;alg=ES256;ppt=shaken"

func signed(context.Context, *siptx.Request) siptx.Response {
	return siptx.Response{Status: 302, Fields: []siptx.Field{
		{Name: "Contact", Value: "<sip:+12155550121@192.0.2.10>"}, {Name: "Identity", Value: identity}}}
}

// call is the INVITE and the ACK of a call.
func call(i int) [2][]byte {
	branch := "z9hG4bK-bench-" + itoa(i)
	via := "SIP/2.0/UDP 127.0.0.1:5060;rport;branch=" + branch
	in := invite(branch, "Via", via, "Content-Type", "application/sdp", "P-Asserted-Identity", "<sip:+12155550112@192.0.2.10>",
		"Contact", "<sip:+12155550112@192.0.2.10:5060>", "User-Agent", "switch/1", "Supported", "timer,100rel",
		"Allow", "INVITE,ACK,CANCEL,BYE,OPTIONS", "Content-Length", itoa(len(sdp)), "body", sdp)
	return [2][]byte{[]byte(in), []byte(ack(branch, "To: <sip:+12155550121@203.0.113.1>;tag=x", "Via", via))}
}

func itoa(i int) string {
	var b [20]byte
	at := len(b)
	for at--; ; at-- {
		b[at] = byte('0' + i%10)
		if i /= 10; i == 0 {
			return string(b[at:])
		}
	}
}

// BenchmarkCallInMemory is what siptx does for INVITE, 302 and ACK, system calls aside.
func BenchmarkCallInMemory(b *testing.B) {
	server, err := siptx.New(siptx.Config{Respond: signed})
	if err != nil {
		b.Fatal(err)
	}
	w := &pump{in: make(chan []byte), out: make(chan []byte, 16), closed: make(chan struct{})}
	go server.ServeUDP(w)
	defer server.Close()
	messages := make([][2][]byte, b.N)
	for i := range messages {
		messages[i] = call(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, m := range messages {
		w.in <- m[0]
		<-w.out
		w.in <- m[1]
	}
}

// BenchmarkCallOverUDP compares with the whole of sipgo: CPU of the process per call, the load included, which is the same.
func BenchmarkCallOverUDP(b *testing.B) {
	b.Run("siptx", func(b *testing.B) {
		conn := listen(b)
		server, err := siptx.New(siptx.Config{Respond: signed})
		if err != nil {
			b.Fatal(err)
		}
		go server.ServeUDP(conn)
		defer server.Close()
		load(b, conn.LocalAddr())
	})
	b.Run("sipgo", func(b *testing.B) {
		conn := listen(b)
		ua, err := sipgo.NewUA()
		if err != nil {
			b.Fatal(err)
		}
		defer ua.Close()
		server, err := sipgo.NewServer(ua, sipgo.WithServerLogger(slog.New(slog.DiscardHandler)))
		if err != nil {
			b.Fatal(err)
		}
		server.OnInvite(func(r *sip.Request, tx sip.ServerTransaction) {
			answer := sip.NewResponseFromRequest(r, 302, "Moved Temporarily", nil)
			answer.AppendHeader(sip.NewHeader("Contact", "<sip:+12155550121@192.0.2.10>"))
			answer.AppendHeader(sip.NewHeader("Identity", identity))
			tx.Respond(answer)
		})
		server.OnAck(func(*sip.Request, sip.ServerTransaction) {})
		go server.ServeUDP(conn)
		load(b, conn.LocalAddr())
	})
	b.Run("load", func(b *testing.B) { // what the load itself costs: an answer that is made beforehand
		conn := listen(b)
		go func() {
			buffer := make([]byte, 65536)
			answer := []byte("SIP/2.0 302 Moved Temporarily\r\nTo: <sip:a@b>;tag=x\r\nIdentity: " + identity + "\r\nContent-Length: 0\r\n\r\n")
			for {
				n, from, err := conn.ReadFromUDPAddrPort(buffer)
				if err != nil {
					return
				}
				if n > 0 && buffer[0] == 'I' {
					conn.WriteToUDPAddrPort(answer, from)
				}
			}
		}()
		defer conn.Close()
		load(b, conn.LocalAddr())
	})
}

func listen(b *testing.B) *net.UDPConn {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		b.Fatal(err)
	}
	return conn
}

// load makes one call after the other.
func load(b *testing.B, to net.Addr) {
	conn, err := net.Dial("udp", to.String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	messages := make([][2][]byte, b.N)
	for i := range messages {
		messages[i] = call(i)
	}
	buffer := make([]byte, 65536)
	runtime.GC()
	b.ReportAllocs()
	before := cpu()
	b.ResetTimer()
	for _, m := range messages {
		conn.Write(m[0])
		for {
			conn.SetReadDeadline(time.Now().Add(3 * time.Second))
			n, err := conn.Read(buffer)
			if err != nil {
				b.Fatal(err)
			}
			if n > 11 && buffer[8] == '3' {
				break
			}
		}
		conn.Write(m[1])
	}
	b.StopTimer()
	b.ReportMetric(float64(cpu()-before)/1e3/float64(b.N), "cpu-µs/call")
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pump is a datagram socket in memory without locks of its own.
type pump struct {
	wire
	in, out chan []byte
	closed  chan struct{}
}

var pumpPeer = net.UDPAddrFromAddrPort(theSwitch)

func (p *pump) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-p.in:
		return copy(b, d), pumpPeer, nil
	case <-p.closed:
		return 0, nil, net.ErrClosed
	}
}

func (p *pump) WriteTo(b []byte, _ net.Addr) (int, error) {
	if b[8] == '3' { // else 100, of a call that was slow
		select {
		case p.out <- b:
		case <-p.closed:
		}
	}
	return len(b), nil
}

func (p *pump) Close() error {
	close(p.closed)
	return nil
}
