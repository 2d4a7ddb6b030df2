package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// The providers of the demonstration.
const (
	originatingSPC = "1234" // where calls begin
	transitSPC     = "567B" // between two TDM trunks
	terminatingSPC = "890C" // where calls arrive
	revokedSPC     = "666R" // whose certificate has been revoked
	delegate       = "acme" // an enterprise with a certificate for numbers of its own
)

// The numbers for which the delegate's certificate is.
const delegateNumbers = "12155550140-12155550149"

// country is what the demonstration plays on: a laboratory on disk, its repository, two CPSs that `viaduct serve` would
// start just so, and three providers. Everything is real but the TDM trunk.
type country struct {
	dir        string
	repository *http.Server
	cps        *server // inspects what it stores
	careless   *server // does not, as not all CPSs will
	providers  map[string]*provider

	stop    context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	failed  error // guarded by mu: a server that ended by itself
}

// provider is one telephone company: it signs, publishes, retrieves and verifies.
type provider struct {
	spc      string
	signs    *stias.Service
	client   *cpsclient.Client // of the CPS that all have agreed on
	verifies *stivs.Service
	verifier *trust.Verifier
	memory   *stivs.Memory // of the calls that have arrived, whichever CPS was asked
	signer   Signer
	roots    []string
}

// openCountry builds it. The caller closes it.
func openCountry() (c *country, err error) {
	ctx, stop := context.WithCancel(context.Background())
	c = &country{providers: map[string]*provider{}, stop: stop}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if c.dir, err = os.MkdirTemp("", "viaduct-demo-"); err != nil {
		return c, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return c, err
	}
	lab := LabInit{
		Dir: c.dir, SPC: []string{originatingSPC, transitSPC, terminatingSPC, revokedSPC},
		Delegate:   map[string]string{delegate: delegateNumbers},
		Repository: listener.Addr().String(), CPS: "127.0.0.1:0", Management: "127.0.0.1:0",
	}
	if err = lab.write(); err != nil {
		return c, errors.Join(err, listener.Close())
	}
	if err = (&LabRevoke{Dir: c.dir, SPC: []string{revokedSPC}}).Run(&Streams{Out: io.Discard}); err != nil {
		return c, errors.Join(err, listener.Close())
	}
	c.repository = newRepositoryServer(c.dir)
	c.spawn(func() error {
		return c.repository.ServeTLS(listener, filepath.Join(c.dir, labTLS, "repository.pem"), filepath.Join(c.dir, labTLS, "repository-key.pem"))
	})
	if c.cps, err = c.openCPS(ctx, "verify"); err != nil {
		return c, err
	}
	if c.careless, err = c.openCPS(ctx, "off"); err != nil {
		return c, err
	}
	for _, spc := range lab.SPC {
		if c.providers[spc], err = c.openProvider(spc); err != nil {
			return c, err
		}
	}
	return c, nil
}

// spawn runs one server until the country is closed.
func (c *country) spawn(serve func() error) {
	c.running.Go(func() {
		if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.failed = errors.Join(c.failed, err)
		}
	})
}

// openCPS starts a CPS from the configuration that lab init wrote, on free ports.
func (c *country) openCPS(ctx context.Context, depth string) (*server, error) {
	file, err := readConfig(filepath.Join(c.dir, labConfig))
	if err != nil {
		return nil, err
	}
	file.CPS.Inspect.Depth = depth
	s, err := open(file, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	c.spawn(func() error { return s.run(ctx) })
	return s, nil
}

func (s *server) url() string { return "https://" + s.publicListener.Addr().String() }

func (c *country) openProvider(spc string) (*provider, error) {
	p := &provider{spc: spc, signer: Signer{Lab: c.dir, SPC: spc}, roots: []string{filepath.Join(c.dir, labTLSRoot)}}
	credential, err := p.signer.credential()
	if err != nil {
		return nil, err
	}
	own, err := tn.ParseRange("12155550100-12155550199")
	if err != nil {
		return nil, err
	}
	if p.signs, err = stias.New(stias.Config{
		SPC: spc, Credential: credential, Policy: stias.Policy{Own: []tn.Range{own}, Customers: []string{"acme"}},
	}); err != nil {
		return nil, err
	}
	if p.client, err = p.dial(c.cps.url()); err != nil {
		return nil, err
	}
	if p.verifier, err = (&Believer{}).open(c.dir, time.Now); err != nil {
		return nil, err
	}
	p.memory = stivs.NewMemory(oob.Freshness{}, 0)
	p.verifies, err = p.verification(p.client)
	return p, err
}

// dial makes a client of one CPS. A call does not wait long: what has not come within a second does not come.
func (p *provider) dial(url string) (*cpsclient.Client, error) {
	key, err := p.signer.load()
	if err != nil {
		return nil, err
	}
	roots, err := loadPool(p.roots)
	if err != nil {
		return nil, err
	}
	return cpsclient.New(cpsclient.Config{
		CPSs: []cpsclient.CPS{{URL: url, Audience: "localhost"}}, SPC: p.spc, Key: key, X5U: p.signer.X5U,
		RootCAs: roots, Budget: time.Second,
	})
}

func (p *provider) verification(retriever oob.Retriever) (*stivs.Service, error) {
	return stivs.New(stivs.Config{
		Verifier: p.verifier, Retriever: retriever, Memory: p.memory, Accept: []passport.Type{passport.Base},
	})
}

// close stops everything and removes the laboratory.
func (c *country) close() error {
	c.stop()
	for _, p := range c.providers {
		if p == nil {
			continue
		}
		p.client.Close()
		p.verifier.Close()
	}
	if c.repository != nil {
		_ = c.repository.Close()
	}
	c.running.Wait()
	return errors.Join(c.failed, os.RemoveAll(c.dir))
}

// tdm is the trunk: it keeps the two numbers and nothing else. What the Identity header said is gone.
func tdm(signalled sipCall) tdmCall { return tdmCall{orig: signalled.orig, dest: signalled.dest} }

// sipCall is a call where it is signalled with SIP.
type sipCall struct {
	orig, dest tn.Identity
	identity   []string // Identity header values
}

// tdmCall is a call on a TDM trunk.
type tdmCall struct{ orig, dest tn.Identity }

// agreedKey is the slot of a call in the agreed form: the far side knows from the trunk who is upstream.
func (t tdmCall) agreedKey(upstreamSPC string) oob.Key {
	return oob.Key{Profile: oob.Agreed, SPC: upstreamSPC, Dest: t.dest, Orig: t.orig}
}

// meshKey is the slot of a call in the mesh form.
func (t tdmCall) meshKey() oob.Key { return oob.Key{Profile: oob.Mesh, Dest: t.dest, Orig: t.orig} }

// number is for the numbers of this file's country.
func number(canonical string) (tn.Identity, error) {
	n, err := tn.ParseNumber(canonical)
	if err != nil {
		return tn.Identity{}, fmt.Errorf("demonstration: %w", err)
	}
	return tn.Of(n), nil
}
