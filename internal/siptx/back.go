package siptx

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"time"
)

// takeResponse sends a response back the way its request came, if it comes from where that was sent to and our Via
// stands on top of it (RFC 3261 §16.11). Where it goes is what we remember, never what it says.
func (s *Server) takeResponse(text string, source netip.AddrPort, from origin) {
	var m message
	if f := m.read(text); f != "" || !wellResponded(&m, from.reliable()) {
		s.counts.drop(badlyResponded)
		return
	}
	status, _ := readCount(m.start[8:11], 699)
	at, _ := m.first(viaField)
	v, _, ok := readVia(unfold(m.value(at)))
	if !ok {
		s.counts.drop(badlyResponded)
		return
	}
	var id branch
	mine, isOurs := strings.CutPrefix(v.branch, magicCookie)
	if !isOurs || v.by != s.self || len(mine) < 2*len(id) {
		s.counts.drop(strayResponse)
		return
	}
	if _, err := hex.Decode(id[:], []byte(mine[:2*len(id)])); err != nil {
		s.counts.drop(strayResponse)
		return
	}
	back, came, known := s.table.wayBack(id, source, from, status)
	if !known {
		s.counts.drop(strayResponse)
		return
	}
	b := make([]byte, 0, len(text)+len(came))
	b = append(b, text[:m.fields[0].at]...)
	for i := range m.fields {
		switch {
		case i == at:
			if v.end < len(v.text) {
				b = appendField(b, Field{"Via", strings.TrimSpace(v.text[v.end+1:])})
			}
		case came != "" && m.fields[i].kind == fromField:
			b = append(b, came...)
		default:
			b = append(b, m.lines(i)...)
		}
	}
	b = append(b, m.text[m.fields[len(m.fields)-1].end:]...)
	s.counts.responsesForwarded.Add(1)
	s.send(back, b)
}

// wellResponded checks the status line, and cuts off what follows the body.
func wellResponded(m *message, framed bool) bool {
	start := m.start
	if len(start) < 12 || !strings.EqualFold(start[:8], "SIP/2.0 ") || start[11] != ' ' || start[8] < '1' || start[8] > '6' {
		return false
	}
	if _, ok := readCount(start[8:11], 699); !ok {
		return false
	}
	if _, n := m.first(viaField); n == 0 {
		return false
	}
	at, n := m.first(contentLengthField)
	return (n > 0 || !framed) && m.readLength(n, at) == ""
}

// wayBack is where the response to a request that was sent on goes, and the From it has there; empty if it stays. A final one is repeated for 64*T1 at most.
func (t *table) wayBack(id branch, source netip.AddrPort, from origin, status int) (to origin, came string, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.byBranch[id]
	if x == nil || x.way.forward.To.Addr().Unmap() != source.Addr() || x.way.forward.Transport != from.transport.String() {
		return origin{}, "", false
	}
	if status >= 200 && time.Until(x.giveUp) <= 0 {
		x.giveUp = time.Now().Add(64 * t.config.T1)
		t.schedule(x, 64*t.config.T1)
	}
	return x.from, x.way.came, true
}
