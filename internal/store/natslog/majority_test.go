package natslog_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/natslog"
	"github.com/viaduct-oob/viaduct/oob"
)

// withoutMajority closes all nodes but one, and opens them again.
func withoutMajority(t *testing.T, nodes []*node) {
	before := event()
	nodes[0].append(before)
	for _, n := range nodes[1:] {
		n.close()
	}
	if !eventually(func() bool { return nodes[0].log.Ready() != nil }) {
		t.Fatal("ready without a majority")
	}
	var fault *oob.Fault
	ev := event()
	begun := time.Now()
	if _, err := nodes[0].log.Append(t.Context(), ev); !errors.As(err, &fault) || fault.Kind != oob.Overloaded || fault.RetryAfter == 0 {
		t.Errorf("appended without a majority: %v", err)
	}
	if took := time.Since(begun); took > patience {
		t.Errorf("refused after %v", took)
	}
	if !eventually(func() bool { // once it is sure, it lets nobody wait
		_, err := nodes[0].log.Append(t.Context(), event())
		return err != nil && strings.Contains(err.Error(), "hears no majority")
	}) {
		t.Error("it goes on trying")
	}
	if !nodes[0].has(before) {
		t.Error("reading has ended")
	}
	spent := ev
	spent.Act, spent.Publication.Use.ID = store.Spent, [16]byte{1, 2, 3}
	for i, want := range []store.Outcome{store.Created, store.Replayed} {
		if outcome, err := nodes[0].log.Append(t.Context(), spent); err != nil || outcome != want {
			t.Errorf("use %d of a token: %v, %v", i, outcome, err)
		}
	}
	for _, n := range nodes[1:] {
		n.open()
	}
	ready(t, nodes...)
	for _, n := range nodes {
		n.gets(before)
	}
	if !eventually(func() bool { // a use of a token reaches the others when they are back
		outcome, _ := nodes[2].log.Append(t.Context(), spent)
		return outcome == store.Replayed
	}) {
		t.Error("another node does not know of the use of a token")
	}
}

func TestWitnessAndClocks(t *testing.T) {
	t.Parallel()
	all := site(t, newAuthority(t), "east", 3)
	all[0].Now = func() time.Time { return time.Now().Add(5 * time.Second) }
	all[2].Witness, all[2].KeepMax = true, time.Second
	nodes := openAll(t, all)
	ready(t, nodes[1])
	ev := event()
	nodes[1].append(ev)
	nodes[0].gets(ev)
	var late *oob.Fault
	if !eventually(func() bool {
		return errors.As(nodes[0].log.Ready(), &late) && strings.Contains(late.Error(), "clock")
	}) {
		t.Errorf("a node with another clock: %v", late)
	}
	ready(t, nodes[2])
	if kept := nodes[2].log.Kept(t); kept <= all[1].KeepMax {
		t.Errorf("the witness has events kept for %v: it decides that for nobody", kept)
	}
	for _, p := range nodes[1].log.Peers() {
		if p.Node == "east/n3" && p.Ready {
			t.Error("a witness is taken for a node that serves")
		}
	}
	if _, err := nodes[2].log.Append(t.Context(), event()); oob.FaultOf(err) == nil || oob.FaultOf(err).Kind != oob.Overloaded {
		t.Errorf("a witness appends: %v", err)
	}
	if _, err := natslog.Open(nil, all[0]); err == nil {
		t.Error("opened without a view")
	}
}

func TestAfterCloseNothingIsAppended(t *testing.T) {
	n := open(t, alone(t))
	ready(t, n)
	n.close()
	_, err := n.log.Append(t.Context(), event())
	if !errors.Is(err, oob.Draining) || !errors.Is(n.log.Ready(), oob.Draining) {
		t.Error(err, n.log.Ready())
	}
	n.close()
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	good := site(t, newAuthority(t), "east", 3)[0]
	for name, change := range map[string]func(c *natslog.Config){
		"no site":                     func(c *natslog.Config) { c.Site = "" },
		"a site with a dot":           func(c *natslog.Config) { c.Site = "a.b" },
		"a node of no list":           func(c *natslog.Config) { c.Node = "n9" },
		"no directory":                func(c *natslog.Config) { c.Dir = "" },
		"two nodes":                   func(c *natslog.Config) { c.Nodes = c.Nodes[:2] },
		"a node twice":                func(c *natslog.Config) { c.Nodes = slices.Concat(c.Nodes[:1], c.Nodes[:2]) },
		"no certificate":              func(c *natslog.Config) { c.Certificate = nil },
		"no roots":                    func(c *natslog.Config) { c.Roots = nil },
		"nowhere to listen":           func(c *natslog.Config) { c.Listen = "" },
		"a witness alone":             func(c *natslog.Config) { c.Nodes, c.Witness = nil, true },
		"more sites than there are":   func(c *natslog.Config) { c.AcknowledgeSites = 1 },
		"itself as another site":      func(c *natslog.Config) { c.Sites = []natslog.Site{{Name: "east", Addresses: []string{"a:1"}}} },
		"external and nodes":          func(c *natslog.Config) { c.External = []string{"nats://127.0.0.1"} },
		"no time to keep":             func(c *natslog.Config) { c.KeepMax = 0 },
		"too few bytes for a message": func(c *natslog.Config) { c.BytesMax = 1 << 20 },
	} {
		c := good
		change(&c)
		if err := c.Check(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
}

func TestAFirstStartTakesAllNodes(t *testing.T) {
	t.Parallel()
	all := site(t, newAuthority(t), "east", 3)
	nodes := openAll(t, all[:2])
	var last error
	if !eventually(func() bool {
		last = nodes[0].log.Ready()
		return last != nil && strings.Contains(last.Error(), "all nodes of the site, once; 2 of 3 are there")
	}) {
		t.Fatal(last)
	}
	nodes = append(nodes, open(t, all[2]))
	ready(t, nodes...)
}
