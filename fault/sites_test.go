package fault

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// between is how long it takes from one site to another, one way.
const between = 15 * time.Millisecond

// far puts the sites so far apart, where there are networks.
func (b *bed) far() {
	if b.wide != nil {
		b.wide.delay.Store(int64(between))
	}
}

// here makes a publisher for each node of each site, which goes over to the others of its site.
func (b *bed) here(t *testing.T) (publishers []*publisher) {
	t.Helper()
	for site := range b.sites {
		publishers = append(publishers, b.beside(t, b.of(site)...)...)
	}
	return publishers
}

// flood measures how soon a record is on another site, while there is load on both.
func flood(t *testing.T, b *bed) {
	b.whole(t)
	b.far()
	l := newLedger()
	work := b.publish(t, l, pace{perSecond: max(perSecond()/2/len(b.nodes), 1)}, b.beside(t, b.nodes...)...)
	pass(before)
	at, there := b.of(0)[0], b.of(1)[0]
	shown := b.reader.TLS()
	client := there.client(t, &shown)
	one := b.publishes(t, at)
	var sinceBegun, sinceAcked []time.Duration
	for range 100 {
		key := b.numbers.alone(oob.RFC9888)
		record, err := b.publication(key)
		check(t, err)
		begun := time.Now()
		one.deliver(t, l, record)
		acked := time.Now()
		if !poll(patience, time.Millisecond, func() bool {
			held, _ := b.read(client, there, key)
			return held[record.id] > 0
		}) {
			t.Fatal("a record has not come to the other site")
		}
		sinceBegun, sinceAcked = append(sinceBegun, time.Since(begun)), append(sinceAcked, time.Since(acked))
	}
	work.end()
	b.settle(t, l, b.nodes...)
	worst, median := spread(sinceAcked)
	_, whole := spread(sinceBegun)
	l.note("flooded in a median of %s after the acknowledgement (%s after it was sent), longest %s",
		median.Round(100*time.Microsecond), whole.Round(100*time.Microsecond), worst.Round(time.Millisecond))
	if all && b.apart && median > 20*time.Millisecond {
		t.Errorf("flooded in a median of %s", median)
	}
	l.conclude(t, smooth())
}

// cutSite cuts the first site off from all others: each goes on, and knows everything soon after.
func cutSite(t *testing.T, b *bed) {
	b.whole(t)
	b.far()
	l := newLedger()
	work := b.publish(t, l, pace{perSecond: max(perSecond()/len(b.nodes), 1)}, b.here(t)...)
	pass(before)
	b.wide.cut(0, true)
	cut := time.Now().Add(2 * between)
	pass(8 * time.Second)
	inside, outside := apart(l.since(cut))
	b.absent(t, b.of(0)[0], outside)
	for site := 1; site < b.sites; site++ {
		b.absent(t, b.of(site)[0], inside)
	}
	l.note("meanwhile %d inside, %d outside", len(inside), len(outside))
	b.wide.cut(0, false)
	l.note("caught up in %s", b.caughtUp(t, inside, outside).Round(10*time.Millisecond))
	pass(before)
	work.end()
	b.settle(t, l, b.nodes...)
	l.conclude(t, smooth())
}

// apart separates what was acknowledged on the first site from the rest.
func apart(entries []entry) (inside, outside []entry) {
	for _, e := range entries {
		if e.at.site == 0 {
			inside = append(inside, e)
		} else {
			outside = append(outside, e)
		}
	}
	return inside, outside
}

// caughtUp waits until each side has the last that the other acknowledged while they were apart.
func (b *bed) caughtUp(t *testing.T, inside, outside []entry) time.Duration {
	t.Helper()
	begun := time.Now()
	last := func(entries []entry) []entry {
		slices.SortFunc(entries, func(a, b entry) int { return b.acked.Compare(a.acked) })
		return entries[:min(len(entries), 20)]
	}
	for site := range b.sites {
		missed := outside
		if site > 0 {
			missed = inside
		}
		if back := b.readBack(t, last(missed), b.of(site)[0]); back.lost+back.unread > 0 {
			t.Errorf("%s has not caught up", siteNames[site])
		}
	}
	return time.Since(begun)
}

// looseLink cuts a site off again and again.
func looseLink(t *testing.T, b *bed) {
	b.whole(t)
	b.far()
	l := newLedger()
	work := b.publish(t, l, pace{perSecond: max(perSecond()/len(b.nodes), 1)}, b.here(t)...)
	pass(before)
	for range 5 {
		b.wide.cut(0, true)
		pass(1500 * time.Millisecond)
		b.wide.cut(0, false)
		pass(700 * time.Millisecond)
	}
	healed := time.Now()
	pass(before)
	work.end()
	b.settle(t, l, b.nodes...)
	l.note("all read everywhere %s after it healed", time.Since(healed).Round(10*time.Millisecond))
	l.conclude(t, smooth())
}

// killBetweenSites kills one node of each site after the other: others take over what it had brought across.
func killBetweenSites(t *testing.T, b *bed) {
	b.whole(t)
	b.far()
	l := newLedger()
	work := b.publish(t, l, pace{perSecond: max(perSecond()/len(b.nodes), 1)}, b.here(t)...)
	pass(before)
	b.of(0)[0].kill(t)
	pass(during)
	b.settle(t, l, b.except(b.of(0)[0])...)
	b.of(1)[0].kill(t)
	pass(during)
	work.end()
	b.settle(t, l, b.except(b.of(0)[0], b.of(1)[0])...)
	l.conclude(t, smooth())
}

// killSite kills a whole site, and starts it again: the others go on, and it learns what it missed.
func killSite(t *testing.T, b *bed) {
	b.whole(t)
	b.far()
	l, gone := newLedger(), newLedger()
	work := b.publish(t, l, pace{perSecond: max(perSecond()/len(b.nodes), 1)}, b.beside(t, b.of(1)...)...)
	dying := b.publish(t, gone, pace{perSecond: max(perSecond()/len(b.nodes), 1)}, b.beside(t, b.of(0)...)...)
	pass(2 * before)
	for _, n := range b.of(0) {
		n.kill(t)
	}
	dying.end()
	pass(during)
	b.settle(t, l, b.of(1)...)
	for _, n := range b.of(0) {
		n.start(t)
	}
	l.note("ready again in %s", b.ready(t, b.of(0)...).Round(time.Millisecond))
	work.end()
	b.readAgain(t, l, b.nodes...)
	b.settle(t, gone, b.nodes...)
	if lost := gone.back.lost + gone.back.unread; lost > 0 {
		t.Errorf("of %d records that the site had acknowledged, %d are lost", gone.count(), lost)
	}
	l.conclude(t, smooth())
}

// cutAcknowledging: who promises that the other site has it, acknowledges nothing when nobody is there to have it.
func cutAcknowledging(t *testing.T, b *bed) {
	b.whole(t)
	b.far()
	l := newLedger()
	work := b.publish(t, l, pace{perSecond: 50}, b.publishes(t, b.nodes[0]))
	pass(before)
	b.wide.cut(0, true)
	cut := time.Now()
	pass(during)
	b.noAcknowledgement(t, l, b.nodes[0], cut)
	b.wide.cut(0, false)
	b.ready(t, b.nodes...)
	await(t, "acknowledgements again", func() bool { return len(l.since(cut)) > 100 })
	work.end()
	b.settle(t, l, b.nodes...)
	l.conclude(t, demand{errors: true})
}

// killAcknowledging kills a site that promised that the other has everything.
func killAcknowledging(t *testing.T, b *bed) {
	b.whole(t)
	b.far()
	l := newLedger()
	work := b.publish(t, l, pace{perSecond: 100}, b.publishes(t, b.nodes[0]))
	pass(2 * before)
	b.nodes[0].kill(t)
	work.end()
	check(t, os.RemoveAll(b.nodes[0].log()))
	b.settle(t, l, b.nodes[1])
	l.conclude(t, demand{errors: true})
}
