package dip_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/tn"
)

func TestDips_SignedPublishedAndVerified(t *testing.T) {
	c := openCountry(t)
	signed := c.upstream.Do(t.Context(), c.upstream.on(trunk.SignPublish), call("a"))
	if signed.Result != dip.ResultPublished || len(signed.Identity) != 1 || signed.Signed.Attest != passport.AttestFull {
		t.Fatalf("%+v", signed)
	}
	verified := c.downstream.Do(t.Context(), c.downstream.on(trunk.Verify), call("b"))
	if v := verified.Verdict; verified.Result != dip.ResultVerified || v == nil || v.Verstat != oob.VerstatPassed || v.Attest != "A" || v.OrigID != signed.Signed.OrigID {
		t.Fatalf("%+v", verified)
	}
	s := c.downstream.Stats()
	if got := s.Looks["verify"]; got != (dip.Looks{Hits: 1}) {
		t.Errorf("looks %+v", got)
	}
}

func TestDips_TransitCarriesEveryPassportUnchanged(t *testing.T) {
	c := openCountry(t)
	first := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("a"))
	second := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("a2"))
	transit := call("b")
	transit.Carried = []string{first.Identity[0] + "," + second.Identity[0], "not;an;identity"}
	published := c.upstream.Do(t.Context(), c.upstream.on(trunk.Publish), transit)
	if published.Result != dip.ResultPublished || len(published.Identity) != 0 {
		t.Fatalf("%+v", published)
	}
	retrieved := c.downstream.Do(t.Context(), c.downstream.on(trunk.Retrieve), call("c"))
	if want := []string{first.Identity[0], second.Identity[0]}; retrieved.Result != dip.ResultRetrieved || !reflect.DeepEqual(retrieved.Identity, want) {
		t.Fatalf("got %q\nwant %q", retrieved.Identity, want)
	}
}

// One PASSporT that the CPS refuses takes no good one with it.
func TestDips_ABadPassportHidesNoGoodOne(t *testing.T) {
	c := openCountry(t)
	good := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("a"))
	elsewhere := call("e")
	elsewhere.Parties.Dest = number("12155550139")
	bad := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), elsewhere)
	transit := call("b")
	transit.Carried = []string{bad.Identity[0], good.Identity[0]}
	if answer := c.upstream.Do(t.Context(), c.upstream.on(trunk.Publish), transit); answer.Result != dip.ResultPublished {
		t.Fatalf("%+v", answer)
	}
	retrieved := c.downstream.Do(t.Context(), c.downstream.on(trunk.Retrieve), call("c"))
	if !reflect.DeepEqual(retrieved.Identity, good.Identity) {
		t.Errorf("retrieved %q", retrieved.Identity)
	}
}

func TestDips_WhatCameSignedIsPublishedAsItIs(t *testing.T) {
	c := openCountry(t)
	before := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("a"))
	for _, test := range []struct {
		name    string
		carried string
		kept    bool
	}{
		{"good", before.Identity[0], true},
		{"tampered", strings.Replace(before.Identity[0], ".", ".A", 1), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			on, publisher := c.upstream.on(trunk.SignPublish), &counting{}
			on.Publisher = publisher
			again := call("a")
			again.Carried = []string{test.carried}
			answer := c.upstream.Do(t.Context(), on, again)
			if answer.Result != dip.ResultPublished || publisher.count() != 1 {
				t.Fatalf("%+v", answer)
			}
			header, err := identity.Parse(test.carried)
			if kept := err == nil && publisher.all[0].Passports[0] == header.Token; kept != test.kept || (len(answer.Identity) == 0) != test.kept {
				t.Errorf("published as it came: %t, and %d new header fields", kept, len(answer.Identity))
			}
		})
	}
}

// The switch is answered within the budget of the trunk whatever CPSs do, and with what could be done (sip.md §5).
func TestDips_FailureMatrix(t *testing.T) {
	c := openCountry(t)
	for _, test := range []struct {
		name string
		cps  interface {
			oob.Publisher
			oob.Retriever
		}
		cause dip.Cause
	}{
		{"silent", silent{}, dip.CauseTimeout},
		{"refused connection", failing{oob.Faultf(oob.PeerFailed, "")}, dip.CauseFailed},
		{"overloaded", failing{oob.Faultf(oob.Overloaded, "")}, dip.CauseFailed},
		{"401", failing{oob.Faultf(oob.Unproven, "")}, dip.CauseRefused},
		{"403", failing{oob.Faultf(oob.Refused, "")}, dip.CauseRefused},
		{"finds fault", failing{oob.Faultf(oob.Malformed, "")}, dip.CauseOther},
		{"no fault of ours", failing{errors.New("surprise")}, dip.CauseInternal},
		{"panics", nil, dip.CauseInternal},
	} {
		for _, mode := range []trunk.Mode{trunk.SignPublish, trunk.Publish, trunk.Retrieve} {
			t.Run(test.name+"/"+mode.String(), func(t *testing.T) {
				signed := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("s"))
				synctest.Test(t, func(t *testing.T) {
					service := c.newService(c.upstream.identity, stias.Policy{})
					on := c.upstream.on(mode)
					on.Budget, on.Publisher, on.Retriever, on.Verifies = 300*time.Millisecond, test.cps, test.cps, nil
					if test.cps == nil {
						on.Publisher, on.Retriever = (*counting)(nil), struct{ oob.Retriever }{}
					}
					asked := call("x")
					if mode == trunk.Publish {
						asked.Carried = signed.Identity
					}
					began := time.Now()
					answer := service.Do(t.Context(), on, asked)
					if took := time.Since(began); took > on.Budget {
						t.Errorf("took %s of %s", took, on.Budget)
					}
					if answer.Result != dip.ResultFailOpen || answer.FailOpen != test.cause || answer.Block {
						t.Errorf("%+v", answer)
					}
					if mode == trunk.SignPublish && test.cps != nil && len(answer.Identity) != 1 {
						t.Error("the signature is lost because it could not be published")
					}
					if n := service.Stats().FailOpen[dip.FailOpenCount{Trunk: mode.String(), Cause: test.cause}]; n != 1 {
						t.Errorf("counted %d times", n)
					}
				})
			})
		}
	}
}

func TestDips_VerificationFailsOpen(t *testing.T) {
	c := openCountry(t)
	on := c.downstream.on(trunk.Verify)
	nothing := c.downstream.Do(t.Context(), on, call("nothing"))
	if nothing.FailOpen != "" || nothing.Verdict == nil || nothing.Verdict.Verstat != oob.VerstatNoValidation {
		t.Errorf("nothing published: %+v", nothing)
	}
	if err := c.cps.Close(); err != nil {
		t.Fatal(err)
	}
	down := c.downstream.Do(t.Context(), on, call("down"))
	if down.FailOpen != dip.CauseFailed || down.Verdict == nil || down.Verdict.Verstat != oob.VerstatNoValidation || down.Block {
		t.Errorf("CPS down: %+v", down)
	}
}

// A CPS that is gone is asked again until the time is over, and told of as gone, not as silent.
func TestDips_ACPSThatIsGoneIsNotSilent(t *testing.T) {
	c := openCountry(t)
	if err := c.cps.Close(); err != nil {
		t.Fatal(err)
	}
	on := c.downstream.on(trunk.Verify)
	on.Budget = 2 * time.Second // less than its client would go on for
	if answer := c.downstream.Do(t.Context(), on, call("a")); answer.FailOpen != dip.CauseFailed {
		t.Errorf("%+v", answer)
	}
}

// A switch that routes on asks about the same call again (sip.md §1.3: re-publishing must be a no-op).
func TestDips_SecondDipPublishesNothing(t *testing.T) {
	c := openCountry(t)
	on, publisher := c.upstream.on(trunk.SignPublish), &counting{}
	on.Publisher = publisher
	first := c.upstream.Do(t.Context(), on, call("one"))
	second := c.upstream.Do(t.Context(), on, call("one"))
	if publisher.count() != 1 || !reflect.DeepEqual(first.Identity, second.Identity) {
		t.Errorf("published %d times", publisher.count())
	}
	c.upstream.Do(t.Context(), on, call("another"))
	c.upstream.Do(t.Context(), on, call("")) // by nothing known to be the same
	c.upstream.Do(t.Context(), on, call(""))
	if publisher.count() != 4 {
		t.Errorf("published %d times, want 4", publisher.count())
	}
	elsewhere := c.upstream.on(trunk.SignPublish)
	elsewhere.Row.Name, elsewhere.Publisher = "second route", publisher
	c.upstream.Do(t.Context(), elsewhere, call("one"))
	if publisher.count() != 5 {
		t.Error("what goes into another trunk was not published for it")
	}
}

func TestDips_SecondDipWaitsForTheFirst(t *testing.T) {
	c := openCountry(t)
	synctest.Test(t, func(t *testing.T) {
		service := c.newService(c.upstream.identity, stias.Policy{})
		on, publisher := c.upstream.on(trunk.SignPublish), &counting{gate: make(chan struct{})}
		on.Publisher, on.Verifies = publisher, nil
		answers := make(chan dip.Answer, 2)
		for range 2 {
			go func() { answers <- service.Do(t.Context(), on, call("one")) }()
		}
		synctest.Wait()
		close(publisher.gate)
		a, b := <-answers, <-answers
		if publisher.count() != 1 || !reflect.DeepEqual(a.Identity, b.Identity) || a.Result != dip.ResultPublished || b.Result != dip.ResultPublished {
			t.Errorf("published %d times: %+v %+v", publisher.count(), a, b)
		}
	})
}

func TestDips_WhatFailedIsTriedAgain(t *testing.T) {
	c := openCountry(t)
	on, publisher := c.upstream.on(trunk.SignPublish), &counting{fail: 1}
	on.Publisher = publisher
	if first := c.upstream.Do(t.Context(), on, call("one")); first.FailOpen != dip.CauseFailed {
		t.Fatalf("%+v", first)
	}
	if second := c.upstream.Do(t.Context(), on, call("one")); second.Result != dip.ResultPublished || publisher.count() != 2 {
		t.Errorf("%+v after %d publications", second, publisher.count())
	}
}

func TestDips_WhatIsRememberedIsBounded(t *testing.T) {
	c := openCountry(t)
	synctest.Test(t, func(t *testing.T) {
		service := c.newService(c.upstream.identity, stias.Policy{})
		on := c.upstream.on(trunk.Publish)
		on.Publisher = &counting{}
		signed := service.Do(t.Context(), c.upstream.on(trunk.Sign), call("s"))
		for i := range dip.PlacedMax + 10 {
			one := call(fmt.Sprint(i))
			one.Carried = signed.Identity
			service.Do(t.Context(), on, one)
		}
		if n := service.Stats().Placed; n > dip.PlacedMax {
			t.Errorf("%d calls are remembered", n)
		}
		time.Sleep(dip.PlacedFor) // of the bubble
		last := call("last")
		last.Carried = signed.Identity
		service.Do(t.Context(), on, last)
		if n := service.Stats().Placed; n != 1 {
			t.Errorf("%d calls are remembered after their time", n)
		}
	})
}

func TestDips_LeftAlone(t *testing.T) {
	c := openCountry(t)
	publisher := &counting{}
	for _, test := range []struct {
		name    string
		mode    trunk.Mode
		parties trunk.Parties
	}{
		{"off", trunk.Off, call("").Parties},
		{"emergency", trunk.SignPublish, trunk.Parties{Emergency: true}},
		{"emergency arrives", trunk.Verify, trunk.Parties{Emergency: true}},
		{"no caller", trunk.SignPublish, trunk.Parties{Dest: number(called), Unusable: trunk.NoCallingNumber}},
		{"no caller, retrieving", trunk.Retrieve, trunk.Parties{Dest: number(called), Unusable: trunk.NoCallingNumber}},
		{"nothing carried", trunk.Publish, call("").Parties},
	} {
		t.Run(test.name, func(t *testing.T) {
			on := c.upstream.on(test.mode)
			on.Publisher = publisher
			answer := c.upstream.Do(t.Context(), on, dip.Call{Parties: test.parties})
			if !reflect.DeepEqual(answer, dip.Answer{Result: dip.ResultNothing}) {
				t.Errorf("%+v", answer)
			}
		})
	}
	if publisher.count() != 0 {
		t.Error("something was published")
	}
	// Without a caller there is nothing to look for, and the switch is told so (sip.md §4).
	answer := c.downstream.Do(t.Context(), c.downstream.on(trunk.Verify), dip.Call{Parties: trunk.Parties{Dest: number(called), Unusable: trunk.NoCallingNumber}})
	if answer.Verdict == nil || answer.Verdict.Verstat != oob.VerstatNoValidation || answer.FailOpen != "" {
		t.Errorf("%+v", answer)
	}
	if n := c.downstream.Stats().Unusable[dip.UnusableCount{Trunk: "verify", Cause: string(trunk.NoCallingNumber)}]; n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// A PASSporT of less is worth more than none (sip.md §1.2: a request for a level, subject to policy).
func TestDips_AttestationIsAskedForAndPolicyDecides(t *testing.T) {
	c := openCountry(t)
	for _, test := range []struct {
		name string
		asks passport.Attestation
		row  trunk.Signing
		orig string
		want passport.Attestation
	}{
		{"own number", "", trunk.Signing{}, calling, "A"},
		{"less than policy gives", "C", trunk.Signing{}, calling, "C"},
		{"more than policy gives", "A", trunk.Signing{}, "12125550121", "C"},
		{"of the trunk's customer", "A", trunk.Signing{Customer: "acme"}, "12125550121", "B"},
		{"the trunk's most", "", trunk.Signing{Attest: "B"}, calling, "B"},
		{"the trunk's most, less asked", "C", trunk.Signing{Attest: "B"}, calling, "C"},
		{"the trunk's most, more asked", "A", trunk.Signing{Attest: "B"}, calling, "B"},
		{"from another network", "A", trunk.Signing{Gateway: true}, calling, "C"},
	} {
		t.Run(test.name, func(t *testing.T) {
			on := c.upstream.on(trunk.Sign)
			on.Signing = test.row
			asked := call("")
			asked.Attest, asked.Parties.Orig = test.asks, number(test.orig)
			if answer := c.upstream.Do(t.Context(), on, asked); answer.Signed.Attest != test.want {
				t.Errorf("%+v", answer)
			}
		})
	}
}

func TestDips_DateOfTheRequest(t *testing.T) {
	c := openCountry(t)
	on := c.upstream.on(trunk.Sign)
	late := call("")
	late.Date = time.Now().Add(-time.Hour)
	if answer := c.upstream.Do(t.Context(), on, late); answer.FailOpen != dip.CauseDate {
		t.Errorf("%+v", answer)
	}
	on.IgnoreDate = true
	if answer := c.upstream.Do(t.Context(), on, late); answer.Result != dip.ResultSigned || time.Since(answer.Signed.IAT) > time.Minute {
		t.Errorf("%+v", answer)
	}
}

// A call that we have sent on gets a div PASSporT beside what it came with (RFC 8946 §4.1), and both are published.
func TestRFC8946_S4_1_DiversionsAreSigned(t *testing.T) {
	c := openCountry(t)
	first := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("a"))
	diverted := call("a")
	diverted.Carried = first.Identity
	diverted.Parties = trunk.Parties{Orig: number(calling), Dest: number("12155550132"), Diverted: true, DivertedFrom: number(called)}
	if answer := c.upstream.Do(t.Context(), c.upstream.on(trunk.SignPublish), diverted); answer.Result != dip.ResultPublished || len(answer.Identity) != 1 {
		t.Fatalf("%+v", answer)
	}
	arrived := call("b")
	arrived.Parties.Dest = number("12155550132")
	answer := c.downstream.Do(t.Context(), c.downstream.on(trunk.Verify), arrived)
	if v := answer.Verdict; v == nil || v.Verstat != oob.VerstatPassed || len(v.Diversions) != 1 {
		t.Errorf("%+v", answer)
	}
}

// What is found under the number that was called first says nothing of this leg, unless the operator says that it does
// (sip.md §4, forwarding).
func TestDips_SecondLook(t *testing.T) {
	for _, test := range []struct {
		verifies bool
		want     oob.Verstat
	}{{false, oob.VerstatNoValidation}, {true, oob.VerstatPassed}} {
		t.Run(fmt.Sprint(test.verifies), func(t *testing.T) {
			c := openCountry(t)
			c.upstream.Do(t.Context(), c.upstream.on(trunk.SignPublish), call("a"))
			on := c.downstream.on(trunk.Verify)
			on.Numbering.Second, on.SecondVerifies = trunk.SecondOriginal, test.verifies
			arrived := call("b")
			arrived.Parties.Dest, arrived.Parties.Second = number("12155550132"), number(called)
			answer := c.downstream.Do(t.Context(), on, arrived)
			if v := answer.Verdict; v == nil || v.Verstat != test.want || v.Doubt == "" || (v.Attest != "") != test.verifies {
				t.Errorf("%+v", answer.Verdict)
			}
		})
	}
}

func TestDips_BlockedByPolicyAlone(t *testing.T) {
	c := openCountry(t)
	signed := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("a"))
	header, err := identity.Parse(signed.Identity[0])
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(header.Token)
	if last := len(flipped) - 10; flipped[last] == 'A' {
		flipped[last] = 'B'
	} else {
		flipped[last] = 'A'
	}
	header.Token = string(flipped)
	bad := call("b")
	bad.Carried = []string{header.String()}
	for _, block := range []bool{false, true} {
		on := c.downstream.on(trunk.Verify)
		on.Retriever, on.BlockFailed = nil, block
		answer := c.downstream.Do(t.Context(), on, bad)
		if answer.Verdict.Verstat != oob.VerstatFailed || answer.Block != block {
			t.Errorf("block %t: %+v", block, answer)
		}
		if other := c.downstream.Do(t.Context(), on, call("c")); other.Block {
			t.Error("a call without PASSporT is blocked")
		}
	}
}

func TestDips_ACallIsAbandoned(t *testing.T) {
	c := openCountry(t)
	synctest.Test(t, func(t *testing.T) {
		service := c.newService(c.upstream.identity, stias.Policy{})
		on := c.upstream.on(trunk.SignPublish)
		on.Publisher, on.Verifies = silent{}, nil
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if answer := service.Do(ctx, on, call("a")); answer.FailOpen != dip.CauseAbandoned {
			t.Errorf("%+v", answer)
		}
	})
}

// A priority is signed for those alone whom the policy lets assert it (RFC 8443 §4.1); the call is signed all the same.
func TestRFC8443_S4_1_PrioritiesAreSignedByPolicy(t *testing.T) {
	c := openCountry(t)
	service := c.newService(c.upstream.identity, stias.Policy{
		Own: []tn.Range{block("12155550100-12155550199")}, Priorities: []stias.PriorityRow{{Customers: []string{"acme"}, Values: []string{"ets.0"}}},
	})
	for _, test := range []struct {
		customer string
		values   []string
		want     int
	}{{"acme", []string{"ets.0"}, 2}, {"acme", []string{"ets.1"}, 1}, {"other", []string{"ets.0"}, 1}, {"acme", nil, 1}} {
		asked := call("")
		asked.Customer, asked.Priorities = test.customer, test.values
		if answer := service.Do(t.Context(), c.upstream.on(trunk.Sign), asked); len(answer.Identity) != test.want || answer.Result != dip.ResultSigned {
			t.Errorf("%s asserts %q: %+v", test.customer, test.values, answer)
		}
	}
}
