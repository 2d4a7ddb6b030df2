package cps_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// The providers that run the other CPSs, and what theirs are called.
const (
	relayingSPC = "900C"
	foreignSPC  = "901C"
	elsewhere   = "cps.elsewhere.example"
)

// accepting is a CPS that takes relays of one provider.
func accepting(change func(*cps.RelayConfig)) oobtest.CPSConfig {
	c := oobtest.CPSConfig{}
	c.Service.Relay = cps.RelayConfig{Own: "902C", Accepts: func(spc string) bool { return spc == relayingSPC }}
	if change != nil {
		change(&c.Service.Relay)
	}
	return c
}

// relay is one act of relaying: what a provider has published elsewhere, and another CPS passes on.
type relay struct {
	*oobtest.Attempt
	original *oobtest.Attempt
	token    *string // in place of the token of original
	list     []string
}

// relays makes a good relay, by a CPS whose provider has this SPC.
func (p *pair) relays(by *oobtest.Identity, passports ...string) *relay {
	original := p.Publish(oob.Mesh, passports...)
	original.Access.Audience = []string{elsewhere}
	a := p.Publish(oob.Mesh, passports...)
	a.Signer = by
	a.Access.Action, a.Access.Issuer, a.Access.Subject = oob.ActionRepublish, by.SPC, by.SPC
	return &relay{Attempt: a, original: original, list: passports}
}

// made is the request as it is sent.
func (r *relay) made(p *pair) *oobtest.Attempt {
	p.Helper()
	token, err := r.original.Token()
	if err != nil {
		p.Fatal(err)
	}
	if r.token != nil {
		token = *r.token
	}
	if r.Body = atis.WriteRelay(r.list, token); token == "" {
		r.Body = atis.WritePublish(r.list)
	}
	return r.Attempt
}

func (p *pair) relaying(spc string) *oobtest.Identity { return p.issue(oobtest.IssueConfig{SPC: spc}) }

func TestATIS1000096_S7_RelayIsStoredAsItsPublishers(t *testing.T) {
	var laid []store.Event
	c := accepting(nil)
	c.Service.Relay.Sends = true
	c.Store.Laid = func(ev store.Event) { laid = append(laid, ev) }
	p := startPair(t, c)
	by := p.relaying(relayingSPC)
	token := p.Passport("x")
	r := p.relays(by, token)
	p.created(r.made(p))
	p.holds(oob.Mesh, token)
	if len(laid) != 1 || laid[0].Publication.Publisher != oobtest.UpstreamSPC {
		t.Fatalf("laid %+v", laid)
	}
	if laid[0].Publication.Token != "" {
		t.Error("a relay would be relayed")
	}
	t.Run("once, by whomever and however often", func(t *testing.T) {
		p.created(r.made(p)) // the same request
		again := *r
		again.Attempt = p.relays(by, token).Attempt // with another token of who relays
		p.created(again.made(p))
		p.holds(oob.Mesh, token)
		if got := p.CPS.Store.Stats(); got.Records != 1 || len(laid) != 1 {
			t.Errorf("%d records, laid %d times", got.Records, len(laid))
		}
	})
	t.Run("a publish goes with its token", func(t *testing.T) {
		a := p.Publish(oob.Mesh, p.Passport("y"))
		p.created(a)
		want, _ := a.Token()
		if got := laid[len(laid)-1].Publication.Token; got != want {
			t.Errorf("laid with %q, want %q", got, want)
		}
	})
}

func TestATIS1000096_S7_SamePublicationByTwoPathsIsOne(t *testing.T) {
	p := startPair(t, accepting(nil))
	token := p.Passport("x")
	r := p.relays(p.relaying(relayingSPC), token)
	r.original.Access.Audience = []string{oobtest.CPSAudience}
	p.created(r.made(p))
	p.created(r.original)
	if got := p.CPS.Store.Stats(); got.Records != 1 {
		t.Errorf("%d records", got.Records)
	}
}

// TestATIS1000096_S7_RelayIsRefused: everything that can be wrong with one, each alone.
func TestATIS1000096_S7_RelayIsRefused(t *testing.T) {
	stale := func(d time.Duration) func(*pair, *relay) {
		return func(p *pair, r *relay) { r.original.Access.IssuedAt = p.Clock.Now().Add(-d) }
	}
	text := func(s string) func(*pair, *relay) { return func(_ *pair, r *relay) { r.token = &s } }
	for _, c := range []struct {
		name  string
		spoil func(p *pair, r *relay)
		kind  oob.Kind
	}{
		{"a CPS that may not relay", func(p *pair, r *relay) {
			r.Attempt = p.relays(p.relaying(foreignSPC), r.list...).Attempt
		}, oob.Refused},
		{"a CPS in the name of another", func(p *pair, r *relay) { r.Signer = p.relaying(foreignSPC) }, oob.OutOfScope},
		{"our own relay", func(p *pair, r *relay) {
			r.Attempt = p.relays(p.relaying("902C"), r.list...).Attempt
		}, oob.Refused},
		{"a token for another CPS", func(_ *pair, r *relay) { r.Access.Audience = []string{elsewhere} }, oob.Unproven},
		{"a stale token", func(p *pair, r *relay) { r.Access.IssuedAt = p.Clock.Now().Add(-61 * second) }, oob.TokenStale},
		{"a token of another list", func(p *pair, r *relay) { r.Access.Digest = atis.Digest([]string{p.Passport("z")}) }, oob.DigestMismatch},
		{"a token without list", func(_ *pair, r *relay) { r.Access.Digest = "" }, oob.DigestMismatch},
		{"a token for another call", func(p *pair, r *relay) { r.Access.Dest = p.number("12155550199") }, oob.IdentityMismatch},
		{"a token of the agreed form", func(_ *pair, r *relay) { r.Access.SPC, r.Access.Subject = r.Access.Issuer, "" }, oob.OutOfScope},

		{"no publisher", text(""), oob.Malformed},
		{"a publisher's token that is none", text("x"), oob.Unproven},
		{"a publisher's token of another list", func(p *pair, r *relay) { r.original.Access.Digest = atis.Digest([]string{p.Passport("z")}) }, oob.DigestMismatch},
		{"a publisher's token for another call", func(p *pair, r *relay) { r.original.Access.Orig = p.number("12155550199") }, oob.IdentityMismatch},
		{"a publisher's token of the agreed form", func(_ *pair, r *relay) {
			r.original.Access.SPC, r.original.Access.Subject = r.original.Access.Issuer, ""
		}, oob.OutOfScope},
		{"a publisher's token for a retrieval", func(_ *pair, r *relay) { r.original.Access.Action = oob.ActionRetrieve }, oob.Unproven},
		{"a relay of a relay", func(_ *pair, r *relay) { r.original.Access.Action = oob.ActionRepublish }, oob.Unproven},
		{"its own token for that of a publisher", func(p *pair, r *relay) {
			own, err := r.Token()
			if err != nil {
				p.Fatal(err)
			}
			r.token = &own
		}, oob.Unproven},
		{"a publisher's token that is stale", stale(61 * second), oob.TokenStale},
		{"a publisher's token from tomorrow", stale(-24 * time.Hour), oob.TokenStale},
		{"a publisher's token without iss", func(_ *pair, r *relay) { r.original.Access.Issuer = "" }, oob.Unproven},
		{"a publisher's token without jti", func(_ *pair, r *relay) { r.original.Access.ID = "" }, oob.Unproven},
		{"a publisher's token that has expired", func(p *pair, r *relay) { r.original.Access.Deadline = p.Clock.Now().Add(-6 * second) }, oob.TokenStale},
		{"a publisher in the name of another", func(p *pair, r *relay) { r.original.Signer = p.relaying(foreignSPC) }, oob.OutOfScope},
		{"a publisher whom nobody has certified", func(p *pair, r *relay) {
			r.original.Signer = &oobtest.Identity{SPC: oobtest.UpstreamSPC, Key: p.relaying(foreignSPC).Key, X5U: p.Upstream.X5U}
		}, oob.Unproven},
		{"a publisher whose certificate cannot be fetched", func(p *pair, r *relay) {
			x5u := strings.Replace(p.Upstream.X5U, ".pem", "-not.pem", 1)
			r.original.Signer = &oobtest.Identity{SPC: oobtest.UpstreamSPC, Key: p.Upstream.Key, X5U: x5u}
		}, oob.CredentialUnreachable},
		{"a PASSporT that does not verify", func(p *pair, r *relay) {
			r.list = []string{p.signed("shaken", nil) + "A"}
			r.Access.Digest, r.original.Access.Digest = atis.Digest(r.list), atis.Digest(r.list)
		}, oob.PassportInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startPair(t, accepting(nil))
			r := p.relays(p.relaying(relayingSPC), p.Passport("x"))
			c.spoil(p, r)
			p.refused(r.made(p), c.kind)
			p.holds(oob.Mesh)
		})
	}
}

// TestRelaysAreTakenFromNobodyByDefault, and from nobody who is denied.
func TestRelaysAreTakenFromNobodyByDefault(t *testing.T) {
	denying := accepting(nil)
	denying.Service.Deny = []string{relayingSPC}
	publisherDenied := accepting(nil)
	publisherDenied.Service.Deny = []string{oobtest.UpstreamSPC}
	for name, c := range map[string]oobtest.CPSConfig{"default": {}, "denied": denying, "publisher denied": publisherDenied} {
		t.Run(name, func(t *testing.T) {
			p := startPair(t, c)
			p.refused(p.relays(p.relaying(relayingSPC), p.Passport("x")).made(p), oob.Refused)
		})
	}
	t.Run("allow is for others", func(t *testing.T) {
		c := accepting(nil)
		c.Service.Allow = []string{"0000"}
		p := startPair(t, c)
		p.created(p.relays(p.relaying(relayingSPC), p.Passport("x")).made(p))
	})
}

// TestATIS1000096_S7_RelaysTokenIsUsedOnce: for what it says, and with the token of the publisher that it came with.
func TestATIS1000096_S7_RelaysTokenIsUsedOnce(t *testing.T) {
	p := startPair(t, accepting(nil))
	by := p.relaying(relayingSPC)
	first := p.relays(by, p.Passport("x"))
	p.created(first.made(p))
	other := p.relays(by, p.Passport("y"))
	other.Access.ID = first.Access.ID
	p.refused(other.made(p), oob.Replayed)
	elses := p.relays(by, first.list...) // the same list, published once more
	elses.Attempt = first.Attempt
	p.refused(elses.made(p), oob.Replayed)
	p.created(first.made(p))
}

// TestATIS1000096_S7_PublishersTokenIsUsedOnce: nobody who relays can make another record of it.
func TestATIS1000096_S7_PublishersTokenIsUsedOnce(t *testing.T) {
	p := startPair(t, accepting(nil))
	by := p.relaying(relayingSPC)
	first := p.relays(by, p.Passport("x"))
	p.created(first.made(p))
	other := p.relays(by, p.Passport("y"))
	other.original.Access.ID = first.original.Access.ID
	p.CPS.Store.Advance(p.Clock.Now())
	before := p.CPS.Store.Stats().Records
	if got := p.send(other.made(p)); got.Status != 401 || !strings.Contains(got.Body, "replayed") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if after := p.CPS.Store.Stats().Records; after != before {
		t.Errorf("%d records, had %d", after, before)
	}
}

// TestATIS1000096_S7_RelayedRecordEndsWithItsMinute: a relay that comes late is kept for less, and one that comes as late as can
// be for nothing.
func TestATIS1000096_S7_RelayedRecordEndsWithItsMinute(t *testing.T) {
	for _, c := range []struct{ late, kept time.Duration }{
		{0, 15 * second}, {45 * second, 15 * second}, {50 * second, 10 * second}, {59 * second, second}, {60 * second, 0},
	} {
		p := startPair(t, accepting(nil))
		token := p.Passport("x")
		r := p.relays(p.relaying(relayingSPC), token)
		p.Clock.Advance(c.late)
		r.Access.IssuedAt = p.Clock.Now()
		if c.kept == 0 {
			p.refused(r.made(p), oob.DeadlinePassed)
			continue
		}
		p.created(r.made(p))
		p.wait(c.kept - time.Millisecond)
		p.holds(oob.Mesh, token)
		p.wait(time.Millisecond)
		p.holds(oob.Mesh)
		// A publisher's token is remembered for as long as it can be relayed.
		r.Access.ID = oobtest.TokenID("later")
		if p.Clock.Now().Sub(r.original.Access.IssuedAt) < time.Minute {
			p.created(r.made(p))
		}
		p.holds(oob.Mesh)
	}
}

func TestRelayWithoutPublisherCountsForWhoRelays(t *testing.T) {
	var laid []string
	c := accepting(func(r *cps.RelayConfig) { r.TokenOptional = true })
	c.Store.Laid = func(ev store.Event) { laid = append(laid, ev.Publication.Publisher) }
	p := startPair(t, c)
	by := p.relaying(relayingSPC)
	r := p.relays(by, p.Passport("x"))
	none := ""
	r.token = &none
	p.created(r.made(p))
	p.created(r.made(p))
	p.created(p.relays(by, p.Passport("y")).made(p))
	if want := []string{relayingSPC, oobtest.UpstreamSPC}; !slices.Equal(laid, want) {
		t.Errorf("laid for %v, want %v", laid, want)
	}
}

func TestRFC6585_S4_RelaysHaveARateOfTheirOwn(t *testing.T) {
	c := accepting(func(r *cps.RelayConfig) { r.Rate = cps.Rate{PerSecond: 1, Burst: 2} })
	c.Service.PublishRate = cps.Rate{PerSecond: 1, Burst: 1}
	p := startPair(t, c)
	by := p.relaying(relayingSPC)
	p.created(p.relays(by, p.Passport("a")).made(p))
	p.created(p.relays(by, p.Passport("b")).made(p))
	p.retryAfter(p.refused(p.relays(by, p.Passport("c")).made(p), oob.RateLimited), 1)
	p.publish(oob.Mesh, p.Passport("d")) // the publisher's own rate is untouched
}

// TestRelayMayBeLongerThanAPublish, by the token of the publisher.
func TestRelayMayBeLongerThanAPublish(t *testing.T) {
	p := startPair(t, accepting(nil))
	r := p.relays(p.relaying(relayingSPC), p.Passport("x"))
	a := r.made(p)
	a.Body = append(slices.Clone(a.Body), strings.Repeat(" ", oob.BodyBytesMax+1-len(a.Body))...)
	p.created(a)
	a.Body = append(a.Body, strings.Repeat(" ", atis.RelayBytesMax+1-len(a.Body))...)
	p.refused(a, oob.TooLarge)
}
