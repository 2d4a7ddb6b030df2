package fault

import (
	"testing"
	"time"
)

const (
	before = 2 * time.Second // of load before a fault
	during = 6 * time.Second // of load while it lasts, when it does not say itself; about an election of the log
)

// even is the load of a whole bed, the same at each of the nodes.
func even(nodes []*node) pace { return pace{perSecond: max(perSecond()/len(nodes), 1)} }

// kill ends one node at once, and starts it again.
func kill(t *testing.T, b *bed, victim *node) {
	b.whole(t)
	l := newLedger()
	work := b.publish(t, l, even(b.serving()), b.beside(t, b.serving()...)...)
	pass(before)
	victim.kill(t)
	pass(during)
	work.end()
	b.settle(t, l, b.except(victim)...)
	victim.start(t)
	l.note("ready again in %s", b.ready(t, victim).Round(time.Millisecond))
	b.readAgain(t, l, victim)
	l.conclude(t, smooth())
}

// readAgain reads everything back on nodes that were away, and have just said that they are ready.
func (b *bed) readAgain(t *testing.T, l *ledger, nodes ...*node) {
	t.Helper()
	var there []*node
	for _, n := range nodes {
		if !n.witness {
			there = append(there, n)
		}
	}
	back := b.readBack(t, l.entries(), there...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.back.add(back)
}

// killInBursts ends a node at once while what comes, comes together: so that the log is written in batches.
func killInBursts(t *testing.T, b *bed) {
	b.whole(t)
	l := newLedger()
	how := even(b.serving())
	how.together = 32
	entries, batches := b.appended(t, b.except(b.nodes[1])...)
	work := b.publish(t, l, how, b.beside(t, b.serving()...)...)
	pass(before)
	b.nodes[1].kill(t)
	pass(during)
	work.end()
	b.settle(t, l, b.except(b.nodes[1])...)
	entriesNow, batchesNow := b.appended(t, b.except(b.nodes[1])...)
	mean := (entriesNow - entries) / (batchesNow - batches)
	l.note("%.1f entries a batch", mean)
	if !(mean > 1) {
		t.Errorf("no batches have formed: %.2f entries in each", mean)
	}
	b.nodes[1].start(t)
	b.ready(t, b.nodes[1])
	b.readAgain(t, l, b.nodes[1])
	l.conclude(t, smooth())
}

// terminate ends one node as an operator does, and starts it again.
func terminate(t *testing.T, b *bed) {
	b.whole(t)
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.nodes...)...)
	pass(before)
	begun := time.Now()
	b.nodes[0].stop(t)
	l.note("ended in %s", time.Since(begun).Round(time.Millisecond))
	pass(before)
	work.end()
	b.settle(t, l, b.except(b.nodes[0])...)
	b.nodes[0].start(t)
	b.ready(t, b.nodes[0])
	b.readAgain(t, l, b.nodes[0])
	l.conclude(t, smooth())
}

// rollingRestart renews all nodes, one after the other, as an upgrade does.
func rollingRestart(t *testing.T, b *bed) {
	b.whole(t)
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.nodes...)...)
	for _, n := range b.nodes {
		pass(time.Second)
		n.stop(t)
		n.start(t)
		l.note("%s ready in %s", n.name, b.ready(t, n).Round(time.Millisecond))
		b.settle(t, l, b.nodes...)
	}
	work.end()
	b.settle(t, l, b.nodes...)
	l.conclude(t, noticed(2*time.Second))
}

// hang stops a node where it is, and lets it go on: it does not know that it was away. What it acknowledges then to a client
// that had patience must be true.
func hang(t *testing.T, b *bed) {
	b.whole(t)
	victim := b.nodes[0]
	l, patient := newLedger(), newLedger()
	how := even(b.nodes)
	how.attempt = 1500 * time.Millisecond
	work := b.publish(t, l, how, b.beside(t, b.nodes...)...)
	still := b.publish(t, patient, pace{perSecond: 20, attempt: 20 * time.Second}, b.publishes(t, victim))
	pass(before)
	victim.hang()
	pass(8 * time.Second)
	victim.wake()
	l.note("ready again in %s", b.ready(t, victim).Round(time.Millisecond))
	pass(before)
	work.end()
	still.end()
	b.settle(t, l, b.nodes...)
	b.settle(t, patient, b.nodes...)
	l.note("those who waited on it: %d acknowledged", patient.count())
	if patient.back.lost > 0 {
		t.Errorf("%d of %d records are lost that the node acknowledged to who waited on it", patient.back.lost, patient.count())
	}
	// A client notices nothing before its own patience is at an end. In the moment in which the node hangs, who is sent to
	// another may have to wait there for one stream after the other, and longer than a node waits for its log.
	d := noticed(how.attempt + 2*time.Second)
	d.few = 5
	l.conclude(t, d)
}

// killTwo takes the quorum away: the one that is left must acknowledge nothing, and go on reading.
func killTwo(t *testing.T, b *bed) {
	b.whole(t)
	left := b.nodes[2]
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.nodes...)...)
	pass(before)
	b.nodes[0].kill(t)
	pass(300 * time.Millisecond)
	b.nodes[1].kill(t)
	alone := time.Now()
	pass(during)
	if !within(patience, func() bool { return !left.ready() }) {
		t.Errorf("%s is ready without a quorum", left.name)
	}
	l.note("says %q", left.unready())
	b.noAcknowledgement(t, l, left, alone)
	b.settle(t, l, left) // it reads alone
	b.nodes[0].start(t)
	b.nodes[1].start(t)
	l.note("ready again in %s", b.ready(t, b.nodes...).Round(time.Millisecond))
	pass(before)
	work.end()
	b.settle(t, l, b.nodes...)
	b.readAgain(t, l, b.nodes...)
	l.conclude(t, demand{errors: true})
}

// noAcknowledgement fails if a node has acknowledged what was begun there after a time, at which nobody could help it any more.
func (b *bed) noAcknowledgement(t *testing.T, l *ledger, at *node, after time.Time) {
	t.Helper()
	wrong := 0
	for _, e := range l.since(after) {
		if e.at == at {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%s alone acknowledged %d records", at.name, wrong)
	}
}

// killAll ends all nodes at once, and starts them again: what was acknowledged is on their disks.
func killAll(t *testing.T, b *bed) {
	b.whole(t)
	l := newLedger()
	work := b.publish(t, l, even(b.serving()), b.beside(t, b.serving()...)...)
	pass(2 * before)
	for _, n := range b.nodes {
		n.kill(t)
	}
	for _, n := range b.nodes {
		n.start(t)
	}
	l.note("ready again in %s", b.ready(t, b.nodes...).Round(time.Millisecond))
	pass(before)
	work.end()
	b.settle(t, l, b.serving()...)
	l.conclude(t, demand{errors: true})
}
