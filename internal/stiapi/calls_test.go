package stiapi_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/stiapi"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// identityOf takes the PASSporT out of a signing answer.
func (l *laboratory) identityOf(got answer, member string) (value string, token *passport.Token) {
	l.Helper()
	value, _ = got.member("signingResponse", member).(string)
	header, err := identity.Parse(value)
	if err != nil || got.status != 200 {
		l.Fatalf("%d %s: %v", got.status, got.body, err)
	}
	token, err = passport.Parse(header.Token)
	l.must(err)
	l.must(token.Verify(&l.Upstream.Key.PublicKey))
	return value, token
}

// stored is what the CPS has for the call.
func (l *laboratory) stored() []string {
	l.Helper()
	records, err := l.CPS.Store.Retrieve(l.Context(), l.Key(oob.Mesh))
	l.must(err)
	var all []string
	for _, r := range records {
		all = append(all, r.Passports...)
	}
	return all
}

// recorded is the record of a request. No request can come after it.
func (l *laboratory) recorded(requestID string) *trace.Record {
	l.Helper()
	l.shut()
	found := l.recorder.Find(trace.Query{CallID: requestID})
	if len(found) == 0 {
		l.Fatal("no record")
	}
	return found[0]
}

func TestSigning_InEachDialect(t *testing.T) {
	l := start(t, nil)
	for name, members := range map[string][]string{
		"atis.switch.example": {"identity"}, "ms.switch.example": {"identityHeader"}, "both.switch.example": {"identity", "identityHeader"},
	} {
		got := l.sendBy(l.as(name), "/stir/v1/signing?tgrp=sip-out", l.signing(nil), nil)
		for _, member := range members {
			_, token := l.identityOf(got, member)
			c := token.Claims
			if c.Orig != l.Orig || c.Dest[0] != l.Dest || c.Attest != "A" || c.OrigID != origID || !c.IAT.Equal(l.Clock.Now()) || token.Header.PPT != passport.Shaken {
				t.Errorf("%s: %+v", name, c)
			}
		}
		if strings.Count(got.body, `":"eyJ`) != len(members) {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	if len(l.stored()) != 0 {
		t.Error("published for a SIP trunk")
	}
}

// TestSigning_NoMoreThanThePolicyGives: an unknown number that is to be attested A is attested C.
func TestSigning_NoMoreThanThePolicyGives(t *testing.T) {
	l := start(t, nil)
	got := l.send("/stir/v1/signing?tgrp=sip-out", l.signing(object{"orig": object{"tn": "+1 (312) 555-0177"}}), nil)
	if _, token := l.identityOf(got, "identity"); token.Claims.Attest != "C" || token.Claims.Orig.String() != "13125550177" {
		t.Errorf("%+v", token.Claims)
	}
}

// TestSigning_AURIIsNoNumber: nothing that a caller writes into a URI becomes another caller.
func TestSigning_AURIIsNoNumber(t *testing.T) {
	l := start(t, nil)
	for _, uri := range []string{
		"x:a,tel:+12155550199", "urn:a:b,+12155550199", "sip:x,tel:+12155550199@a.example", "sip:x,%3Ctel:+12155550199%3E@a.example", "sip:x%22,<tel:+12155550199>@a.example",
		"sip:x>,<tel:+12155550199", "sip:alice@a.example,tel:+12155550199", "sip:alice@a.example?P-Asserted-Identity=%3Ctel:+12155550199%3E",
		"sip:anonymous@anonymous.invalid,tel:+12155550199", "\"<tel:+12155550199>\" <sip:alice@a.example>",
	} {
		got := l.send("/stir/v1/signing?tgrp=sip-out", l.signing(object{"orig": object{"uri": uri}}), nil)
		if got.status == 400 {
			continue
		}
		if _, token := l.identityOf(got, "identity"); !token.Claims.Orig.IsURI() || token.Claims.Attest == "A" {
			t.Errorf("%s: %+v", uri, token.Claims)
		}
	}
	got := l.send("/stir/v1/signing?tgrp=sip-out", l.signing(object{"orig": object{"uri": "sip:alice@a.example"}}), nil)
	if _, token := l.identityOf(got, "identity"); token.Claims.Orig.String() != "sip:alice@a.example" {
		t.Errorf("%+v", token.Claims)
	}
}

// TestSigning_OnATDMTrunkPublishesBeforeItAnswers, and for a retry it publishes nothing more.
func TestSigning_OnATDMTrunkPublishesBeforeItAnswers(t *testing.T) {
	l := start(t, nil)
	first, token := l.identityOf(l.send("/stir/v1/signing?tgrp=tdm-out", l.signing(nil), setting("X-RequestID", "again")), "identity")
	if stored := l.stored(); len(stored) != 1 || stored[0] != token.String() {
		t.Fatalf("%q", stored)
	}
	second, _ := l.identityOf(l.send("/stir/v1/signing?tgrp=tdm-out", l.signing(nil), setting("X-RequestID", "again")), "identity")
	l.identityOf(l.send("/stir/v1/signing?tgrp=tdm-out", l.signing(nil), setting("X-RequestID", "other")), "identity")
	if second != first || len(l.stored()) != 1 {
		t.Errorf("the same PASSporT %v, %d stored", second == first, len(l.stored()))
	}
	l.recorded("again")
	again := l.recorder.Find(trace.Query{CallID: "again"})
	if len(again) != 2 || again[0].Repeated == again[1].Repeated || l.recorded("other").Repeated {
		t.Errorf("%d records", len(again))
	}
}

// TestFailOpen: whatever is wrong with a CPS, the switch is given what there is, in time, with status 200.
func TestFailOpen(t *testing.T) {
	l := start(t, nil)
	causes := map[string]string{"gone": "cps-failed", "stuck": "cps-timeout"}
	for trunk := range causes {
		got := l.send("/stir/v1/signing?tgrp=tdm-out-"+trunk, l.signing(nil), setting("X-RequestID", "sign-"+trunk))
		l.identityOf(got, "identity")
		got = l.send("/stir/v1/verification?tgrp=tdm-in-"+trunk, l.verification(nil), setting("X-RequestID", "verify-"+trunk))
		if got.status != 200 || got.member("verificationResponse", "verstat") != "No-TN-Validation" {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	l.wants(l.send("/oob/v1/publish?tgrp=transit-out-gone", l.carrying("publishRequest", object{"identity": []string{l.header()}}), nil),
		200, `{"publishResponse":{"status":"failed","reason":"cps-failed"}}`)
	l.wants(l.send("/oob/v1/retrieve?tgrp=transit-in-gone", l.carrying("retrieveRequest", nil), nil),
		200, `{"retrieveResponse":{"status":"failed","reason":"cps-failed"}}`)
	for trunk, cause := range causes {
		if r := l.recorded("sign-" + trunk); r.FailOpen != cause || r.SIPCode != 200 || r.Door != "http" || r.Trunk != "tdm-out-"+trunk {
			t.Errorf("%+v", r)
		}
		if r := l.recorded("verify-" + trunk); r.FailOpen != cause || r.Verstat != "No-TN-Validation" {
			t.Errorf("%+v", r)
		}
	}
}

// TestSigning_WithoutACredentialIsPOL5000: there is no other answer that a switch understands as: ask another one.
func TestSigning_WithoutACredentialIsPOL5000(t *testing.T) {
	l := start(t, nil)
	l.Clock.Advance(200 * 24 * time.Hour) // after the certificate
	for _, request := range []string{l.signing(nil), l.signing(object{"ppt": "div", "attest": nil, "origid": nil, "div": object{"tn": oobtest.CallingNumber}})} {
		got := l.send("/stir/v1/signing?tgrp=sip-out", request, nil)
		if got.status != 500 || !strings.Contains(got.body, "Internal Server Error. Please try again later.") {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	l.shut()
	if !strings.Contains(l.log.String(), "level=ERROR") || !strings.Contains(l.log.String(), "fail_open=credential") {
		t.Errorf("%s", l.log)
	}
}

// header is an Identity header field value for the call.
func (l *laboratory) header() string {
	l.Helper()
	text, err := identity.Header{Token: l.Passport("x"), Info: l.Upstream.X5U, Alg: "ES256", PPT: "shaken"}.MarshalText()
	l.must(err)
	return string(text)
}

func TestVerification_InBandInEachDialect(t *testing.T) {
	l := start(t, nil)
	l.wants(l.send("/stir/v1/verification?tgrp=sip-in", l.verification(object{"identity": l.header()}), nil),
		200, `{"verificationResponse":{"verstat":"TN-Validation-Passed"}}`)
	l.Clock.Advance(time.Second) // another call
	got := l.send("/stir/v1/verification?tgrp=sip-in", l.verification(object{"identityHeader": l.header(), "to": object{"tn": oobtest.CalledNumber}}), nil)
	if got.member("verificationResponse", "verstatValue") != "TN-Validation-Passed" || !strings.Contains(got.body, `"ppt":"shaken","status":"pass"`) {
		t.Errorf("%s", got.body)
	}
	got = l.send("/stir/v1/verification?tgrp=sip-in", l.verification(object{"identity": l.header(), "from": object{"tn": "12155550199"}}), nil)
	l.wants(got, 200, `{"verificationResponse":{"reasoncode":438,"reasontext":"Invalid Identity Header","reasondesc":"`+
		got.member("verificationResponse", "reasondesc").(string)+`","verstat":"No-TN-Validation"}}`)
	l.Clock.Advance(time.Second)
	l.wants(l.sendBy(l.as("both.switch.example"), "/stir/v1/verification?tgrp=sip-in", l.verification(object{"identity": l.header()}), nil),
		200, `{"verificationResponse":{"verstat":"TN-Validation-Passed-`+"A"+`"}}`)
	l.wants(l.send("/stir/v1/verification?tgrp=off", l.verification(object{"identity": l.header()}), nil),
		200, `{"verificationResponse":{"reasondesc":"The call was not verified.","verstat":"No-TN-Validation"}}`)
}

// TestVerification_WithoutIdentityIsOutOfBand: signed and published by one switch, retrieved and verified for the other.
func TestVerification_WithoutIdentityIsOutOfBand(t *testing.T) {
	l := start(t, nil)
	ways := map[string]object{"absent": nil, "null": {"identity": nil}, "empty": {"identity": ""}, "no-element": {"identityHeaders": []string{}}}
	for name, edit := range ways {
		l.Clock.Advance(2 * time.Minute) // another call
		l.identityOf(l.send("/stir/v1/signing?tgrp=tdm-out", l.signing(nil), nil), "identity")
		got := l.send("/stir/v1/verification?tgrp=tdm-in", l.verification(edit), setting("X-RequestID", name))
		if got.status != 200 || got.member("verificationResponse", "verstat") != "TN-Validation-Passed" && got.member("verificationResponse", "verstatValue") != "TN-Validation-Passed" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	l.Clock.Advance(2 * time.Minute)
	got := l.send("/stir/v1/verification?tgrp=tdm-in", l.verification(nil), nil)
	if got.status != 200 || got.member("verificationResponse", "verstat") != "No-TN-Validation" {
		t.Errorf("nothing published: %s", got.body)
	}
	for name := range ways {
		r := l.recorded(name)
		if r.Verstat != "TN-Validation-Passed" || r.SignerSPC != oobtest.UpstreamSPC || r.Mode != "verify" || len(r.Retrieve) != 1 || r.Retrieve[0].Count != 1 || r.KeyDest != l.Dest {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestVerification_ARetryIsTheSameCall, and a replay is not: who replays a call has no say in X-RequestID.
func TestVerification_ARetryIsTheSameCall(t *testing.T) {
	const passed = `{"verificationResponse":{"verstat":"TN-Validation-Passed"}}`
	for name, c := range map[string]struct {
		first, second []string // X-RequestID
		by            string
		passes        bool
	}{
		"the same request again":           {[]string{"1"}, []string{"1"}, "atis.switch.example", true},
		"another request":                  {[]string{"1"}, []string{"2"}, "atis.switch.example", false},
		"requests without an identifier":   {nil, nil, "atis.switch.example", false},
		"the same identifier by another":   {[]string{"1"}, []string{"1"}, "both.switch.example", false},
		"an identifier that is none twice": {[]string{"<>"}, []string{"<>"}, "atis.switch.example", false},
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t, nil)
			request := l.verification(object{"identity": l.header()})
			l.wants(l.send("/stir/v1/verification?tgrp=sip-in", request, setting("X-RequestID", c.first...)), 200, passed)
			got := l.sendBy(l.as(c.by), "/stir/v1/verification?tgrp=sip-in", request, setting("X-RequestID", c.second...))
			if passes := strings.Contains(got.body, "TN-Validation-Passed"); got.status != 200 || passes != c.passes {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	l := start(t, nil) // one identifier for different calls
	once, header := setting("X-RequestID", "1"), l.header()
	l.wants(l.send("/stir/v1/verification?tgrp=sip-in", l.verification(object{"identity": header}), once), 200, passed)
	l.Clock.Advance(time.Second)
	replayed := l.send("/stir/v1/verification?tgrp=sip-in", l.verification(object{"identity": header}), once)
	if replayed.status != 200 || strings.Contains(replayed.body, "TN-Validation-Passed") {
		t.Errorf("%d %s", replayed.status, replayed.body)
	}
}

func TestCarrying_APairOfItsOwn(t *testing.T) {
	l := start(t, nil)
	l.wants(l.send("/oob/v1/retrieve?tgrp=transit-in", l.carrying("retrieveRequest", nil), nil), 200, `{"retrieveResponse":{"status":"nothing"}}`)
	header := l.header()
	publish := l.carrying("publishRequest", object{"identity": []string{header}})
	l.wants(l.send("/oob/v1/publish?tgrp=transit-out", publish, nil), 200, `{"publishResponse":{"status":"published"}}`)
	l.wants(l.send("/oob/v1/retrieve?tgrp=transit-in", l.carrying("retrieveRequest", nil), nil),
		200, `{"retrieveResponse":{"status":"found","identity":["`+header+`"],"iat":`+strconv.FormatInt(l.Clock.Now().Unix(), 10)+`}}`)
	l.wants(l.send("/oob/v1/publish?tgrp=off", publish, nil), 200, `{"publishResponse":{"status":"nothing"}}`)
	l.wants(l.send("/oob/v1/retrieve?tgrp=off", l.carrying("retrieveRequest", nil), nil), 200, `{"retrieveResponse":{"status":"nothing"}}`)
	l.wants(l.send("/oob/v1/publish?tgrp=transit-out", l.carrying("publishRequest", object{"identity": []string{"nonsense"}}), nil),
		200, `{"publishResponse":{"status":"failed","reason":"unreadable"}}`)
	if len(l.stored()) != 1 {
		t.Errorf("%d stored", len(l.stored()))
	}
}

func TestRFC8946_S3_DiversionsAreSignedForOwnNumbersAlone(t *testing.T) {
	l := start(t, nil)
	div := func(edit object) string {
		return l.signing(merged(object{
			"ppt": "div", "attest": nil, "origid": nil, "div": object{"tn": oobtest.CalledNumber, "hi": "1.1"}, "dest": object{"tn": []string{"13125550177"}},
		}, edit))
	}
	_, token := l.identityOf(l.send("/stir/v1/signing?tgrp=tdm-out", div(nil), nil), "identityHeader")
	if c := token.Claims; token.Header.PPT != passport.Div || c.Div != l.Dest || c.DivHI != "1.1" || c.Orig != l.Orig || c.Dest[0] != tn.Of(number("13125550177")) {
		t.Errorf("%+v", c)
	}
	if len(l.stored()) != 0 {
		t.Error("published")
	}
	for want, edit := range map[string]object{
		"Invalid 'div' parameter value: not a number of this provider.": {"div": object{"tn": "13125550100"}},
		"Invalid 'div' parameter value: the same as dest.":              {"dest": object{"tn": []string{oobtest.CalledNumber}}},
		"Invalid 'iat' parameter value: too far from now.":              {"iat": l.Clock.Now().Unix() - 61},
	} {
		l.wants(l.send("/stir/v1/signing?tgrp=sip-out", div(edit), nil), 400, l.json(object{"error": want}))
	}
}

// TestVerification_OfADivertedCall: signed, sent on with a div PASSporT, and verified where it ends.
func TestVerification_OfADivertedCall(t *testing.T) {
	l := start(t, nil)
	const last = "13125550177"
	shaken, _ := l.identityOf(l.send("/stir/v1/signing?tgrp=sip-out", l.signing(nil), nil), "identity")
	div, _ := l.identityOf(l.send("/stir/v1/signing?tgrp=sip-out", l.signing(object{
		"ppt": "div", "attest": nil, "origid": nil, "div": object{"tn": oobtest.CalledNumber}, "dest": object{"tn": []string{last}},
	}), nil), "identityHeader")
	arrives := object{"identityHeader": shaken, "identityHeaders": []string{div}, "to": object{"tn": oobtest.CalledNumber}, "dest": object{"tn": last}}
	got := l.send("/stir/v1/verification?tgrp=sip-in", l.verification(arrives), setting("X-RequestID", "diverted"))
	if got.status != 200 || got.member("verificationResponse", "verstatValue") != "TN-Validation-Passed" ||
		!strings.Contains(got.body, `"divResult":[{"div":{"tn":"`+oobtest.CalledNumber+`"},"verstatValue":"TN-Validation-Passed"}]`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if r := l.recorded("diverted"); r.RedirectedFrom != l.Dest || r.Dest.String() != last {
		t.Errorf("%+v", r)
	}
}

func TestRFC8443_S4_1_PrioritiesAreSignedForWhoMayAssertThem(t *testing.T) {
	l := start(t, nil)
	rph := func(values ...string) string {
		return l.signing(object{"ppt": "rph", "attest": nil, "origid": nil, "rph": object{"auth": values}})
	}
	_, token := l.identityOf(l.send("/stir/v1/signing?tgrp=ministry", rph("ets.0"), nil), "identityHeader")
	if token.Header.PPT != passport.RPH || len(token.Claims.RPH) != 1 || token.Claims.RPH[0] != "ets.0" {
		t.Errorf("%+v", token.Claims)
	}
	const refused = `{"error":"Invalid 'rph' parameter value: not to be asserted by this client."}`
	l.wants(l.send("/stir/v1/signing?tgrp=ministry", rph("ets.0", "wps.0"), nil), 400, refused)
	l.wants(l.send("/stir/v1/signing?tgrp=sip-out", rph("ets.0"), nil), 400, refused)
}

// TestWithoutASigner: a door that has nobody to sign diversions says so, and does not fall over.
func TestWithoutASigner(t *testing.T) {
	l := start(t, func(c *stiapi.Config) { c.Signer = nil })
	got := l.send("/stir/v1/signing?tgrp=ministry", l.signing(object{"ppt": "rph", "attest": nil, "origid": nil, "rph": object{"auth": []string{"ets.0"}}}), nil)
	if got.status != 500 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestTraceAndLogAndStats: the trace has what the operator needs, the log no number, the counts no name of a stranger's.
func TestTraceAndLogAndStats(t *testing.T) {
	l := start(t, nil)
	l.send("/stir/v1/signing?tgrp=sip-out", l.signing(nil), func(r *http.Request) {
		r.Header.Set("X-RequestID", "call-7")
		r.Header.Set("X-InstanceID", "sbc-west-2")
	})
	l.send("/stir/v1/signing?tgrp="+oobtest.CallingNumber, l.signing(nil), nil)
	r := l.recorded("call-7")
	if r.Door != "http" || r.SIPCode != 200 || r.Trunk != "sip-out" || r.Orig != l.Orig || r.OrigID != origID || !r.Peer.IsValid() || !r.Local.IsValid() {
		t.Errorf("%+v", r)
	}
	steps := map[string]string{}
	for _, s := range r.Steps {
		steps[s.Name] = s.Detail
	}
	if steps["instance"] != "sbc-west-2" || steps["client"] != "atis" {
		t.Errorf("%v", steps)
	}
	if text := l.log.String(); strings.Contains(text, oobtest.CallingNumber) || strings.Contains(text, oobtest.CalledNumber) || strings.Contains(text, "call-7") ||
		!strings.Contains(text, "resource=signing status=200") || !strings.Contains(text, "client=atis trunk=sip-out") || strings.Count(text, "\n") != 2 {
		t.Errorf("%s", text)
	}
	stats := l.door.Stats()
	if stats.Requests[stiapi.RequestCount{Client: "atis", Resource: "signing", Status: 200}] != 1 || stats.Requests[stiapi.RequestCount{Client: "atis", Resource: "signing", Status: 404}] != 1 ||
		len(stats.Requests) != 2 || stats.InFlight != 0 {
		t.Errorf("%+v", stats)
	}
}
