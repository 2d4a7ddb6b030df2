package sti_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stivs"
)

// TestATIS1000082_EveryCaseInBothForms: each case of the error table gives its code as a JSON number, its text and its
// verstat; E1 and E2 are exceptions. Cases of ours are told in the same way.
func TestATIS1000082_EveryCaseInBothForms(t *testing.T) {
	cases := stivs.Cases()
	if len(cases) < 19 || cases[18] != stivs.E19 {
		t.Fatalf("cases %v", cases)
	}
	for _, c := range cases {
		row := c.Row()
		if row.Verstat == "" {
			kind := map[stivs.Case]sti.Kind{stivs.E1: sti.MissingParameter, stivs.E2: sti.InvalidParameter}[c]
			id := map[stivs.Case]string{stivs.E1: "SVC4001", stivs.E2: "SVC4005"}[c]
			if kind.Row().ID != id || kind.Row().Status != row.Code {
				t.Errorf("%s is %+v", c, kind.Row())
			}
			continue
		}
		verdict := oob.Verdict{Verstat: row.Verstat, Code: row.Code, ReasonText: row.ReasonText, ReasonDesc: row.Sentence, Case: c.String(), Passport: "a.b.c"}
		want := fmt.Sprintf(`{"verificationResponse":{"reasoncode":%d,"reasontext":"%s","reasondesc":"%s","verstat":"%s"}}`, row.Code, row.ReasonText, row.Sentence, row.Verstat)
		if got := string(sti.WriteVerification(sti.ATIS, verdict, sti.AnswerStyle{})); got != want {
			t.Errorf("%s: %s\nwant %s", c, got, want)
		}
		failure := fmt.Sprintf(`"status":"fail","reasonCode":%d,"reasonText":"%s","reasonDesc":"%s","passport":"a.b.c"`, row.Code, row.ReasonText, row.Sentence)
		want = fmt.Sprintf(`{"verificationResponse":{"verstatValue":"%s","verifyResults":[{"verifyResult":{%s}}]}}`, row.Verstat, failure)
		if got := string(sti.WriteVerification(sti.Ms, verdict, sti.AnswerStyle{})); got != want {
			t.Errorf("%s: %s\nwant %s", c, got, want)
		}
		verdict.Tokens = []oob.TokenVerdict{{PPT: "shaken", Passport: "a.b.c", Verstat: row.Verstat, Code: row.Code, ReasonText: row.ReasonText, ReasonDesc: row.Sentence, Case: c.String()}}
		want = strings.Replace(want, `"status"`, `"ppt":"shaken","status"`, 1)
		if got := string(sti.WriteVerification(sti.Ms, verdict, sti.AnswerStyle{})); got != want {
			t.Errorf("%s: %s\nwant %s", c, got, want)
		}
	}
}

// divToken is the div PASSporT of RFC 8946 §5, which says that 121555551213 was called before.
const divToken = "eyJhbGciOiJFUzI1NiIsInBwdCI6ImRpdiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly93d3cuZXhhbXBsZS5jb20vY2VydC5jZXIifQ." +
	"eyJkZXN0Ijp7InRuIjpbIjEyMTU1NTUxMjE0Il19LCJkaXYiOnsidG4iOiIxMjE1NTU1NTEyMTMifSwiaWF0IjoxNDQzMjA4MzQ1LCJvcmlnIjp7InRuIjoiMTIxNTU1NTEyMTIifX0." +
	"xBHWipDEEJ8a6TsdX6xUXAnblsFiGUiAxwLiv0HLC9IICj6eG9jQd6WzeSSjHRBwxmChHhVIiMTSqIlk3yCNkg"

func TestVerificationAnswers(t *testing.T) {
	passed := oob.TokenVerdict{PPT: "shaken", Passport: "a.b.c", Verstat: oob.VerstatPassed}
	failed := oob.TokenVerdict{PPT: "shaken", Passport: "d.e.f", Verstat: oob.VerstatFailed, Code: 438, ReasonText: "Invalid Identity Header", ReasonDesc: "Signature validation failed.", Case: "E18"}
	ignored := oob.TokenVerdict{PPT: "x", Passport: "g.h.i", Verstat: oob.VerstatNoValidation, Ignored: true, Code: 438, ReasonText: "Invalid Identity Header", Case: "E5"}
	unneeded := oob.TokenVerdict{PPT: "shaken", Passport: "j.k.l", Verstat: oob.VerstatNoValidation}
	diverted := oob.TokenVerdict{PPT: "div", Passport: divToken, Verstat: oob.VerstatPassed}
	undiverted := oob.TokenVerdict{PPT: "div", Passport: "d.i.v", Verstat: oob.VerstatNoValidation, Code: 438, Case: "E16"}
	const passedResult = `{"verifyResult":{"ppt":"shaken","status":"pass","passport":"a.b.c"}}`
	const failedResult = `{"verifyResult":{"ppt":"shaken","status":"fail","reasonCode":438,"reasonText":"Invalid Identity Header","reasonDesc":"Signature validation failed.","passport":"d.e.f"}}`
	for name, c := range map[string]struct {
		verdict  oob.Verdict
		style    sti.AnswerStyle
		atis, ms string
	}{
		"passed": {
			oob.Verdict{Verstat: oob.VerstatPassed, Attest: "B", Doubt: "not told", Tokens: []oob.TokenVerdict{passed}}, sti.AnswerStyle{},
			`"verstat":"TN-Validation-Passed"`, `"verstatValue":"TN-Validation-Passed","verifyResults":[` + passedResult + `]`,
		},
		"passed, with suffix": {
			oob.Verdict{Verstat: oob.VerstatPassed, Attest: "B"}, sti.AnswerStyle{Verstat: oob.VerstatAttested},
			`"verstat":"TN-Validation-Passed-B"`, `"verstatValue":"TN-Validation-Passed-B"`,
		},
		"one good, one bad, one ignored, one not needed": {
			oob.Verdict{Verstat: oob.VerstatPassed, Attest: "A", Tokens: []oob.TokenVerdict{failed, ignored, passed, unneeded}}, sti.AnswerStyle{},
			`"verstat":"TN-Validation-Passed"`, `"verstatValue":"TN-Validation-Passed","verifyResults":[` + failedResult + `,` + passedResult + `]`,
		},
		"good, and of another call": {
			oob.Verdict{Verstat: oob.VerstatNoValidation, Code: 438, ReasonText: "Invalid Identity Header", Case: "V3", Passport: "a.b.c", Tokens: []oob.TokenVerdict{failed, passed}}, sti.AnswerStyle{},
			`"reasoncode":438,"reasontext":"Invalid Identity Header","verstat":"No-TN-Validation"`,
			`"verstatValue":"No-TN-Validation","verifyResults":[` + failedResult +
				`,{"verifyResult":{"ppt":"shaken","status":"fail","reasonCode":438,"reasonText":"Invalid Identity Header","passport":"a.b.c"}}]`,
		},
		"nothing but ignored": {
			oob.Verdict{Verstat: oob.VerstatNoValidation, Code: 438, ReasonText: "Invalid Identity Header", Case: "E5", Passport: "g.h.i", Tokens: []oob.TokenVerdict{ignored}}, sti.AnswerStyle{},
			`"reasoncode":438,"reasontext":"Invalid Identity Header","verstat":"No-TN-Validation"`,
			`"verstatValue":"No-TN-Validation","verifyResults":[{"verifyResult":{"status":"fail","reasonCode":438,"reasonText":"Invalid Identity Header","passport":"g.h.i"}}]`,
		},
		"the other OpenAPI file": {
			oob.Verdict{Verstat: oob.VerstatFailed, Code: 438, ReasonText: "Invalid Identity Header", Case: "E18", Tokens: []oob.TokenVerdict{failed}}, sti.AnswerStyle{ReasonDescription: true},
			`"reasoncode":438,"reasontext":"Invalid Identity Header","verstat":"TN-Validation-Failed"`,
			`"verstatValue":"TN-Validation-Failed","verifyResults":[` + strings.Replace(failedResult, "reasonDesc", "reasonDescription", 1) + `]`,
		},
		"no PASSporT": {
			oob.Verdict{Verstat: oob.VerstatNoValidation, ReasonDesc: "There is no Identity header."}, sti.AnswerStyle{},
			`"reasondesc":"There is no Identity header.","verstat":"No-TN-Validation"`, `"verstatValue":"No-TN-Validation"`,
		},
		"doubted": {
			oob.Verdict{Verstat: oob.VerstatNoValidation, Doubt: `"x" <y> & z`}, sti.AnswerStyle{},
			`"reasondesc":"\"x\" <y> & z","verstat":"No-TN-Validation"`, `"verstatValue":"No-TN-Validation"`,
		},
		"diverted": {
			oob.Verdict{Verstat: oob.VerstatPassed, Tokens: []oob.TokenVerdict{diverted, undiverted}}, sti.AnswerStyle{},
			`"verstat":"TN-Validation-Passed"`,
			`"verstatValue":"TN-Validation-Passed","verifyResults":[{"verifyResult":{"ppt":"div","status":"pass","passport":"` + divToken + `"}},` +
				`{"verifyResult":{"ppt":"div","status":"fail","reasonCode":438,"passport":"d.i.v"}}],` +
				`"divResult":[{"div":{"tn":"121555551213"},"verstatValue":"TN-Validation-Passed"},{"verstatValue":"No-TN-Validation"}]`,
		},
		"with priority": {
			oob.Verdict{Verstat: oob.VerstatNoValidation, Priority: &oob.Priority{Verstat: oob.PriorityPassed, Values: []string{"ets.0"}}}, sti.AnswerStyle{},
			`"verstat":"No-TN-Validation"`, `"verstatValue":"No-TN-Validation","verstatPriority":"RPH-Validation-Passed"`,
		},
	} {
		for d, want := range map[sti.Dialect]string{sti.ATIS: c.atis, sti.Ms: c.ms} {
			want = `{"verificationResponse":{` + want + `}}`
			if got := string(sti.WriteVerification(d, c.verdict, c.style)); got != want || !json.Valid([]byte(got)) {
				t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
			}
		}
	}
}

func TestVerstatStyles(t *testing.T) {
	for _, c := range []struct {
		verstat oob.Verstat
		attest  string
		want    [3]string // plain, A to C, B and C
	}{
		{oob.VerstatPassed, "A", [3]string{"TN-Validation-Passed", "TN-Validation-Passed-A", "TN-Validation-Passed"}},
		{oob.VerstatPassed, "B", [3]string{"TN-Validation-Passed", "TN-Validation-Passed-B", "TN-Validation-Passed-B"}},
		{oob.VerstatPassed, "C", [3]string{"TN-Validation-Passed", "TN-Validation-Passed-C", "TN-Validation-Passed-C"}},
		{oob.VerstatPassed, "", [3]string{"TN-Validation-Passed", "TN-Validation-Passed", "TN-Validation-Passed"}},
		{oob.VerstatFailed, "", [3]string{"TN-Validation-Failed", "TN-Validation-Failed", "TN-Validation-Failed"}},
		{oob.VerstatFailed, "A", [3]string{"TN-Validation-Failed", "TN-Validation-Failed", "TN-Validation-Failed"}},
		{oob.VerstatNoValidation, "", [3]string{"No-TN-Validation", "No-TN-Validation", "No-TN-Validation"}},
	} {
		for i, style := range []oob.VerstatStyle{oob.VerstatPlain, oob.VerstatAttested, oob.VerstatAttestedBC} {
			if got := style.Verstat(oob.Verdict{Verstat: c.verstat, Attest: c.attest}); got != c.want[i] {
				t.Errorf("%s %s, style %d: %s", c.verstat, c.attest, style, got)
			}
		}
	}
}

// TestATIS1000082_ErrorTable is the error table with its variables, in both forms.
func TestATIS1000082_ErrorTable(t *testing.T) {
	type answer struct {
		status int
		atis   string
		ms     string
	}
	variables := map[sti.Kind][]string{
		sti.MissingParameter: {"attest"}, sti.AnswerType: {"text/\"html\r\né"}, sti.RequestType: {"application/json"},
		sti.InvalidParameter: {"attest", "neither A nor B nor C"}, sti.Unparsable: {"%1 is not JSON"},
	}
	want := map[sti.Kind]answer{
		sti.MissingBody:      {400, `{"requestError":{"serviceException":{"messageId":"SVC4000","text":"Error: Missing request body."}}}`, `{"error":"Missing request body."}`},
		sti.MissingParameter: {400, `{"requestError":{"serviceException":{"messageId":"SVC4001","text":"Error: Missing mandatory parameter '%1'.","variables":["attest"]}}}`, `{"error":"Missing mandatory parameter 'attest'."}`},
		sti.AnswerType:       {406, `{"requestError":{"serviceException":{"messageId":"SVC4002","text":"Error: Requested response body type '%1' is not supported.","variables":["text/\"html???"]}}}`, `{"error":"Requested response body type 'text/\"html???' is not supported."}`},
		sti.NotFound:         {404, `{"requestError":{"serviceException":{"messageId":"SVC4003","text":"Error: Requested resource was not found."}}}`, `{"error":"Requested resource was not found."}`},
		sti.RequestType:      {415, `{"requestError":{"serviceException":{"messageId":"SVC4004","text":"Error: Unsupported request body type, expected '%1'.","variables":["application/json"]}}}`, `{"error":"Unsupported request body type, expected 'application/json'."}`},
		sti.InvalidParameter: {400, `{"requestError":{"serviceException":{"messageId":"SVC4005","text":"Error: Invalid '%1' parameter value: %2.","variables":["attest","neither A nor B nor C"]}}}`, `{"error":"Invalid 'attest' parameter value: neither A nor B nor C."}`},
		sti.Unparsable:       {400, `{"requestError":{"serviceException":{"messageId":"SVC4006","text":"Error: Failed to parse received message body: %1.","variables":["%1 is not JSON"]}}}`, `{"error":"Failed to parse received message body: %1 is not JSON."}`},
		sti.MissingLength:    {411, `{"requestError":{"serviceException":{"messageId":"SVC4007","text":"Error: Missing mandatory Content-Length header."}}}`, `{"error":"Missing mandatory Content-Length header."}`},
		sti.WrongMethod:      {405, `{"requestError":{"policyException":{"messageId":"POL4050","text":"Error: Method not allowed."}}}`, `{"error":"Method not allowed."}`},
		sti.Internal:         {500, `{"requestError":{"policyException":{"messageId":"POL5000","text":"Error: Internal Server Error. Please try again later."}}}`, `{"error":"Internal Server Error. Please try again later."}`},
		sti.Unproven:         {401, `{"requestError":{"policyException":{"messageId":"POL4010","text":"Error: Not authenticated."}}}`, `{"error":"Not authenticated."}`},
		sti.Tries:            {429, `{"requestError":{"policyException":{"messageId":"POL4290","text":"Error: Too many failed attempts to authenticate. Please try again later."}}}`, `{"error":"Too many failed attempts to authenticate. Please try again later."}`},
		sti.Crowded:          {503, `{"requestError":{"policyException":{"messageId":"POL5030","text":"Error: Too many requests at a time. Please try again later."}}}`, `{"error":"Too many requests at a time. Please try again later."}`},
	}
	if len(sti.Kinds()) != len(want) {
		t.Fatalf("%d kinds", len(sti.Kinds()))
	}
	for _, kind := range sti.Kinds() {
		got := answer{
			kind.Row().Status,
			string(sti.WriteException(&sti.Exception{Dialect: sti.ATIS, Kind: kind, Variables: variables[kind]})),
			string(sti.WriteException(&sti.Exception{Dialect: sti.Ms, Kind: kind, Variables: variables[kind]})),
		}
		if !reflect.DeepEqual(got, want[kind]) {
			t.Errorf("%+v\nwant\n%+v", got, want[kind])
		}
		if !json.Valid([]byte(got.atis)) || !json.Valid([]byte(got.ms)) || len(kind.Row().ID) != 7 {
			t.Errorf("%s: no JSON, or a messageId as long as none is", kind)
		}
	}
	if sti.Kind(200).Row() != sti.Internal.Row() {
		t.Error("an unknown kind is not internal")
	}
	long := sti.WriteException(&sti.Exception{Kind: sti.AnswerType, Variables: []string{strings.Repeat("x", 10_000)}})
	if len(long) > 300 {
		t.Errorf("%d bytes", len(long))
	}
}
