package cpsclient

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// Health is what one CPS says of itself.
type Health struct {
	URL   string
	Fault *oob.Fault // nil when it is healthy
	Took  time.Duration
}

// Health asks all CPSs how they are (ATIS-1000096 §7), in the order of the configuration. It asks whatever the
// breakers say and tells them nothing: a CPS that is healthy by its own account may still fail to store.
func (c *Client) Health(ctx context.Context) []Health {
	all := make([]Health, len(c.peers))
	var asked sync.WaitGroup
	asked.Add(len(all))
	fault := c.goEach(func(i int, p *peer) {
		defer asked.Done()
		all[i] = p.health(ctx, c.config.Budget)
	})
	if fault != nil {
		for i, p := range c.peers {
			all[i] = Health{URL: p.base, Fault: fault}
		}
		return all
	}
	asked.Wait()
	return all
}

func (p *peer) health(ctx context.Context, budget time.Duration) Health {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	h := Health{URL: p.base}
	res, failed := p.exchange(ctx, request{method: http.MethodGet, path: atis.HealthPath, bytesMax: answerBytesMax})
	if failed == nil && res.status >= http.StatusBadRequest {
		failed = res.refusal()
	}
	if failed != nil {
		h.Fault = failed.fault
	}
	h.Took = time.Since(began)
	return h
}

// Warm opens a connection to every CPS, so that the first call does not wait for it. The error is the most telling
// Fault when none is healthy. A CPS closes connections that are idle for minutes; where calls are rare, warm again.
func (c *Client) Warm(ctx context.Context) error {
	var most *oob.Fault
	for _, h := range c.Health(ctx) {
		if h.Fault == nil {
			return nil
		}
		if most == nil || telling(h.Fault) > telling(most) {
			most = h.Fault
		}
	}
	return most
}
