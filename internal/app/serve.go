package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/viaduct-oob/viaduct/internal/heap"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/trust"
)

// Serve is `viaduct serve`: the roles that a configuration names, until SIGTERM.
type Serve struct {
	Config string `required:"" type:"path" placeholder:"FILE" help:"Configuration file; see docs/configuration.md."`
}

// Run serves until SIGTERM or SIGINT, then drains. SIGHUP reads the TLS certificate and all that trust names anew.
func (s *Serve) Run(std *Streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	file, err := readConfig(s.Config)
	if err != nil {
		return err
	}
	logger, err := newLogger(file.Log, std.Err)
	if err != nil {
		return err
	}
	server, err := open(file, logger)
	if err != nil {
		return err
	}
	defer heap.Tune(server.memory(), file.Cluster.memory())()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	go func() {
		for range hangup {
			server.reload(s.Config)
		}
	}()
	return server.run(ctx)
}

// server is one process that serves: all listeners are open from the beginning, so that a port that is taken is an error
// of the start. Each role may be missing, but not all of them.
type server struct {
	config   *configFile
	log      *slog.Logger
	verifier *trust.Verifier
	trusted  *trusted
	cps      *cpsRole     // nil without
	witness  *clusterRole // nil but on a witness; where there is a CPS, the cluster is its
	switches *switchRole  // nil without
	holders  *holders     // nil when nobody knows whose numbers are whose
	found    *discovered  // CPSs of others; nil when they are looked for nowhere

	management       *http.Server
	managementListen net.Listener
}

// memory is what a process that has all that it may have takes, as far as that is known beforehand.
func (s *server) memory() int64 {
	var bytes int64
	if s.cps != nil {
		bytes += s.cps.memory
	}
	if s.switches != nil {
		bytes += s.config.Trace.Memory
	}
	return bytes
}

func open(file *configFile, logger *slog.Logger) (*server, error) {
	p, err := resolve(file)
	if err != nil {
		return nil, err
	}
	s := &server{config: file, log: logger}
	var numbers oob.Numbering
	if p.numbers != nil {
		s.holders = &holders{}
		s.holders.now.Store(p.numbers)
		numbers = s.holders
	}
	if s.verifier, err = trust.New(trust.Config{
		Repository:      trust.RepositoryConfig{Deadline: time.Duration(file.Trust.FetchTimeout), Laboratory: p.trust.laboratory},
		Directory:       file.Trust.CacheDir,
		CertificatesMax: file.Trust.Certificates,
		Tables:          file.Trust.Tables,
		TablesDisagreed: func() {
			logger.Error("trust.tables: a table gave another answer than crypto/ecdsa, and none is used any more; the memory of this machine may be broken")
		},
	}); err != nil {
		p.numbers.close()
		return nil, err
	}
	if s.trusted, err = newTrusted(p.trust, s.verifier, logger); err != nil {
		s.verifier.Close()
		p.numbers.close()
		return nil, err
	}
	metrics := newRegistry(s)
	if p.cps != nil {
		s.cps, err = openCPSRole(file, p, numbers, s.verifier, metrics, logger)
	}
	if err == nil && p.cps == nil && p.cluster != nil {
		s.witness, err = openCluster(p.cluster, nil, logger)
	}
	if err == nil {
		s.found, err = openDiscovery(context.Background(), file, p.trust, s.trusted, numbers, s.verifier, logger)
	}
	if s.cps != nil {
		s.cps.mesh.finds(s.found)
	}
	if err == nil && p.switches != nil {
		s.switches, err = openSwitchRole(file, p.switches, numbers, s.found, s.verifier, logger)
	}
	if err == nil {
		s.management = newManagement(s, metrics)
		s.managementListen, err = listen("management.listen", file.Management.Listen)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// listen opens a TCP listener, and says in an error which key names it.
func listen(key, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return l, nil
}

// run serves until ctx ends, then drains: first each role says that it is going, then it stops taking connections, then it
// waits for requests that have begun.
func (s *server) run(ctx context.Context) error {
	failed := make(chan error, 16)
	serving := []any{"management", s.managementListen.Addr().String()}
	if s.cps != nil {
		s.cps.run(failed)
		serving = append(serving, "cps", s.cps.listener.Addr().String())
	}
	if s.switches != nil {
		s.switches.run(ctx, failed)
		serving = append(serving, s.switches.addresses()...)
	}
	go func() { failed <- s.management.Serve(s.managementListen) }()
	s.trusted.run(ctx)
	if s.found != nil {
		s.found.run(ctx)
	}
	s.log.Info("serving", serving...)
	if s.cluster() != nil {
		go s.tellReady(ctx)
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = s.drain()
	}
	s.log.Info("stopped")
	return errors.Join(err, s.close())
}

// drain lets all roles end what they have begun, at the same time.
func (s *server) drain() error {
	var roles []func(context.Context) error
	drain := s.config.Drain
	if s.cps != nil {
		s.cps.service.Drain()
		roles = append(roles, s.cps.shutdown)
	}
	if s.switches != nil {
		s.switches.drain()
		roles = append(roles, s.switches.shutdown)
	}
	if s.witness != nil {
		roles = append(roles, s.witness.shutdown)
	}
	s.log.Info("draining", "delay", drain.Delay.String())
	time.Sleep(time.Duration(drain.Delay))
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(drain.Timeout))
	defer cancel()
	if err := together(ctx, roles); err != nil {
		return fmt.Errorf("requests were cut off after %s: %w", drain.Timeout, err)
	}
	return nil
}

// together does all at the same time, and waits for all.
func together(ctx context.Context, all []func(context.Context) error) error {
	ended := make(chan error, len(all))
	for _, do := range all {
		go func() { ended <- do(ctx) }()
	}
	var errs []error
	for range all {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// close frees what open has opened; each part may be missing.
func (s *server) close() error {
	var errs []error
	if s.cps != nil {
		errs = append(errs, s.cps.close())
	}
	errs = append(errs, s.witness.close())
	if s.switches != nil {
		errs = append(errs, s.switches.close())
	}
	if s.management != nil {
		errs = append(errs, s.management.Close())
	}
	if s.managementListen != nil { // closed already when it was served
		_ = s.managementListen.Close()
	}
	s.found.close()
	s.trusted.close()
	s.verifier.Close()
	if s.holders != nil {
		s.holders.now.Load().close()
	}
	return errors.Join(errs...)
}

// reload takes what can be changed without dropping a call from the files that the configuration names now, and has the
// sources of signed documents read at once. Whatever is wrong leaves everything as it was.
func (s *server) reload(name string) {
	file, err := readConfig(name)
	var p *plan
	if err == nil {
		p, err = resolve(file)
	}
	if err == nil {
		if err = s.take(file, p); err != nil {
			p.numbers.close()
		}
	}
	if err != nil {
		s.log.Error("reload refused; everything stays as it was", "error", err.Error())
		return
	}
	told := []any{"anchors", s.trusted.anchorCount()}
	if s.cps != nil {
		told = append(told, "tls_until", p.cps.certificate.Leaf.NotAfter)
	}
	if s.switches != nil {
		told = append(told, "trunks", len(file.Trunks))
	}
	s.log.Info("reloaded", told...)
	if keys := changedKeys(s.config.Config, file.Config); len(keys) > 0 {
		s.log.Warn("changed, and needs a restart", "keys", strings.Join(keys, ", "))
	}
}

// cluster is this process's part in a cluster, or nil.
func (s *server) cluster() *clusterRole {
	if s.cps != nil {
		return s.cps.cluster
	}
	return s.witness
}

// take changes to another plan, or refuses it and changes nothing. A role that comes or goes needs a restart.
func (s *server) take(file *configFile, p *plan) error {
	if (s.cps == nil) != (p.cps == nil) || (s.switches == nil) != (p.switches == nil) || (s.cluster() == nil) != (p.cluster == nil) {
		return errors.New("a role has come or gone: that needs a restart")
	}
	if (s.holders == nil) != (p.numbers == nil) {
		return errors.New("numbers has come or gone: that needs a restart")
	}
	var change *switchChange
	if s.switches != nil {
		var err error
		if change, err = s.switches.prepare(file, p.switches); err != nil {
			return err
		}
	}
	if err := s.trusted.reload(p.trust); err != nil {
		change.discard()
		return err
	}
	if err := s.found.reload(); err != nil {
		s.log.Error("discovery.file; the one before goes on being used", "error", err.Error())
	}
	if s.holders != nil {
		s.holders.now.Swap(p.numbers).close()
	}
	if s.cps != nil {
		s.cps.certificate.Store(&p.cps.certificate)
	}
	s.cluster().take(p.cluster)
	if s.switches != nil {
		s.switches.commit(change)
	}
	return nil
}
