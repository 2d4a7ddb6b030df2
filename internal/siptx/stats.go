package siptx

import (
	"maps"
	"sync"
	"sync/atomic"
)

// transport is what a message came over.
type transport int

const (
	udpTransport transport = iota
	tcpTransport
	tlsTransport
	transports
)

var transportNames = [transports]string{UDP, TCP, TLS}

func (t transport) String() string { return transportNames[t] }

// methods are those that are counted by name; all others count as "other".
var methods = [...]string{"INVITE", "ACK", "CANCEL", "OPTIONS", "BYE", "REGISTER", "other"}

// cause is why something was dropped.
type cause int

const (
	unanswerable   cause = iota // a malformed request without usable Via
	notServed                   // of a source that is not served
	malformedACK                // an ACK with a fault: no ACK is answered
	strayACK                    // of an answer that was sent statelessly, or of nothing
	strayResponse               // to nothing that was sent on, or not from where it was sent to
	badlyResponded              // a malformed response
	connectionGone              // a message whose connection is closed, or was closed for not reading
	sendFailed                  // a datagram that the system did not take
	tooManyStreams              // a connection beyond ConnectionsMax or ConnectionsPerSource
	causes
)

var causeNames = [causes]string{"unanswerable", "source not served", "malformed ACK", "stray ACK", "stray response",
	"malformed response", "connection gone", "send failed", "too many connections"}

// Stats are what was counted since New, but for the gauges. None holds anything that a sender chooses.
type Stats struct {
	Requests  []RequestCount    // by transport and method; "other" for methods of no name here
	Answers   []AnswerCount     // responses sent, retransmissions aside
	Malformed map[string]uint64 // messages by what was wrong with them
	Dropped   map[string]uint64 // what got no answer or did not get out, by cause

	RetransmissionsIn   uint64 // INVITEs that repeat one
	RetransmissionsOut  uint64 // final answers sent again for want of an ACK
	RetransmissionsLeft uint64 // those left out, of sources that leave too much without ACK
	Forgotten           uint64 // final answers forgotten before their ACK, for want of room
	AckTimeouts         uint64 // final answers that never got an ACK
	Cancels             uint64
	RefusedSources      uint64 // requests of sources that are not served
	Overloads           uint64 // 503 for want of room
	LargeReplies        uint64 // answers over UDP longer than UDPSafeBytes, retransmissions included
	LargeForwards       uint64 // requests sent on over UDP longer than UDPSafeBytes
	FieldsRefused       uint64 // fields of Respond that may not be written
	BadResponses        uint64 // Responses with a status that is no final answer, or a Forward where there is no proxy
	Panics              uint64 // of Respond
	KeepAlives          uint64
	Forwarded           uint64 // INVITEs sent on, each once
	ForwardFailures     uint64 // INVITEs whose next hop was not to be reached
	ResponsesForwarded  uint64
	StreamsAccepted     uint64
	StreamsTimedOut     uint64 // closed for being idle, too slow to write or to read

	Transactions int // gauge: INVITEs remembered
	InFlight     int // gauge: INVITEs that Respond has
	Streams      int // gauge: connections open
}

// RequestCount is how many requests of a method came over a transport.
type RequestCount struct {
	Transport, Method string
	Count             uint64
}

// AnswerCount is how many responses of a status were sent over a transport.
type AnswerCount struct {
	Transport string
	Status    int
	Count     uint64
}

type counts struct {
	requests [transports][len(methods)]atomic.Uint64
	answers  [transports][700]atomic.Uint64
	dropped  [causes]atomic.Uint64

	retransmissionsIn, retransmissionsOut, ackTimeouts, cancels, refusedSources, overloads, largeReplies, largeForwards, fieldsRefused,
	badResponses, panics, keepAlives, forwarded, forwardFailures, responsesForwarded, streamsAccepted, streamsTimedOut,
	retransmissionsLeft atomic.Uint64

	mu        sync.Mutex
	malformed map[string]uint64 // guarded by mu
}

func (c *counts) request(t transport, method string) {
	i := 0
	for i < len(methods)-1 && methods[i] != method {
		i++
	}
	c.requests[t][i].Add(1)
}

func (c *counts) answer(t transport, status int) { c.answers[t][status].Add(1) }

func (c *counts) drop(why cause) { c.dropped[why].Add(1) }

func (c *counts) malform(f fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.malformed == nil {
		c.malformed = map[string]uint64{}
	}
	c.malformed[string(f)]++
}

// Stats reads the counters.
func (s *Server) Stats() Stats {
	c := &s.counts
	st := Stats{
		Dropped:           map[string]uint64{},
		RetransmissionsIn: c.retransmissionsIn.Load(), RetransmissionsOut: c.retransmissionsOut.Load(),
		RetransmissionsLeft: c.retransmissionsLeft.Load(), AckTimeouts: c.ackTimeouts.Load(), Cancels: c.cancels.Load(), RefusedSources: c.refusedSources.Load(),
		Overloads: c.overloads.Load(), LargeReplies: c.largeReplies.Load(), LargeForwards: c.largeForwards.Load(), FieldsRefused: c.fieldsRefused.Load(),
		BadResponses: c.badResponses.Load(), Panics: c.panics.Load(), KeepAlives: c.keepAlives.Load(),
		Forwarded: c.forwarded.Load(), ForwardFailures: c.forwardFailures.Load(), ResponsesForwarded: c.responsesForwarded.Load(),
		StreamsAccepted: c.streamsAccepted.Load(), StreamsTimedOut: c.streamsTimedOut.Load(),
	}
	for t := range transports {
		for i := range methods {
			if n := c.requests[t][i].Load(); n > 0 {
				st.Requests = append(st.Requests, RequestCount{t.String(), methods[i], n})
			}
		}
		for status := range c.answers[t] {
			if n := c.answers[t][status].Load(); n > 0 {
				st.Answers = append(st.Answers, AnswerCount{t.String(), status, n})
			}
		}
	}
	for i := range c.dropped {
		if n := c.dropped[i].Load(); n > 0 {
			st.Dropped[causeNames[i]] = n
		}
	}
	c.mu.Lock()
	st.Malformed = maps.Clone(c.malformed)
	c.mu.Unlock()
	st.Transactions, st.InFlight, st.Forgotten = s.table.sizes()
	s.mu.Lock()
	st.Streams = len(s.streams)
	s.mu.Unlock()
	return st
}
