package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/viaduct-oob/viaduct/oobtest"
)

// meshConfig is what a CPS of a mesh is told. All load comes from one address, and rates are none that a run reaches; records are
// kept for a minute, so that all that belong to a round are there at its end. Everything else is at its default.
const meshConfig = `cps:
  listen: %q
  tls: {certificate: cps.pem, key: cps-key.pem}
  audience: [%q]
  profiles: [mesh]
  retention: {mesh: 60s}
  rates:
    publish: {per_second: 1000000, burst: 1000000}
    retrieve: {per_second: 1000000, burst: 1000000}
  limits: {connections: 10000, address_connections: 10000, in_flight: 65536} # one address has a sixteenth; ten CPSs share two cores
%s
trust:
  anchors: [sti-root.pem]
  tables: 64 # every CPS verifies the tokens of all others
  laboratory: {hosts: [%q], roots: [tls-root.pem]}
management: {listen: %q}
`

// relayConfig is the section of a CPS that relays.
const relayConfig = `  relay:
    peers: [%s]
    spc: %s
    key: %q
    x5u: %q
    tls_roots: [tls-root.pem]
    accept: [%s]
    rate: {per_second: 1000000, burst: 1000000}
`

// meshLab is what several CPSs need around them: a PKI and its repository, an operator of each, and who publishes.
type meshLab struct {
	dir        string
	pki        *oobtest.PKI
	repository *oobtest.Repository
	providers  []provider
	operators  []*oobtest.Identity
}

func newMeshLab(dir string, cpss int) (l *meshLab, err error) {
	l = &meshLab{dir: dir}
	if l.pki, err = oobtest.NewPKI(oobtest.PKIConfig{}); err != nil {
		return nil, err
	}
	if l.repository, err = l.pki.StartRepository(); err != nil {
		return nil, err
	}
	if err := l.write(cpss); err != nil {
		return nil, errors.Join(err, l.repository.Close())
	}
	return l, nil
}

func (l *meshLab) write(cpss int) error {
	for i := range 2 * providers {
		issued, err := issue(l.pki, i)
		if err != nil {
			return err
		}
		l.providers = append(l.providers, issued)
	}
	files, err := l.pki.IssueTLS("127.0.0.1")
	if err != nil {
		return err
	}
	named := map[string][]byte{
		"cps.pem": files.CertificatePEM, "cps-key.pem": files.KeyPEM, "sti-root.pem": l.pki.RootPEM(), "tls-root.pem": l.pki.TLSRootPEM(),
	}
	for i := range cpss {
		id, err := l.pki.Issue(oobtest.IssueConfig{SPC: fmt.Sprintf("9%02dC", i)})
		if err != nil {
			return err
		}
		l.operators = append(l.operators, id)
		if named[id.SPC+".key"], err = id.KeyPEM(); err != nil {
			return err
		}
	}
	for name, content := range named {
		if err := os.WriteFile(filepath.Join(l.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// meshName is what the i-th CPS is called in aud.
func meshName(i int) string { return fmt.Sprintf("cps%d.laboratory.example", i) }

// start starts the CPSs, each a process with one thread of Go code at a time, on whatever core there is.
func (l *meshLab) start(ctx context.Context, relaying bool) (all []*process, err error) {
	addresses, err := freeAddresses(2 * len(l.operators)) // of each, its own and that of its management
	if err != nil {
		return nil, err
	}
	for i := range l.operators {
		name, err := l.configure(addresses, i, relaying)
		if err != nil {
			return nil, errors.Join(err, stopAll(all))
		}
		p, err := startOn(ctx, "", roleCPS, configVariable+"="+name)
		if err != nil {
			return nil, errors.Join(err, stopAll(all))
		}
		p.TLSRootPEM = l.pki.TLSRootPEM()
		all = append(all, p)
	}
	return all, nil
}

func (l *meshLab) configure(addresses []string, i int, relaying bool) (name string, err error) {
	section, own := "", l.operators[i]
	if relaying {
		var peers, spcs []string
		for j, other := range l.operators {
			if j != i {
				peers = append(peers, fmt.Sprintf("{url: %q, audience: %q}", "https://"+addresses[j], meshName(j)))
				spcs = append(spcs, other.SPC)
			}
		}
		section = fmt.Sprintf(relayConfig, strings.Join(peers, ", "), own.SPC, own.SPC+".key", own.X5U, strings.Join(spcs, ", "))
	}
	name = filepath.Join(l.dir, fmt.Sprintf("cps%d-%v.yaml", i, relaying))
	text := fmt.Sprintf(meshConfig, addresses[i], meshName(i), section, l.repository.Host, addresses[len(l.operators)+i])
	return name, os.WriteFile(name, []byte(text), 0o600)
}

// freeAddresses are of TCP ports that nobody had a moment ago.
func freeAddresses(count int) (all []string, err error) {
	for range count {
		listener, bad := net.Listen("tcp", "127.0.0.1:0")
		if bad != nil {
			return nil, bad
		}
		defer listener.Close() // when all have one of their own
		all = append(all, listener.Addr().String())
	}
	return all, nil
}

func stopAll(all []*process) error {
	var errs []error
	for _, p := range all {
		errs = append(errs, p.stop())
	}
	return errors.Join(errs...)
}
