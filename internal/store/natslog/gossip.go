package natslog

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// What nodes tell each other goes over subjects of NATS, and is lost where nobody hears it:
//
//	g.<site>.<node>.hello          that a node is there, every helloEvery
//	g.<site>.<node>.cast.<topic>   what somebody else in the process wants told
//	a.<site>.<node>                from a node of another site: how far it has read this one
const (
	gossipAll  = "g.>"
	appliedAll = "a.>"
)

func gossipSubject(site, node, rest string) string { return "g." + site + "." + node + "." + rest }
func appliedSubject(site, node string) string      { return "a." + site + "." + node }

const (
	helloEvery = 250 * time.Millisecond
	gone       = 1500 * time.Millisecond // after which a node that is not heard is taken to be gone
	forgotten  = 10 * time.Minute        // after which it is no more listed
	peersMost  = 256                     // nodes that are listed
	castMost   = 512 << 10               // bytes that are told at once
	listenMost = 64 << 20                // bytes of what was told that may wait for being heard
)

// Peer is another node, of this site or another.
type Peer struct {
	Node      string        // its site, a slash, its name
	Site      string        //
	LastHeard time.Time     // by the clock of the configuration
	Skew      time.Duration // its clock minus this one's, when it was last heard
	Ready     bool          // it said so, and is no witness

	leads   int
	led     byte // the streams that these are, from the lowest bit
	gathers bool // it understands messages of several batches, and takes those of others for the streams that it leads
	life
	nodes    uint64 // which list of nodes it has
	behind   bool   // it is new, or has not all of the log
	witness  bool   // its positions say nothing
	alone    bool   // it hears no majority of its site
	acks     bool   // it wants to know how far others have read its site
	position [streams]uint64
}

// gossip is what is known from other nodes.
type gossip struct {
	mu      sync.Mutex
	peers   map[string]*Peer
	reached map[string]map[string][streams]uint64 // by site and node: how far those of other sites have read this one
	waits   [streams][]*siteWait
	heard   sync.Map // topic → func(node string, data []byte)
}

func newGossip() gossip {
	return gossip{peers: map[string]*Peer{}, reached: map[string]map[string][streams]uint64{}}
}

var errCast = errors.New("too long to be told, or no proper topic")

// Broadcast tells all other nodes of all sites, best effort. A topic is 1 to 32 letters, digits, - and _; more than 512 KiB
// are not told.
func (l *Log) Broadcast(topic string, data []byte) {
	if !nameForm.MatchString(topic) || len(data) > castMost {
		l.complain("something is not told to the other nodes", "topic", topic, "error", errCast)
		return
	}
	_ = l.nc.Publish(gossipSubject(l.cfg.Site, l.cfg.Node, "cast."+topic), data) // an error is a connection that is away
}

// Listen has f called with what others tell under a topic, one call after the other; node is as in [Log.Node]. What comes
// before Listen is lost, and a second call for a topic takes the place of the first.
func (l *Log) Listen(topic string, f func(node string, data []byte)) {
	l.gossip.heard.Store(topic, f)
}

// Peers lists the other nodes that have been heard in the last ten minutes, those of the own site first.
func (l *Log) Peers() []Peer {
	g := &l.gossip
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]Peer, 0, len(g.peers))
	for _, p := range g.peers {
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b Peer) int {
		if own := l.cfg.Site; (a.Site == own) != (b.Site == own) {
			if a.Site == own {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Node, b.Node)
	})
	return list
}

// near are the other nodes of this site that are there.
func (l *Log) near() []Peer { return l.heardOf(l.cfg.Site) }

// heardOf are the other nodes of a site that are there, as far as has been heard.
func (l *Log) heardOf(site string) (list []Peer) {
	now := l.cfg.Now()
	g := &l.gossip
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.peers {
		if p.Site == site && now.Sub(p.LastHeard) < gone {
			list = append(list, *p)
		}
	}
	return list
}

// startGossip begins to tell and to listen.
func (l *Log) startGossip() error {
	if err := l.listenTo(l.nc, l.cfg.Site); err != nil {
		return err
	}
	if l.cfg.SitesListen != "" || len(l.cfg.External) > 0 {
		if _, err := l.nc.Subscribe(appliedAll, func(m *nats.Msg) { l.hearApplied(m) }); err != nil {
			return err
		}
	}
	l.task(func(ctx context.Context) {
		for l.pause(ctx, helloEvery) {
			l.hello()
		}
	})
	return nil
}

// listenTo listens to the nodes of one site.
func (l *Log) listenTo(nc *nats.Conn, site string) error {
	sub, err := nc.Subscribe(gossipSubject(site, "*", ">"), func(m *nats.Msg) { l.hear(site, m) })
	if err != nil {
		return err
	}
	return sub.SetPendingLimits(-1, listenMost)
}

// hear takes what a node has told.
func (l *Log) hear(site string, m *nats.Msg) {
	words := strings.SplitN(m.Subject, ".", 5)
	if len(words) < 4 || words[1] != site || !nameForm.MatchString(words[2]) {
		return
	}
	if site == l.cfg.Site && words[2] == l.cfg.Node {
		if words[3] == "hello" {
			l.hearOwn(m.Data)
		}
		return
	}
	node := site + "/" + words[2]
	switch {
	case words[3] == "hello" && len(words) == 4:
		if p, ok := readHello(m.Data, l.cfg.Now()); ok {
			p.Node, p.Site = node, site
			l.meet(p)
		}
	case words[3] == "cast" && len(words) == 5:
		if f, ok := l.gossip.heard.Load(words[4]); ok {
			f.(func(string, []byte))(node, m.Data)
		}
	}
}

// meet notes that a node is there, and which messages it knows of.
func (l *Log) meet(p Peer) {
	g := &l.gossip
	g.mu.Lock()
	if _, ok := g.peers[p.Node]; ok || len(g.peers) < peersMost {
		g.peers[p.Node] = &p
	}
	g.mu.Unlock()
	if p.Site == l.cfg.Site {
		l.noteLeader(&p)
	}
	if p.Site == l.cfg.Site && l.unlike(&p) {
		l.complain("another node of the site has other nodes in its configuration", "node", p.Node)
	}
	if s := l.source(p.Site); s != nil {
		for i, seq := range p.position {
			s.followers[i].know(seq)
		}
	}
}

// source is the site of this name, if it is followed.
func (l *Log) source(site string) *source {
	if l.cfg.Witness {
		return nil
	}
	if site == l.cfg.Site {
		return l.own
	}
	for _, s := range l.others {
		if s.site == site {
			return s
		}
	}
	return nil
}

// A hello: version (1 byte), clock (8), flags (1), how many streams are led (1), the last message applied of each stream of
// the own site (8 each); and since nodes gather, which streams are led (1), the run (8) and since when it is there (8), which list of nodes it has (8).
const (
	helloLength = 1 + 8 + 1 + 1 + 8*streams
	helloGather = helloLength + 1 + 8 + 8 + 8
)

const (
	flagReady   = 1 << iota // the node is ready
	flagBehind              // it has not all of the log
	flagWitness             // it serves nothing, and applies nothing
	flagAlone               // it hears no majority of its site
	flagAcks                // it wants to know how far others have read
)

// hello tells the others that this node is there, and forgets those who have not been heard for long.
func (l *Log) hello() {
	now := l.cfg.Now()
	flags := byte(0)
	if l.Ready() == nil {
		flags |= flagReady
	}
	if !l.whole() {
		flags |= flagBehind
	}
	if l.cfg.Witness {
		flags |= flagWitness
	}
	if l.alone() != nil {
		flags |= flagAlone
		l.lonely.since(time.Now())
	} else {
		l.lonely.at.Store(0)
	}
	if l.cfg.AcknowledgeSites > 0 {
		flags |= flagAcks
	}
	leads, led := l.engine.leads(), byte(0)
	for _, i := range leads {
		led |= 1 << i
	}
	b := make([]byte, 0, helloGather)
	b = append(b, version)
	b = binary.BigEndian.AppendUint64(b, uint64(now.UnixNano()))
	b = append(b, flags, byte(len(leads)))
	for _, seq := range l.own.positions() {
		b = binary.BigEndian.AppendUint64(b, seq)
	}
	b = append(b, led)
	b = binary.BigEndian.AppendUint64(b, l.run)
	b = binary.BigEndian.AppendUint64(b, uint64(l.opened.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, l.cfg.nodesHash())
	_ = l.nc.Publish(gossipSubject(l.cfg.Site, l.cfg.Node, "hello"), b) // an error is a connection that is away
	l.noteGathering(leads, now)
	g := &l.gossip
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, p := range g.peers {
		if now.Sub(p.LastHeard) > forgotten {
			delete(g.peers, name)
		}
	}
}

// readHello reads what a node of another version may have written longer.
func readHello(data []byte, now time.Time) (Peer, bool) {
	if len(data) < helloLength {
		return Peer{}, false
	}
	r := reader{b: data[1:]}
	p := Peer{LastHeard: now, Skew: time.Unix(0, int64(r.uint64())).Sub(now)}
	flags := r.byte()
	p.Ready, p.behind = flags&flagReady != 0, flags&flagBehind != 0
	p.witness, p.alone, p.acks = flags&flagWitness != 0, flags&flagAlone != 0, flags&flagAcks != 0
	p.Ready = p.Ready && !p.witness
	p.leads = int(r.byte())
	for i := range p.position {
		p.position[i] = r.uint64()
	}
	if p.gathers = len(data) >= helloGather; p.gathers {
		p.led = r.byte()
		p.run, p.began = r.uint64(), int64(r.uint64())
		p.nodes = r.uint64()
	}
	return p, true
}
