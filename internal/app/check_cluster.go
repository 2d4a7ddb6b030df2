package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store/natslog"
)

// clusterPlan is what a configuration says of a cluster, with what its files hold.
type clusterPlan struct {
	certificate *tls.Certificate // nil: nothing is encrypted because nothing leaves this machine
	config      natslog.Config   // but for the certificate, the clock and the log
}

var storages = words[bool]{"file": false, "memory": true}

// resolveCluster reads what a node of a cluster needs; nil when there is none.
func resolveCluster(file *configFile, kept time.Duration, note func(string, error)) *clusterPlan {
	c := &file.Cluster
	if !c.given() {
		return nil
	}
	if c.Sync < 0 {
		note("$.cluster.sync", errors.New("cannot be negative; 0s means before each acknowledgement"))
	}
	if c.Witness == file.has("cps") {
		note("$.cluster.witness", errors.New("a node has either the role cps, or witness: true, with which it votes and stores, and serves nothing"))
	}
	p := &clusterPlan{config: natslog.Config{
		Site: c.Site, Node: c.Node, Dir: c.Dir, Memory: storages.read("$.cluster.storage", c.Storage, note),
		SyncAlways: c.Sync == 0, Sync: time.Duration(c.Sync), BytesMax: c.Bytes, KeepMax: kept,
		Listen: c.Listen, Advertise: c.Advertise, Witness: c.Witness,
		SitesListen: c.Sites.Listen, AcknowledgeSites: c.Sites.Acknowledge,
		External: c.URL, Credentials: c.Credentials, Replicas: c.Replicas,
	}}
	for _, n := range c.Nodes {
		p.config.Nodes = append(p.config.Nodes, natslog.Address(n))
	}
	for _, s := range c.Sites.Others {
		p.config.Sites = append(p.config.Sites, natslog.Site(s))
	}
	p.resolveTLS(&c.TLS, note)
	if c.Dir != "" {
		note("$.cluster.dir", checkDir(c.Dir))
	}
	note("$.cluster", p.config.Check())
	return p
}

// resolveTLS reads how the node proves itself, and whom it lets prove themselves.
func (p *clusterPlan) resolveTLS(c *ClusterTLSConfig, note func(string, error)) {
	if c.Certificate == "" && c.Key == "" && len(c.Roots) == 0 {
		return
	}
	if c.Certificate == "" || c.Key == "" || len(c.Roots) == 0 {
		note("$.cluster.tls", errors.New("needs the files certificate, key and roots"))
		return
	}
	certificate, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	note("$.cluster.tls", plain(err))
	roots, rootsErr := loadPool(c.Roots)
	note("$.cluster.tls.roots", plain(rootsErr))
	if err == nil && rootsErr == nil {
		note("$.cluster.tls.certificate", p.believed(&certificate, roots))
	}
	p.certificate, p.config.Roots = &certificate, roots
	p.config.Certificate = func() (*tls.Certificate, error) { return &certificate, nil }
}

// believed tells whether the other nodes will believe the certificate, as far as that can be known here. One that has expired is
// told of by describe.
func (p *clusterPlan) believed(certificate *tls.Certificate, roots *x509.CertPool) error {
	leaf := certificate.Leaf
	if err := bothWays(leaf); err != nil {
		return err
	}
	chain := x509.NewCertPool()
	for _, der := range certificate.Certificate[1:] {
		if cert, err := x509.ParseCertificate(der); err == nil {
			chain.AddCert(cert)
		}
	}
	when := leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: chain, CurrentTime: when, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return fmt.Errorf("is not of an authority in roots: %w", err)
	}
	for _, n := range p.config.Nodes {
		host, _, err := net.SplitHostPort(n.Address)
		if err == nil && n.Name == p.config.Node && leaf.VerifyHostname(host) != nil {
			return fmt.Errorf("is for %s, and this node's address in nodes is %s", strings.Join(tlsNames(leaf), ", "), host)
		}
	}
	return nil
}

// bothWays refuses a certificate that nodes could show in one direction alone.
func bothWays(leaf *x509.Certificate) error {
	uses := map[x509.ExtKeyUsage]bool{}
	for _, use := range leaf.ExtKeyUsage {
		uses[use] = true
	}
	if len(uses) > 0 && !uses[x509.ExtKeyUsageAny] && (!uses[x509.ExtKeyUsageServerAuth] || !uses[x509.ExtKeyUsageClientAuth]) {
		return errors.New("must be good for servers and for clients (extended key usage): nodes call each other")
	}
	return nil
}

// describe says what would start.
func (p *clusterPlan) describe(out io.Writer, now time.Time) (good bool) {
	c := &p.config
	role := "node"
	if c.Witness {
		role = "witness"
	}
	fmt.Fprintf(out, "%s %s of site %s", role, c.Node, c.Site)
	switch {
	case len(c.External) > 0:
		fmt.Fprintf(out, ", log at %s\n", strings.Join(c.External, ", "))
	case len(c.Nodes) < 2:
		fmt.Fprintf(out, ", alone, log in %s\n", c.Dir)
	default:
		fmt.Fprintf(out, ", log in %s, listening to the other %d on %s\n", c.Dir, len(c.Nodes)-1, c.Listen)
	}
	for _, s := range c.Sites {
		fmt.Fprintf(out, "  reads site %s at %s\n", s.Name, strings.Join(s.Addresses, ", "))
	}
	if c.SitesListen != "" {
		fmt.Fprintf(out, "  read by other sites on %s\n", c.SitesListen)
	}
	if c.AcknowledgeSites > 0 {
		fmt.Fprintf(out, "  acknowledges what %d other sites hold\n", c.AcknowledgeSites)
	}
	if p.certificate == nil {
		return true
	}
	leaf := p.certificate.Leaf
	fmt.Fprintf(out, "  proves itself with a certificate of %s until %s\n", strings.Join(tlsNames(leaf), ", "), leaf.NotAfter.UTC().Format(time.RFC3339))
	if !now.Before(leaf.NotAfter) {
		fmt.Fprintln(out, "    ALARM: it has expired: no node will talk to this one")
		return false
	}
	return true
}
