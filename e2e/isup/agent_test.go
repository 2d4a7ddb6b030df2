package isup_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// agent is a SIP user agent on a UDP socket of its own: what phones and switches have in common. sipgo does the work.
type agent struct {
	conn    net.PacketConn
	address string // host:port
	uri     sip.Uri
	ua      *sipgo.UserAgent
	server  *sipgo.Server
	placed  *sipgo.DialogClientCache // calls that it has placed
	taken   *sipgo.DialogServerCache // calls that it has been offered
}

// newAgent makes one that does not serve yet.
func newAgent(t testing.TB) *agent {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	a := &agent{conn: conn, address: conn.LocalAddr().String()}
	a.uri = sip.Uri{Scheme: "sip", Host: "127.0.0.1", Port: conn.LocalAddr().(*net.UDPAddr).Port}
	a.ua, err = sipgo.NewUA(sipgo.WithUserAgentHostname("127.0.0.1"))
	check(t, err)
	a.server, err = sipgo.NewServer(a.ua)
	check(t, err)
	client, err := sipgo.NewClient(a.ua, sipgo.WithClientConnectionAddr(a.address))
	check(t, err)
	contact := sip.ContactHeader{Address: a.uri}
	a.placed, a.taken = sipgo.NewDialogClientCache(client, contact), sipgo.NewDialogServerCache(client, contact)
	return a
}

// serve serves until the test ends. Each INVITE is given to offered, on a goroutine of its own; the call is over when that
// returns.
func (a *agent) serve(t testing.TB, offered func(*sipgo.DialogServerSession)) {
	t.Helper()
	a.server.OnInvite(func(request *sip.Request, tx sip.ServerTransaction) {
		call, err := a.taken.ReadInvite(request, tx)
		if err != nil {
			_ = tx.Respond(sip.NewResponseFromRequest(request, 400, "Bad Request", nil)) // nobody is left to tell
			return
		}
		defer call.Close()
		offered(call)
	})
	a.server.OnAck(func(request *sip.Request, tx sip.ServerTransaction) {
		_ = a.taken.ReadAck(request, tx) // an ACK has no answer, whatever is wrong with it
	})
	a.server.OnBye(func(request *sip.Request, tx sip.ServerTransaction) {
		if a.taken.ReadBye(request, tx) != nil && a.placed.ReadBye(request, tx) != nil {
			_ = tx.Respond(sip.NewResponseFromRequest(request, 481, "Call Does Not Exist", nil)) // nobody is left to tell
		}
	})
	first := &firstRead{PacketConn: a.conn, begun: make(chan struct{})}
	serving := make(chan struct{})
	go func() {
		defer close(serving)
		_ = a.server.ServeUDP(first) // until it is closed
	}()
	await(t, first.begun, "a SIP server") // until then, a client would open a socket of its own
	t.Cleanup(func() {
		_ = a.ua.Close()
		_ = a.conn.Close() // by the agent, perhaps
		<-serving
	})
}

// firstRead is a socket that tells when it is read from.
type firstRead struct {
	net.PacketConn
	once  sync.Once
	begun chan struct{}
}

func (c *firstRead) ReadFrom(p []byte) (int, net.Addr, error) {
	c.once.Do(func() { close(c.begun) })
	return c.PacketConn.ReadFrom(p)
}

// newInvite makes an INVITE with SDP and these header fields, each "Name: value". sipgo adds those that name the call.
func newInvite(t testing.TB, uri string, fields ...string) *sip.Request {
	t.Helper()
	text := fmt.Sprintf("INVITE %s SIP/2.0\r\n%s\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", uri, strings.Join(fields, "\r\n"), len(sdp), sdp)
	m, err := sip.ParseMessage([]byte(text))
	if err != nil {
		t.Errorf("%v:\n%s", err, text)
		return sip.NewRequest(sip.INVITE, sip.Uri{})
	}
	return m.(*sip.Request)
}

// sdp is a session of which no octet is ever sent: the bed has no bearer.
const sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"

// values are the values of all header fields of a name, in their order.
func values(m interface{ GetHeaders(string) []sip.Header }, name string) []string {
	var all []string
	for _, h := range m.GetHeaders(name) {
		all = append(all, h.Value())
	}
	return all
}

// aWhile is a context for what must happen at the end of a call, when that of the call has ended.
func aWhile() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience/2)
}

// q850 is a Reason header field with a cause of ISUP.
func q850(cause int) sip.Header {
	return sip.NewHeader("Reason", "Q.850;cause="+strconv.Itoa(cause))
}
