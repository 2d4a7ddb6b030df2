package sipgw_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/sipgw"
	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

// bed is a gateway behind real sockets on the loopback interface, with the services of two providers and, where a row names one, a
// CPS between them.
type bed struct {
	*calltest.Laboratory
	gateway  *sipgw.Gateway
	server   *siptx.Server
	dips     *dip.Service
	recorder *trace.Recorder
	udp, tcp netip.AddrPort
	cps      *oobtest.CPS
	client   *cpsclient.Client

	publisher hung           // in place of client, if it is there
	delegate  *stias.Service // signs on the row behalf, if it is there; and what it signs is accepted
}

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// row is a trunk of the loopback interface in the plan of North America, as edit has it.
func row(mode trunk.Mode, edit func(*trunk.Row)) trunk.Row {
	r := trunk.Row{Name: mode.String(), Mode: mode, Numbering: trunk.Numbering{Plan: tn.NANP}, Budget: 5 * time.Second}
	r.Match.Sources = []netip.Prefix{loopback}
	if mode.Publishes() || mode == trunk.Retrieve {
		r.CPS, r.Profile = []string{"laboratory"}, oob.Mesh
	}
	if edit != nil {
		edit(&r)
	}
	return r
}

func open(t testing.TB, rows ...trunk.Row) *bed {
	t.Helper()
	b := &bed{Laboratory: calltest.Start(t)}
	var err error
	own, err := tn.ParseRange(calltest.Caller.String() + "-" + calltest.Called.String())
	b.must(err)
	signer, err := stias.New(stias.Config{
		SPC: "1234", Credential: stias.Credential{Key: b.Signer.Key, X5U: b.Signer.X5U}, Policy: stias.Policy{Own: []tn.Range{own}}, Now: b.Clock.Now,
	})
	b.must(err)
	b.recorder, err = trace.Open(trace.Config{Messages: true})
	b.must(err)
	b.dips, err = dip.New(dip.Config{SPC: "1234", Signer: signer, Now: b.Clock.Now})
	b.must(err)
	for _, r := range rows {
		if len(r.CPS) > 0 && b.cps == nil {
			b.openCPS()
		}
	}
	b.setRows(rows...)

	var listeners []netip.AddrPort
	b.gateway, err = sipgw.New(sipgw.Config{Dips: b.dips, Recorder: b.recorder, Own: func(at netip.AddrPort) bool {
		for _, l := range listeners {
			if l == at {
				return true
			}
		}
		return false
	}})
	b.must(err)
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	b.must(err)
	b.udp = socket.LocalAddr().(*net.UDPAddr).AddrPort()
	door, err := net.Listen("tcp", "127.0.0.1:0")
	b.must(err)
	b.tcp = door.Addr().(*net.TCPAddr).AddrPort()
	listeners = []netip.AddrPort{b.udp, b.tcp}
	b.server, err = siptx.New(siptx.Config{Allow: func(a netip.Addr, transport string) bool { return b.dips.Knows(a, transport == siptx.TLS) }, Respond: b.gateway.Respond, SentBy: b.udp.String()})
	b.must(err)
	served := make(chan error, 2)
	go func() { served <- b.server.ServeUDP(socket) }()
	go func() { served <- b.server.ServeStream(door, siptx.TCP) }()
	t.Cleanup(func() {
		if err := b.server.Close(); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := <-served; err != nil && !errors.Is(err, net.ErrClosed) { // that is the end before the beginning
				t.Error(err)
			}
		}
		if err := b.recorder.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bed) openCPS() {
	b.Helper()
	var err error
	b.cps, err = oobtest.StartCPS(b.PKI, b.Repository, oobtest.CPSConfig{Now: b.Clock.Now})
	b.must(err)
	b.Cleanup(func() { b.cps.Close() })
	b.client, err = cpsclient.New(cpsclient.Config{
		CPSs: []cpsclient.CPS{{URL: b.cps.URL, Audience: oobtest.CPSAudience}}, SPC: b.Signer.SPC, Key: b.Signer.Key, X5U: b.Signer.X5U,
		RootCAs: b.PKI.TLSRoots(), Now: b.Clock.Now, Timeout: 5 * time.Second, Budget: 10 * time.Second, NotFoundFinal: true,
	})
	b.must(err)
	b.Cleanup(b.client.Close)
}

// blocking is the name of a row on which calls with bad PASSporTs are blocked.
const blocking = "blocking"

// behalf is the name of a row on which calls are signed for a provider that has no service of its own.
const behalf = "behalf"

// setRows changes to another trunk table.
func (b *bed) setRows(rows ...trunk.Row) {
	b.Helper()
	table, err := trunk.New(rows)
	b.must(err)
	b.dips.SetTrunks(dip.NewTrunks(table, func(r *trunk.Row) dip.Trunk {
		equipped := dip.Trunk{BlockFailed: r.Name == blocking}
		if b.client != nil && len(r.CPS) > 0 {
			equipped.Publisher, equipped.Retriever, equipped.Held = b.client, b.client, b.client
		}
		if r.Name == behalf {
			equipped.Signer = b.delegate
		}
		if b.publisher.began != nil {
			equipped.Publisher = b.publisher
		}
		if r.Mode == trunk.Verify || r.Mode.Signs() {
			equipped.Verifies = b.Service(func(c *stivs.Config) {
				if b.delegate != nil {
					c.Accept = []passport.Type{passport.Base}
				}
				if b.client != nil && len(r.CPS) > 0 {
					c.Retriever = dip.Watched(b.client)
				}
			})
		}
		return equipped
	}))
}

// invite writes an INVITE over UDP from 127.0.0.1:5060. edit replaces or, with an empty value, takes out header fields; "body" and
// "uri" stand for these. A field that ends in + comes beside others.
func invite(edit ...string) string {
	fields := []string{
		"uri", "sip:+12155550131@oob.example;user=phone",
		"Via", "SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK-1",
		"Max-Forwards", "70",
		"From", `"A. Caller" <sip:+12155550121@192.0.2.10;user=phone>;tag=f1`,
		"To", "<sip:+12155550131@oob.example;user=phone>",
		"Call-ID", "c1@192.0.2.10",
		"CSeq", "1 INVITE",
		"Contact", "<sip:sbc@127.0.0.1:5070>",
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
		fields = append(fields, strings.TrimSuffix(edit[i], "+"), edit[i+1])
	}
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		switch {
		case fields[i] == "uri":
			b.WriteString("INVITE " + fields[i+1] + " SIP/2.0\r\n")
		case fields[i+1] != "":
			fmt.Fprintf(&b, "%s: %s\r\n", fields[i], fields[i+1])
		}
	}
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", b.String(), len(body), body)
}

// answer is a response as sipgo's parser reads it.
type answer struct {
	*sip.Response
	t    testing.TB
	text string
}

// ask sends a request over UDP and gives the final answer.
func (b *bed) ask(request string) answer {
	b.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(b.udp))
	b.must(err)
	defer conn.Close()
	_, err = conn.Write([]byte(request))
	b.must(err)
	b.must(conn.SetReadDeadline(time.Now().Add(time.Minute)))
	buffer := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buffer)
		b.must(err)
		if !bytes.HasPrefix(buffer, []byte("SIP/2.0 100 ")) {
			return parsed(b, buffer[:n])
		}
	}
}

func parsed(t testing.TB, message []byte) answer {
	t.Helper()
	m, err := sip.ParseMessage(bytes.Clone(message))
	if err != nil {
		t.Fatalf("sipgo does not understand the answer: %v\n%s", err, message)
	}
	response, ok := m.(*sip.Response)
	if !ok {
		t.Fatalf("no response:\n%s", message)
	}
	return answer{Response: response, t: t, text: string(message)}
}

// values gives all values of a header field.
func (a answer) values(name string) (values []string) {
	for _, h := range a.GetHeaders(name) {
		values = append(values, h.Value())
	}
	return values
}

// has wants a header field to be there once, with this value; an empty one wants none.
func (a answer) has(name, want string) {
	a.t.Helper()
	var values []string
	for line := range strings.SplitSeq(a.text, "\r\n") {
		if value, found := strings.CutPrefix(line, name+": "); found {
			values = append(values, value)
		}
	}
	if got := strings.Join(values, " | "); got != want {
		a.t.Errorf("%s: %q, want %q\n%s", name, got, want, a.text)
	}
}

// status wants an answer to have a status.
func (a answer) status(want int) {
	a.t.Helper()
	if a.StatusCode != want {
		a.t.Fatalf("%d, want %d\n%s", a.StatusCode, want, a.text)
	}
}

// embedded are the header fields in the Contact URI.
func (a answer) embedded() url.Values {
	a.t.Helper()
	var contact string
	for line := range strings.SplitSeq(a.text, "\r\n") {
		if value, found := strings.CutPrefix(line, "Contact: <"); found {
			contact = strings.TrimSuffix(value, ">")
		}
	}
	_, query, _ := strings.Cut(contact, "?")
	values, err := url.ParseQuery(strings.ReplaceAll(query, "+", "%2B"))
	if err != nil {
		a.t.Fatalf("%v in %q", err, query)
	}
	return values
}
