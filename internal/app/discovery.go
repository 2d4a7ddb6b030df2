package app

import (
	"context"
	"encoding/asn1"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/discovery/ocnlist"
	"github.com/viaduct-oob/viaduct/internal/dnsclient"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// discovered finds the CPSs of others, where the configuration says to look.
type discovered struct {
	resolver *discovery.Resolver
	file     *discovery.File // nil without; so are the others
	book     *advert.Book
	fetcher  *advert.Fetcher
	list     *ocnlist.Source

	running sync.WaitGroup
	stop    context.CancelFunc
}

// discoverySources open one source each; what is not configured is nil.
var discoverySources = map[string]func(*discoverer) (discovery.Source, error){
	"certificate":    (*discoverer).certificate,
	"file":           (*discoverer).openFile,
	"list":           (*discoverer).openList,
	"advertisements": (*discoverer).openBook,
	"dns":            (*discoverer).dns,
}

// discoverer opens sources.
type discoverer struct {
	DiscoveryConfig
	trust      *TrustConfig
	ctx        context.Context
	verifier   *trust.Verifier
	numbers    func() *stircert.NumberData
	laboratory trust.Laboratory
	log        *slog.Logger
	made       *discovered
}

// given tells whether CPSs of others are looked for anywhere.
func (c DiscoveryConfig) given() bool {
	return c.File != "" || c.Certificate.OID != "" || c.List.Source.given() || len(c.Advertisements.URLs) > 0 ||
		c.DNS.Numbers != "" || c.DNS.Providers != ""
}

// openDiscovery opens all sources; nil when there are none.
func openDiscovery(ctx context.Context, file *configFile, p *trustPlan, believed *trusted, numbering oob.Numbering, verifier *trust.Verifier, logger *slog.Logger) (d *discovered, err error) {
	if !file.Discovery.given() {
		return nil, nil
	}
	d = &discovered{stop: func() {}}
	o := &discoverer{
		DiscoveryConfig: file.Discovery, trust: &file.Trust, ctx: ctx, verifier: verifier, laboratory: p.laboratory, log: logger, made: d,
		numbers: believed.numberData,
	}
	config := discovery.Config{Numbering: numbering}
	for _, name := range o.Order {
		source, err := discoverySources[name](o)
		if err != nil {
			return nil, fmt.Errorf("discovery.%s: %w", name, err)
		}
		if source == nil {
			continue
		}
		place := discovery.Place{Source: source}
		if name == "dns" {
			place.Pace = &discovery.Pace{}
		}
		config.Places = append(config.Places, place)
	}
	d.resolver, err = discovery.New(config)
	return d, err
}

func (o *discoverer) certificate() (discovery.Source, error) {
	if o.Certificate.OID == "" {
		return nil, nil
	}
	form, err := o.Certificate.form()
	if err != nil {
		return nil, err
	}
	return discovery.NewCertificate(form)
}

func (c CertificateURIConfig) form() (stircert.CPSForm, error) {
	var oid asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(c.OID, ".") {
		n, err := strconv.ParseUint(arc, 10, 31)
		if err != nil {
			return stircert.CPSForm{}, errors.New("is an object identifier such as 1.3.6.1.4.1.99999.1")
		}
		oid = append(oid, int(n))
	}
	form := stircert.CPSForm{OID: oid, Attributes: c.Attributes, Strict: c.Strict}
	return form, form.Check()
}

func (o *discoverer) openFile() (_ discovery.Source, err error) {
	if o.File == "" {
		return nil, nil
	}
	if o.made.file, err = discovery.NewFile(o.File); err != nil {
		return nil, plain(err)
	}
	return o.made.file, nil
}

func (o *discoverer) openList() (_ discovery.Source, err error) {
	if !o.List.Source.given() {
		return nil, nil
	}
	pinned, err := loadCertificates(o.List.Signers)
	if err != nil {
		return nil, plain(err)
	}
	signers, err := stipa.NewSigners(stipa.SignersConfig{Pinned: pinned})
	if err != nil {
		return nil, err
	}
	o.made.list, err = ocnlist.New(ocnlist.Config{Signers: signers, Keep: stipa.Config[*ocnlist.List]{
		Source: o.List.Source.resolve("", ocnlist.MediaType, func(string, error) {}), Directory: o.trust.CacheDir,
		Refresh: time.Duration(o.List.Source.Refresh), AlarmAfter: time.Duration(o.List.Source.AlarmAfter), Log: o.log,
	}})
	if err != nil {
		return nil, err
	}
	return o.made.list, nil
}

func (o *discoverer) openBook() (_ discovery.Source, err error) {
	c := o.Advertisements
	if len(c.URLs) == 0 {
		return nil, nil
	}
	checker, err := advert.NewChecker(advert.CheckerConfig{
		Verifier: o.verifier, Numbers: o.numbers, NumbersMax: c.NumbersMax, LifetimeMax: time.Duration(c.LifetimeMax),
	})
	if err != nil {
		return nil, err
	}
	if o.made.book, err = advert.NewBook(o.ctx, advert.BookConfig{Checker: checker, Directory: c.Dir, Log: o.log}); err != nil {
		return nil, err
	}
	o.made.fetcher, err = advert.NewFetcher(advert.FetcherConfig{
		Book: o.made.book, URLs: c.URLs, Laboratory: o.laboratory, Refresh: time.Duration(c.Refresh), Log: o.log,
	})
	if err != nil {
		return nil, err
	}
	return o.made.book, nil
}

func (o *discoverer) dns() (discovery.Source, error) {
	if o.DNS.Numbers == "" && o.DNS.Providers == "" {
		return nil, nil
	}
	client, err := dnsclient.New(dnsclient.Config{Servers: o.DNS.Servers})
	if err != nil {
		return nil, err
	}
	return discovery.NewDNS(discovery.DNSConfig{
		Client: client, Numbers: o.DNS.Numbers, Providers: o.DNS.Providers, Path: o.DNS.Path, Within: o.DNS.Within,
		TrustAuthenticated: o.DNS.TrustAuthenticated,
	})
}

// run keeps the sources up to date until close.
func (d *discovered) run(ctx context.Context) {
	ctx, d.stop = context.WithCancel(ctx)
	if d.list != nil {
		d.running.Go(func() { d.list.Run(ctx) })
	}
	if d.book != nil {
		d.running.Go(func() { d.book.Run(ctx) })
		d.running.Go(func() { d.fetcher.Run(ctx) })
	}
}

func (d *discovered) close() {
	if d == nil {
		return
	}
	d.stop()
	d.running.Wait()
	if d.resolver != nil {
		d.resolver.Close()
	}
}

// reload reads the provisioned file again. What was read before stays when it cannot be.
func (d *discovered) reload() error {
	if d == nil || d.file == nil {
		return nil
	}
	return d.file.Load()
}
