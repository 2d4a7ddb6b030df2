package natslog

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"time"
)

// Config says where a node stands. Site, Node, KeepMax and, unless External is set, Dir are needed.
type Config struct {
	Site string // which site this is; 1 to 32 letters, digits, - and _
	Node string // which of its nodes; unique in the site, same letters

	Dir        string        // where the log lies; of this node alone, and made if absent
	Memory     bool          // the log lies in memory; Dir then holds little, and a site that stops as a whole forgets
	SyncAlways bool          // every write is on the disk before it is acknowledged
	Sync       time.Duration // else: how often writes are flushed; default 2 minutes
	BytesMax   int64         // what the log may take; the oldest goes when it is full; default 8 GiB
	KeepMax    time.Duration // the longest that an event matters after it was appended; what says otherwise is cut to it

	// The nodes of the site, this one included: one, three or five. With fewer than two, the node is alone and listens nowhere.
	Nodes     []Address
	Listen    string // host:port for the other nodes of the site; needed with Nodes
	Advertise string // host:port where they reach it; default: as in Nodes
	Witness   bool   // the node votes and stores, and serves nobody

	// Certificate is this node's, asked anew for every connection; Roots are whose certificates nodes and sites show. All
	// connections prove both ends. A certificate must be valid for the host of an address in Nodes or Sites, for servers and
	// for clients. Whoever holds one for an address in Nodes is believed as this node itself. Whoever holds one for an address in
	// Sites reads the log, and what he has in his own is applied here; he writes nothing into that of this site.
	Certificate func() (*tls.Certificate, error)
	Roots       *x509.CertPool

	SitesListen      string // host:port where the nodes of other sites come to read
	Sites            []Site // the other sites
	AcknowledgeSites int    // how many of them must hold an event before it is acknowledged: at least one node of each

	// External are the URLs of a NATS of at least version 2.11 with JetStream, in place of the engine in this process. It is
	// believed in everything. Replicas is how many of its servers hold the log: 1, 3 or 5; default 1.
	External    []string
	Credentials string // file of the credentials for it
	Replicas    int

	settle time.Duration // see settleMost
	most   time.Duration // see appendMost
	live   int           // see liveMost

	Log *slog.Logger     // default: none
	Now func() time.Time // the clock that is compared with that of other nodes; default time.Now
}

// Address is where a node is reached by the others of its site.
type Address struct {
	Name    string
	Address string // host:port
}

// Site is another site, and where its nodes are read.
type Site struct {
	Name      string
	Addresses []string // host:port
}

const (
	bytesMaxDefault = 8 << 30
	syncDefault     = 2 * time.Minute

	// keepMargin is how much longer than KeepMax the engine keeps an event.
	keepMargin = 5 * time.Second
)

var (
	nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

	errTwo = errors.New("two nodes cannot agree when one fails: add a third, which may be a witness that votes and stores, and serves nothing")
)

// Check tells what is wrong with c, or nil.
func (c Config) Check() error {
	_, err := c.withDefaults()
	return err
}

// withDefaults checks c and fills in what may be left out.
func (c Config) withDefaults() (Config, error) {
	if c.BytesMax == 0 {
		c.BytesMax = bytesMaxDefault
	}
	if c.Sync == 0 {
		c.Sync = syncDefault
	}
	if c.settle == 0 {
		c.settle = settleMost
	}
	if c.most == 0 {
		c.most = appendMost
	}
	if c.live == 0 {
		c.live = liveMost
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("log of node %q: %w", c.Node, err)
	}
	if len(c.External) == 0 {
		c.Replicas = max(1, len(c.Nodes))
	}
	return c, nil
}

func (c *Config) check() error {
	switch {
	case !nameForm.MatchString(c.Site) || !nameForm.MatchString(c.Node):
		return errors.New("site and node must be 1 to 32 letters, digits, - and _")
	case c.KeepMax <= 0:
		return errors.New("how long events are kept is not said")
	case c.BytesMax < streams<<20:
		return fmt.Errorf("the log may take %d bytes; it needs at least %d", c.BytesMax, streams<<20)
	case c.AcknowledgeSites < 0 || c.AcknowledgeSites > len(c.Sites):
		return fmt.Errorf("%d other sites are to acknowledge, and there are %d", c.AcknowledgeSites, len(c.Sites))
	}
	if err := c.checkSites(); err != nil {
		return err
	}
	if len(c.External) > 0 {
		if !slices.Contains([]int{1, 3, 5}, c.Replicas) {
			return fmt.Errorf("%d replicas: must be 1, 3 or 5", c.Replicas)
		}
		if len(c.Nodes) > 0 || c.SitesListen != "" || c.Witness {
			return errors.New("with an external NATS there are no nodes, no listener for sites and no witness here")
		}
		return nil
	}
	if c.Dir == "" {
		return errors.New("no directory")
	}
	return c.checkNodes()
}

func (c *Config) checkNodes() error {
	names := map[string]bool{}
	for _, n := range c.Nodes {
		if !nameForm.MatchString(n.Name) || names[n.Name] {
			return fmt.Errorf("node %q is listed twice, or has no proper name", n.Name)
		}
		names[n.Name] = true
		if err := checkAddress(n.Address); err != nil {
			return err
		}
	}
	switch {
	case len(c.Nodes) > 0 && !names[c.Node]:
		return errors.New("it is not among the nodes of its site")
	case len(c.Nodes) == 2:
		return errTwo
	case len(c.Nodes) > 5 || len(c.Nodes) == 4:
		return fmt.Errorf("%d nodes: must be 1, 3 or 5", len(c.Nodes))
	case c.Witness && !c.clustered():
		return errors.New("a witness needs other nodes")
	}
	if c.clustered() {
		if err := checkAddress(c.Listen); err != nil {
			return err
		}
		if c.Advertise != "" {
			if err := checkAddress(c.Advertise); err != nil {
				return err
			}
		}
	}
	if (c.clustered() || c.SitesListen != "") && (c.Certificate == nil || c.Roots == nil) {
		return errors.New("nodes and sites need a certificate and roots")
	}
	return nil
}

func (c *Config) checkSites() error {
	names := map[string]bool{c.Site: true}
	for _, s := range c.Sites {
		if !nameForm.MatchString(s.Name) || names[s.Name] {
			return fmt.Errorf("site %q is listed twice, is this one, or has no proper name", s.Name)
		}
		names[s.Name] = true
		if len(s.Addresses) == 0 {
			return fmt.Errorf("site %q has no address", s.Name)
		}
		for _, a := range s.Addresses {
			if err := checkAddress(a); err != nil {
				return err
			}
		}
	}
	if len(c.Sites) > 0 && (c.Certificate == nil || c.Roots == nil) {
		return errors.New("nodes and sites need a certificate and roots")
	}
	if c.SitesListen != "" {
		return checkAddress(c.SitesListen)
	}
	return nil
}

func checkAddress(a string) error {
	host, port, err := net.SplitHostPort(a)
	if err != nil || host == "" || port == "" {
		return fmt.Errorf("address %q: must be host:port", a)
	}
	return nil
}

// clustered tells whether this node is one of several.
func (c *Config) clustered() bool { return len(c.Nodes) > 1 }

// id names the node among those of all sites.
func (c *Config) id() string { return c.Site + "/" + c.Node }
