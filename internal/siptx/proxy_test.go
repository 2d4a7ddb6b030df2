package siptx_test

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// onward sends every INVITE on with one more field.
func onward(context.Context, *siptx.Request) siptx.Response {
	return siptx.Response{Forward: &siptx.Forward{Transport: siptx.UDP, To: theHop, Add: []siptx.Field{{Name: "Identity", Value: "x"}}}}
}

func proxy(c siptx.Config) siptx.Config {
	c.SentBy = self.String()
	if c.Respond == nil {
		c.Respond = onward
	}
	return c
}

// response answers a request as a next hop does: Vias, From, To, Call-ID and CSeq as they came.
func response(status, request string) string {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for line := range strings.SplitSeq(request, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch name {
		case "Via", "v", "From", "Call-ID", "CSeq":
			b.WriteString(line + "\r\n")
		case "To":
			b.WriteString(line + ";tag=hop\r\n")
		}
	}
	return b.String() + "Content-Length: 0\r\n\r\n"
}

// TestRFC3261_S16_11_Forward: an INVITE, its retransmission, the responses, and the ACK of a failure.
func TestRFC3261_S16_11_Forward(t *testing.T) {
	bubble(t, proxy(siptx.Config{}), func(r *rig) {
		in := invite("z9hG4bK1", "Subject", "a,\r\n   b ", "X-odd", ";;,,", "Content-Length", "3", "body", "abc")
		r.send(in, theSwitch)
		out := r.want("INVITE sip:+12155550121@203.0.113.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.1:5060;rport;branch=z9hG4bK", theHop)
		ours, rest, _ := strings.Cut(strings.TrimPrefix(out, "INVITE sip:+12155550121@203.0.113.1 SIP/2.0\r\n"), "\r\n")
		_, want, _ := strings.Cut(in, "\r\n")
		want = strings.Replace(want, "Max-Forwards: 70", "Max-Forwards: 69", 1)
		want = strings.Replace(want, "\r\n\r\nabc", "\r\nIdentity: x\r\n\r\nabc", 1)
		if rest != want {
			t.Errorf("sent on:\n%s\nwant\n%s", rest, want)
		}
		r.send(in, theSwitch)
		if again := r.want("INVITE", theHop); again != out {
			t.Errorf("a retransmission goes on as\n%s\nwant\n%s", again, out)
		}
		r.send(response("180 Ringing", out), theHop)
		ringing := r.want("SIP/2.0 180", theSwitch)
		if strings.Contains(ringing, "203.0.113.1:5060") || strings.Count(ringing, "Via:") != 1 {
			t.Errorf("got %s", ringing)
		}
		r.send(response("486 Busy Here", out), theHop)
		busy := r.want("SIP/2.0 486", theSwitch)
		r.send(ack("z9hG4bK1", busy), theSwitch)
		if got := r.want("ACK sip:+12155550121@203.0.113.1 SIP/2.0\r\n"+ours+"\r\n", theHop); strings.Contains(got, "Identity") {
			t.Errorf("got %s", got)
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		r.silence()
		r.empty()
		r.send(response("486 Busy Here", out), theHop)
		r.silence()
	})
}

// TestRFC3261_S16_10_CancelGoesTheSameWay with the same branch and Request-URI as its INVITE.
func TestRFC3261_S16_10_CancelGoesTheSameWay(t *testing.T) {
	respond := func(ctx context.Context, r *siptx.Request) siptx.Response {
		response := onward(ctx, r)
		response.Forward.URI = "sip:+12155550121@198.51.100.20"
		return response
	}
	bubble(t, proxy(siptx.Config{Respond: respond}), func(r *rig) {
		r.send(invite("z9hG4bK1"), theSwitch)
		out := r.want("INVITE sip:+12155550121@198.51.100.20 SIP/2.0\r\n", theHop)
		r.send(request("CANCEL", "z9hG4bK1"), theSwitch)
		cancel := r.want("CANCEL sip:+12155550121@198.51.100.20 SIP/2.0\r\n", theHop)
		if header(cancel, "Via") != header(out, "Via") {
			t.Errorf("got Via %s, want %s", header(cancel, "Via"), header(out, "Via"))
		}
		r.send(response("200 OK", cancel), theHop)
		r.want("SIP/2.0 200", theSwitch)
		r.send(response("487 Request Terminated", out), theHop)
		r.want("SIP/2.0 487", theSwitch)
	})
}

// TestForwardChanges: fields replaced in place, added and removed; ours are not for Respond to say.
func TestForwardChanges(t *testing.T) {
	respond := func(context.Context, *siptx.Request) siptx.Response {
		return siptx.Response{Forward: &siptx.Forward{Transport: siptx.UDP, To: theHop, Remove: []string{"y", "X-Gone", "Via", "Content-Length"},
			Replace: []siptx.Field{{Name: "P-Asserted-Identity", Value: "<tel:+1;verstat=TN-Validation-Passed>"}, {Name: "X-New", Value: "1"}, {Name: "From", Value: "x"}},
			Add:     []siptx.Field{{Name: "X-Last", Value: "2"}, {Name: "X-Evil", Value: "1\r\nX: y"}}}}
	}
	bubble(t, proxy(siptx.Config{Respond: respond}), func(r *rig) {
		r.send(invite("z9hG4bK1", "P-Asserted-Identity", "<tel:+1>", "Identity", "a", "p-asserted-identity", "<tel:+2>", "x-gone", "1", "X-Kept", "1"), theSwitch)
		out := r.want("INVITE", theHop)
		_, rest, _ := strings.Cut(out, "Content-Length: 0\r\n")
		want := "P-Asserted-Identity: <tel:+1;verstat=TN-Validation-Passed>\r\nX-Kept: 1\r\nX-New: 1\r\nX-Last: 2\r\n\r\n"
		if rest != want {
			t.Errorf("got\n%s\nwant\n%s", rest, want)
		}
	})
}

func TestForwardRefusals(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"RFC 3261 §16.3 Max-Forwards 0", invite("z9hG4bK1", "Max-Forwards", "0"), "SIP/2.0 483 Too Many Hops"},
		{"RFC 3261 §16.3 Proxy-Require", invite("z9hG4bK1", "Proxy-Require", "x"), "SIP/2.0 420 Bad Extension"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, proxy(siptx.Config{}), func(r *rig) {
				r.send(c.text, theSwitch)
				r.want(c.want, theSwitch)
				r.silence()
			})
		})
	}
	for name, c := range map[string]siptx.Config{
		"no proxy": {Respond: onward},
		"no such way": proxy(siptx.Config{Respond: func(context.Context, *siptx.Request) siptx.Response {
			return siptx.Response{Forward: &siptx.Forward{Transport: "x", To: theHop}}
		}}),
		"bad Request-URI": proxy(siptx.Config{Respond: func(context.Context, *siptx.Request) siptx.Response {
			return siptx.Response{Forward: &siptx.Forward{Transport: siptx.UDP, To: theHop, URI: "sip:a\r\nX: y"}}
		}}),
		"no final answer":  {Respond: func(context.Context, *siptx.Request) siptx.Response { return siptx.Response{Status: 200} }},
		"nothing answered": {Respond: func(context.Context, *siptx.Request) siptx.Response { return siptx.Response{} }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, c, func(r *rig) {
				r.send(invite("z9hG4bK1"), theSwitch)
				r.want("SIP/2.0 500", theSwitch)
				if st := r.server.Stats(); st.BadResponses != 1 {
					t.Errorf("got %+v", st)
				}
			})
		})
	}
}

// TestRFC3261_S16_3_LoopDetected: a request that comes back as it went is refused; one that comes back with another
// Request-URI spirals, and goes on.
func TestRFC3261_S16_3_LoopDetected(t *testing.T) {
	bubble(t, proxy(siptx.Config{}), func(r *rig) {
		r.send(invite("z9hG4bK1"), theSwitch)
		out := r.want("INVITE", theHop)
		via := "Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bKhop\r\n"
		r.send(strings.Replace(out, "Via: ", via+"Via: ", 1), theHop)
		r.want("SIP/2.0 482 Loop Detected", theHop)
		spiral := strings.Replace(out, "Via: ", strings.Replace(via, "hop", "spiral", 1)+"Via: ", 1)
		r.send(strings.Replace(spiral, "INVITE sip:+12155550121@", "INVITE sip:+12155550122@", 1), theHop)
		r.want("INVITE", theHop)
	})
}

// TestRFC3261_S16_4_RouteThatNamesUs is taken out; others stay.
func TestRFC3261_S16_4_RouteThatNamesUs(t *testing.T) {
	for _, c := range []struct{ route, want string }{
		{"<sip:203.0.113.1:5060;lr>", ""},
		{"<sip:x@203.0.113.1:5060;lr>, <sip:198.51.100.20;lr>", "<sip:198.51.100.20;lr>"},
		{"<sip:198.51.100.20;lr>, <sip:203.0.113.1:5060;lr>", "<sip:198.51.100.20;lr>, <sip:203.0.113.1:5060;lr>"},
		{"<sip:203.0.113.1:5061;lr>", "<sip:203.0.113.1:5061;lr>"},
	} {
		bubble(t, proxy(siptx.Config{}), func(r *rig) {
			r.send(invite("z9hG4bK1", "Route", c.route), theSwitch)
			if got := header(r.want("INVITE", theHop), "Route"); got != c.want {
				t.Errorf("%s became %q, want %q", c.route, got, c.want)
			}
		})
	}
}

// TestResponsesOfOthers are dropped: not from the next hop, not with our Via on top, not of a branch of ours.
func TestResponsesOfOthers(t *testing.T) {
	bubble(t, proxy(siptx.Config{}), func(r *rig) {
		r.send(invite("z9hG4bK1"), theSwitch)
		good := response("180 Ringing", r.want("INVITE", theHop))
		branch := good[strings.Index(good, "branch=z9hG4bK")+len("branch=z9hG4bK"):][:1]
		other := "0"
		if branch == "0" {
			other = "1"
		}
		for name, c := range map[string]struct {
			text string
			from netip.AddrPort
		}{
			"another source":  {good, netip.MustParseAddrPort("198.51.100.21:5060")},
			"the switch":      {good, theSwitch},
			"another sent-by": {strings.Replace(good, "203.0.113.1", "203.0.113.2", 1), theHop},
			"another branch":  {strings.Replace(good, "branch=z9hG4bK"+branch, "branch=z9hG4bK"+other, 1), theHop},
			"no Via":          {"SIP/2.0 180 Ringing\r\n\r\n", theHop},
			"status":          {strings.Replace(good, "180", "18", 1), theHop},
			"short body":      {strings.Replace(good, "Content-Length: 0", "Content-Length: 1", 1), theHop},
		} {
			r.send(c.text, c.from)
			if out := r.wire.take(); len(out) > 0 {
				t.Errorf("%s: sent on to %v", name, out[0].peer)
			}
		}
		r.send(good, theHop)
		r.want("SIP/2.0 180", theSwitch)
	})
}

// TestForwardOverTCP: a pooled connection, responses on it, and 503 when the next hop cannot be reached.
func TestForwardOverTCP(t *testing.T) {
	hop, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hop.Close()
	to := netip.MustParseAddrPort(hop.Addr().String())
	server, err := siptx.New(siptx.Config{SentBy: self.String(), Respond: func(context.Context, *siptx.Request) siptx.Response {
		return siptx.Response{Forward: &siptx.Forward{Transport: siptx.TCP, To: to}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.ServeStream(front, siptx.TCP)
	defer server.Close()
	sw, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer sw.Close()
	sw.SetDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 65536)
	exchange := func(conn net.Conn, begin string) string {
		t.Helper()
		n, err := conn.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), begin) {
			t.Fatalf("got %q, %v, want %q", b[:n], err, begin)
		}
		return string(b[:n])
	}
	answers := bufio.NewReader(sw)
	final := func(begin string) { // after 100 Trying, on a machine that is slow
		t.Helper()
		for {
			first, err := answers.ReadString('\n')
			for line := first; err == nil && line != "\r\n"; {
				line, err = answers.ReadString('\n')
			}
			if err != nil || !strings.HasPrefix(first, "SIP/2.0 1") && !strings.HasPrefix(first, begin) {
				t.Fatalf("got %q, %v, want %q", first, err, begin)
			}
			if strings.HasPrefix(first, begin) {
				return
			}
		}
	}
	var far net.Conn
	for _, branch := range []string{"z9hG4bK1", "z9hG4bK2"} {
		sw.Write([]byte(invite(branch)))
		if far == nil {
			if far, err = hop.Accept(); err != nil {
				t.Fatal(err)
			}
			far.SetDeadline(time.Now().Add(time.Minute))
		}
		out := exchange(far, "INVITE")
		far.Write([]byte(response("200 OK", out)))
		final("SIP/2.0 200")
	}
	hop.Close()
	far.Close()
	deadline := time.Now().Add(time.Minute)
	for server.Stats().Streams > 1 && time.Now().Before(deadline) {
		runtime.Gosched() // until the server has seen it
	}
	sw.Write([]byte(invite("z9hG4bK3")))
	final("SIP/2.0 503")
	if st := server.Stats(); st.ForwardFailures != 1 || st.Forwarded != 2 || st.ResponsesForwarded != 2 {
		t.Errorf("got %+v", st)
	}
}
