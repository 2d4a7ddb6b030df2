// Package load puts a load on a CPS, as many calls a second as are asked for, and measures how it bears it.
//
// Knows: which operations there are and in which mixture, when each is due, whose key signs it, what came of it, how long it
// took, how to show that. Never hears of: files, flags, how a CPS works inside, how a form is spoken (package cpsclient does).
//
//	schedule ──► prepare (signs ahead, on all cores) ──► drive (sends at the due instant) ──► recorder ──► Report
//
// # What is measured
//
// The loop is open: a request is due at an instant that was fixed before, whether or not earlier ones have been answered. Its
// latency counts from that instant, so that it holds what it waited for: in the generator, for a connection, in the CPS. A CPS
// that stands still for a second is charged with that second by every request that was due in it.
//
// Every request has a token and a PASSporT of its own. They are signed before the clock starts, for as many requests as
// Config.AheadMax and Config.Ahead allow; in a longer run the stock is filled up meanwhile, beside what is measured. No jti
// comes twice, so that nothing is a retry. Latencies are counted in HDR histograms of three digits, those of answers as they
// should be alone: a refusal is fast, and would flatter.
//
// The generator watches itself. A Report says how late it was with its own requests, how much processor time it took, whether a
// request had to wait for its signature or a connection had to be made; where that is more than little, the step is doubtful:
// it tells of the generator, not of the CPS.
//
// # Numbers
//
// Callers have the numbers 555-0100 to 555-0199 of all North American area codes, which are kept for fiction. Called numbers
// begin with 999, a country code that is not in use, unless a provider says which numbers it has.
//
// # Failures
//
// [New] refuses a configuration that cannot be meant. [Load.Run] gives an error where nothing could be measured: a CPS that cannot
// be reached, a key that it does not believe, a stock that would expire before it is used. What a CPS does wrong under
// load is in the Report, never an error.
//
// # Limits
//
// At most Config.InFlight requests are under way, and Config.AheadMax prepared, some 4 KiB each; one that is due when no more
// may be under way is not sent, and counts as failed. Answers are bounded as package cpsclient has it, redirects are not
// followed. What is kept of a run grows with its steps and providers alone, which have bounds.
package load

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
)

// Bounds of a configuration.
const (
	providersMax = 1000
	stepsMax     = 100
	targetsMax   = 64
	rateMax      = 1_000_000 // a second
	timeoutMax   = 30 * time.Second
	aheadLongest = 45 * time.Second
	weightMax    = 10_000
	calledMax    = 100_000_000

	// A token is signed no longer than this before it is sent: CPSs take those of the last minute, by their own clocks.
	tokenLife = 50 * time.Second
)

// Provider is one in whose name requests are made.
type Provider struct {
	SPC         string
	Key         crypto.Signer    // on P-256
	X5U         string           // where its certificate is served
	Certificate *tls.Certificate // shown in TLS; nil unless Config.Mutual
	Numbers     Block            // that are called, and read by it
	Share       float64          // of the load, in units of that of an ordinary provider; 0 means 1
}

// Config says what load is put on whom. Zero values mean the defaults in the comments.
type Config struct {
	URLs      []string // of the CPS, https://host[:port][/base]; several are published to in turn
	Read      []string // where is read, in turn; URLs if empty
	Audience  string   // aud of tokens; the host of each URL if empty
	RootCAs   *x509.CertPool
	Form      oob.Profile
	Mutual    bool // certificates in TLS prove who asks, and no tokens are sent (RFC 9888 §5)
	Providers []Provider

	Mix      Mix
	Steps    []Step
	Warmup   time.Duration // at the rate of the first step, before it
	Arrivals Arrivals      // Poisson
	Called   int64         // how many numbers are called, the n-th as often as n to the -1.1; 0: another one for each call
	Seed     uint64        // of when requests are due, and which; 0 is a seed like any other

	HTTP1       bool
	Connections int           // to each URL, and of each provider where certificates are shown; 8, over HTTP/1.1 64
	Timeout     time.Duration // for one request, from when it is sent, and for how late it may be sent; 5 s
	InFlight    int           // requests under way at most; 10,000
	Ahead       time.Duration // how long before it is due a request is signed; 20 s
	AheadMax    int           // requests signed and not yet sent at most; 100,000

	Keep  time.Duration // how long the CPS keeps a record: asked for in the agreed form, known beforehand in the others; 15 s
	Trunk time.Duration // of a whole call, between the acknowledgement and the retrieval: the way through the telephone network; 0
	Stock int           // records that are there to be retrieved, renewed meanwhile; 500

	dial  func(ctx context.Context, network, address string) (net.Conn, error) // tests have another
	sleep func(ctx context.Context, until time.Time)                           // tests have another
}

func (c Config) withDefaults() Config {
	set := func(field *time.Duration, value time.Duration) {
		if *field == 0 {
			*field = value
		}
	}
	set(&c.Timeout, 5*time.Second)
	set(&c.Ahead, 20*time.Second)
	set(&c.Keep, 15*time.Second)
	count := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	count(&c.InFlight, 10_000)
	count(&c.AheadMax, 100_000)
	count(&c.Stock, max(500, 4*len(c.Providers)))
	if c.HTTP1 {
		count(&c.Connections, 64)
	}
	count(&c.Connections, 8)
	if len(c.Read) == 0 {
		c.Read = c.URLs
	}
	if c.Arrivals == "" {
		c.Arrivals = Poisson
	}
	if c.dial == nil {
		c.dial = (&net.Dialer{Timeout: connectTimeout}).DialContext
	}
	if c.sleep == nil {
		c.sleep = sleepUntil
	}
	c.Providers = slices.Clone(c.Providers)
	for i := range c.Providers {
		if p := &c.Providers[i]; p.Share == 0 {
			p.Share = 1
		}
	}
	return c
}

// uneven tells whether a provider has more or less than its share: then each has a row in the report.
func (c *Config) uneven() bool {
	return slices.ContainsFunc(c.Providers, func(p Provider) bool { return p.Share != 1 })
}

// check refuses what cannot be meant. It is about values with their defaults.
func (c *Config) check() error {
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{len(c.URLs) == 0, "the URL of a CPS is needed"},
		{len(c.URLs)+len(c.Read) > targetsMax, fmt.Sprintf("more than %d URLs", targetsMax)},
		{c.Form.String() == "", "a form is needed"},
		{len(c.Providers) == 0 || len(c.Providers) > providersMax, fmt.Sprintf("there must be 1 to %d providers", providersMax)},
		{len(c.Steps) == 0 || len(c.Steps) > stepsMax, fmt.Sprintf("there must be 1 to %d steps", stepsMax)},
		{c.Warmup < 0 || c.Warmup > time.Hour, "the warm-up lasts 0s to 1h"},
		{c.Timeout < time.Millisecond || c.Timeout > timeoutMax, fmt.Sprintf("the timeout must be 1ms to %s", timeoutMax)},
		{c.Ahead < 100*time.Millisecond || c.Ahead > aheadLongest, fmt.Sprintf("requests are prepared 100ms to %s ahead", aheadLongest)},
		{c.AheadMax < chunkLength || c.AheadMax > 10_000_000, fmt.Sprintf("%d to 10,000,000 requests may be prepared", chunkLength)},
		{c.InFlight < 1 || c.InFlight > 1_000_000, "1 to 1,000,000 requests may be under way"},
		{c.Connections < 1 || c.Connections > 10_000, "there must be 1 to 10,000 connections"},
		{c.Mutual && c.Connections*len(c.Providers) > 10_000, "that is more than 10,000 connections"},
		{c.Keep < 5*time.Second || c.Keep > time.Minute, "records are kept for 5s to 60s"},
		{c.Trunk < 0 || c.Trunk > 10*time.Second, "the way over the trunk takes 0s to 10s"},
		{c.Stock < 2*len(c.Providers) || c.Stock > 100_000, "the stock has two records for each provider at least, and at most 100,000"},
		{c.Called < 0 || c.Called > calledMax, fmt.Sprintf("0 to %d numbers are called", calledMax)},
		{c.Arrivals != Even && c.Arrivals != Poisson, "arrivals are even or poisson"},
		{c.Mutual && !c.Form.Row().CallerInside, "certificates in TLS are for the forms rfc9888 and company"},
	} {
		if rule.broken {
			return errors.New(rule.text)
		}
	}
	if err := c.Mix.check(); err != nil {
		return err
	}
	for _, s := range c.Steps {
		if err := s.check(); err != nil {
			return err
		}
	}
	return c.checkProviders()
}

func (c *Config) checkProviders() error {
	known := map[string]bool{}
	for _, p := range c.Providers {
		switch {
		case known[p.SPC]:
			return fmt.Errorf("provider %s is there twice", p.SPC)
		case !(p.Share > 0 && p.Share <= weightMax): // NaN is not
			return fmt.Errorf("the share of provider %s must be above 0, and at most %d", p.SPC, weightMax)
		case p.Numbers.Count < 0:
			return fmt.Errorf("provider %s has a block of fewer than 0 numbers", p.SPC)
		case p.Key == nil || p.X5U == "":
			return fmt.Errorf("provider %s has no key, or no x5u", p.SPC)
		case c.Mutual && p.Certificate == nil:
			return fmt.Errorf("provider %s has no certificate to show", p.SPC)
		}
		known[p.SPC] = true
	}
	return nil
}

// Load is one load on one CPS.
type Load struct {
	config          Config
	targets         []string            // all URLs, each once
	published, read []int               // indices of those that are published to, and read
	clients         []*cpsclient.Client // of each provider; they sign and judge, and never connect
	wires           *wires
	numbers         *numbers
}

// New makes a load, and tries the keys. The caller closes it.
func New(c Config) (*Load, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	l := &Load{config: c}
	for _, url := range c.URLs {
		l.published = append(l.published, l.target(url))
	}
	for _, url := range c.Read {
		l.read = append(l.read, l.target(url))
	}
	for _, p := range c.Providers {
		client, err := cpsclient.New(l.clientConfig(p))
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("provider %s: %w", p.SPC, err)
		}
		l.clients = append(l.clients, client)
	}
	var err error
	if l.numbers, err = newNumbers(&c, time.Now()); err != nil {
		l.Close()
		return nil, err
	}
	l.wires = newWires(&c, len(l.targets))
	return l, nil
}

// target is the index of a URL.
func (l *Load) target(url string) int {
	i := slices.Index(l.targets, url)
	if i < 0 {
		i, l.targets = len(l.targets), append(l.targets, url)
	}
	return i
}

// clientConfig is who signs for a provider.
func (l *Load) clientConfig(p Provider) cpsclient.Config {
	cfg := cpsclient.Config{SPC: p.SPC, Key: p.Key, X5U: p.X5U}
	if l.config.Mutual {
		cfg.Key, cfg.X5U, cfg.Certificate = nil, "", p.Certificate
	}
	for _, url := range l.targets {
		cfg.CPSs = append(cfg.CPSs, cpsclient.CPS{URL: url, Audience: l.config.Audience})
	}
	return cfg
}

// Close closes all connections.
func (l *Load) Close() {
	l.wires.close()
	for _, c := range l.clients {
		c.Close()
	}
}
