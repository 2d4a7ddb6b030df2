// Package sipgw is the SIP door of the product: it reads an INVITE as a call, has the dip of its trunk done, and says what
// came of it in an answer that the switch can use: a redirection, or the request sent on with what was added.
//
// Knows: which trunk a request names and how, the header fields that switches ask and are told with, verstat, the forms of
// a SIP and of a tel URI, what may stand in an answer. Never hears of: sockets and transactions (package siptx), what
// numbers mean (package trunk), what is signed, published or verified (package dip).
//
// # Answers
//
// A switch that asks is told, by the row of its trunk:
//
//	302   what to add to the call: Identity, Date, P-Asserted-Identity with verstat, Attestation-Info, … (see additions)
//	404   nothing to add, go on; or 503 or a plain 302, as Row.Nothing says
//	404   too, when no row fits: the call is not ours to stop, and whoever has asked is somebody we know
//	403   the source is in no row, which siptx has seen before; only a reload in between comes here
//	482   the only place to redirect to, or to send on to, is ourselves
//	483   Max-Forwards was used up
//	487   the switch gave up
//	603   the call is not to go on, by the trunk's policy on bad PASSporTs
//
// Numbers that no call can have are no reason to stop one: the answer is that for nothing to add, and never 484. A row with
// a next hop has its requests sent on instead, in the same cases, with the same additions in the request; one that cannot
// be sent on for want of an address is answered 503.
//
// The Contact of a 302 is the called party as dialled, at the switch: where its own Contact says, if that is the address of
// the request or another one of its trunk, else where the request came from; never at a listener of ours. The
// Contact of a telephone that a proxy has passed on thus sends nobody anywhere. A 302 that carries its header fields twice, in the header and in
// the Contact, carries them in the header alone where a datagram would become too long.
//
// verstat is taken from every value of P-Asserted-Identity that is answered, and put on those that the trunk's rules read as
// the caller that was verified; what is not verified marks all of them (ATIS-1000074 §5.3). Without P-Asserted-Identity one is
// made of From, because a redirection cannot change From, and a proxy should not. Of a caller who is not to be shown, whom nobody has
// asserted, none is made: a request that is sent on has verstat in From then, a redirection has none.
//
// With what was retrieved goes the Date that it was signed at, unless the row wants none: the Date of a request that comes out of
// a trunk is the gateway's own, and verifiers compare (RFC 8224 §6.2). Switches that take header fields from a Contact are to
// check a Date in it (RFC 3261 §19.1.5); one that leaves it out needs the header of the response.
//
// What Resource-Priority asks for and no PASSporT supports is left as it came, counted and traced: the policy of RFC 8443 §4.2
// is that of the network's own elements, and a call for help must not be lost here.
//
// # Failures
//
// There are none that stop a call. What cannot be written safely is left out and counted: see Stats.
//
// # Limits
//
// Of each header field [ValuesMax] values are read, of [ValueBytesMax] bytes; beyond, they count as absent. At most
// [AdditionsBytesMax] bytes are added to a call, [CardBytesMax] of them a jCard, and an answer over UDP that is longer is
// that for nothing to add. Bodies are read for fingerprints alone, [FingerprintsMax] of them.
//
// Read sipgw.go, signs.go, call.go, additions.go, caller.go, contact.go, uri.go, in this order.
package sipgw

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/trunk"
)

// Limits.
const (
	ValuesMax         = 16       // values of one header field
	ValueBytesMax     = 4 << 10  // of one value, Identity aside: see package identity
	AdditionsBytesMax = 48 << 10 // of what is added to a call, and of an answer over UDP: a datagram holds 64 KiB
	CardBytesMax      = 4 << 10  // of a jCard
	FingerprintsMax   = 16       // of the keys of the media, as many as a PASSporT holds
)

// Config is what a gateway needs.
type Config struct {
	Dips     *dip.Service
	Recorder *trace.Recorder // nil: no traces

	// Own reports whether a listener of ours is at an address; nil means none is. A port of 0 is none.
	Own func(netip.AddrPort) bool
}

// Gateway answers INVITEs. It is safe for concurrent use.
type Gateway struct {
	config Config
	tally  tally
}

// New makes a gateway.
func New(c Config) (*Gateway, error) {
	if c.Dips == nil {
		return nil, errors.New("a SIP gateway needs a service that does the dips")
	}
	if c.Own == nil {
		c.Own = func(netip.AddrPort) bool { return false }
	}
	return &Gateway{config: c}, nil
}

// asking is one INVITE under way.
type asking struct {
	*Gateway
	request *siptx.Request
	trunk   *dip.Trunk // nil when no row fits
	uri     uri        // the Request-URI
	contact address    // of the switch; zero when it has none that can be read
	trace   *trace.Call
}

// Respond does what the trunk of an INVITE says, for siptx.Config.Respond.
func (g *Gateway) Respond(ctx context.Context, r *siptx.Request) siptx.Response {
	a := &asking{Gateway: g, request: r}
	if g.config.Recorder != nil {
		id := r.CallID()
		id = strings.Clone(id[:min(len(id), trace.TextBytesMax)]) // a record holds on to no request
		a.trace = g.config.Recorder.Begin(r.Transport, r.Source, r.Local, id)
		if g.config.Recorder.KeepsMessages() {
			a.trace.Message(true, r.Transport, r.Source, r.Local, []byte(r.Text()))
		}
	}
	a.uri, _ = readURI(r.URI)
	a.contact = a.readContact()
	response, cause := a.respond(ctx)
	if g.config.Recorder != nil && g.config.Recorder.KeepsMessages() {
		response.Sent = func(message []byte) { a.sent(response.Forward, message) }
	}
	g.tally.answered(response)
	a.trace.Finish(response.Status, string(cause))
	return response
}

// sent traces what was sent: the answer, or the request on its way to the next hop, where it leaves from an address of its own.
func (a *asking) sent(f *siptx.Forward, message []byte) {
	r := a.request
	if f == nil || bytes.HasPrefix(message, []byte("SIP/")) { // it could not be sent on
		a.trace.Message(false, r.Transport, r.Local, r.Source, message)
		return
	}
	a.trace.Message(false, f.Transport, netip.AddrPort{}, f.To, message)
}

func (a *asking) respond(ctx context.Context) (siptx.Response, dip.Cause) {
	if a.trunk = a.find(); a.trunk == nil {
		return a.strange(), ""
	}
	if a.request.ToTag() != "" { // within a dialog: nothing about the call is new
		if a.trunk.NextHop == "" {
			return siptx.Response{Status: 481}, ""
		}
		call := a.call()
		return a.onward(a.unverified(&call)), ""
	}
	if hops := a.request.Value("Max-Forwards"); hops != "" && strings.Trim(hops, "0") == "" {
		a.trace.Step("too many hops", "Max-Forwards is used up")
		return siptx.Response{Status: 483}, ""
	}
	call := a.call()
	answer := a.config.Dips.Do(ctx, a.trunk, call)
	if ctx.Err() != nil {
		a.tally.cancelled.Add(1)
		a.trace.Note(func(r *trace.Record) { r.Cancelled = true })
		return siptx.Response{Status: 487}, answer.FailOpen
	}
	add := a.additions(&call, &answer)
	if answer.Block {
		return siptx.Response{Status: 603, Fields: add.reasons}, answer.FailOpen
	}
	if a.trunk.NextHop != "" {
		return a.onward(add), answer.FailOpen
	}
	if add.empty() {
		return a.nothing(add), answer.FailOpen
	}
	return a.redirect(add), answer.FailOpen
}

// strange is the answer to a request that belongs to no trunk.
func (a *asking) strange() siptx.Response {
	if !a.config.Dips.Knows(a.request.Source.Addr(), len(a.request.Peer) > 0) {
		a.tally.unknown.Add(1)
		a.trace.Step("no trunk", "no trunk has this source")
		return siptx.Response{Status: 403}
	}
	a.tally.strange.Add(1)
	a.trace.Step("no trunk", "the source is known, but nothing else in the request fits a trunk")
	return siptx.Response{Status: trunk.NothingDefault}
}

// nothing says that there is nothing to add. What was wrong with a PASSporT is said all the same.
func (a *asking) nothing(add additions) siptx.Response {
	if status := a.trunk.Nothing; status != 302 {
		if status == 0 {
			status = trunk.NothingDefault
		}
		return siptx.Response{Status: status, Fields: add.reasons}
	}
	return a.redirect(add)
}

// redirect sends the call back to the switch with what is to be added to it.
func (a *asking) redirect(add additions) siptx.Response {
	place := a.trunk.Answer.Identity
	if place == trunk.InBoth && a.request.Transport == siptx.UDP && 2*bytesOf(add.fields) > bothBytesMax {
		a.tally.onceOnly.Add(1)
		place = trunk.InHeader
	}
	embedded := add.fields
	if place == trunk.InHeader {
		embedded = nil
	}
	contact, ok := a.redirection(embedded)
	if !ok {
		a.tally.loops.Add(1)
		a.trace.Step("loop", "the switch is at one of our own addresses")
		return siptx.Response{Status: 482}
	}
	fields := make([]siptx.Field, 1, 1+len(add.fields)+len(add.reasons))
	fields[0] = siptx.Field{Name: "Contact", Value: contact}
	if place != trunk.InContact {
		fields = append(fields, add.fields...)
	}
	fields = append(fields, add.reasons...)
	if a.request.Transport == siptx.UDP && bytesOf(fields) > AdditionsBytesMax {
		a.tally.leftOut.Add(1)
		a.trace.Step("left out", "the answer does not fit into a datagram")
		return siptx.Response{Status: trunk.NothingDefault}
	}
	return siptx.Response{Status: 302, Fields: fields}
}

// onward sends the request on with what is to be added to it.
func (a *asking) onward(add additions) siptx.Response {
	transport, to, ok := a.nextHop()
	if !ok {
		a.tally.nowhere.Add(1)
		a.trace.Step("not sent on", "the next hop is no address")
		return siptx.Response{Status: 503}
	}
	if a.config.Own(to) {
		a.tally.loops.Add(1)
		a.trace.Step("loop", "the next hop is one of our own addresses")
		return siptx.Response{Status: 482}
	}
	a.trace.Step("sent on", to.String())
	forward := &siptx.Forward{Transport: transport, To: to, Remove: add.remove, Replace: add.changed}
	for _, f := range add.fields {
		if f.Name == "Identity" { // it stands beside others
			forward.Add = append(forward.Add, f)
		} else {
			forward.Replace = append(forward.Replace, f)
		}
	}
	return siptx.Response{Forward: forward}
}

// nextHop is where requests of the trunk are sent on to.
func (a *asking) nextHop() (transport string, to netip.AddrPort, ok bool) {
	u, ok := readURI(a.trunk.NextHop)
	if !ok || u.host == "" {
		return "", netip.AddrPort{}, false
	}
	transport, to = u.listener(siptx.UDP)
	return transport, to, to.IsValid()
}
