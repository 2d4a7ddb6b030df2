package fault

import (
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// atRandom does one thing after the other to one node after the other, as often as VIADUCT_FAULT_ROUNDS says; VIADUCT_FAULT_SEED
// chooses what. What a node was hurt by is over before the next is.
func atRandom(t *testing.T, b *bed) {
	b.whole(t)
	rounds, seed := number64(os.Getenv("VIADUCT_FAULT_ROUNDS"), 8), number64(os.Getenv("VIADUCT_FAULT_SEED"), 1)
	l := newLedger()
	l.note("%d faults, seed %d", rounds, seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	how := even(b.nodes)
	how.together, how.attempt = 8, 1500*time.Millisecond
	work := b.publish(t, l, how, b.here(t)...)
	pass(before)
	for range rounds {
		victim := b.nodes[random.IntN(len(b.nodes))]
		lasting := time.Duration(100+random.IntN(4000)) * time.Millisecond
		switch kind := random.IntN(5); {
		case kind == 0:
			t.Logf("kill -9 %s for %s", victim.name, lasting)
			victim.kill(t)
			pass(lasting)
			victim.start(t)
		case kind == 1:
			t.Logf("SIGSTOP %s for %s", victim.name, lasting)
			victim.hang()
			pass(lasting)
			victim.wake()
		case kind == 2 && b.apart:
			t.Logf("cut off %s for %s", victim.name, lasting)
			b.plug(t, victim, false)
			pass(lasting)
			b.plug(t, victim, true)
		case kind == 3 && b.wide != nil:
			t.Logf("cut off %s for %s", siteNames[victim.site], lasting)
			b.wide.cut(victim.site, true)
			pass(lasting)
			b.wide.cut(victim.site, false)
		default:
			t.Logf("SIGTERM %s", victim.name)
			victim.signal(syscall.SIGTERM)
			victim.ended(t)
			victim.start(t)
		}
		b.ready(t, b.nodes...)
		b.settle(t, l, b.nodes...)
	}
	work.end()
	b.settle(t, l, b.nodes...)
	// Who is beside a node that is cut off reaches nobody.
	l.conclude(t, demand{errors: true})
}

func number64(text string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return otherwise
}
