package cps_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
)

const second = time.Second

func TestATIS1000096_S7_RecordsAccumulateNewestFirst(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{}, func(p *pair, profile oob.Profile) {
		a, b, c := p.Passport("a"), p.Passport("b"), p.Passport("c")
		p.publish(profile, a)
		p.wait(second)
		p.publish(profile, b)
		p.holds(profile, b, a)
		p.wait(second)
		p.publish(profile, b, c)
		p.holds(profile, b, c, a) // each once, where it is newest
		p.holds(profile, b, c, a) // and reading takes nothing away
		p.wait(second)
		p.publish(profile, a)
		p.holds(profile, b, c, a)
	})
}

func TestATIS1000105_S7_DeadlineIsExp(t *testing.T) {
	none := time.Duration(0)
	for _, c := range []struct {
		name      string
		iat, exp  time.Duration // from now; exp of none is absent
		retention time.Duration // of the configuration; none is the default
		kept      time.Duration
	}{
		{"the sample value", 0, 3 * second, none, 3 * second},
		{"a minute", 0, 60 * second, none, 60 * second},
		{"more than a minute", 0, 61 * second, none, 60 * second},
		{"a year", 0, 365 * 24 * time.Hour, none, 60 * second},
		{"a minute after an old iat", -20 * second, 60 * second, none, 40 * second},
		{"a minute after an iat ahead of us", 5 * second, 65 * second, none, 60 * second},
		{"absent", 0, none, none, 15 * second},
		{"absent, after an old iat", -50 * second, none, none, 15 * second},
		{"absent, with another default", 0, none, 30 * second, 30 * second},
		{"wins over the default", 0, 40 * second, 30 * second, 40 * second},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := oobtest.CPSConfig{}
			if c.retention != none {
				config.Service.Retention = map[oob.Profile]time.Duration{oob.Agreed: c.retention}
			}
			p := startPair(t, config)
			token := p.Passport("x")
			a := p.Publish(oob.Agreed, token)
			now := p.Clock.Now()
			a.Access.IssuedAt = now.Add(c.iat)
			if c.exp != none {
				a.Access.Deadline = now.Add(c.exp)
			}
			p.created(a)
			p.wait(c.kept - time.Millisecond)
			p.holds(oob.Agreed, token)
			p.wait(time.Millisecond)
			p.holds(oob.Agreed)
			if got := p.CPS.Store.Stats(); got.Records != 0 || got.Bytes != 0 {
				t.Errorf("still held: %+v", got)
			}
		})
	}
}

func TestATIS1000105_S7_PassedDeadlineStoresNothing(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	for _, exp := range []time.Duration{0, -second, -59 * second} {
		a := p.Publish(oob.Agreed, p.Passport("x"))
		a.Access.IssuedAt = p.Clock.Now().Add(-59 * second)
		a.Access.Deadline = p.Clock.Now().Add(exp)
		p.refused(a, oob.DeadlinePassed)
	}
	a := p.Publish(oob.Agreed, p.Passport("x"))
	a.Access.Deadline = time.Unix(0, 0) // written 0, which is not absent
	p.refused(a, oob.DeadlinePassed)
	// The token has not been spent on it.
	a.Access.Deadline = p.Clock.Now().Add(second)
	p.created(a)
}

func TestATIS1000096_S7_RetentionIsLocalPolicy(t *testing.T) {
	for kept, config := range map[time.Duration]map[oob.Profile]time.Duration{
		15 * second: nil, 5 * second: {oob.Mesh: 5 * second}, 60 * second: {oob.Mesh: 60 * second},
	} {
		p := startPair(t, oobtest.CPSConfig{Service: cps.Config{Retention: config}})
		token := p.Passport("x")
		a := p.Publish(oob.Mesh, token)
		a.Access.Deadline = p.Clock.Now().Add(40 * second) // an expiry of the token, which keeps nothing longer
		p.created(a)
		p.wait(kept - time.Millisecond)
		p.holds(oob.Mesh, token)
		p.wait(time.Millisecond)
		p.holds(oob.Mesh)
	}
}

// TestUnknownAndExpiredAreOneAnswer, to the byte.
func TestUnknownAndExpiredAreOneAnswer(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{}, func(p *pair, profile oob.Profile) {
		unknown := p.refused(p.Retrieve(profile), oob.NotFound)
		p.publish(profile, p.Passport("x"))
		p.wait(time.Minute)
		expired := p.refused(p.Retrieve(profile), oob.NotFound)
		unknown.Header.Del("Date")
		expired.Header.Del("Date")
		if unknown.Body != expired.Body || !maps.EqualFunc(unknown.Header, expired.Header, func(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			p.Errorf("unknown %+v, expired %+v", unknown, expired)
		}
	})
}

func TestATIS1000096_S7_RetryIsAnsweredAsTheFirstTime(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{}, func(p *pair, profile oob.Profile) {
		old := p.signed(passport.Shaken, func(c *passport.Claims) { c.IAT = c.IAT.Add(-55 * second) })
		a := p.Publish(profile, old)
		if profile == oob.Agreed {
			a.Access.Deadline = p.Clock.Now().Add(3 * second)
		}
		p.created(a)
		stats, inspected := p.CPS.Store.Stats(), p.CPS.Service.Inspections()
		p.created(a)
		if got := p.CPS.Store.Stats(); got != stats {
			p.Errorf("a retry changed the shelf from %+v to %+v", stats, got)
		}
		p.holds(profile, old)
		p.wait(20 * second) // the record has expired, the PASSporT is stale
		p.created(a)
		p.holds(profile)
		if got := p.CPS.Service.Inspections(); !maps.Equal(got, inspected) {
			p.Errorf("a retry was inspected: %v", got)
		}
		p.wait(40 * second) // the last instant at which the token is fresh
		p.created(a)
		p.wait(second)
		p.refused(a, oob.TokenStale)
	})
}

func TestATIS1000096_S7_ReplayIsRefused(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{}, func(p *pair, profile oob.Profile) {
		one, two := p.Passport("one"), p.Passport("two")
		first := p.Publish(profile, one)
		p.created(first)
		again := func(a *oobtest.Attempt) *oobtest.Attempt {
			a.Access.ID = first.Access.ID
			return a
		}
		replays := map[string]*oobtest.Attempt{
			"another list":        again(p.Publish(profile, two)),
			"a longer list":       again(p.Publish(profile, one, two)),
			"the other form":      again(p.Publish(oob.Agreed+oob.Mesh-profile, one)),
			"a later iat as well": again(p.Publish(profile, two)),
		}
		replays["a later iat as well"].Access.IssuedAt = p.Clock.Now().Add(second)
		for name, a := range replays {
			if got := p.refused(a, oob.Replayed); got.Status != 401 {
				p.Errorf("%s: %d", name, got.Status)
			}
		}
		p.wait(60 * second)
		p.refused(again(p.Publish(profile, p.Passport("later"))), oob.Replayed) // remembered for as long as it was fresh
		// The same jti of somebody else, and of the other action, is another token.
		other := p.issue(oobtest.IssueConfig{SPC: "890C"})
		p.created(p.by(other, again(p.Publish(profile, p.Passport("other")))))
		retrieval := again(p.Retrieve(oob.Mesh))
		retrieval.Signer = p.Upstream
		retrieval.Access.Issuer, retrieval.Access.Subject = p.Upstream.SPC, p.Upstream.SPC
		if got := p.send(retrieval); got.Status == 401 {
			p.Errorf("retrieval with the jti of a publication: %s", got.Body)
		}
	})
}

func TestATIS1000096_S7_RetrievalTokenIsGoodOnce(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{}, func(p *pair, profile oob.Profile) {
		a := p.Retrieve(profile)
		p.brings(a)
		p.refused(a, oob.Replayed) // also when it found nothing
		token := p.Passport("x")
		p.publish(profile, token)
		p.refused(a, oob.Replayed)
		a = p.Retrieve(profile)
		p.brings(a, token)
		p.refused(a, oob.Replayed)
		p.holds(profile, token)
	})
}

func TestRefusedPublicationDoesNotSpendItsToken(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{}, func(p *pair, profile oob.Profile) {
		a := p.Publish(profile, p.signed(passport.Shaken, func(c *passport.Claims) { c.Orig = p.Dest }))
		p.refused(a, oob.IdentityMismatch)
		good := p.Publish(profile, p.Passport("x"))
		good.Access.ID = a.Access.ID
		p.created(good)
	})
}

func TestATIS1000096_S7_FreshnessOfTheToken(t *testing.T) {
	wide := oob.Freshness{Past: 5 * time.Minute, Future: 30 * second}
	for _, c := range []struct {
		window oob.Freshness
		iat    time.Duration
		fresh  bool
	}{
		{oob.Freshness{}, 0, true}, {oob.Freshness{}, -60 * second, true}, {oob.Freshness{}, -61 * second, false},
		{oob.Freshness{}, 5 * second, true}, {oob.Freshness{}, 6 * second, false}, {oob.Freshness{}, -90 * second, false},
		{wide, -300 * second, true}, {wide, -301 * second, false}, {wide, 30 * second, true}, {wide, 31 * second, false},
	} {
		inBothForms(t, oobtest.CPSConfig{Service: cps.Config{TokenFreshness: c.window}}, func(p *pair, profile oob.Profile) {
			for _, a := range []*oobtest.Attempt{p.Retrieve(profile), p.Publish(profile, p.Passport("x"))} {
				a.Access.IssuedAt = p.Clock.Now().Add(c.iat)
				if c.fresh {
					if got := p.send(a); got.Status == 401 {
						p.Errorf("iat %v: %s", c.iat, got.Body)
					}
				} else {
					p.refused(a, oob.TokenStale)
				}
			}
		})
	}
}

// TestRFC7519_S4_1_4_ExpiredTokenIsRefused where exp is an expiry: everywhere but in a publication of the agreed form.
func TestRFC7519_S4_1_4_ExpiredTokenIsRefused(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	for name, make := range map[string]func() *oobtest.Attempt{
		"agreed retrieval": func() *oobtest.Attempt { return p.Retrieve(oob.Agreed) },
		"mesh retrieval":   func() *oobtest.Attempt { return p.Retrieve(oob.Mesh) },
		"mesh publication": func() *oobtest.Attempt { return p.Publish(oob.Mesh, p.Passport("x")) },
	} {
		for exp, good := range map[time.Duration]bool{second: true, 0: true, -4 * second: true, -5 * second: false, -time.Hour: false} {
			a := make()
			a.Access.Deadline = p.Clock.Now().Add(exp)
			if good {
				if got := p.send(a); got.Status == 401 {
					t.Errorf("%s, exp %v: %s", name, exp, got.Body)
				}
			} else {
				p.refused(a, oob.TokenStale)
			}
		}
	}
}

func TestATIS1000096_S7_TokenIDs(t *testing.T) {
	long := string(make([]byte, oob.TokenIDBytesMax+1))
	for _, c := range []struct {
		id             string
		strict, anyone bool
	}{
		{"2f0c8a52-3f0e-4c55-9a41-0a1d3e6b7c11", true, true},
		{"2F0C8A52-3F0E-4C55-BA41-0A1D3E6B7C11", true, true},
		{"2f0c8a52-3f0e-1c55-9a41-0a1d3e6b7c11", false, true}, // version 1
		{"2f0c8a52-3f0e-4c55-7a41-0a1d3e6b7c11", false, true}, // another variant
		{"2f0c8a523f0e4c559a410a1d3e6b7c11", false, true},
		{"{2f0c8a52-3f0e-4c55-9a41-0a1d3e6b7c11}", false, true},
		{"1", false, true},
		{"☎", false, true},
		{"", false, false},
		{long, false, false},
		{long[1:], false, true},
	} {
		for config, want := range map[bool]bool{false: c.strict, true: c.anyone} {
			p := startPair(t, oobtest.CPSConfig{Service: cps.Config{AnyTokenID: config}})
			a := p.Publish(oob.Agreed, p.Passport("x"))
			a.Access.ID = c.id
			if want {
				p.created(a)
			} else {
				p.refused(a, oob.Unproven)
			}
		}
	}
}
