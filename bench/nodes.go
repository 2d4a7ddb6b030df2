package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/app"
	openloop "github.com/viaduct-oob/viaduct/internal/load"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// nodeConfig is what a node is told: rates are none that a run reaches, and everything else is at its default.
const nodeConfig = `cps:
  listen: "127.0.0.1:0"
  tls: {certificate: cps.pem, key: cps-key.pem}
  audience: [cps.laboratory.example]
  rates:
    publish: {per_second: 1000000, burst: 1000000}
    retrieve: {per_second: 1000000, burst: 1000000}
numbers: {file: numbers.csv}
trust:
  anchors: [sti-root.pem]
  laboratory: {hosts: [%q], roots: [tls-root.pem]}
management: {listen: "localhost:0"} # another text than that of cps, for the two are apart
`

// nodeLab is what nodes need around them, in a folder of its own: a PKI, its repository, who holds which numbers.
type nodeLab struct {
	dir        string
	pki        *oobtest.PKI
	repository *oobtest.Repository
	providers  []openloop.Provider
	nodes      []*process
	profiles   string // folder; empty for none
}

// newNodeLab makes a laboratory. The caller closes it.
func newNodeLab(profiles string) (l *nodeLab, err error) {
	l = &nodeLab{profiles: profiles}
	if l.dir, err = os.MkdirTemp("", "viaduct-bench-"); err != nil {
		return nil, err
	}
	if err = l.write(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// ownCount is how many numbers each provider has, from firstCalled on.
const ownCount = 1_000_000

func (l *nodeLab) write() (err error) {
	if l.pki, err = oobtest.NewPKI(oobtest.PKIConfig{}); err != nil {
		return err
	}
	if l.repository, err = l.pki.StartRepository(); err != nil {
		return err
	}
	files, err := l.pki.IssueTLS("127.0.0.1")
	if err != nil {
		return err
	}
	numbers := ""
	for i := range providers {
		id, err := l.pki.Issue(oobtest.IssueConfig{SPC: fmt.Sprintf("%04d", 1000+i)})
		if err != nil {
			return err
		}
		shown := id.TLS()
		p := openloop.Provider{SPC: id.SPC, Key: id.Key, X5U: id.X5U, Certificate: &shown, Numbers: openloop.Block{Count: ownCount}}
		first, err := number(firstCalled + i*ownCount)
		if err != nil {
			return err
		}
		p.Numbers.First, _ = first.Number() // which it is
		l.providers = append(l.providers, p)
		numbers += fmt.Sprintf("%s,%d,%d\n", id.SPC, firstCalled+i*ownCount, ownCount)
	}
	for name, content := range map[string][]byte{
		"cps.pem": files.CertificatePEM, "cps-key.pem": files.KeyPEM, "numbers.csv": []byte(numbers),
		"sti-root.pem": l.pki.RootPEM(), "tls-root.pem": l.pki.TLSRootPEM(),
	} {
		if err := os.WriteFile(filepath.Join(l.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// certifyNodes makes the certificates of nodes, each for a host, in a folder keys in dir.
func certifyNodes(dir string, hosts map[string]string) error {
	return (&app.ClusterCertificates{Dir: filepath.Join(dir, "keys"), Nodes: hosts, Days: 1}).Run(&app.Streams{Out: io.Discard})
}

// start starts a node whose configuration has more lines, and gives it when it is ready or, with others to come, when it runs.
func (l *nodeLab) start(ctx context.Context, name, more string) (*process, error) {
	file := filepath.Join(l.dir, name+".yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, nodeConfig+more, l.repository.Host), 0o600); err != nil {
		return nil, err
	}
	node, err := startProcess(ctx, roleCPS, configVariable+"="+file, profileTo(plan{ProfileDir: l.profiles}, name))
	if err != nil {
		return nil, err
	}
	l.nodes = append(l.nodes, node)
	return node, nil
}

// readyPatience is how long nodes may take to find each other.
const readyPatience = time.Minute

// ready waits until a node is.
func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	said := "nothing"
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Management+"/readyz", nil)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			body, _ := io.ReadAll(io.LimitReader(answer.Body, 1000)) // what there is of it
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			said = strings.TrimSpace(string(body))
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("a node does not become ready: %s", said)
		}
	}
}

// config is a load on nodes, in the agreed form, over HTTP/1.1.
func (l *nodeLab) config(mix string, steps []openloop.Step, nodes ...*process) (openloop.Config, error) {
	m, err := openloop.ParseMix(mix)
	if err != nil {
		return openloop.Config{}, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(l.pki.TLSRoot.Certificate)
	c := openloop.Config{
		Audience: oobtest.CPSAudience, RootCAs: roots, Form: oob.Agreed, Providers: l.providers, Mix: m, Steps: steps,
		HTTP1: true, Connections: nodeConnections,
	}
	for _, node := range nodes {
		c.URLs = append(c.URLs, node.URL)
	}
	return c, nil
}

// nodeConnections are those to each node.
const nodeConnections = 16

// close ends the nodes and takes the laboratory away.
func (l *nodeLab) close() error {
	var errs []error
	for _, node := range l.nodes {
		_ = node.stdin.Close() // all at the same time
	}
	for _, node := range l.nodes {
		errs = append(errs, node.stop())
	}
	if l.repository != nil {
		errs = append(errs, l.repository.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(l.dir))...)
}
