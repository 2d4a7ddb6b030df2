// Package pairtest is what the conformance tests of both ATIS forms have in common: two providers and a CPS, and what a test
// says to them.
//
// Knows: package testing, the test kit. Never hears of: the requirements.
package pairtest

import (
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
	"github.com/viaduct-oob/viaduct/trust/crl"
)

// Pair is a provider pair with a CPS, asked as the world asks it: over TLS.
type Pair struct {
	*testing.T
	*oobtest.Pair
	Form oob.Profile // of the document
}

// Start makes one, for the time of a test.
func Start(t *testing.T, form oob.Profile, c oobtest.CPSConfig) *Pair {
	t.Helper()
	p, err := oobtest.StartPair(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return &Pair{t, p, form}
}

// Ask sends an attempt.
func (p *Pair) Ask(a *oobtest.Attempt) oobtest.Answer {
	p.Helper()
	answer, err := p.Send(p.Context(), a)
	if err != nil {
		p.Fatal(err)
	}
	return answer
}

// Created wants a publication to be stored.
func (p *Pair) Created(a *oobtest.Attempt) {
	p.Helper()
	if got := p.Ask(a); got.Status != 201 {
		p.Errorf("publish: %d %s", got.Status, got.Body)
	}
}

// Holds wants a retrieval to bring exactly these, in this order.
func (p *Pair) Holds(passports ...string) {
	p.Helper()
	p.Brings(p.Retrieve(p.Form), passports...)
}

// Brings wants a retrieval to bring exactly these, in this order.
func (p *Pair) Brings(a *oobtest.Attempt, passports ...string) {
	p.Helper()
	if got := p.Ask(a); got.Status != 200 || got.Body != string(atis.WritePublish(passports)) {
		p.Errorf("retrieve: %d %.300s", got.Status, got.Body)
	}
}

// Refused wants this status and fault.
func (p *Pair) Refused(a *oobtest.Attempt, status int, kind oob.Kind) oobtest.Answer {
	p.Helper()
	got := p.Ask(a)
	if got.Status != status || !strings.Contains(got.Body, `"fault":"`+kind.String()+`"`) {
		p.Errorf("%d %s, want %d %s", got.Status, got.Body, status, kind)
	}
	return got
}

// Both is a good attempt at each operation.
func (p *Pair) Both() []*oobtest.Attempt {
	return []*oobtest.Attempt{p.Publish(p.Form, p.Passport("x")), p.Retrieve(p.Form)}
}

// RefusesBoth wants both operations refused when they are spoilt in the same way.
func (p *Pair) RefusesBoth(status int, kind oob.Kind, spoil func(*oobtest.Attempt)) {
	p.Helper()
	for _, a := range p.Both() {
		spoil(a)
		p.Refused(a, status, kind)
	}
	if got := p.CPS.Store.Stats(); got.Records != 0 || got.Tokens != 0 {
		p.Errorf("something is stored: %+v", got)
	}
}

// Claim replaces a part of a token's payload, which must be there.
func (p *Pair) Claim(a *oobtest.Attempt, old, new string) {
	p.Helper()
	text := string(atis.WriteAccess(a.Access))
	if !strings.Contains(text, old) {
		p.Fatalf("no %s in %s", old, text)
	}
	a.Payload = []byte(strings.Replace(text, old, new, 1))
}

// Wait lets the clock go on.
func (p *Pair) Wait(d time.Duration) {
	p.Clock.Advance(d)
	p.CPS.Store.Advance(p.Clock.Now())
}

// Issue issues a certificate.
func (p *Pair) Issue(c oobtest.IssueConfig) *oobtest.Identity {
	p.Helper()
	id, err := p.PKI.Issue(c)
	if err != nil {
		p.Fatal(err)
	}
	return id
}

// Stranger is a provider whose certificate comes from a CA that the CPS does not know.
func (p *Pair) Stranger(spc string) *oobtest.Identity {
	p.Helper()
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		p.Fatal(err)
	}
	id, err := pki.Issue(oobtest.IssueConfig{SPC: spc})
	if err != nil {
		p.Fatal(err)
	}
	id.X5U = p.PKI.Serve("/stranger.pem", id.ChainPEM)
	return id
}

// Revoke lets the CPS know that certificates are revoked, whatever it has believed before.
func (p *Pair) Revoke(ids ...*oobtest.Identity) {
	p.Helper()
	administrator, err := p.PKI.NewPolicyAdministrator()
	if err != nil {
		p.Fatal(err)
	}
	config := oobtest.RevocationListConfig{ThisUpdate: p.Clock.Now(), NextUpdate: p.Clock.Now().Add(time.Hour)}
	for _, id := range ids {
		config.Revoked = append(config.Revoked, oobtest.Revoke(id.Certificate.X509()))
	}
	der, err := administrator.RevocationList(config)
	if err != nil {
		p.Fatal(err)
	}
	list, err := crl.Parse(der)
	if err != nil {
		p.Fatal(err)
	}
	revocations, err := trust.NewRevocations(trust.RevocationPolicy{}, trust.RevocationSource{List: list})
	if err != nil {
		p.Fatal(err)
	}
	p.CPS.Verifier.SetRevocations(revocations)
}

// NoneIsRevoked shows that whoever asks, and whoever has signed what is published, is not revoked.
func (p *Pair) NoneIsRevoked() {
	p.Helper()
	signer := p.Issue(oobtest.IssueConfig{SPC: "890C"})
	token := p.PassportBy(signer, "y")
	p.Created(p.Publish(p.Form, p.Passport("x"))) // the publisher is believed, and cached
	p.Revoke(signer)
	p.Refused(p.Publish(p.Form, token), 403, oob.CredentialUntrusted)
	p.Revoke(p.Upstream)
	p.Refused(p.Publish(p.Form, p.Passport("z")), 401, oob.Unproven)
	p.Revoke(p.Downstream)
	p.Refused(p.Retrieve(p.Form), 401, oob.Unproven)
	p.Revoke()
	p.Created(p.Publish(p.Form, p.Passport("w")))
}

// WithKeyOf is id with the private key of another.
func WithKeyOf(id, another *oobtest.Identity) *oobtest.Identity {
	forger := *id
	forger.Key = another.Key
	return &forger
}

// Client is our own client for a provider, with the CPSs at these URLs, or that of the pair.
func (p *Pair) Client(id *oobtest.Identity, urls ...string) *cpsclient.Client {
	p.Helper()
	if len(urls) == 0 {
		urls = []string{p.CPS.URL}
	}
	c := cpsclient.Config{SPC: id.SPC, Key: id.Key, X5U: id.X5U, RootCAs: p.PKI.TLSRoots(), Now: p.Clock.Now, Timeout: 5 * time.Second, Budget: 10 * time.Second}
	for _, url := range urls {
		c.CPSs = append(c.CPSs, cpsclient.CPS{URL: url, Audience: oobtest.CPSAudience})
	}
	client, err := cpsclient.New(c)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(client.Close)
	return client
}

// Publication is what a client publishes.
func (p *Pair) Publication(passports ...string) oob.Publication {
	return oob.Publication{Key: p.Key(p.Form), Passports: passports}
}
