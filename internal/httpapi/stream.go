package httpapi

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
)

// writeTimeout is how long one event may take to be taken by its subscriber; who takes longer is cut off.
const writeTimeout = 10 * time.Second

// endless takes away the times in which a request has to be read and answered.
func (x *exchange) endless() error {
	controller := http.NewResponseController(x.w)
	if x.r.ContentLength != 0 {
		_ = controller.SetReadDeadline(time.Now()) // net/http would wait for the body before it answers
		return oob.Faultf(oob.Malformed, "a request that waits has no body")
	}
	return errors.Join(controller.SetReadDeadline(time.Time{}), controller.SetWriteDeadline(time.Time{}))
}

// stream is a subscription, over server-sent events or a WebSocket (RFC 9888 §6 names the idea alone).
func (d *door) stream(x *exchange) error {
	x.problem, x.operation = true, string(oob.ActionSubscribe)
	if x.r.Method != http.MethodGet {
		return x.wrongMethod("GET")
	}
	query, err := rfc9888.ReadSubscription(x.r.URL.RawQuery, x.r.Header.Get(rfc9888.LastEventID))
	if err != nil {
		return err
	}
	x.profile = query.Profile.String()
	if !d.serves(query.Profile) {
		return oob.Faultf(oob.WrongPath, "this form is not served here")
	}
	socket := strings.EqualFold(x.r.Header.Get("Upgrade"), "websocket")
	if socket && !isHandshake(x.r) {
		return oob.Faultf(oob.Malformed, "this is no WebSocket handshake that is taken here")
	}
	if !socket && !strings.Contains(x.r.Header.Get("Accept"), rfc9888.StreamMedia) {
		return oob.Faultf(oob.NotAcceptable, "a subscription needs Accept: text/event-stream, or a WebSocket")
	}
	request, err := d.proven(x, oob.Key{Profile: query.Profile})
	if err != nil {
		return err
	}
	if err := d.enter(x, turnstile.Retrieval, request); err != nil {
		return err
	}
	interest := push.Interest{Profile: query.Profile}
	for _, r := range query.Resources {
		if spc := r.SPC(); spc != "" {
			interest.SPCs = append(interest.SPCs, spc)
		} else {
			interest.Numbers = append(interest.Numbers, r.Numbers())
		}
	}
	principal, subscription, err := d.config.Service.Subscribe(x.ctx, request, interest, query.After)
	x.whom(principal)
	if err != nil {
		return err
	}
	defer subscription.Close()
	x.leave() // what a subscriber takes from now on, the hub counts
	x.leave = nil
	x.pass.Leave()
	if err := x.endless(); err != nil {
		return err
	}
	x.told = true
	if socket {
		return d.socket(x, subscription)
	}
	return d.events(x, subscription)
}

// isHandshake tells whether a request opens a WebSocket (RFC 6455 §4.2.1), from no page of another host. It is asked before
// anything is spent on it.
func isHandshake(r *http.Request) bool {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	origin, originErr := url.Parse(r.Header.Get("Origin"))
	return r.ProtoMajor == 1 && err == nil && len(key) == websocketKeyBytes && r.Header.Get("Sec-WebSocket-Version") == "13" &&
		strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") &&
		originErr == nil && (origin.Host == "" || strings.EqualFold(origin.Host, r.Host))
}

const websocketKeyBytes = 16

// out is one way to tell a subscriber of events. Its errors mean that the subscriber is gone.
type out interface {
	tell(ctx context.Context, event rfc9888.Event) error
}

// follow tells a subscriber of everything until either is gone, beginning with where it stands. The reason is why we end it;
// empty when the subscriber did.
func (d *door) follow(ctx context.Context, subscription *cps.Subscription, to out) (reason string) {
	alive := func() error {
		return to.tell(ctx, rfc9888.Event{Type: rfc9888.EventAlive, Cursor: subscription.Cursor()})
	}
	err := alive()
	for renewed := time.Now(); err == nil; {
		// Who subscribes is asked again however much there is to tell.
		if time.Since(renewed) >= d.config.Heartbeat {
			if subscription.Renew(ctx) != nil {
				return rfc9888.EndCredential
			}
			renewed = time.Now()
		}
		beat, cancel := context.WithTimeout(ctx, d.config.Heartbeat)
		var event push.Event
		event, err = subscription.Next(beat)
		cancel()
		switch {
		case err == nil:
			err = to.tell(ctx, wireEvent(event))
		case errors.Is(err, push.ErrSlow):
			return rfc9888.EndSlow
		case errors.Is(err, push.ErrClosed):
			return rfc9888.EndDraining
		case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			err = alive()
		}
	}
	return ""
}

func wireEvent(e push.Event) rfc9888.Event {
	if e.Gap {
		return rfc9888.Event{Type: rfc9888.EventGap}
	}
	return rfc9888.Event{Type: rfc9888.EventPassports, Cursor: e.Cursor, Held: e.Held}
}

// events tells over server-sent events.
func (d *door) events(x *exchange, subscription *cps.Subscription) error {
	header := x.w.Header()
	header.Set("Content-Type", rfc9888.StreamMedia)
	header["Cache-Control"], header["X-Content-Type-Options"] = notStored, notSniffed
	x.w.WriteHeader(http.StatusOK)
	to := &eventStream{w: x.w, controller: http.NewResponseController(x.w)}
	ctx := x.r.Context()
	if to.flush() != nil {
		return nil
	}
	if reason := d.follow(ctx, subscription, to); reason != "" {
		_ = to.tell(ctx, rfc9888.Event{Type: rfc9888.EventEnd, Reason: reason})
	}
	return nil
}

type eventStream struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	text       []byte
}

func (s *eventStream) tell(_ context.Context, event rfc9888.Event) error {
	s.text = event.AppendSSE(s.text[:0])
	if err := s.controller.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := s.w.Write(s.text); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	return s.controller.SetWriteDeadline(time.Time{}) // over HTTP/2 a deadline ends a stream that says nothing, too
}

func (s *eventStream) flush() error { return s.controller.Flush() }

// socket tells over a WebSocket.
func (d *door) socket(x *exchange, subscription *cps.Subscription) error {
	conn, err := websocket.Accept(x.w, x.r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return nil // it has been answered
	}
	defer conn.CloseNow()
	ctx := conn.CloseRead(x.r.Context()) // whatever is said but control frames ends it
	reason := d.follow(ctx, subscription, socketStream{conn})
	if reason == "" {
		return nil
	}
	_ = socketStream{conn}.tell(ctx, rfc9888.Event{Type: rfc9888.EventEnd, Reason: reason})
	_ = conn.Close(websocket.StatusGoingAway, reason)
	return nil
}

type socketStream struct{ conn *websocket.Conn }

func (s socketStream) tell(ctx context.Context, event rfc9888.Event) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, event.WriteFrame())
}
