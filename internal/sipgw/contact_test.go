package sipgw_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/passport"
)

func TestWhereACallIsSentBackTo(t *testing.T) {
	b := open(t, row(trunk.Sign, func(r *trunk.Row) { r.Match.Sources = append(r.Match.Sources, netip.MustParsePrefix("2001:db8::/64")) }))
	const source = "\x00" // stands for the port that the request came from
	for i, c := range []struct {
		name, uri, contact string
		want               string
	}{
		{"its Contact", "sip:+12155550131@oob.example", "<sip:127.0.0.1:5070>", "<sip:+12155550131@127.0.0.1:5070>"},
		{"without port", "sip:+12155550131@oob.example", "<sip:127.0.0.1>", "<sip:+12155550131@127.0.0.1:5060>"},
		{"over TCP", "sip:+12155550131@oob.example", "<sip:127.0.0.1;transport=TCP>", "<sip:+12155550131@127.0.0.1:5060;transport=tcp>"},
		{"over TLS", "sip:+12155550131@oob.example", "<sips:127.0.0.1>", "<sip:+12155550131@127.0.0.1:5061;transport=tls>"},
		{"another address of the trunk", "sip:+12155550131@oob.example", "<sip:[2001:db8::7]:5070>", "<sip:+12155550131@[2001:db8::7]:5070>"},
		{"a tel URI", "tel:+12155550131;phone-context=x", "<sip:127.0.0.1:5070>", "<sip:+12155550131;phone-context=x@127.0.0.1:5070;user=phone>"},
		{"a ported number", "sip:+12155550131;npdi;rn=+12155550000@oob.example;user=phone", "<sip:127.0.0.1:5070>",
			"<sip:+12155550131;npdi;rn=+12155550000@127.0.0.1:5070;user=phone>"},
		{"a password goes", "sip:+12155550131:secret@oob.example", "<sip:127.0.0.1:5070>", "<sip:+12155550131@127.0.0.1:5070>"},
		{"parameters of the place go", "sip:+12155550131@oob.example;maddr=198.51.100.1;lr", "<sip:127.0.0.1:5070>", "<sip:+12155550131@127.0.0.1:5070>"},
		{"verstat goes", "sip:+12155550131;verstat=TN-Validation-Passed@oob.example", "<sip:127.0.0.1:5070>", "<sip:+12155550131@127.0.0.1:5070>"},

		{"the Contact of a telephone", "sip:+12155550131@oob.example", "<sip:evil@198.51.100.66:5060>", "<sip:+12155550131@127.0.0.1:" + source + ">"},
		{"a name", "sip:+12155550131@oob.example", "<sip:sbc.example>", "<sip:+12155550131@127.0.0.1:" + source + ">"},
		{"a transport of no use", "sip:+12155550131@oob.example", "<sip:127.0.0.1:5070;transport=ws>", "<sip:+12155550131@127.0.0.1:" + source + ">"},
		{"no Contact", "sip:+12155550131@oob.example", "", "<sip:+12155550131@127.0.0.1:" + source + ">"},
		{"a Contact that is none", "sip:+12155550131@oob.example", "<sip:127.0.0.1:99999>", "<sip:+12155550131@127.0.0.1:" + source + ">"},
		{"RFC 3261 §8.3: ourselves", "sip:+12155550131@oob.example", "<sip:" + b.udp.String() + ">", "<sip:+12155550131@127.0.0.1:" + source + ">"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := b.ask(invite(append(again(i), "uri", c.uri, "Contact", c.contact)...))
			a.t = t
			a.status(302)
			_, port, _ := strings.Cut(a.text, ";rport=")
			port, _, _ = strings.Cut(port, "\r\n")
			a.has("Contact", strings.ReplaceAll(c.want, source, port))
		})
	}
}

// Over a stream the port that a request came from is not one that the switch listens at.
func TestWhereACallIsSentBackToOverAStream(t *testing.T) {
	b := open(t, row(trunk.Sign, func(r *trunk.Row) { r.Match.Sources = append(r.Match.Sources, netip.MustParsePrefix("2001:db8::/64")) }))
	for i, c := range []struct{ via, source, transport, want string }{
		{"SIP/2.0/TCP 127.0.0.1:5070;branch=z9hG4bK-%d", "127.0.0.1:40000", "tcp", "<sip:+12155550131@127.0.0.1:5070;user=phone;transport=tcp>"},
		{"SIP/2.0/TCP sbc.example : 5070 ;branch=z9hG4bK-%d", "127.0.0.1:40000", "tcp", "<sip:+12155550131@127.0.0.1:5070;user=phone;transport=tcp>"},
		{"SIP/2.0/TCP sbc.example;branch=z9hG4bK-%d", "127.0.0.1:40000", "tcp", "<sip:+12155550131@127.0.0.1:5060;user=phone;transport=tcp>"},
		{"SIP/2.0/TLS [2001:db8::7];branch=z9hG4bK-%d", "[2001:db8::7]:40000", "tls", "<sip:+12155550131@[2001:db8::7]:5061;user=phone;transport=tls>"},
		{"SIP/2.0/TLS [2001:db8::7]:5081;branch=z9hG4bK-%d", "[2001:db8::7]:40000", "tls", "<sip:+12155550131@[2001:db8::7]:5081;user=phone;transport=tls>"},
	} {
		request := read(t, invite("Contact", "<sip:evil.example>", "Via", fmt.Sprintf(c.via, i)))
		request.Source, request.Transport = netip.MustParseAddrPort(c.source), c.transport
		if r := b.gateway.Respond(t.Context(), request); r.Status != 302 || r.Fields[0].Value != c.want {
			t.Errorf("%v, want %s", r, c.want)
		}
	}
}

func TestIdentityEmbeddedInContact(t *testing.T) {
	b := open(t, row(trunk.Sign, func(r *trunk.Row) { r.Answer.Identity = trunk.InContact }))
	a := b.ask(invite())
	a.status(302)
	a.has("Identity", "")
	a.has("Date", "")
	embedded := a.embedded()
	if len(embedded["Identity"]) != 1 || len(embedded["Date"]) != 1 {
		t.Fatalf("%v\n%s", embedded, a.text)
	}
	b.believed(embedded.Get("Identity"))
	for _, c := range []byte(` "<>;,`) { // RFC 3261 §19.1.1
		_, query, _ := strings.Cut(a.text, "?")
		query, _, _ = strings.Cut(query, ">\r\n")
		if strings.IndexByte(query, c) >= 0 {
			t.Errorf("%q is not encoded in %s", c, query)
		}
	}
}

// Over UDP what would be too long for a datagram stands in the header alone.
func TestIdentityInBothPlaces(t *testing.T) {
	b := open(t, row(trunk.Sign, func(r *trunk.Row) { r.Answer.Identity = trunk.InBoth }))
	a := b.ask(invite())
	if a.has("Contact", contactOfSwitch); len(a.values("Identity")) != 1 || b.gateway.Stats().OnceOnly != 1 {
		t.Errorf("%+v\n%s", b.gateway.Stats(), a.text)
	}
	request := read(t, invite())
	request.Transport = "tcp"
	request.Source = netip.MustParseAddrPort("127.0.0.1:40000")
	r := b.gateway.Respond(t.Context(), request)
	if r.Status != 302 || len(r.Fields) != 3 || !strings.Contains(r.Fields[0].Value, "?Identity=") || r.Fields[1].Name != "Identity" || b.gateway.Stats().OnceOnly != 1 {
		t.Errorf("%v", r)
	}

	b.setRows(row(trunk.Verify, func(r *trunk.Row) { r.Answer.Identity = trunk.InBoth })) // that is short
	a = b.ask(invite(again(1)...))
	a.has("P-Asserted-Identity", `"A. Caller" <sip:+12155550121;`+none+`@192.0.2.10;user=phone>`)
	if got := a.embedded().Get("P-Asserted-Identity"); got != `"A. Caller" <sip:+12155550121;`+none+`@192.0.2.10;user=phone>` {
		t.Errorf("%q", got)
	}
}

// An answer that fits into no datagram would be no answer at all.
func TestAnAnswerThatIsTooLongForUDP(t *testing.T) {
	b := open(t, row(trunk.Verify, func(r *trunk.Row) { r.Answer.Identity = trunk.InContact }))
	long := "<sip:" + strings.Repeat("{", 3900) + "@example.com>"
	a := b.ask(invite("P-Asserted-Identity", long+","+long+","+long))
	a.status(404)
	if b.gateway.Stats().LeftOut != 1 {
		t.Errorf("%+v", b.gateway.Stats())
	}
}

// A switch that is found nowhere but at our own address gets no Contact that would come back to us.
func TestACallIsNeverSentBackToOurselves(t *testing.T) {
	b := open(t, row(trunk.Sign, nil))
	request := read(t, invite("Contact", ""))
	request.Source = b.udp
	r := b.gateway.Respond(t.Context(), request)
	if r.Status != 482 || len(r.Fields) != 0 || b.gateway.Stats().Loops != 1 {
		t.Errorf("%v %+v", r, b.gateway.Stats())
	}
	b.ask(invite(append(again(1), "Max-Forwards", "0")...)).status(483)
}

// A retargeting that we sign is told in the redirection (RFC 8946 §7).
func TestRFC8946_S7_DivInARedirection(t *testing.T) {
	b := open(t, row(trunk.Sign, nil))
	a := b.ask(invite("Identity", b.Shaken(), "uri", "sip:+12155550199@oob.example;user=phone",
		"Diversion", "<sip:+12155550131@192.0.2.10>;reason=unconditional"))
	a.status(302)
	values := a.values("Identity")
	if len(values) != 1 {
		t.Fatalf("%d Identity\n%s", len(values), a.text)
	}
	token, err := passport.Parse(strings.SplitN(values[0], ";", 2)[0])
	b.must(err)
	if token.Header.PPT != passport.Div || token.Claims.Div != calltest.Called || fmt.Sprint(token.Claims.Dest) != "["+calltest.Another.String()+"]" {
		t.Errorf("%+v", token)
	}
}
