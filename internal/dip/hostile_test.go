package dip_test

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// token holds a key that signs so many times, and then does not answer before the test is over; or breaks.
type token struct {
	crypto.Signer
	good   atomic.Int64
	over   chan struct{}
	breaks bool
}

func (k *token) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if k.good.Add(-1) < 0 {
		if k.breaks {
			panic("a fault of the token")
		}
		<-k.over
	}
	return k.Signer.Sign(r, digest, o)
}

// withToken is the upstream provider with its key in a token.
func (c *country) withToken(t *testing.T, good int64) (*dip.Service, *token) {
	t.Helper()
	k := &token{Signer: c.upstream.identity.Key, over: make(chan struct{})}
	k.good.Store(good)
	t.Cleanup(func() { close(k.over) })
	signer, err := stias.New(stias.Config{
		SPC: c.upstream.identity.SPC, Credential: stias.Credential{Key: k, X5U: c.upstream.identity.X5U},
		Policy: stias.Policy{
			Own: []tn.Range{block("12155550100-12155550199")}, Priorities: []stias.PriorityRow{{Customers: []string{"acme"}, Values: []string{"ets.0"}}},
		},
	})
	c.must(err)
	s, err := dip.New(dip.Config{SPC: c.upstream.identity.SPC, Signer: signer})
	c.must(err)
	return s, k
}

// diverted is a call that was meant for somebody else, with what it came with.
func diverted(carried ...string) dip.Call {
	one := call("diverted")
	one.Carried = carried
	one.Parties.Dest, one.Parties.Diverted, one.Parties.DivertedFrom = number("12155550132"), true, number(called)
	return one
}

// Whatever is signed with a key in a token, the call waits no longer than its trunk allows, and keeps what it has.
func TestDips_AKeyInATokenKeepsNoCallWaiting(t *testing.T) {
	c := openCountry(t)
	first := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("a"))
	urgent := call("urgent")
	urgent.Customer, urgent.Priorities = "acme", []string{"ets.0"}
	for _, test := range []struct {
		name   string
		call   dip.Call
		good   int64 // signatures before it hangs
		breaks bool
		want   dip.Cause
		values int
	}{
		{"plain", call("plain"), 0, false, dip.CauseBudget, 0},
		{"diverted", diverted(first.Identity...), 0, false, dip.CauseBudget, 0},
		{"with a priority", urgent, 1, false, "", 1},
		{"plain, breaks", call("plain"), 0, true, dip.CauseCredential, 0},
		{"diverted, breaks", diverted(first.Identity...), 0, true, dip.CauseCredential, 0},
		{"with a priority, breaks", urgent, 1, true, "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			service, key := c.withToken(t, test.good)
			key.breaks = test.breaks
			on := c.upstream.on(trunk.Sign)
			on.SlowKey = true
			if !test.breaks {
				on.Budget = time.Second
			}
			answered := make(chan dip.Answer)
			go func() { answered <- service.Do(t.Context(), on, test.call) }()
			select {
			case answer := <-answered:
				if answer.FailOpen != test.want || len(answer.Identity) != test.values {
					t.Errorf("%+v", answer)
				}
			case <-time.After(time.Minute): // many times the budget: this machine may be slow
				t.Fatal("the call waits for the token")
			}
		})
	}
	t.Run("the switch gives up", func(t *testing.T) {
		service, key := c.withToken(t, 0)
		on := c.upstream.on(trunk.Sign)
		on.SlowKey = true
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if answer := service.Do(ctx, on, call("a")); answer.FailOpen != dip.CauseAbandoned || key.good.Load() != 0 {
			t.Errorf("%+v", answer)
		}
	})
}

// steps are those that a dip writes into the trace of its call.
func steps(t *testing.T, dip func(*trace.Call)) (all []trace.Step) {
	t.Helper()
	recorder, err := trace.Open(trace.Config{})
	if err != nil {
		t.Fatal(err)
	}
	one := recorder.Begin("test", netip.AddrPort{}, netip.AddrPort{}, "")
	dip(one)
	one.Note(func(r *trace.Record) { all = slices.Clone(r.Steps) })
	one.Finish(0, "")
	if err := recorder.Close(context.Background()); err != nil {
		t.Error(err)
	}
	return all
}

// A certificate host that says nothing costs what came with the call its belief, and nothing else: our own signature is
// published. Who can write an Identity header field chooses that host.
func TestDips_ACertificateHostThatHangsCostsNoSignature(t *testing.T) {
	c := openCountry(t)
	host, err := net.Listen("tcp", "127.0.0.1:0")
	c.must(err)
	defer host.Close()
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	c.must(err)
	repository, err := pki.StartRepository()
	c.must(err)
	defer repository.Close()
	config := trust.Config{}
	config.Repository.Laboratory.Hosts = []string{host.Addr().String()}
	verifier, err := pki.Verifier(repository, config, nil)
	c.must(err)
	defer verifier.Close()
	anybody, err := stias.New(stias.Config{SPC: c.upstream.identity.SPC, Credential: stias.Credential{
		Key: c.upstream.identity.Key, X5U: fmt.Sprintf("https://%s/x.pem", host.Addr()),
	}})
	c.must(err)
	for _, test := range []struct {
		name string
		call dip.Call
	}{{"believed", call("a")}, {"diverted", diverted()}} {
		t.Run(test.name, func(t *testing.T) {
			on, publisher := c.upstream.on(trunk.SignPublish), &counting{}
			on.Publisher, on.Budget = publisher, 2*time.Second
			on.Verifies, err = stivs.New(stivs.Config{Verifier: verifier, Budget: trunk.BudgetMax})
			c.must(err)
			signed, err := anybody.Sign(stias.Call{Orig: number(calling), Dest: []tn.Identity{number(called)}})
			c.must(err)
			one := test.call
			one.Carried = []string{signed.Identity.String()}
			told := steps(t, func(call *trace.Call) {
				one.Trace = call
				if a := c.upstream.Do(t.Context(), on, one); a.Result != dip.ResultPublished || publisher.count() != 1 || len(a.Identity) != 1 {
					t.Errorf("result %s, fail-open %q", a.Result, a.FailOpen)
				}
			})
			want := "No-TN-Validation, for want of something else: " + string(dip.CauseFetch)
			if !slices.ContainsFunc(told, func(s trace.Step) bool { return s.Name == "carried" && s.Detail == want }) {
				t.Errorf("told %+v", told)
			}
		})
	}
}

// A hint takes nothing from the call that the PASSporT was made for (RFC 8224 §12.1: it verifies one call).
func TestDips_AHintUsesNothingUp(t *testing.T) {
	c := openCountry(t)
	c.upstream.Do(t.Context(), c.upstream.on(trunk.SignPublish), call("a"))
	on := c.downstream.on(trunk.Verify)
	on.Numbering.Second = trunk.SecondOriginal
	hinted := func(id string) {
		t.Helper()
		spoofed := call(id)
		spoofed.Parties.Dest, spoofed.Parties.Second = number("12155550199"), number(called)
		v := c.downstream.Do(t.Context(), on, spoofed).Verdict
		if v.Verstat != oob.VerstatNoValidation || v.Doubt == "" || v.Attest+v.OrigID+v.SignerSPC != "" || v.Priority != nil || v.Rich != nil {
			t.Errorf("a hint says %+v", v)
		}
	}
	hinted("before")
	for range 2 {
		if v := c.downstream.Do(t.Context(), on, call("real")).Verdict; v.Verstat != oob.VerstatPassed {
			t.Errorf("the real call: %s, case %s", v.Verstat, v.Case)
		}
		hinted("after")
	}
}

// What came with a call is believed on its next leg, which has a name of its own, although it was verified on this one.
func TestDips_WhatWasVerifiedIsBelievedOnTheNextLeg(t *testing.T) {
	c := openCountry(t)
	before := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("far"))
	in, out := call("one leg"), call("the next")
	in.Carried, out.Carried = before.Identity, before.Identity
	if v := c.upstream.Do(t.Context(), c.upstream.on(trunk.Verify), in).Verdict; v.Verstat != oob.VerstatPassed {
		t.Fatalf("%+v", v)
	}
	if answer := c.upstream.Do(t.Context(), c.upstream.on(trunk.SignPublish), out); answer.Result != dip.ResultPublished || len(answer.Identity) != 0 {
		t.Errorf("%+v", answer)
	}
	if v := c.upstream.Do(t.Context(), c.upstream.on(trunk.Verify), in).Verdict; v.Verstat != oob.VerstatPassed {
		t.Errorf("verified again: %+v", v)
	}
}

// Nobody has diverted a call without a PASSporT that verifies for who is said to have done so (RFC 8946 §4.1): Diversion is
// what whoever writes it likes.
func TestRFC8946_S4_1_DiversionIsHearsay(t *testing.T) {
	c := openCountry(t)
	sign := func(orig string) string {
		one := call("before")
		one.Parties.Orig = number(orig)
		return c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), one).Identity[0]
	}
	good, others := sign(calling), sign("12155550122")
	for _, test := range []struct {
		name    string
		carried []string
		change  func(*dip.Trunk, *dip.Call)
		divs    int
		refused string // a step of the trace
	}{
		{"good", []string{good}, nil, 1, ""},
		{"verified on another leg", []string{good}, func(on *dip.Trunk, one *dip.Call) {
			arrived := call("arrived")
			arrived.Carried = []string{good}
			c.upstream.Do(t.Context(), c.upstream.on(trunk.Verify), arrived)
		}, 1, ""},
		{"beside one of another caller", []string{others, good}, nil, 1, ""},
		{"of another caller", []string{others}, nil, 0, "no PASSporT that came with the call verifies for who has diverted it"},
		{"tampered", []string{good[:40] + "A" + good[41:]}, nil, 0, "no PASSporT that came with the call verifies for who has diverted it"},
		{"diverted by another", []string{good}, func(_ *dip.Trunk, one *dip.Call) { one.Parties.DivertedFrom = number("12155550139") },
			0, "no PASSporT that came with the call verifies for who has diverted it"},
		{"from another network", []string{good}, func(on *dip.Trunk, _ *dip.Call) { on.Signing.Gateway = true },
			0, "the call comes from another network: not we have sent it on"},
		{"where nothing is verified", []string{good}, func(on *dip.Trunk, _ *dip.Call) { on.Verifies = nil },
			0, "the PASSporTs that came with the call cannot be verified here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			on, one := c.upstream.on(trunk.Sign), diverted(test.carried...)
			if test.change != nil {
				test.change(on, &one)
			}
			var divs, shaken int
			told := steps(t, func(call *trace.Call) {
				one.Trace = call
				for _, value := range c.upstream.Do(t.Context(), on, one).Identity {
					header, err := identity.Parse(value)
					c.must(err)
					token, err := passport.Parse(header.Token)
					c.must(err)
					switch token.Header.PPT {
					case passport.Div:
						divs++
						if token.Claims.Orig != number(calling) || token.Claims.Div != number(called) {
							t.Errorf("%+v", token.Claims)
						}
					case passport.Shaken:
						shaken++
					}
				}
			})
			if divs != test.divs || shaken != 1-test.divs {
				t.Errorf("%d div, %d shaken", divs, shaken)
			}
			why := ""
			for _, step := range told {
				if step.Name == "diversion not signed" {
					why = step.Detail
				}
			}
			if why != test.refused {
				t.Errorf("refused because %q, want %q", why, test.refused)
			}
		})
	}
}

// A call that is asked about again is published again before its record is gone from the CPS.
func TestDips_NothingIsRememberedLongerThanItsRecord(t *testing.T) {
	c := openCountry(t)
	for _, p := range []oob.Profile{oob.Agreed, oob.Mesh} {
		if kept := p.Row().Retention; dip.PlacedFor >= kept {
			t.Errorf("%s: kept for %v, remembered for %v", p, kept, dip.PlacedFor)
		}
	}
	now := time.Now()
	signer, err := stias.New(stias.Config{
		SPC: c.upstream.identity.SPC, Credential: stias.Credential{Key: c.upstream.identity.Key, X5U: c.upstream.identity.X5U},
	})
	c.must(err)
	s, err := dip.New(dip.Config{SPC: c.upstream.identity.SPC, Signer: signer, Now: func() time.Time { return now }})
	c.must(err)
	on, publisher := c.upstream.on(trunk.SignPublish), &counting{}
	on.Publisher = publisher
	for i, want := range []int{1, 1, 2, 2} {
		s.Do(t.Context(), on, call("a"))
		if publisher.count() != want {
			t.Errorf("dip %d: published %d time(s), want %d", i+1, publisher.count(), want)
		}
		now = now.Add(dip.PlacedFor - time.Second)
	}
}

// A second dip gets the answer of the first only where it asks for the same.
func TestDips_WhatIsAskedForElsewiseIsMadeAnew(t *testing.T) {
	c := openCountry(t)
	const origID = "123e4567-e89b-12d3-a456-426655440000"
	for _, test := range []struct {
		name   string
		change func(*dip.Trunk, *dip.Call)
		want   int
	}{
		{"the same", func(*dip.Trunk, *dip.Call) {}, 1},
		{"of another customer", func(_ *dip.Trunk, one *dip.Call) { one.Customer = "acme" }, 2},
		{"another level", func(_ *dip.Trunk, one *dip.Call) { one.Attest = "C" }, 2},
		{"another origid", func(_ *dip.Trunk, one *dip.Call) { one.OrigID = origID }, 2},
		{"another priority", func(_ *dip.Trunk, one *dip.Call) { one.Priorities = []string{"ets.0"} }, 2},
		{"diverted by somebody", func(_ *dip.Trunk, one *dip.Call) {
			one.Parties.Diverted, one.Parties.DivertedFrom = true, number("12155550139")
		}, 2},
		{"on a row of another customer", func(on *dip.Trunk, _ *dip.Call) { on.Signing.Customer = "acme" }, 2},
		{"on a row from another network", func(on *dip.Trunk, _ *dip.Call) { on.Signing.Gateway = true }, 2},
		{"on a row of another level", func(on *dip.Trunk, _ *dip.Call) { on.Signing.Attest = "C" }, 2},
		{"to be published as it is", func(on *dip.Trunk, _ *dip.Call) { on.Row.Mode = trunk.Publish }, 2},
		{"after a reload", func(on *dip.Trunk, _ *dip.Call) {
			table, err := trunk.New(nil)
			c.must(err)
			c.upstream.SetTrunks(dip.NewTrunks(table, func(*trunk.Row) dip.Trunk { return dip.Trunk{} }))
		}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			publisher, one := &counting{}, call(test.name)
			one.Carried = c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("")).Identity
			on := c.upstream.on(trunk.SignPublish)
			on.Publisher = publisher
			c.upstream.Do(t.Context(), on, one)
			test.change(on, &one)
			c.upstream.Do(t.Context(), on, one)
			if publisher.count() != test.want {
				t.Errorf("published %d time(s), want %d", publisher.count(), test.want)
			}
		})
	}
}

// Whoever places a call can mark it as one of emergency services (RFC 7090, RFC 7135): it is signed and published by nobody,
// but gets around no verification.
func TestDips_AMarkedCallIsVerifiedAsAnyOther(t *testing.T) {
	c := openCountry(t)
	signed := c.upstream.Do(t.Context(), c.upstream.on(trunk.SignPublish), call("a"))
	marked := func(id string) dip.Call {
		one := call(id)
		one.Parties.Marked = true
		return one
	}
	for _, mode := range []trunk.Mode{trunk.Sign, trunk.SignPublish, trunk.Publish} {
		on, publisher, one := c.upstream.on(mode), &counting{}, marked("leaves")
		on.Publisher, one.Carried = publisher, signed.Identity
		if answer := c.upstream.Do(t.Context(), on, one); !reflect.DeepEqual(answer, dip.Answer{Result: dip.ResultNothing}) || publisher.count() != 0 {
			t.Errorf("%s: %+v", mode, answer)
		}
	}
	if answer := c.downstream.Do(t.Context(), c.downstream.on(trunk.Retrieve), marked("goes on")); !reflect.DeepEqual(answer.Identity, signed.Identity) {
		t.Errorf("%+v", answer)
	}
	if v := c.downstream.Do(t.Context(), c.downstream.on(trunk.Verify), marked("arrives")).Verdict; v == nil || v.Verstat != oob.VerstatPassed {
		t.Errorf("%+v", v)
	}
	elsewhere, on, bad := call("elsewhere"), c.downstream.on(trunk.Verify), marked("spoofed")
	elsewhere.Parties.Dest = number("12155550139")
	token := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), elsewhere).Signed
	token.Identity.Token = token.Passport[:len(token.Passport)-4] + "AAAA"
	on.BlockFailed, bad.Parties.Dest, bad.Carried = true, elsewhere.Parties.Dest, []string{token.Identity.String()}
	if answer := c.downstream.Do(t.Context(), on, bad); !answer.Block {
		t.Errorf("a mark gets around the policy: %s, case %s", answer.Verdict.Verstat, answer.Verdict.Case)
	}
}

// picky finds fault with several PASSporTs at once, and breaks on one of them.
type picky struct{ breaksOn string }

func (p picky) Publish(_ context.Context, publication oob.Publication) error {
	switch {
	case len(publication.Passports) > 1:
		return oob.Faultf(oob.PassportInvalid, "one of them")
	case publication.Passports[0] == p.breaksOn:
		panic("a fault of the client")
	}
	return nil
}

// A fault in publishing one PASSporT ends neither the program nor the publishing of the others.
func TestDips_AClientThatBreaksTakesNoOtherPassport(t *testing.T) {
	c := openCountry(t)
	first := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("a"))
	second := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("b"))
	on, one := c.upstream.on(trunk.Publish), call("c")
	on.Publisher, one.Carried = picky{first.Signed.Passport}, []string{first.Identity[0], second.Identity[0]}
	if answer := c.upstream.Do(t.Context(), on, one); answer.Result != dip.ResultPublished {
		t.Errorf("%+v", answer)
	}
}
