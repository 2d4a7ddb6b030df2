package sipgw

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stivs"
)

// additions is what is to be different about a call that goes on.
type additions struct {
	fields  []siptx.Field // to add, or to put in place of what has the same name
	changed []siptx.Field // only in a request that is sent on: to put in place of what is there
	remove  []string      // only from a request that is sent on
	reasons []siptx.Field // for whoever has sent the call, in the response
}

func (add *additions) empty() bool { return len(add.fields) == 0 }

// bytesOf is how much room fields take.
func bytesOf(fields []siptx.Field) (n int) {
	for _, f := range fields {
		n += len(f.Name) + len(f.Value) + 4
	}
	return n
}

// add adds a field if it can be written safely and there is room for it.
func (a *asking) add(add *additions, name, value string) {
	if !isLine(value) || bytesOf(add.fields)+len(name)+len(value)+4 > AdditionsBytesMax {
		a.tally.leftOut.Add(1)
		a.trace.Step("left out", name)
		return
	}
	add.fields = append(add.fields, siptx.Field{Name: name, Value: value})
}

// isLine is true of text that cannot be anything but one line.
func isLine(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != ""
}

// additions says what came of a dip in header fields.
func (a *asking) additions(call *dip.Call, answer *dip.Answer) (add additions) {
	if len(answer.Identity) > 0 {
		add.fields = make([]siptx.Field, 0, len(answer.Identity)+1)
	}
	for _, value := range answer.Identity {
		a.add(&add, "Identity", value)
	}
	// A PASSporT is compared with the Date of its request, which has to be there (RFC 8224 §6.1).
	if !answer.Signed.IAT.IsZero() && (call.Date.IsZero() || a.trunk.IgnoreDate) {
		a.add(&add, "Date", answer.Signed.IAT.UTC().Format(dateLayout))
	}
	// What was retrieved speaks of the time when it was signed, whatever the gateway has put into its request since.
	if len(add.fields) > 0 && !answer.Date.IsZero() && !answer.Date.Equal(call.Date) {
		a.add(&add, "Date", answer.Date.UTC().Format(dateLayout))
	}
	if answer.Verdict != nil {
		a.addVerdict(&add, call, answer.Verdict)
		return add
	}
	if a.trunk.NextHop != "" && len(add.fields) == 0 {
		return a.unverified(call)
	}
	return add
}

// unverified takes what a request says of its own verification out of one that is sent on from a trunk that verifies,
// although this one was not: a call for help, or one within a dialog. Whoever sent it could have written anything there.
func (a *asking) unverified(call *dip.Call) (add additions) {
	if a.trunk.Mode == trunk.Verify {
		none := oob.Verdict{Verstat: oob.VerstatNoValidation}
		a.addCaller(&add, call, &none)
		a.addAttestation(&add, &none)
	}
	return add
}

// addVerdict says what was verified.
func (a *asking) addVerdict(add *additions, call *dip.Call, v *oob.Verdict) {
	a.addCaller(add, call, v)
	a.addAttestation(add, v)
	if a.trunk.Answer.CallInfo && v.Rich != nil && !call.Parties.Restricted {
		a.addCallInfo(add, v.Rich)
	}
	a.addReasons(add, v)
	if len(call.Priorities) > 0 && !supports(v.Priority, call.Priorities) {
		a.tally.unsupported.Add(1)
		a.trace.Step("priority", "what Resource-Priority asks for is supported by no PASSporT")
	}
}

// supports tells whether a PASSporT stands behind all r-values (RFC 8443 §4.2).
func supports(p *oob.Priority, asked []string) bool {
	if p == nil || p.Verstat != oob.PriorityPassed {
		return false
	}
	for _, one := range asked {
		if !slices.ContainsFunc(p.Values, func(value string) bool { return strings.EqualFold(value, one) }) {
			return false
		}
	}
	return true
}

// addAttestation says what the PASSporT says that made the call pass. What came under these names was said by somebody else.
func (a *asking) addAttestation(add *additions, v *oob.Verdict) {
	says := func(value string, names ...string) {
		for i, name := range names {
			if i == 0 || a.trunk.Answer.LegacyAttestation {
				if value != "" {
					a.add(add, name, value)
				}
			}
		}
	}
	says(v.Attest, "Attestation-Info", "P-Attestation-Indicator")
	says(v.OrigID, "Origination-Id", "P-Origination-ID")
	add.remove = append(append(add.remove, asksAttest[:]...), asksOrigID[:]...)
	add.remove = slices.DeleteFunc(add.remove, func(name string) bool {
		return slices.ContainsFunc(add.fields, func(f siptx.Field) bool { return strings.EqualFold(f.Name, name) })
	})
}

// addReasons says what was wrong with PASSporTs. It goes back to where they came from, in a final response: none of ours is
// provisional, and 100 is siptx's own (RFC 9410 §4).
func (a *asking) addReasons(add *additions, v *oob.Verdict) {
	protocol := identity.ReasonSTIR
	switch a.trunk.Answer.Reason {
	case trunk.ReasonNone:
		return
	case trunk.ReasonSIP:
		protocol = identity.ReasonSIP
	}
	for _, r := range stivs.Reasons(*v, protocol) {
		value, err := r.MarshalText()
		if err != nil || len(add.reasons) == identity.ReasonsMax {
			a.tally.leftOut.Add(1)
			continue
		}
		add.reasons = append(add.reasons, siptx.Field{Name: "Reason", Value: string(value)})
	}
}

// addCallInfo shows rich call data (RFC 9796): the jCard in a data URI, and why the call is made. A reason without a card
// stands beside an empty URI. An icon is too much for a header field.
func (a *asking) addCallInfo(add *additions, rich *oob.Rich) {
	card := rich.Card
	if len(card) > CardBytesMax {
		card = ""
		a.tally.leftOut.Add(1)
		a.trace.Step("left out", "the card is too long for a header field")
	}
	if card == "" && rich.Reason == "" {
		return
	}
	b := []byte("<data:")
	if card != "" {
		b = append(b, "application/json;base64,"...)
		b = base64.StdEncoding.AppendEncode(b, []byte(card))
	}
	b = append(b, ">;purpose=jcard"...)
	if rich.Reason != "" {
		b = appendQuoted(append(b, ";call-reason="...), rich.Reason)
	}
	a.add(add, "Call-Info", string(b))
}
