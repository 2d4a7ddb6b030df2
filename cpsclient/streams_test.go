package cpsclient_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
)

// streaming answers with a text as a stream, and then does no more until its requester gives up; with end, it ends.
func streaming(text string, end bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		if !end {
			<-r.Context().Done()
		}
	}
}

func event(t testing.TB, cursor string, passports ...string) rfc9888.Event {
	received := time.Now()
	return rfc9888.Event{Type: rfc9888.EventPassports, Cursor: cursor, Held: oob.Held{
		Key: keyOf(oob.RFC9888), Record: oob.Record{Passports: passports, Received: received, Expires: received.Add(time.Minute)},
	}}
}

// messages answers with WebSocket messages, and then does no more until its requester gives up.
func messages(kind websocket.MessageType, texts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		for _, text := range texts {
			if conn.Write(r.Context(), kind, []byte(text)) != nil {
				return
			}
		}
		<-conn.CloseRead(r.Context()).Done()
	}
}

// TestContraryStreams: each ends for its reason, is opened again, and costs nothing but that.
func TestContraryStreams(t *testing.T) {
	good := string(event(t, "1", "a.b.c").AppendSSE(nil))
	frame := string(event(t, "1", "a.b.c").WriteFrame())
	wrong := strings.Replace(good, `"rfc9888"`, `"company","spc":"567B"`, 1)
	for _, c := range []struct {
		name      string
		transport cpsclient.Transport
		handler   http.HandlerFunc
		kind      oob.Kind // why it ends
		received  int64
		attempts  [2]int // at least and at most, within ten minutes
	}{
		{"silent", cpsclient.ServerSentEvents, streaming(good, false), oob.PeerTimeout, 1, [2]int{8, 14}},
		{"comments and no events", cpsclient.ServerSentEvents, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, ": still here\n\n")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(time.Second)
			}
		}, oob.PeerTimeout, 0, [2]int{8, 14}},
		{"hangs", cpsclient.ServerSentEvents, hanging, oob.PeerTimeout, 0, [2]int{15, 40}},
		{"the same event for ever", cpsclient.ServerSentEvents, streaming(strings.Repeat(good, 3), true), oob.PeerFailed, 1, [2]int{20, 40}},
		{"a gap for ever", cpsclient.ServerSentEvents, streaming("event: gap\ndata: {}\n\n"+good, true), oob.PeerFailed, 1, [2]int{20, 40}},
		{"ends at once", cpsclient.ServerSentEvents, streaming("event: end\ndata: {\"reason\":\"slow\"}\n\n"+good, false), oob.PeerFailed, 0, [2]int{20, 40}},
		{"of another form", cpsclient.ServerSentEvents, streaming(wrong, true), oob.PeerFailed, 0, [2]int{20, 40}},
		{"an endless event", cpsclient.ServerSentEvents, streaming("data: "+strings.Repeat("x", 1<<20), false), oob.PeerFailed, 0, [2]int{20, 40}},
		{"an event that is none", cpsclient.ServerSentEvents, streaming("event: passports\ndata: {\"dest\":\""+dest+"\"}\n\n", false), oob.PeerFailed, 0, [2]int{20, 40}},
		{"another media type", cpsclient.ServerSentEvents, answering(200, good, "Content-Type", "text/html"), oob.PeerFailed, 0, [2]int{20, 40}},
		{"no stream but 204", cpsclient.ServerSentEvents, answering(204, ""), oob.PeerFailed, 0, [2]int{20, 40}},
		{"redirects", cpsclient.ServerSentEvents, answering(307, "", "Location", "https://evil.example/"), oob.PeerFailed, 0, [2]int{20, 40}},
		{"refuses", cpsclient.ServerSentEvents, answering(403, string(rfc9888.WriteProblem(oob.Faultf(oob.OutOfScope, "x"))), "Content-Type", "application/problem+json"), oob.OutOfScope, 0, [2]int{20, 40}},
		{"asks for an hour", cpsclient.ServerSentEvents, answering(503, "", "Retry-After", "3600"), oob.Overloaded, 0, [2]int{18, 22}},
		{"asks for an hour in the stream", cpsclient.ServerSentEvents, streaming("retry: 3600000\n\n", true), oob.PeerFailed, 0, [2]int{18, 22}},
		{"WebSocket: silent", cpsclient.WebSocket, messages(websocket.MessageText, frame), oob.PeerTimeout, 1, [2]int{8, 14}},
		{"WebSocket: hangs", cpsclient.WebSocket, hanging, oob.PeerTimeout, 0, [2]int{15, 40}},
		{"WebSocket: binary", cpsclient.WebSocket, messages(websocket.MessageBinary, frame), oob.PeerFailed, 0, [2]int{20, 40}},
		{"WebSocket: giant", cpsclient.WebSocket, messages(websocket.MessageText, strings.Repeat(" ", 1<<20)), oob.PeerFailed, 0, [2]int{20, 40}},
		{"WebSocket: no JSON", cpsclient.WebSocket, messages(websocket.MessageText, frame, "x"), oob.PeerFailed, 1, [2]int{20, 40}},
		{"WebSocket: 200", cpsclient.WebSocket, streaming(good, true), oob.PeerFailed, 0, [2]int{20, 40}},
		{"WebSocket: redirects", cpsclient.WebSocket, answering(307, "", "Location", "https://evil.example/"), oob.PeerFailed, 0, [2]int{20, 40}},
		{"WebSocket: refuses", cpsclient.WebSocket, answering(401, ""), oob.Unproven, 0, [2]int{20, 40}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				n.serve("evil.example", c.handler)
				var log asked
				down := n.client(n.downstream, nil, n.serve("cps.example", log.record(c.handler)))
				var l told
				s := subscribe(t, down, &l, oob.RFC9888, c.transport)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				stats := s.Stats()
				fault := wantFault(t, stats.Streams[0].Fault, c.kind)
				if stats.Received != c.received || strings.Contains(fault.Error(), dest) {
					t.Errorf("%+v: %v", stats, fault)
				}
				if attempts := log.count(); attempts < c.attempts[0] || attempts > c.attempts[1] {
					t.Errorf("%d attempts in ten minutes", attempts)
				}
				if n.dialed("evil.example") != 0 {
					t.Error("another host was asked")
				}
			})
		})
	}
}

// TestReconnectionWaitsLongerEachTime, never as long as the time before says exactly, and soon again after a good stream.
func TestReconnectionWaitsLongerEachTime(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var log asked
		down := n.client(n.downstream, nil, n.serve("cps.example", log.record(inTurn(
			answering(503, ""), answering(503, ""), answering(503, ""), answering(503, ""), answering(503, ""), answering(503, ""), answering(503, ""), answering(503, ""), answering(503, ""),
			func(w http.ResponseWriter, r *http.Request) {
				ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
				defer cancel()
				streaming("", false)(w, r.WithContext(ctx))
			},
			hanging,
		))))
		var l told
		subscribe(t, down, &l, oob.RFC9888, cpsclient.ServerSentEvents)
		time.Sleep(3 * time.Minute)
		at := log.after()
		pause := 250 * time.Millisecond
		for i := 1; i <= 9; i++ {
			if wait := at[i] - at[i-1]; wait < pause/2 || wait >= pause {
				t.Errorf("attempt %d came after %v, want between %v and %v", i+1, wait, pause/2, pause)
			}
			pause = min(2*pause, 30*time.Second)
		}
		if wait := at[10] - at[9] - 20*time.Second; wait < 125*time.Millisecond || wait >= 250*time.Millisecond {
			t.Errorf("after a stream of twenty seconds it came after %v", wait)
		}
		if got := l.turns(); !slices.Equal(got, []bool{true, false}) {
			t.Errorf("%v", got)
		}
	})
}

// TestASubscriptionResumesWhereItWas: the cursor of the last event goes into the next request, and a gap forgets it.
func TestASubscriptionResumesWhereItWas(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var mu sync.Mutex
		var cursors []string
		script := inTurn(
			streaming(string(event(t, "5", "a.b.c").AppendSSE(nil)), true),
			streaming("event: alive\nid: 7\ndata: {}\n\n", true),
			streaming("event: gap\ndata: {}\n\n", true),
			streaming("", false),
		)
		down := n.client(n.downstream, nil, n.serve("cps.example", func(w http.ResponseWriter, r *http.Request) {
			s, err := rfc9888.ReadSubscription(r.URL.RawQuery, "")
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			cursors = append(cursors, s.After)
			mu.Unlock()
			script(w, r)
		}))
		var l told
		s := subscribe(t, down, &l, oob.RFC9888, cpsclient.ServerSentEvents)
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(cursors, []string{"", "5", "7", ""}) || s.Stats().Gaps != 1 {
			t.Errorf("%q", cursors)
		}
	})
}
