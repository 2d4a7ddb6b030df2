package isup_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// phone is a SIP user agent in the hands of a test.
type phone struct {
	*agent
	rings chan *ring
}

func startPhone(t testing.TB) *phone {
	t.Helper()
	p := &phone{agent: newAgent(t), rings: make(chan *ring, circuits)}
	p.serve(t, func(call *sipgo.DialogServerSession) {
		p.rings <- &ring{call}
		<-call.Context().Done()
	})
	return p
}

// ring is a call that a phone is offered.
type ring struct{ *sipgo.DialogServerSession }

// ringing waits for a call.
func (p *phone) ringing(t testing.TB) *ring {
	t.Helper()
	return await(t, p.rings, "a call at the far phone")
}

// respond answers the INVITE; answer, with a session, and waits for the ACK.
func (r *ring) respond(t testing.TB, status int) {
	t.Helper()
	check(t, r.Respond(status, fmt.Sprint("Status ", status), nil))
}

func (r *ring) answer(t testing.TB) {
	t.Helper()
	check(t, r.RespondSDP([]byte(sdp)))
}

// over waits until the call has ended, by whoever ended it.
func (r *ring) over(t testing.TB) {
	t.Helper()
	await(t, r.Context().Done(), "the end of the call at the far phone")
}

func (r *ring) hangUp(t testing.TB) {
	t.Helper()
	ctx, cancel := aWhile()
	defer cancel()
	check(t, r.Bye(ctx))
}

// placedCall is a call that a phone has placed.
type placedCall struct {
	*sipgo.DialogClientSession
	responses chan *sip.Response // each, as it comes
	done      chan error         // of waiting for the answer
	cancel    context.CancelFunc
}

// place calls a URI, with these header fields.
func (p *phone) place(t testing.TB, uri string, fields ...string) *placedCall {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	session, err := p.placed.WriteInvite(ctx, newInvite(t, uri, fields...))
	check(t, err)
	call := &placedCall{session, make(chan *sip.Response, 16), make(chan error, 1), cancel}
	go func() {
		call.done <- session.WaitAnswer(ctx, sipgo.AnswerOptions{OnResponse: func(r *sip.Response) error {
			call.responses <- r
			return nil
		}})
	}()
	return call
}

// progress waits for a provisional response above 100.
func (c *placedCall) progress(t testing.TB, status int) {
	t.Helper()
	for {
		if r := await(t, c.responses, "a response"); r.StatusCode != 100 {
			if r.StatusCode != status {
				t.Fatalf("the caller hears %d, want %d", r.StatusCode, status)
			}
			return
		}
	}
}

// answered waits for the answer, and acknowledges it.
func (c *placedCall) answered(t testing.TB) {
	t.Helper()
	check(t, await(t, c.done, "the answer"))
	ctx, cancel := aWhile()
	defer cancel()
	check(t, c.Ack(ctx))
}

// refused waits for a final answer that is none of success.
func (c *placedCall) refused(t testing.TB) *sip.Response {
	t.Helper()
	err := await(t, c.done, "a refusal")
	var refused *sipgo.ErrDialogResponse
	if !errors.As(err, &refused) {
		t.Fatalf("the call ends with %v, want a refusal", err)
	}
	return refused.Res
}

func (c *placedCall) hangUp(t testing.TB) {
	t.Helper()
	ctx, cancel := aWhile()
	defer cancel()
	check(t, c.Bye(ctx))
}

func (c *placedCall) over(t testing.TB) {
	t.Helper()
	await(t, c.Context().Done(), "the end of the call at the caller")
}

// fieldName is what stands before the colon.
func fieldName(field string) string {
	name, _, _ := strings.Cut(field, ":")
	return name
}
