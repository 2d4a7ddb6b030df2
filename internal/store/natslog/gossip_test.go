package natslog_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
)

func TestThreeNodes(t *testing.T) {
	t.Parallel()
	nodes := openAll(t, site(t, newAuthority(t), "east", 3))
	ready(t, nodes...)
	t.Run("EveryNodeGetsWhatIsAppendedAtAny", func(t *testing.T) {
		var events []store.Event
		for i := range 30 {
			events = append(events, event())
			nodes[i%3].append(events[i])
		}
		for _, n := range nodes {
			n.gets(events...)
		}
	})
	t.Run("AnEventKnowsItsNode", func(t *testing.T) {
		if name := nodes[1].log.Node(); name != "east/n2" {
			t.Error(name)
		}
	})
	t.Run("Peers", func(t *testing.T) {
		var want []string
		if !eventually(func() bool {
			want = want[:0]
			for _, p := range nodes[0].log.Peers() {
				if p.Ready && p.Site == "east" && p.Skew.Abs() < time.Second && time.Since(p.LastHeard) < time.Second {
					want = append(want, p.Node)
				}
			}
			return len(want) == 2
		}) {
			t.Fatal(nodes[0].log.Peers())
		}
		if want[0] != "east/n2" || want[1] != "east/n3" {
			t.Error(want)
		}
	})
	t.Run("BroadcastReachesAllOthers", func(t *testing.T) {
		var mu sync.Mutex
		got := map[string]string{}
		for _, n := range nodes {
			n.log.Listen("rates", func(node string, data []byte) {
				mu.Lock()
				defer mu.Unlock()
				got[n.log.Node()+" from "+node] = string(data)
			})
		}
		if !eventually(func() bool {
			nodes[0].log.Broadcast("rates", []byte("a"))
			nodes[0].log.Broadcast("other", []byte("c"))
			nodes[2].log.Broadcast("rates", []byte("b"))
			mu.Lock()
			defer mu.Unlock()
			return len(got) == 4
		}) {
			t.Fatal("not everybody has heard")
		}
		mu.Lock() // what was broadcast last may still come
		defer mu.Unlock()
		for who, what := range map[string]string{
			"east/n2 from east/n1": "a", "east/n3 from east/n1": "a", "east/n1 from east/n3": "b", "east/n2 from east/n3": "b",
		} {
			if got[who] != what {
				t.Errorf("%s: %q", who, got[who])
			}
		}
	})
	t.Run("EachLeadsTwoStreams", func(t *testing.T) {
		if !eventually(func() bool {
			for _, n := range nodes {
				if n.log.Stats().Leaders != 2 {
					return false
				}
			}
			return true
		}) {
			t.Error(nodes[0].log.Stats().Leaders, nodes[1].log.Stats().Leaders, nodes[2].log.Stats().Leaders)
		}
	})
	t.Run("RollingRestartCostsNobodyAnError", func(t *testing.T) { rollingRestart(t, nodes) })
	t.Run("WithoutAMajority", func(t *testing.T) { withoutMajority(t, nodes) })
}

// rollingRestart closes and opens one node after another while the others append.
func rollingRestart(t *testing.T, nodes []*node) {
	var mu sync.Mutex
	var events []store.Event
	worst := time.Duration(0)
	busy := make([]sync.Mutex, len(nodes)) // held while a node is closed
	ctx, cancel := context.WithCancel(t.Context())
	var appending sync.WaitGroup
	for i, n := range nodes {
		appending.Go(func() {
			for ctx.Err() == nil {
				ev := event()
				busy[i].Lock()
				begun := time.Now()
				n.append(ev)
				took := time.Since(begun)
				busy[i].Unlock()
				mu.Lock()
				events, worst = append(events, ev), max(worst, took)
				mu.Unlock()
			}
		})
	}
	for i, n := range nodes {
		busy[i].Lock()
		begun := time.Now()
		n.close()
		closed := time.Now()
		n.open()
		ready(t, n)
		t.Logf("closed in %v, ready after %v more", closed.Sub(begun), time.Since(closed))
		busy[i].Unlock()
	}
	cancel()
	appending.Wait()
	t.Logf("%d events, the worst took %v", len(events), worst)
	for _, n := range nodes {
		n.gets(events...)
	}
}
