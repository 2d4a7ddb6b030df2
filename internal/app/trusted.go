package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
	"github.com/viaduct-oob/viaduct/trust/crl"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// trustPlan is what a configuration says of whom to believe, with its files read.
type trustPlan struct {
	anchors    []*x509.Certificate
	numbers    *stircert.NumberData
	laboratory trust.Laboratory
	list       *listPlan       // nil without
	revocation *revocationPlan // nil without
}

type listPlan struct {
	keeper  stipa.Config[*stipa.List] // without what takes the list
	signers stipa.SignersConfig
}

type revocationPlan struct {
	keeper  stipa.Config[*crl.List] // without what takes the list
	signers stipa.CRLSigners
	issuer  string // of all signers, as stircert.NameKey
	urls    []string
	policy  trust.RevocationPolicy
}

// trusted is what a server believes: the anchors of its files and those of the STI-PA's list together, less what the
// revocation list has.
type trusted struct {
	verifier   *trust.Verifier
	log        *slog.Logger
	list       *stipa.Keeper[*stipa.List] // nil without
	revocation *stipa.Keeper[*crl.List]   // nil without

	running sync.WaitGroup
	stop    context.CancelFunc

	mu      sync.Mutex
	plan    *trustPlan          // guarded by mu
	listed  []*x509.Certificate // guarded by mu
	anchors int                 // in use; guarded by mu
}

// newTrusted takes up what files and the disk have, so that it is believed and refused from the first request on.
func newTrusted(p *trustPlan, verifier *trust.Verifier, logger *slog.Logger) (*trusted, error) {
	t := &trusted{plan: p, verifier: verifier, log: logger, stop: func() {}}
	if err := t.setAnchors(); err != nil {
		return nil, err
	}
	verifier.SetNumbers(p.numbers)
	if p.list != nil {
		signers, err := stipa.NewSigners(p.list.signers)
		if err != nil {
			return nil, fmt.Errorf("trust.list: %w", err)
		}
		cfg := p.list.keeper
		cfg.Check, cfg.Log = signers.Check, logger
		cfg.Accept = func(list *stipa.List) { t.setListed(list.Certificates) }
		cfg.Withdraw = func() { t.setListed(nil) }
		if t.list, err = stipa.New(cfg); err != nil {
			return nil, fmt.Errorf("trust.list: %w", err)
		}
	}
	if p.revocation != nil {
		if err := t.setRevoked(nil); err != nil {
			return nil, err
		}
		cfg := p.revocation.keeper
		cfg.Check, cfg.Log = p.revocation.signers.Check, logger
		cfg.Accept = func(list *crl.List) { t.note(t.setRevoked(list)) }
		cfg.Withdraw = func() { t.note(t.setRevoked(nil)) }
		var err error
		if t.revocation, err = stipa.New(cfg); err != nil {
			return nil, fmt.Errorf("trust.revocation: %w", err)
		}
	}
	return t, nil
}

// run keeps what is believed up to date until close.
func (t *trusted) run(ctx context.Context) {
	ctx, t.stop = context.WithCancel(ctx)
	if t.list != nil {
		t.running.Go(func() { t.list.Run(ctx) })
	}
	if t.revocation != nil {
		t.running.Go(func() { t.revocation.Run(ctx) })
	}
}

func (t *trusted) close() {
	t.stop()
	t.running.Wait()
}

// reload takes the files that a plan has read, and looks at the sources at once. Other sources need a restart.
func (t *trusted) reload(p *trustPlan) error {
	t.mu.Lock()
	was := t.plan
	next := *was
	next.anchors, next.numbers = p.anchors, p.numbers
	if was.list != nil && p.list != nil {
		next.list = &listPlan{keeper: was.list.keeper, signers: p.list.signers}
	}
	if was.revocation != nil && p.revocation != nil {
		revocation := *was.revocation
		revocation.signers, revocation.issuer = p.revocation.signers, p.revocation.issuer
		next.revocation = &revocation
	}
	t.plan = &next
	t.mu.Unlock()
	if err := t.setAnchors(); err != nil { // more than there may be
		t.mu.Lock()
		t.plan = was
		t.mu.Unlock()
		return fmt.Errorf("trust: %w", err)
	}
	t.verifier.SetNumbers(p.numbers)
	if t.list != nil {
		if !sameSigners(was.list.signers, next.list.signers) {
			signers, err := stipa.NewSigners(next.list.signers)
			if err != nil {
				return fmt.Errorf("trust.list: %w", err)
			}
			t.list.SetCheck(signers.Check)
		}
		t.list.Refresh()
	}
	if t.revocation != nil {
		if !slices.EqualFunc(was.revocation.signers, next.revocation.signers, (*x509.Certificate).Equal) {
			t.revocation.SetCheck(next.revocation.signers.Check)
		}
		t.revocation.Refresh()
	}
	return nil
}

func sameSigners(a, b stipa.SignersConfig) bool {
	return slices.EqualFunc(a.Pinned, b.Pinned, (*x509.Certificate).Equal) &&
		(a.Roots == nil) == (b.Roots == nil) && (a.Roots == nil || a.Roots.Equal(b.Roots))
}

// numberData is what is known of whose numbers are whose.
func (t *trusted) numberData() *stircert.NumberData {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.plan.numbers
}

func (t *trusted) setListed(certs []*x509.Certificate) {
	t.mu.Lock()
	t.listed = certs
	t.mu.Unlock()
	t.note(t.setAnchors())
}

// setAnchors lets the verifier believe in the anchors of both sources.
func (t *trusted) setAnchors() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []*x509.Certificate
	seen := map[string]bool{}
	for _, cert := range slices.Concat(t.plan.anchors, t.listed) {
		if !seen[string(cert.Raw)] {
			seen[string(cert.Raw)] = true
			all = append(all, cert)
		}
	}
	anchors, err := trust.NewAnchors(all...)
	if err != nil {
		return err
	}
	t.anchors = anchors.Len()
	t.verifier.SetAnchors(anchors)
	return nil
}

// anchorCount is how many anchors are in use.
func (t *trusted) anchorCount() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.anchors
}

// setRevoked lets the verifier ask a list; nil when there is none yet.
func (t *trusted) setRevoked(list *crl.List) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.plan.revocation
	source := trust.RevocationSource{List: list, Issuer: p.issuer, URLs: p.urls}
	revocations, err := trust.NewRevocations(p.policy, source)
	if err != nil {
		return err
	}
	t.verifier.SetRevocations(revocations)
	return nil
}

// note logs what cannot be returned to anybody.
func (t *trusted) note(err error) {
	if err != nil {
		t.log.Error("what was accepted cannot be used; what was in use stays", "error", err.Error())
	}
}

// resolveTrust reads what trust names. needed says that somebody has to be believed.
func resolveTrust(c *TrustConfig, needed bool, note func(string, error)) *trustPlan {
	p := &trustPlan{laboratory: trust.Laboratory{Hosts: c.Laboratory.Hosts}}
	_, err := trust.LoadAnchors(c.Anchors...) // which is stricter than we are
	note("$.trust.anchors", plain(err))
	if err == nil {
		p.anchors, err = loadCertificates(c.Anchors)
		note("$.trust.anchors", plain(err))
		if needed && len(c.Anchors) == 0 && !c.List.Source.given() {
			note("$.trust.anchors", errors.New("needs at least one file of trusted STI-CA certificates, or trust.list their list; without one nobody is believed"))
		}
	}
	if p.laboratory.Roots, err = loadPool(c.Laboratory.Roots); err != nil {
		note("$.trust.laboratory.roots", plain(err))
	}
	if c.Numbers != "" {
		p.numbers, err = trust.LoadNumberData(c.Numbers)
		note("$.trust.numbers", plain(err))
	}
	p.list = resolveList(c, p.laboratory, note)
	p.revocation = resolveRevocation(c, note)
	return p
}

func resolveList(c *TrustConfig, laboratory trust.Laboratory, note func(string, error)) *listPlan {
	if !c.List.Source.given() {
		if len(c.List.Signers) > 0 || len(c.List.Roots) > 0 || len(c.List.X5UHosts) > 0 {
			note("$.trust.list.source", errors.New("is needed: url or file"))
		}
		return nil
	}
	p := &listPlan{}
	p.keeper = stipa.Config[*stipa.List]{
		Name: "sti-ca-list", BytesMax: stipa.ListBytesMax, Directory: c.CacheDir, StopWhenExpired: c.List.Expired == "stop",
		Refresh: time.Duration(c.List.Source.Refresh), AlarmAfter: time.Duration(c.List.Source.AlarmAfter),
	}
	p.keeper.Source = c.List.Source.resolve("$.trust.list.source", "application/jose+json, application/json", note)
	if c.List.Expired != "keep" && c.List.Expired != "stop" {
		note("$.trust.list.expired", errors.New("is keep or stop"))
	}
	var err error
	if p.signers.Pinned, err = loadCertificates(c.List.Signers); err != nil {
		note("$.trust.list.signers", plain(err))
		return p
	}
	if p.signers.Roots, err = loadPool(c.List.Roots); err != nil {
		note("$.trust.list.roots", plain(err))
		return p
	}
	if p.signers.X5UHosts = c.List.X5UHosts; len(p.signers.X5UHosts) > 0 {
		p.signers.Repository = trust.NewRepository(trust.RepositoryConfig{Deadline: time.Duration(c.FetchTimeout), Laboratory: laboratory})
	}
	if _, err := stipa.NewSigners(p.signers); err != nil {
		note("$.trust.list.signers", err)
	}
	return p
}

func resolveRevocation(c *TrustConfig, note func(string, error)) *revocationPlan {
	r := &c.Revocation
	if !r.Source.given() {
		if len(r.Signers) > 0 || len(r.DistributionURLs) > 0 || r.Refuse != (RefuseConfig{}) {
			note("$.trust.revocation.source", errors.New("is needed: url or file"))
		}
		return nil
	}
	p := &revocationPlan{urls: r.DistributionURLs, policy: trust.RevocationPolicy{
		RefuseNoList: r.Refuse.NoList, RefuseListExpired: r.Refuse.ListExpired,
		RefuseNoPoint: r.Refuse.NoPoint, RefuseForeignPoint: r.Refuse.ForeignPoint,
	}}
	p.keeper = stipa.Config[*crl.List]{
		Name: "revocation-list", BytesMax: crl.BytesMax, Directory: c.CacheDir,
		Refresh: time.Duration(r.Source.Refresh), AlarmAfter: time.Duration(r.Source.AlarmAfter),
	}
	p.keeper.Source = r.Source.resolve("$.trust.revocation.source", "application/pkix-crl", note)
	signers, err := loadCertificates(r.Signers)
	if err == nil {
		p.signers = signers
		p.issuer, err = issuerOf(signers)
	}
	note("$.trust.revocation.signers", plain(err))
	return p
}

// issuerOf gives the one name of all who may sign the revocation list.
func issuerOf(signers []*x509.Certificate) (string, error) {
	if len(signers) == 0 {
		return "", errors.New("needs the certificate of who signs the revocation list")
	}
	issuer := ""
	for i, cert := range signers {
		name, err := stircert.NameKey(cert.RawSubject)
		if err != nil {
			return "", err
		}
		if i > 0 && name != issuer {
			return "", errors.New("are certificates of several issuers; a revocation list has one")
		}
		issuer = name
	}
	return issuer, nil
}
