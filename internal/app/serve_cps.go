package app

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/trust"
)

// cpsRole is a server's Call Placement Service.
type cpsRole struct {
	store       *store.Store
	service     *cps.Service
	certificate atomic.Pointer[tls.Certificate]
	public      *http.Server
	listener    net.Listener
}

// memory is what a full shelf takes: see the package comment of internal/store.
func (l LimitsConfig) memory() int64 { return l.Bytes + 300*l.Records + 50*l.Tokens }

// crew is more than there are cores, because a request may wait for a certificate.
const crew = 64

func openCPSRole(file *configFile, p *cpsPlan, verifier *trust.Verifier, metrics prometheus.Registerer, logger *slog.Logger) (*cpsRole, error) {
	r := &cpsRole{}
	r.certificate.Store(&p.certificate)
	limits := file.CPS.Limits
	r.store = local.Open(store.Config{
		Records: limits.Records, Bytes: limits.Bytes, Tokens: limits.Tokens,
		KeyRecords: limits.KeyRecords, KeyPublisherRecords: limits.KeyPublisherRecords,
		PublisherRecords: limits.PublisherRecords, PublisherBytes: limits.PublisherBytes,
	})
	var err error
	if r.service, err = cps.New(file.CPS.service(p, r.store, verifier)); err != nil {
		return nil, errors.Join(err, r.close())
	}
	door, err := httpapi.New(httpapi.Config{
		Service: r.service, Verifier: verifier, Profiles: p.profiles, Log: logger, Metrics: httpapi.NewMetrics(metrics), Crew: crew,
		BodyTimeout: time.Duration(limits.BodyTimeout), Timeout: time.Duration(limits.Timeout), InFlightMax: limits.InFlight,
	})
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.public = httpapi.NewServer(door, time.Duration(limits.BodyTimeout),
		func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.certificate.Load(), nil }, logger)
	if r.listener, err = listen("cps.listen", file.CPS.Listen); err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.listener = httpapi.LimitConnections(r.listener, limits.Connections, limits.AddressConnections)
	return r, nil
}

func (c CPSConfig) service(p *cpsPlan, shelf *store.Store, verifier *trust.Verifier) cps.Config {
	return cps.Config{
		Store: shelf,
		Inspector: &cps.Inspector{
			Depth: p.depth, Verifier: verifier, Freshness: c.Inspect.Freshness.window(),
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

func (r *cpsRole) run(failed chan<- error) {
	go func() { failed <- r.public.ServeTLS(r.listener, "", "") }()
}

// close frees what has been opened; each part may be missing.
func (r *cpsRole) close() error {
	var err error
	if r.public != nil {
		err = r.public.Close()
	}
	if r.listener != nil { // closed already when it was served
		_ = r.listener.Close()
	}
	r.store.Close()
	return err
}
