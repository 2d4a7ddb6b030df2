package natslog_test

import (
	"math/rand/v2"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/natslog"
)

// A view equals the log however often, and whenever, its follower was cut off.
func TestWhatAFollowerMissedItReads(t *testing.T) {
	all, wires := sites(t, "east", "west")
	nodes := openAll(t, all)
	ready(t, nodes...)
	random := rand.New(rand.NewPCG(8, 1))
	var events []store.Event
	for range 400 {
		if random.IntN(20) == 0 {
			wires[1][0].set(random.IntN(2) == 0)
		}
		if random.IntN(40) == 0 {
			wires[1][0].set(false)
			nodes[1].gets(events...)
		}
		events = append(events, event())
		nodes[0].append(events[len(events)-1])
	}
	wires[1][0].set(false)
	nodes[1].gets(events...)
	if s := nodes[1].log.Stats(); s.Lost != 0 || s.Resets != 0 || s.Unreadable != 0 {
		t.Errorf("%+v", s)
	}
}

// A follower that is slow loses what comes by itself, and reads it.
func TestASlowFollowerLosesNothing(t *testing.T) {
	all, _ := sites(t, "east", "west")
	east := open(t, all[0])
	view := store.NewView(store.Config{})
	gate := make(chan struct{})
	west := &node{TB: t, view: view}
	var err error
	west.log, err = natslog.OpenApplying(func(ev store.Event) store.Outcome {
		<-gate
		return view.Apply(ev)
	}, natslog.HoldingFew(all[1]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(west.close)
	ready(t, east, west)
	var events []store.Event
	for range 300 { // those of a second are in one stream
		events = append(events, event())
		east.append(events[len(events)-1])
	}
	if !eventually(west.log.Full) {
		t.Error("it has room for all")
	}
	close(gate)
	west.gets(events...)
	if s := west.log.Stats(); s.Gaps == 0 || s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}
