package stivs_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stivs"
)

// TestRFC9410_S6_OneReasonForEachBadPassport, and none for those that are no fault of the call.
func TestRFC9410_S6_OneReasonForEachBadPassport(t *testing.T) {
	good := oob.TokenVerdict{Source: oob.SourceInBand, Passport: "a.b.good", Verstat: oob.VerstatPassed}
	forged := oob.TokenVerdict{Source: oob.SourceInBand, Passport: "a.b.forged", Code: 438, Case: "E18"}
	unreachable := oob.TokenVerdict{Source: oob.SourceInBand, Passport: "a.b.unreachable", Code: 436, Case: "E8"}
	unreadable := oob.TokenVerdict{Source: oob.SourceInBand, Passport: "\r\n", Code: 438, Case: "E4"}
	huge := oob.TokenVerdict{Source: oob.SourceInBand, Passport: "a.b." + strings.Repeat("c", 8000), Code: 438, Case: "E18"}
	ignored := oob.TokenVerdict{Source: oob.SourceInBand, Passport: "a.b.ignored", Ignored: true, Code: 438, Case: "E5"}
	retrieved := oob.TokenVerdict{Source: oob.SourceOutOfBand, Passport: "a.b.retrieved", Code: 437, Case: "E17"}
	invalid := func(ppi string) identity.Reason {
		return identity.Reason{Protocol: identity.ReasonSTIR, Cause: 438, Text: "Invalid Identity Header", PPI: ppi}
	}
	bad := identity.Reason{Protocol: identity.ReasonSTIR, Cause: 436, Text: "Bad Identity Info", PPI: "..unreachable"}
	stale := identity.Reason{Protocol: identity.ReasonSTIR, Cause: 403, Text: "Stale Date"}
	for name, c := range map[string]struct {
		verdict oob.Verdict
		stir    []identity.Reason
		sip     int // cause; 0 for none
	}{
		"nothing wrong":             {oob.Verdict{Verstat: oob.VerstatPassed, Tokens: []oob.TokenVerdict{good}}, nil, 0},
		"no PASSporT":               {oob.Verdict{Verstat: oob.VerstatNoValidation}, nil, 0},
		"one bad beside a good one": {oob.Verdict{Verstat: oob.VerstatPassed, Tokens: []oob.TokenVerdict{forged, good}}, []identity.Reason{invalid("..forged")}, 438},
		"two bad": {
			oob.Verdict{Source: oob.SourceInBand, Code: 438, Case: "E18", Passport: "a.b.forged", Tokens: []oob.TokenVerdict{unreachable, forged}},
			[]identity.Reason{bad, invalid("..forged")}, 438,
		},
		"nothing to quote":            {oob.Verdict{Source: oob.SourceInBand, Code: 438, Case: "E4", Tokens: []oob.TokenVerdict{unreadable}}, []identity.Reason{invalid("")}, 438},
		"too long to quote":           {oob.Verdict{Source: oob.SourceInBand, Code: 438, Case: "E18", Tokens: []oob.TokenVerdict{huge}}, []identity.Reason{invalid("")}, 438},
		"stale date of the call":      {oob.Verdict{Code: 403, Case: "E3"}, []identity.Reason{stale}, 403},
		"ignored beside a good one":   {oob.Verdict{Verstat: oob.VerstatPassed, Tokens: []oob.TokenVerdict{ignored, good}}, nil, 0},
		"nothing but ignored":         {oob.Verdict{Source: oob.SourceInBand, Code: 438, Case: "E5", Passport: "a.b.ignored", Tokens: []oob.TokenVerdict{ignored}}, []identity.Reason{invalid("..ignored")}, 438},
		"bad out of band":             {oob.Verdict{Source: oob.SourceOutOfBand, Code: 437, Case: "E17", Tokens: []oob.TokenVerdict{retrieved}}, nil, 0},
		"bad in band and out of band": {oob.Verdict{Source: oob.SourceOutOfBand, Code: 437, Case: "E17", Tokens: []oob.TokenVerdict{unreachable, retrieved}}, []identity.Reason{bad}, 436},
	} {
		if got := stivs.Reasons(c.verdict, identity.ReasonSTIR); !reflect.DeepEqual(got, c.stir) {
			t.Errorf("%s: %+v, want %+v", name, got, c.stir)
		}
		got := stivs.Reasons(c.verdict, identity.ReasonSIP)
		if c.sip == 0 && got != nil || c.sip != 0 && (len(got) != 1 || got[0].Protocol != "SIP" || got[0].Cause != c.sip || got[0].PPI != "" || got[0].Text == "") {
			t.Errorf("%s: %+v, want one with cause %d", name, got, c.sip)
		}
	}
}

// TestRFC8224_S6_2_2_EveryCodeHasItsPhrase, and every reason can be written.
func TestRFC8224_S6_2_2_EveryCodeHasItsPhrase(t *testing.T) {
	for _, c := range stivs.Cases() {
		row := c.Row()
		if row.Verstat == "" {
			continue // of the HTTP API
		}
		for _, protocol := range []identity.ReasonProtocol{identity.ReasonSIP, identity.ReasonSTIR} {
			reasons := stivs.Reasons(oob.Verdict{Code: row.Code, Case: c.String(), Source: oob.SourceInBand, Passport: "a.b.c"}, protocol)
			if len(reasons) != 1 || !strings.EqualFold(reasons[0].Text, row.ReasonText) {
				t.Fatalf("%s: %+v", c, reasons)
			}
			if _, err := reasons[0].MarshalText(); err != nil {
				t.Errorf("%s: %v", c, err)
			}
		}
	}
}
