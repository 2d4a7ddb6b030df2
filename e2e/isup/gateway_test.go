package isup_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// gateway is a switch between SIP and one end of a trunk. What it knows of a call goes over the trunk as far as ISUP has
// words for it, and nothing else does.
type gateway struct {
	t testing.TB
	*agent
	numbering
	end     *trunkEnd
	element element
	asking  *sipgo.Client
	next    string // host:port to which calls from the trunk go

	mu    sync.Mutex   // guards what follows, and orders the messages of a circuit
	legs  map[int]*leg // by circuit: those that are not idle
	first int          // the lowest circuit that this end may seize
	down  bool
}

// leg is a call on a circuit.
type leg struct {
	cic       int
	events    chan event // room for more messages than a call has; closed when the trunk is gone
	releasing bool       // a release was sent, and is not complete
	over      bool       // the circuit is idle, or another call's: nothing may be sent any more
}

// circuits of a trunk, as isupgw knows them.
const circuits = 30

// startGateway takes over an end of the trunk: ends[0] of tr for side 0.
func startGateway(t testing.TB, tr *trunk, side int, n numbering, asks element, next string) *gateway {
	t.Helper()
	g := &gateway{
		t: t, agent: newAgent(t), numbering: n, end: tr.ends[side], element: asks, next: next, legs: map[int]*leg{}, first: 1 + side,
	}
	g.asking = newAsking(t, g.agent)
	g.serve(t, g.offered)
	var calls sync.WaitGroup
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		for e := range g.end.events {
			if l := g.deliver(e); l != nil {
				calls.Go(func() { g.arrived(l, e.message) })
			}
		}
		g.fail()
	}()
	t.Cleanup(func() {
		g.end.close()
		<-reading
		calls.Wait()
	})
	return g
}

// deliver gives an event to its leg. A circuit that the other side releases is idle at once. An initial address on an idle
// circuit makes a new leg, which is returned.
func (g *gateway) deliver(e event) *leg {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.legs[e.cic]
	if l == nil {
		switch e.name {
		case "IAM":
			return g.occupy(e.cic)
		case "ERR":
			g.t.Error("isupgw has refused a command of a switch")
		}
		return nil
	}
	switch e.name {
	case "REL":
		g.end.send("RLC", message{cic: l.cic})
		l.over = true
	case "RLC", "RSC":
		l.over, l.releasing = true, false
	}
	if l.over && !l.releasing {
		delete(g.legs, l.cic)
	}
	l.events <- e
	return nil
}

func (g *gateway) occupy(cic int) *leg {
	l := &leg{cic: cic, events: make(chan event, 16)}
	g.legs[cic] = l
	return l
}

// fail ends the calls of a trunk that is gone. Its speech timeslots are on the same line as its signalling.
func (g *gateway) fail() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = true
	for _, l := range g.legs {
		l.over = true
		close(l.events)
	}
	clear(g.legs)
}

// seize takes an idle circuit and sends an initial address message on it; nil if there is none.
func (g *gateway) seize(iam message) *leg {
	g.mu.Lock()
	defer g.mu.Unlock()
	for cic := g.first; cic <= circuits && !g.down; cic += 2 {
		if g.legs[cic] == nil {
			iam.cic = cic
			g.end.send("IAM", iam)
			return g.occupy(cic)
		}
	}
	return nil
}

// send sends a message on the circuit of a leg, unless that is over.
func (g *gateway) send(l *leg, name string, m message) (sent bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.over {
		return false
	}
	m.cic = l.cic
	g.end.send(name, m)
	l.releasing = l.releasing || name == "REL"
	return true
}

// release ends a call on its circuit from this side, and waits until that is complete. The other side may do the same at
// the same time.
func (g *gateway) release(l *leg, cause int) {
	if !g.send(l, "REL", message{cause: cause}) {
		return
	}
	for e := range l.events {
		if e.name == "RLC" || e.name == "RSC" {
			return
		}
	}
}

// ends tells whether an event ends a call, and why. A closed channel gives the zero event: the trunk is gone.
func (e event) ends() (cause int, over bool) {
	switch e.name {
	case "REL":
		return e.cause, true
	case "RSC":
		return 31, true // normal, unspecified
	case "":
		return 34, true // no circuit
	}
	return 0, false
}

// offered carries a call from SIP to the trunk: first the element is asked, then the circuit is seized.
func (g *gateway) offered(call *sipgo.DialogServerSession) {
	respond := func(status int, headers ...sip.Header) {
		_ = call.Respond(status, fmt.Sprint("Status ", status), nil, headers...) // the caller may be gone
	}
	respond(100)
	iam, ok := g.initialAddress(call.InviteRequest)
	if !ok {
		respond(484)
		return
	}
	user, asked := g.question(call.InviteRequest)
	if _, err := g.ask(call.Context(), user, asked); err != nil {
		if errors.Is(err, errBlocked) {
			respond(603)
		}
		return // or cancelled, which sipgo has answered
	}
	l := g.seize(iam)
	if l == nil {
		respond(503, q850(34))
		return
	}
	g.outgoing(call, l, respond)
}

// question is the call as the element is asked about it: as it came, but for what names the dialog.
func (g *gateway) question(invite *sip.Request) (user string, fields []string) {
	for _, name := range []string{"From", "Date", "P-Asserted-Identity", "Privacy", "Diversion", "Identity"} {
		for _, value := range values(invite, name) {
			fields = append(fields, name+": "+value)
		}
	}
	return invite.Recipient.User, fields
}

// outgoing passes on what either side says of a call, until it is over.
func (g *gateway) outgoing(call *sipgo.DialogServerSession, l *leg, respond func(int, ...sip.Header)) {
	answered := false
	for {
		select {
		case e := <-l.events:
			cause, over := e.ends()
			switch {
			case e.name == "ACM":
				respond(180)
			case e.name == "ANM":
				answered = true
				_ = call.RespondSDP([]byte(sdp)) // waits for the ACK; without one, the caller's BYE or the trunk ends the call
			case over && answered:
				g.bye(call.InviteRequest.Contact().Address, cause, call.WriteBye)
				return
			case over:
				respond(statusOf(cause), q850(cause))
				return
			}
		case <-call.Context().Done(): // a CANCEL or a BYE
			g.release(l, 16)
			return
		}
	}
}

// bye ends a call on the SIP side, with the cause that the trunk gave.
func (g *gateway) bye(target sip.Uri, cause int, write func(context.Context, *sip.Request) error) {
	request := sip.NewRequest(sip.BYE, target)
	request.AppendHeader(q850(cause))
	ctx, cancel := aWhile()
	defer cancel()
	_ = write(ctx, request) // the phone may be gone
}

// arrived carries a call from the trunk to SIP: first the element is asked, then the phone is called with what it adds.
func (g *gateway) arrived(l *leg, iam message) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	outcome := make(chan outcome, 1)
	progress := make(chan int, 16)
	go func() { outcome <- g.call(ctx, iam, progress) }()
	complete := false // address complete has been sent
	ringing := func() {
		if !complete {
			g.send(l, "ACM", message{})
			complete = true
		}
	}
	for {
		select {
		case <-progress:
			ringing()
		case o := <-outcome:
			if o.call == nil {
				g.release(l, causeOf(o.status))
				return
			}
			ringing()
			g.send(l, "ANM", message{})
			g.incoming(o.call, l)
			return
		case e := <-l.events:
			if cause, over := e.ends(); over {
				stop()
				if o := <-outcome; o.call != nil { // answered at the same time
					g.hangUp(o.call, cause)
				}
				return
			}
		}
	}
}

// outcome of an INVITE: the answered call, or the status that refused it.
type outcome struct {
	call   *sipgo.DialogClientSession
	status int
}

// call places the call towards the phone. The end of ctx cancels it.
func (g *gateway) call(ctx context.Context, iam message, progress chan<- int) outcome {
	user, fields := g.invitation(iam, g.address)
	more, err := g.ask(ctx, user, fields)
	if err != nil {
		return outcome{status: 603}
	}
	if slices.ContainsFunc(more, func(f string) bool { return fieldName(f) == "P-Asserted-Identity" }) {
		fields = slices.DeleteFunc(fields, func(f string) bool { return fieldName(f) == "P-Asserted-Identity" })
	}
	invite := newInvite(g.t, "sip:"+user+"@"+g.next+";user=phone", append(fields, more...)...)
	call, err := g.placed.WriteInvite(ctx, invite)
	if err != nil {
		return outcome{status: 503}
	}
	err = call.WaitAnswer(ctx, sipgo.AnswerOptions{OnResponse: func(r *sip.Response) error {
		if r.StatusCode > 100 && r.IsProvisional() {
			progress <- r.StatusCode
		}
		return nil
	}})
	var refused *sipgo.ErrDialogResponse
	switch {
	case errors.As(err, &refused):
		return outcome{status: refused.Res.StatusCode}
	case err != nil:
		return outcome{status: 503}
	}
	ack, cancel := aWhile()
	defer cancel()
	if err := call.Ack(ack); err != nil {
		return outcome{status: 503}
	}
	return outcome{call: call}
}

// incoming waits for the end of an answered call from the trunk.
func (g *gateway) incoming(call *sipgo.DialogClientSession, l *leg) {
	defer call.Close()
	for {
		select {
		case e := <-l.events:
			if cause, over := e.ends(); over {
				g.hangUp(call, cause)
				return
			}
		case <-call.Context().Done():
			g.release(l, 16)
			return
		}
	}
}

func (g *gateway) hangUp(call *sipgo.DialogClientSession, cause int) {
	defer call.Close()
	g.bye(call.InviteResponse.Contact().Address, cause, call.WriteBye)
}
