package cps_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// together are several relays of one request.
func (p *pair) together(by *oobtest.Identity, all ...*relay) *oobtest.Attempt {
	p.Helper()
	body := atis.BeginRelays(0)
	for _, one := range all {
		alone := one.made(p).Body
		body = atis.AppendOneOfRelays(body, p.Key(oob.Mesh), alone)
	}
	a := p.Publish(oob.Mesh, "a.b.c")
	a.Signer, a.Path, a.Body = by, atis.RelaysPath, atis.EndRelays(body)
	a.Access.Action, a.Access.Issuer, a.Access.Subject = oob.ActionRepublish, by.SPC, by.SPC
	a.Access.Dest, a.Access.Orig, a.Access.Digest = oob.Key{}.Dest, oob.Key{}.Orig, atis.RelaysDigest(a.Body)
	return a
}

// answered are the statuses of several relays.
func (p *pair) answered(a *oobtest.Attempt, count int) []int {
	p.Helper()
	got := p.send(a)
	if got.Status != http.StatusOK {
		p.Fatalf("%d %s", got.Status, got.Body)
	}
	each, ok := atis.ReadRelaysAnswer([]byte(got.Body), count)
	if !ok {
		p.Fatalf("%s", got.Body)
	}
	var statuses []int
	for _, one := range each {
		statuses = append(statuses, one.Status)
	}
	return statuses
}

func TestATIS1000096_S7_SeveralRelaysInOneRequest(t *testing.T) {
	p := startPair(t, accepting(nil))
	by := p.relaying(relayingSPC)
	first, second, bare, foreign := p.relays(by, p.Passport("x")), p.relays(by, p.Passport("y")), p.relays(by, p.Passport("z")), p.relays(by, p.Passport("w"))
	none := ""
	bare.token = &none
	foreign.original.Access.Subject = "999Z"
	a := p.together(by, first, bare, second, foreign)
	want := []int{201, 400, 201, 403}
	for range 2 { // the same request again is answered as the first
		if got := p.answered(a, 4); len(got) != 4 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != want[3] {
			t.Errorf("%v", got)
		}
	}
	if got := p.CPS.Store.Stats().Records; got != 2 {
		t.Errorf("%d records", got)
	}
	p.created(first.made(p)) // and what comes alone as well is one with it
	if got := p.CPS.Store.Stats().Records; got != 2 {
		t.Errorf("%d records", got)
	}
}

func TestATIS1000096_S7_WhoTakesSeveralRelaysSaysSo(t *testing.T) {
	p := startPair(t, accepting(nil))
	got := p.send(p.relays(p.relaying(relayingSPC), p.Passport("x")).made(p))
	if atis.ReadRelaysHeader(got.Header.Get(atis.RelaysHeader)) != atis.RelaysMax {
		t.Errorf("%v", got.Header)
	}
	if got := p.send(p.Publish(oob.Mesh, p.Passport("y"))); got.Header.Get(atis.RelaysHeader) != "" {
		t.Errorf("whoever publishes is told: %v", got.Header)
	}
}

// TestATIS1000096_S7_SeveralRelaysAreRefused as a whole, and nothing of them is stored.
func TestATIS1000096_S7_SeveralRelaysAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*cps.RelayConfig)
		spoil  func(p *pair, a *oobtest.Attempt)
		status int
	}{
		"by a CPS that may not relay": {nil, func(p *pair, a *oobtest.Attempt) {
			by := p.relaying(foreignSPC)
			a.Signer, a.Access.Issuer, a.Access.Subject = by, by.SPC, by.SPC
		}, 403},
		"where none are taken": {func(c *cps.RelayConfig) { c.Accepts = nil }, func(*pair, *oobtest.Attempt) {}, 403},
		"our own, come back":   {func(c *cps.RelayConfig) { c.Own = relayingSPC }, func(*pair, *oobtest.Attempt) {}, 403},
		"to publish":           {nil, func(_ *pair, a *oobtest.Attempt) { a.Access.Action = oob.ActionPublish }, 401},
		"of another body":      {nil, func(_ *pair, a *oobtest.Attempt) { a.Body = append(a.Body, ' ') }, 400},
		"for another CPS":      {nil, func(_ *pair, a *oobtest.Attempt) { a.Access.Audience = []string{elsewhere} }, 401},
		"of one call alone":    {nil, func(p *pair, a *oobtest.Attempt) { a.Access.Dest = p.Key(oob.Mesh).Dest }, 403},
		"too long":             {nil, func(_ *pair, a *oobtest.Attempt) { a.Body = []byte(strings.Repeat(" ", atis.RelaysBytesMax+1)) }, 413},
		"fetched":              {nil, func(_ *pair, a *oobtest.Attempt) { a.Method = http.MethodGet }, 405},
		"more than the rate": {func(c *cps.RelayConfig) { c.Rate = cps.Rate{PerSecond: 1, Burst: 1} }, func(*pair, *oobtest.Attempt) {
		}, 429},
	} {
		t.Run(name, func(t *testing.T) {
			p := startPair(t, accepting(c.change))
			by := p.relaying(relayingSPC)
			a := p.together(by, p.relays(by, p.Passport("x")), p.relays(by, p.Passport("y")))
			c.spoil(p, a)
			if got := p.send(a); got.Status != c.status {
				t.Errorf("%d %s, want %d", got.Status, got.Body, c.status)
			}
			if got := p.CPS.Store.Stats().Records; got != 0 {
				t.Errorf("%d records", got)
			}
		})
	}
	t.Run("with a token that was used for others", func(t *testing.T) {
		p := startPair(t, accepting(nil))
		by := p.relaying(relayingSPC)
		a := p.together(by, p.relays(by, p.Passport("x")))
		p.answered(a, 1)
		other := p.together(by, p.relays(by, p.Passport("y")))
		other.Access.ID = a.Access.ID
		if got := p.send(other); got.Status != http.StatusUnauthorized {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
}
