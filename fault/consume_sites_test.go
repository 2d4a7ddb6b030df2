package fault

import (
	"testing"
	"time"
)

// word is longer than it takes until one site knows what the other has consumed.
const word = time.Second

// bySite are the nodes of each site.
func (b *bed) bySite() (groups [][]*node) {
	for site := range b.sites {
		groups = append(groups, b.of(site))
	}
	return groups
}

// consumeInSites lets both sites consume the same records at the same moment, while they hear each other: of each, one in each site has
// it at most, and one at least. Who asks when word has come from the other site does not have it.
func consumeInSites(t *testing.T, b *bed) {
	b.whole(t)
	b.far()
	l := newLedger()
	entries := b.consumable(t, l, b.nodes...)
	together, later := entries[:len(entries)/2], entries[len(entries)/2:]
	twice := 0
	for _, of := range b.consumeAll(t, together, b.bySite(), func() {}) {
		won := 0
		for site, v := range of {
			won += v.won
			if v.won > 1 {
				t.Errorf("%d consumers of %s were told that they have the same call", v.won, siteNames[site])
			}
		}
		switch {
		case won == 0:
			t.Error("consumers were told that somebody else has the call, and nobody has")
		case won > 1:
			twice++
		}
	}
	l.note("of %d asked for in both at once, %d were given out twice", len(together), twice)
	for site, group := range b.bySite() {
		for _, of := range b.consumeAll(t, later, [][]*node{group}, func() {}) {
			if want := 1 - min(site, 1); of[0].won != want {
				t.Errorf("%d consumers of %s have the call, want %d", of[0].won, siteNames[site], want)
			}
		}
		pass(word)
	}
	b.allGone(t, entries)
	l.conclude(t, demand{})
}

// consumeWhileCut cuts the first site off: of each record exactly one has it in each site. When the sites are together again, nobody is
// given it any more, and who has it is told so again.
func consumeWhileCut(t *testing.T, b *bed) {
	b.whole(t)
	b.far()
	l := newLedger()
	entries := b.consumable(t, l, b.nodes...)
	b.wide.cut(0, true)
	pass(2 * between)
	for _, of := range b.consumeAll(t, entries, b.bySite(), func() {}) {
		for site, v := range of {
			if v.won != 1 {
				t.Errorf("%d consumers of %s have the call, want 1", v.won, siteNames[site])
			}
		}
	}
	b.wide.cut(0, false)
	b.whole(t)
	for _, n := range b.nodes {
		await(t, n.name+" to read the other site", func() bool {
			lag, found := n.metric("oob_cluster_lag_seconds")
			return found && lag < 1
		})
	}
	for _, of := range b.consumeAll(t, entries, b.bySite(), func() {}) {
		for site, v := range of {
			if v.won != 0 {
				t.Errorf("%d more consumers of %s have a call that was consumed", v.won, siteNames[site])
			}
		}
	}
	b.allGone(t, entries)
	l.conclude(t, demand{})
}

func (b *bed) allGone(t *testing.T, entries []entry) {
	t.Helper()
	for _, n := range b.nodes {
		b.gone(t, n, entries)
	}
}
