package fault

import (
	"testing"
	"time"
)

// cutOff pulls the cable of a node, with a client beside it: both see that something is wrong only by what does not come.
// What is acknowledged there meanwhile would be lost if the node went up in smoke.
func cutOff(t *testing.T, b *bed) {
	b.whole(t)
	victim := b.nodes[0]
	outside := b.except(victim)
	l, inside := newLedger(), newLedger()
	work := b.publish(t, l, even(b.serving()), b.beside(t, outside...)...)
	beside := b.publish(t, inside, pace{perSecond: even(b.serving()).perSecond, attempt: 2 * time.Second}, b.publishes(t, victim))
	pass(before)
	b.plug(t, victim, false)
	cut := time.Now()
	pass(during)
	await(t, "acknowledgements of the others", func() bool { return len(l.since(cut)) > 0 })
	b.noAcknowledgement(t, inside, victim, cut)
	b.absent(t, victim, l.since(cut))
	b.settle(t, inside, victim) // it reads alone
	if !within(patience, func() bool { return !victim.ready() }) {
		t.Errorf("%s is ready without a quorum", victim.name)
	}
	l.note("the cut node says %q", victim.unready())
	b.plug(t, victim, true)
	l.note("ready again in %s", b.ready(t, victim).Round(time.Millisecond))
	pass(before)
	work.end()
	beside.end()
	b.settle(t, l, b.serving()...)
	b.readAgain(t, inside, b.serving()...)
	l.note("inside: %d acknowledged", inside.count())
	if lost := inside.back.lost + inside.back.unread; lost > 0 {
		t.Errorf("of %d records that the cut node acknowledged, %d are lost", inside.count(), lost)
	}
	l.conclude(t, smooth())
}

// looseCable pulls the cable of a node again and again, each time about as long as it takes to notice.
func looseCable(t *testing.T, b *bed) {
	b.whole(t)
	victim := b.nodes[2]
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.except(victim)...)...)
	pass(before)
	for range 5 {
		b.plug(t, victim, false)
		pass(1500 * time.Millisecond)
		b.plug(t, victim, true)
		pass(700 * time.Millisecond)
	}
	l.note("ready again in %s", b.ready(t, victim).Round(time.Millisecond))
	pass(before)
	work.end()
	b.settle(t, l, b.nodes...)
	l.conclude(t, smooth())
}

// halfCut lets two nodes hear the third, and not each other.
func halfCut(t *testing.T, b *bed) {
	b.whole(t)
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.nodes...)...)
	pass(before)
	b.isolate(t, true, b.nodes[0], b.nodes[1])
	if conn, err := b.nodes[0].place.dial(t.Context(), "tcp", b.nodes[1].public); err == nil {
		conn.Close()
		t.Errorf("%s still reaches %s", b.nodes[0].name, b.nodes[1].name)
	}
	pass(2 * during)
	b.isolate(t, false, b.nodes[0], b.nodes[1])
	b.ready(t, b.nodes...)
	pass(before)
	work.end()
	b.settle(t, l, b.nodes...)
	// Clients beside the two reach only one other node, and may ask the one that they do not.
	l.conclude(t, demand{errors: true})
}

// slowPulses lets one node run for a fifth of the time.
func slowPulses(t *testing.T, b *bed) {
	b.whole(t)
	victim := b.nodes[1]
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.except(victim)...)...)
	pass(before)
	for range 16 {
		victim.hang()
		pass(400 * time.Millisecond)
		victim.wake()
		pass(100 * time.Millisecond)
	}
	l.note("ready again in %s", b.ready(t, victim).Round(time.Millisecond))
	pass(before)
	work.end()
	b.settle(t, l, b.nodes...)
	l.conclude(t, smooth())
}

// slowLink makes the cable of one node narrower than what it has to be told.
func slowLink(t *testing.T, b *bed) {
	b.whole(t)
	victim := b.nodes[1]
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.except(victim)...)...)
	pass(before)
	b.narrow(t, victim, "2mbit")
	slow := time.Now()
	pass(8 * time.Second)
	late := l.since(slow)
	behind := 0
	shown := b.reader.TLS()
	client := victim.client(t, &shown)
	for key, those := range keyed(late) {
		held, _ := b.read(client, victim, key)
		for _, e := range those {
			if held[e.id] == 0 {
				behind++
			}
		}
	}
	l.note("behind by %d of %d after 8 s, says %q", behind, len(late), victim.unready())
	b.narrow(t, victim, "")
	l.note("ready again in %s", b.ready(t, victim).Round(time.Millisecond))
	pass(before)
	work.end()
	b.settle(t, l, b.nodes...)
	l.conclude(t, smooth())
}

// isolate keeps nodes of a site from hearing each other, or lets them.
func (b *bed) isolate(t *testing.T, apart bool, nodes ...*node) {
	t.Helper()
	state := "off"
	if apart {
		state = "on"
	}
	for _, n := range nodes {
		b.switches[n.site].run(t, "bridge link set dev node%d isolated %s", n.number, state)
	}
}

// narrow lets no more than a rate through to a node and back; the empty rate is any.
func (b *bed) narrow(t *testing.T, n *node, rate string) {
	t.Helper()
	s := b.switches[n.site]
	if rate == "" {
		s.run(t, "tc qdisc del dev node%d root", n.number)
		n.place.run(t, "tc qdisc del dev eth0 root")
		return
	}
	s.run(t, "tc qdisc add dev node%d root tbf rate %s burst 16kb latency 200ms", n.number, rate)
	n.place.run(t, "tc qdisc add dev eth0 root tbf rate %s burst 16kb latency 200ms", rate)
}
