package stivs_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
)

// shelf is a CPS that holds what a test lays there.
type shelf struct{ tokens []string }

func (s *shelf) Retrieve(context.Context, oob.Key) ([]string, error) {
	if len(s.tokens) == 0 {
		return nil, oob.Faultf(oob.NotFound, "nothing there")
	}
	return slices.Clone(s.tokens), nil
}

// withShelf is a service that looks on a shelf, and the calls of which it has told that they are verified no longer.
func withShelf(t *testing.T, edit func(*stivs.Config)) (l *laboratory, s *stivs.Service, cps *shelf, withdrawn *[]string) {
	t.Helper()
	l, cps, withdrawn = newLaboratory(t), &shelf{}, &[]string{}
	return l, l.service(func(cfg *stivs.Config) {
		cfg.Retriever = cps
		cfg.Withdrawn = func(call, why string) { *withdrawn = append(*withdrawn, call+": "+why) }
		if edit != nil {
			edit(cfg)
		}
	}), cps, withdrawn
}

// are tells whether these calls were withdrawn, and no others.
func are(withdrawn []string, calls ...string) bool {
	return slices.EqualFunc(withdrawn, calls, func(got, call string) bool { return strings.HasPrefix(got, call+": ") })
}

// named is a call from caller to called with an ID, out of band unless fields are given.
func named(id string, fields ...string) stivs.Call {
	call := plainCall(fields...)
	call.ID, call.Key = id, key
	return call
}

func TestRFC8224_S12_1_APassportVerifiesOneCall(t *testing.T) {
	l := newLaboratory(t)
	s := l.service(nil)
	signed := l.signed()
	field := signed.Identity.String()
	inBand := func(id, field string) stivs.Call { c := plainCall(field); c.ID = id; return c }
	wantPassed(t, s.Verify(t.Context(), inBand("a", field)), oob.SourceInBand)
	t.Run("the same call again", func(t *testing.T) {
		wantPassed(t, s.Verify(t.Context(), inBand("a", field)), oob.SourceInBand)
	})
	t.Run("another call", func(t *testing.T) {
		verdict := s.Verify(t.Context(), inBand("b", field))
		checkShape(t, verdict)
		wantCase(t, verdict, stivs.V1)
	})
	t.Run("a call without a name is another", func(t *testing.T) {
		wantCase(t, s.Verify(t.Context(), inBand("", field)), stivs.V1)
	})
	t.Run("the twin of its signature", func(t *testing.T) { // whoever has (r, s) has (r, n−s)
		wantCase(t, s.Verify(t.Context(), inBand("c", l.field(malleate(t, signed.Passport)))), stivs.V1)
	})
	t.Run("as long as it is fresh", func(t *testing.T) {
		l.now = l.now.Add(60 * time.Second)
		wantCase(t, s.Verify(t.Context(), inBand("d", field)), stivs.V1)
		l.now = l.now.Add(time.Second)
		wantCase(t, s.Verify(t.Context(), inBand("d", field)), stivs.E15)
	})
	t.Run("a fresh one behind a used one", func(t *testing.T) {
		first, second := l.signed(), l.signed()
		wantPassed(t, s.Verify(t.Context(), inBand("e", first.Identity.String())), oob.SourceInBand)
		verdict := s.Verify(t.Context(), stivs.Call{ID: "f", Orig: caller, Dest: called,
			Identity: []string{first.Identity.String(), second.Identity.String()}})
		wantPassed(t, verdict, oob.SourceInBand)
		if verdict.OrigID != second.OrigID {
			t.Error("the used one verified it")
		}
	})
	t.Run("a call to each of those it names", func(t *testing.T) {
		both := l.signedBy(l.signer, caller, called, another).Identity.String()
		one := inBand("j", both)
		other := one
		other.ID, other.Dest = "k", another
		wantPassed(t, s.Verify(t.Context(), one), oob.SourceInBand)
		wantPassed(t, s.Verify(t.Context(), other), oob.SourceInBand)
		other.ID = "l"
		wantCase(t, s.Verify(t.Context(), other), stivs.V1)
	})
	t.Run("a token from the future is remembered until it is stale", func(t *testing.T) {
		token := l.forge(nil, members{"iat": l.now.Unix() + 60})
		wantPassed(t, s.Verify(t.Context(), inBand("g", l.field(token))), oob.SourceInBand)
		for range 119 {
			l.now = l.now.Add(time.Second)
			s.Verify(t.Context(), inBand(fmt.Sprint("h", l.now), l.signed().Identity.String()))
		}
		l.now = l.now.Add(time.Second)
		wantCase(t, s.Verify(t.Context(), inBand("i", l.field(token))), stivs.V1)
	})
}

// RFC 8816 §7.4: whoever makes somebody's call can place one of his own that takes its PASSporT. Which call it belongs
// to is not known, so neither is verified, also the one that has been already.
func TestRFC8816_S7_4_MoreCallsThanPassportsAreNotVerified(t *testing.T) {
	const why = ": More calls came between these numbers than there are PASSporTs."
	t.Run("thief first", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, nil)
		cps.tokens = []string{l.signed().Passport}
		wantPassed(t, s.Verify(t.Context(), named("thief")), oob.SourceOutOfBand)
		verdict := s.Verify(t.Context(), named("genuine"))
		wantCase(t, verdict, stivs.V1)
		if !slices.Equal(*withdrawn, []string{"thief" + why}) {
			t.Errorf("withdrawn %q", *withdrawn)
		}
		if check := checkNamed(t, verdict, "number of calls"); check.Outcome != oob.CheckFailed || check.Case != "V2" {
			t.Errorf("%+v", check)
		}
		s.Verify(t.Context(), named("third"))
		if len(*withdrawn) != 1 {
			t.Errorf("told twice: %q", *withdrawn)
		}
	})
	t.Run("genuine first, and the same call may ask again before", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, nil)
		cps.tokens = []string{l.signed().Passport}
		for range 3 {
			wantPassed(t, s.Verify(t.Context(), named("genuine")), oob.SourceOutOfBand)
		}
		wantCase(t, s.Verify(t.Context(), named("thief")), stivs.V1)
		if len(*withdrawn) != 1 {
			t.Errorf("withdrawn %q", *withdrawn)
		}
		wantCase(t, s.Verify(t.Context(), named("genuine")), stivs.V1) // asked again, it is as it was told
	})
	t.Run("two calls, two PASSporTs", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, nil)
		first, second := l.signed(), l.signed() // within one second
		cps.tokens = []string{second.Passport, first.Passport}
		one, two := s.Verify(t.Context(), named("1")), s.Verify(t.Context(), named("2"))
		wantPassed(t, one, oob.SourceOutOfBand)
		wantPassed(t, two, oob.SourceOutOfBand)
		if one.OrigID != second.OrigID || two.OrigID != first.OrigID || len(*withdrawn) != 0 {
			t.Errorf("%s and %s, withdrawn %q", one.OrigID, two.OrigID, *withdrawn)
		}
		wantCase(t, s.Verify(t.Context(), named("3")), stivs.V1)
		if len(*withdrawn) != 2 {
			t.Errorf("withdrawn %q", *withdrawn)
		}
	})
	t.Run("the second PASSporT comes with the second call", func(t *testing.T) {
		l, s, cps, _ := withShelf(t, nil)
		cps.tokens = []string{l.signed().Passport}
		wantPassed(t, s.Verify(t.Context(), named("1")), oob.SourceOutOfBand)
		l.now = l.now.Add(20 * time.Second)
		cps.tokens = []string{l.signed().Passport} // the first has expired on the CPS
		wantPassed(t, s.Verify(t.Context(), named("2")), oob.SourceOutOfBand)
	})
	t.Run("a PASSporT that is not good counts for nothing", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, nil)
		foreign, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
		l.must(err)
		stranger := l.issue(foreign, oobtest.IssueConfig{SPC: "6666"})
		cps.tokens = []string{l.signed().Passport, l.signedBy(stranger, caller, called).Passport}
		wantPassed(t, s.Verify(t.Context(), named("1")), oob.SourceOutOfBand)
		s.Verify(t.Context(), named("2"))
		if len(*withdrawn) != 1 {
			t.Errorf("withdrawn %q", *withdrawn)
		}
	})
	t.Run("two providers that sign for one call are one", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, nil)
		transit := l.issue(l.pki, oobtest.IssueConfig{SPC: "567B"})
		cps.tokens = []string{l.signed().Passport, l.signedBy(transit, caller, called).Passport}
		wantPassed(t, s.Verify(t.Context(), named("1")), oob.SourceOutOfBand)
		wantCase(t, s.Verify(t.Context(), named("2")), stivs.V2)
		if len(*withdrawn) != 1 {
			t.Errorf("withdrawn %q", *withdrawn)
		}
	})
	t.Run("a call that came long before the PASSporT was made", func(t *testing.T) {
		l, s, cps, _ := withShelf(t, func(cfg *stivs.Config) { cfg.Freshness = oob.Freshness{Past: time.Minute, Future: time.Second} })
		if v := s.Verify(t.Context(), named("unsigned")); v.Verstat != oob.VerstatNoValidation {
			t.Fatal(story(v))
		}
		l.now = l.now.Add(10 * time.Second)
		cps.tokens = []string{l.signed().Passport}
		wantPassed(t, s.Verify(t.Context(), named("signed")), oob.SourceOutOfBand)
	})
	t.Run("in band each call has brought its own", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, nil)
		cps.tokens = []string{l.signed().Passport}
		wantPassed(t, s.Verify(t.Context(), named("1")), oob.SourceOutOfBand)
		wantPassed(t, s.Verify(t.Context(), named("2", l.signed().Identity.String())), oob.SourceInBand)
		if len(*withdrawn) != 0 {
			t.Errorf("withdrawn %q", *withdrawn)
		}
	})
	t.Run("kept by configuration", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, func(cfg *stivs.Config) { cfg.KeepOutnumbered = true })
		transit := l.issue(l.pki, oobtest.IssueConfig{SPC: "567B"})
		cps.tokens = []string{l.signed().Passport, l.signedBy(transit, caller, called).Passport}
		wantPassed(t, s.Verify(t.Context(), named("1")), oob.SourceOutOfBand)
		verdict := s.Verify(t.Context(), named("2"))
		wantPassed(t, verdict, oob.SourceOutOfBand)
		if verdict.Doubt == "" || len(*withdrawn) != 0 {
			t.Errorf("doubt %q, withdrawn %q", verdict.Doubt, *withdrawn)
		}
	})
	t.Run("more calls than are told apart", func(t *testing.T) {
		l, s, cps, _ := withShelf(t, nil)
		for range 64 {
			cps.tokens = []string{l.signed().Passport}
			s.Verify(t.Context(), named(cps.tokens[0]))
		}
		cps.tokens = []string{l.signed().Passport}
		wantCase(t, s.Verify(t.Context(), named("one more")), stivs.V2)
		l.now = l.now.Add(5 * time.Minute)
		cps.tokens = []string{l.signed().Passport}
		wantPassed(t, s.Verify(t.Context(), named("later")), oob.SourceOutOfBand)
	})
}

func TestServicesThatShareAMemoryShareItsRules(t *testing.T) {
	l := newLaboratory(t)
	memory := stivs.NewMemory(oob.Freshness{}, 0)
	share := func(cfg *stivs.Config) { cfg.Memory = memory }
	if _, err := stivs.New(stivs.Config{Verifier: l.verifier, Memory: memory, Transfer: time.Hour}); err == nil {
		t.Error("a memory that forgets too soon is taken")
	}
	field := l.signed().Identity.String()
	wantPassed(t, l.service(share).Verify(t.Context(), plainCall(field)), oob.SourceInBand)
	wantCase(t, l.service(share).Verify(t.Context(), plainCall(field)), stivs.V1)
}

func TestMemoryThatIsFullVerifiesNothing(t *testing.T) {
	l := newLaboratory(t)
	memory := stivs.NewMemory(oob.Freshness{}, 0)
	stivs.SetMemoryMax(memory, 2)
	cps := &shelf{}
	s := l.service(func(cfg *stivs.Config) { cfg.Memory, cfg.Retriever = memory, cps })
	for range 2 {
		wantPassed(t, s.Verify(t.Context(), plainCall(l.signed().Identity.String())), oob.SourceInBand)
	}
	wantCase(t, s.Verify(t.Context(), plainCall(l.signed().Identity.String())), stivs.V4)
	l.now = l.now.Add(4 * time.Minute)
	wantPassed(t, s.Verify(t.Context(), plainCall(l.signed().Identity.String())), oob.SourceInBand)
}

// A thief who has taken somebody's PASSporT out of band loses it when the call comes for which it was made, whatever
// way that takes: each of these once left both verified, or the thief alone.
func TestRFC8816_S7_4_StolenPassportIsTakenBack(t *testing.T) {
	const origID = "123e4567-e89b-42d3-a456-426655440000"
	t.Run("after a call that brought its own", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, nil)
		first := l.signed()
		cps.tokens = []string{first.Passport}
		wantPassed(t, s.Verify(t.Context(), named("genuine 1", first.Identity.String())), oob.SourceInBand)
		l.now = l.now.Add(10 * time.Second)
		cps.tokens = append(cps.tokens, l.signed().Passport)
		wantPassed(t, s.Verify(t.Context(), named("thief")), oob.SourceOutOfBand)
		wantCase(t, s.Verify(t.Context(), named("genuine 2")), stivs.V1)
		if !are(*withdrawn, "thief") {
			t.Errorf("withdrawn %q", *withdrawn)
		}
	})
	t.Run("of a call that was diverted", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, nil)
		shaken := l.signed().Passport
		cps.tokens = []string{shaken}
		wantPassed(t, s.Verify(t.Context(), named("thief")), oob.SourceOutOfBand)
		cps.tokens = []string{shaken, l.div(called, second)}
		diverted := oob.Key{Profile: oob.Mesh, Dest: second, Orig: caller}
		wantCase(t, s.Verify(t.Context(), stivs.Call{ID: "genuine", Orig: caller, Dest: second, Key: diverted}), stivs.V1)
		if !are(*withdrawn, "thief") {
			t.Errorf("withdrawn %q", *withdrawn)
		}
	})
	t.Run("by a call with something of its own in band", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, func(cfg *stivs.Config) { cfg.Differ = stivs.OutOfBandDecides })
		gateway := l.issue(l.pki, oobtest.IssueConfig{SPC: "666G"})
		own := l.make(gateway, passport.Shaken, passport.Claims{Attest: "C", OrigID: "00000000-e89b-42d3-a456-426655440000"})
		cps.tokens = []string{l.make(l.signer, passport.Shaken, passport.Claims{Attest: "A", OrigID: origID})}
		wantPassed(t, s.Verify(t.Context(), named("thief", l.fieldOf(own))), oob.SourceOutOfBand)
		wantCase(t, s.Verify(t.Context(), named("genuine")), stivs.V1)
		if len(*withdrawn) == 0 {
			t.Error("nothing is withdrawn")
		}
	})
	t.Run("what is only compared is left to its call", func(t *testing.T) {
		l, s, cps, _ := withShelf(t, func(cfg *stivs.Config) { cfg.Differ = stivs.InBandDecides })
		gateway := l.issue(l.pki, oobtest.IssueConfig{SPC: "666G"})
		own := l.make(gateway, passport.Shaken, passport.Claims{Attest: "C", OrigID: "00000000-e89b-42d3-a456-426655440000"})
		cps.tokens = []string{l.signed().Passport}
		wantPassed(t, s.Verify(t.Context(), named("other", l.fieldOf(own))), oob.SourceInBand)
		wantPassed(t, s.Verify(t.Context(), named("genuine")), oob.SourceOutOfBand)
	})
	t.Run("with two PASSporTs of one call", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.RCD} })
		cps.tokens = []string{l.signed().Passport, l.make(l.signer, passport.RCD, passport.Claims{Rich: &passport.RichCallData{HasRCD: true, Nam: "n"}})}
		wantPassed(t, s.Verify(t.Context(), named("thief")), oob.SourceOutOfBand)
		wantCase(t, s.Verify(t.Context(), named("genuine")), stivs.V2)
		if !are(*withdrawn, "thief") {
			t.Errorf("withdrawn %q", *withdrawn)
		}
	})
	t.Run("with two texts that say the same", func(t *testing.T) {
		l, s, cps, _ := withShelf(t, nil)
		one := passport.Claims{Attest: "A", OrigID: origID}
		other := one
		other.Rich = &passport.RichCallData{CRN: "the same call"}
		wantPassed(t, s.Verify(t.Context(), named("genuine", l.fieldOf(l.make(l.signer, passport.Shaken, one)))), oob.SourceInBand)
		cps.tokens = []string{l.make(l.signer, passport.Shaken, other)}
		wantCase(t, s.Verify(t.Context(), named("thief")), stivs.V1)
	})
	t.Run("for good", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, nil)
		signed := l.signed()
		cps.tokens = []string{signed.Passport}
		wantPassed(t, s.Verify(t.Context(), named("thief")), oob.SourceOutOfBand)
		genuine := plainCall(signed.Identity.String())
		genuine.ID = "genuine"
		wantCase(t, s.Verify(t.Context(), genuine), stivs.V1)
		wantCase(t, s.Verify(t.Context(), named("thief")), stivs.V1)
		if !are(*withdrawn, "thief") {
			t.Errorf("withdrawn %q", *withdrawn)
		}
	})
	t.Run("by a call that has another in band", func(t *testing.T) {
		for _, differ := range []stivs.Differ{stivs.OutOfBandDecides, stivs.LowerDecides} {
			l, s, cps, withdrawn := withShelf(t, func(cfg *stivs.Config) { cfg.Differ = differ })
			transit := l.issue(l.pki, oobtest.IssueConfig{SPC: "567B"})
			own := l.make(transit, passport.Shaken, passport.Claims{Attest: "A", OrigID: origID})
			cps.tokens = []string{l.signed().Passport}
			wantPassed(t, s.Verify(t.Context(), named("thief")), oob.SourceOutOfBand)
			if v := s.Verify(t.Context(), named("genuine", l.fieldOf(own))); v.Verstat != oob.VerstatPassed && len(*withdrawn) == 0 {
				t.Errorf("%d: the genuine call is refused, the thief kept", differ)
			}
		}
	})
	t.Run("from one of several called parties", func(t *testing.T) {
		l, s, cps, withdrawn := withShelf(t, nil)
		both := l.signedBy(l.signer, caller, called, another).Passport
		cps.tokens = []string{both}
		wantPassed(t, s.Verify(t.Context(), named("thief")), oob.SourceOutOfBand)
		cps.tokens = []string{both, l.div(called, second)}
		wantCase(t, s.Verify(t.Context(), stivs.Call{ID: "genuine", Orig: caller, Dest: second, Key: key}), stivs.V1)
		if !are(*withdrawn, "thief") {
			t.Errorf("withdrawn %q", *withdrawn)
		}
	})
	t.Run("whatever came beside it", func(t *testing.T) {
		l, s, _, _ := withShelf(t, nil)
		beside := l.signedBy(l.issue(l.pki, oobtest.IssueConfig{SPC: "567B"}), caller, called).Identity.String()
		genuine := plainCall(l.signed().Identity.String(), beside)
		genuine.ID = "genuine"
		wantPassed(t, s.Verify(t.Context(), genuine), oob.SourceInBand)
		replayed := plainCall(beside)
		replayed.ID = "thief"
		wantCase(t, s.Verify(t.Context(), replayed), stivs.V1)
	})
	t.Run("signed across a second", func(t *testing.T) {
		l, s, cps, _ := withShelf(t, func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.RCD} })
		rich := passport.Claims{IAT: l.now.Add(-time.Second), Rich: &passport.RichCallData{HasRCD: true, Nam: "n"}}
		cps.tokens = []string{l.signed().Passport, l.make(l.signer, passport.RCD, rich)}
		wantPassed(t, s.Verify(t.Context(), named("thief")), oob.SourceOutOfBand)
		wantCase(t, s.Verify(t.Context(), named("genuine")), stivs.V2)
	})
	t.Run("a call with an ID too long to be told of", func(t *testing.T) {
		l, s, cps, _ := withShelf(t, nil)
		cps.tokens = []string{l.signed().Passport}
		long := strings.Repeat("x", stivs.IDBytesMax+1)
		if v := s.Verify(t.Context(), named(long)); v.Verstat != oob.VerstatNoValidation {
			t.Error(story(v))
		}
		wantPassed(t, s.Verify(t.Context(), named(long, l.signed().Identity.String())), oob.SourceInBand)
	})
	t.Run("an owner who panics is told of the next", func(t *testing.T) {
		l := newLaboratory(t)
		cps := &shelf{tokens: []string{l.signed().Passport}}
		s := l.service(func(cfg *stivs.Config) {
			cfg.Retriever, cfg.Withdrawn = cps, func(string, string) { panic("in the owner") }
		})
		wantPassed(t, s.Verify(t.Context(), named("thief")), oob.SourceOutOfBand)
		wantCase(t, s.Verify(t.Context(), named("genuine")), stivs.V1)
	})
}

// With Transfer an old PASSporT may come with a diversion: it is remembered so long, and the calls between two numbers
// are not.
func TestMemoryOfTransferredCallsCountsCallsOfNow(t *testing.T) {
	l := newLaboratory(t)
	cps := &shelf{}
	s := l.service(func(cfg *stivs.Config) { cfg.Retriever, cfg.Transfer = cps, 3*time.Hour })
	first := l.signed()
	cps.tokens = []string{first.Passport}
	wantPassed(t, s.Verify(t.Context(), named("morning")), oob.SourceOutOfBand)
	l.now = l.now.Add(2 * time.Hour)
	s.Verify(t.Context(), named("spoofed at noon"))
	l.now = l.now.Add(time.Hour / 2)
	cps.tokens = []string{l.signed().Passport}
	wantPassed(t, s.Verify(t.Context(), named("afternoon")), oob.SourceOutOfBand)
	again := stivs.Call{ID: "replayed", Orig: caller, Dest: second, Identity: []string{first.Identity.String(), l.fieldOf(l.div(called, second))}}
	wantCase(t, s.Verify(t.Context(), again), stivs.V1)
}

// What is refused to thieves must not be refused to those whose it is.
func TestRFC8224_S12_1_GenuineCallsAreLeftAlone(t *testing.T) {
	t.Run("two that are compared on both roads", func(t *testing.T) {
		for _, differ := range []stivs.Differ{stivs.InBandDecides, stivs.OutOfBandDecides, stivs.LowerDecides, stivs.NobodyDecides} {
			l, s, cps, _ := withShelf(t, func(cfg *stivs.Config) { cfg.Differ = differ })
			first, second := l.signed(), l.signed()
			cps.tokens = []string{first.Passport}
			wantPassed(t, s.Verify(t.Context(), named("1", first.Identity.String())), oob.SourceInBand)
			cps.tokens = []string{first.Passport, second.Passport}
			v := s.Verify(t.Context(), named("2", second.Identity.String()))
			wantPassed(t, v, oob.SourceInBand)
			if v.Doubt != "" {
				t.Errorf("%d: doubt %q", differ, v.Doubt)
			}
		}
	})
	t.Run("the parts of a message", func(t *testing.T) {
		l, s, _, _ := withShelf(t, nil)
		for _, body := range []string{"part one", "part two"} {
			call := plainCall(l.fieldOf(l.make(l.signer, passport.Msg, passport.Claims{MSGI: digestOf([]byte(body))})))
			call.ID, call.Message = body, []byte(body)
			wantPassed(t, s.Verify(t.Context(), call), oob.SourceInBand)
		}
	})
	t.Run("of a signer whose clock is behind", func(t *testing.T) {
		l, s, cps, _ := withShelf(t, nil)
		for _, id := range []string{"1", "2"} {
			cps.tokens = []string{l.make(l.signer, passport.Shaken, passport.Claims{
				Attest: "A", OrigID: "123e4567-e89b-42d3-a456-42665544000" + id, IAT: l.now.Add(-45 * time.Second),
			})}
			wantPassed(t, s.Verify(t.Context(), named(id)), oob.SourceOutOfBand)
			l.now = l.now.Add(90 * time.Second)
		}
	})
	t.Run("with attestation, whatever comes first", func(t *testing.T) {
		l, s, _, _ := withShelf(t, func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.RCD} })
		rcd := l.fieldOf(l.make(l.signer, passport.RCD, passport.Claims{Rich: &passport.RichCallData{HasRCD: true, Nam: "n"}}))
		if v := s.Verify(t.Context(), plainCall(rcd, l.signed().Identity.String())); v.Attest != "B" || v.Rich == nil {
			t.Errorf("attest %q, %+v", v.Attest, v.Rich)
		}
	})
}
