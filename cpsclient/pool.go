package cpsclient

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// poolCPSsMax is how many CPSs of one answer are used: a pair, and room.
const poolCPSsMax = 4

// PoolConfig says how a pool finds CPSs. Zero values mean the defaults in the comments.
type PoolConfig struct {
	// Find tells which CPSs a key is published to, or retrieved from; the first four of them are used. Its errors are passed
	// on; that there are none is NotFound. It does not outlast ctx.
	Find func(ctx context.Context, k oob.Key) ([]CPS, error)

	Client     Config        // of each client, but for its CPSs
	ClientsMax int           // clients kept, of one list of CPSs each; 256. As many again may be about to end
	Idle       time.Duration // after which a client that nobody has used is closed; 5 min
}

// Pool is a Publisher and a Source whose CPSs depend on the key. Each list of CPSs has a client of its own, with its own
// connections and breakers, so that a CPS which hangs holds up nobody who wants another one.
//
// Whoever makes up what Find answers can make us connect anywhere. He cannot make us keep more than a few connections to
// each of twice Config.ClientsMax lists: beyond, operations fail as Overloaded.
type Pool struct {
	config PoolConfig

	mu      sync.Mutex
	clients map[string]*pooled // guarded by mu, as what follows
	recent  *list.List         // of *pooled, the last used in front
	ending  int                // clients that are being closed
	closed  bool
	stats   PoolStats
	timer   *time.Timer // of idle clients; nil when there are none

	ended sync.WaitGroup // of clients that are being closed
}

// pooled is one client.
type pooled struct {
	name   string
	client *Client
	users  int
	used   time.Time // when its last user left
	place  *list.Element
}

// PoolStats tells how a pool stands.
type PoolStats struct {
	Clients int   // kept now
	Opened  int64 // since the start
	Evicted int64 // closed to make room, as opposed to idle ones
	Refused int64 // operations for which there was no room
}

var _ oob.Publisher = (*Pool)(nil)

// NewPool makes a pool without clients.
func NewPool(cfg PoolConfig) (*Pool, error) {
	if cfg.Find == nil {
		return nil, errors.New("a pool needs somebody who finds CPSs")
	}
	if err := cfg.Client.checkCredential(); err != nil {
		return nil, err
	}
	cfg.Client = cfg.Client.withDefaults()
	if cfg.ClientsMax <= 0 {
		cfg.ClientsMax = 256
	}
	if cfg.Idle <= 0 {
		cfg.Idle = idleTimeout
	}
	return &Pool{config: cfg, clients: map[string]*pooled{}, recent: list.New()}, nil
}

// Publish is that of the client of the CPSs that are found for the key. Finding them is part of the budget.
func (p *Pool) Publish(ctx context.Context, publication oob.Publication) error {
	return p.with(ctx, publication.Key, func(ctx context.Context, c *Client) error { return c.Publish(ctx, publication) })
}

// Retrieve is that of the client of the CPSs that are found for the key, as with Publish.
func (p *Pool) Retrieve(ctx context.Context, k oob.Key) (passports []string, err error) {
	err = p.with(ctx, k, func(ctx context.Context, c *Client) (err error) {
		passports, err = c.Retrieve(ctx, k)
		return err
	})
	return passports, err
}

// Consume is that of the client of the CPSs that are found for the key, as with Publish.
func (p *Pool) Consume(ctx context.Context, k oob.Key, ids []string) error {
	return p.with(ctx, k, func(ctx context.Context, c *Client) error { return c.Consume(ctx, k, ids) })
}

func (p *Pool) with(ctx context.Context, k oob.Key, do func(context.Context, *Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.config.Client.Budget)
	defer cancel()
	found, err := p.config.Find(ctx, k)
	switch {
	case err != nil:
		return oob.FaultOf(err)
	case len(found) == 0:
		return oob.Faultf(oob.NotFound, "no CPS is known for this call")
	}
	can := usable(found)
	if len(can) == 0 {
		return oob.Faultf(oob.PeerFailed, "none of the CPSs that are known for this call has a URL that can be used")
	}
	one, fault := p.enter(can)
	if fault != nil {
		return fault
	}
	defer p.leave(one)
	return do(ctx, one.client)
}

// usable gives the CPSs that can be used at all, each once and in an order of their own: who advertises one that cannot takes
// nothing away from the others.
func usable(found []CPS) (all []CPS) {
	known := map[string]bool{}
	for _, cps := range found[:min(len(found), poolCPSsMax)] {
		u, err := cps.parse()
		if err != nil || known[baseOf(u)] {
			continue
		}
		known[baseOf(u)] = true
		all = append(all, CPS{URL: baseOf(u), Audience: cps.Audience})
	}
	slices.SortFunc(all, func(a, b CPS) int { return strings.Compare(a.URL, b.URL) })
	return all
}

// enter gives the client of CPSs, which stays until its user leaves.
func (p *Pool) enter(found []CPS) (*pooled, *oob.Fault) {
	var name strings.Builder
	for _, cps := range found {
		name.WriteString(cps.URL + " " + cps.Audience + "\n")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, oob.Faultf(oob.Draining, "this pool is closed")
	}
	one := p.clients[name.String()]
	if one == nil {
		var fault *oob.Fault
		if one, fault = p.open(name.String(), found); fault != nil {
			return nil, fault
		}
	}
	one.users++
	p.recent.MoveToFront(one.place)
	return one, nil
}

// open makes a client, in the place of another if need be. It needs mu.
func (p *Pool) open(name string, found []CPS) (*pooled, *oob.Fault) {
	if len(p.clients) == p.config.ClientsMax && !p.evict() {
		p.stats.Refused++
		return nil, oob.Faultf(oob.Overloaded, "too many CPSs are in use")
	}
	cfg := p.config.Client
	cfg.CPSs, cfg.found = found, true
	client, err := newClient(cfg)
	if err != nil {
		return nil, oob.Faultf(oob.PeerFailed, "a CPS cannot be used").Because(err)
	}
	one := &pooled{name: name, client: client}
	one.place = p.recent.PushFront(one)
	p.clients[name] = one
	p.stats.Opened++
	return one, nil
}

// evict ends the client that has not been used for longest, unless all are in use, or too many are about to end. It needs mu.
func (p *Pool) evict() bool {
	if p.ending >= p.config.ClientsMax {
		return false
	}
	for e := p.recent.Back(); e != nil; e = e.Prev() {
		if one := e.Value.(*pooled); one.users == 0 {
			p.stats.Evicted++
			p.end(one)
			return true
		}
	}
	return false
}

// end closes a client, which may have something left in the background. It needs mu.
func (p *Pool) end(one *pooled) {
	delete(p.clients, one.name)
	p.recent.Remove(one.place)
	p.ending++
	p.ended.Go(func() {
		one.client.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ending--
	})
}

func (p *Pool) leave(one *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one.users--
	one.used = time.Now()
	if p.timer == nil && !p.closed {
		p.timer = time.AfterFunc(p.config.Idle, p.tidy)
	}
}

// tidy ends the clients that have been idle, and comes again while there are others.
func (p *Pool) tidy() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	if p.closed {
		return
	}
	for _, one := range p.clients {
		if one.users == 0 && time.Since(one.used) >= p.config.Idle {
			p.end(one)
		}
	}
	if len(p.clients) > 0 {
		p.timer = time.AfterFunc(p.config.Idle, p.tidy)
	}
}

// Close refuses new operations, and closes all clients as [Client.Close] does.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, one := range p.clients {
		p.end(one)
	}
	p.mu.Unlock()
	p.ended.Wait()
}

// Stats tells how the pool stands.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	stats := p.stats
	stats.Clients = len(p.clients)
	return stats
}

// States tells how each CPS of each client stands, the last used first. A CPS that is in several lists has several.
func (p *Pool) States() []State {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []State
	for e := p.recent.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*pooled).client.States()...)
	}
	return all
}
