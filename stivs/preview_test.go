package stivs_test

import (
	"testing"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
)

func previewed(call stivs.Call) stivs.Call { call.Preview = true; return call }

// A preview leaves what RFC 8224 §12.1 and RFC 8816 §7.4 count as it was, and asks for none of it.
func TestPreview_UsesNothingUp(t *testing.T) {
	t.Run("in band", func(t *testing.T) {
		l := newLaboratory(t)
		s := l.service(nil)
		signed := l.signed()
		call := func(id string) stivs.Call { return named(id, signed.Identity.String()) }
		verdict := s.Verify(t.Context(), previewed(call("first leg")))
		wantPassed(t, verdict, oob.SourceInBand)
		checkShape(t, verdict)
		wantPassed(t, s.Verify(t.Context(), call("another")), oob.SourceInBand)
		wantPassed(t, s.Verify(t.Context(), previewed(call("another"))), oob.SourceInBand)
		wantPassed(t, s.Verify(t.Context(), previewed(call("its next leg"))), oob.SourceInBand)
		wantCase(t, s.Verify(t.Context(), call("a third")), stivs.V1)
	})
	t.Run("what came beside", func(t *testing.T) {
		l := newLaboratory(t)
		s := l.service(nil)
		one, beside := l.signed().Identity.String(), l.signed().Identity.String()
		wantPassed(t, s.Verify(t.Context(), previewed(named("first leg", one, beside))), oob.SourceInBand)
		wantPassed(t, s.Verify(t.Context(), named("call", beside)), oob.SourceInBand)
	})
	t.Run("a priority", func(t *testing.T) { // RFC 8443
		l := newLaboratory(t)
		s := l.service(func(cfg *stivs.Config) { cfg.PrioritySigners = []string{"1234"} })
		signed, rph := l.signed().Identity.String(), l.fieldOf(l.make(l.signer, passport.RPH, passport.Claims{RPH: []string{"ets.0"}}))
		for _, call := range []stivs.Call{previewed(named("first leg", signed, rph)), named("call", signed, rph)} {
			if p := s.Verify(t.Context(), call).Priority; p == nil || p.Verstat != oob.PriorityPassed {
				t.Errorf("%s: %+v", call.ID, p)
			}
		}
	})
	t.Run("out of band", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, nil)
		cps.tokens = []string{l.signed().Passport}
		wantPassed(t, s.Verify(t.Context(), previewed(named("a hint"))), oob.SourceOutOfBand)
		wantPassed(t, s.Verify(t.Context(), named("call")), oob.SourceOutOfBand)
		wantPassed(t, s.Verify(t.Context(), previewed(named("another hint"))), oob.SourceOutOfBand)
		wantPassed(t, s.Verify(t.Context(), named("call")), oob.SourceOutOfBand)
		if len(*withdrawn) > 0 {
			t.Errorf("withdrawn %q", *withdrawn)
		}
	})
	t.Run("where both roads are compared", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, func(cfg *stivs.Config) { cfg.Differ = stivs.OutOfBandDecides })
		own := l.fieldOf(l.make(l.issue(l.pki, oobtest.IssueConfig{SPC: "666G"}), passport.Shaken, passport.Claims{Attest: "C", OrigID: "00000000-e89b-42d3-a456-426655440000"}))
		cps.tokens = []string{l.make(l.signer, passport.Shaken, passport.Claims{Attest: "A", OrigID: "123e4567-e89b-42d3-a456-426655440000"})}
		wantPassed(t, s.Verify(t.Context(), previewed(named("a hint", own))), oob.SourceOutOfBand)
		wantPassed(t, s.Verify(t.Context(), named("call")), oob.SourceOutOfBand)
		wantPassed(t, s.Verify(t.Context(), previewed(named("another hint", own))), oob.SourceOutOfBand)
		if len(*withdrawn) > 0 {
			t.Errorf("withdrawn %q", *withdrawn)
		}
	})
}

// What is bad is bad to a preview as well.
func TestPreview_BelievesNothingElse(t *testing.T) {
	l := newLaboratory(t)
	s := l.service(nil)
	signed := l.signed()
	elsewhere := named("call", signed.Identity.String())
	elsewhere.Dest = another
	wantCase(t, s.Verify(t.Context(), previewed(elsewhere)), stivs.E16)
	tampered := named("call", l.field(signed.Passport[:len(signed.Passport)-4]+"AAAA"))
	wantCase(t, s.Verify(t.Context(), previewed(tampered)), stivs.E18)
}
