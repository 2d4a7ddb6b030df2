package natslog

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// A message costs all nodes of a site much more than what is in it. So who leads a stream gathers: the other nodes bring it their
// batches, and it appends them together with its own. Who has brought one knows that it has been appended when it comes back. Where it is not known
// who leads, or not all nodes would understand, everybody appends alone.

// gatherSubject is where a node takes the batches of others for a stream.
func gatherSubject(site, node string, stream int) string {
	return "b." + site + "." + node + "." + strconv.Itoa(stream)
}

// broughtMost is how many batches of other nodes may wait for a lane. Each has one on its way; more are those that it has given up.
const broughtMost = 16

// brought is a batch of another node.
type brought struct {
	data  []byte
	count int
	at    time.Time
}

// take takes in a batch that another node has brought, unless it is none.
func (a *lane) take(m *nats.Msg) {
	l := a.log
	if len(m.Data) == 0 || m.Data[0] != version {
		l.count.unreadable.Add(1)
		return
	}
	b, err := readBatch(m.Data[1:])
	if site, _, _ := strings.Cut(b.node, "/"); err != nil || site != l.cfg.Site || len(a.brought) == broughtMost {
		l.count.unreadable.Add(1)
		return
	}
	a.brought = append(a.brought, brought{data: m.Data[1:], count: b.count, at: time.Now()})
}

// gather adds to the message what others have brought, as much as there is room for. Whose batch has waited for too long has
// given it up.
func (a *lane) gather() {
	now, kept := time.Now(), a.brought[:0]
	for _, b := range a.brought {
		switch {
		case now.Sub(b.at) > ackMost:
		case len(a.buffer) > headRoom && len(a.buffer)+len(b.data) > batchBytes:
			kept = append(kept, b)
		default:
			a.add(b.data)
		}
	}
	clear(a.brought[len(kept):])
	a.brought = kept
}

// add adds a batch to the message.
func (a *lane) add(data []byte) {
	if len(a.buffer) == headRoom {
		a.buffer = append(a.buffer, data...)
		a.first = len(a.buffer)
		return
	}
	a.buffer = append(a.buffer, byte(len(data)>>24), byte(len(data)>>16), byte(len(data)>>8), byte(len(data)))
	a.buffer = append(a.buffer, data...)
}

// pace waits until the message before is some time ago, unless there is a batch full: a message costs much more than what is in it.
// Who comes alone does not wait.
func (a *lane) pace(ctx context.Context) {
	if wait := paceOf - time.Since(a.paced); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		for over := false; !over && a.waits() < batchEntries; {
			select {
			case m := <-a.bring:
				a.take(m)
			case <-timer.C:
				over = true
			case <-ctx.Done():
				over = true
			}
		}
	}
	a.paced = time.Now()
}

// waits is the size of the largest batch that waits.
func (a *lane) waits() int {
	most := len(a.queue) + len(a.batch)
	for _, b := range a.brought {
		most = max(most, b.count)
	}
	return most
}

// leader is a node that leads a stream, by its own account.
type leader struct {
	node    string // "" is this one
	gathers bool   // for others
}

// gatherer is the node to bring batches for a stream to; "" is none.
func (l *Log) gatherer(stream int) string {
	if said := l.leader[stream].Load(); said != nil && said.gathers && l.gathers.Load() {
		return said.node
	}
	return ""
}

// noteLeader notes which streams another node of this site leads.
func (l *Log) noteLeader(p *Peer) {
	_, node, _ := strings.Cut(p.Node, "/")
	one := leader{node: node, gathers: p.gathers && !p.witness}
	for i := range streams {
		said := l.leader[i].Load()
		switch leads := p.led>>i&1 != 0; {
		case leads && (said == nil || *said != one):
			l.leader[i].Store(&one)
		case !leads && said != nil && said.node == node:
			l.leader[i].CompareAndSwap(said, nil)
		}
	}
}

// noteGathering notes which streams this node leads, forgets who is gone, and finds out whether all nodes understand what is gathered.
func (l *Log) noteGathering(own []int, now time.Time) {
	l.forgetLeader("")
	for _, i := range own {
		l.leader[i].Store(&leader{})
	}
	all := true
	g := &l.gossip
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.peers {
		all = all && p.gathers
		if p.Site == l.cfg.Site && now.Sub(p.LastHeard) >= gone {
			l.forgetLeader(strings.TrimPrefix(p.Node, p.Site+"/"))
		}
	}
	l.gathers.Store(all)
}

// forgetLeader has a node asked for nothing until it says again that it leads, and gives the streams that it was said to lead.
func (l *Log) forgetLeader(node string) (led []int) {
	for i := range streams {
		if said := l.leader[i].Load(); said != nil && said.node == node && l.leader[i].CompareAndSwap(said, nil) {
			led = append(led, i)
		}
	}
	return led
}
