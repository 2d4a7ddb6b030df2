package cps_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// listener hears a subscription.
type listener struct {
	*testing.T
	next  func() (rfc9888.Event, error)
	close func()
}

// client speaks as the holder of a certificate.
func (p *pair) client(as *oobtest.Identity) *http.Client {
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.PKI.TLSRoots(), Certificates: []tls.Certificate{as.TLS()}},
	}}
	p.Cleanup(client.CloseIdleConnections)
	return client
}

const downstream = "0-" + oobtest.DownstreamSPC

// subscription is the path of one.
func subscription(profile oob.Profile, after string, resources ...string) string {
	query := url.Values{"dest": resources, "profile": {profile.String()}}
	if after != "" {
		query.Set("after", after)
	}
	return rfc9888.SubscribePattern + "?" + query.Encode()
}

// listen subscribes over server-sent events.
func (p *pair) listen(as *oobtest.Identity, path string) *listener {
	p.Helper()
	ctx, cancel := context.WithCancel(p.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.CPS.URL+path, nil)
	if err != nil {
		p.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := p.client(as).Do(request)
	if err != nil {
		p.Fatal(err)
	}
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		text, _ := io.ReadAll(response.Body)
		p.Fatalf("%d %s", response.StatusCode, text)
	}
	stream := rfc9888.NewStream(bufio.NewReader(response.Body))
	l := &listener{p.T, stream.Next, func() { cancel(); response.Body.Close() }}
	p.Cleanup(l.close)
	return l
}

// connect subscribes over a WebSocket.
func (p *pair) connect(as *oobtest.Identity, path string) *listener {
	p.Helper()
	conn, response, err := websocket.Dial(p.Context(), "wss"+strings.TrimPrefix(p.CPS.URL, "https")+path, &websocket.DialOptions{HTTPClient: p.client(as)})
	if err != nil {
		p.Fatal(err, response)
	}
	conn.SetReadLimit(rfc9888.EventBytesMax)
	l := &listener{p.T, func() (rfc9888.Event, error) {
		_, text, err := conn.Read(p.Context())
		if err != nil {
			return rfc9888.Event{}, err
		}
		return rfc9888.ReadFrame(text)
	}, func() { conn.CloseNow() }}
	p.Cleanup(l.close)
	return l
}

// hears wants the next event that is none of being alive to bring this PASSporT, and gives its cursor.
func (l *listener) hears(token string) string {
	l.Helper()
	for {
		event, err := l.next()
		switch {
		case err != nil:
			l.Fatal(err)
		case event.Type == rfc9888.EventAlive:
		case event.Type != rfc9888.EventPassports || !slices.Equal(event.Held.Passports, []string{token}):
			l.Fatalf("got %+v", event)
		default:
			return event.Cursor
		}
	}
}

// hearsAll wants the next events to bring these, in whatever order, each at least once.
func (l *listener) hearsAll(tokens ...string) {
	l.Helper()
	for missing := slices.Clone(tokens); len(missing) > 0; {
		event, err := l.next()
		if err != nil {
			l.Fatal(err)
		}
		if event.Type == rfc9888.EventPassports {
			if !slices.Contains(tokens, event.Held.Passports[0]) {
				l.Fatalf("got %+v", event)
			}
			missing = slices.DeleteFunc(missing, func(token string) bool { return token == event.Held.Passports[0] })
		}
	}
}

// eventually waits for what another goroutine is about to do.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for t.Context().Err() == nil {
		if done() {
			return
		}
		runtime.Gosched()
	}
	t.Fatal("it has not come about")
}

// subscribers waits until so many are heard.
func (p *pair) subscribers(n int) {
	p.Helper()
	eventually(p.T, func() bool { return p.CPS.Hub.Stats().Subscribers == n })
}

func (p *pair) submit(token string) {
	p.Helper()
	p.is(p.ask(p.Upstream, http.MethodPost, collection, token), 201)
}

// TestRFC9888_S6_PushOverBothStreams: numbers, ranges and codes; each is told, with the cursor to go on from.
func TestRFC9888_S6_PushOverBothStreams(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	ways := map[string]func(*oobtest.Identity, string) *listener{"events": p.listen, "socket": p.connect}
	var all []*listener
	for _, way := range ways {
		all = append(all,
			way(p.Downstream, subscription(oob.RFC9888, "", downstream)),
			way(p.delegate("1-12155550130-5"), subscription(oob.RFC9888, "", "1-12155550130-5")),
			way(p.delegate("2-"+oobtest.CalledNumber), subscription(oob.RFC9888, "", "2-12155550131")),
		)
	}
	p.subscribers(len(all))
	for _, seed := range []string{"a", "b"} {
		token := p.Passport(seed)
		p.submit(token)
		for _, l := range all {
			l.hears(token)
		}
	}
}

// TestRFC9888_S6_ResumeWithoutLoss: what came while nobody listened is told to who comes again with a cursor, over either stream.
func TestRFC9888_S6_ResumeWithoutLoss(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	first := p.listen(p.Downstream, subscription(oob.RFC9888, "", downstream))
	p.subscribers(1)
	a, b, c := p.Passport("a"), p.Passport("b"), p.Passport("c")
	p.submit(a)
	cursor := first.hears(a)
	first.close()
	p.submit(b)
	p.submit(c)
	for _, way := range []func(*oobtest.Identity, string) *listener{p.listen, p.connect} {
		again := way(p.Downstream, subscription(oob.RFC9888, cursor, downstream))
		again.hearsAll(b, c)
	}
	// A cursor of another process: everything that is live comes again, after a word about it.
	lost := p.listen(p.Downstream, subscription(oob.RFC9888, strings.Repeat("A", 22), downstream))
	for {
		event, err := lost.next()
		if err != nil || event.Type == rfc9888.EventPassports {
			t.Fatalf("%+v %v", event, err)
		}
		if event.Type == rfc9888.EventGap {
			break
		}
	}
	lost.hearsAll(a, b, c)
}

// TestRFC9888_S6_SubscribersMayWhatTheyMayRead: interests that are not the subscriber's, and numbers that are not any more.
func TestRFC9888_S6_SubscribersMayWhatTheyMayRead(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	owner := p.delegate("2-" + oobtest.CalledNumber)
	for _, c := range []struct {
		name string
		who  *oobtest.Identity
		path string
		want oob.Kind
	}{
		{"another's code", p.Upstream, subscription(oob.RFC9888, "", downstream), oob.OutOfScope},
		{"another's number", p.Upstream, subscription(oob.RFC9888, "", "2-12155550131"), oob.OutOfScope},
		{"another's range", p.Upstream, subscription(oob.RFC9888, "", "1-12155550130-10"), oob.OutOfScope},
		{"own and another's", p.Downstream, subscription(oob.RFC9888, "", downstream, "0-1234"), oob.OutOfScope},
		{"beyond a delegate's number", owner, subscription(oob.RFC9888, "", "2-12155550132"), oob.OutOfScope},
		{"a delegate for its provider", owner, subscription(oob.RFC9888, "", downstream), oob.OutOfScope},
		{"calls of another company", p.Upstream, subscription(oob.Company, "", downstream), oob.OutOfScope},
		{"number ported away", p.Downstream, subscription(oob.RFC9888, "", "2-12155550139"), oob.OutOfScope},
		{"everything there is", p.Upstream, subscription(oob.RFC9888, "", "1-10000000000-1000000000"), oob.OutOfScope},
		{"a form that has none", p.Downstream, subscription(oob.Mesh, "", downstream), oob.Malformed},
		{"nothing", p.Downstream, subscription(oob.RFC9888, ""), oob.Malformed},
		{"nonsense", p.Downstream, subscription(oob.RFC9888, "", "3-1"), oob.Malformed},
		{"nobody's cursor", p.Downstream, subscription(oob.RFC9888, "nonsense", downstream), oob.Malformed},
		{"too many", p.Downstream, subscription(oob.RFC9888, "", slices.Repeat([]string{downstream}, 300)...), oob.TooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &pair{t, p.Pair}
			p.is(p.ask(c.who, http.MethodGet, c.path, "", "Accept", "text/event-stream"), c.want.Row().HTTP, c.want)
		})
	}
	p.is(p.ask(p.Downstream, http.MethodGet, subscription(oob.RFC9888, "", downstream), ""), 406, oob.NotAcceptable)
	p.is(p.ask(nil, http.MethodGet, subscription(oob.RFC9888, "", downstream), "", "Accept", "text/event-stream"), 401, oob.Unproven)
	// A range in which a number has been ported away: that one is not told of.
	l := p.listen(p.Downstream, subscription(oob.RFC9888, "", "1-12155550130-10"))
	p.subscribers(1)
	ported := p.call("ported", "12155550139")
	p.is(p.ask(p.Upstream, http.MethodPost, "/cps/12155550139/ppts", ported), 201)
	token := p.Passport("a")
	p.submit(token)
	l.hears(token)
}

// TestRFC7240_S4_3_WaitForACall: a retrieval waits for what is not there yet, in both forms, and no longer than it was asked to.
func TestRFC7240_S4_3_WaitForACall(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	for _, c := range []struct{ read, write string }{{collection + "?orig=" + oobtest.CallingNumber, collection}, {companyCall, company}} {
		answers := make(chan reply)
		go func() {
			answers <- p.ask(p.Downstream, http.MethodGet, c.read, "", "Prefer", "wait=30, return=representation")
		}()
		eventually(t, func() bool { return p.CPS.Hub.Stats().Watchers == 1 })
		token := p.Passport("waited for " + c.write)
		p.is(p.ask(p.Upstream, http.MethodPost, c.write, token), 201)
		if got := <-answers; got.status != 200 || got.body != `{"passports":["`+token+`"]}` {
			t.Errorf("%s: %d %s", c.read, got.status, got.body)
		}
	}
	if got := p.ask(p.Downstream, http.MethodGet, "/cps/12155550132/ppts", "", "Prefer", "wait=1"); got.status != 200 || got.body != "[]" {
		t.Errorf("nothing came: %d %s", got.status, got.body)
	}
	eventually(t, func() bool { return p.CPS.Hub.Stats().Watchers == 0 })
}

// TestRFC9888_S6_AStreamOutlivesNoCredential: who subscribes is asked again while the stream goes on.
func TestRFC9888_S6_AStreamOutlivesNoCredential(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{Door: httpapi.Config{Heartbeat: time.Millisecond}})
	brief := p.issue(oobtest.IssueConfig{SPC: oobtest.DownstreamSPC, NotAfter: p.Clock.Now().Add(time.Hour)})
	l := p.listen(brief, subscription(oob.RFC9888, "", downstream))
	if event, err := l.next(); err != nil || event.Type != rfc9888.EventAlive || event.Cursor == "" {
		t.Fatalf("%+v %v", event, err)
	}
	p.Clock.Advance(2 * time.Hour)
	for {
		event, err := l.next()
		if err != nil {
			t.Fatal(err)
		}
		if event.Type == rfc9888.EventEnd {
			if event.Reason != rfc9888.EndCredential {
				t.Errorf("reason %s", event.Reason)
			}
			break
		}
	}
	if _, err := l.next(); !errors.Is(err, io.EOF) {
		t.Errorf("after its end: %v", err)
	}
	p.subscribers(0)
}

// TestRFC9888_S6_SubscriptionFloods: one account has its share, and the others theirs.
func TestRFC9888_S6_SubscriptionFloods(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{
		Push:    push.Config{AccountSubscribersMax: 2},
		Service: cps.Config{Numbering: numbers(t, holders+oobtest.UpstreamSPC+",12155550120,5\n")},
	})
	path := subscription(oob.RFC9888, "", downstream)
	first := p.listen(p.Downstream, path)
	p.connect(p.Downstream, path)
	p.is(p.ask(p.Downstream, http.MethodGet, path, "", "Accept", "text/event-stream"), 429, oob.QuotaExceeded)
	p.listen(p.Upstream, subscription(oob.RFC9888, "", "0-"+oobtest.UpstreamSPC))
	first.close()
	p.subscribers(2)
	p.listen(p.Downstream, path)
}
