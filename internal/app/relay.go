package app

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/relay"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/trust"
)

// mesh is the part of a CPS in a mesh. A nil one takes no part.
type mesh struct {
	relay  *relay.Relay // nil when nothing is passed on
	config *RelayConfig
	found  *discovered // CPSs of others; nil without. Set before anything is served
	closed atomic.Bool
}

// openMesh makes what passes on. The cluster is opened after it, because its log may have records for it at once; it is asked
// for from start on.
func openMesh(file *configFile, p *plan, cluster func() *clusterRole) (*mesh, error) {
	c := &file.CPS.Relay
	if !c.sends() && !c.takes() {
		return nil, nil
	}
	m := &mesh{config: c}
	if !c.sends() {
		return m, nil
	}
	plan := &p.cps.relay
	key := plan.key
	if key == nil {
		var err error
		if key, err = openKey(c.Key); err != nil {
			return nil, fmt.Errorf("cps.relay.key: %w", err)
		}
	}
	cfg := relay.Config{
		Peers: plan.peers, Records: c.Queue.Records, Bytes: c.Queue.Bytes, InFlight: c.InFlight, Gather: time.Duration(c.Gather), Now: clock,
		Client: cpsclient.Config{
			SPC: string(c.SPC), Key: key, X5U: c.X5U, RootCAs: plan.roots, Timeout: time.Duration(c.Timeout), Republish: plan.spelling,
		},
	}
	if c.Discover {
		cfg.Discover = m.discover
	}
	if !c.PrivateAddresses {
		cfg.Control = trust.RefusePrivate
	}
	if url, err := discovery.BaseURL(file.CPS.Advertise.URL); err == nil {
		cfg.Own = []string{url}
	}
	if p.cluster != nil {
		cfg.Node = p.cluster.config.Site + "/" + p.cluster.config.Node
		cfg.Broadcast = func(topic string, data []byte) {
			if c := cluster(); c != nil { // it may be what could not be opened
				c.log.Broadcast(topic, data)
			}
		}
		cfg.Listen = func(topic string, hear func(string, []byte)) { cluster().log.Listen(topic, hear) }
	}
	var err error
	if m.relay, err = relay.New(cfg); err != nil {
		return nil, fmt.Errorf("cps.relay: %w", err)
	}
	return m, nil
}

// hook is what the store tells of what was laid; nil when nobody wants to know.
func (m *mesh) hook() func(store.Event) {
	if m == nil || m.relay == nil {
		return nil
	}
	return m.relay.Laid
}

// rules are what the service decides by.
func (m *mesh) rules(p *relayPlan) cps.RelayConfig {
	if m == nil {
		return cps.RelayConfig{}
	}
	r := cps.RelayConfig{Sends: m.relay != nil, Own: string(m.config.SPC), TokenOptional: p.tokenOptional, Rate: cps.Rate(m.config.Rate)}
	if m.config.takes() {
		listed := map[string]bool{}
		for _, spc := range m.config.Accept {
			listed[string(spc)] = true
		}
		r.Accepts = func(spc string) bool {
			return listed[spc] || m.config.AcceptDiscovered && m.found.knowsProvider(spc)
		}
	}
	return r
}

// discover gives the CPSs that are published for providers, but for our own.
func (m *mesh) discover() []cpsclient.CPS {
	all, own := map[string]bool{}, map[string]bool{}
	for _, one := range m.found.listings() {
		for spc, url := range one.CPSs() {
			all[url] = true
			if spc == string(m.config.SPC) {
				own[url] = true
			}
		}
	}
	var others []cpsclient.CPS
	for _, url := range slices.Sorted(maps.Keys(all)) {
		if !own[url] {
			others = append(others, cpsclient.CPS{URL: url})
		}
	}
	return others
}

// listing is a source that can list the CPSs of all providers.
type listing interface {
	discovery.Source
	CPSs() map[string]string // by provider code
}

func (d *discovered) listings() (all []listing) {
	if d != nil && d.list != nil {
		all = append(all, d.list)
	}
	if d != nil && d.book != nil {
		all = append(all, d.book)
	}
	return all
}

// knowsProvider tells whether a CPS is published for a provider. It asks nobody.
func (d *discovered) knowsProvider(spc string) bool {
	return slices.ContainsFunc(d.listings(), func(one listing) bool {
		_, err := one.Find(context.Background(), discovery.Question{SPC: spc})
		return err == nil
	})
}

// finds says where CPSs of others are looked for. It is called before anything is served.
func (m *mesh) finds(found *discovered) {
	if m != nil {
		m.found = found
	}
}

func (m *mesh) start() {
	if m != nil && m.relay != nil {
		m.relay.Start()
	}
}

// flush is how long a process that ends passes on what waits. What is left is taken over by another node, or is of no matter in a
// few seconds.
const flush = 2 * time.Second

// shutdown has what waits passed on, for a moment.
func (m *mesh) shutdown(ctx context.Context) {
	if m == nil || m.relay == nil || m.closed.Swap(true) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flush)
	defer cancel()
	_ = m.relay.Close(ctx) // says no more than that the time was over
}

// close passes on nothing more.
func (m *mesh) close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m.shutdown(ctx)
}

// describeRelay says who is relayed to, and whose relays are taken.
func (p *cpsPlan) describeRelay(out io.Writer, c *RelayConfig) {
	for _, peer := range p.relay.peers {
		fmt.Fprintf(out, "  relays to %s, as %s\n", peer.URL, c.SPC)
	}
	if c.Discover {
		fmt.Fprintf(out, "  relays to every CPS that is discovered, as %s\n", c.SPC)
	}
	if len(c.Accept) > 0 {
		fmt.Fprintf(out, "  takes relays of %s\n", strings.Join(texts(c.Accept), ", "))
	}
	if c.AcceptDiscovered {
		fmt.Fprintln(out, "  takes relays of every provider whose CPS is discovered")
	}
}

var (
	descRelayed        = describe("relay_records_total", "Records for other CPSs of the mesh, by CPS and what came of them: passed, refused, late, dropped.", "cps", "outcome")
	descRelayWaiting   = describe("relay_waiting_records", "Records that wait for another CPS of the mesh, now.", "cps")
	descRelayDelay     = describe("relay_delay_seconds", "How long after it was published the last record arrived at another CPS of the mesh.", "cps")
	descRelayCircuit   = describe("relay_circuit_state", "0: the CPS is relayed to; 1: it is tried again; 2: it is left alone.", "cps")
	descRelayUnseen    = describe("relay_overrun_records_total", "Records that were published faster than they could be looked at, and are relayed to nobody.")
	descRelayWatched   = describe("relay_watched_records", "Records that other nodes relay, kept in mind in case they cannot, now.")
	descRelayTakenOver = describe("relay_taken_over_records_total", "Records that this node has relayed because the one that was published to was gone.")
)

// breakerLevels are the states as numbers.
var breakerLevels = map[cpsclient.BreakerState]float64{cpsclient.BreakerClosed: 0, cpsclient.BreakerHalfOpen: 1, cpsclient.BreakerOpen: 2}

// collect gives how the other CPSs stand. Those that were discovered are counted together: whoever advertises chooses their URLs.
func (m *mesh) collect(level func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, int64, ...string)) {
	if m == nil || m.relay == nil {
		return
	}
	s := m.relay.Stats()
	counter(descRelayUnseen, int64(s.Dropped))
	level(descRelayWatched, float64(s.Watched))
	counter(descRelayTakenOver, int64(s.TakenOver))
	const together = "discovered"
	all := map[string]*relay.PeerStats{}
	for _, peer := range s.Peers {
		name := peer.URL
		if peer.Found {
			name = together
		}
		sum := all[name]
		if sum == nil {
			sum = &relay.PeerStats{Found: peer.Found}
			all[name] = sum
		}
		sum.Waiting += peer.Waiting
		sum.Passed += peer.Passed
		sum.Refused += peer.Refused
		sum.Late += peer.Late
		sum.Dropped += peer.Dropped
		sum.Delay = max(sum.Delay, peer.Delay)
		if breakerLevels[peer.Breaker] >= breakerLevels[sum.Breaker] {
			sum.Breaker = peer.Breaker
		}
	}
	for name, sum := range all {
		for outcome, n := range map[string]uint64{"passed": sum.Passed, "refused": sum.Refused, "late": sum.Late, "dropped": sum.Dropped} {
			counter(descRelayed, int64(n), name, outcome)
		}
		level(descRelayWaiting, float64(sum.Waiting), name)
		level(descRelayDelay, sum.Delay.Seconds(), name)
		level(descRelayCircuit, breakerLevels[sum.Breaker], name)
	}
}
