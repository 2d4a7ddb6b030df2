package app

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/internal/hsm"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

// given tells whether anything is advertised.
func (c AdvertiseConfig) given() bool { return c.URL != "" || len(c.Resources) > 0 }

// Bounds of the life of an advertisement: others look for news every few minutes, and believe nothing that holds for longer than
// their discovery.advertisements.lifetime_max, a week unless they say otherwise.
const (
	lifetimeMin = Duration(time.Minute)
	lifetimeMax = Duration(7 * 24 * time.Hour)
)

// resolveAdvertise reads what the CPS says of itself.
func (p *cpsPlan) resolveAdvertise(file *configFile, note func(string, error)) {
	c := &file.CPS.Advertise
	if !c.given() {
		return
	}
	base, err := discovery.BaseURL(c.URL)
	if err != nil {
		note("$.cps.advertise.url", errors.New("is the https URL under which others reach this CPS"))
	}
	if len(c.Resources) == 0 {
		note("$.cps.advertise.resources", errors.New("needs at least one, such as 0-567A"))
	}
	for i, text := range c.Resources {
		resource, err := stircert.ParseResource(text)
		if err != nil {
			note(fmt.Sprintf("$.cps.advertise.resources[%d]", i), errors.New("is a provider as 0-567A, a range as 1-12155550100-50 (first and count), or a number as 2-12155550131"))
		}
		p.advertised = append(p.advertised, advert.Entry{Resource: resource, URL: base})
	}
	var public crypto.PublicKey
	if c.Key == "" || c.X5U == "" {
		note("$.cps.advertise", errors.New("needs key and x5u: an advertisement is signed"))
	} else if hsm.IsURI(c.Key) {
		note("$.cps.advertise.key", hsm.Acceptable(c.Key))
	} else {
		key, err := readKey(c.Key)
		note("$.cps.advertise.key", plain(err))
		if err == nil {
			public = key.Public()
		}
	}
	if c.Certificate != "" {
		chain, err := readChain(c.Certificate)
		note("$.cps.advertise.certificate", plain(err))
		if err == nil && public != nil && !chain.Leaf.Key.Equal(public) {
			note("$.cps.advertise.certificate", errors.New("is not that of key"))
		}
		p.advertises = chain
	}
	if c.X5U != "" {
		note("$.cps.advertise.x5u", trust.CheckX5U(c.X5U, trust.Laboratory{Hosts: file.Trust.Laboratory.Hosts}))
	}
	if c.Lifetime < lifetimeMin || c.Lifetime > lifetimeMax {
		note("$.cps.advertise.lifetime", fmt.Errorf("is between %s and %s: others believe nothing that holds for longer", lifetimeMin, lifetimeMax))
	}
}

// checkCovered compares what is advertised with the certificate, as everybody does who reads it. data says whose numbers are
// whose.
func (p *cpsPlan) checkCovered(data *stircert.NumberData, note func(string, error)) {
	if p.advertises == nil {
		return
	}
	for i, e := range p.advertised {
		if !e.Resource.IsZero() && !p.advertises.Leaf.TNAuthList.CoversResource(e.Resource, data) {
			note(fmt.Sprintf("$.cps.advertise.resources[%d]", i), errors.New("is not covered by the certificate (the numbers of a provider are those in trust.numbers): nobody would believe it"))
		}
	}
}

// describeAdvertised says what is advertised, and for how long that can be.
func (p *cpsPlan) describeAdvertised(out io.Writer, now time.Time) (good bool) {
	for _, e := range p.advertised {
		fmt.Fprintf(out, "  advertised as the CPS of %s at %s\n", e.Resource, e.URL)
	}
	if p.advertises == nil {
		return true
	}
	leaf := p.advertises.Leaf
	fmt.Fprintf(out, "    signed with a certificate until %s\n", leaf.NotAfter.UTC().Format(time.RFC3339))
	if err := leaf.CheckTime(now); err != nil {
		fmt.Fprintf(out, "    ALARM: nobody believes what is advertised: %v\n", err)
		return false
	}
	return true
}

// openAdvertiser signs for the first time; nil when nothing is advertised.
func openAdvertiser(c AdvertiseConfig, p *cpsPlan) (*advert.Advertiser, error) {
	if !c.given() {
		return nil, nil
	}
	key, err := openKey(c.Key)
	if err != nil {
		return nil, fmt.Errorf("cps.advertise.key: %w", err)
	}
	if p.advertises != nil && !p.advertises.Leaf.Key.Equal(key.Public()) { // a key in a token is opened here
		return nil, errors.New("cps.advertise.certificate is not that of cps.advertise.key")
	}
	return advert.NewAdvertiser(advert.AdvertiserConfig{
		Signer: advert.Signer{Key: key, X5U: c.X5U}, Entries: p.advertised, Lifetime: time.Duration(c.Lifetime),
	})
}
