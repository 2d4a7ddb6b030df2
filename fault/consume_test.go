package fault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// consumers ask for each record at once, at each node.
const consumers = 2

// verdict is what the consumers of one record were told.
type verdict struct {
	won, lost, unsure int
}

// consumeOnce lets many consume the same records on all nodes: of each, exactly one has it.
func consumeOnce(t *testing.T, b *bed) {
	b.whole(t)
	b.consume(t, func() {})
}

// consumeDuringKill is the same while a node dies. Who was told nothing asks again, elsewhere, with the same token: then also
// there is exactly one.
func consumeDuringKill(t *testing.T, b *bed) {
	b.whole(t)
	b.consume(t, func() { b.nodes[0].kill(t) })
}

// consume publishes records, lets them be consumed, and does something meanwhile.
func (b *bed) consume(t *testing.T, meanwhile func()) {
	t.Helper()
	l := newLedger()
	entries := b.consumable(t, l, b.nodes[1], b.nodes[2])
	begun := time.Now()
	verdicts := b.consumeAll(t, entries, [][]*node{b.nodes}, meanwhile)
	l.note("%d consumers of each, %s", len(b.nodes)*consumers, time.Since(begun).Round(time.Millisecond))
	none := 0
	for _, of := range verdicts {
		switch v := of[0]; {
		case v.won > 1:
			t.Errorf("%d consumers were told that they have the same call", v.won)
		case v.won == 0:
			none++
		}
	}
	if none > 0 {
		t.Errorf("of %d calls, consumers were told that somebody else has them, and nobody has", none)
	}
	for _, n := range b.nodes {
		if n.alive() {
			b.gone(t, n, entries)
		}
	}
	l.conclude(t, demand{})
}

// consumable publishes records at a node, or at another, and waits until all have them.
func (b *bed) consumable(t *testing.T, l *ledger, at ...*node) []entry {
	t.Helper()
	count := 100
	if all {
		count = 600
	}
	publisher := b.publishes(t, at[0], at[1:]...)
	for range count {
		record, err := b.publication(b.numbers.alone(oob.Company))
		check(t, err)
		publisher.deliver(t, l, record)
	}
	b.settle(t, l, b.nodes...)
	return l.entries()
}

// consumeAll has each entry asked for in each group of nodes at the same moment, by some at each of its nodes, and does something
// after a third. It gives the verdicts of the groups, and fails the test for a consumer that is told nothing.
func (b *bed) consumeAll(t *testing.T, entries []entry, groups [][]*node, meanwhile func()) [][]verdict {
	t.Helper()
	verdicts := make([][]verdict, len(entries))
	var mu sync.Mutex     // guards verdicts
	var told atomic.Value // the last answer that decided nothing
	var asking sync.WaitGroup
	turn := time.NewTicker(20 * time.Millisecond)
	defer turn.Stop()
	clients := map[*node]*http.Client{}
	for _, group := range groups {
		for _, n := range group {
			shown := b.reader.TLS()
			clients[n] = n.client(t, &shown)
		}
	}
	for i, e := range entries {
		<-turn.C
		verdicts[i] = make([]verdict, len(groups))
		for g, group := range groups {
			for own := range len(group) * consumers {
				asking.Go(func() {
					won, sure := b.consumeOne(t, clients[group[own%len(group)]], e, group, own, &told)
					mu.Lock()
					defer mu.Unlock()
					switch v := &verdicts[i][g]; {
					case !sure:
						v.unsure++
					case won:
						v.won++
					default:
						v.lost++
					}
				})
			}
		}
		if i == len(entries)/3 {
			asking.Go(meanwhile)
		}
	}
	asking.Wait()
	unsure := 0
	for _, of := range verdicts {
		for _, v := range of {
			unsure += v.unsure
		}
	}
	if unsure > 0 {
		t.Errorf("%d consumers were told nothing for %s, the last: %v", unsure, consumeTime, told.Load())
	}
	return verdicts
}

// consumeTime is how long a consumer asks again. Its token is no older then than 60 s.
var consumeTime = min(unhurried(20*time.Second), 50*time.Second)

// consumeOne asks for a record until it is told whether it has it: first at its own node, then at others in turn, always with
// the same token.
func (b *bed) consumeOne(t *testing.T, client *http.Client, e entry, nodes []*node, own int, told *atomic.Value) (won, sure bool) {
	access := b.reader.Access(oob.ActionConsume, e.key, nil, uuid.New(), time.Now())
	access.Audience, access.SPC, access.Subject = []string{audience}, e.key.SPC, ""
	authorization, err := b.reader.Authorization(access)
	if err != nil {
		t.Error(err)
		return false, false
	}
	sure = within(consumeTime, func() bool {
		at := nodes[own%len(nodes)]
		own++
		request, err := http.NewRequest(http.MethodDelete, "https://"+at.public+atis.ConsumePath(e.key, e.id), nil)
		if err != nil {
			t.Error(err)
			return false
		}
		request.Header.Set("Authorization", authorization)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		status, body, err := do(ctx, client, request)
		won = err == nil && status == http.StatusNoContent
		if won || err == nil && status == http.StatusOK {
			return true
		}
		told.Store(fmt.Sprintf("%s: %d %s %v", at.name, status, reason(body), err))
		return false
	})
	return won, sure
}

// gone fails unless a node gives none of the entries to anybody any more.
func (b *bed) gone(t *testing.T, at *node, entries []entry) {
	t.Helper()
	shown := b.reader.TLS()
	client := at.client(t, &shown)
	left := 0
	for _, e := range entries {
		if !within(readTime, func() bool {
			held, err := b.read(client, at, e.key)
			return (err == nil || errors.Is(err, errNothing)) && held[e.id] == 0
		}) {
			left++
		}
	}
	if left > 0 {
		t.Errorf("%s still gives %d records that were consumed", at.name, left)
	}
}
