package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/oob"
)

// The switches of the demonstration: before a call goes on, they ask their SIP element about it.

// trip is one call on its way, with what happened to it.
type trip struct {
	*country
	steps []step
	asked []asked // in the order in which elements were asked
}

// asked is one question: who was asked, and the record of it.
type asked struct {
	of *provider
	id string
}

type step struct {
	who, what, outcome string
	took               time.Duration
}

// sipCall is a call where it is signalled with SIP.
type sipCall struct {
	id         string // Call-ID
	orig, dest string
	identity   []string // Identity header field values
	diverted   string   // who was called before; empty for nobody
}

// newCall is a call that begins.
func newCall(orig, dest string) sipCall { return sipCall{id: uuid.New(), orig: orig, dest: dest} }

// cross is the TDM trunk: it keeps the two numbers and nothing else. The far side makes another call of them.
func (t *trip) cross(call sipCall) sipCall {
	crossing := "two numbers go over"
	if len(call.identity) > 0 {
		crossing += "; the Identity header is lost"
	}
	t.steps = append(t.steps, step{who: "TDM", what: "trunk", outcome: crossing})
	return newCall(call.orig, call.dest)
}

// arrival is how a call was presented to the called party's switch.
type arrival struct {
	verstat   oob.Verstat
	attest    string
	errCase   string // row of the error table, from the element's own record
	signerSPC string
	diverted  []string // what the signatures say of who sent it on
}

// ask has a provider's switch ask its element about a call that uses a trunk, and gives the call as it goes on.
func (t *trip) ask(ctx context.Context, spc, label string, call sipCall) (sipCall, *sipAnswer, *trace.Record, error) {
	began := time.Now()
	answer, err := t.providers[spc].dip(ctx, label, call)
	if err != nil {
		return call, nil, nil, err
	}
	record, err := t.providers[spc].record(call.id)
	if err != nil {
		return call, nil, nil, err
	}
	t.asked = append(t.asked, asked{t.providers[spc], record.ID})
	outcome := strconv.Itoa(answer.status)
	if added := answer.header.Values("Identity"); len(added) > 0 {
		call.identity = append(call.identity, added...)
		outcome += ", Identity"
	}
	if record.Attest != "" {
		outcome += ", attest " + record.Attest
	}
	if verstat := answer.verstat(); verstat != "" {
		outcome += ", " + string(verstat)
	}
	for _, a := range record.Publish {
		outcome += ", publish: " + a.Status
	}
	if n := len(record.Retrieve); n > 0 {
		outcome += ", retrieve: " + record.Retrieve[n-1].Status
	}
	if record.FailOpen != "" {
		outcome += "; goes on all the same"
	}
	t.steps = append(t.steps, step{who: "SPC " + spc, what: "INVITE over " + label, outcome: outcome, took: time.Since(began)})
	return call, answer, record, nil
}

// send is ask for a call that leaves.
func (t *trip) send(ctx context.Context, spc, label string, call sipCall) (sipCall, error) {
	call, _, _, err := t.ask(ctx, spc, label, call)
	return call, err
}

// arrive is ask for a call that reaches its called party.
func (t *trip) arrive(ctx context.Context, label string, call sipCall) (arrival, error) {
	_, answer, record, err := t.ask(ctx, terminatingSPC, label, call)
	if err != nil {
		return arrival{}, err
	}
	a := arrival{verstat: answer.verstat(), attest: answer.header.Get("Attestation-Info"), errCase: record.Case, signerSPC: record.SignerSPC}
	if string(a.verstat) != record.Verstat {
		return a, errors.New("the switch was told another verdict than was given")
	}
	for _, c := range record.Checks {
		if c.Name == "diversion" && c.Outcome == oob.CheckPassed {
			a.diverted = append(a.diverted, c.Detail)
		}
	}
	return a, nil
}

// writeMessages shows what was said between switches and elements about the call.
func (t *trip) writeMessages(out io.Writer) error {
	for _, asked := range t.asked {
		if record := asked.answered(); record != nil {
			fmt.Fprintf(out, "SPC %s, trunk %s:\n", asked.of.spc, record.Trunk)
			if err := record.WriteText(out); err != nil {
				return err
			}
			fmt.Fprintln(out)
		}
	}
	return nil
}

// answered is the record with the answer in it, which is noted after it has been sent.
func (a asked) answered() *trace.Record {
	for range 100 {
		found := a.of.element.switches.recorder.Find(trace.Query{ID: a.id, Limit: 1})
		if len(found) == 0 || slices.ContainsFunc(found[0].Messages, func(m trace.Message) bool { return !m.In }) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if found := a.of.element.switches.recorder.Find(trace.Query{ID: a.id, Limit: 1}); len(found) > 0 {
		return found[0]
	}
	return nil
}

// record is what the element has written down about a call.
func (p *provider) record(callID string) (*trace.Record, error) {
	found := p.element.switches.recorder.Find(trace.Query{CallID: callID, Limit: 1})
	if len(found) == 0 {
		return nil, fmt.Errorf("the element of %s knows nothing of a call that it has answered", p.spc)
	}
	return found[0], nil
}

// sipAnswer is a final response.
type sipAnswer struct {
	status int
	header textproto.MIMEHeader
}

// verstat is what the answer says of the caller; empty when it says nothing.
func (a *sipAnswer) verstat() oob.Verstat {
	_, rest, _ := strings.Cut(a.header.Get("P-Asserted-Identity"), "verstat=")
	end := strings.IndexAny(rest, "@;>")
	if end < 0 {
		return ""
	}
	return oob.Verstat(rest[:end])
}

// switchPatience is how long a switch waits for its element before it goes on without.
const switchPatience = 2 * time.Second

// dip asks about one call over TCP.
func (p *provider) dip(ctx context.Context, label string, call sipCall) (*sipAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, switchPatience)
	defer cancel()
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.element.switches.doors[0].Addr().String())
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	stop := context.AfterFunc(ctx, func() { _ = connection.SetDeadline(time.Now()) })
	defer stop()
	from, branch := connection.LocalAddr().String(), uuid.New()
	request := func(method string, more ...string) error {
		lines := append([]string{
			fmt.Sprintf("%s sip:+%s@%s.oob.example SIP/2.0", method, call.dest, label),
			fmt.Sprintf("Via: SIP/2.0/TCP %s;branch=z9hG4bK%s", from, branch),
			"Max-Forwards: 70",
			fmt.Sprintf("From: <sip:+%s@%s;user=phone>;tag=%s", call.orig, from, branch[:8]),
			fmt.Sprintf("To: <sip:+%s@%s;user=phone>", call.dest, from),
			"Call-ID: " + call.id,
			"CSeq: 1 " + method,
		}, append(more, "Content-Length: 0", "", "")...)
		_, err := io.WriteString(connection, strings.Join(lines, "\r\n"))
		return err
	}
	more := []string{
		fmt.Sprintf("Contact: <sip:%s;transport=tcp>", from), fmt.Sprintf("P-Asserted-Identity: <sip:+%s@%s;user=phone>", call.orig, from),
	}
	if call.diverted != "" {
		more = append(more, fmt.Sprintf("Diversion: <sip:+%s@%s;user=phone>;reason=unconditional", call.diverted, from))
	}
	for _, value := range call.identity {
		more = append(more, "Identity: "+value)
	}
	if err := request("INVITE", more...); err != nil {
		return nil, err
	}
	reader := textproto.NewReader(bufio.NewReader(connection))
	for {
		line, err := reader.ReadLine()
		if err != nil {
			return nil, err
		}
		var answer sipAnswer
		if _, err := fmt.Sscanf(line, "SIP/2.0 %d", &answer.status); err != nil {
			return nil, errors.New("the element's answer is no SIP")
		}
		if answer.header, err = reader.ReadMIMEHeader(); err != nil {
			return nil, err
		}
		if answer.status >= 200 {
			return &answer, request("ACK")
		}
	}
}
