package sipgw_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

const contactOfSwitch = "<sip:+12155550131@127.0.0.1:5070;user=phone>"

// believed wants an Identity header field value to verify the call.
func (b *bed) believed(value string) oob.Verdict {
	b.Helper()
	verdict := b.Service(nil).Verify(b.Context(), stivs.Call{Orig: calltest.Caller, Dest: calltest.Called, Identity: []string{value}, Time: b.Clock.Now()})
	calltest.Passes(b, verdict)
	return verdict
}

func TestSignedCallIsSentBackWithIdentityAndDate(t *testing.T) {
	b := open(t, row(trunk.Sign, nil))
	a := b.ask(invite())
	a.status(302)
	a.has("Contact", contactOfSwitch)
	values := a.values("Identity")
	if len(values) != 1 {
		t.Fatalf("%d Identity\n%s", len(values), a.text)
	}
	verdict := b.believed(values[0])
	if verdict.Attest != "A" {
		t.Errorf("attestation %q", verdict.Attest)
	}
	a.has("P-Asserted-Identity", "")
	if got := b.gateway.Stats(); got.Answers[302] != 1 || got.LeftOut != 0 {
		t.Errorf("%+v", got)
	}
}

func TestRFC8224_S6_1_ARequestWithoutDateGetsThatOfItsPassport(t *testing.T) {
	b := open(t, row(trunk.Sign, nil))
	date := b.Clock.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	b.ask(invite()).has("Date", date)
	b.ask(invite("Date", date, "Call-ID", "c2", "Via", "SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK-2")).has("Date", "")
}

func TestRFC8224_S11_AnonymousCallIsSignedForTheAssertedCaller(t *testing.T) {
	b := open(t, row(trunk.Sign, nil))
	a := b.ask(invite("From", `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=f1`, "Privacy", "id", "P-Asserted-Identity", "<sip:+12155550121@192.0.2.10>"))
	a.status(302)
	values := a.values("Identity")
	if len(values) != 1 {
		t.Fatalf("%d Identity\n%s", len(values), a.text)
	}
	if verdict := b.believed(values[0]); verdict.Attest != "A" {
		t.Errorf("attestation %q", verdict.Attest)
	}
	if strings.Contains(strings.Replace(a.text, values[0], "", 1), calltest.Caller.String()) {
		t.Errorf("the answer shows the caller:\n%s", a.text)
	}
}

func TestPublishedOnceAndRetrievedAtTheOtherEnd(t *testing.T) {
	b := open(t,
		row(trunk.SignPublish, func(r *trunk.Row) { r.Match.Label = "out" }),
		row(trunk.Retrieve, func(r *trunk.Row) { r.Match.Label = "in" }),
		row(trunk.Verify, func(r *trunk.Row) { r.Match.Label, r.CPS, r.Profile = "end", []string{"laboratory"}, oob.Mesh }),
	)
	out := b.ask(invite("uri", "sip:+12155550131@out.oob.example;user=phone"))
	out.status(302)
	again := b.ask(invite("uri", "sip:+12155550131@out.oob.example;user=phone", "Via", "SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK-2"))
	again.has("Identity", out.values("Identity")[0]) // a second dip of the same call: nothing new is signed

	in := b.ask(invite("uri", "sip:+12155550131@in.oob.example;user=phone", "Call-ID", "c2", "Via", "SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK-3"))
	in.status(302)
	if got := in.values("Identity"); len(got) != 1 || !strings.HasPrefix(got[0], strings.SplitN(out.values("Identity")[0], ";", 2)[0]) {
		t.Errorf("retrieved %q", got)
	}

	end := b.ask(invite("uri", "sip:+12155550131@end.oob.example;user=phone", "Call-ID", "c3", "Via", "SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK-4",
		"P-Asserted-Identity", `"A. Caller" <sip:+12155550121@192.0.2.10;user=phone>`))
	end.status(302)
	end.has("P-Asserted-Identity", `"A. Caller" <sip:+12155550121;verstat=TN-Validation-Passed@192.0.2.10;user=phone>`)
	end.has("Attestation-Info", "A")
	if got := end.values("Origination-Id"); len(got) != 1 || len(got[0]) != 36 {
		t.Errorf("origid %q", got)
	}
	end.has("Reason", "")
}

// A CPS that is away costs no call, and no signature.
func TestACPSThatIsAwayCostsNoCall(t *testing.T) {
	b := open(t, row(trunk.SignPublish, nil), row(trunk.Retrieve, func(r *trunk.Row) { r.Match.Label = "in" }),
		row(trunk.Verify, func(r *trunk.Row) { r.Match.Label, r.CPS, r.Profile = "end", []string{"laboratory"}, oob.Mesh }))
	b.must(b.cps.Close())
	a := b.ask(invite())
	a.status(302)
	b.believed(a.values("Identity")[0])
	b.ask(invite(append(again(1), "uri", "sip:+12155550131@in.oob.example")...)).status(404)
	end := b.ask(invite(append(again(2), "uri", "sip:+12155550131@end.oob.example")...))
	end.status(302)
	end.has("P-Asserted-Identity", `"A. Caller" <sip:+12155550121;`+none+`@192.0.2.10;user=phone>`)
}

func TestNothingToAdd(t *testing.T) {
	for name, c := range map[string]struct {
		row     trunk.Row
		request string
		status  int
	}{
		"off":                      {row(trunk.Off, nil), invite(), 404},
		"nothing to publish":       {row(trunk.Publish, nil), invite(), 404},
		"503":                      {row(trunk.Off, func(r *trunk.Row) { r.Nothing = 503 }), invite(), 503},
		"a plain 302":              {row(trunk.Off, func(r *trunk.Row) { r.Nothing = 302 }), invite(), 302},
		"nothing found":            {row(trunk.Retrieve, nil), invite(), 404},
		"emergency":                {row(trunk.Sign, nil), invite("uri", "urn:service:sos"), 404},
		"a number that is none":    {row(trunk.Sign, nil), invite("uri", "sip:anything@oob.example"), 302},
		"no caller":                {row(trunk.Sign, nil), invite("From", "<sip:anonymous@anonymous.invalid>;tag=f1"), 404},
		"nothing is signed for it": {row(trunk.Sign, nil), invite("uri", "sip:+1@oob.example;user=phone"), 404},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, c.row)
			a := b.ask(c.request)
			a.status(c.status)
			if c.status != 302 {
				a.has("Contact", "")
				a.has("Identity", "")
			}
		})
	}
}

// A bad PASSporT stops a call where the trunk's policy says so, and nowhere else.
func TestBlockedByPolicyAlone(t *testing.T) {
	b := open(t, row(trunk.Verify, func(r *trunk.Row) { r.Name = blocking }))
	bad := calltest.Field(b.Sign(b.Signer, passport.Shaken, passport.Claims{Dest: []tn.Identity{calltest.Another}}))
	forged := calltest.Field(b.Sign(b.Stranger(), passport.Shaken, passport.Claims{}))
	for i, c := range []struct {
		name, identity string
		status         int
	}{{"none", "", 302}, {"good", b.fresh(2), 302}, {"by a stranger", forged, 603}, {"of another call", bad, 302}} {
		t.Run(c.name, func(t *testing.T) {
			a := b.ask(invite(append(again(i), "Identity", c.identity)...))
			a.t = t
			a.status(c.status)
			if c.status == 603 && (len(a.values("Reason")) != 1 || len(a.values("Contact")) != 0) {
				t.Error(a.text)
			}
		})
	}
}

func TestNoTrunkIsNoReasonToStopACall(t *testing.T) {
	b := open(t, row(trunk.Sign, func(r *trunk.Row) { r.Match.TGRP = "tg-1" }))
	b.ask(invite()).status(404)
	if got := b.gateway.Stats(); got.NoTrunk != 1 || got.UnknownSource != 0 {
		t.Errorf("%+v", got)
	}
}

// What was wrong with a PASSporT goes back in the final response, and the call goes on (RFC 9410 §4).
func TestRFC9410_S4_ReasonsStandInTheFinalResponse(t *testing.T) {
	b := open(t, row(trunk.Verify, nil))
	stranger := b.Stranger()
	bad := calltest.Field(b.Sign(stranger, passport.Shaken, passport.Claims{}))
	a := b.ask(invite("Identity", bad))
	a.status(302)
	a.has("P-Asserted-Identity", `"A. Caller" <sip:+12155550121;verstat=`+string(oob.VerstatFailed)+`@192.0.2.10;user=phone>`)
	reasons, errs := identity.ParseReasons(a.values("Reason"))
	if len(reasons) != 1 || len(errs) > 0 || reasons[0].Protocol != identity.ReasonSTIR || reasons[0].Cause != 437 || reasons[0].PPI == "" {
		t.Errorf("%v %v\n%s", reasons, errs, a.text)
	}
	a.has("Attestation-Info", "")

	b.setRows(row(trunk.Verify, func(r *trunk.Row) { r.Answer.Reason = trunk.ReasonSIP }))
	reasons, _ = identity.ParseReasons(b.ask(invite("Identity", bad, "Call-ID", "c2", "Via", "SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK-2")).values("Reason"))
	if len(reasons) != 1 || reasons[0].Protocol != identity.ReasonSIP || reasons[0].PPI != "" {
		t.Errorf("%v", reasons)
	}
	b.setRows(row(trunk.Verify, func(r *trunk.Row) { r.Answer.Reason = trunk.ReasonNone }))
	b.ask(invite("Identity", bad, "Call-ID", "c3", "Via", "SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK-3")).has("Reason", "")
}

// The 100 that comes while a dip is under way says nothing of what was wrong; the final response does (RFC 9410 §4).
func TestRFC9410_S4_The100HasNoReason(t *testing.T) {
	b := open(t, row(trunk.Verify, nil))
	trying := make(chan struct{})
	server, err := siptx.New(siptx.Config{TryingAfter: time.Millisecond, Respond: func(ctx context.Context, r *siptx.Request) siptx.Response {
		response := b.gateway.Respond(ctx, r)
		<-trying
		return response
	}})
	b.must(err)
	w := &wire{in: make(chan string), out: make(chan string, 16), closed: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- server.ServeUDP(w) }()
	w.in <- invite("Identity", calltest.Field(b.Sign(b.Stranger(), passport.Shaken, passport.Claims{})))
	first := parsed(t, []byte(<-w.out))
	close(trying)
	final := parsed(t, []byte(<-w.out))
	if first.StatusCode != 100 || len(first.values("Reason")) != 0 || final.StatusCode != 302 || len(final.values("Reason")) != 1 {
		t.Errorf("%s\n%s", first.text, final.text)
	}
	b.must(server.Close())
	b.must(<-served)
}
