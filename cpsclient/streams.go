package cpsclient

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
)

// openStream asks for server-sent events.
func openStream(ctx context.Context, cps *peer, q request) (events, *failure) {
	q.accept = rfc9888.StreamMedia
	res, failed := cps.open(ctx, q)
	if failed != nil {
		return nil, failed
	}
	if res.StatusCode != http.StatusOK {
		return nil, cps.read(ctx, res, q.bytesMax).refusal()
	}
	if mediaOf(res.Header) != rfc9888.StreamMedia {
		_ = res.Body.Close()
		return nil, nonsense(oob.Faultf(oob.PeerFailed, "the CPS's answer is no stream of events"))
	}
	return &eventStream{rfc9888.NewStream(res.Body), res.Body}, nil
}

type eventStream struct {
	*rfc9888.Stream
	body io.Closer
}

func (s *eventStream) Close() { _ = s.body.Close() }

// openSocket asks for a WebSocket, over HTTP/1.1. Nothing is sent on it, and no compression is agreed on.
func openSocket(ctx context.Context, cps *peer, q request) (events, *failure) {
	header := q.header()
	header.Del("Accept")
	conn, res, err := websocket.Dial(ctx, "wss"+strings.TrimPrefix(cps.base, "https")+q.path, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: cps.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		HTTPHeader: header,
	})
	switch {
	case err == nil:
		conn.SetReadLimit(rfc9888.EventBytesMax)
		return &eventSocket{ctx, conn}, nil
	case res == nil:
		return nil, silence(ctx, err)
	case res.StatusCode == http.StatusSwitchingProtocols:
		return nil, nonsense(oob.Faultf(oob.PeerFailed, "the CPS's answer is no WebSocket").Because(blotted(err)))
	}
	return nil, cps.read(ctx, res, q.bytesMax).refusal()
}

type eventSocket struct {
	ctx  context.Context
	conn *websocket.Conn
}

func (s *eventSocket) Next() (rfc9888.Event, error) {
	kind, text, err := s.conn.Read(s.ctx)
	switch {
	case err != nil:
		return rfc9888.Event{}, err
	case kind != websocket.MessageText:
		return rfc9888.Event{}, oob.Faultf(oob.Malformed, "a message is not text")
	}
	return rfc9888.ReadFrame(text)
}

// Retry is never told over a WebSocket.
func (s *eventSocket) Retry() time.Duration { return 0 }

func (s *eventSocket) Close() { _ = s.conn.CloseNow() }
