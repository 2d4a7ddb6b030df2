package fault

import (
	"testing"
	"time"
)

// group is faults that are tried one after the other on the same bed.
type group struct {
	name   string
	shape  shape
	faults []fault
}

// fault is one way to break a cluster.
type fault struct {
	name  string
	brief bool // tried with all other tests; the others only by `make fault`
	cuts  bool // needs networks of its own
	try   func(*testing.T, *bed)
}

var groups = []group{
	{name: "one node", shape: shape{sites: []int{1}}, faults: []fault{
		{name: "kill -9 and restart", brief: true, try: killAll},
	}},
	{name: "three nodes", shape: shape{sites: []int{3}}, faults: []fault{
		{name: "kill -9 the first", brief: true, try: func(t *testing.T, b *bed) { kill(t, b, b.nodes[0]) }},
		{name: "kill -9 the second", try: func(t *testing.T, b *bed) { kill(t, b, b.nodes[1]) }},
		{name: "kill -9 the third", try: func(t *testing.T, b *bed) { kill(t, b, b.nodes[2]) }},
		{name: "used tokens", try: usedTokens},
		{name: "consume-once", try: consumeOnce},
		{name: "consume-once during kill -9", brief: true, try: consumeDuringKill},
		{name: "cut off with a client", brief: true, cuts: true, try: cutOff},
		{name: "restart one after the other", brief: true, try: rollingRestart},
		{name: "SIGTERM", try: terminate},
		{name: "SIGSTOP 8 s", try: hang},
		{name: "kill -9 in bursts", try: killInBursts},
		{name: "kill -9 two", try: killTwo},
		{name: "kill -9 all", try: killAll},
		{name: "a loose cable", cuts: true, try: looseCable},
		{name: "two that do not hear each other", cuts: true, try: halfCut},
		{name: "slow by pulses", try: slowPulses},
		{name: "slow by a narrow link", cuts: true, try: slowLink},
		{name: "come back empty", try: comeBackEmpty},
		{name: "come back with a damaged log", try: comeBackDamaged},
		{name: "at random", try: atRandom},
	}},
	{name: "two nodes and a witness", shape: shape{sites: []int{3}, witness: "east3"}, faults: []fault{
		{name: "kill -9 a node", try: func(t *testing.T, b *bed) { kill(t, b, b.nodes[1]) }},
		{name: "kill -9 the witness", try: func(t *testing.T, b *bed) { kill(t, b, b.nodes[2]) }},
		{name: "cut off with a client", cuts: true, try: cutOff},
		{name: "kill -9 all", try: killAll},
	}},
	{name: "a full disk", shape: shape{sites: []int{3}, disks: map[string]int{"east2": 64}}, faults: []fault{
		{name: "of one node", try: fullDisk},
	}},
	{name: "full disks", shape: shape{sites: []int{3}, sync: "0s", disks: map[string]int{"east1": 64, "east2": 64, "east3": 64}}, faults: []fault{
		{name: "of all nodes", try: fullDisks},
	}},
	{name: "clocks", shape: shape{sites: []int{3}, clocks: map[string]time.Duration{"east2": -1500 * time.Millisecond, "east3": 3 * time.Second}}, faults: []fault{
		{name: "1.5 s behind and 3 s ahead", try: wrongClock},
	}},
	{name: "three nodes in memory", shape: shape{sites: []int{3}, storage: "memory"}, faults: []fault{
		{name: "kill -9 a node", try: func(t *testing.T, b *bed) { kill(t, b, b.nodes[0]) }},
		{name: "restart one after the other", try: rollingRestart},
	}},
	{name: "a NATS of its own", shape: shape{sites: []int{3}, brokers: 3}, faults: []fault{
		{name: "kill -9 each server", brief: true, try: killBroker},
		{name: "SIGSTOP a server 8 s", try: hangBroker},
		{name: "kill -9 all servers", try: killBrokers},
		{name: "kill -9 a node", try: func(t *testing.T, b *bed) { kill(t, b, b.nodes[0]) }},
		{name: "restart of the nodes, one after the other", try: rollingRestart},
	}},
	{name: "three nodes that relay", shape: shape{sites: []int{3}, relays: true}, faults: []fault{
		{name: "kill -9 the first", brief: true, cuts: true, try: func(t *testing.T, b *bed) { takeOver(t, b, b.nodes[0]) }},
		{name: "kill -9 the second", cuts: true, try: func(t *testing.T, b *bed) { takeOver(t, b, b.nodes[1]) }},
		{name: "kill -9 two", cuts: true, try: func(t *testing.T, b *bed) { takeOver(t, b, b.nodes[0], b.nodes[1]) }},
	}},
	{name: "two sites", shape: shape{sites: []int{3, 3}}, faults: []fault{
		{name: "flood", try: flood},
		{name: "cut and heal", cuts: true, try: cutSite},
		{name: "a loose cable", cuts: true, try: looseLink},
		{name: "kill -9 a node", try: killBetweenSites},
		{name: "kill -9 a site", try: killSite},
		{name: "used tokens", try: usedTokens},
		{name: "consume-once in both at once", try: consumeInSites},
		{name: "consume-once while cut", cuts: true, try: consumeWhileCut},
		{name: "at random", try: atRandom},
	}},
	{name: "two sites that both acknowledge", shape: shape{sites: []int{1, 1}, acknowledge: 1}, faults: []fault{
		{name: "cut and heal", cuts: true, try: cutAcknowledging},
		{name: "kill -9 a site", try: killAcknowledging},
	}},
	{name: "three sites", shape: shape{sites: []int{3, 1, 1}}, faults: []fault{
		{name: "cut and heal", cuts: true, try: cutSite},
	}},
}

// TestFaults breaks clusters, in every way listed above.
func TestFaults(t *testing.T) {
	for _, g := range groups {
		var chosen []fault
		for _, f := range g.faults {
			if all || f.brief {
				chosen = append(chosen, f)
			}
		}
		if len(chosen) == 0 {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			if g.shape.disks != nil {
				needApart(t) // who may make networks may mount
			}
			b := newBed(t, g.shape)
			b.start(t)
			for _, f := range chosen {
				t.Run(f.name, func(t *testing.T) {
					if f.cuts {
						needApart(t)
					}
					f.try(t, b)
				})
			}
		})
	}
}
