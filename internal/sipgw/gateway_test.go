package sipgw_test

import (
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/trust"
)

// Gateways between SIP and the telephone network (RFC 8816 §5.3, §5.4 and §8.3, RFC 9888 §7).

const dateLayout = "Mon, 02 Jan 2006 15:04:05 GMT"

// labelled is a row for requests to the host label.oob.example.
func labelled(mode trunk.Mode, label string, edit func(*trunk.Row)) trunk.Row {
	return row(mode, func(r *trunk.Row) {
		r.Name, r.Match.Label = label, label
		if edit != nil {
			edit(r)
		}
	})
}

// to is a request of a call of its own to such a host.
func to(label string, n int, edit ...string) string {
	return invite(append(append(again(n), "uri", "sip:+12155550131@"+label+".oob.example;user=phone"), edit...)...)
}

// sipDate is how a Date header field says a time.
func sipDate(at time.Time) string { return at.UTC().Format(dateLayout) }

// arrives verifies the call downstream, where a request came with this Identity and this Date.
func (b *bed) arrives(value, date string) oob.Verdict {
	b.Helper()
	at, err := time.Parse(dateLayout, date)
	b.must(err)
	return b.Service(nil).Verify(b.Context(), stivs.Call{Orig: calltest.Caller, Dest: calltest.Called, Identity: []string{value}, Time: at})
}

// TestRFC8816_S5_3_WhatIsRetrievedGoesOnInFullFormWithItsDate: the call came over a trunk that took its time, and the Date that
// goes on with it is that at which it was signed, so that whoever compares the two finds them alike.
func TestRFC8816_S5_3_WhatIsRetrievedGoesOnInFullFormWithItsDate(t *testing.T) {
	at, got := hop(t)
	b := open(t, labelled(trunk.SignPublish, "out", nil), labelled(trunk.Retrieve, "in", nil),
		labelled(trunk.Retrieve, "contact", func(r *trunk.Row) { r.Answer.Identity = trunk.InContact }),
		labelled(trunk.Retrieve, "undated", func(r *trunk.Row) { r.Answer.Date = trunk.DateNone }),
		labelled(trunk.Retrieve, "onward", func(r *trunk.Row) { r.NextHop = "sip:" + at.String() }),
		labelled(trunk.Retrieve, "onward-undated", func(r *trunk.Row) { r.NextHop, r.Answer.Date = "sip:"+at.String(), trunk.DateNone }))
	signed := b.Clock.Now()
	b.ask(to("out", 1)).status(302)
	b.Clock.Advance(7 * time.Second)
	now := sipDate(b.Clock.Now())

	a := b.ask(to("in", 2))
	a.status(302)
	a.has("Date", sipDate(signed))
	value := a.values("Identity")[0]
	header, err := identity.Parse(value)
	if err != nil || header.IsCompact() || header.Info == "" || header.Alg != "ES256" || header.PPT != "shaken" {
		t.Errorf("%+v, %v", header, err)
	}
	calltest.Passes(t, b.arrives(value, sipDate(signed)))

	b.ask(to("in", 3, "Date", now)).has("Date", sipDate(signed))
	b.ask(to("in", 4, "Date", sipDate(signed))).has("Date", "") // it has the right one
	b.ask(to("undated", 5)).has("Date", "")

	a = b.ask(to("contact", 6))
	a.has("Date", "")
	if embedded := a.embedded(); embedded.Get("Date") != sipDate(signed) || embedded.Get("Identity") != value {
		t.Errorf("embedded: %q", embedded)
	}

	for n, c := range []struct{ label, date, want string }{
		{"onward", "", sipDate(signed)},
		{"onward", now, sipDate(signed)},
		{"onward-undated", "", ""},
		{"onward-undated", now, now},
	} {
		b.ask(to(c.label, 10+n, "Date", c.date)).status(480)
		if request := <-got; lines(request, "Date") != c.want || lines(request, "Identity") != value {
			t.Errorf("%s: sent on with Date %q, want %q:\n%s", c.label, lines(request, "Date"), c.want, request)
		}
	}
}

// TestRFC8224_S6_2_TheDateIsThatOfTheNewestShaken is a table of what is retrieved together, by age.
func TestRFC8224_S6_2_TheDateIsThatOfTheNewestShaken(t *testing.T) {
	type token struct {
		ppt passport.Type
		age time.Duration
	}
	for name, c := range map[string]struct {
		tokens []token
		want   time.Duration
	}{
		"the newest":                {[]token{{passport.Shaken, 9 * time.Second}, {passport.Shaken, 4 * time.Second}, {passport.Shaken, 6 * time.Second}}, 4 * time.Second},
		"shaken before newer ones":  {[]token{{passport.Base, time.Second}, {passport.Shaken, 4 * time.Second}, {passport.Base, 2 * time.Second}}, 4 * time.Second},
		"without shaken the newest": {[]token{{passport.Base, 3 * time.Second}, {passport.Base, time.Second}}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, labelled(trunk.Publish, "out", nil), labelled(trunk.Retrieve, "in", nil))
			var edit []string
			for i, one := range c.tokens {
				claims := passport.Claims{IAT: b.Clock.Now().Add(-one.age)}
				field := "Identity+"
				if i == 0 {
					field = "Identity"
				}
				edit = append(edit, field, calltest.Field(b.Sign(b.Signer, one.ppt, claims)))
			}
			b.ask(to("out", 1, edit...)).status(404)
			a := b.ask(to("in", 2))
			a.status(302)
			if got := len(a.values("Identity")); got != len(c.tokens) {
				t.Errorf("%d PASSporTs", got)
			}
			a.has("Date", sipDate(b.Clock.Now().Add(-c.want)))
		})
	}
}

// TestRFC8816_S5_4_StoresOnlyWhatIsNotHeld: a gateway into the telephone network looks first, and a look that fails keeps nothing
// from being published.
func TestRFC8816_S5_4_StoresOnlyWhatIsNotHeld(t *testing.T) {
	b := open(t, labelled(trunk.SignPublish, "plain", nil),
		labelled(trunk.SignPublish, "out", func(r *trunk.Row) { r.UnlessHeld = true }),
		labelled(trunk.Publish, "transit", func(r *trunk.Row) { r.UnlessHeld = true }))
	records := func(want int64) {
		t.Helper()
		if got := b.cps.Store.Stats().Records; got != want {
			t.Errorf("%d records, want %d", got, want)
		}
	}
	b.ask(to("out", 1)).status(302)
	records(1)
	b.ask(to("out", 2)).status(302) // signed all the same: whoever gets the call in SIP has it
	b.ask(to("transit", 3, "Identity", b.fresh(3))).status(404)
	records(1)
	b.ask(to("plain", 4)).status(302)
	records(2)
	if held := b.dips.Stats().Held; held["out"] != 1 || held["transit"] != 1 {
		t.Errorf("%v", held)
	}
	another := []string{"From", "<sip:+12155550122@192.0.2.10;user=phone>;tag=f1"}
	b.ask(to("out", 5, another...)).status(302) // what is there is another caller's
	records(3)
	b.Clock.Advance(2 * time.Minute) // all of it has expired
	b.ask(to("out", 6)).status(302)
	if held := b.dips.Stats().Held; held["out"] != 1 {
		t.Errorf("what has expired is held: %v", held)
	}

	b.must(b.cps.Close())
	b.ask(to("out", 7)).status(302)
	if asked := b.dips.Stats().FailOpen; len(asked) != 1 {
		t.Errorf("it was not tried to publish: %v", asked)
	}
}

// TestRFC9888_S7_GatewaySignsOnBehalfWithADelegateCertificate: a provider that has no service of its own has delegated numbers to
// the gateway, which signs for these and for no others, and publishes what it signs.
func TestRFC9888_S7_GatewaySignsOnBehalfWithADelegateCertificate(t *testing.T) {
	rows := []trunk.Row{
		labelled(trunk.Sign, "own", nil),
		labelled(trunk.SignPublish, behalf, nil),
		labelled(trunk.Verify, "end", func(r *trunk.Row) { r.CPS, r.Profile = []string{"laboratory"}, oob.Mesh }),
	}
	b := open(t, rows...)
	id := b.Issue(oobtest.IssueConfig{SPC: "legacy", TNAuthList: calltest.Numbers(calltest.Caller.String())})
	certs, err := stircert.ParseChainPEM(id.ChainPEM)
	b.must(err)
	b.delegate, err = stias.New(stias.Config{
		Credential: stias.Credential{Key: id.Key, X5U: id.X5U, Chain: trust.NewChain(certs)}, Now: b.Clock.Now, Judge: b.Verifier.Judge,
	})
	b.must(err)
	b.setRows(rows...)

	ppt := func(a answer, want passport.Type, by *oobtest.Identity) string {
		t.Helper()
		values := a.values("Identity")
		if len(values) != 1 {
			t.Fatalf("%d Identity\n%s", len(values), a.text)
		}
		header, err := identity.Parse(values[0])
		b.must(err)
		token, err := passport.Parse(header.Token)
		b.must(err)
		if token.Header.PPT != want || token.Verify(&by.Key.PublicKey) != nil || header.Info != by.X5U {
			t.Errorf("%q, from %s", token.Header.PPT, header.Info)
		}
		return values[0]
	}
	ppt(b.ask(to("own", 1)), passport.Shaken, b.Signer)
	ppt(b.ask(to(behalf, 2)), passport.Base, id)

	end := b.ask(to("end", 3)) // over the trunk
	end.status(302)
	end.has("P-Asserted-Identity", `"A. Caller" <sip:+12155550121;`+passed+`@192.0.2.10;user=phone>`)
	end.has("Attestation-Info", "")

	// A number that was not delegated stays unsigned, and nothing is published for it.
	neighbour := []string{"From", "<sip:+12155550122@192.0.2.10;user=phone>;tag=f1"}
	before := b.cps.Store.Stats().Records
	b.ask(to(behalf, 4, neighbour...)).status(404)
	if got := b.cps.Store.Stats().Records; got != before {
		t.Errorf("%d records, want %d", got, before)
	}
	a := b.ask(to("end", 5, neighbour...))
	a.has("P-Asserted-Identity", `<sip:+12155550122;`+none+`@192.0.2.10;user=phone>`)
}
