package siptx

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// branch is the transaction part of the branch in our own Via.
type branch [16]byte

// way is how an INVITE was sent on, and how its retransmissions, its CANCEL and the ACK of its failure go
// (RFC 3261 §16.11).
type way struct {
	forward Forward
	branch  branch
	loop    string // what tells that a request comes back unchanged
	hop     *stream
	from    string // the value of From there; empty if it is as it came
	came    string // if so, the lines of From as they came
}

// proxying tells whether requests may be sent on.
func (s *Server) proxying() bool { return s.self.host != "" }

// forward sends an INVITE on, or answers why it cannot be.
func (s *Server) forward(x *transaction, r *Request, response Response) []byte {
	f := response.Forward
	refuse := func(status int, fields ...Field) []byte {
		return s.finish(x, r, Response{Status: status, Fields: fields})
	}
	kind, known := transportOf(f.Transport)
	if !s.proxying() || !known || !f.To.IsValid() || f.URI != "" && !isAddress(f.URI) {
		s.counts.badResponses.Add(1)
		s.config.Log.Error("an INVITE cannot be sent on as asked", "transport", f.Transport)
		return refuse(500)
	}
	if r.hops == 0 {
		return refuse(483)
	}
	if unsupported := r.list(proxyRequireField); unsupported != "" { // RFC 3261 §16.3
		return refuse(420, Field{"Unsupported", unsupported})
	}
	w := &way{forward: *f, loop: s.loopPart(r)}
	w.changeFrom(r)
	mac := hmac.New(sha256.New, s.secret[:])
	for _, k := range x.key {
		var b [8]byte
		for i := range b {
			b[i] = byte(k >> (8 * i))
		}
		mac.Write(b[:])
	}
	copy(w.branch[:], mac.Sum(nil))
	if s.looped(r, w.loop) {
		return refuse(482)
	}
	if kind != udpTransport {
		hop, err := s.hopTo(nextHop{kind, f.To})
		if err != nil {
			s.counts.forwardFailures.Add(1)
			s.config.Log.Warn("a next hop cannot be reached", "error", err)
			return refuse(503)
		}
		w.hop = hop
	}
	b := s.onward(r, w)
	if !s.table.sendOn(x, w) {
		return nil // a CANCEL was earlier
	}
	if !s.sendTo(w, r, b) {
		s.counts.forwardFailures.Add(1)
		s.table.comeBack(x)
		return refuse(503)
	}
	s.counts.forwarded.Add(1)
	return b
}

// sendTo sends a request to the next hop.
func (s *Server) sendTo(w *way, r *Request, b []byte) bool {
	if w.hop != nil {
		return w.hop.write(b)
	}
	if len(b) > s.config.UDPSafeBytes {
		s.counts.largeForwards.Add(1)
	}
	u := s.socketFor(r, w.forward.To.Addr())
	return u != nil && u.write(b, w.forward.To)
}

// socketFor is the socket a request goes on from: the one it came to, or the first, of those that reach the next hop.
func (s *Server) socketFor(r *Request, to netip.Addr) *udpSocket {
	if u := r.from.udp; u != nil && u.reaches(to) {
		return u
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.sockets {
		if u.reaches(to) {
			return u
		}
	}
	return nil
}

// passOn sends a later request of a transaction the way its INVITE went.
func (s *Server) passOn(r *Request, w *way) {
	if r.hops == 0 {
		s.refuseStatelessly(r, verdict{status: 483})
		return
	}
	b := s.onward(r, w)
	if w.hop == nil {
		if !s.sendTo(w, r, b) {
			s.counts.drop(sendFailed)
		}
		return
	}
	if s.begin() {
		go func() { // a next hop that does not read keeps nobody else waiting
			defer s.work.Done()
			if !s.sendTo(w, r, b) {
				s.counts.drop(connectionGone)
			}
		}()
	}
}

// transportOf is the transport of that name.
func transportOf(name string) (transport, bool) {
	for t := range transports {
		if transportNames[t] == name {
			return t, true
		}
	}
	return 0, false
}

// loopPart is the second part of our branch (RFC 3261 §16.6 step 8): of two requests that only spiral it differs. It leaves
// out the topmost Via, which differs each time a loop is closed.
func (s *Server) loopPart(r *Request) string {
	mac := hmac.New(sha256.New, s.secret[:])
	for _, part := range []string{r.URI, r.fromTag, r.toTag, r.callID, strconv.Itoa(int(r.cseq)), r.list(routeField)} {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// looped tells whether r went through here as it is (RFC 3261 §16.3 step 4).
func (s *Server) looped(r *Request, loop string) bool {
	for i := range r.fields {
		if r.fields[i].kind != viaField {
			continue
		}
		for rest := unfold(r.value(i)); ; {
			v, usable, ok := readVia(rest)
			if usable && v.by == s.self && strings.HasSuffix(v.branch, "."+loop) {
				return true
			}
			if !ok || v.end == len(rest) {
				break
			}
			rest = rest[v.end+1:]
		}
	}
	return false
}

// changeFrom takes a new From out of what is to be replaced, if it can be one: its tag, by which dialogs are known, is the same.
func (w *way) changeFrom(r *Request) {
	for _, p := range w.forward.Replace {
		if kindOf(p.Name) != fromField || strings.ContainsAny(p.Value, "\r\n\x00") {
			continue
		}
		if tag, ok := readTag(p.Value); ok && tag == r.fromTag {
			at, _ := r.first(fromField)
			w.from, w.came = p.Value, strings.Clone(r.lines(at)) // the request is not kept for it
		}
	}
}

// onward writes a request as it goes on (RFC 3261 §16.6). Our changes to the INVITE's header fields are not made to its
// CANCEL and ACK, but for From, which must be the same in all three (RFC 3261 §9.1, §17.1.1.3).
func (s *Server) onward(r *Request, w *way) []byte {
	f := &w.forward
	b := make([]byte, 0, len(r.text)+512)
	uri := r.URI
	if f.URI != "" {
		uri = f.URI
	}
	b = append(append(append(b, r.Method...), ' '), uri...)
	b = append(b, " SIP/2.0\r\n"...)
	b = s.appendVia(b, w)
	marked, routed, lengthened := false, false, false
	replaced := make([]bool, len(f.Replace))
	for i, p := range f.Replace {
		replaced[i] = w.from != "" && kindOf(p.Name) == fromField
	}
	for i := range r.fields {
		k := r.fields[i].kind
		lengthened = lengthened || k == contentLengthField
		switch {
		case k == viaField && !marked:
			marked = true
			b = append(b, "Via: "...)
			b = append(r.via.appendMarked(b, r.Source), "\r\n"...)
		case k == fromField && w.from != "":
			b = appendField(b, Field{"From", w.from})
		case k == maxForwardsField:
			b = appendField(b, Field{"Max-Forwards", strconv.Itoa(r.hops - 1)})
		case k == routeField && !routed:
			routed = true
			if value := s.withoutUs(unfold(r.value(i))); value == "" {
			} else if value != unfold(r.value(i)) {
				b = appendField(b, Field{"Route", value})
			} else {
				b = append(b, r.lines(i)...)
			}
		case r.Method == "INVITE" && s.rewritten(r, i, f, replaced, &b):
		default:
			b = append(b, r.lines(i)...)
		}
	}
	if r.hops < 0 {
		b = append(b, "Max-Forwards: 70\r\n"...) // RFC 3261 §16.6 step 3
	}
	if r.Method == "INVITE" {
		for i, p := range f.Replace {
			if !replaced[i] {
				b = s.appendFields(b, []Field{p})
			}
		}
		b = s.appendFields(b, f.Add)
	}
	if !lengthened {
		b = appendField(b, Field{"Content-Length", strconv.Itoa(len(r.text) - r.bodyAt)})
	}
	return append(append(b, "\r\n"...), r.text[r.bodyAt:]...)
}

// rewritten writes the field at i if it is to be removed or replaced, and tells whether it was.
func (s *Server) rewritten(r *Request, i int, f *Forward, replaced []bool, b *[]byte) bool {
	if ownField(r.fields[i].kind) {
		return false
	}
	for n, p := range f.Replace {
		if r.named(i, p.Name) {
			if !replaced[n] {
				replaced[n] = true
				*b = s.appendFields(*b, []Field{p})
			}
			return true
		}
	}
	for _, name := range f.Remove {
		if r.named(i, name) {
			return true
		}
	}
	return false
}

// appendVia writes our own Via (RFC 3261 §16.6 step 8).
func (s *Server) appendVia(b []byte, w *way) []byte {
	b = append(b, "Via: SIP/2.0/"...)
	b = append(b, strings.ToUpper(w.forward.Transport)...)
	b = s.self.appendTo(append(b, ' '))
	b = append(b, ";rport;branch="...)
	b = append(b, magicCookie...)
	b = hex.AppendEncode(b, w.branch[:])
	b = append(append(b, '.'), w.loop...)
	return append(b, "\r\n"...)
}

func (by sentBy) appendTo(b []byte) []byte {
	if strings.Contains(by.host, ":") {
		b = append(append(append(b, '['), by.host...), ']')
	} else {
		b = append(b, by.host...)
	}
	if by.port > 0 {
		b = strconv.AppendInt(append(b, ':'), int64(by.port), 10)
	}
	return b
}

// withoutUs is a Route without its first value, if that names us (RFC 3261 §16.4).
func (s *Server) withoutUs(route string) string {
	at, end := strings.IndexByte(route, '<'), strings.IndexByte(route, '>')
	if at < 0 || end < at {
		return route
	}
	_, rest, _ := strings.Cut(route[at+1:end], ":")
	if i := strings.IndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if by, _, ok := readSentBy(rest); !ok || by != s.self {
		return route
	}
	_, others, _ := strings.Cut(route[end:], ",")
	return strings.TrimSpace(others)
}

// sendOn has x forwarded; false if a CANCEL was earlier.
func (t *table) sendOn(x *transaction, w *way) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.state != proceeding {
		return false
	}
	t.leaveProceeding(x)
	x.state, x.way, x.last = forwarded, w, nil
	t.byBranch[w.branch] = x
	t.schedule(x, t.config.ForwardTimeout)
	return true
}

// comeBack has x proceeding again: it did not get out.
func (t *table) comeBack(x *transaction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.state == forwarded {
		delete(t.byBranch, x.way.branch)
		x.state, x.way = proceeding, nil
	}
}
