package natslog_test

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/natslog"
	"github.com/viaduct-oob/viaduct/oob"
)

// wire is a connection between sites that can be cut: a listener that passes on to an address.
type wire struct {
	net.Listener
	to string

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l, to: to}
	t.Cleanup(func() { _ = l.Close(); w.set(true) })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(from)
		}
	}()
	return w
}

func (w *wire) carry(from net.Conn) {
	to, err := net.Dial("tcp", w.to)
	if err != nil {
		_ = from.Close()
		return
	}
	w.mu.Lock()
	w.conns = append(w.conns, from, to)
	cut := w.cut
	w.mu.Unlock()
	if cut {
		_, _ = from.Close(), to.Close()
	}
	go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
	_, _ = io.Copy(from, to)
	_ = from.Close()
}

// set cuts the wire, or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	for _, c := range w.conns {
		if cut {
			_ = c.Close()
		}
	}
	w.conns = nil
}

// sites joins sites of one node each in a full mesh of wires: wires[i][j] is what site i reads site j over.
func sites(t *testing.T, names ...string) (all []natslog.Config, wires [][]*wire) {
	t.Helper()
	ca := newAuthority(t)
	for _, name := range names {
		cfg := alone(t)
		cfg.Site, cfg.SitesListen = name, freeAddress(t)
		all = append(all, ca.credentials(t, cfg, "127.0.0.1"))
	}
	for i := range all {
		wires = append(wires, make([]*wire, len(all)))
		for j := range all {
			if i != j {
				wires[i][j] = newWire(t, all[j].SitesListen)
				all[i].Sites = append(all[i].Sites, natslog.Site{Name: names[j], Addresses: []string{wires[i][j].Addr().String()}})
			}
		}
	}
	return all, wires
}

func TestSites(t *testing.T) {
	all, wires := sites(t, "east", "west", "north")
	nodes := openAll(t, all)
	ready(t, nodes...)
	t.Run("EverySiteGetsWhatIsAppendedAtAny", func(t *testing.T) {
		var events []store.Event
		for i := range 30 {
			events = append(events, event())
			nodes[i%3].append(events[i])
		}
		for _, n := range nodes {
			n.gets(events...)
		}
	})
	t.Run("ATokenIsUsedOnceInAllSites", func(t *testing.T) {
		ev := event()
		nodes[0].append(ev)
		nodes[1].gets(ev)
		if outcome, err := nodes[1].log.Append(t.Context(), ev); outcome != store.Repeated || err != nil {
			t.Error(outcome, err)
		}
	})
	t.Run("GossipCrosses", func(t *testing.T) {
		heard := make(chan string, 100)
		nodes[2].log.Listen("x", func(node string, data []byte) {
			select {
			case heard <- node + " " + string(data):
			default: // one is enough
			}
		})
		got := ""
		if !eventually(func() bool { // what is broadcast may be lost
			nodes[0].log.Broadcast("x", []byte("1"))
			select {
			case got = <-heard:
				return true
			default:
				return false
			}
		}) || got != "east/n1 1" {
			t.Error(got)
		}
		if !eventually(func() bool { return len(nodes[0].log.Peers()) == 2 }) {
			t.Error(nodes[0].log.Peers())
		}
	})
	t.Run("ASiteThatIsCutOffGoesOnAndCatchesUp", func(t *testing.T) {
		for _, w := range []*wire{wires[0][1], wires[1][0], wires[0][2], wires[2][0]} {
			w.set(true)
		}
		away, here := event(), event()
		nodes[0].append(away)
		nodes[1].append(here)
		nodes[2].gets(here)
		if !eventually(func() bool { return nodes[1].log.Stats().SiteLag["east"] > time.Second }) {
			t.Error("east is not seen to be away")
		}
		if nodes[1].has(away) || nodes[0].has(here) {
			t.Error("the cut is none")
		}
		ready(t, nodes...)
		for _, w := range []*wire{wires[0][1], wires[1][0], wires[0][2], wires[2][0]} {
			w.set(false)
		}
		nodes[0].gets(here)
		nodes[1].gets(away)
		nodes[2].gets(away)
	})
	t.Run("ARestartedNodeReadsAllSites", func(t *testing.T) {
		ev := event()
		nodes[1].append(ev)
		nodes[0].close()
		nodes[0].open()
		ready(t, nodes[0])
		nodes[0].gets(ev)
	})
}

func TestAcknowledgeSites(t *testing.T) {
	all, wires := sites(t, "east", "west", "north")
	all[0].AcknowledgeSites = 2
	nodes := openAll(t, all)
	ready(t, nodes...)
	ev := event()
	if !eventually(func() bool { // other sites come to know that they are to tell
		ev = event()
		_, err := nodes[0].log.Append(t.Context(), ev)
		return err == nil
	}) {
		t.Fatal("never acknowledged")
	}
	if !nodes[1].has(ev) || !nodes[2].has(ev) {
		t.Error("acknowledged, and another site lacks it")
	}
	wires[2][0].set(true)
	late := event()
	if _, err := nodes[0].log.Append(t.Context(), late); oob.FaultOf(err) == nil || oob.FaultOf(err).Kind != oob.Overloaded {
		t.Errorf("acknowledged with one site away: %v", err)
	}
	if !nodes[0].has(late) {
		t.Error("what is not acknowledged has been applied here")
	}
	wires[2][0].set(false)
	nodes[2].gets(late)
	nodes[0].append(event())
}

// TestWhyASiteCannotBeReachedIsSaid: a site goes on without the others, so that nothing else would say so.
func TestWhyASiteCannotBeReachedIsSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mistake func(east, west *natslog.Config)
		want    string
	}{
		"a wrong port": {func(east, _ *natslog.Config) { east.Sites[0].Addresses = []string{"127.0.0.1:1"} }, "connection refused"},
		"a certificate of another address": {func(_, west *natslog.Config) {
			*west = newAuthority(t).credentials(t, *west, "127.0.0.1")
		}, "certificate"},
		"a name that the other does not know": {func(east, _ *natslog.Config) { east.Site = "south" }, "Authorization Violation"},
		"a site name used twice": {func(east, west *natslog.Config) {
			east.Site, east.Sites[0].Name = "main", "other"
			west.Site, west.Sites[0].Name = "main", "other"
		}, "Authorization Violation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, wires := sites(t, "east", "west")
			all[0].Sites[0].Addresses = []string{wires[0][1].Addr().String()}
			c.mistake(&all[0], &all[1])
			said := &spoken{}
			all[0].Log = slog.New(slog.NewTextHandler(said, nil))
			nodes := openAll(t, all)
			ready(t, nodes...)
			if !eventually(func() bool {
				return strings.Contains(said.String(), "another site cannot be reached") && strings.Contains(strings.ToLower(said.String()), strings.ToLower(c.want))
			}) {
				t.Errorf("it says %s", said)
			}
		})
	}
}

// spoken is what a node has written down.
type spoken struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
