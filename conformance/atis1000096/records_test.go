package atis1000096_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/conformance/pairtest"
	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
)

func TestATIS96_50_RecordsExpire(t *testing.T) {
	p := start(t, oobtest.CPSConfig{Service: cps.Config{Retention: map[oob.Profile]time.Duration{form: 7 * time.Second}}})
	p.Created(p.Publish(form, p.Passport("x")))
	token := p.Passport("x")
	p.Wait(7*time.Second - time.Millisecond)
	p.Holds(token)
	p.Wait(time.Millisecond)
	p.Refused(p.Retrieve(form), 404, oob.NotFound)
	if got := p.CPS.Store.Stats(); got.Records != 0 || got.Bytes != 0 {
		t.Errorf("still there: %+v", got)
	}
}

func TestATIS96_51_RetentionIsFifteenSeconds(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	token := p.Passport("x")
	p.Created(p.Publish(form, token))
	p.Wait(15*time.Second - time.Millisecond)
	p.Holds(token)
	p.Wait(time.Millisecond)
	p.Refused(p.Retrieve(form), 404, oob.NotFound)
}

func TestATIS96_52_RecordsAccumulate(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	one := p.Passport("1")
	p.Created(p.Publish(form, one))
	p.Wait(time.Second)
	two := p.Passport("2")
	p.Created(p.Publish(form, two))
	p.Holds(two, one) // newest first
}

func TestATIS96_53_DuplicatesComeBackOnce(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	one, two := p.Passport("1"), p.Passport("2")
	p.Created(p.Publish(form, one))
	p.Created(p.Publish(form, one))
	p.Holds(one)
	p.Wait(time.Second)
	p.Created(p.Publish(form, one, two))
	p.Holds(one, two)
}

func TestATIS96_54_ReadingKeeps(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.Created(p.Publish(form, p.Passport("x")))
	for range 3 {
		p.Holds(p.Passport("x"))
	}
}

func TestATIS96_55_ExpiredLooksLikeNothing(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	never := p.Ask(p.Retrieve(form))
	p.Created(p.Publish(form, p.Passport("x")))
	p.Wait(time.Minute)
	expired := p.Ask(p.Retrieve(form))
	never.Header.Del("Date")
	expired.Header.Del("Date")
	if fmt.Sprint(never) != fmt.Sprint(expired) || never.Status != 404 {
		t.Errorf("%v, %v", never, expired)
	}
}

func TestATIS96_56_FormsAreApart(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.Created(p.Publish(form, p.Passport("x")))
	p.Refused(p.Retrieve(other), 404, oob.NotFound)
}

func TestATIS96_57_TooFastIs429(t *testing.T) {
	one := cps.Rate{PerSecond: 1, Burst: 1}
	p := start(t, oobtest.CPSConfig{Service: cps.Config{PublishRate: one, RetrieveRate: one}})
	for _, a := range p.Both() {
		if got := p.Ask(a); got.Status >= 400 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
	for _, a := range p.Both() {
		if got := p.Refused(a, 429, oob.RateLimited); got.Header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
		}
	}
}

func TestATIS96_65_PassportsAreVerified(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	third := p.Issue(oobtest.IssueConfig{SPC: "890C"})
	stranger := p.Stranger("890C")
	for _, c := range []struct {
		name   string
		signer *oobtest.Identity
		change func(*passport.Claims)
		status int
		kind   oob.Kind
	}{
		{"signature", pairtest.WithKeyOf(p.Upstream, third), nil, 400, oob.PassportInvalid},
		{"chain", stranger, nil, 403, oob.CredentialUntrusted},
		{"too old", p.Upstream, func(c *passport.Claims) { c.IAT = c.IAT.Add(-61 * time.Second) }, 400, oob.PassportStale},
		{"too new", p.Upstream, func(c *passport.Claims) { c.IAT = c.IAT.Add(61 * time.Second) }, 400, oob.PassportStale},
		{"caller", p.Upstream, func(c *passport.Claims) { c.Orig = p.Dest }, 403, oob.IdentityMismatch},
		{"called", p.Upstream, func(c *passport.Claims) { c.Dest[0] = p.Orig }, 403, oob.IdentityMismatch},
	} {
		claims := p.Claims(c.name)
		if c.change != nil {
			c.change(&claims)
		}
		token, err := passport.Sign(c.signer.Key, passport.Shaken, c.signer.X5U, claims)
		if err != nil {
			t.Fatal(err)
		}
		p.Refused(p.Publish(form, p.Passport("good"), token), c.status, c.kind)
	}
	p.Refused(p.Retrieve(form), 404, oob.NotFound) // one that is wrong refuses all
}

func TestATIS96_66_UnreachableCertificateIsStored(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	token, err := passport.Sign(p.Upstream.Key, passport.Shaken, strings.Replace(p.Upstream.X5U, ".pem", ".gone", 1), p.Claims("x"))
	if err != nil {
		t.Fatal(err)
	}
	p.Created(p.Publish(form, token))
	p.Holds(token)
	if got := p.CPS.Service.Inspections()["unreachable"]; got != 1 {
		t.Errorf("%d counted", got)
	}
}
