package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wholefile"
)

// Cluster is `viaduct cluster`: what is made before nodes can be one.
type Cluster struct {
	Certificates ClusterCertificates `cmd:"" help:"Make the certificates by which the nodes of a cluster know each other."`
}

// ClusterCertificates is `viaduct cluster certificates`. Nodes trust each other by these alone, and nobody else has to: so there
// is an authority for them, made with the first, that no other certificate comes from.
type ClusterCertificates struct {
	Dir   string            `arg:"" type:"path" help:"Folder for the files. An authority that is there already is used again: keep its key safe, and away from the nodes."`
	Nodes map[string]string `arg:"" mapsep:"none" placeholder:"NAME=HOST[,HOST]" help:"Each node with the host names and addresses by which others reach it."`
	Days  int               `default:"730" placeholder:"DAYS" help:"How long the nodes' certificates are good (${default})."`
}

const (
	clusterCA     = "cluster-ca.pem"
	clusterCAKey  = "cluster-ca.key"
	clusterCADays = 3650
)

// Run makes the authority where there is none, and a certificate for each node.
func (c *ClusterCertificates) Run(std *Streams) error {
	if c.Days < 1 || c.Days > clusterCADays {
		return fmt.Errorf("--days is 1 to %d", clusterCADays)
	}
	for name, hosts := range c.Nodes {
		if !isFileName(name) || slices.Contains(strings.Split(hosts, ","), "") {
			return fmt.Errorf("a node is NAME=HOST[,HOST], the name of letters, digits, - and _, not %q", name+"="+hosts)
		}
		if name+".pem" == clusterCA {
			return fmt.Errorf("the authority's files have the name %s", name)
		}
	}
	authority, made, err := c.authority()
	if err != nil {
		return err
	}
	if made {
		fmt.Fprintf(std.Out, "%s: the authority, for tls.roots of every node\n%s: its key; needed for further nodes alone\n", c.path(clusterCA), c.path(clusterCAKey))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Nodes)) {
		until, err := c.issue(authority, name, strings.Split(c.Nodes[name], ","))
		if err != nil {
			return err
		}
		fmt.Fprintf(std.Out, "%s, %s: for node %s, until %s\n", c.path(name+".pem"), c.path(name+".key"), name, until.Format(time.DateOnly))
	}
	return nil
}

func isFileName(name string) bool {
	return name != "" && len(name) <= 32 && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

func (c *ClusterCertificates) path(name string) string { return filepath.Join(c.Dir, name) }

// authority reads the authority, or makes it.
func (c *ClusterCertificates) authority() (pair tls.Certificate, made bool, err error) {
	pair, err = tls.LoadX509KeyPair(c.path(clusterCA), c.path(clusterCAKey))
	switch {
	case err == nil && !pair.Leaf.IsCA:
		return pair, false, fmt.Errorf("%s: not an authority", c.path(clusterCA))
	case err == nil && time.Now().After(pair.Leaf.NotAfter):
		return pair, false, fmt.Errorf("%s: has expired; remove it and its key, and make all certificates anew", c.path(clusterCA))
	case err == nil:
		return pair, false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return pair, false, plain(err)
	}
	for _, name := range []string{clusterCA, clusterCAKey} {
		if _, there := os.Stat(c.path(name)); there == nil { // nodes may trust it
			return pair, false, fmt.Errorf("%w; the authority is both files, or neither", plain(err))
		}
	}
	template := newCertificate("cluster authority", clusterCADays)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair, false, err
	}
	if _, err := c.write("cluster-ca", template, template, key, key); err != nil {
		return pair, false, err
	}
	pair, err = tls.LoadX509KeyPair(c.path(clusterCA), c.path(clusterCAKey))
	return pair, true, err
}

// issue makes the certificate of a node, and says how long it is good.
func (c *ClusterCertificates) issue(authority tls.Certificate, name string, hosts []string) (time.Time, error) {
	template := newCertificate(name, c.Days)
	if template.NotAfter.After(authority.Leaf.NotAfter) {
		template.NotAfter = authority.Leaf.NotAfter
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return time.Time{}, err
	}
	return c.write(name, template, authority.Leaf, key, authority.PrivateKey)
}

func newCertificate(name string, days int) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: name, Organization: []string{"Viaduct cluster"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, days),
	}
}

// write signs and writes a certificate, and its key first, both readable by their owner alone.
func (c *ClusterCertificates) write(name string, template, parent *x509.Certificate, key *ecdsa.PrivateKey, signer any) (time.Time, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return time.Time{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return time.Time{}, err
	}
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if err := wholefile.Write(c.Dir, name+".key", keyText); err != nil {
		return time.Time{}, plain(err)
	}
	if err := wholefile.Write(c.Dir, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil {
		return time.Time{}, plain(err)
	}
	return template.NotAfter, nil
}
