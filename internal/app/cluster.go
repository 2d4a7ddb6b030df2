package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/natslog"
)

// clusterRole is this node's part in a cluster. A nil one is that of a process that is alone, and does nothing.
type clusterRole struct {
	site        string
	bytesMax    int64
	log         *natslog.Log
	certificate atomic.Pointer[tls.Certificate]
	closed      atomic.Bool
}

// openCluster starts the log, and does not wait for other nodes; view is nil for a witness.
func openCluster(p *clusterPlan, view *store.View, logger *slog.Logger) (*clusterRole, error) {
	c := &clusterRole{site: p.config.Site, bytesMax: p.config.BytesMax}
	cfg := p.config
	cfg.Log, cfg.Now = logger, clock
	if p.certificate != nil {
		c.certificate.Store(p.certificate)
		cfg.Certificate = func() (*tls.Certificate, error) { return c.certificate.Load(), nil }
	}
	var err error
	if c.log, err = natslog.Open(view, cfg); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return c, nil
}

// ratesEvery is how often nodes tell each other what they have admitted; see cps.Service.Admitted.
const ratesEvery = 250 * time.Millisecond

// shareRates counts the requests of all nodes against the same rates, until ctx ends.
func (c *clusterRole) shareRates(ctx context.Context, service *cps.Service) {
	const topic = "rates"
	c.log.Listen(topic, service.Charge)
	tick := time.NewTicker(ratesEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.log.Broadcast(topic, service.Admitted())
		case <-ctx.Done():
			return
		}
	}
}

// readyLook is how often it is looked whether the node is ready.
const readyLook = 250 * time.Millisecond

// tellReady writes down when the node becomes ready and when it ceases to be, until ctx ends: in a cluster that may be somebody
// else's doing, at any time.
func (s *server) tellReady(ctx context.Context) {
	tick := time.NewTicker(readyLook)
	defer tick.Stop()
	for was := true; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := s.health()
		if is := err == nil; is != was {
			was = is
			if is {
				s.log.Info("ready")
			} else {
				s.log.Warn("not ready", "error", innermost(err).Error())
			}
		}
	}
}

// innermost is what an error comes down to.
func innermost(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// nodes is how many nodes share what one provider may ask. A witness is counted, too: who hears of nobody then gives away rather less.
func (c *ClusterConfig) nodes() int {
	count := max(1, len(c.Nodes))
	if len(c.URL) > 0 { // whose users are not listed; at two, what they admit is counted together
		count = 2
	}
	for _, s := range c.Sites.Others {
		count += len(s.Addresses)
	}
	return count
}

// take shows another certificate from now on.
func (c *clusterRole) take(p *clusterPlan) {
	if c != nil && p.certificate != nil {
		c.certificate.Store(p.certificate)
	}
}

// shutdown hands over to the other nodes, and ends.
func (c *clusterRole) shutdown(ctx context.Context) error {
	if c == nil || c.closed.Swap(true) {
		return nil
	}
	return c.log.Close(ctx)
}

// close ends what has not been shut down, and hands nothing over.
func (c *clusterRole) close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return c.shutdown(ctx)
}
