package rfc8946_test

import (
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

const (
	none      = oob.VerstatNoValidation
	staleDate = "Stale Date"
	badHeader = "Invalid Identity Header"
)

// third is where a call goes on to from calltest.Another.
var third = calltest.Party("12155550177")

// arriving is a call that has come to somebody whom its caller may not have called.
func arriving(at tn.Identity, tokens ...string) stivs.Call {
	call := calltest.Call()
	call.Dest = at
	for _, token := range tokens {
		call.Identity = append(call.Identity, calltest.Field(token))
	}
	return call
}

func shaken(l *calltest.Laboratory, claims passport.Claims) string {
	return l.Sign(l.Signer, passport.Shaken, claims)
}

func div(l *calltest.Laboratory, from, to tn.Identity, claims passport.Claims) string {
	claims.Div, claims.Dest = from, []tn.Identity{to}
	return l.Sign(l.Signer, passport.Div, claims)
}

// forgedDiv is a div from Called to Another with any members.
func forgedDiv(l *calltest.Laboratory, payload calltest.Members) string {
	all := calltest.Members{
		"attest": nil, "origid": nil,
		"dest": calltest.Members{"tn": []string{calltest.Another.String()}}, "div": calltest.Members{"tn": calltest.Called.String()},
	}
	for name, value := range payload {
		all[name] = value
	}
	return l.Forge(calltest.Members{"ppt": "div"}, all)
}

func TestRFC8946_29_OutermostIsFreshWhateverTheTransfer(t *testing.T) {
	l := calltest.Start(t)
	now := l.Clock.Now()
	lenient := func(cfg *stivs.Config) { cfg.Transfer = 3 * time.Hour }
	old, older := passport.Claims{IAT: now.Add(-61 * time.Second)}, passport.Claims{IAT: now.Add(-3*time.Hour - time.Second)}
	for _, c := range []struct {
		name     string
		at       tn.Identity
		tokens   []string
		passes   bool
		code     int
		response string
	}{
		{"old innermost", calltest.Another, []string{shaken(l, old), div(l, calltest.Called, calltest.Another, passport.Claims{})}, true, 0, ""},
		{"old outermost", calltest.Another, []string{shaken(l, passport.Claims{}), div(l, calltest.Called, calltest.Another, old)}, false, 438, badHeader},
		{"old outermost of two", third, []string{shaken(l, passport.Claims{}), div(l, calltest.Called, calltest.Another, passport.Claims{}), div(l, calltest.Another, third, old)}, false, 438, badHeader},
		{"innermost older than that", calltest.Another, []string{shaken(l, older), div(l, calltest.Called, calltest.Another, passport.Claims{})}, false, 403, staleDate},
		{"old, and not diverted", calltest.Called, []string{shaken(l, old)}, false, 403, staleDate},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := l.Service(lenient).Verify(t.Context(), arriving(c.at, c.tokens...))
			if c.passes {
				calltest.Passes(t, v)
			} else {
				calltest.Answers(t, v, c.code, c.response, none)
			}
			if v = l.Service(nil).Verify(t.Context(), arriving(c.at, c.tokens...)); v.Verstat == oob.VerstatPassed {
				t.Error("it passes without the setting")
			}
		})
	}
}

// A way that begins with a type that nobody here judges is no way, and takes nothing from a good one beside it.
func TestRFC8946_30_UnsupportedTypeAtTheBeginningIsIgnored(t *testing.T) {
	l := calltest.Start(t)
	unknown := l.Forge(calltest.Members{"ppt": "msec"}, nil)
	one := div(l, calltest.Called, calltest.Another, passport.Claims{})
	v := l.Service(nil).Verify(t.Context(), arriving(calltest.Another, unknown, one))
	calltest.Answers(t, v, 438, badHeader, none)
	if len(v.Tokens) != 2 || !v.Tokens[0].Ignored || len(v.Diversions) != 0 {
		t.Errorf("%+v, %+v", v.Tokens, v.Diversions)
	}
	if n := l.Verifier.Stats().Fetches; n != 0 {
		t.Errorf("%d fetches for a way without a beginning", n)
	}
	v = l.Service(nil).Verify(t.Context(), arriving(calltest.Another, unknown, one, shaken(l, passport.Claims{})))
	calltest.Passes(t, v)
	if len(v.Diversions) != 1 {
		t.Errorf("%+v", v.Diversions)
	}
}

func TestRFC8946_31_HistoryInfoIndexReachesTheVerdict(t *testing.T) {
	l := calltest.Start(t)
	for _, c := range []struct {
		name string
		div  calltest.Members
		want string
	}{
		{"none", calltest.Members{"tn": calltest.Called.String()}, ""},
		{"an index", calltest.Members{"tn": calltest.Called.String(), "hi": "1.1"}, "1.1"},
		{"beside what is not known", calltest.Members{"tn": calltest.Called.String(), "hi": "1.2", "x": []int{1}}, "1.2"},
		{"what no header field may hold", calltest.Members{"tn": calltest.Called.String(), "hi": "1\r\nVia: x"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := l.Service(nil).Verify(t.Context(), arriving(calltest.Another, shaken(l, passport.Claims{}), forgedDiv(l, calltest.Members{"div": c.div})))
			calltest.Passes(t, v)
			if len(v.Diversions) != 1 || v.Diversions[0].HI != c.want || v.Diversions[0].From != calltest.Called || v.Diversions[0].To != calltest.Another {
				t.Errorf("%+v", v.Diversions)
			}
		})
	}
}

// What is malformed leads nowhere, though its signature is good.
func TestRFC8946_32_MalformedDivLeadsNowhere(t *testing.T) {
	l := calltest.Start(t)
	good := shaken(l, passport.Claims{})
	calltest.Passes(t, l.Service(nil).Verify(t.Context(), arriving(calltest.Another, good, forgedDiv(l, nil))))
	compact := forgedDiv(l, nil)
	compact = ".." + compact[strings.LastIndexByte(compact, '.')+1:]
	for name, field := range map[string]string{
		"opt beside div":   calltest.Field(forgedDiv(l, calltest.Members{"opt": good})),
		"no div":           calltest.Field(forgedDiv(l, calltest.Members{"div": nil})),
		"div of two":       calltest.Field(forgedDiv(l, calltest.Members{"div": calltest.Members{"tn": calltest.Called.String(), "uri": "sip:a@example.com"}})),
		"div is a list":    calltest.Field(forgedDiv(l, calltest.Members{"div": calltest.Members{"tn": []string{calltest.Called.String()}}})),
		"div with a plus":  calltest.Field(forgedDiv(l, calltest.Members{"div": calltest.Members{"tn": "+" + calltest.Called.String()}})),
		"compact form":     compact + ";info=<" + l.Signer.X5U + ">;alg=ES256;ppt=div",
		"said to be div-o": strings.Replace(calltest.Field(forgedDiv(l, nil)), "ppt=div", "ppt=div-o", 1),
		"said to be rph":   strings.Replace(calltest.Field(forgedDiv(l, nil)), "ppt=div", "ppt=rph", 1),
	} {
		t.Run(name, func(t *testing.T) {
			call := arriving(calltest.Another, good)
			call.Identity = append(call.Identity, field)
			calltest.Answers(t, l.Service(nil).Verify(t.Context(), call), 438, badHeader, none)
		})
	}
}

func TestRFC8946_33_DivOToSomebodyElseDoesNotPass(t *testing.T) {
	l := calltest.Start(t)
	nest := func(within string, from, to tn.Identity) string {
		return l.Sign(l.Signer, passport.DivO, passport.Claims{Dest: []tn.Identity{to}, Div: from, Opt: within})
	}
	good := nest(shaken(l, passport.Claims{}), calltest.Called, calltest.Another)
	calltest.Passes(t, l.Service(nil).Verify(t.Context(), arriving(calltest.Another, good)))
	for name, token := range map[string]string{
		"to somebody else":                   nest(shaken(l, passport.Claims{}), calltest.Called, third),
		"from somebody who was not called":   nest(shaken(l, passport.Claims{}), third, calltest.Another),
		"of another caller":                  l.Sign(l.Signer, passport.DivO, passport.Claims{Orig: third, Dest: []tn.Identity{calltest.Another}, Div: calltest.Called, Opt: shaken(l, passport.Claims{})}),
		"of another caller inside":           nest(shaken(l, passport.Claims{Orig: third}), calltest.Called, calltest.Another),
		"with a stale one inside":            nest(shaken(l, passport.Claims{IAT: l.Clock.Now().Add(-61 * time.Second)}), calltest.Called, calltest.Another),
		"with a type inside that none knows": l.Sign(l.Signer, passport.DivO, passport.Claims{Dest: []tn.Identity{calltest.Another}, Div: calltest.Called, Opt: l.Forge(calltest.Members{"ppt": "msec"}, nil)}),
	} {
		t.Run(name, func(t *testing.T) {
			if v := l.Service(nil).Verify(t.Context(), arriving(calltest.Another, token)); v.Verstat != none || v.Code == 0 {
				t.Errorf("%s %d", v.Verstat, v.Code)
			}
		})
	}
}

// Who was called is not who calls: a div without the PASSporT that it leads back to proves nothing, to whomever.
func TestRFC8946_34_DivAloneProvesNobody(t *testing.T) {
	l := calltest.Start(t)
	one, two := div(l, calltest.Called, calltest.Another, passport.Claims{}), div(l, calltest.Another, third, passport.Claims{})
	for name, call := range map[string]stivs.Call{
		"one":               arriving(calltest.Another, one),
		"two":               arriving(third, one, two),
		"at who was called": arriving(calltest.Called, one),
	} {
		t.Run(name, func(t *testing.T) {
			s := l.Service(func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.Base, passport.RCD} })
			calltest.Answers(t, s.Verify(t.Context(), call), 438, badHeader, none)
		})
	}
}
