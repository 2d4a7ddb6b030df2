package natslog_test

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/porttest"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/natslog"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// node is a node of a site: its view and its log.
type node struct {
	testing.TB
	cfg  natslog.Config
	view *store.View
	log  *natslog.Log
}

// keep is what KeepMax is in tests: their clocks may show any time.
const keep = 20 * 365 * 24 * time.Hour

// alone is the configuration of a site of one node.
func alone(t testing.TB) natslog.Config {
	return natslog.Unhurried(natslog.Config{Site: "east", Node: "n1", Dir: t.TempDir(), KeepMax: keep, BytesMax: 1 << 30, Log: complaints(t)})
}

// complaints shows, when asked for, what the engine complains about.
func complaints(t testing.TB) *slog.Logger {
	if !testing.Verbose() {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil)).With("test", t.Name())
}

// freeAddress is where nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	address, err := porttest.Address("tcp")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// site is the configurations of a site of so many nodes.
func site(t testing.TB, ca *authority, name string, count int) []natslog.Config {
	t.Helper()
	var nodes []natslog.Address
	for i := range count {
		nodes = append(nodes, natslog.Address{Name: fmt.Sprintf("n%d", i+1), Address: freeAddress(t)})
	}
	var all []natslog.Config
	for _, n := range nodes {
		cfg := alone(t)
		cfg.Site, cfg.Node, cfg.Nodes, cfg.Listen = name, n.Name, nodes, n.Address
		all = append(all, ca.credentials(t, cfg, "127.0.0.1"))
	}
	return all
}

// open opens the log of a node.
func open(t testing.TB, cfg natslog.Config) *node {
	t.Helper()
	n := &node{TB: t, cfg: cfg}
	n.open()
	t.Cleanup(func() { n.close() })
	return n
}

func openAll(t testing.TB, all []natslog.Config) (nodes []*node) {
	t.Helper()
	for _, cfg := range all {
		nodes = append(nodes, open(t, cfg))
	}
	return nodes
}

func (n *node) open() {
	n.Helper()
	if !n.cfg.Witness {
		n.view = store.NewView(store.Config{})
	}
	var err error
	if n.log, err = natslog.Open(n.view, n.cfg); err != nil {
		n.Fatal(err)
	}
}

func (n *node) close() {
	if err := n.log.Close(n.Context()); err != nil && n.Context().Err() == nil {
		n.Errorf("Close: %v", err)
	}
}

// ready waits until nodes are ready.
func ready(t testing.TB, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		var last error
		if !eventually(func() bool { last = n.log.Ready(); return last == nil }) {
			t.Fatalf("%s: %v", n.log.Node(), last)
		}
	}
}

// patience is how long a test waits for what must come: much longer than it takes.
const patience = 2 * time.Minute

// eventually tells whether something comes to be.
func eventually(done func() bool) bool {
	for ctx, end := time.Now(), time.Now().Add(patience); ctx.Before(end); ctx = time.Now() {
		if done() {
			return true
		}
		<-time.After(5 * time.Millisecond)
		runtime.Gosched()
	}
	return false
}

var uses atomic.Uint64

// event is a publication that was never made before.
func event() store.Event {
	n := uses.Add(1)
	now := time.Now()
	use := oob.TokenUse{Body: [8]byte{1}, Until: now.Add(time.Hour)}
	binary.BigEndian.PutUint64(use.ID[:], n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(use.ID[8:], n)
	return store.Event{Act: store.Laid, At: now, Publication: oob.Publication{
		Key: keyOf(n), Passports: []string{fmt.Sprint("passport ", n)}, Publisher: "1234",
		Received: now, Expires: now.Add(time.Hour), Use: use,
	}}
}

func keyOf(n uint64) oob.Key {
	dest, err := tn.ParseNumber(fmt.Sprintf("1215555%04d", n%10000))
	if err != nil {
		panic(err) // a mistake in this test
	}
	return oob.Key{Profile: oob.Mesh, Dest: tn.Of(dest), Orig: tn.Of(dest)}
}

// append appends an event and wants it to be new.
func (n *node) append(ev store.Event) {
	n.Helper()
	if outcome, err := n.log.Append(n.Context(), ev); err != nil || outcome != store.Created {
		n.Errorf("Append gave %v, %v", outcome, err)
	}
}

// has tells whether the view holds what an event laid.
func (n *node) has(ev store.Event) bool {
	for _, r := range n.view.Retrieve(ev.Publication.Key) {
		if r.Passports[0] == ev.Publication.Passports[0] {
			return true
		}
	}
	return false
}

// gets wants the view to hold what an event laid, soon.
func (n *node) gets(events ...store.Event) {
	n.Helper()
	for _, ev := range events {
		if !eventually(func() bool { return n.has(ev) }) {
			n.Fatalf("%s lacks a record", n.log.Node())
		}
	}
}
