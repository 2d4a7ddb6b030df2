package isup_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// element is the SIP redirect server that a switch asks about its calls, and the name by which it knows the trunk. The zero
// value is none.
type element struct {
	address   string // host:port
	transport string // udp or tcp
	group     string // trunk group, told in the Contact (RFC 4904 §5); empty if label tells the trunk
	context   string // of the trunk group
	label     string // first label of the host of the Request-URI; empty if group tells the trunk
}

// dipBudget is how long a switch waits for an answer before the call goes on without one. It is longer than the budget of the
// elements, which is the longest there is: a machine that has much to do makes no difference.
const dipBudget = 8 * time.Second

// errBlocked is an answer by which a call is not to go on.
var errBlocked = errors.New("blocked by policy")

// ask sends the INVITE of a call to the element. What it adds comes back as header fields, none if it has nothing to add,
// says so, is overloaded or cannot be reached: only a 603 stops a call. The end of the call, and of patience, is told to the
// element by a CANCEL.
func (s *gateway) ask(call context.Context, user string, fields []string) ([]string, error) {
	if s.element.address == "" {
		return nil, nil
	}
	host, contact := s.element.address, "<sip:"+s.address+">"
	if s.element.label != "" {
		host = s.element.label + ".oob.example"
	}
	if s.element.group != "" {
		contact = fmt.Sprintf("<sip:%s;tgrp=%s;trunk-context=%s@%s>", calledOf(user), s.element.group, s.element.context, s.address)
	}
	invite := newInvite(s.t, "sip:"+user+"@"+host+";user=phone", append([]string{"Contact: " + contact}, fields...)...)
	invite.SetTransport(sip.NetworkToUpper(s.element.transport))
	invite.SetDestination(s.element.address)

	ctx, stop := context.WithTimeout(call, dipBudget)
	defer stop()
	answered := make(chan *sip.Response, 1)
	go func() { answered <- s.answer(ctx, invite) }()
	select {
	case response := <-answered:
		return added(response)
	case <-ctx.Done():
		return nil, call.Err()
	}
}

// answer waits for the final answer of the element; nil if there is none before the end of ctx. It goes on for a while then,
// to cancel the question.
func (s *gateway) answer(ctx context.Context, invite *sip.Request) *sip.Response {
	tx, err := s.asking.TransactionRequest(ctx, invite)
	if err != nil {
		return nil
	}
	defer tx.Terminate()
	final, provisional := s.hear(ctx, tx, false)
	if ctx.Err() == nil || final != nil {
		return final
	}
	late, stop := aWhile()
	defer stop()
	if !provisional { // RFC 3261 §9.1: no CANCEL before a provisional answer
		final, provisional = s.hear(late, tx, true)
	}
	if provisional && final == nil {
		s.withdraw(late, invite)
		_, _ = s.hear(late, tx, false) // 487, which the transaction acknowledges
	}
	return nil
}

// hear waits for the final answer, or for any if any is enough. final is nil if it has not come.
func (s *gateway) hear(ctx context.Context, tx sip.ClientTransaction, any bool) (final *sip.Response, provisional bool) {
	for {
		select {
		case response := <-tx.Responses():
			if !response.IsProvisional() {
				return response, provisional
			}
			provisional = true
			if any {
				return nil, true
			}
		case <-tx.Done():
			return nil, false
		case <-ctx.Done():
			return nil, provisional
		}
	}
}

// withdraw cancels a question.
func (s *gateway) withdraw(ctx context.Context, invite *sip.Request) {
	cancel := sip.NewRequest(sip.CANCEL, invite.Recipient)
	for _, header := range []sip.Header{invite.Via(), invite.From(), invite.To(), invite.CallID(), invite.MaxForwards()} {
		cancel.AppendHeader(sip.HeaderClone(header))
	}
	cancel.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	cancel.SetTransport(invite.Transport())
	cancel.SetDestination(s.element.address)
	cancel.Laddr = invite.Laddr
	_, _ = s.asking.Do(ctx, cancel) // the question ends by its own transaction
}

// added are the header fields of an answer that a call takes with it.
func added(response *sip.Response) ([]string, error) {
	switch {
	case response == nil:
		return nil, nil
	case response.StatusCode == 603:
		return nil, errBlocked
	case response.StatusCode != 302:
		return nil, nil
	}
	var fields []string
	for _, name := range []string{"P-Asserted-Identity", "Attestation-Info", "Origination-Id", "Reason", "Identity"} {
		for _, value := range values(response, name) {
			fields = append(fields, name+": "+value)
		}
	}
	return fields, nil
}

// calledOf is the number in a user part.
func calledOf(user string) string {
	digits, _ := userPart(user)
	return digits
}

// newAsking makes the client for questions: on sockets of its own, as a switch has them.
func newAsking(t testing.TB, a *agent) *sipgo.Client {
	t.Helper()
	client, err := sipgo.NewClient(a.ua, sipgo.WithClientHostname("127.0.0.1"))
	check(t, err)
	return client
}
