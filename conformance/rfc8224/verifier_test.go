package rfc8224_test

import (
	"encoding/pem"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

// Who calls is what signalling says, in whatever form; a PASSporT only confirms it.
func TestRFC8224_34_CallerIsThatOfSignalling(t *testing.T) {
	l := calltest.Start(t)
	for _, c := range []struct {
		name, from string
		ok         bool
	}{
		{"tel", "tel:+1-215-555-0121", true},
		{"SIP with user=phone", "sip:+12155550121;npdi@example.com;user=phone", true},
		{"national", "(215) 555-0121", true},
		{"name and address", `"Alice" <sip:2155550121@192.0.2.1:5060>;tag=x`, true},
		{"another number", "tel:+12155550122", false},
		{"a service code before it", "*672155550121", false},
		{"anonymous", "sip:anonymous@anonymous.invalid", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, err := tn.NANP.Identity(c.from)
			if err != nil {
				t.Fatal(err)
			}
			call := calltest.Call(l.Shaken())
			call.Orig = from
			v := l.Service(nil).Verify(t.Context(), call)
			if c.ok {
				calltest.Passes(t, v)
			} else {
				calltest.Answers(t, v, 438, badHeader, none)
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		call := calltest.Call(l.Shaken())
		call.Orig = tn.Identity{}
		calltest.Answers(t, l.Service(nil).Verify(t.Context(), call), 438, badHeader, none)
	})
}

func TestRFC8224_39_IATCountsWhereItIsNotTheDate(t *testing.T) {
	l := calltest.Start(t)
	now := l.Clock.Now()
	for _, c := range []struct {
		name      string
		date, iat time.Duration // from now
		code      int
	}{
		{"the same", 0, 0, 0},
		{"both old, both fresh", -60 * time.Second, -59 * time.Second, 0},
		{"far apart, both fresh", -60 * time.Second, 60 * time.Second, 0},
		{"date fresh, iat stale", 0, -61 * time.Second, 403},
		{"date fresh, iat of the future", 0, 61 * time.Second, 403},
		{"date stale, iat fresh", -61 * time.Second, 0, 403},
		{"date of the future, iat fresh", 61 * time.Second, 0, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := calltest.Call(calltest.Field(l.Sign(l.Signer, passport.Shaken, passport.Claims{IAT: now.Add(c.iat)})))
			call.Time = now.Add(c.date)
			v := l.Service(nil).Verify(t.Context(), call)
			if c.code == 0 {
				calltest.Passes(t, v)
			} else {
				calltest.Answers(t, v, c.code, staleDate, none)
			}
		})
	}
	t.Run("no date", func(t *testing.T) {
		calltest.Passes(t, l.Verify(l.Shaken()))
	})
}

// A request that comes again with another header field is judged by that one, and by nothing that failed before.
func TestRFC8224_51_RetriedRequestIsJudgedAnew(t *testing.T) {
	l := calltest.Start(t)
	s := l.Service(nil)
	ask := func(fields ...string) oob.Verdict {
		call := calltest.Call(fields...)
		call.ID = "one call"
		return s.Verify(t.Context(), call)
	}
	moved := *l.Signer
	moved.X5U = l.Repository.URL + "/moved.pem"
	good := l.Shaken()
	stranger := l.Sign(l.Stranger(), passport.Shaken, passport.Claims{})
	calltest.Answers(t, ask(".."+stranger[len(calltest.SigningInput(stranger))+1:]+";info=<"+l.Signer.X5U+">;ppt=shaken"), 438, badHeader, none)
	calltest.Answers(t, ask(calltest.Field(l.Sign(&moved, passport.Shaken, passport.Claims{}))), 436, badInfo, none)
	calltest.Answers(t, ask(calltest.Field(stranger)), 437, badCredential, oob.VerstatFailed)
	calltest.Passes(t, ask(good))
	calltest.Passes(t, ask(good)) // the response to it was lost
}

// 437 is for what has been fetched and is not believed, for the reason that it is not.
func TestRFC8224_48_CredentialThatIsNotBelievedIs437(t *testing.T) {
	l := calltest.Start(t)
	now := l.Clock.Now()
	alone := l.Issue(oobtest.IssueConfig{SPC: "1234"})
	block, _ := pem.Decode(alone.ChainPEM)
	alone.X5U = l.Serve("/alone.pem", pem.EncodeToMemory(block))
	for name, id := range map[string]*oobtest.Identity{
		"another CA":        l.Stranger(),
		"expired":           l.Issue(oobtest.IssueConfig{SPC: "1234", NotAfter: now.Add(-time.Second)}),
		"not valid yet":     l.Issue(oobtest.IssueConfig{SPC: "1234", NotBefore: now.Add(time.Minute)}),
		"no TNAuthList":     l.Issue(oobtest.IssueConfig{SPC: "1234", WithoutTNAuthList: true}),
		"for numbers alone": l.Issue(oobtest.IssueConfig{SPC: "1234", TNAuthList: calltest.Numbers("12155550121")}),
		"no intermediate":   alone,
	} {
		t.Run(name, func(t *testing.T) {
			calltest.Answers(t, l.Verify(calltest.Field(l.Sign(id, passport.Shaken, passport.Claims{}))), 437, badCredential, oob.VerstatFailed)
		})
	}
}

// The signature is over what arrived. Neither another order of members nor white space matters, and nothing is rebuilt.
func TestRFC8224_52_FullFormIsVerifiedAsItArrived(t *testing.T) {
	l := calltest.Start(t)
	good := l.Forge(nil, nil)
	calltest.Passes(t, l.Verify(calltest.Field(good)))
	for name, token := range map[string]string{
		"header of another":  l.Forge(calltest.Members{"kid": "x"}, nil),
		"payload of another": l.Forge(nil, calltest.Members{"x": 1}),
	} {
		t.Run(name, func(t *testing.T) {
			signature := good[len(calltest.SigningInput(good)):]
			calltest.Passes(t, l.Verify(calltest.Field(token)))
			calltest.Answers(t, l.Verify(calltest.Field(calltest.SigningInput(token)+signature)), 438, badHeader, oob.VerstatFailed)
		})
	}
}

// Verifying is stopped by whatever cannot be the call's, before anything is asked of anybody.
func TestRFC8224_76_NothingIsFetchedForWhatCannotBeTheCalls(t *testing.T) {
	l := calltest.Start(t)
	now := l.Clock.Now()
	far := *l.Signer
	far.X5U = l.Repository.URL + "/far.pem"
	for _, claims := range []passport.Claims{
		{IAT: now.Add(-61 * time.Second)}, {IAT: now.Add(61 * time.Second)}, {Orig: calltest.Another}, {Dest: []tn.Identity{calltest.Another}},
	} {
		l.Verify(calltest.Field(l.Sign(&far, passport.Shaken, claims)))
	}
	if n := l.Verifier.Stats().Fetches; n != 0 {
		t.Errorf("%d fetches", n)
	}
	l.Verify(calltest.Field(l.Sign(&far, passport.Shaken, passport.Claims{})))
	if n := l.Verifier.Stats().Fetches; n != 1 {
		t.Errorf("%d fetches for what could be", n)
	}
}

// A header field that was taken away on the way takes the proof with it, and not the call.
func TestRFC8224_77_MissingHeaderIsNoFailure(t *testing.T) {
	l := calltest.Start(t)
	v := l.Verify()
	calltest.Answers(t, v, 0, "", none)
	if v.Case != "" || v.ReasonDesc == "" {
		t.Errorf("%+v", v)
	}
	calltest.Answers(t, l.Service(func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.Base} }).Verify(t.Context(), calltest.Call()), 0, "", none)
}

// Who has numbers alone speaks for these: for no other number, and for no address of a domain.
func TestRFC8224_61_DelegateSpeaksForItsNumbersAlone(t *testing.T) {
	l := calltest.Start(t)
	delegate := l.Issue(oobtest.IssueConfig{SPC: "1234", TNAuthList: calltest.Numbers(calltest.Caller.String())})
	for caller, passes := range map[string]bool{
		calltest.Caller.String(): true, "12155550122": false, "sip:alice@example.com": false, "sip:12155550121@example.com": false,
	} {
		t.Run(caller, func(t *testing.T) {
			orig := calltest.Party(caller)
			call := calltest.Call(calltest.Field(l.Sign(delegate, passport.Base, passport.Claims{Orig: orig})))
			call.Orig = orig
			v := l.Service(func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.Base} }).Verify(t.Context(), call)
			if passes {
				calltest.Passes(t, v)
			} else {
				calltest.Answers(t, v, 437, badCredential, oob.VerstatFailed)
			}
		})
	}
}
