package natslog_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/natslog"
)

// sized is an event with a PASSporT of so many bytes.
func sized(bytes int) store.Event {
	ev := event()
	ev.Publication.Passports = nil
	for ; bytes > 60_000; bytes -= 60_000 {
		ev.Publication.Passports = append(ev.Publication.Passports, strings.Repeat("x", 60_000))
	}
	ev.Publication.Passports = append(ev.Publication.Passports, strings.Repeat("x", bytes))
	return ev
}

// broughtBy is what a node brings: a batch of so many events, each of so many bytes, with numbers from number on.
func broughtBy(t *testing.T, node string, number uint64, count, bytes int) []byte {
	t.Helper()
	b := natslog.Batch{Run: 7, Node: node}
	for i := range count {
		b.Entries = append(b.Entries, natslog.Entry{Number: number + uint64(i), Event: sized(bytes)})
	}
	data, err := natslog.WriteMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// shown are the batches of a message: each its node and how many events it has.
func shown(t *testing.T, message []byte) (list []string) {
	t.Helper()
	if message == nil {
		return nil
	}
	if len(message) > natslog.PayloadMost {
		t.Errorf("a message of %d bytes", len(message))
	}
	batches, err := natslog.ReadMessage(message)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		list = append(list, fmt.Sprint(b.Node, " ", len(b.Entries)))
	}
	return list
}

// Whoever leads a stream makes one message of its own batch and those of the others, in the order in which they came.
func TestGatheredMessages(t *testing.T) {
	const n2, n3 = "east/n2", "east/n3"
	for _, c := range []struct {
		name string
		own  []int                       // bytes of own events that wait
		come func(t *testing.T) [][]byte // what others bring
		want [][]string                  // batches of one message after the other
	}{
		{"nothing", nil, func(*testing.T) [][]byte { return nil }, [][]string{nil}},
		{"only its own", []int{10, 10}, func(*testing.T) [][]byte { return nil }, [][]string{{"east/n1 2"}, nil}},
		{
			"one of another", nil,
			func(t *testing.T) [][]byte { return [][]byte{broughtBy(t, n2, 1, 3, 10)} }, [][]string{{"east/n2 3"}, nil},
		},
		{
			"its own, then the others as they came", []int{10},
			func(t *testing.T) [][]byte {
				return [][]byte{broughtBy(t, n3, 1, 2, 10), broughtBy(t, n2, 1, 4, 10), broughtBy(t, n3, 3, 1, 10)}
			},
			[][]string{{"east/n1 1", "east/n3 2", "east/n2 4", "east/n3 1"}, nil},
		},
		{
			"more of its own than a batch", slices.Repeat([]int{10}, natslog.BatchEntries+1),
			func(t *testing.T) [][]byte { return [][]byte{broughtBy(t, n2, 1, 1, 10)} },
			[][]string{{fmt.Sprint("east/n1 ", natslog.BatchEntries), "east/n2 1"}, {"east/n1 1"}, nil},
		},
		{
			"more than a message", nil,
			func(t *testing.T) [][]byte {
				return [][]byte{broughtBy(t, n2, 1, 3, 50_000), broughtBy(t, n3, 1, 3, 50_000)}
			},
			[][]string{{"east/n2 3"}, {"east/n3 3"}, nil},
		},
		{
			"its own fills the message", []int{natslog.BatchBytes},
			func(t *testing.T) [][]byte { return [][]byte{broughtBy(t, n2, 1, 1, 10)} },
			[][]string{{"east/n1 1"}, {"east/n2 1"}, nil},
		},
		{
			"one larger than a message should be goes alone", nil,
			func(t *testing.T) [][]byte {
				return [][]byte{broughtBy(t, n2, 1, 1, natslog.BatchBytes+100_000), broughtBy(t, n3, 1, 1, 10)}
			},
			[][]string{{"east/n2 1"}, {"east/n3 1"}, nil},
		},
		{
			"a small one goes before one for which there is no room", []int{10},
			func(t *testing.T) [][]byte {
				return [][]byte{broughtBy(t, n2, 1, 1, natslog.BatchBytes), broughtBy(t, n3, 1, 1, 10)}
			},
			[][]string{{"east/n1 1", "east/n3 1"}, {"east/n2 1"}, nil},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := natslog.NewGathering(t)
			for i, bytes := range c.own {
				g.Wait(uint64(i+1), sized(bytes))
			}
			for _, data := range c.come(t) {
				g.Bring(data)
			}
			for i, want := range c.want {
				if got := shown(t, g.Message()); !slices.Equal(got, want) {
					t.Errorf("message %d: %q, want %q", i, got, want)
				}
			}
			if g.Unreadable() != 0 {
				t.Error("something was taken to make no sense")
			}
		})
	}
}

// What other nodes send is from the network.
func TestWhatIsNotGathered(t *testing.T) {
	good := broughtBy(t, "east/n2", 1, 1, 10)
	for name, data := range map[string][]byte{
		"nothing":                 {},
		"no batch":                good[:1],
		"a part of a head":        good[:8],
		"several batches":         append([]byte{2}, good[1:]...),
		"a version not known":     append([]byte{99}, good[1:]...),
		"a batch of another site": broughtBy(t, "west/n2", 1, 1, 10),
		"a batch of nobody":       broughtBy(t, "", 1, 1, 10),
	} {
		g := natslog.NewGathering(t)
		if g.Bring(data) != 0 || g.Message() != nil || g.Unreadable() != 1 {
			t.Errorf("%s: gathered", name)
		}
	}
	g := natslog.NewGathering(t)
	for range natslog.BroughtMost {
		g.Bring(good)
	}
	if g.Bring(good) != natslog.BroughtMost || g.Unreadable() != 1 {
		t.Error("one more than may wait is waiting")
	}
	if got := shown(t, g.Message()); len(got) != natslog.BroughtMost {
		t.Errorf("a message of %d batches", len(got))
	}
}

// Whose batch has waited for as long as he waits for an answer sends it elsewhere, and would have it twice.
func TestWhoHasGivenUpIsNotGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := natslog.NewGathering(t)
		g.Bring(broughtBy(t, "east/n2", 1, 1, 10))
		<-time.After(natslog.AckMost)
		g.Bring(broughtBy(t, "east/n3", 1, 1, 10))
		<-time.After(time.Millisecond)
		if got := shown(t, g.Message()); !slices.Equal(got, []string{"east/n3 1"}) {
			t.Errorf("%q", got)
		}
	})
}

func TestPaceOfMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := natslog.NewGathering(t)
		if waited := g.Pace(t.Context()); waited != 0 {
			t.Errorf("who comes alone waits for %v", waited)
		}
		<-time.After(3 * time.Millisecond)
		if waited := g.Pace(t.Context()); waited != natslog.PaceOf-3*time.Millisecond {
			t.Errorf("3 ms after a message: %v", waited)
		}
		g.BringLater(broughtBy(t, "east/n2", 1, 1, 10))
		if waited := g.Pace(t.Context()); waited != natslog.PaceOf || len(shown(t, g.Message())) != 1 {
			t.Errorf("while others bring something: %v", waited)
		}
		g.BringLater(broughtBy(t, "east/n2", 1, natslog.BatchEntries, 10))
		if waited := g.Pace(t.Context()); waited != 0 {
			t.Errorf("with a batch that is full: %v", waited)
		}
		closed, stop := context.WithCancel(t.Context())
		stop()
		if waited := g.Pace(closed); waited != 0 {
			t.Errorf("of a log that is closed: %v", waited)
		}
	})
}

func TestWhoGathers(t *testing.T) {
	for _, c := range []struct {
		name string
		told []natslog.Told
		want string // whom batches of stream 2 are brought to
	}{
		{"nobody is there", nil, ""},
		{"nobody leads it", []natslog.Told{{Node: "n2", Leads: []int{1}, Gathers: true}}, ""},
		{"who leads it", []natslog.Told{{Node: "n2", Leads: []int{1, 2}, Gathers: true}, {Node: "n3", Gathers: true}}, "n2"},
		{"who leads it now", []natslog.Told{{Node: "n2", Leads: []int{2}, Gathers: true}, {Node: "n3", Leads: []int{2}, Gathers: true}, {Node: "n2", Gathers: true}}, "n3"},
		{"who led it leads no more", []natslog.Told{{Node: "n2", Leads: []int{2}, Gathers: true}, {Node: "n2", Gathers: true}}, ""},
		{"a witness gathers nothing", []natslog.Told{{Node: "n2", Leads: []int{2}, Gathers: true, Witness: true}}, ""},
		{"one of another version leads it", []natslog.Told{{Node: "n2", Leads: []int{2}}}, ""},
		{"one of another version is there", []natslog.Told{{Node: "n2", Leads: []int{2}, Gathers: true}, {Node: "n3"}}, ""},
	} {
		if got := natslog.NewGathering(t).Hear(2, c.told...); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	g := natslog.NewGathering(t)
	n2 := natslog.Told{Node: "n2", Leads: []int{0, 2}, Gathers: true}
	g.Hear(2, n2, natslog.Told{Node: "n3", Leads: []int{1}, Gathers: true})
	if led := g.Fail("n2"); !slices.Equal(led, []int{0, 2}) || g.Hear(2) != "" || g.Hear(1) != "n3" {
		t.Errorf("n2 does not answer: %v", led)
	}
	if g.Hear(2, n2) != "n2" {
		t.Error("n2 says that it leads, and is not believed")
	}
}

// To wait for a stream that nobody leads is to wait for an election, and each of those that a dead node led would be tried in turn.
func TestWhereAnEntryGoes(t *testing.T) {
	n2, n3 := natslog.Told{Node: "n2", Leads: []int{1, 2}, Gathers: true}, natslog.Told{Node: "n3", Leads: []int{3, 4}, Gathers: true, Witness: true}
	for _, c := range []struct {
		name         string
		own          []int
		told         []natslog.Told
		dead         string // who did not answer
		home         int
		failed, slow []int
		want         int
		faster       bool // than that is another
	}{
		{"nobody says that he leads", nil, nil, "", 2, nil, nil, 2, true},
		{"nobody says that he leads, and it has failed", nil, nil, "", 5, []int{5}, nil, 0, true},
		{"nobody says that he leads, and it is slow", nil, nil, "", 5, nil, []int{5, 0}, 1, true},
		{"this node leads it", []int{0, 5}, []natslog.Told{n2, n3}, "", 5, nil, nil, 5, true},
		{"another leads it", []int{0, 5}, []natslog.Told{n2, n3}, "", 2, nil, nil, 2, true},
		{"a witness leads it", []int{0, 5}, []natslog.Told{n2, n3}, "", 3, nil, nil, 3, true},
		{"it has failed", []int{0, 5}, []natslog.Told{n2, n3}, "", 2, []int{2}, nil, 3, true},
		{"who led it is dead", []int{0, 5}, []natslog.Told{n2, n3}, "n2", 1, nil, nil, 3, true},
		{"who led it is dead, and all others are slow", []int{0, 5}, []natslog.Told{n2, n3}, "n2", 1, nil, []int{0, 3, 4, 5}, 3, false},
		{"only one that nobody leads is idle", []int{0, 5}, []natslog.Told{{Node: "n2", Leads: []int{1, 2, 3}}}, "", 2, nil, []int{0, 1, 2, 3, 5}, 2, false},
		{"who led it is dead, and all others have failed", []int{0, 5}, []natslog.Told{n2, n3}, "n2", 2, []int{0, 3, 4, 5}, nil, 2, true},
		{"all is slow", []int{0, 5}, []natslog.Told{n2, n3}, "", 4, nil, []int{0, 1, 2, 3, 4, 5}, 4, false},
		{"all has failed", []int{0, 5}, []natslog.Told{n2, n3}, "", 4, []int{0, 1, 2, 3, 4, 5}, nil, 4, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := natslog.NewGathering(t)
			g.Hear(0, c.told...)
			if c.dead != "" {
				g.Fail(c.dead)
			}
			g.Lead(c.own...)
			if to, faster := g.Route(c.home, c.failed, c.slow); to != c.want || faster != c.faster {
				t.Errorf("%s: %d, %v, want %d, %v", c.name, to, faster, c.want, c.faster)
			}
		})
	}
}

// While leads go from node to node, and one node leaves, all of whose batches were gathered by it: what was acknowledged is there, once.
func TestGatheringWhileLeadersChange(t *testing.T) {
	t.Parallel()
	nodes := openAll(t, site(t, newAuthority(t), "east", 3))
	ready(t, nodes...)
	var mu sync.Mutex
	var events []store.Event
	enough := make(chan struct{})
	var appending sync.WaitGroup
	for _, n := range nodes[1:] {
		for range 16 {
			appending.Go(func() {
				for {
					ev := event()
					if _, err := n.log.Append(t.Context(), ev); err == nil {
						mu.Lock()
						events = append(events, ev)
						mu.Unlock()
					}
					select {
					case <-enough:
						return
					default:
					}
				}
			})
		}
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(events)
	}
	for i := range 6 { // each leads in turn
		before := count()
		nodes[i%3].log.GiveLeads(t.Context())
		if !eventually(func() bool { return count() >= before+50 }) {
			t.Fatal("nothing more is acknowledged")
		}
	}
	messages, from := 0, 0
	if !eventually(func() bool {
		var err error
		messages, from, err = nodes[0].log.Gathered(t.Context())
		return err == nil && from >= 2
	}) {
		t.Errorf("%d messages were gathered, of %d nodes", messages, from)
	}
	nodes[0].close()
	before := count()
	if !eventually(func() bool { return count() >= before+50 }) {
		t.Error("nothing is acknowledged without the node that gathered")
	}
	close(enough)
	appending.Wait()
	for _, n := range nodes[1:] {
		n.gets(events...)
		for _, ev := range events {
			found := 0
			for _, r := range n.view.Retrieve(ev.Publication.Key) {
				if r.Passports[0] == ev.Publication.Passports[0] {
					found++
				}
			}
			if found != 1 {
				t.Fatalf("%s has a record %d times", n.log.Node(), found)
			}
		}
	}
}
