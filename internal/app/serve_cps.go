package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/internal/webhook"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/trust"
)

// cpsRole is a server's Call Placement Service.
type cpsRole struct {
	store       *store.Store
	memory      int64        // that it takes at most
	cluster     *clusterRole // nil: one node
	mesh        *mesh        // nil: nothing is relayed
	service     *cps.Service
	turnstile   *turnstile.Turnstile
	certificate atomic.Pointer[tls.Certificate]
	public      *httpapi.Server
	listener    net.Listener
	hub         *push.Hub
	hooks       []hook
	running     sync.WaitGroup
	offering    sync.WaitGroup     // to hooks: they are closed when nobody offers them anything any more
	stop        context.CancelFunc // of the hub and of hooks
}

// hook is a receiver of webhooks, with the way to it.
type hook struct {
	pushHook
	to *webhook.Webhook
}

// crew is more than there are cores, because a request may wait for a certificate.
const crew = 64

func openCPSRole(file *configFile, p *plan, numbers oob.Numbering, verifier *trust.Verifier, metrics prometheus.Registerer, logger *slog.Logger) (*cpsRole, error) {
	r := &cpsRole{stop: func() {}}
	r.certificate.Store(&p.cps.certificate)
	var err error
	if r.mesh, err = openMesh(file, p, func() *clusterRole { return r.cluster }); err != nil {
		return nil, err
	}
	if err := r.openShelf(file, p, logger); err != nil {
		r.mesh.close()
		return nil, err
	}
	return r.open(file, p.cps, numbers, verifier, metrics, logger)
}

// openShelf makes the store: that of one process, or one that the log of a cluster feeds.
func (r *cpsRole) openShelf(file *configFile, p *plan, logger *slog.Logger) (err error) {
	limits := file.CPS.Limits
	cfg := store.Config{
		Now:     clock,
		Records: limits.Records, Bytes: limits.Bytes, Tokens: limits.Tokens,
		KeyRecords: limits.KeyRecords, KeyPublisherRecords: limits.KeyPublisherRecords,
		PublisherRecords: limits.PublisherRecords, PublisherBytes: limits.PublisherBytes,
		FeedProfiles: pushed(p.cps.profiles), FeedRecords: int(limits.Records), Laid: r.mesh.hook(),
	}
	r.memory = cfg.Memory()
	if p.cluster == nil {
		r.store = local.Open(cfg)
		return nil
	}
	view := store.NewView(cfg)
	if r.cluster, err = openCluster(p.cluster, view, logger); err != nil {
		return err
	}
	r.store = store.New(view, r.cluster.log)
	return nil
}

// open makes what stands before the shelf.
func (r *cpsRole) open(file *configFile, p *cpsPlan, numbers oob.Numbering, verifier *trust.Verifier, metrics prometheus.Registerer, logger *slog.Logger) (*cpsRole, error) {
	limits := file.CPS.Limits
	r.openHub(file.CPS.Push, p, numbers)
	var err error
	if err = r.openHooks(p); err != nil {
		return nil, errors.Join(err, r.close())
	}
	if r.service, err = cps.New(file.service(p, r, numbers, verifier)); err != nil {
		return nil, errors.Join(err, r.close())
	}
	advertiser, err := openAdvertiser(file.CPS.Advertise, p)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.turnstile = limits.Turnstile.open()
	door, err := httpapi.New(httpapi.Config{
		Turnstile: r.turnstile,
		Service:   r.service, Verifier: verifier, Profiles: p.profiles, Log: logger, Metrics: httpapi.NewMetrics(metrics), Crew: crew,
		BodyTimeout: time.Duration(limits.BodyTimeout), Timeout: time.Duration(limits.Timeout), InFlightMax: limits.InFlight,
		WaitsMax: file.CPS.Push.Waits, Heartbeat: time.Duration(file.CPS.Push.Heartbeat), Advertisements: advertised(advertiser),
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

// pushed are those of the profiles whose records are told of.
func pushed(profiles []oob.Profile) []oob.Profile {
	return slices.DeleteFunc(slices.Clone(profiles), func(p oob.Profile) bool { return !p.Row().Pushed })
}

// openHub makes the hub, where there is anything to tell.
func (r *cpsRole) openHub(c PushConfig, p *cpsPlan, numbers oob.Numbering) {
	if r.store.Feed() == nil {
		return
	}
	r.hub = push.New(push.Config{
		Feed: r.store.Feed(), Numbering: numbers, SubscribersMax: c.Subscribers, AccountSubscribersMax: c.AccountSubscribers, QueueMax: c.Queue,
		WatchersMax: c.Waits,
	})
}

// openHooks makes the ways to those who are told over webhooks.
func (r *cpsRole) openHooks(p *cpsPlan) error {
	for _, h := range p.hooks {
		to, err := webhook.New(h.config)
		if err != nil {
			return fmt.Errorf("cps.push.webhooks %s: %w", h.name, err)
		}
		r.hooks = append(r.hooks, hook{h, to})
	}
	if len(r.hooks) > 0 && r.hub == nil {
		return errors.New("cps.push.webhooks: no form is served whose records are told of")
	}
	return nil
}

// advertised is an advertiser as a handler, or none.
func advertised(a *advert.Advertiser) http.Handler {
	if a == nil {
		return nil
	}
	return a
}

func (f *configFile) service(p *cpsPlan, r *cpsRole, numbers oob.Numbering, verifier *trust.Verifier) cps.Config {
	c := &f.CPS
	return cps.Config{
		Store: r.store, Hub: r.hub, Numbering: numbers, Everything: texts(c.Everything), Serves: texts(c.Serves),
		Inspector: &cps.Inspector{
			Depth: p.depth, Verifier: verifier, Freshness: c.Inspect.Freshness.window(),
			RefuseUnreachable: c.Inspect.RefuseUnreachable, FetchWait: time.Duration(c.Inspect.FetchWait),
		},
		Audience: c.Audience, TokenFreshness: c.TokenFreshness.window(), AnyTokenID: c.AnyTokenID,
		Retention: p.retention, Allow: texts(c.Allow), Deny: texts(c.Deny), Readers: readers(c.Readers),
		Now: clock, Nodes: f.Cluster.nodes(), Relay: r.mesh.rules(&p.relay),
		PublishRate: cps.Rate(c.Rates.Publish), RetrieveRate: cps.Rate(c.Rates.Retrieve), OpenRate: cps.Rate(c.Rates.Open),
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
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	if r.hub != nil {
		r.running.Go(func() { r.hub.Run(ctx) })
	}
	r.mesh.start()
	if r.cluster != nil {
		r.running.Go(func() { r.cluster.shareRates(ctx, r.service) })
	}
	for _, h := range r.hooks {
		r.running.Go(h.to.Run)
		r.offering.Go(func() { runHook(ctx, r.hub, h.pushHook, h.to) })
	}
	go func() { failed <- r.public.ServeTLS(r.listener, "", "") }()
}

// shutdown lets requests end that have begun. Those that have no end are ended.
func (r *cpsRole) shutdown(ctx context.Context) error {
	r.stop()
	err := r.public.Shutdown(ctx)
	r.offering.Wait()
	for _, h := range r.hooks {
		err = errors.Join(err, h.to.Close(ctx))
	}
	r.mesh.shutdown(ctx)
	return errors.Join(err, r.cluster.shutdown(ctx))
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
	r.stop()
	r.mesh.close()
	r.store.Close()
	return errors.Join(err, r.cluster.close())
}
