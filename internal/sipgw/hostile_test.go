package sipgw_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
)

// every is a row for each way to answer, told apart by the label of the Request-URI's host.
func every() []trunk.Row {
	labelled := func(label string, mode trunk.Mode, edit func(*trunk.Row)) trunk.Row {
		return row(mode, func(r *trunk.Row) { r.Name, r.Match.Label, r.Budget = label, label, 50*time.Millisecond; edit(r) })
	}
	onward := func(r *trunk.Row) { r.NextHop = "sip:192.0.2.99" }
	in := func(place trunk.Place) func(*trunk.Row) { return func(r *trunk.Row) { r.Answer.Identity = place } }
	return []trunk.Row{
		labelled("off", trunk.Off, func(r *trunk.Row) { r.Nothing = 302 }), labelled("off-onward", trunk.Off, onward),
		labelled("sign", trunk.Sign, in(trunk.InHeader)), labelled("sign-contact", trunk.Sign, in(trunk.InContact)),
		labelled("sign-both", trunk.Sign, in(trunk.InBoth)), labelled("sign-onward", trunk.Sign, onward),
		labelled("verify", trunk.Verify, func(r *trunk.Row) { r.Numbering.Caller = trunk.FromFirst }),
		labelled("verify-contact", trunk.Verify, func(r *trunk.Row) {
			r.Answer = trunk.AnswerStyle{Identity: trunk.InContact, Reason: trunk.ReasonSIP, Verstat: oob.VerstatAttested}
		}),
		labelled("verify-both", trunk.Verify, func(r *trunk.Row) {
			r.Answer = trunk.AnswerStyle{Identity: trunk.InBoth, LegacyAttestation: true, CallInfo: true, DisplayMark: true}
		}),
		labelled("verify-onward", trunk.Verify, onward),
	}
}

// sound wants a response of Respond to be writable: each field one line, each address one that sipgo's parser reads, none of our
// own, and nothing in it that the request has smuggled.
func (b *bed) sound(t testing.TB, r siptx.Response) {
	t.Helper()
	fields := r.Fields
	if r.Forward != nil {
		fields = append(append([]siptx.Field(nil), r.Forward.Replace...), r.Forward.Add...)
		if b.udp == r.Forward.To || b.tcp == r.Forward.To {
			t.Error("sent on to ourselves")
		}
	} else if r.Status < 300 || r.Status > 699 {
		t.Errorf("status %d", r.Status)
	}
	message := "SIP/2.0 302 Moved Temporarily\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-1\r\nFrom: <sip:a@b.example>;tag=f\r\nTo: <sip:b@b.example>;tag=t\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
	count := 0
	for _, f := range fields {
		for i := range len(f.Value) {
			if f.Value[i] < ' ' || f.Value[i] == 0x7f {
				t.Fatalf("%s holds a control character: %q", f.Name, f.Value)
			}
		}
		if f.Name == "From" {
			continue // sipgo would find two
		}
		message += f.Name + ": " + f.Value + "\r\n"
		count++
	}
	m, err := sip.ParseMessage([]byte(message + "Content-Length: 0\r\n\r\n"))
	if err != nil {
		t.Fatalf("sipgo does not understand it: %v\n%s", err, message)
	}
	response := m.(*sip.Response)
	if got := len(response.Headers()); got != count+6 {
		t.Fatalf("%d header fields of %d were understood\n%s", got-6, count, message)
	}
	if contact := response.Contact(); contact != nil {
		if contact.Address.Host == b.udp.Addr().String() && contact.Address.Port == int(b.udp.Port()) {
			t.Errorf("a Contact of our own\n%s", message)
		}
	}
}

// What a caller or a switch writes into the fields that are read comes out as what it is, or not at all.
func TestNothingIsSmuggledIntoAnAnswer(t *testing.T) {
	b := open(t, every()...)
	for name, edit := range map[string][]string{
		"quotes in a name":             {"P-Asserted-Identity", `"a\"\r\nIdentity: x" <tel:+12155550121>`},
		"a name that does not end":     {"P-Asserted-Identity", `"a\" <tel:+12155550121>`},
		"brackets in a name":           {"P-Asserted-Identity", `"<sip:evil@evil.example>" <tel:+12155550121>`},
		"a name without quotes":        {"P-Asserted-Identity", `a "b" \ <tel:+12155550121>`},
		"control characters in a name": {"P-Asserted-Identity", "\"a\x01\x1b[2J\t\" <tel:+12155550121>"},
		"no UTF-8 in a name":           {"P-Asserted-Identity", "\"a\xff\xfe\" <tel:+12155550121>"},
		"text that turns":              {"P-Asserted-Identity", "\"a\u202egnp.exe\" <tel:+12155550121>"},
		"brackets in a number":         {"P-Asserted-Identity", "<tel:+1215>,<sip:x@y>5550121>"},
		"quotes in a number":           {"P-Asserted-Identity", `<tel:+12155550121";x=">`},
		"spaces in a number":           {"P-Asserted-Identity", "<tel:+1 215 555 0121>"},
		"encoded lines in a user":      {"P-Asserted-Identity", "<sip:+12155550121%0d%0aIdentity:x@192.0.2.10>"},
		"a bare percent":               {"P-Asserted-Identity", "<sip:+12155550121%@192.0.2.10;x=%0>"},
		"a host that is none":          {"P-Asserted-Identity", "<sip:+12155550121@192.0.2.10,evil>"},
		"a host in brackets":           {"P-Asserted-Identity", "<sip:+12155550121@[::1%25eth0]>"},
		"a tel parameter":              {"P-Asserted-Identity", `<tel:+12155550121;ext="1,2";isub=%22>`},
		"a user parameter":             {"From", `<sip:+12155550121;a=b;;c;%3b@192.0.2.10>;tag=f1`},
		"a name in From":               {"From", `"a\\\"\\" <sip:+12155550121@192.0.2.10>;tag=f1`},
		"a user in the Request-URI":    {"uri", "sip:+12155550131;x=%0d%0a%22%3e,y'@LABEL.example"},
		"a tel Request-URI":            {"uri", "tel:+12155550131;phone-context=LABEL.example;x=[a]{b}|c^`"},
		"a tgrp":                       {"uri", "sip:+12155550131;tgrp=%22%3E%0a;trunk-context=%00@LABEL.example"},
		"a header in the Contact":      {"Contact", "<sip:sbc@127.0.0.1:5070?Route=%3Csip:evil%3E>"},
		"a Contact in quotes":          {"Contact", `"x\" <sip:a@b>" <sip:127.0.0.1:5070>;otg="a\"b,c"`},
		"a Contact of many":            {"Contact", "<sip:127.0.0.1:5070>, <sip:evil.example>"},
		"a star":                       {"Contact", "*"},
		"a Call-ID with quotes":        {"Call-ID", `"><sip:evil@evil.example>`},
		"an origid":                    {"Origination-Id", "123e4567-e89b-12d3-a456-42665544000\""},
		"an Identity":                  {"Identity", `a.b.c;info=<https://x>;alg=ES256;ppt="shaken", evil`},
		"a Resource-Priority":          {"Resource-Priority", `"ets.0", <>;,,,.`},
		"many asserted":                {"P-Asserted-Identity", strings.Repeat("<tel:+12155550121>,", 3000) + "<tel:+1>"},
		"many lines of asserted":       strings.Split(strings.Repeat("P-Asserted-Identity+|<tel:+12155550121>|", 400)+"X|y", "|"),
		"many Identity":                strings.Split(strings.Repeat("Identity+|a.b.c;info=<https://x>|", 400)+"X|y", "|"),
		"many Diversion":               strings.Split(strings.Repeat("Diversion+|<tel:+12155550121>|", 400)+"X|y", "|"),
		"a long name":                  {"P-Asserted-Identity", `"` + strings.Repeat("a", 5000) + `" <tel:+12155550121>`},
		"a long user":                  {"P-Asserted-Identity", "<sip:" + strings.Repeat("+", 5000) + "@192.0.2.10>"},
		"a long Request-URI":           {"uri", "sip:" + strings.Repeat("%22", 5000) + "@LABEL.example"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range every() {
				text := strings.ReplaceAll(invite(append([]string{"uri", "sip:+12155550131@LABEL.example"}, edit...)...), "LABEL", r.Name)
				response := b.gateway.Respond(t.Context(), read(t, text))
				b.sound(t, response)
				for _, f := range response.Fields {
					if target, _, _ := strings.Cut(f.Value, "?"); f.Name == "Contact" && strings.Contains(target, "evil") {
						t.Error(f.Value)
					}
				}
			}
		})
	}
}

// wire is a UDP socket in memory.
type wire struct {
	in, out chan string
	closed  chan struct{}
	once    sync.Once
}

var theSwitch = net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:5060"))

func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case text := <-w.in:
		return copy(b, text), theSwitch, nil
	case <-w.closed:
		return 0, nil, net.ErrClosed
	}
}

func (w *wire) WriteTo(b []byte, _ net.Addr) (int, error) {
	select {
	case w.out <- string(b):
	default: // nobody wants that many
	}
	return len(b), nil
}

func (w *wire) Close() error                     { w.once.Do(func() { close(w.closed) }); return nil }
func (w *wire) LocalAddr() net.Addr              { return theSwitch }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// read is what a real transaction layer makes of a datagram: the INVITE that it would ask about, or nil.
func read(t testing.TB, text string) *siptx.Request {
	asked := make(chan *siptx.Request, 1)
	server, err := siptx.New(siptx.Config{
		SentBy: "203.0.113.1", TransactionsMax: 16, // in a dialog, too
		Respond: func(_ context.Context, r *siptx.Request) siptx.Response {
			asked <- r
			return siptx.Response{Status: 404}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{in: make(chan string), out: make(chan string, 16), closed: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- server.ServeUDP(w) }()
	w.in <- text
	w.in <- "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-end-of-input\r\nFrom: <sip:a@b.example>;tag=f\r\n" +
		"To: <sip:b@b.example>\r\nCall-ID: end\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	for answer := range w.out { // what is read in order is begun in order
		if strings.Contains(answer, "z9hG4bK-end-of-input") {
			break
		}
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-served
	select {
	case r := <-asked:
		return r
	default:
		return nil
	}
}

// FuzzRespond answers whatever siptx takes for an INVITE: it never panics, is within the budget of the trunk, and the answer is one
// that can be written and read.
func FuzzRespond(f *testing.F) {
	b := open(f, every()...)
	seeds := 0
	for _, label := range every() {
		f.Add(invite("uri", "sip:+12155550131@"+label.Name+".example", "Identity", b.fresh(1), "Privacy", "id", "Resource-Priority", "ets.0",
			"P-Asserted-Identity", `"A" <tel:+12155550121;verstat=x>, <sip:+12155550121@192.0.2.10>`, "Date", "Sat, 13 Nov 2010 23:29:00 GMT"))
		seeds++
	}
	torture, err := filepath.Glob("../siptx/testdata/rfc4475/*.dat")
	b.must(err)
	for _, name := range torture {
		text, err := os.ReadFile(name)
		b.must(err)
		f.Add(string(text))
		seeds++
	}
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, text string) {
		request := read(t, text)
		if request == nil {
			return
		}
		request.Source = netip.MustParseAddrPort("127.0.0.1:5060")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		response := b.gateway.Respond(ctx, request)
		if ctx.Err() != nil {
			t.Fatal("it took longer than the budget of any trunk")
		}
		b.sound(t, response)
	})
}
