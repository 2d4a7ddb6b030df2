package app

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/internal/hsm"
	"github.com/viaduct-oob/viaduct/internal/relay"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/trust"
)

// RelayConfig is how a CPS takes part in a mesh: whom it passes on to what providers publish, and whose relays it takes.
type RelayConfig struct {
	Peers            []RelayPeerConfig `yaml:"peers"`
	Discover         bool              `yaml:"discover"`
	PrivateAddresses bool              `yaml:"private_addresses"`
	SPC              OptionalSPC       `yaml:"spc"`
	Key              string            `yaml:"key"`
	X5U              string            `yaml:"x5u"`
	TLSRoots         []string          `yaml:"tls_roots"`
	Spelling         string            `yaml:"spelling"`
	Timeout          Duration          `yaml:"timeout"`
	InFlight         int               `yaml:"in_flight"`
	Gather           Duration          `yaml:"gather"`
	Queue            RelayQueueConfig  `yaml:"queue"`
	Accept           []SPC             `yaml:"accept"`
	AcceptDiscovered bool              `yaml:"accept_discovered"`
	Token            string            `yaml:"token"`
	Rate             RateConfig        `yaml:"rate"`
}

// RelayPeerConfig is one CPS that is relayed to.
type RelayPeerConfig struct {
	URL      string `yaml:"url"`
	Audience string `yaml:"audience"`
}

// RelayQueueConfig bounds what waits for one CPS.
type RelayQueueConfig struct {
	Records int `yaml:"records"`
	Bytes   int `yaml:"bytes"`
}

// sends tells whether anything is passed on.
func (c *RelayConfig) sends() bool { return len(c.Peers) > 0 || c.Discover }

// takes tells whether anything is taken from others.
func (c *RelayConfig) takes() bool { return len(c.Accept) > 0 || c.AcceptDiscovered }

var relayTokenWords = words[bool]{"required": false, "optional": true}

// relayPlan is what a configuration says of relaying.
type relayPlan struct {
	peers         []cpsclient.CPS
	roots         *x509.CertPool
	key           crypto.Signer // nil when it is in a token, which is opened later
	spelling      oob.Action
	tokenOptional bool
}

// resolveRelay reads how the CPS takes part in a mesh.
func (p *cpsPlan) resolveRelay(file *configFile, note func(string, error)) {
	c := &file.CPS.Relay
	p.relay.tokenOptional = relayTokenWords.read("$.cps.relay.token", c.Token, note)
	if p.relay.spelling = oob.Action(c.Spelling); !slices.Contains(atis.RelayActions(), c.Spelling) {
		note("$.cps.relay.spelling", fmt.Errorf("is one of %s", strings.Join(atis.RelayActions(), ", ")))
	}
	for key, n := range map[string]int{"in_flight": c.InFlight, "queue.records": c.Queue.Records, "queue.bytes": c.Queue.Bytes, "timeout": int(c.Timeout)} {
		if n <= 0 {
			note("$.cps.relay."+key, errors.New("must be above zero"))
		}
	}
	if c.Gather < 0 || c.Gather > Duration(relay.GatherMax) {
		note("$.cps.relay.gather", fmt.Errorf("is from 0s to %s", relay.GatherMax))
	}
	if c.Rate.PerSecond <= 0 || c.Rate.Burst <= 0 {
		note("$.cps.relay.rate", errors.New("per_second and burst must be above zero"))
	}
	var err error
	p.relay.roots, err = loadPool(c.TLSRoots)
	note("$.cps.relay.tls_roots", plain(err))
	for i, spc := range c.Accept {
		if slices.Contains(file.CPS.Deny, spc) {
			note(fmt.Sprintf("$.cps.relay.accept[%d]", i), errors.New("stands in cps.deny, too"))
		}
	}
	if !c.sends() && !c.takes() {
		return
	}
	if !slices.ContainsFunc(p.profiles, func(profile oob.Profile) bool { return profile.Row().Relayed }) {
		note("$.cps.relay", errors.New("is for the form mesh, which is not served here"))
	}
	if (c.Discover || c.AcceptDiscovered) && !file.Discovery.listsProviders() {
		note("$.cps.relay", errors.New("discovers CPSs in discovery.list and discovery.advertisements, of which none is configured"))
	}
	p.resolveRelayPeers(c, note)
	if c.sends() {
		p.relay.resolveCredential(file, note)
	}
}

// listsProviders tells whether there is a source that can say who there is, and not only where somebody is.
func (c *DiscoveryConfig) listsProviders() bool {
	return slices.ContainsFunc(c.sources(), func(name string) bool { return name == "list" || name == "advertisements" })
}

func (p *cpsPlan) resolveRelayPeers(c *RelayConfig, note func(string, error)) {
	if len(c.Peers) > relay.PeersMax {
		note("$.cps.relay.peers", fmt.Errorf("more than %d", relay.PeersMax))
	}
	for i, peer := range c.Peers {
		at := fmt.Sprintf("$.cps.relay.peers[%d]", i)
		url, err := discovery.BaseURL(peer.URL)
		if err != nil {
			note(at+".url", errors.New("is https://host[:port], with a path where the CPS has one"))
			continue
		}
		if slices.ContainsFunc(p.relay.peers, func(known cpsclient.CPS) bool { return known.URL == url }) {
			note(at+".url", errors.New("is listed twice"))
		}
		if strings.ContainsAny(peer.Audience, "/:[] ") {
			note(at+".audience", errors.New("is a bare host name: no scheme, port or path"))
		}
		p.relay.peers = append(p.relay.peers, cpsclient.CPS{URL: url, Audience: peer.Audience})
	}
}

func (p *relayPlan) resolveCredential(file *configFile, note func(string, error)) {
	c := &file.CPS.Relay
	if c.SPC == "" || c.Key == "" || c.X5U == "" {
		note("$.cps.relay", errors.New("needs spc, key and x5u: other CPSs want to know who relays"))
		return
	}
	note("$.cps.relay.x5u", trust.CheckX5U(c.X5U, trust.Laboratory{Hosts: file.Trust.Laboratory.Hosts}))
	if hsm.IsURI(c.Key) {
		note("$.cps.relay.key", hsm.Acceptable(c.Key))
		return
	}
	key, err := readKey(c.Key)
	note("$.cps.relay.key", plain(err))
	if err == nil {
		p.key = key
	}
}
