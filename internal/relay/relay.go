// Package relay passes on to the other CPSs of a mesh what providers have published to this one (ATIS-1000096 §7,
// republish).
//
// Knows: what was laid here and with which access token, the CPSs that have to have it, what waits for each of them, which
// node of this CPS does it. Never hears of: the bytes of a request, who may relay to us, how nodes talk to each other.
//
// The store tells of each record that was laid; that is all a publisher pays for. From then on every other CPS has a lane of
// its own: a queue in which publishers are heard in turn, so many requests at a time, pauses where the CPS asks for them or
// does not answer. A CPS that says that it takes several records in one request, as ours do, is sent what has gathered since the
// last: most of what a record costs both is the request, and the token that is made for it and verified. A CPS that hangs fills its own lane. A record is tried until it expires here; what the other CPS has
// already, by whomever, is done.
//
// Where this CPS is several nodes, each passes on what it was itself published to, and tells the others what is done. They
// keep the rest in mind: when a node is not heard any more, the first by name of those that are left takes its records over.
// A mark that is lost has a record passed on twice, which changes nothing where it arrives.
//
// What came by a relay has no token here, and so is never passed on.
//
// Read relay.go, lane.go, turns.go, watch.go, marks.go, in this order.
//
// # Failures
//
// What could not be passed on is counted, by what came of it, and told to nobody: the publisher has long been answered.
//
// # Limits
//
// Those of [Config] for each CPS; [arrivalsMax] and [arrivalBytesMax] for what was laid and is not yet in any lane; twice
// Config.Records and Config.Bytes for what other nodes pass on; [PeersMax] CPSs.
package relay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

// PeersMax bounds the CPSs that are relayed to. It is above the number of those that anybody could pay for: each of them gets
// everything.
const PeersMax = 256

// GatherMax bounds Config.Gather: a call does not wait for longer.
const GatherMax = time.Second

const (
	// What was laid and is not yet in any lane, of which there is any only when the processor is short.
	arrivalsMax     = 1 << 14
	arrivalBytesMax = 64 << 20

	houseEvery    = 100 * time.Millisecond // marks are told, and nodes that are gone noticed
	discoverEvery = 10 * time.Second
)

// Config says to whom is relayed, and as whom. Zero values mean the defaults in the comments.
type Config struct {
	Peers []cpsclient.CPS // to whom

	// Discover gives who else there is. It is asked now and then, and must not wait for anybody; nil for nobody. What it gives
	// that is among Peers already, or in Own, does not count.
	Discover func() []cpsclient.CPS
	Own      []string // base URLs of this CPS

	// Control is that of cpsclient.Config, for those that were discovered: they are named by others.
	Control func(network, address string, conn syscall.RawConn) error

	// Client is as whom is relayed: SPC, Key and X5U; RootCAs, Timeout, Breaker and Republish as there. By default, Timeout
	// is 2 s, for one request, and Breaker.CoolDownMax 2 s: a record lives for seconds.
	Client cpsclient.Config

	Records  int // that wait for one CPS; 65,536
	Bytes    int // of these; 64 MiB
	InFlight int // records on their way to one CPS at a time; 256. Of these three, one publisher has half

	// Gather is how long after a request the next one waits to be full, where a CPS takes several records in one: see lane.due. Zero:
	// each record goes alone.
	Gather time.Duration

	// Node is this node as store.Event names it: its site, a slash, its name. What Broadcast says is heard by what was given to
	// Listen on the other nodes, mostly. On a single node both are nil.
	Node      string
	Broadcast func(topic string, data []byte)
	Listen    func(topic string, hear func(node string, data []byte))

	Now func() time.Time // the clock by which records expire; time.Now
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *int
		value int
	}{{&c.Records, 1 << 16}, {&c.Bytes, 64 << 20}, {&c.InFlight, 256}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if c.Client.Timeout <= 0 {
		c.Client.Timeout = 2 * time.Second
	}
	if c.Client.Breaker.CoolDownMax <= 0 {
		c.Client.Breaker.CoolDownMax = pauseMax // a CPS that is back must not lack what expires while it is left alone
	}
	c.Client.Budget = c.Client.Timeout
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Client.Now = c.Now
	return c
}

// Relay passes on. Make it with New, call Start, have [store.Config] tell Laid.
type Relay struct {
	cfg Config

	arrivals chan arrival
	bytes    atomic.Int64 // of arrivals
	dropped  atomic.Uint64

	mu    sync.Mutex
	lanes []*lane // guarded by mu

	watch watch
	marks marks

	open   context.Context // ends when there is no more time to pass on
	shut   context.CancelFunc
	closed atomic.Bool

	running sync.WaitGroup // Run
}

// arrival is a record that was laid, and the node that it was published to.
type arrival struct {
	publication oob.Publication
	at          time.Time
	node        string
}

func (a arrival) size() int {
	size := len(a.publication.Token)
	for _, p := range a.publication.Passports {
		size += len(p)
	}
	return size
}

// New checks the configuration. Nobody is connected to before there is something to relay.
func New(cfg Config) (*Relay, error) {
	if (cfg.Listen == nil) != (cfg.Broadcast == nil) {
		return nil, errors.New("one of several nodes needs to speak and to hear")
	}
	if len(cfg.Peers) > PeersMax {
		return nil, fmt.Errorf("more than %d CPSs to relay to", PeersMax)
	}
	r := &Relay{cfg: cfg.withDefaults(), arrivals: make(chan arrival, arrivalsMax)}
	r.marks.off = cfg.Broadcast == nil
	r.watch.init(2*r.cfg.Records, 2*r.cfg.Bytes)
	r.open, r.shut = context.WithCancel(context.Background())
	for _, to := range cfg.Peers {
		if err := r.addLane(to, false); err != nil {
			r.shut()
			return nil, err
		}
	}
	return r, nil
}

// Laid is told of every record that was laid, on every node: see [store.Config]. It never waits.
func (r *Relay) Laid(ev store.Event) {
	if ev.Publication.Token == "" || r.closed.Load() {
		return
	}
	a := arrival{publication: ev.Publication, at: ev.At, node: ev.Node}
	size := int64(a.size())
	if r.bytes.Add(size) > arrivalBytesMax {
		r.bytes.Add(-size)
		r.dropped.Add(1)
		return
	}
	select {
	case r.arrivals <- a:
	default:
		r.bytes.Add(-size)
		r.dropped.Add(1)
	}
}

// Start has records handed to the lanes, until Close, and listens to the other nodes.
func (r *Relay) Start() {
	if r.cfg.Listen != nil {
		r.cfg.Listen(marksTopic, r.hear)
	}
	r.running.Go(r.run)
}

func (r *Relay) run() {
	house := time.NewTicker(houseEvery)
	defer house.Stop()
	discover := time.NewTicker(discoverEvery)
	defer discover.Stop()
	r.discover()
	for {
		select {
		case a := <-r.arrivals:
			r.take(a)
			r.bytes.Add(-int64(a.size()))
		case <-house.C:
			r.sendMarks()
			r.takeOver()
		case <-discover.C:
			r.discover()
		case <-r.open.Done():
			return
		}
	}
}

// take has a record passed on, or kept in mind where another node passes it on.
func (r *Relay) take(a arrival) {
	p := a.publication
	relay, err := cpsclient.NewRelay(p)
	if err != nil {
		return // of a form in which nothing is relayed
	}
	one := &record{relay: relay, size: relay.Size() + len(p.Publisher), id: p.Use.ID, publisher: p.Publisher, expires: p.Expires, laid: a.at}
	switch {
	case a.node == r.cfg.Node:
		r.pass(one, nil)
	case sameSite(a.node, r.cfg.Node):
		r.watch.add(one, a.node, r.cfg.Now())
	}
}

// pass puts a record into every lane but those of the CPSs that have it.
func (r *Relay) pass(one *record, done []mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lanes {
		if !slices.Contains(done, l.mark) {
			l.add(one)
		}
	}
}

// addLane opens the way to a CPS, if there is none.
func (r *Relay) addLane(to cpsclient.CPS, found bool) error {
	cfg := r.cfg.Client
	cfg.CPSs = []cpsclient.CPS{to}
	if found {
		cfg.Control = r.cfg.Control
	}
	client, err := cpsclient.New(cfg)
	if err != nil {
		return fmt.Errorf("%s: %w", to.URL, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lanes = append(r.lanes, newLane(r, to.URL, found, client))
	return nil
}

// discover opens lanes to those who have come, and closes those to who has gone.
func (r *Relay) discover() {
	if r.cfg.Discover == nil {
		return
	}
	found := map[string]cpsclient.CPS{}
	for _, to := range r.cfg.Discover() {
		if !slices.Contains(r.cfg.Own, to.URL) {
			found[to.URL] = to
		}
	}
	r.mu.Lock()
	count := len(r.lanes)
	var gone []*lane
	r.lanes = slices.DeleteFunc(r.lanes, func(l *lane) bool {
		if _, still := found[l.url]; !still && l.found {
			gone = append(gone, l)
			return true
		}
		delete(found, l.url)
		return false
	})
	count -= len(gone)
	r.mu.Unlock()
	for _, l := range gone {
		l.close()
	}
	for _, url := range slices.Sorted(maps.Keys(found)) {
		if count++; count > PeersMax {
			break
		}
		_ = r.addLane(found[url], true) // what is no URL of a CPS is nobody to relay to
	}
}

// Close takes nothing more, and has what waits passed on until ctx is done; the error then is that of ctx, and what is left
// is taken over by another node, if there is one.
func (r *Relay) Close(ctx context.Context) error {
	r.closed.Store(true)
	err := r.finish(ctx)
	r.shut()
	r.running.Wait()
	r.sendMarks()
	r.mu.Lock()
	defer r.mu.Unlock()
	var closing sync.WaitGroup
	for _, l := range r.lanes {
		closing.Go(l.close)
	}
	closing.Wait()
	return err
}

// finish waits until nothing waits.
func (r *Relay) finish(ctx context.Context) error {
	look := time.NewTicker(houseEvery / 10)
	defer look.Stop()
	for r.pending() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (r *Relay) pending() bool {
	if r.bytes.Load() > 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.lanes, func(l *lane) bool { return l.stats().Waiting > 0 })
}

// Stats are the counters of a relay since New.
type Stats struct {
	Dropped   uint64 // records that came faster than they could be looked at
	Watched   int    // records that other nodes pass on, kept in mind now
	Unwatched uint64 // those for which there was no room
	TakenOver uint64 // those that this node has passed on because the other was gone
	Peers     []PeerStats
}

// PeerStats is how one CPS stands. The outcomes count records.
type PeerStats struct {
	URL      string
	Found    bool // it was discovered
	Waiting  int  // records, those that are being sent included
	Bytes    int
	Delay    time.Duration // how long after it was published the last record arrived there
	Passed   uint64        // it has them
	Refused  uint64        // for good
	Late     uint64        // they expired first
	Dropped  uint64        // there was no room
	Attempts map[string]int64
	Breaker  cpsclient.BreakerState
}

// Stats gives the counters.
func (r *Relay) Stats() Stats {
	s := Stats{Dropped: r.dropped.Load()}
	s.Watched, s.Unwatched, s.TakenOver = r.watch.stats()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lanes {
		s.Peers = append(s.Peers, l.stats())
	}
	return s
}
