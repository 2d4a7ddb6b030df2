package fault

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// The providers of a bed: one publishes, the other reads what calls its numbers.
const (
	publishing = "1234"
	reading    = "567B"
)

// audience is the name of every node in access tokens: what one refused or did not answer, another can be asked with the same token.
const audience = "cps.fault.example"

// kept is how long records are kept: the minute in which they are read back.
const kept = time.Minute

// siteNames are those of the sites of a bed, in order.
var siteNames = []string{"east", "west", "north"}

// bed is clusters in a laboratory, each node a process in a network of its own.
type bed struct {
	*ground
	dir               string
	pki               *oobtest.PKI
	publisher, reader *oobtest.Identity
	relayer           *oobtest.Identity // who runs the nodes, where they relay
	repository        string            // host:port, the same in each place
	sites             int
	nodes             []*node
	brokers           []*broker // of a NATS that is not in the nodes
	foreign           *node     // a CPS of somebody else, which is relayed to; nil for none
	numbers           numbers
	lost              sync.Once // the first is told of in full
}

// shape says how a bed differs from one of a file store with the defaults.
type shape struct {
	sites       []int                    // nodes of each
	storage     string                   // default file
	sync        string                   // how often it is flushed; default that of the program
	witness     string                   // which node is one
	clocks      map[string]time.Duration // by how much those of nodes are off
	disks       map[string]int           // MiB of those nodes whose log has a disk of its own
	acknowledge int                      // other sites that must hold what is acknowledged
	brokers     int                      // servers of a NATS that has the log
	relays      bool                     // to a CPS of somebody else, beside the nodes of the first site
}

// newBed writes the configurations of a bed, and starts no node.
func newBed(t *testing.T, s shape) *bed {
	t.Helper()
	b := &bed{ground: newGround(t, len(s.sites)), dir: t.TempDir(), sites: len(s.sites)}
	for site, count := range s.sites {
		for number := range count {
			n := b.newNode(t, fmt.Sprintf("%s%d", siteNames[site], number+1), site, number)
			n.witness, n.offset = n.name == s.witness, s.clocks[n.name]
			b.nodes = append(b.nodes, n)
		}
	}
	b.numbers.forms = []oob.Profile{oob.Agreed, oob.RFC9888}
	if s.relays {
		b.foreign = b.newNode(t, "foreign", 0, s.sites[0]+s.brokers)
		b.numbers.forms = []oob.Profile{oob.Mesh}
	}
	for number := range s.brokers {
		b.brokers = append(b.brokers, b.newBroker(t, s.sites[0]+number))
	}
	b.issue(t)
	for _, broker := range b.brokers {
		broker.configure(t)
	}
	for _, n := range b.all() {
		check(t, os.MkdirAll(n.path("disk"), 0o700))
		if size := s.disks[n.name]; size > 0 {
			n.mount(t, size)
		}
		n.configure(t, s)
	}
	return b
}

func (b *bed) newNode(t *testing.T, name string, site, number int) *node {
	t.Helper()
	n := &node{bed: b, site: site, number: number}
	n.name, n.dir, n.place = name, filepath.Join(b.dir, name), b.place(t, site, number)
	n.ports(t)
	return n
}

// all are all processes of `viaduct serve`.
func (b *bed) all() []*node {
	if b.foreign == nil {
		return b.nodes
	}
	return append(slices.Clone(b.nodes), b.foreign)
}

// issue makes the laboratory's certificates, and a repository in each place.
func (b *bed) issue(t *testing.T) {
	t.Helper()
	listeners := b.repositories(t)
	b.repository = listeners[0].Addr().String()
	var err error
	b.pki, err = oobtest.NewPKI(oobtest.PKIConfig{BaseURL: "https://" + b.repository})
	check(t, err)
	b.publisher, err = b.pki.Issue(oobtest.IssueConfig{SPC: publishing})
	check(t, err)
	b.reader, err = b.pki.Issue(oobtest.IssueConfig{SPC: reading})
	check(t, err)
	files, err := b.pki.IssueTLS("127.0.0.1")
	check(t, err)
	pair, err := files.Certificate()
	check(t, err)
	for _, listener := range listeners {
		server := &http.Server{
			Handler: b.pki.Handler(), TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}},
			ReadHeaderTimeout: patience, ErrorLog: log.New(io.Discard, "", 0), // processes that are killed break off handshakes
		}
		t.Cleanup(func() { server.Close() })
		go server.ServeTLS(listener, "", "")
	}
	if b.foreign != nil {
		b.relayer, err = b.pki.Issue(oobtest.IssueConfig{SPC: relaying})
		check(t, err)
		key, err := b.relayer.KeyPEM()
		check(t, err)
		b.write(t, "relay.key", key)
	}
	b.write(t, "anchor.pem", b.pki.RootPEM())
	b.write(t, "tls-root.pem", b.pki.TLSRootPEM())
	// The nodes trust each other by an authority of their own, made as an operator makes it.
	args := []string{"cluster", "certificates", filepath.Join(b.dir, "cluster")}
	for _, n := range b.nodes {
		args = append(args, n.name+"="+n.place.host)
	}
	for _, broker := range b.brokers {
		args = append(args, broker.name+"="+broker.place.host)
	}
	if out, err := exec.Command(binary(t, 0), args...).CombinedOutput(); err != nil {
		t.Fatalf("viaduct %v: %v\n%s", args, err, out)
	}
	b.write(t, "numbers.csv", fmt.Appendf(nil, "%s,%d,%d\n%s,%d,%d\n", publishing, firstCaller, numberBlock, reading, firstCalled, numberBlock))
}

// repositories listens on loopback of each place; without places of their own, once.
func (b *bed) repositories(t *testing.T) (listeners []net.Listener) {
	t.Helper()
	address := "127.0.0.1:0"
	if b.apart {
		address = "127.0.0.1:8444"
	}
	for _, n := range b.all() {
		listener, err := n.place.listen(address)
		check(t, err)
		listeners = append(listeners, listener)
		if !b.apart {
			break
		}
	}
	return listeners
}

func (b *bed) write(t *testing.T, name string, text []byte) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(filepath.Join(b.dir, name)), 0o700))
	check(t, os.WriteFile(filepath.Join(b.dir, name), text, 0o600))
}

// configure writes the configuration of a node, and its certificate.
func (n *node) configure(t *testing.T, s shape) {
	t.Helper()
	files, err := n.bed.pki.IssueTLS(n.place.host, audience)
	check(t, err)
	n.bed.write(t, n.name+"/cps.pem", files.CertificatePEM)
	n.bed.write(t, n.name+"/cps.key", files.KeyPEM)
	text := fmt.Sprintf(`trust:
  anchors: [../anchor.pem]
  laboratory:
    hosts: [%q]
    roots: [../tls-root.pem]
management:
  listen: %q
drain: {delay: 1s, timeout: 5s}
log: {format: text, level: warn}
`, n.bed.repository, n.management)
	if !n.witness {
		text += n.role() + n.relay()
	}
	if n != n.bed.foreign {
		text += n.cluster(s)
	}
	n.bed.write(t, n.name+"/viaduct.yaml", []byte(text))
}

// role is the section of the CPS.
func (n *node) role() string {
	return fmt.Sprintf(`numbers:
  file: ../numbers.csv
  poll: 0s
cps:
  listen: %[1]q
  tls: {certificate: cps.pem, key: cps.key}
  audience: [%[2]s]
  profiles: [agreed, mesh, rfc9888, company]
  retention: {agreed: %[3]s, mesh: %[3]s, rfc9888: %[3]s, company: %[3]s}
  serves: [%[4]s]
  rates:
    publish: {per_second: 100000, burst: 100000}
    retrieve: {per_second: 100000, burst: 100000}
    open: {per_second: 100000, burst: 100000}
  limits: {connections: 10000, address_connections: 10000, in_flight: 65536}
`, n.public, audience, kept, reading)
}

// cluster is the section of that name.
func (n *node) cluster(s shape) string {
	var text strings.Builder
	fmt.Fprintf(&text, "cluster:\n  node: %s\n  site: %s\n  bytes: 536870912\n", n.name, siteNames[n.site])
	if s.storage != "" {
		fmt.Fprintf(&text, "  storage: %s\n", s.storage)
	}
	fmt.Fprintf(&text, "  tls: {certificate: ../cluster/%[1]s.pem, key: ../cluster/%[1]s.key, roots: [../cluster/cluster-ca.pem]}\n", n.name)
	if len(n.bed.brokers) > 0 {
		fmt.Fprintf(&text, "  replicas: %d\n  url: [%s]\n", len(n.bed.brokers), strings.Join(n.bed.urls(), ", "))
		return text.String()
	}
	fmt.Fprintf(&text, "  dir: %s\n", n.log())
	if s.sync != "" {
		fmt.Fprintf(&text, "  sync: %s\n", s.sync)
	}
	if n.witness {
		text.WriteString("  witness: true\n")
	}
	if s.sites[n.site] > 1 {
		fmt.Fprintf(&text, "  listen: %q\n  nodes:\n", n.between)
		for _, m := range n.bed.of(n.site) {
			fmt.Fprintf(&text, "    - {name: %s, address: %q}\n", m.name, m.between)
		}
	}
	if len(s.sites) == 1 {
		return text.String()
	}
	fmt.Fprintf(&text, "  sites:\n    listen: %q\n    acknowledge: %d\n    others:\n", n.across, s.acknowledge)
	for site, name := range siteNames[:len(s.sites)] {
		if site == n.site {
			continue
		}
		var addresses []string
		for _, m := range n.bed.of(site) {
			addresses = append(addresses, fmt.Sprintf("%q", m.across))
		}
		fmt.Fprintf(&text, "      - {name: %s, addresses: [%s]}\n", name, strings.Join(addresses, ", "))
	}
	return text.String()
}

// of are the nodes of a site.
func (b *bed) of(site int) (nodes []*node) {
	for _, n := range b.nodes {
		if n.site == site {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// serving are the nodes that serve anybody: all but witnesses.
func (b *bed) serving() []*node {
	return slices.DeleteFunc(slices.Clone(b.nodes), func(n *node) bool { return n.witness })
}

// start starts all nodes, and waits until those are ready whose clocks are right.
func (b *bed) start(t *testing.T) {
	t.Helper()
	for _, broker := range b.brokers {
		broker.start(t)
	}
	for _, n := range b.all() {
		n.start(t)
	}
	for _, n := range b.all() {
		if n.offset == 0 {
			b.ready(t, n)
		}
	}
}

// whole ends whatever an earlier fault has left behind.
func (b *bed) whole(t *testing.T) {
	t.Helper()
	for _, broker := range b.brokers {
		broker.wake()
		if !broker.alive() {
			broker.start(t)
		}
	}
	for _, n := range b.all() {
		n.wake()
		if b.apart {
			b.plug(t, n, true)
		}
		if !n.alive() {
			n.start(t)
		}
	}
	if b.wide != nil {
		for site := range b.wide.ports {
			b.wide.cut(site, false)
		}
	}
	b.ready(t, b.all()...)
}

// ready waits until nodes are, and gives the time that it took.
func (b *bed) ready(t *testing.T, nodes ...*node) time.Duration {
	t.Helper()
	begun := time.Now()
	for _, n := range nodes {
		await(t, n.name+" to be ready", n.ready)
	}
	return time.Since(begun)
}

// except are all nodes that serve, but these.
func (b *bed) except(left ...*node) []*node {
	return slices.DeleteFunc(b.serving(), func(n *node) bool { return slices.Contains(left, n) })
}
