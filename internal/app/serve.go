package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/heap"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
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
	heap.Tune(file.CPS.Limits.memory())
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

// server is one process that serves: both listeners are open from the beginning, so that a port that is taken is an
// error of the start.
type server struct {
	config      *configFile
	log         *slog.Logger
	verifier    *trust.Verifier
	trusted     *trusted
	store       *store.Store
	cps         *cps.Service
	certificate atomic.Pointer[tls.Certificate]

	public           *http.Server
	publicListener   net.Listener
	management       *http.Server
	managementListen net.Listener
}

// memory is what a full shelf takes: see the package comment of internal/store.
func (l LimitsConfig) memory() int64 { return l.Bytes + 300*l.Records + 50*l.Tokens }

// crew is more than there are cores, because a request may wait for a certificate.
const crew = 64

func open(file *configFile, logger *slog.Logger) (*server, error) {
	p, err := resolve(file)
	if err != nil {
		return nil, err
	}
	s := &server{config: file, log: logger}
	s.certificate.Store(&p.certificate)
	if s.verifier, err = trust.New(trust.Config{
		Repository:      trust.RepositoryConfig{Deadline: time.Duration(file.Trust.FetchTimeout), Laboratory: p.trust.laboratory},
		Directory:       file.Trust.CacheDir,
		CertificatesMax: file.Trust.Certificates,
	}); err != nil {
		return nil, err
	}
	if s.trusted, err = newTrusted(p.trust, s.verifier, logger); err != nil {
		s.verifier.Close()
		return nil, err
	}
	limits := file.CPS.Limits
	s.store = local.Open(store.Config{
		Records: limits.Records, Bytes: limits.Bytes, Tokens: limits.Tokens,
		KeyRecords: limits.KeyRecords, KeyPublisherRecords: limits.KeyPublisherRecords,
		PublisherRecords: limits.PublisherRecords, PublisherBytes: limits.PublisherBytes,
	})
	if s.cps, err = cps.New(s.cpsConfig(p)); err != nil {
		return nil, errors.Join(err, s.close())
	}
	metrics := newRegistry(s)
	door, err := httpapi.New(httpapi.Config{
		Service: s.cps, Verifier: s.verifier, Profiles: p.profiles, Log: logger, Metrics: httpapi.NewMetrics(metrics), Crew: crew,
		BodyTimeout: time.Duration(limits.BodyTimeout), Timeout: time.Duration(limits.Timeout), InFlightMax: limits.InFlight,
	})
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.public = httpapi.NewServer(door, time.Duration(limits.BodyTimeout),
		func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.certificate.Load(), nil }, logger)
	s.management = newManagement(s, metrics)
	if err := s.listen(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *server) cpsConfig(p *plan) cps.Config {
	c := s.config.CPS
	return cps.Config{
		Store: s.store,
		Inspector: &cps.Inspector{
			Depth: p.depth, Verifier: s.verifier, Freshness: c.Inspect.Freshness.window(),
			RefuseUnreachable: c.Inspect.RefuseUnreachable, FetchWait: time.Duration(c.Inspect.FetchWait),
		},
		Audience: c.Audience, TokenFreshness: c.TokenFreshness.window(), AnyTokenID: c.AnyTokenID,
		Retention: p.retention, Allow: texts(c.Allow), Deny: texts(c.Deny), Readers: readers(c.Readers),
		PublishRate: cps.Rate(c.Rates.Publish), RetrieveRate: cps.Rate(c.Rates.Retrieve),
	}
}

func texts(list []SPC) []string {
	all := make([]string, len(list))
	for i, spc := range list {
		all[i] = string(spc)
	}
	return all
}

func readers(r Readers) map[string][]string {
	all := make(map[string][]string, len(r))
	for publisher, list := range r {
		all[string(publisher)] = texts(list)
	}
	return all
}

func (f FreshnessConfig) window() oob.Freshness {
	return oob.Freshness{Past: time.Duration(f.Past), Future: time.Duration(f.Future)}
}

func (s *server) listen() error {
	public, err := net.Listen("tcp", s.config.CPS.Listen)
	if err != nil {
		return fmt.Errorf("cps.listen: %w", err)
	}
	s.publicListener = httpapi.LimitConnections(public, s.config.CPS.Limits.Connections, s.config.CPS.Limits.AddressConnections)
	if s.managementListen, err = net.Listen("tcp", s.config.Management.Listen); err != nil {
		return fmt.Errorf("management.listen: %w", err)
	}
	return nil
}

// run serves until ctx ends, then drains: first it says that it is going, then it stops taking connections, then it
// waits for requests that have begun.
func (s *server) run(ctx context.Context) error {
	failed := make(chan error, 2)
	go func() { failed <- s.public.ServeTLS(s.publicListener, "", "") }()
	go func() { failed <- s.management.Serve(s.managementListen) }()
	s.trusted.run(ctx)
	s.log.Info("serving", "cps", s.publicListener.Addr().String(), "management", s.managementListen.Addr().String())
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = s.drain()
	}
	s.log.Info("stopped")
	return errors.Join(err, s.close())
}

func (s *server) drain() error {
	drain := s.config.CPS.Drain
	s.log.Info("draining", "delay", drain.Delay.String())
	s.cps.Drain()
	time.Sleep(time.Duration(drain.Delay))
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(drain.Timeout))
	defer cancel()
	if err := s.public.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests were cut off after %s: %w", drain.Timeout, err)
	}
	return nil
}

// close frees what open has opened; each part may be missing.
func (s *server) close() error {
	var errs []error
	if s.public != nil {
		errs = append(errs, s.public.Close())
	}
	if s.management != nil {
		errs = append(errs, s.management.Close())
	}
	// Listeners that were never served; those that were are closed already.
	for _, l := range []net.Listener{s.publicListener, s.managementListen} {
		if l != nil {
			_ = l.Close()
		}
	}
	s.trusted.close()
	s.store.Close()
	s.verifier.Close()
	return errors.Join(errs...)
}

// reload takes the TLS certificate and what is believed from the files that the configuration names now, and has the
// sources of signed documents read at once. Whatever is wrong leaves everything as it was.
func (s *server) reload(name string) {
	file, err := readConfig(name)
	var p *plan
	if err == nil {
		p, err = resolve(file)
	}
	if err == nil {
		err = s.trusted.reload(p.trust)
	}
	if err != nil {
		s.log.Error("reload refused; everything stays as it was", "error", err.Error())
		return
	}
	s.certificate.Store(&p.certificate)
	s.log.Info("reloaded", "anchors", s.trusted.anchorCount(), "tls_until", p.certificate.Leaf.NotAfter)
	if keys := changedKeys(s.config.Config, file.Config); len(keys) > 0 {
		s.log.Warn("changed, and needs a restart", "keys", strings.Join(keys, ", "))
	}
}
