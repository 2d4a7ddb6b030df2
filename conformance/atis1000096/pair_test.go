package atis1000096_test

import (
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// form is the form of this document; the other is what it must not be mixed with.
const (
	form  = oob.Mesh
	other = oob.Agreed
)

// pair is a provider pair with a CPS, asked as the world asks it: over TLS.
type pair struct {
	*testing.T
	*oobtest.Pair
}

func start(t *testing.T, c oobtest.CPSConfig) *pair {
	t.Helper()
	p, err := oobtest.StartPair(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return &pair{t, p}
}

func (p *pair) send(a *oobtest.Attempt) oobtest.Answer {
	p.Helper()
	answer, err := p.Send(p.Context(), a)
	if err != nil {
		p.Fatal(err)
	}
	return answer
}

func (p *pair) created(a *oobtest.Attempt) {
	p.Helper()
	if got := p.send(a); got.Status != 201 {
		p.Errorf("publish: %d %s", got.Status, got.Body)
	}
}

// holds wants a retrieval to bring exactly these, in this order.
func (p *pair) holds(passports ...string) {
	p.Helper()
	p.brings(p.Retrieve(form), passports...)
}

func (p *pair) brings(a *oobtest.Attempt, passports ...string) {
	p.Helper()
	if got := p.send(a); got.Status != 200 || got.Body != string(atis.WritePublish(passports)) {
		p.Errorf("retrieve: %d %.300s", got.Status, got.Body)
	}
}

// refused wants this status and fault.
func (p *pair) refused(a *oobtest.Attempt, status int, kind oob.Kind) oobtest.Answer {
	p.Helper()
	got := p.send(a)
	if got.Status != status || !strings.Contains(got.Body, `"fault":"`+kind.String()+`"`) {
		p.Errorf("%d %s, want %d %s", got.Status, got.Body, status, kind)
	}
	return got
}

// both is a good attempt at each operation.
func (p *pair) both() []*oobtest.Attempt {
	return []*oobtest.Attempt{p.Publish(form, p.Passport("x")), p.Retrieve(form)}
}

// refusesBoth wants both operations refused when they are spoilt in the same way.
func (p *pair) refusesBoth(status int, kind oob.Kind, spoil func(*oobtest.Attempt)) {
	p.Helper()
	for _, a := range p.both() {
		spoil(a)
		p.refused(a, status, kind)
	}
	if got := p.CPS.Store.Stats(); got.Records != 0 || got.Tokens != 0 {
		p.Errorf("something is stored: %+v", got)
	}
}

// claim replaces a part of a token's payload, which must be there.
func (p *pair) claim(a *oobtest.Attempt, old, new string) {
	p.Helper()
	text := string(atis.WriteAccess(a.Access))
	if !strings.Contains(text, old) {
		p.Fatalf("no %s in %s", old, text)
	}
	a.Payload = []byte(strings.Replace(text, old, new, 1))
}

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

// stranger is a provider whose certificate comes from a CA that the CPS does not know.
func (p *pair) stranger(spc string) *oobtest.Identity {
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

// withKeyOf is id with the private key of another.
func withKeyOf(id, another *oobtest.Identity) *oobtest.Identity {
	forger := *id
	forger.Key = another.Key
	return &forger
}

// client is our own client for a provider, with the CPSs at these URLs, or that of the pair.
func (p *pair) client(id *oobtest.Identity, urls ...string) *cpsclient.Client {
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

// publication is what a client publishes.
func (p *pair) publication(passports ...string) oob.Publication {
	return oob.Publication{Key: p.Key(form), Passports: passports}
}
