package siptx

import (
	"context"
	"crypto/x509"
	"net/netip"
	"runtime/debug"
	"strconv"
	"time"
)

// origin is where a request came from and where its answers go.
type origin struct {
	transport transport
	udp       *udpSocket
	stream    *stream
	to        netip.AddrPort // over UDP
}

// source is the address that the request came from.
func (o origin) source() netip.Addr {
	if o.stream != nil {
		return o.stream.source.Addr()
	}
	return o.to.Addr()
}

// local is the address that it came to.
func (o origin) local() netip.AddrPort {
	if o.stream != nil {
		return o.stream.local
	}
	return o.udp.local
}

// reliable tells whether what is sent arrives or the connection breaks.
func (o origin) reliable() bool { return o.stream != nil }

// send sends b back. What cannot be sent is counted: whoever waits for it asks again.
func (s *Server) send(o origin, b []byte) {
	if o.stream != nil {
		if !o.stream.write(b) {
			s.counts.drop(connectionGone)
		}
		return
	}
	if len(b) > s.config.UDPSafeBytes {
		s.counts.largeReplies.Add(1)
	}
	if !o.udp.write(b, o.to) {
		s.counts.drop(sendFailed)
	}
}

// sendAnswer sends a response for the first time.
func (s *Server) sendAnswer(o origin, status int, b []byte) {
	s.counts.answer(o.transport, status)
	s.send(o, b)
}

// take is told of a message. from is complete but for the port that its Via asks for.
func (s *Server) take(text string, source netip.AddrPort, from origin, peer []*x509.Certificate) {
	if isResponse(text) {
		s.takeResponse(text, source, from)
		return
	}
	served := s.config.Allow(source.Addr(), from.transport.String())
	if !served && !s.refuse.Allow() {
		s.counts.refusedSources.Add(1)
		s.counts.drop(notServed)
		return
	}
	r := &Request{Transport: from.transport.String(), Source: source, Local: from.local(), Received: time.Now(), Peer: peer, from: from}
	v, answerable := readRequest(r, text)
	if from.udp != nil {
		r.from.to = netip.AddrPortFrom(source.Addr(), r.via.returnPort(source))
	}
	s.counts.request(from.transport, r.Method)
	if v.fault != "" {
		s.counts.malform(v.fault)
	}
	switch {
	case !served:
		s.counts.refusedSources.Add(1)
		if s.strange.Allow() {
			s.config.Log.Warn("a SIP request came from an address that is not served", "source", source.Addr().String(), "transport", r.Transport)
		}
		if answerable && (r.Method == "INVITE" || r.Method == "OPTIONS") {
			s.refuseStatelessly(r, verdict{status: 403})
		} else {
			s.counts.drop(notServed)
		}
	case !answerable:
		s.counts.drop(unanswerable)
	case v.status != 0:
		s.refuseStatelessly(r, v)
	default:
		s.takeRequest(r)
	}
}

// refuseStatelessly answers as RFC 3261 §8.2.7 has it: nothing is remembered, and an ACK gets no answer.
func (s *Server) refuseStatelessly(r *Request, v verdict) {
	if r.Method == "ACK" {
		s.counts.drop(malformedACK)
		return
	}
	if v.status == 503 {
		s.counts.overloads.Add(1)
		v.fields = append(v.fields, s.retryAfter())
	}
	s.sendAnswer(r.from, v.status, s.answer(r, v.status, v.reason, s.tag(s.table.keyOf(r)), v.fields))
}

func (s *Server) retryAfter() Field {
	return Field{"Retry-After", strconv.Itoa(int((s.config.RetryAfter + time.Second - 1) / time.Second))}
}

// takeRequest is told of a well-formed request of a source that is served.
func (s *Server) takeRequest(r *Request) {
	if v := r.judge(s.proxying()); v.status != 0 {
		s.refuseStatelessly(r, v)
		return
	}
	switch r.Method {
	case "INVITE":
		s.takeInvite(r)
	case "ACK":
		known, w := s.table.acknowledge(s.table.keyOf(r))
		if w != nil {
			s.passOn(r, w)
		} else if !known {
			s.counts.drop(strayACK)
		}
	case "CANCEL":
		s.takeCancel(r)
	default: // OPTIONS: judge lets no other pass
		if s.draining.Load() || !s.config.Ready() {
			s.sendAnswer(r.from, 503, s.answer(r, 503, "", s.tag(s.table.keyOf(r)), []Field{s.retryAfter()}))
			return
		}
		fields := []Field{{"Allow", allowed}, {"Accept", "application/sdp"}}
		s.sendAnswer(r.from, 200, s.answer(r, 200, "", s.tag(s.table.keyOf(r)), fields))
	}
}

// takeInvite starts a transaction or answers from the one there is (RFC 3261 §17.2.1).
func (s *Server) takeInvite(r *Request) {
	k := s.table.keyOf(r)
	if s.leaving.Load() {
		if _, st, _ := s.table.find(k); st == gone {
			s.refuseStatelessly(r, verdict{status: 503})
			return
		}
	}
	x, how, ctx, last, w := s.table.enter(k, r, s.proxying())
	switch how {
	case merged:
		s.refuseStatelessly(r, verdict{status: 482, reason: "Merged Request"})
	case overloaded:
		s.refuseStatelessly(r, verdict{status: 503})
	case repeated:
		s.counts.retransmissionsIn.Add(1)
		if last != nil {
			s.send(r.from, last)
		} else if w != nil {
			s.passOn(r, w)
		}
	default:
		if !s.hand(job{x, r, ctx}) {
			s.table.responded(x)
		}
	}
}

// respond has Respond decide and does what it says.
func (s *Server) respond(j job) {
	x, r := j.x, j.r
	response := s.ask(j.ctx, r)
	var sent []byte
	if response.Forward == nil {
		sent = s.finish(x, r, response)
	} else {
		sent = s.forward(x, r, response)
	}
	if terminated := s.table.responded(x); terminated != nil {
		sent = terminated
	}
	if sent != nil && response.Sent != nil {
		defer s.rescue()
		response.Sent(sent)
	}
}

// rescue is deferred around what is not ours: a panic there ends one call.
func (s *Server) rescue() {
	if p := recover(); p != nil {
		s.counts.panics.Add(1)
		s.config.Log.Error("a call ended in a panic", "panic", p, "stack", string(debug.Stack()))
	}
}

// ask calls Respond; what panics there answers 500.
func (s *Server) ask(ctx context.Context, r *Request) (response Response) {
	response.Status = 500 // unless Respond returns
	defer s.rescue()
	return s.config.Respond(ctx, r)
}

// finish answers an INVITE, unless a CANCEL did.
func (s *Server) finish(x *transaction, r *Request, response Response) []byte {
	status := response.Status
	if status < 300 || status > 699 {
		s.counts.badResponses.Add(1)
		s.config.Log.Error("no final answer to an INVITE", "status", status)
		status = 500
	}
	fields := response.Fields
	if status == 503 && len(fields) == 0 {
		fields = []Field{s.retryAfter()}
	}
	b := s.answer(r, status, response.Reason, s.tag(x.key), fields)
	if !s.table.complete(x, b) {
		return nil
	}
	s.sendAnswer(x.from, status, b)
	return b
}

// takeCancel answers 200 to a CANCEL and 487 to its INVITE, or 481 if there is none (RFC 3261 §9.2). One for an INVITE that
// was sent on goes the same way.
func (s *Server) takeCancel(r *Request) {
	s.counts.cancels.Add(1)
	k := s.table.keyOf(r)
	x, st, w := s.table.find(k)
	switch {
	case st == gone:
		s.refuseStatelessly(r, verdict{status: 481})
		return
	case st == forwarded:
		s.passOn(r, w)
		return
	}
	s.sendAnswer(r.from, 200, s.answer(r, 200, "", s.tag(k), nil))
	if st != proceeding {
		return
	}
	invite := s.table.pending(x)
	if invite == nil {
		return
	}
	b := s.answer(invite, 487, "", s.tag(k), nil)
	if s.table.terminate(x, b) {
		s.sendAnswer(x.from, 487, b)
	}
}

// keepTime does what is due, until Close.
func (s *Server) keepTime() {
	tick := time.NewTicker(wheelTick)
	defer tick.Stop()
	var due []*transaction
	for {
		if !s.table.scheduled() {
			tick.Stop()
			select {
			case <-s.table.wake:
				tick.Reset(wheelTick)
			case <-s.stopped:
				return
			}
		}
		select {
		case <-tick.C:
		case <-s.stopped:
			return
		}
		due = s.table.due(due[:0])
		for i, x := range due {
			s.wakeUp(x)
			due[i] = nil
		}
	}
}

// wakeUp does what x was waiting for: Timer G, H or I, 100 Trying, or the end of a way (RFC 3261 §17.2.1).
func (s *Server) wakeUp(x *transaction) {
	b, what := s.table.elapse(x)
	switch what {
	case sendTrying:
		trying := s.answer(b.request, 100, "", "", nil)
		if !s.table.tried(x, trying) {
			return
		}
		s.counts.answer(x.from.transport, 100)
		s.sendAside(x.from, trying)
	case sendAgain:
		s.counts.retransmissionsOut.Add(1)
		s.sendAside(x.from, b.last)
	case leftUnsent:
		s.counts.retransmissionsLeft.Add(1)
	case unacknowledged:
		s.counts.ackTimeouts.Add(1)
	}
}

// sendAside sends without waiting for a peer that does not read: time is kept for all.
func (s *Server) sendAside(o origin, b []byte) {
	if !o.reliable() {
		s.send(o, b)
		return
	}
	if s.begin() {
		go func() {
			defer s.work.Done()
			s.send(o, b)
		}()
	}
}
