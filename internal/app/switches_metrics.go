package app

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/dip"
)

var (
	descDips         = describe("dips_total", "Calls that switches asked about.", "role", "trunk", "result")
	descDipSeconds   = describe("dip_duration_seconds", "How long a call waited for its answer: what is added to its set-up.", "role")
	descSigned       = describe("passports_signed_total", "PASSporTs signed.", "attest")
	descHits         = describe("retrieve_hits_total", "Calls of a trunk for which a CPS had something.", "trunk")
	descMissed       = describe("retrieve_misses_total", "Calls of a trunk for which no CPS had anything.", "trunk")
	descVerified     = describe("verifications_total", "Verdicts; reason is the code and the row of the error table.", "verstat", "reason")
	descFailOpen     = describe("failopen_total", "Calls that went on with less than they should have had.", "trunk", "cause")
	descUnusable     = describe("unusable_numbers_total", "Calls whose numbers made no key.", "trunk", "cause")
	descPlaced       = describe("placed_calls", "Published calls that are remembered, so that a second dip publishes nothing.")
	descAsked        = describe("cps_client_request_duration_seconds", "Attempts at CPSs.", "op", "cps", "code")
	descCircuit      = describe("circuit_state", "0: the CPS is asked; 1: it is tried again; 2: it is left alone.", "cps")
	descSkew         = describe("clock_skew_seconds", "How far a CPS's clock is ahead of ours, to the second.", "cps")
	descExpiry       = describe("cert_expiry_timestamp_seconds", "When the certificate ends that calls are signed with, and the one in readiness, in Unix time.", "cert")
	descSigning      = describe("signing", "1 while calls can be signed.")
	descSIPRequests  = describe("sip_requests_total", "SIP requests.", "transport", "method")
	descSIPAnswers   = describe("sip_answers_total", "SIP answers, without those sent again.", "transport", "code")
	descSIPMalformed = describe("sip_malformed_total", "SIP messages by what was wrong with them.", "fault")
	descSIPDropped   = describe("sip_dropped_total", "SIP messages that got no answer, by why.", "cause")
	descSIPEvents    = describe("sip_events_total", "What else happened at the SIP door.", "event")
	descLarge        = describe("udp_large_replies_total", "SIP answers that do not fit into one datagram on most networks: use TCP.")
	descSIPLevels    = describe("sip_held", "What the SIP door holds now.", "what")
	descTrace        = describe("trace_records_total", "Records of calls, by what became of them.", "event")
	descTraceBytes   = describe("trace_bytes", "Memory that records of calls take now.")
)

var circuitLevels = map[cpsclient.BreakerState]float64{cpsclient.BreakerClosed: 0, cpsclient.BreakerHalfOpen: 1, cpsclient.BreakerOpen: 2}

// collect gives the counters of the doors for switches.
func (r *switchRole) collect(metrics chan<- prometheus.Metric, level func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, int64, ...string)) {
	histogram := func(desc *prometheus.Desc, h dip.Histogram, labels ...string) {
		buckets := map[float64]uint64{}
		var below uint64
		for i, most := range dip.Buckets {
			below += uint64(h.Counts[i])
			buckets[most.Seconds()] = below
		}
		metrics <- prometheus.MustNewConstHistogram(desc, uint64(h.Count), h.Sum.Seconds(), buckets, labels...)
	}
	d := r.dips.Stats()
	for c, n := range d.Dips {
		counter(descDips, n, c.Mode.String(), c.Trunk, string(c.Result))
	}
	for mode, h := range d.Durations {
		histogram(descDipSeconds, h, mode.String())
	}
	for attest, n := range d.Signed {
		counter(descSigned, n, attest)
	}
	for trunk, looks := range d.Looks {
		counter(descHits, looks.Hits, trunk)
		counter(descMissed, looks.Misses, trunk)
	}
	for c, n := range d.Verified {
		reason := c.Case
		if c.Code > 0 {
			reason = strconv.Itoa(c.Code) + " " + c.Case
		}
		counter(descVerified, n, string(c.Verstat), reason)
	}
	for c, n := range d.FailOpen {
		counter(descFailOpen, n, c.Trunk, string(c.Cause))
	}
	for c, n := range d.Unusable {
		counter(descUnusable, n, c.Trunk, c.Cause)
	}
	for c, h := range d.Asked {
		histogram(descAsked, h, string(c.Action), c.CPS, c.Outcome)
	}
	for trunk, told := range d.Consumed {
		counter(descConsumed, told.Done, trunk, "done")
		counter(descConsumed, told.Failed, trunk, "failed")
		counter(descConsumed, told.Left, trunk, "left")
	}
	for trunk, n := range d.Held {
		counter(descHeldAlready, n, trunk)
	}
	level(descPlaced, float64(d.Placed))
	r.collectPeers(level)
	if r.sip != nil {
		r.collectSIP(level, counter)
	}
	if r.api != nil {
		r.api.collect(counter)
	}
	t := r.recorder.Stats()
	for event, n := range map[string]uint64{
		"begun": t.Begun, "settled": t.Settled, "late": t.Late, "cut": t.Cut, "amended": t.Amended, "evicted": t.Evicted, "aged": t.Aged,
		"written": t.Lines.Written, "not-written": t.Lines.Dropped, "posted": t.Webhook.Delivered, "not-posted": t.Webhook.Dropped + t.Webhook.Dead,
		"captured": t.HEP.Sent, "not-captured": t.HEP.Dropped,
	} {
		counter(descTrace, int64(n), event)
	}
	level(descTraceBytes, float64(t.Bytes))
}

func (r *switchRole) collectPeers(level func(*prometheus.Desc, float64, ...string)) {
	for _, s := range r.peerStates() {
		level(descCircuit, circuitLevels[s.Breaker], s.URL)
		level(descSkew, s.Skew.Seconds(), s.URL)
	}
	if r.signer == nil {
		return
	}
	status := r.signer.Status()
	signing := 1.0
	if status.Current.Err != nil {
		signing = 0
	}
	level(descSigning, signing)
	expiry := func(cert string, until time.Time) {
		if !until.IsZero() {
			level(descExpiry, float64(until.Unix()), cert)
		}
	}
	expiry("current", status.Current.NotAfter)
	if status.Next != nil {
		expiry("next", status.Next.NotAfter)
	}
}

func (r *switchRole) collectSIP(level func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, int64, ...string)) {
	s := r.sip.Stats()
	for _, c := range s.Requests {
		counter(descSIPRequests, int64(c.Count), c.Transport, c.Method)
	}
	for _, c := range s.Answers {
		counter(descSIPAnswers, int64(c.Count), c.Transport, strconv.Itoa(c.Status))
	}
	for fault, n := range s.Malformed {
		counter(descSIPMalformed, int64(n), fault)
	}
	for cause, n := range s.Dropped {
		counter(descSIPDropped, int64(n), cause)
	}
	for event, n := range map[string]uint64{
		"retransmission-in": s.RetransmissionsIn, "retransmission-out": s.RetransmissionsOut, "no-ack": s.AckTimeouts, "cancel": s.Cancels,
		"stranger": s.RefusedSources, "overload": s.Overloads, "field-refused": s.FieldsRefused, "panic": s.Panics,
		"forgotten": s.Forgotten, "retransmission-left-out": s.RetransmissionsLeft, "forwarded": s.Forwarded, "not-forwarded": s.ForwardFailures, "response-forwarded": s.ResponsesForwarded,
	} {
		counter(descSIPEvents, int64(n), event)
	}
	counter(descLarge, int64(s.LargeReplies))
	level(descSIPLevels, float64(s.Transactions), "transactions")
	level(descSIPLevels, float64(s.InFlight), "in-flight")
	level(descSIPLevels, float64(s.Streams), "connections")
}
