package numbering

import (
	"context"
	"net/http"
	"time"

	"github.com/viaduct-oob/viaduct/tn"
)

// Cache is a cache without a server.
type Cache = cache

// NewCache makes one that asks ask; a negative lifetime is none.
func NewCache(cfg CacheConfig, ask func(context.Context, tn.Number) (spcs []string, lifetime time.Duration, err error)) *Cache {
	return newCache(cfg, func(ctx context.Context, n tn.Number) (answer, error) {
		spcs, lifetime, err := ask(ctx, n)
		return answer{spcs, lifetime}, err
	})
}

// Close ends it.
func (c *cache) Close() { c.close() }

// Keep remembers an answer.
func (c *cache) Keep(n tn.Number, spcs ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(n, answer{spcs, -1}, time.Now())
}

// LifetimeOf reads the header of an answer, ReadSPCs its body.
var (
	LifetimeOf = lifetimeOf
	ReadSPCs   = readSPCs
)

// OnlyHTTP1 keeps a client from HTTP/2.
func OnlyHTTP1(h *HTTP) {
	h.transport.Protocols = new(http.Protocols)
	h.transport.Protocols.SetHTTP1(true)
}
