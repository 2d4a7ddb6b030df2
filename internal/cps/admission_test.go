package cps_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

func TestATIS1000105_S7_ClaimsFitTheForm(t *testing.T) {
	for _, c := range []struct {
		name    string
		profile oob.Profile
		change  func(*oob.Access)
		path    func(string) string
	}{
		{"agreed with sub as well", oob.Agreed, func(a *oob.Access) { a.Subject = a.Issuer }, nil},
		{"agreed with sub in place of spc", oob.Agreed, func(a *oob.Access) { a.Subject, a.SPC = a.Issuer, "" }, nil},
		{"agreed with another spc", oob.Agreed, func(a *oob.Access) { a.SPC = "890C" }, nil},
		{"agreed under another SPC in the path", oob.Agreed, func(*oob.Access) {}, func(path string) string { return strings.Replace(path, "/1234/", "/890C/", 1) }},
		{"agreed under the SPC in lower case", oob.Agreed, func(*oob.Access) {}, func(path string) string { return strings.Replace(path, "/1234/", "/1234a/", 1) }},
		{"mesh with spc as well", oob.Mesh, func(a *oob.Access) { a.SPC = a.Issuer }, nil},
		{"mesh with spc in place of sub", oob.Mesh, func(a *oob.Access) { a.SPC, a.Subject = a.Issuer, "" }, nil},
		{"mesh without sub", oob.Mesh, func(a *oob.Access) { a.Subject = "" }, nil},
		{"mesh with another sub", oob.Mesh, func(a *oob.Access) { a.Subject = "890C" }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startPair(t, oobtest.CPSConfig{})
			for _, a := range []*oobtest.Attempt{p.Publish(c.profile, p.Passport("x")), p.Retrieve(c.profile)} {
				c.change(&a.Access)
				if c.path != nil {
					a.Path = c.path(a.Path)
				}
				p.refused(a, oob.OutOfScope)
			}
			if got := p.CPS.Verifier.Stats().Fetches; got != 0 {
				t.Errorf("%d certificates fetched", got)
			}
		})
	}
}

func TestATIS1000105_S7_NobodyPublishesForAnother(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	a := p.Publish(oob.Agreed, p.Passport("x"))
	a.Signer, a.Access.Issuer = p.Downstream, p.Downstream.SPC // spc stays the upstream provider's
	p.refused(a, oob.OutOfScope)
	if got := p.CPS.Verifier.Stats().Fetches; got != 0 {
		t.Errorf("%d certificates fetched", got)
	}
}

// TestRFC8226_S9_CertificateNamesTheSPC: it names one, that of iss, letter for letter (ATIS-1000080 §6.4.1); a number is
// no SPC. One provider with several would have the rates and shares of several.
func TestRFC8226_S9_CertificateNamesTheSPC(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{}, func(p *pair, profile oob.Profile) {
		number, err := tn.ParseNumber(oobtest.CallingNumber)
		if err != nil {
			p.Fatal(err)
		}
		numbers, err := tn.NewRange(number, 1)
		if err != nil {
			p.Fatal(err)
		}
		p.created(p.by(p.issue(oobtest.IssueConfig{SPC: "890C"}), p.Publish(profile, p.Passport("one"))))
		for name, list := range map[string]stircert.TNAuthList{
			"several":    {SPCs: []string{"111A", "890C", "222B"}},
			"other SPCs": {SPCs: []string{"111A", "890D"}}, "in lower case": {SPCs: []string{"890c"}}, "the number alone": {Ranges: []tn.Range{numbers}},
		} {
			id := p.issue(oobtest.IssueConfig{SPC: "890C", TNAuthList: list})
			p.refused(p.by(id, p.Publish(profile, p.Passport(name))), oob.OutOfScope)
			p.refused(p.by(id, p.Retrieve(profile)), oob.OutOfScope)
		}
	})
}

func TestAllowAndDeny(t *testing.T) {
	for _, c := range []struct {
		name        string
		allow, deny []string
		up, down    bool
	}{
		{"no lists", nil, nil, true, true},
		{"one allowed", []string{"1234"}, nil, true, false},
		{"one denied", nil, []string{"1234"}, false, true},
		{"both allowed, one denied", []string{"1234", "567B"}, []string{"567B"}, true, false},
	} {
		inBothForms(t, oobtest.CPSConfig{Service: cps.Config{Allow: c.allow, Deny: c.deny}}, func(p *pair, profile oob.Profile) {
			publication, retrieval := p.Publish(profile, p.Passport("x")), p.Retrieve(profile)
			if c.up {
				p.created(publication)
			} else {
				p.refused(publication, oob.Refused)
			}
			switch {
			case !c.down:
				p.refused(retrieval, oob.Refused)
			case c.up:
				p.brings(retrieval, p.Passport("x"))
			default:
				p.brings(retrieval)
			}
			// Who cannot prove that it is on a list does not learn that there is one.
			forged := p.Publish(profile, p.Passport("x"))
			other := *p.Upstream
			other.Key = p.Downstream.Key
			forged.Signer = &other
			p.refused(forged, oob.Unproven)
		})
	}
}

func TestReaders(t *testing.T) {
	config := oobtest.CPSConfig{Service: cps.Config{Readers: map[string][]string{"1234": {"567B"}, "890C": {}}}}
	inBothForms(t, config, func(p *pair, profile oob.Profile) {
		token := p.Passport("x")
		third := p.issue(oobtest.IssueConfig{SPC: "890C"})
		refusal := oob.NotFound // the key does not name the publisher: what may not be read is as good as absent
		if profile == oob.Agreed {
			refusal = oob.Refused
			p.refused(p.by(third, p.Retrieve(profile)), refusal) // whether there is anything or not
		}
		p.publish(profile, token)
		p.holds(profile, token)
		p.brings(p.by(p.Upstream, p.Retrieve(profile)), token) // a publisher reads its own
		p.refused(p.by(third, p.Retrieve(profile)), refusal)
		// In the mesh another publisher's record under the same key stays visible to those who may read it.
		if profile == oob.Mesh {
			own := p.Passport("own")
			p.wait(time.Second)
			p.created(p.by(third, p.Publish(profile, own)))
			p.brings(p.by(third, p.Retrieve(profile)), own)
			p.holds(profile, token)
			p.brings(p.by(p.Upstream, p.Retrieve(profile)), token)
		}
	})
}

func TestMissesAreCountedPerSPC(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{}, func(p *pair, profile oob.Profile) {
		p.holds(profile)
		p.holds(profile)
		p.brings(p.by(p.Upstream, p.Retrieve(profile)))
		p.publish(profile, p.Passport("x"))
		p.holds(profile, p.Passport("x"))
		p.refused(p.Publish(profile, "AAA.BBB.CCC"), oob.PassportInvalid)
		got := p.CPS.Service.MissesBySPC()
		if len(got) != 2 || got["567B"] != 2 || got["1234"] != 1 {
			p.Errorf("misses %v", got)
		}
	})
}

// retryAfter wants the header field to say so many seconds.
func (p *pair) retryAfter(got oobtest.Answer, seconds int) {
	p.Helper()
	if text := got.Header.Get("Retry-After"); text != strconv.Itoa(seconds) {
		p.Errorf("Retry-After %q, want %d", text, seconds)
	}
}

func TestRFC6585_S4_RatePerSPC(t *testing.T) {
	config := oobtest.CPSConfig{Service: cps.Config{
		PublishRate: cps.Rate{PerSecond: 0.1, Burst: 2}, RetrieveRate: cps.Rate{PerSecond: 1, Burst: 3},
	}}
	inBothForms(t, config, func(p *pair, profile oob.Profile) {
		other := p.issue(oobtest.IssueConfig{SPC: "890C"})
		p.publish(profile, p.Passport("1"))
		p.publish(profile, p.Passport("2"))
		a := p.Publish(profile, p.Passport("3"))
		p.retryAfter(p.refused(a, oob.RateLimited), 10)
		p.created(p.by(other, p.Publish(profile, p.Passport("other")))) // one does not touch another
		for range 3 {
			p.send(p.by(p.Upstream, p.Retrieve(profile))) // nor one operation the other
		}
		p.retryAfter(p.refused(p.by(p.Upstream, p.Retrieve(profile)), oob.RateLimited), 1)
		p.wait(9 * second)
		p.retryAfter(p.refused(a, oob.RateLimited), 1) // being refused costs nothing
		p.wait(second)
		p.created(a)
		// Whoever is not proven spends nobody's share.
		p.wait(10 * second)
		forger := *p.Downstream
		forger.SPC, forger.X5U = p.Upstream.SPC, p.Upstream.X5U
		for range 5 {
			p.refused(p.by(&forger, p.Publish(profile, p.Passport("forged"))), oob.Unproven)
		}
		p.publish(profile, p.Passport("4"))
	})
}

func TestQuotaOfAPublisher(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{Store: store.Config{PublisherRecords: 2}}, func(p *pair, profile oob.Profile) {
		other := p.issue(oobtest.IssueConfig{SPC: "890C"})
		one, two, three := p.Passport("1"), p.Passport("2"), p.Passport("3")
		p.publish(profile, one)
		p.wait(second)
		p.publish(profile, two)
		a := p.Publish(profile, three)
		got := p.refused(a, oob.QuotaExceeded)
		if wait, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 15 {
			p.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
		}
		p.created(p.by(other, p.Publish(profile, p.Passport("other"))))
		if profile == oob.Agreed {
			p.holds(profile, two, one)
		}
		p.wait(14 * second) // the first has expired
		p.created(a)
	})
}

func TestFullShelfIs503AndLosesNothing(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{Store: store.Config{Records: 2}}, func(p *pair, profile oob.Profile) {
		one, two, three := p.Passport("1"), p.Passport("2"), p.Passport("3")
		p.publish(profile, one)
		p.wait(second)
		p.publish(profile, two)
		a := p.Publish(profile, three)
		got := p.refused(a, oob.Overloaded)
		if wait, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 15 {
			p.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
		}
		p.refused(p.by(p.issue(oobtest.IssueConfig{SPC: "890C"}), p.Publish(profile, three)), oob.Overloaded)
		p.holds(profile, two, one)
		p.wait(14 * second)
		p.created(a)
		p.holds(profile, three, two)
	})
}

func TestFullMemoryOfTokensIs503(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{Store: store.Config{Tokens: 2}})
	p.publish(oob.Agreed, p.Passport("1"))
	p.holds(oob.Agreed, p.Passport("1"))
	for _, a := range []*oobtest.Attempt{p.Retrieve(oob.Agreed), p.Publish(oob.Agreed, p.Passport("2"))} {
		if got := p.refused(a, oob.Overloaded); got.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	p.wait(62 * second)
	p.publish(oob.Agreed, p.Passport("3"))
	p.holds(oob.Agreed, p.Passport("3"))
}

func TestHealthFailsWithTheStore(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	if err := p.CPS.Service.Health(); err != nil {
		t.Fatal(err)
	}
	p.CPS.Store.Close()
	got := p.refused(&oobtest.Attempt{Method: "GET", Path: "/health", Authorization: []string{}}, oob.Overloaded)
	if got.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	p.refused(p.Publish(oob.Mesh, p.Passport("x")), oob.Draining)
}

// TestTokenThatGrowsStaleWhileProvenIsRefused: a token is remembered until it is stale; one that was used after that could
// be used again.
func TestTokenThatGrowsStaleWhileProvenIsRefused(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	a := p.Retrieve(oob.Mesh)
	a.Access.IssuedAt = p.Clock.Now().Add(-59 * time.Second)
	request := cps.Request{Key: p.Key(oob.Mesh), Access: a.Access, Prove: func(context.Context, string) (oob.Principal, error) {
		p.Clock.Advance(2 * time.Second) // waiting for a certificate
		return oob.Principal{SPC: a.Access.Issuer}, nil
	}}
	if _, _, err := p.CPS.Service.Retrieve(context.Background(), request); !errors.Is(err, oob.TokenStale) {
		t.Errorf("got %v, want %v", err, oob.TokenStale)
	}
}

// TestMeshAnswersPublishersInTurn: who publishes more for two numbers than another cannot push the other's record back.
func TestMeshAnswersPublishersInTurn(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	genuine := p.Passport("genuine")
	p.created(p.Publish(oob.Mesh, genuine))
	hostile := p.issue(oobtest.IssueConfig{SPC: "BAD1"})
	var flood []string // newest first
	for i := range 8 {
		p.wait(time.Millisecond)
		flood = append([]string{p.Passport("hostile " + strconv.Itoa(i))}, flood...)
		p.created(p.by(hostile, p.Publish(oob.Mesh, flood[0])))
	}
	p.brings(p.Retrieve(oob.Mesh), append([]string{flood[0], genuine}, flood[1:]...)...)
}
