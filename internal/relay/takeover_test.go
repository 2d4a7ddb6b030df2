package relay_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/relay"
)

// site is several nodes of one CPS, which hear each other as long as they live.
type site struct {
	mu    sync.Mutex
	alive []string
	hear  map[string]func(node string, data []byte)
	deaf  bool // marks are lost
}

func (s *site) config(node string) relay.Config {
	return relay.Config{
		Node: node,
		Broadcast: func(_ string, data []byte) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.deaf {
				data = data[:1]
			}
			for other, hear := range s.hear {
				if other != node && slices.Contains(s.alive, node) {
					go hear(node, data)
				}
			}
		},
		Listen: func(_ string, hear func(node string, data []byte)) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.hear[node] = hear
		},
	}
}

// dies takes a node out of what the others hear.
func (s *site) dies(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive = slices.DeleteFunc(s.alive, func(other string) bool { return other == node })
}

func (s *site) lives(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive = append(s.alive, node)
}

// nodes starts three nodes; the first answers north as given, the others have whatever they send there.
func nodes(t *testing.T, toNorth answering) (*site, map[string]*ways) {
	s := &site{alive: []string{"east/a", "east/b", "east/c"}, hear: map[string]func(string, []byte){}}
	all := map[string]*ways{}
	for _, node := range s.alive {
		answer := answering(has)
		if node == "east/a" {
			answer = toNorth
		}
		all[node] = start(t, s.config(node), answer, has)
	}
	return s, all
}

// everywhere is what the log does.
func everywhere(all map[string]*ways, node string, n int) {
	for _, w := range all {
		w.laidAt(node, n, "1234")
	}
}

func TestNodeThatAcceptedRelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := nodes(t, has)
		everywhere(all, "east/a", 1)
		everywhere(all, "east/b", 2)
		everywhere(all, "west/a", 3) // that of another site
		time.Sleep(30 * time.Second)
		all["east/a"].wants(north, 1)
		all["east/b"].wants(north, 2)
		all["east/c"].wants(north)
		for node, w := range all {
			if !w.Empty() {
				t.Errorf("%s: something is left over", node)
			}
		}
	})
}

// TestRecordsOfANodeThatIsGoneAreTakenOver by one of those who are left, and of each record what was not done.
func TestRecordsOfANodeThatIsGoneAreTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, all := nodes(t, func(ctx context.Context, n int) cpsclient.Relayed {
			if n == 2 {
				return hangs(ctx, n)
			}
			return has(ctx, n)
		})
		everywhere(all, "east/a", 1) // done at both
		everywhere(all, "east/a", 2) // done at one
		time.Sleep(time.Second)
		s.dies("east/a")
		time.Sleep(1400 * time.Millisecond)
		all["east/b"].wants(north)
		time.Sleep(800 * time.Millisecond)
		all["east/b"].wants(north, 2)
		all["east/b"].wants(south)
		all["east/c"].wants(north)
		everywhere(all, "east/a", 3) // its last words, which come late
		time.Sleep(5 * time.Second)
		all["east/b"].wants(north, 2, 3)
		all["east/c"].wants(north)
		if got := all["east/b"].Stats().TakenOver; got != 2 {
			t.Errorf("%d taken over", got)
		}
	})
}

func TestThirdTakesOverFromTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, all := nodes(t, hangs)
		everywhere(all, "east/a", 1)
		s.dies("east/a")
		s.dies("east/b")
		time.Sleep(3 * time.Second)
		all["east/c"].wants(north, 1)
	})
}

// TestMarksThatAreLost have a record passed on twice, and nothing worse.
func TestMarksThatAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, all := nodes(t, has)
		s.deaf = true
		everywhere(all, "east/a", 1)
		time.Sleep(time.Second)
		s.dies("east/a")
		time.Sleep(3 * time.Second)
		all["east/a"].wants(north, 1)
		all["east/b"].wants(north, 1)
		all["east/c"].wants(north)
	})
}

func TestNodeThatIsSilentForAMomentKeepsItsRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, all := nodes(t, hangs)
		everywhere(all, "east/a", 1)
		for range 5 {
			s.dies("east/a")
			time.Sleep(800 * time.Millisecond)
			s.lives("east/a")
			time.Sleep(time.Second)
		}
		all["east/b"].wants(north)
	})
}

// FuzzMarks: whatever is said, what is done with is exactly what a node of this site has said is done at every CPS.
func FuzzMarks(f *testing.F) {
	both := append(relay.Mark(idOf(1), north), relay.Mark(idOf(1), south)[1:]...)
	for _, seed := range [][]byte{nil, {1}, {2}, both, both[:25], both[:24], append(slices.Clone(both), 0), append([]byte{2}, both[1:]...)} {
		f.Add("east/a", seed)
		f.Add("west/a", seed)
	}
	s := &site{hear: map[string]func(string, []byte){}}
	w := open(f, s.config("east/b"), has, has) // not started: nothing is taken over
	f.Fuzz(func(t *testing.T, node string, data []byte) {
		w.Watch(idOf(1), idOf(2))
		w.Hear(node, data)
		done := map[string]bool{}
		if site, _, _ := strings.Cut(node, "/"); site == "east" && len(data)%24 == 1 && data[0] == 1 {
			for pair := range slices.Chunk(data[1:], 24) {
				done[string(pair)] = true
			}
		}
		want := 2
		for n := 1; n <= 2; n++ {
			if done[string(relay.Mark(idOf(n), north)[1:])] && done[string(relay.Mark(idOf(n), south)[1:])] {
				want--
			}
		}
		if got := w.Stats().Watched; got != want {
			t.Errorf("%d watched after %q said %x, want %d", got, node, data, want)
		}
	})
}
