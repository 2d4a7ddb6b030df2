package dip_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// Two providers on both ends of a TDM trunk, with a real CPS between them. The clock of all is the machine's.
type country struct {
	t                    *testing.T
	pki                  *oobtest.PKI
	repository           *oobtest.Repository
	cps                  *oobtest.CPS
	upstream, downstream *provider
}

type provider struct {
	*dip.Service
	identity *oobtest.Identity
	client   *cpsclient.Client
	verifies *stivs.Service
}

const (
	calling = "12155550121"
	called  = "12155550131"
)

func openCountry(t *testing.T) *country {
	t.Helper()
	c := &country{t: t}
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	c.must(err)
	repository, err := pki.StartRepository()
	c.must(err)
	t.Cleanup(func() { _ = repository.Close() })
	c.pki, c.repository = pki, repository
	c.cps, err = oobtest.StartCPS(pki, repository, oobtest.CPSConfig{})
	c.must(err)
	t.Cleanup(func() { _ = c.cps.Close() })
	open := func(spc string) *provider {
		p := &provider{}
		var err error
		p.identity, err = pki.Issue(oobtest.IssueConfig{SPC: spc})
		c.must(err)
		p.client, err = cpsclient.New(cpsclient.Config{
			CPSs: []cpsclient.CPS{{URL: c.cps.URL, Audience: oobtest.CPSAudience}}, SPC: spc, Key: p.identity.Key, X5U: p.identity.X5U,
			RootCAs: pki.TLSRoots(), Budget: 5 * time.Second, Timeout: 4 * time.Second,
		})
		c.must(err)
		t.Cleanup(p.client.Close)
		p.verifies, err = stivs.New(stivs.Config{Verifier: c.verifier(), Retriever: dip.Watched(p.client), Budget: trunk.BudgetMax})
		c.must(err)
		p.Service = c.newService(p.identity, stias.Policy{Own: []tn.Range{block("12155550100-12155550199")}, Customers: []string{"acme"}})
		return p
	}
	c.upstream, c.downstream = open(oobtest.UpstreamSPC), open(oobtest.DownstreamSPC)
	return c
}

func (c *country) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// verifier is a new one, which believes the laboratory.
func (c *country) verifier() *trust.Verifier {
	c.t.Helper()
	verifier, err := c.pki.Verifier(c.repository, trust.Config{}, nil)
	c.must(err)
	c.t.Cleanup(verifier.Close)
	return verifier
}

func (c *country) newService(identity *oobtest.Identity, policy stias.Policy) *dip.Service {
	c.t.Helper()
	signer, err := stias.New(stias.Config{
		SPC: identity.SPC, Credential: stias.Credential{Key: identity.Key, X5U: identity.X5U}, Policy: policy,
	})
	c.must(err)
	s, err := dip.New(dip.Config{SPC: identity.SPC, Signer: signer})
	c.must(err)
	return s
}

// on is a trunk of a provider.
func (p *provider) on(mode trunk.Mode) *dip.Trunk {
	return &dip.Trunk{
		Row: &trunk.Row{
			Name: mode.String(), Mode: mode, Profile: oob.Agreed, PeerSPC: oobtest.UpstreamSPC, CPS: []string{"lab"},
			Budget: trunk.BudgetMax, Numbering: trunk.Numbering{Plan: tn.NANP},
		},
		Publisher: p.client, Retriever: p.client, Verifies: p.verifies,
	}
}

func number(text string) tn.Identity {
	n, err := tn.ParseNumber(text)
	if err != nil {
		panic(err)
	}
	return tn.Of(n)
}

func block(text string) tn.Range {
	r, err := tn.ParseRange(text)
	if err != nil {
		panic(err)
	}
	return r
}

func call(id string) dip.Call {
	return dip.Call{ID: id, Parties: trunk.Parties{Orig: number(calling), Dest: number(called)}}
}

// silent is a CPS that never answers.
type silent struct{}

func (silent) Publish(ctx context.Context, _ oob.Publication) error {
	<-ctx.Done()
	return oob.Faultf(oob.PeerTimeout, "no answer")
}

func (silent) Retrieve(ctx context.Context, _ oob.Key) ([]string, error) {
	<-ctx.Done()
	return nil, oob.Faultf(oob.PeerTimeout, "no answer")
}

// failing gives one fault, whatever it is asked.
type failing struct{ err error }

func (f failing) Publish(context.Context, oob.Publication) error      { return f.err }
func (f failing) Retrieve(context.Context, oob.Key) ([]string, error) { return nil, f.err }

// counting counts what is published; the first of fail publications are refused.
type counting struct {
	mu   sync.Mutex
	fail int
	all  []oob.Publication
	gate chan struct{} // if not nil, a publication waits for it
}

func (c *counting) Publish(ctx context.Context, p oob.Publication) error {
	if c.gate != nil {
		<-c.gate
	}
	if ctx.Err() != nil {
		return oob.Faultf(oob.PeerTimeout, "too late")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, p)
	if len(c.all) <= c.fail {
		return oob.Faultf(oob.PeerFailed, "down").Because(errors.New("refused"))
	}
	return nil
}

func (c *counting) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}
