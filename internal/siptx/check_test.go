package siptx_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// TestRefusals: what is wrong with a request and how it is told (RFC 3261 §8.2, §21.4).
func TestRefusals(t *testing.T) {
	long := "z9hG4bK1;x=" + strings.Repeat("y", 3000)
	for _, c := range []struct{ name, text, want string }{
		{"RFC 3261 §7.1 version", invite("z9hG4bK1", "start", "INVITE sip:a@b SIP/3.0"), "SIP/2.0 505 Version Not Supported"},
		{"RFC 3261 §7.1 version in lower case", invite("z9hG4bK1", "start", "INVITE sip:a@b sip/2.0"), "SIP/2.0 302"},
		{"RFC 3261 §7.1 two spaces", invite("z9hG4bK1", "start", "INVITE  sip:a@b SIP/2.0"), "SIP/2.0 400 Bad Request Line"},
		{"RFC 3261 §7.3.1 no colon", invite("z9hG4bK1", "Subject\r\nX", "y"), "SIP/2.0 400 Line That Is No Header Field"},
		{"RFC 3261 §7.3.1 name that is no token", invite("z9hG4bK1", "Sub ject", "y"), "SIP/2.0 400 Line That Is No Header Field"},
		{"RFC 3261 §7 LF alone", invite("z9hG4bK1", "Subject", "y\nX: z"), "SIP/2.0 400 Line Without CR LF"},
		{"RFC 3261 §7 CR alone", invite("z9hG4bK1", "Subject", "y\rX: z"), ""},
		{"RFC 3261 §7 CR alone, and a line that is no field behind it", invite("z9hG4bK1", "Subject", "y\rX: z\r\nno field"), ""},
		{"RFC 3261 §7 header without end", strings.TrimSuffix(invite("z9hG4bK1"), "\r\n"), "SIP/2.0 400 Header Without End"},
		{"RFC 3261 §8.1.1 no Via", invite("z9hG4bK1", "Via", ""), ""},
		{"RFC 3261 §8.1.1 Via without host", invite("z9hG4bK1", "Via", "SIP/2.0/UDP ;branch=z9hG4bK1"), ""},
		{"RFC 3261 §20.42 Via with a bad port", invite("z9hG4bK1", "Via", "SIP/2.0/UDP a:99999;branch=z9hG4bK1"), ""},
		{"RFC 3261 §20.42 Via with an empty parameter", invite("z9hG4bK1", "Via", "SIP/2.0/UDP 192.0.2.10:5060;;branch=z9hG4bK1"), "SIP/2.0 400 Bad Via"},
		{"RFC 3261 §20.42 a long Via", invite("z9hG4bK1", "Via", "SIP/2.0/UDP 192.0.2.10:5060;branch="+long), "SIP/2.0 302"},
		{"RFC 3261 §8.1.1 no From", invite("z9hG4bK1", "From", ""), "SIP/2.0 400 Bad From"},
		{"RFC 3261 §8.1.1 no To", invite("z9hG4bK1", "To", ""), "SIP/2.0 400 Bad To"},
		{"RFC 3261 §8.1.1 no Call-ID", invite("z9hG4bK1", "Call-ID", ""), "SIP/2.0 400 Bad Call-ID"},
		{"RFC 3261 §8.1.1 no CSeq", invite("z9hG4bK1", "CSeq", ""), "SIP/2.0 400 Bad CSeq"},
		{"RFC 3261 §8.1.1.5 CSeq beyond 2^31", invite("z9hG4bK1", "CSeq", "2147483648 INVITE"), "SIP/2.0 400 Bad CSeq"},
		{"RFC 3261 §8.1.1.5 CSeq below 2^31", invite("z9hG4bK1", "CSeq", "2147483647 INVITE"), "SIP/2.0 302"},
		{"RFC 3261 §8.1.1.5 CSeq of another method", invite("z9hG4bK1", "CSeq", "1 OPTIONS"), "SIP/2.0 400 CSeq With Another Method"},
		{"RFC 3261 §7.3.1 two From", invite("z9hG4bK1", "f", "<sip:a@b>;tag=1"), "SIP/2.0 400 Bad From"},
		{"RFC 3261 §20.20 From without tag", invite("z9hG4bK1", "From", "<sip:a@b>"), "SIP/2.0 302"},
		{"RFC 3261 §20.20 display name that should be quoted", invite("z9hG4bK1", "From", "O'Neil, Bob: é <sip:a@b>;tag=1"), "SIP/2.0 302"},
		{"RFC 3261 §20.20 display name with brackets in quotes", invite("z9hG4bK1", "From", `"<x> \" ;" <sip:a@b;x=y>;tag=1`), "SIP/2.0 302"},
		{"RFC 3261 §20.20 address without brackets", invite("z9hG4bK1", "From", "sip:a@b;tag=1"), "SIP/2.0 302"},
		{"RFC 3261 §20.20 address without scheme", invite("z9hG4bK1", "From", "<a@b>;tag=1"), "SIP/2.0 400 Bad From"},
		{"RFC 3261 §20.20 bracket that is not closed", invite("z9hG4bK1", "From", "<sip:a@b;tag=1"), "SIP/2.0 400 Bad From"},
		{"RFC 3261 §20.20 two tags", invite("z9hG4bK1", "From", "<sip:a@b>;tag=1;tag=2"), "SIP/2.0 400 Bad From"},
		{"RFC 3261 §20.22 Max-Forwards 256", invite("z9hG4bK1", "Max-Forwards", "256"), "SIP/2.0 400 Bad Max-Forwards"},
		{"RFC 3261 §20.22 Max-Forwards no number", invite("z9hG4bK1", "Max-Forwards", "a"), "SIP/2.0 400 Bad Max-Forwards"},
		{"RFC 3261 §20.22 Max-Forwards 0", invite("z9hG4bK1", "Max-Forwards", "0"), "SIP/2.0 302"},
		{"RFC 2543 §6 no Max-Forwards", invite("z9hG4bK1", "Max-Forwards", ""), "SIP/2.0 302"},
		{"RFC 3261 §18.3 body too short", invite("z9hG4bK1", "Content-Length", "4", "body", "abc"), "SIP/2.0 400 Body Shorter Than Content-Length"},
		{"RFC 3261 §18.3 body too long", invite("z9hG4bK1", "Content-Length", "2", "body", "abc"), "SIP/2.0 302"},
		{"RFC 3261 §18.3 Content-Length negative", invite("z9hG4bK1", "Content-Length", "-1"), "SIP/2.0 400 Bad Content-Length"},
		{"RFC 3261 §18.3 Content-Length twice", invite("z9hG4bK1", "l", "0"), "SIP/2.0 400 Bad Content-Length"},
		{"RFC 3261 §18.3 no Content-Length over UDP", invite("z9hG4bK1", "Content-Length", "", "body", "abc"), "SIP/2.0 302"},
		{"RFC 3261 §8.2.2.1 scheme", invite("z9hG4bK1", "start", "INVITE http://a/ SIP/2.0"), "SIP/2.0 416 Unsupported URI Scheme"},
		{"RFC 3966 §3 tel URI", invite("z9hG4bK1", "start", "INVITE tel:+12155550121 SIP/2.0"), "SIP/2.0 302"},
		{"RFC 5031 §3 emergency", invite("z9hG4bK1", "start", "INVITE urn:service:sos SIP/2.0"), "SIP/2.0 302"},
		{"RFC 3261 §19.1.1 header fields in the Request-URI", invite("z9hG4bK1", "start", "INVITE sip:a@b?Route=c SIP/2.0"), "SIP/2.0 400 Bad Request-URI"},
		{"RFC 3261 §12.2.2 within a dialog", invite("z9hG4bK1", "To", "<sip:a@b>;tag=1"), "SIP/2.0 481 Call/Transaction Does Not Exist"},
		{"RFC 3261 §8.3 Require is ignored", invite("z9hG4bK1", "Require", "100rel, x"), "SIP/2.0 302"},
		{"RFC 3261 §8.2.2.3 Require of OPTIONS", request("OPTIONS", "z9hG4bK1", "Require", "x", "require", "y"), "SIP/2.0 420 Bad Extension"},
		{"RFC 3261 §8.2.1 BYE", request("BYE", "z9hG4bK1", "To", "<sip:a@b>;tag=1"), "SIP/2.0 405 Method Not Allowed"},
		{"RFC 3261 §8.2.1 REGISTER", request("REGISTER", "z9hG4bK1"), "SIP/2.0 405 Method Not Allowed"},
		{"RFC 3261 §8.2.1 a method in lower case", request("invite", "z9hG4bK1"), "SIP/2.0 405 Method Not Allowed"},
		{"RFC 3261 §17.1.1.3 ACK", request("ACK", "z9hG4bK1"), ""},
		{"RFC 3261 §17.1.1.3 a bad ACK", request("ACK", "z9hG4bK1", "CSeq", "x"), ""},
		{"RFC 3261 §18.1.2 a stray response", "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\r\n\r\n", ""},
		{"no SIP", "GET / HTTP/1.1\r\nVia: SIP/2.0/UDP 192.0.2.10\r\n\r\n", ""},
		{"nothing", "\r\n\r\n", ""},
		{"zeros", "\x00\x00\x00\x00", ""},
		{"one line", "INVITE sip:a@b SIP/2.0", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, siptx.Config{}, func(r *rig) {
				r.send(c.text, theSwitch)
				if c.want == "" {
					r.silence()
					return
				}
				answer := r.want(c.want, theSwitch)
				if !strings.Contains(header(answer, "To"), "tag=") && header(answer, "To") != "" {
					t.Errorf("no tag in To: %s", header(answer, "To"))
				}
				r.silence()
				r.send(request("OPTIONS", "z9hG4bK2"), theSwitch)
				r.want("SIP/2.0 200", theSwitch)
			})
		})
	}
}

func TestRFC3261_S8_2_2_3_UnsupportedIsListed(t *testing.T) {
	bubble(t, siptx.Config{}, func(r *rig) {
		r.send(request("OPTIONS", "z9hG4bK1", "Require", "a, b", "require", "c"), theSwitch)
		if got := header(r.want("SIP/2.0 420", theSwitch), "Unsupported"); got != "a, b, c" {
			t.Errorf("got %q", got)
		}
		r.send(request("BYE", "z9hG4bK2"), theSwitch)
		if got := header(r.want("SIP/2.0 405", theSwitch), "Allow"); got != "INVITE, ACK, CANCEL, OPTIONS" {
			t.Errorf("got %q", got)
		}
	})
}

// TestRFC3261_S18_2_2_WhereAnswersGo: to the address the request came from; the port is that of sent-by, or with rport the
// one it came from (RFC 3581 §4).
func TestRFC3261_S18_2_2_WhereAnswersGo(t *testing.T) {
	from := netip.MustParseAddrPort("192.0.2.10:40000")
	port := func(p uint16) netip.AddrPort { return netip.AddrPortFrom(from.Addr(), p) }
	for _, c := range []struct {
		name, via, want string
		to              netip.AddrPort
	}{
		{"plain", "SIP/2.0/UDP 192.0.2.10:5070;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.10:5070;branch=z9hG4bK1", port(5070)},
		{"no port", "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1", port(5060)},
		{"a name", "SIP/2.0/UDP sbc.example.com:5070;branch=z9hG4bK1", "SIP/2.0/UDP sbc.example.com:5070;branch=z9hG4bK1;received=192.0.2.10", port(5070)},
		{"another address", "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1", "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;received=192.0.2.10", port(5070)},
		{"rport", "SIP/2.0/UDP 192.0.2.10:5070;rport;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.10:5070;branch=z9hG4bK1;received=192.0.2.10;rport=40000", from},
		{"rport behind", "SIP/2.0/UDP 192.0.2.10:5070;branch=z9hG4bK1;rport", "SIP/2.0/UDP 192.0.2.10:5070;branch=z9hG4bK1;received=192.0.2.10;rport=40000", from},
		{"forged received", "SIP/2.0/UDP 192.0.2.10:5070;received=198.51.100.9;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.10:5070;branch=z9hG4bK1", port(5070)},
		{"maddr", "SIP/2.0/UDP 192.0.2.10:5070;maddr=198.51.100.9;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.10:5070;maddr=198.51.100.9;branch=z9hG4bK1", port(5070)},
		{"two in one", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;rport, SIP/2.0/UDP 10.0.0.2", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=192.0.2.10;rport=40000, SIP/2.0/UDP 10.0.0.2", from},
		{"white space", "SIP / 2.0 / UDP 10.0.0.1 : 5070 ; branch = z9hG4bK1", "SIP / 2.0 / UDP 10.0.0.1 : 5070 ; branch = z9hG4bK1;received=192.0.2.10", port(5070)},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, siptx.Config{}, func(r *rig) {
				r.send(invite("1", "Via", c.via), from)
				answer := r.want("SIP/2.0 302", c.to)
				if got := header(answer, "Via"); got != c.want {
					t.Errorf("got %s\nwant %s", got, c.want)
				}
			})
		})
	}
}

// TestForgedSources: who is not served gets 403 for INVITE and OPTIONS, seldom, and nothing else.
func TestForgedSources(t *testing.T) {
	c := siptx.Config{Allow: func(a netip.Addr, _ string) bool { return a == theSwitch.Addr() }, RefusalsPerSecond: 3}
	bubble(t, c, func(r *rig) {
		forged := netip.MustParseAddrPort("198.51.100.9:5060")
		r.send(request("BYE", "z9hG4bK1"), forged)
		r.silence()
		for range 100 {
			r.send(invite("z9hG4bK1"), forged)
		}
		if out := r.wire.take(); len(out) != 2 {
			t.Errorf("%d answers, want 2", len(out))
		} else if !strings.HasPrefix(out[0].text, "SIP/2.0 403 Forbidden") {
			t.Errorf("got %s", out[0].text)
		}
		r.send(invite("z9hG4bK1"), theSwitch)
		r.want("SIP/2.0 302", theSwitch)
		if st := r.server.Stats(); st.RefusedSources != 101 || st.Transactions != 1 {
			t.Errorf("got %+v", st)
		}
	})
}

// TestStrangersOnStreams get one answer and little time.
func TestStrangersOnStreams(t *testing.T) {
	c := siptx.Config{Allow: func(a netip.Addr, _ string) bool { return a == theSwitch.Addr() }, ConnectionsMax: 32}
	bubble(t, c, func(r *rig) {
		stranger := netip.MustParseAddrPort("198.51.100.9:5060")
		asks, waits, third := r.connect(stranger, false), r.connect(stranger, false), r.connect(stranger, false)
		if !third.closed() {
			t.Error("more than a sixteenth of the places are taken by strangers")
		}
		asks.send(invite("z9hG4bK1") + invite("z9hG4bK2"))
		if got := asks.take(); strings.Count(got, "SIP/2.0 403") != 1 || !asks.closed() {
			t.Errorf("got %q, closed: %t", got, asks.closed())
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if !waits.closed() {
			t.Error("a connection of a stranger is kept")
		}
		served := r.connect(theSwitch, false)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		served.send(invite("z9hG4bK1") + invite("z9hG4bK2"))
		if got := served.take(); strings.Count(got, "SIP/2.0 302") != 2 || served.closed() {
			t.Errorf("got %q", got)
		}
	})
}

// TestHeaderInjection: what Respond says is written as one line or not at all.
func TestHeaderInjection(t *testing.T) {
	respond := func(context.Context, *siptx.Request) siptx.Response {
		return siptx.Response{Status: 302, Reason: "Moved\r\nX: y", Fields: []siptx.Field{
			{Name: "X-Good", Value: "1"}, {Name: "X-Bad", Value: "1\r\nEvil: yes"}, {Name: "X-Bad", Value: "1\nEvil: yes"},
			{Name: "X-Bad", Value: "1\x00"}, {Name: "X-Bad: x\r\nEvil", Value: "yes"}, {Name: "", Value: "x"},
			{Name: "v", Value: "SIP/2.0/UDP evil"}, {Name: "Content-length", Value: "10"}, {Name: "To", Value: "x"},
		}}
	}
	bubble(t, siptx.Config{Respond: respond}, func(r *rig) {
		r.send(invite("z9hG4bK1"), theSwitch)
		answer := r.want("SIP/2.0 302 Moved Temporarily\r\n", theSwitch)
		if strings.Contains(answer, "vil") || strings.Contains(answer, "X-Bad") || header(answer, "X-Good") != "1" {
			t.Errorf("got %s", answer)
		}
		if st := r.server.Stats(); st.FieldsRefused != 8 {
			t.Errorf("%d fields refused, want 8", st.FieldsRefused)
		}
	})
}

// TestRequestValues: what Respond reads is what came.
func TestRequestValues(t *testing.T) {
	var got *siptx.Request
	respond := func(ctx context.Context, r *siptx.Request) siptx.Response {
		got = r
		return found(ctx, r)
	}
	bubble(t, siptx.Config{Respond: respond}, func(r *rig) {
		text := invite("z9hG4bK1", "y", "first", "identity", "second,\r\n  folded \r\n\tagain", "Content-Length", "3", "body", "abcdef")
		r.send(text, theSwitch)
		if v := got.Values("IDENTITY"); !slices.Equal(v, []string{"first", "second, folded again"}) {
			t.Errorf("got %q", v)
		}
		if v := got.Value("Y"); v != "first" {
			t.Errorf("got %q", v)
		}
		if got.Body() != "abc" || got.Text() != strings.TrimSuffix(text, "def") {
			t.Errorf("got body %q of %q", got.Body(), got.Text())
		}
		if got.CallID() != "c-z9hG4bK1@192.0.2.10" || got.FromTag() != "f-z9hG4bK1" || got.ToTag() != "" || got.CSeq() != 1 ||
			got.Branch() != "z9hG4bK1" || got.Method != "INVITE" || got.URI != "sip:+12155550121@203.0.113.1" ||
			got.Transport != siptx.UDP || got.Source != theSwitch {
			t.Errorf("got %+v", got)
		}
	})
}

// TestSentIsTold: the message as it was sent, of a cancelled call too.
func TestSentIsTold(t *testing.T) {
	var told []string
	respond := func(ctx context.Context, r *siptx.Request) siptx.Response {
		if r.Value("X-Wait") != "" {
			<-ctx.Done()
		}
		response := found(ctx, r)
		response.Sent = func(b []byte) { told = append(told, string(b)) }
		return response
	}
	bubble(t, siptx.Config{Respond: respond}, func(r *rig) {
		r.send(invite("z9hG4bK1"), theSwitch)
		answer := r.want("SIP/2.0 302", theSwitch)
		r.send(invite("z9hG4bK2", "X-Wait", "yes"), theSwitch)
		r.send(request("CANCEL", "z9hG4bK2"), theSwitch)
		r.want("SIP/2.0 200", theSwitch)
		terminated := r.want("SIP/2.0 487", theSwitch)
		if !slices.Equal(told, []string{answer, terminated}) {
			t.Errorf("told %q", told)
		}
	})
}

// TestRFC3261_S18_1_1_LargeRepliesAreSentAndCounted: whether the network carries them is for the operator to see.
func TestRFC3261_S18_1_1_LargeRepliesAreSentAndCounted(t *testing.T) {
	respond := func(context.Context, *siptx.Request) siptx.Response {
		return siptx.Response{Status: 302, Fields: []siptx.Field{{Name: "Identity", Value: strings.Repeat("x", 1400)}}}
	}
	bubble(t, siptx.Config{Respond: respond}, func(r *rig) {
		r.send(invite("z9hG4bK1"), theSwitch)
		r.want("SIP/2.0 302", theSwitch)
		l := r.connect(theSwitch, false)
		l.send(invite("z9hG4bK2"))
		if st := r.server.Stats(); st.LargeReplies != 1 {
			t.Errorf("%d large replies, want 1", st.LargeReplies)
		}
	})
}

// TestStatsTellWhatHappened by transport, method, status and cause, with nothing a sender chose among the names.
func TestStatsTellWhatHappened(t *testing.T) {
	bubble(t, siptx.Config{}, func(r *rig) {
		r.send(invite("z9hG4bK1"), theSwitch)
		r.send(request("X-CHOSEN", "z9hG4bK2"), theSwitch)
		r.send(invite("z9hG4bK3", "CSeq", "x"), theSwitch)
		r.send("GET / HTTP/1.1\r\n\r\n", theSwitch)
		l := r.connect(theSwitch, false)
		l.send(request("OPTIONS", "z9hG4bK4"))
		st := r.server.Stats()
		if want := []siptx.RequestCount{{Transport: "udp", Method: "INVITE", Count: 2}, {Transport: "udp", Method: "other", Count: 2},
			{Transport: "tcp", Method: "OPTIONS", Count: 1}}; !slices.Equal(st.Requests, want) {
			t.Errorf("requests %v, want %v", st.Requests, want)
		}
		if want := []siptx.AnswerCount{{Transport: "udp", Status: 302, Count: 1}, {Transport: "udp", Status: 400, Count: 1},
			{Transport: "udp", Status: 405, Count: 1}, {Transport: "tcp", Status: 200, Count: 1}}; !slices.Equal(st.Answers, want) {
			t.Errorf("answers %v, want %v", st.Answers, want)
		}
		if st.Malformed["Bad CSeq"] != 1 || st.Malformed["Not SIP"] != 1 || st.Dropped["unanswerable"] != 1 || st.Streams != 1 {
			t.Errorf("got %+v", st)
		}
	})
}
