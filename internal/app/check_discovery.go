package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/discovery/ocnlist"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/trust"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// sources are those that are configured, in their order.
func (c DiscoveryConfig) sources() []string {
	given := map[string]bool{
		"certificate": c.Certificate.OID != "", "file": c.File != "", "list": c.List.Source.given(),
		"advertisements": len(c.Advertisements.URLs) > 0, "dns": c.DNS.Numbers != "" || c.DNS.Providers != "",
	}
	return slices.DeleteFunc(slices.Clone(c.Order), func(name string) bool { return !given[name] })
}

// describeFinding says how numbers and CPSs would be looked up, and tells whether all is well.
func describeFinding(out io.Writer, file *configFile, p *plan) (good bool, err error) {
	if n := p.numbers; n != nil {
		fmt.Fprint(out, "whose a number is:")
		if n.file != nil {
			fmt.Fprintf(out, " file of %d rows", n.file.State().Rows)
		}
		if n.http != nil {
			fmt.Fprint(out, " server")
		}
		if n.dns != nil {
			fmt.Fprint(out, " DNS")
		}
		fmt.Fprintln(out)
	} else if p.cps != nil && slices.Contains(p.cps.profiles, oob.RFC9888) && len(file.CPS.Everything) == 0 {
		fmt.Fprintln(out, "whose a number is: not known; in rfc9888 certificates that name a provider read nothing (numbers, cps.everything)")
	}
	sources := file.Discovery.sources()
	if len(sources) == 0 {
		return true, nil
	}
	fmt.Fprintf(out, "CPSs of others by: %s\n", strings.Join(sources, ", "))
	if !slices.Contains(sources, "list") {
		return true, nil
	}
	return describeCPSList(out, file)
}

// describeCPSList says what is held of the list, as what is said of the lists of trust: of a file what it has, else what the disk
// has kept. It asks nobody and writes nothing.
func describeCPSList(out io.Writer, file *configFile) (good bool, err error) {
	o := &discoverer{DiscoveryConfig: file.Discovery, trust: &TrustConfig{}, log: slog.New(slog.DiscardHandler), made: &discovered{}}
	if file.Discovery.List.Source.File == "" {
		o.trust = &file.Trust
	}
	if _, err := o.openList(); err != nil {
		return false, fmt.Errorf("discovery.list: %w", err)
	}
	source := stipa.Source{URL: file.Discovery.List.Source.URL, File: file.Discovery.List.Source.File}
	return writeKept(out, "list of CPSs", source, o.made.list.State()), nil
}

// checkDiscovery refuses what cannot be used.
func checkDiscovery(file *configFile, note func(string, error)) {
	c := &file.Discovery
	for i, name := range c.Order {
		at := fmt.Sprintf("$.discovery.order[%d]", i)
		if discoverySources[name] == nil {
			note(at, errors.New("is one of certificate, file, list, advertisements, dns"))
		} else if slices.Index(c.Order, name) < i {
			note(at, errors.New("is listed twice"))
		}
	}
	if c.given() && len(c.sources()) == 0 {
		note("$.discovery.order", errors.New("leaves out every source that is configured"))
	}
	if c.Certificate.OID != "" {
		_, err := c.Certificate.form()
		note("$.discovery.certificate.oid", err)
	} else if c.Certificate.Attributes || c.Certificate.Strict {
		note("$.discovery.certificate.oid", errors.New("is needed: which extension names the CPS?"))
	}
	if c.File != "" {
		_, err := discovery.NewFile(c.File)
		note("$.discovery.file", plain(err))
	}
	checkCPSList(&c.List, note)
	checkAdvertisements(file, note)
	if c.DNS.Numbers != "" || c.DNS.Providers != "" {
		_, err := (&discoverer{DiscoveryConfig: *c}).dns()
		note("$.discovery.dns", err)
	} else if len(c.DNS.Servers)+len(c.DNS.Within) > 0 || c.DNS.Path != "" || c.DNS.TrustAuthenticated {
		note("$.discovery.dns", errors.New("needs the suffix of numbers or of providers: where in the DNS are they?"))
	}
}

func checkCPSList(c *CPSListConfig, note func(string, error)) {
	switch {
	case c.Source.given():
		c.Source.resolve("$.discovery.list.source", ocnlist.MediaType, note)
		pinned, err := loadCertificates(c.Signers)
		note("$.discovery.list.signers", plain(err))
		if err == nil {
			_, err = stipa.NewSigners(stipa.SignersConfig{Pinned: pinned})
			note("$.discovery.list.signers", err)
		}
	case len(c.Signers) > 0:
		note("$.discovery.list.source", errors.New("is needed: url or file"))
	}
}

func checkAdvertisements(file *configFile, note func(string, error)) {
	c := file.Discovery.Advertisements
	note("$.discovery.advertisements.dir", checkDir(c.Dir))
	if c.Dir != "" && len(c.URLs) == 0 {
		note("$.discovery.advertisements.urls", errors.New("is needed: where are CPSs advertised?"))
	}
	for i, url := range c.URLs {
		at := fmt.Sprintf("$.discovery.advertisements.urls[%d]", i)
		if trust.CheckX5U(url, trust.Laboratory{Hosts: file.Trust.Laboratory.Hosts}) != nil {
			note(at, errors.New("is such as https://cps.example.net/.well-known/stir-cps: the URL is https, on port 443 or 8443, or of a host in trust.laboratory.hosts"))
		} else if slices.Index(c.URLs, url) < i {
			note(at, errors.New("is listed twice"))
		}
	}
	if c.Refresh < refreshMin || c.Refresh > refreshMax {
		note("$.discovery.advertisements.refresh", fmt.Errorf("is between %s and %s", refreshMin, refreshMax))
	}
	if c.NumbersMax == 0 {
		note("$.discovery.advertisements.numbers_max", errors.New("must be above zero"))
	}
	if c.LifetimeMax <= 0 {
		note("$.discovery.advertisements.lifetime_max", errors.New("must be above 0s"))
	}
}
