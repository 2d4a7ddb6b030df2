package trace_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/porttest"
	"github.com/viaduct-oob/viaduct/internal/trace"
)

// chunks reads one HEP3 packet as its specification says, strictly: every length fits, and all together are the packet.
func chunks(packet []byte) (map[uint16][]byte, error) {
	if len(packet) < 6 || string(packet[:4]) != "HEP3" || int(binary.BigEndian.Uint16(packet[4:])) != len(packet) {
		return nil, errors.New("the header does not fit")
	}
	found := map[uint16][]byte{}
	for rest := packet[6:]; len(rest) > 0; {
		if len(rest) < 6 {
			return nil, errors.New("a torn chunk")
		}
		kind, length := binary.BigEndian.Uint16(rest[2:]), int(binary.BigEndian.Uint16(rest[4:]))
		if length < 6 || length > len(rest) || rest[0] != 0 || rest[1] != 0 || found[kind] != nil {
			return nil, fmt.Errorf("chunk %#x does not fit", kind)
		}
		found[kind], rest = rest[6:length:length], rest[length:]
	}
	return found, nil
}

func TestHEP3Packet(t *testing.T) {
	at := time.Unix(1782907200, 123456789)
	ours, theirs := netip.MustParseAddrPort("192.0.2.2:5060"), netip.MustParseAddrPort("[2001:db8::1]:5061")
	for _, c := range []struct {
		name string
		p    trace.HEPPacket
		want map[uint16]string
	}{
		{"SIP over UDP", trace.HEPPacket{At: at, Transport: "udp", From: peer, To: ours, Kind: trace.HEPSIP, Agent: 2001, Correlation: "a@h", Payload: []byte("INVITE")},
			map[uint16]string{1: "\x02", 2: "\x11", 3: "\xc0\x00\x02\x01", 4: "\xc0\x00\x02\x02", 7: "\x13\xc4", 8: "\x13\xc4",
				9: "\x6a\x45\x01\x40", 10: "\x00\x01\xe2\x40", 11: "\x01", 12: "\x00\x00\x07\xd1", 15: "INVITE", 17: "a@h"}},
		{"JSON over TLS and IPv6", trace.HEPPacket{At: at, Transport: "tls", From: theirs, To: theirs, Kind: trace.HEPJSON, Password: "pw", Payload: []byte("{}")},
			map[uint16]string{1: "\x0a", 2: "\x06", 5: " \x01\r\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", 6: " \x01\r\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
				7: "\x13\xc5", 8: "\x13\xc5", 9: "\x6a\x45\x01\x40", 10: "\x00\x01\xe2\x40", 11: "\x64", 12: "\x00\x00\x00\x00", 14: "pw", 15: "{}"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			packet, err := c.p.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := chunks(packet)
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("%v, %v", got, err)
			}
			for kind, want := range c.want {
				if string(got[kind]) != want {
					t.Errorf("chunk %#x: %q, want %q", kind, got[kind], want)
				}
			}
		})
	}
}

func TestHEP3FamiliesAgree(t *testing.T) {
	four, six, mapped := "192.0.2.1:1", "[fe80::1%eth0]:2", "[::ffff:192.0.2.3]:3"
	for _, c := range []struct{ from, to, family string }{
		{four, four, "\x02"}, {four, mapped, "\x02"}, {"", four, "\x02"}, {"", "", "\x02"}, {mapped, "", "\x02"},
		{six, six, "\x0a"}, {four, six, "\x0a"}, {six, "", "\x0a"},
	} {
		from, _ := netip.ParseAddrPort(c.from)
		to, _ := netip.ParseAddrPort(c.to)
		packet, err := trace.HEPPacket{From: from, To: to}.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := chunks(packet)
		if err != nil || string(got[1]) != c.family || len(got[3])+len(got[5]) != len(got[4])+len(got[6]) {
			t.Errorf("%q to %q: %v, %v", c.from, c.to, got, err)
		}
	}
}

// FuzzHEP: what is encoded is read back by the rules of the specification; what is not leaves the buffer as it was.
func FuzzHEP(f *testing.F) {
	f.Add([]byte("INVITE sip:a@h SIP/2.0\r\n\r\n"), "a@h", "", []byte{192, 0, 2, 1}, uint16(5060), int64(1782907200))
	f.Add([]byte(strings.Repeat("x", trace.HEPBytesMax)), "", "password", make([]byte, 16), uint16(0), int64(-1))
	f.Fuzz(func(t *testing.T, payload []byte, correlation, password string, address []byte, port uint16, seconds int64) {
		addr, _ := netip.AddrFromSlice(address)
		p := trace.HEPPacket{At: time.Unix(seconds, 0), From: netip.AddrPortFrom(addr, port), Kind: trace.HEPSIP,
			Correlation: correlation, Password: password[:min(len(password), trace.TextBytesMax)], Payload: payload}
		packet, err := p.Append([]byte("before"))
		if err != nil {
			if string(packet) != "before" || len(payload)+len(p.Password)+min(len(correlation), trace.TextBytesMax)+200 < trace.HEPBytesMax {
				t.Errorf("refused with %d bytes before it: %v", len(packet), err)
			}
			return
		}
		got, err := chunks(bytes.TrimPrefix(packet, []byte("before")))
		if err != nil || !bytes.Equal(got[15], payload) || !strings.HasPrefix(correlation, string(got[17])) || string(got[14]) != p.Password {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// sipCall records a call with two messages, as a SIP door would.
func sipCall(r *trace.Recorder, t testing.TB, callID string) *trace.Call {
	c := r.Begin("udp", peer, local, callID)
	c.Message(true, "udp", peer, local, []byte("INVITE sip:+12155550131@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n"+
		"From: <sip:+12155550123@192.0.2.1>;tag=1\r\nTo: <sip:+12155550131@192.0.2.2>\r\nCall-ID: "+callID+"\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"+
		"Identity: "+strings.Repeat("x", 600)+"\r\nContent-Length: 0\r\n\r\n"))
	c.Note(func(r *trace.Record) { r.Orig, r.Dest = identity(t, "12155550123"), identity(t, "12155550131") })
	c.Message(false, "udp", local, peer, []byte("SIP/2.0 302 Moved Temporarily\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n"+
		"From: <sip:+12155550123@192.0.2.1>;tag=1\r\nTo: <sip:+12155550131@192.0.2.2>;tag=2\r\nCall-ID: "+callID+"\r\nCSeq: 1 INVITE\r\n"+
		"Contact: <sip:+12155550131@192.0.2.9>\r\nContent-Length: 0\r\n\r\n"))
	c.Finish(302, "")
	return c
}

// readPacket takes one HEP packet from a connection.
func readPacket(t testing.TB, from io.Reader) map[uint16][]byte {
	t.Helper()
	packet := make([]byte, 6, 1<<16)
	if _, err := io.ReadFull(from, packet); err != nil {
		t.Fatal(err)
	}
	packet = packet[:binary.BigEndian.Uint16(packet[4:])]
	if _, err := io.ReadFull(from, packet[6:]); err != nil {
		t.Fatal(err)
	}
	found, err := chunks(packet)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(t testing.TB, l net.Listener) net.Conn {
	t.Helper()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

func TestHEPMessagesAndRecordHaveOneCorrelation(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	r := recorderFor(t, trace.Config{Settle: time.Nanosecond, HEP: &trace.HEPConfig{Addr: l.Addr().String(), Agent: 7, Role: trace.Full}})
	sipCall(r, t, "call@h")
	conn := accept(t, l)
	for i, kind := range []byte{trace.HEPSIP, trace.HEPSIP, trace.HEPJSON} {
		got := readPacket(t, conn)
		if string(got[17]) != "call@h" || !bytes.Equal(got[12], []byte{0, 0, 0, 7}) || got[11][0] != kind {
			t.Errorf("packet %d: %v", i, got)
		}
		var v trace.View
		if kind == trace.HEPJSON && (json.Unmarshal(got[15], &v) != nil || v.Orig != "12155550123" || v.Messages != nil) {
			t.Errorf("%s", got[15])
		}
	}
	if found := r.Find(trace.Query{}); len(found) != 1 || found[0].Messages != nil {
		t.Error("messages are kept that nobody asked to keep")
	}
}

func TestHEPMaskedSendsNoMessage(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	r := recorderFor(t, trace.Config{Messages: true, HEP: &trace.HEPConfig{Addr: l.Addr().String()}})
	sipCall(r, t, "12155550123@h")
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(accept(t, l))
	if err != nil {
		t.Fatal(err)
	}
	got, err := chunks(all)
	if err != nil || got[11][0] != trace.HEPJSON || strings.Contains(unnamed(string(all)), "0123") || string(got[17]) != "1215555xxxx@h" {
		t.Errorf("%q, %v", all, err)
	}
}

func TestHEPConnectsAgain(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	r := recorderFor(t, trace.Config{Settle: time.Nanosecond, HEP: &trace.HEPConfig{Addr: l.Addr().String()}})
	for i := range 3 {
		call(r, fmt.Sprint(i), "")
		conn := accept(t, l)
		if got := readPacket(t, conn); string(got[17]) != fmt.Sprint(i) {
			t.Errorf("call %s, want %d", got[17], i)
		}
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
		untilReset(t, r, uint64(i)+1)
	}
	if s := r.Stats().HEP; s.Dropped != 0 || s.Sent != 3 {
		t.Errorf("%+v", s)
	}
}

// untilReset waits until the recorder has seen that its connection is gone.
func untilReset(t testing.TB, r *trace.Recorder, times uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for r.Stats().HEP.Ended < times {
		select {
		case <-ctx.Done():
			t.Fatal("the connection is not missed")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestHEPServerAwayStopsNothing(t *testing.T) {
	address, err := porttest.Address("tcp")
	if err != nil {
		t.Fatal(err)
	}
	for _, udp := range []bool{false, true} {
		r := recorderFor(t, trace.Config{HEP: &trace.HEPConfig{Addr: address, UDP: udp}})
		for range 3 {
			call(r, "a", "")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := r.Close(ctx)
		cancel()
		if s := r.Stats(); s.Settled != 3 || !udp && (!errors.Is(err, context.DeadlineExceeded) || s.HEP.Errors == 0) {
			t.Errorf("udp %t: %v, %+v", udp, err, s)
		}
	}
}

func TestHEPLeavesOutWhatDoesNotFit(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	r := recorderFor(t, trace.Config{HEP: &trace.HEPConfig{Addr: l.Addr().String(), Role: trace.Full}})
	c := r.Begin("tcp", peer, local, "a")
	c.Message(true, "tcp", peer, local, make([]byte, trace.HEPBytesMax))
	c.Message(true, "http", peer, local, []byte("POST / HTTP/1.1"))
	c.Finish(200, "")
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats().HEP; s.Sent != 1 || s.Oversize != 1 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}
