package natslog

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/viaduct-oob/viaduct/internal/store"
)

// Bounds of a message.
const (
	BatchEntries = batchEntries
	BatchBytes   = batchBytes
	BroughtMost  = broughtMost
	PayloadMost  = payloadMost
	AckMost      = ackMost
	PaceOf       = paceOf
)

// Gathering is a lane of node n1 of site east, without an engine: how it makes messages of what waits.
type Gathering struct {
	testing.TB
	lane *lane
}

// NewGathering makes a lane for which nothing waits.
func NewGathering(t testing.TB) *Gathering {
	l := &Log{cfg: Config{Site: "east", Node: "n1", Now: time.Now}, run: 1, gossip: newGossip()}
	return &Gathering{t, &lane{
		log: l, queue: make(chan *entry, laneMost), bring: make(chan *nats.Msg, broughtMost), buffer: make([]byte, headRoom, batchBytes),
	}}
}

// Wait has an event of this node wait.
func (g *Gathering) Wait(number uint64, ev store.Event) {
	g.Helper()
	b, err := appendEntry(nil, number, &ev)
	if err != nil {
		g.Fatal(err)
	}
	g.lane.queue <- &entry{bytes: b, number: number, act: ev.Act, done: make(chan applied, 1)}
}

// Bring has another node bring a message, and gives how many of them are waiting then.
func (g *Gathering) Bring(data []byte) (waiting int) {
	g.lane.take(&nats.Msg{Data: data})
	return len(g.lane.brought)
}

// BringLater does the same while [Gathering.Pace] waits.
func (g *Gathering) BringLater(data []byte) { g.lane.bring <- &nats.Msg{Data: data} }

// Unreadable is how much of what was brought made no sense, or was too much.
func (g *Gathering) Unreadable() uint64 { return g.lane.log.count.unreadable.Load() }

// Message makes the next message of what waits, and takes that to be appended; nothing when nothing waits.
func (g *Gathering) Message() []byte {
	a := g.lane
	sent := a.collect()
	a.gather()
	if len(a.buffer) == headRoom {
		return nil
	}
	a.batch = append(a.batch[:0], a.batch[sent:]...)
	return sealed(a.buffer, a.first)
}

// Pace waits as before a message, and gives how long.
func (g *Gathering) Pace(ctx context.Context) time.Duration {
	begun := time.Now()
	g.lane.pace(ctx)
	return time.Since(begun)
}

// Told is what a node of the site says of itself.
type Told struct {
	Node             string
	Leads            []int
	Gathers, Witness bool
}

// Hear has the node hear others, each once, and gives whom it takes its batches of a stream to.
func (g *Gathering) Hear(stream int, all ...Told) string {
	l := g.lane.log
	for _, one := range all {
		p := Peer{Node: "east/" + one.Node, Site: "east", LastHeard: l.cfg.Now(), gathers: one.Gathers, witness: one.Witness}
		for _, i := range one.Leads {
			p.led |= 1 << i
		}
		l.meet(p)
	}
	l.noteGathering(nil, l.cfg.Now())
	return l.gatherer(stream)
}

// Fail has the node find that who gathers does not answer, and gives which streams it takes to nobody from then on.
func (g *Gathering) Fail(node string) []int { return g.lane.log.forgetLeader(node) }

// Lead has the node lead streams itself.
func (g *Gathering) Lead(own ...int) { g.lane.log.noteGathering(own, g.lane.log.cfg.Now()) }

// Route gives the stream that an entry of stream home goes into, when some have just failed, and some have not answered for a while; and
// whether another is faster than that one.
func (g *Gathering) Route(home int, failed, slow []int) (to int, faster bool) {
	l := g.lane.log
	for i := range streams {
		l.lanes[i] = &lane{log: l, stream: i}
	}
	for _, i := range failed {
		l.lanes[i].fail("")
	}
	for _, i := range slow {
		l.lanes[i].sent.Store(time.Now().Add(-ackSlow).UnixNano())
	}
	to = l.healthy(home)
	return to, l.faster(to)
}

// GiveLeads gives away what the node leads, to whom the engine chooses.
func (l *Log) GiveLeads(ctx context.Context) {
	for _, i := range l.engine.leads() {
		l.giveLead(ctx, i, "")
	}
}

// Gathered counts the messages of several batches in the streams, and the nodes whose batches are in them.
func (l *Log) Gathered(ctx context.Context) (messages, nodes int, err error) {
	names := map[string]bool{}
	for i := range streams {
		stream, err := l.js.Stream(ctx, streamOf(l.cfg.Site, i))
		if err != nil {
			return 0, 0, err
		}
		for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
			m, err := stream.GetMsg(ctx, seq)
			if err != nil {
				return 0, 0, err
			}
			if m.Data[0] != several {
				continue
			}
			messages++
			batches, err := ReadMessage(m.Data)
			if err != nil {
				return 0, 0, err
			}
			for _, b := range batches {
				names[b.Node] = true
			}
		}
	}
	return messages, len(names), nil
}
