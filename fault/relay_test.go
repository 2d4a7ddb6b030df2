package fault

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// relaying is the provider that runs the nodes of a bed, where they relay.
const relaying = "900C"

// relay is the section by which a node relays, or takes what is relayed; empty where nobody does.
func (n *node) relay() string {
	switch b := n.bed; {
	case b.foreign == nil:
		return ""
	case n == b.foreign:
		return fmt.Sprintf("  relay:\n    accept: [%s]\n    rate: {per_second: 100000, burst: 100000}\n", relaying)
	default:
		return fmt.Sprintf(`  relay:
    peers: [{url: %q, audience: %s}]
    spc: %s
    key: ../relay.key
    x5u: %q
    tls_roots: [../tls-root.pem]
`, "https://"+b.foreign.public, audience, relaying, b.relayer.X5U)
	}
}

// takeOver cuts off the CPS that is relayed to, so that records wait where they were published, and ends nodes at once that have
// them. Whoever is left has to relay them: all that was acknowledged is found at that CPS, though who owed it is dead.
func takeOver(t *testing.T, b *bed, victims ...*node) {
	b.whole(t)
	b.nothingWaits(t, b.nodes...) // who has come back relays again what it finds in the log
	left := b.except(victims...)
	relayed := fmt.Sprintf(`oob_relay_records_total{cps="https://%s",outcome="passed"}`, b.foreign.public)
	passed := -b.counted(t, relayed, b.nodes...)
	taken := -b.counted(t, takenOver, left...)
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.nodes...)...)
	pass(before)
	b.plug(t, b.foreign, false)
	cut := time.Now()
	pass(before)
	owed := 0.0
	for _, victim := range victims {
		owed += b.counted(t, waiting, victim)
		passed += b.counted(t, relayed, victim) // no more comes to it: the cable is out
		victim.kill(t)
	}
	gone := time.Now()
	pass(before)
	work.end()
	b.absent(t, b.foreign, l.since(cut))
	b.plug(t, b.foreign, true)
	healed := time.Now()
	b.settle(t, l, append(slices.Clone(left), b.foreign)...)
	l.note("owed by who died %.0f", owed)
	l.note("all at the other CPS %s after the kill, %s after it could be reached",
		time.Since(gone).Round(10*time.Millisecond), time.Since(healed).Round(10*time.Millisecond))
	b.nothingWaits(t, left...)
	taken += b.counted(t, takenOver, left...)
	passed += b.counted(t, relayed, left...)
	l.note("taken over %.0f, relayed twice %.0f", taken, passed-float64(l.count()))
	if owed == 0 || taken < owed {
		t.Errorf("of %.0f records that waited at who was killed, %.0f were taken over", owed, taken)
	}
	d := smooth()
	if len(left) < 2 {
		d = demand{errors: true} // there is no quorum
	}
	l.conclude(t, d)
}

// What nodes count of relays.
const (
	waiting   = "oob_relay_waiting_records"
	takenOver = "oob_relay_taken_over_records_total"
)

// nothingWaits waits until nodes have nothing more to relay.
func (b *bed) nothingWaits(t *testing.T, nodes ...*node) {
	t.Helper()
	await(t, "nothing to wait to be relayed", func() bool { return b.counted(t, waiting, nodes...) == 0 })
}

// counted is the sum of a metric over nodes.
func (b *bed) counted(t *testing.T, name string, nodes ...*node) (sum float64) {
	t.Helper()
	for _, n := range nodes {
		await(t, n.name+" to say "+name, func() bool {
			one, found := n.metric(name)
			sum += one
			return found
		})
	}
	return sum
}
