package cps_test

import (
	"crypto/ecdsa"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// pair is a provider pair with a CPS, asked as the world asks it: over TLS.
type pair struct {
	*testing.T
	*oobtest.Pair
}

func startPair(t *testing.T, c oobtest.CPSConfig) *pair {
	t.Helper()
	p, err := oobtest.StartPair(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return &pair{t, p}
}

// inBothForms runs a test on a CPS of its own for each profile.
func inBothForms(t *testing.T, c oobtest.CPSConfig, test func(p *pair, profile oob.Profile)) {
	for _, profile := range oobtest.Forms() {
		t.Run(profile.String(), func(t *testing.T) { test(startPair(t, c), profile) })
	}
}

func (p *pair) send(a *oobtest.Attempt) oobtest.Answer {
	p.Helper()
	answer, err := p.Send(p.Context(), a)
	if err != nil {
		p.Fatal(err)
	}
	return answer
}

// created wants a publication to be acknowledged.
func (p *pair) created(a *oobtest.Attempt) {
	p.Helper()
	if got := p.send(a); got.Status != 201 || got.Body != `{"status":201,"message":"Created"}` {
		p.Errorf("publish: %d %s", got.Status, got.Body)
	}
}

func (p *pair) publish(profile oob.Profile, passports ...string) {
	p.Helper()
	p.created(p.Publish(profile, passports...))
}

// holds wants a retrieval to bring exactly these, in this order; without any, to bring nothing.
func (p *pair) holds(profile oob.Profile, passports ...string) {
	p.Helper()
	p.brings(p.Retrieve(profile), passports...)
}

func (p *pair) brings(a *oobtest.Attempt, passports ...string) {
	p.Helper()
	if len(passports) == 0 {
		p.refused(a, oob.NotFound)
		return
	}
	if got := p.send(a); got.Status != 200 || got.Body != string(atis.WritePublish(passports)) {
		p.Errorf("retrieve: %d %.300s\nwant %.300s", got.Status, got.Body, atis.WritePublish(passports))
	}
}

// refused wants the fault, and that the shelf has not changed.
func (p *pair) refused(a *oobtest.Attempt, kind oob.Kind) oobtest.Answer {
	p.Helper()
	before := p.CPS.Store.Stats()
	got := p.send(a)
	if got.Status != kind.Row().HTTP || !strings.Contains(got.Body, `"fault":"`+kind.String()+`"`) {
		p.Errorf("%d %s, want %d %s", got.Status, got.Body, kind.Row().HTTP, kind)
	}
	after := p.CPS.Store.Stats()
	if kind == oob.NotFound {
		after.Tokens = before.Tokens // the token has been spent
	}
	if after != before {
		p.Errorf("%s changed the shelf from %+v to %+v", kind, before, after)
	}
	return got
}

// wait lets time pass and what has expired go.
func (p *pair) wait(d time.Duration) {
	p.Clock.Advance(d)
	p.CPS.Store.Advance(p.Clock.Now())
}

func (p *pair) issue(c oobtest.IssueConfig) *oobtest.Identity {
	p.Helper()
	id, err := p.PKI.Issue(c)
	if err != nil {
		p.Fatal(err)
	}
	return id
}

// by makes a retrieval that of another provider, or a publication with all that it says.
func (p *pair) by(id *oobtest.Identity, a *oobtest.Attempt) *oobtest.Attempt {
	a.Signer, a.Access.Issuer = id, id.SPC
	if a.Access.Subject != "" {
		a.Access.Subject = id.SPC
	}
	if a.Access.Action == oob.ActionPublish && a.Access.SPC != "" {
		a.Access.SPC = id.SPC
		a.Path = strings.Replace(a.Path, oobtest.UpstreamSPC, id.SPC, 1)
	}
	return a
}

// signed is a PASSporT of any type by the upstream provider.
func (p *pair) signed(ppt passport.Type, change func(*passport.Claims)) string {
	p.Helper()
	return p.signedBy(p.Upstream.Key, p.Upstream.X5U, ppt, change)
}

func (p *pair) signedBy(key *ecdsa.PrivateKey, x5u string, ppt passport.Type, change func(*passport.Claims)) string {
	p.Helper()
	c := p.Claims("seed")
	if ppt != passport.Shaken {
		c.Attest, c.OrigID = "", ""
	}
	if change != nil {
		change(&c)
	}
	token, err := passport.Sign(key, ppt, x5u, c)
	if err != nil {
		p.Fatal(err)
	}
	return token
}

func (p *pair) number(text string) tn.Identity {
	p.Helper()
	id, err := tn.ParseIdentity(text)
	if err != nil {
		p.Fatal(err)
	}
	return id
}

// counted wants these inspections and no others.
func (p *pair) counted(want map[string]int64) {
	p.Helper()
	got := p.CPS.Service.Inspections()
	maps.DeleteFunc(got, func(_ string, n int64) bool { return n == 0 })
	if !maps.Equal(got, want) {
		p.Errorf("inspections %v, want %v", got, want)
	}
}
