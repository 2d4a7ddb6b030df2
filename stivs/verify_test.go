package stivs_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

func TestNew_RefusesWhatCannotWork(t *testing.T) {
	l := newLaboratory(t)
	for _, c := range []struct {
		name string
		cfg  stivs.Config
		ok   bool
	}{
		{"a verifier is enough", stivs.Config{Verifier: l.verifier}, true},
		{"no verifier", stivs.Config{}, false},
		{"negative budget", stivs.Config{Verifier: l.verifier, Budget: -1}, false},
		{"negative freshness", stivs.Config{Verifier: l.verifier, Freshness: oob.Freshness{Past: -1}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if s, err := stivs.New(c.cfg); (err == nil) != c.ok || (s != nil) != c.ok {
				t.Errorf("%v, %v", s, err)
			}
		})
	}
}

func TestRFC8224_S6_2_GoodCallPasses(t *testing.T) {
	l := newLaboratory(t)
	signed := l.signed()
	for _, c := range []struct {
		name      string
		call      stivs.Call
		outOfBand []string
		source    oob.Source
	}{
		{"in band", plainCall(signed.Identity.String()), nil, oob.SourceInBand},
		{"out of band", plainCall(), []string{signed.Passport}, oob.SourceOutOfBand},
		{"without ppt and alg parameters", plainCall(signed.Passport + ";info=<" + l.signer.X5U + ">"), nil, oob.SourceInBand},
		{"parameters quoted and in another order", plainCall(signed.Passport + ` ; ppt="shaken" ;alg="ES256"; info=<` + l.signer.X5U + ">"), nil, oob.SourceInBand},
		{"with a date", stivs.Call{Orig: caller, Dest: called, Identity: []string{signed.Identity.String()}, Time: l.now.Add(-time.Second)}, nil, oob.SourceInBand},
		{"one of several called parties", stivs.Call{Orig: caller, Dest: another, Identity: []string{l.signedBy(l.signer, caller, called, another).Identity.String()}}, nil, oob.SourceInBand},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.in(t)
			verdict := l.verify(c.call, c.outOfBand...)
			wantPassed(t, verdict, c.source)
			if verdict.Attest != "B" || verdict.SignerSPC != "1234" || verdict.ReasonText != "" || verdict.ReasonDesc != "" {
				t.Errorf("%+v", verdict)
			}
		})
	}
	verdict := l.verify(plainCall(signed.Identity.String()))
	if verdict.Passport != signed.Passport || verdict.OrigID != signed.OrigID {
		t.Errorf("PASSporT %q, origid %q", verdict.Passport, verdict.OrigID)
	}
}

func TestRFC8588_S4_AttestationArrivesAsSigned(t *testing.T) {
	l := newLaboratory(t)
	s, err := stias.New(stias.Config{
		SPC: "1234", Credential: stias.Credential{Key: l.signer.Key, X5U: l.signer.X5U}, Now: l.clock,
		Policy: stias.Policy{Own: []tn.Range{numberRange(t, "12155550100-12155550199")}, Customers: []string{"known"}},
	})
	l.must(err)
	foreign := number("13175550100")
	for _, c := range []struct {
		call stias.Call
		want string
	}{
		{stias.Call{Orig: caller}, "A"},
		{stias.Call{Orig: foreign, Customer: "known"}, "B"},
		{stias.Call{Orig: caller, Gateway: true}, "C"},
	} {
		t.Run(c.want, func(t *testing.T) {
			l.in(t)
			c.call.Dest = []tn.Identity{called}
			signed, err := s.Sign(c.call)
			l.must(err)
			verdict := l.verify(stivs.Call{Orig: c.call.Orig, Dest: called, Identity: []string{signed.Identity.String()}})
			if verdict.Attest != c.want {
				t.Errorf("attest %q, want %q\n%s", verdict.Attest, c.want, story(verdict))
			}
		})
	}
}

func numberRange(t testing.TB, s string) tn.Range {
	t.Helper()
	r, err := tn.ParseRange(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRFC8224_S6_2_FreshnessIsSixtySecondsOnBothSides(t *testing.T) {
	l := newLaboratory(t)
	for _, seconds := range []int{-61, -60, -59, 0, 59, 60, 61} {
		at := l.now.Add(time.Duration(seconds) * time.Second)
		isFresh := seconds >= -60 && seconds <= 60
		t.Run(fmt.Sprintf("iat %+d s", seconds), func(t *testing.T) {
			l.in(t)
			token := l.forge(nil, members{"iat": at.Unix()})
			for _, verdict := range []oob.Verdict{l.verify(plainCall(l.field(token))), l.verify(plainCall(), token)} {
				if isFresh {
					wantPassed(t, verdict, verdict.Source)
				} else {
					wantCase(t, verdict, stivs.E15)
				}
			}
		})
		t.Run(fmt.Sprintf("date %+d s", seconds), func(t *testing.T) {
			l.in(t)
			call := plainCall(l.signed().Identity.String())
			call.Time = at
			if verdict := l.verify(call); isFresh {
				wantPassed(t, verdict, oob.SourceInBand)
			} else {
				wantCase(t, verdict, stivs.E3)
			}
		})
	}
	t.Run("as configured", func(t *testing.T) {
		s := l.service(func(cfg *stivs.Config) { cfg.Freshness = oob.Freshness{Past: 5 * time.Second} })
		wantPassed(t, s.Verify(t.Context(), plainCall(l.field(l.forge(nil, members{"iat": l.now.Unix() - 5})))), oob.SourceInBand)
		wantCase(t, s.Verify(t.Context(), plainCall(l.field(l.forge(nil, members{"iat": l.now.Unix() - 6})))), stivs.E15)
		wantCase(t, s.Verify(t.Context(), plainCall(l.field(l.forge(nil, members{"iat": l.now.Unix() + 1})))), stivs.E15)
	})
}

func TestRFC8224_S6_2_CertificateMustHoldAtTheIATToo(t *testing.T) {
	l := newLaboratory(t)
	id := l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", NotBefore: l.now.Add(-10 * time.Second)})
	at := func(seconds time.Duration) oob.Verdict {
		l.now = l.now.Add(-seconds * time.Second)
		signed := l.signedBy(id, caller, called)
		l.now = l.now.Add(seconds * time.Second)
		return l.verify(plainCall(signed.Identity.String()))
	}
	wantPassed(t, at(10), oob.SourceInBand)
	wantCase(t, at(11), stivs.E17)
}

func TestCertificateThatExpiresIsNoLongerBelieved(t *testing.T) {
	l := newLaboratory(t)
	id := l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", NotAfter: l.now.Add(10 * time.Second)})
	signed := l.signedBy(id, caller, called).Identity.String()
	wantPassed(t, l.verify(plainCall(signed)), oob.SourceInBand)
	l.now = l.now.Add(10 * time.Second)
	wantPassed(t, l.verify(plainCall(signed)), oob.SourceInBand)
	l.now = l.now.Add(time.Second)
	wantCase(t, l.verify(plainCall(signed)), stivs.E17)
}

func TestNoPassportIsNoValidation(t *testing.T) {
	l := newLaboratory(t)
	withKey := plainCall()
	withKey.Key = key
	empty := retriever(func(context.Context, oob.Key) ([]string, error) { return nil, nil })
	for _, c := range []struct {
		name      string
		retriever oob.Retriever
		call      stivs.Call
		desc      string
		outcome   oob.CheckOutcome
	}{
		{"no CPS", nil, withKey, "There is no Identity header. No CPS was asked.", oob.CheckSkipped},
		{"no key", empty, plainCall(), "There is no Identity header. No CPS was asked.", oob.CheckSkipped},
		{"nothing there", empty, withKey, "There is no Identity header. Nothing is published for the call.", oob.CheckFailed},
		{"not found", failing(oob.NotFound), withKey, "There is no Identity header. Nothing is published for the call.", oob.CheckFailed},
		{"CPS down", failing(oob.PeerFailed), withKey, "There is no Identity header. The CPS gave no answer: Peer Failed.", oob.CheckFailed},
		{"CPS refuses", failing(oob.Refused), withKey, "There is no Identity header. The CPS gave no answer: Forbidden.", oob.CheckFailed},
		{"client breaks", retriever(func(context.Context, oob.Key) ([]string, error) { panic("broken") }), withKey,
			"There is no Identity header. The CPS gave no answer: Internal Server Error.", oob.CheckFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdict := l.service(func(cfg *stivs.Config) { cfg.Retriever = c.retriever }).Verify(t.Context(), c.call)
			checkShape(t, verdict)
			if verdict.Verstat != oob.VerstatNoValidation || verdict.Code != 0 || verdict.Case != "" || verdict.Source != oob.SourceNone {
				t.Errorf("%+v", verdict)
			}
			if verdict.ReasonDesc != c.desc {
				t.Errorf("%q, want %q", verdict.ReasonDesc, c.desc)
			}
			if check := checkNamed(t, verdict, "retrieval"); check.Outcome != c.outcome {
				t.Errorf("retrieval %s", check.Outcome)
			}
		})
	}
}

func failing(kind oob.Kind) oob.Retriever {
	return retriever(func(context.Context, oob.Key) ([]string, error) { return nil, oob.Faultf(kind, "") })
}

func TestInBandComesFirst(t *testing.T) {
	l := newLaboratory(t)
	good, stale := l.signed().Passport, l.forge(nil, members{"iat": l.now.Unix() - 100})
	for _, c := range []struct {
		name      string
		fields    []string
		outOfBand []string
		asked     bool
		source    oob.Source // of a verdict that passes
		want      stivs.Case // of one that does not
	}{
		{"good in band: never asked", []string{l.field(good)}, []string{good}, false, oob.SourceInBand, 0},
		{"nothing in band", nil, []string{good}, true, oob.SourceOutOfBand, 0},
		{"bad in band", []string{l.field(stale)}, []string{good}, true, oob.SourceOutOfBand, 0},
		{"unreadable in band", []string{"garbage"}, []string{good}, true, oob.SourceOutOfBand, 0},
		{"bad in band, nothing out of band", []string{l.field(stale)}, nil, true, oob.SourceNone, stivs.E15},
		{"bad in band, garbage out of band", []string{l.field(stale)}, []string{"garbage"}, true, oob.SourceNone, stivs.E15},
		{"garbage in band, bad out of band", []string{"garbage"}, []string{stale}, true, oob.SourceNone, stivs.E15},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := false
			s := l.service(func(cfg *stivs.Config) {
				cfg.Retriever = retriever(func(_ context.Context, k oob.Key) ([]string, error) {
					asked = k == key
					return c.outOfBand, nil
				})
			})
			call := plainCall(c.fields...)
			call.Key = key
			verdict := s.Verify(t.Context(), call)
			checkShape(t, verdict)
			if c.want != 0 {
				wantCase(t, verdict, c.want)
			} else {
				wantPassed(t, verdict, c.source)
			}
			if asked != c.asked {
				t.Errorf("CPS asked: %v", asked)
			}
		})
	}
}

func TestRFC8224_S6_2_OneGoodPassportSuffices(t *testing.T) {
	l := newLaboratory(t)
	bad := []string{
		"garbage", "", "..", l.forge(nil, members{"iat": l.now.Unix() - 100}), l.forge(nil, members{"attest": "X"}),
		l.forge(members{"x5u": l.base + "/none"}, nil), l.signedBy(l.signer, another, called).Passport,
		l.sign(l.issue(l.pki, oobtest.IssueConfig{SPC: "567B"}).Key, strings.Join(strings.Split(l.signed().Passport, ".")[:2], ".")),
	}
	for _, position := range []int{0, 7, 15} {
		t.Run(fmt.Sprintf("good one at %d of 16", position+1), func(t *testing.T) {
			l.in(t)
			var tokens, fields []string
			for i := range 16 {
				token := bad[i%len(bad)]
				if i == position {
					token = l.signed().Passport
				}
				tokens = append(tokens, token)
				fields = append(fields, l.field(token))
			}
			for _, verdict := range []oob.Verdict{l.verify(plainCall(), tokens...), l.verify(plainCall(fields...))} {
				wantPassed(t, verdict, verdict.Source)
				all := groups(verdict)
				if len(all) != 16 || !strings.HasSuffix(all[position].place, fmt.Sprintf(" %d/16", position+1)) {
					t.Errorf("%d groups\n%s", len(all), story(verdict))
				}
				if verdict.Passport != tokens[position] {
					t.Error("another PASSporT decided")
				}
			}
		})
	}
}

func TestMostTellingFailureDecides(t *testing.T) {
	l := newLaboratory(t)
	segments := strings.Split(l.signed().Passport, ".")
	forged := segments[0] + "." + l.tampered() + "." + segments[2]
	stale := l.forge(nil, members{"iat": l.now.Unix() - 100})
	foreign := l.signedBy(l.signer, another, called).Passport
	base := l.forge(members{"ppt": nil}, nil)
	for _, c := range []struct {
		name   string
		tokens []string
		want   stivs.Case
		decide int
	}{
		{"signature over freshness", []string{stale, forged}, stivs.E18, 1},
		{"the same the other way round", []string{forged, stale}, stivs.E18, 0},
		{"freshness over garbage", []string{"garbage", stale, ".."}, stivs.E15, 1},
		{"another's signature form is garbage too", []string{stale, segments[0] + "." + segments[1] + ".AAAA"}, stivs.E15, 0},
		{"other types last", []string{base, "garbage"}, stivs.E4, 1},
		{"the first of equals", []string{stale, l.forge(nil, members{"iat": l.now.Unix() + 100})}, stivs.E15, 0},
		{"the caller over freshness", []string{stale, foreign}, stivs.E16, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.in(t)
			verdict := l.verify(plainCall(), c.tokens...)
			wantCase(t, verdict, c.want)
			if verdict.Passport != c.tokens[c.decide] {
				t.Errorf("another PASSporT decided\n%s", story(verdict))
			}
		})
	}
}

func TestRFC8224_S6_2_OtherTypesAreIgnored(t *testing.T) {
	l := newLaboratory(t)
	good := l.signed()
	rcd := fieldWith(l.forge(members{"ppt": "rcd"}, nil), l.signer.X5U)
	rcd = strings.Replace(rcd, "ppt=shaken", "ppt=rcd", 1)
	wantPassed(t, l.verify(plainCall(rcd, good.Identity.String())), oob.SourceInBand)
	wantPassed(t, l.verify(plainCall(rcd+","+good.Identity.String())), oob.SourceInBand)
	wantCase(t, l.verify(plainCall(rcd, l.field(l.forge(nil, members{"iat": 0})))), stivs.E15)
	wantCase(t, l.verify(plainCall(rcd)), stivs.E5)
}

func TestNoCertificateIsFetchedForATokenThatCannotMatch(t *testing.T) {
	l := newLaboratory(t)
	l.verify(plainCall(
		l.field(l.forge(nil, members{"iat": l.now.Unix() - 61})), l.field(l.forge(nil, members{"attest": "X"})),
		l.signedBy(l.signer, another, called).Identity.String(), l.signedBy(l.signer, caller, another).Identity.String(),
		l.field(l.forge(members{"alg": "none"}, nil)), fieldWith(l.signed().Passport, l.base+"/other.pem"),
	))
	call := plainCall(l.signed().Identity.String())
	call.Time = l.now.Add(-61 * time.Second)
	l.verify(call)
	if n := l.fetches.Load(); n != 0 {
		t.Fatalf("%d fetches", n)
	}
	l.verify(plainCall(l.signed().Identity.String(), l.signed().Identity.String()))
	if n := l.fetches.Load(); n != 1 {
		t.Fatalf("%d fetches for a good call", n)
	}
}

func TestTwoQuickCallsBothPass(t *testing.T) {
	l := newLaboratory(t)
	first := l.signed()
	l.now = l.now.Add(time.Second)
	second := l.signed()
	verdict := l.verify(plainCall(), second.Passport, first.Passport)
	wantPassed(t, verdict, oob.SourceOutOfBand)
	if verdict.OrigID != second.OrigID {
		t.Error("not the newest")
	}
}

func TestOrigIDThatNoHeaderMayHoldIsNotHandedOn(t *testing.T) {
	l := newLaboratory(t)
	for origid, want := range map[string]string{
		"not-a-uuid": "not-a-uuid", "a\r\nVia: b": "", "a b": "", "ä": "", strings.Repeat("a", 129): "",
	} {
		verdict := l.verify(plainCall(l.field(l.forge(nil, members{"origid": origid}))))
		wantPassed(t, verdict, oob.SourceInBand)
		if verdict.OrigID != want {
			t.Errorf("%q became %q", origid, verdict.OrigID)
		}
	}
}

func TestTooManyPassportsAreLeftOut(t *testing.T) {
	l := newLaboratory(t)
	var fields, tokens []string
	for range 100 {
		fields, tokens = append(fields, "garbage"), append(tokens, "garbage")
	}
	good := l.signed()
	inBand := l.verify(plainCall(append(fields, good.Identity.String())...))
	if n := len(groups(inBand)); n != 16 || inBand.Case != "E6" {
		t.Errorf("%d groups, %s", n, inBand.Case)
	}
	// Out of band a good one is found behind any number that are of no use.
	outOfBand := l.verify(plainCall(), append(tokens, good.Passport)...)
	if n := len(groups(outOfBand)); n != stivs.RetrievedMax {
		t.Errorf("%d groups", n)
	}
	wantPassed(t, outOfBand, oob.SourceOutOfBand)
	if verdict := l.verify(plainCall(), tokens...); verdict.Case != "E4" {
		t.Errorf("nothing but garbage: %s", verdict.Case)
	}
}

func TestVerdictShowsWhatWasComparedInOrder(t *testing.T) {
	l := newLaboratory(t)
	l.now = l.now.Add(-5 * time.Second)
	signed := l.signed()
	l.now = l.now.Add(5 * time.Second)
	want := `  date passed  (RFC 8224 §6.2) the call has none: it is taken to be of now
  identity passed  (RFC 8224 §4) 1 Identity header field(s)
  field passed  (RFC 8224 §4) in-band 1/1: info and ppt are there
  form passed  (RFC 8588 §3) in-band 1/1: three segments, strict JSON, 64 bytes of signature
  type passed  (RFC 8225 §8.1) in-band 1/1: shaken
  header passed  (RFC 8225 §4) in-band 1/1: alg ES256, typ passport, x5u present
  info passed  (RFC 8225 §4.3) in-band 1/1: info is x5u
  claims passed  (RFC 8588 §4) in-band 1/1: attest B, origid "` + signed.OrigID + `"
  freshness passed  (RFC 8224 §6.2) in-band 1/1: 5 s old
  orig passed  (RFC 8224 §6.2) in-band 1/1: caller 12155550121
  dest failed E16 (RFC 8224 §6.2) in-band 1/1: signed for 12155550131, the call is to 12155550199
  credential skipped  (RFC 8224 §6.2) in-band 1/1: not reached
  trust skipped  (RFC 8224 §6.2) in-band 1/1: not reached
  signature skipped  (RFC 8224 §6.2) in-band 1/1: not reached
  authority skipped  (RFC 8226 §8) in-band 1/1: not reached
  diversion skipped  (RFC 8946 §4.2) in-band 1/1: not reached
  single use skipped  (RFC 8224 §12.1) in-band 1/1: not reached
  retrieval skipped  () no CPS is to be asked for this call
`
	call := plainCall(signed.Identity.String())
	call.Dest = another
	if got := story(l.verify(call)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestVerifyIsSafeForConcurrentUse(t *testing.T) {
	l := newLaboratory(t)
	good, s := plainCall(l.signed().Identity.String()), l.service(nil)
	good.ID = "one call"
	bad := plainCall(l.field(l.forge(nil, members{"attest": "X"})))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if v := s.Verify(t.Context(), good); v.Verstat != oob.VerstatPassed {
				t.Errorf("%s", story(v))
			}
			if v := s.Verify(t.Context(), bad); v.Case != "E19" {
				t.Errorf("%s", story(v))
			}
		})
	}
	all.Wait()
	if n := l.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// RFC 8225 §9: whoever has a token can make a second one of it (r, n−s). It says the same, so it may pass; what must
// not happen is that it says anything else.
func TestRFC8225_S9_MalleatedSignatureSaysTheSame(t *testing.T) {
	l := newLaboratory(t)
	signed := l.signed()
	twin := malleate(t, signed.Passport)
	verdict := l.verify(plainCall(), twin)
	wantPassed(t, verdict, oob.SourceOutOfBand)
	token, err := passport.Parse(verdict.Passport)
	l.must(err)
	if token.SigningInput() != strings.Join(strings.Split(signed.Passport, ".")[:2], ".") {
		t.Error("another content")
	}
}

// RFC 8224 §6.2, step 4: the certificate was valid at the date of the call, too.
func TestRFC8224_S6_2_DateLiesInsideTheValidityOfTheCertificate(t *testing.T) {
	l := newLaboratory(t)
	young := l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", NotBefore: l.now.Add(-20 * time.Second)})
	call := plainCall(l.signedBy(young, caller, called).Identity.String())
	call.Time = l.now.Add(-10 * time.Second)
	wantPassed(t, l.verify(call), oob.SourceInBand)
	call.Time = l.now.Add(-50 * time.Second)
	wantCase(t, l.verify(call), stivs.E17)
}
