package natslog

import (
	"fmt"
	"hash/fnv"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Votes are counted by the names of nodes, so that two of one name would be a majority of their own. Therefore a node says
// who it is and whom it looks for when it connects to another of its site, as user and password of NATS; its certificate
// says whether that may be. At an external NATS, where nobody is asked, a node hears of another by its hello.

// refused is what the node says to whom another has said no.
const refused = "another node refuses this one: its name is not that of its certificate, or is taken, or an address in nodes is not that of the node"

// route is where another node is, with what this one says of itself to it.
func (c *Config) route(to Address) *url.URL {
	return &url.URL{Scheme: "nats-route", Host: to.Address, User: url.UserPassword(c.Node, to.Name)}
}

// door is where the nodes of a site come in.
type door struct {
	engine *engine
	server *server.Server
}

// Check lets a node in whose name is its own, and who is looking for this one.
func (d *door) Check(c server.ClientAuthentication) bool {
	err := d.refusal(c)
	if err != nil {
		d.engine.complaints.refuse(c.RemoteAddress(), err)
	}
	return err == nil
}

func (d *door) refusal(c server.ClientAuthentication) error {
	cfg, opts := d.engine.cfg, c.GetOpts()
	if sought := opts.Password; sought != "" && sought != cfg.Node { // who was told of this node by another seeks nobody
		return fmt.Errorf("another node looks for %.32q here, and this one is %s", sought, cfg.Node)
	}
	if opts.Username == "" { // a node of an earlier version, which does not say
		return nil
	}
	i := slices.IndexFunc(cfg.Nodes, func(n Address) bool { return n.Name == opts.Username })
	if i < 0 {
		return fmt.Errorf("another node calls itself %.32q, which is not in nodes", opts.Username)
	}
	name := cfg.Nodes[i].Name
	host, _, _ := net.SplitHostPort(cfg.Nodes[i].Address) // checked
	state := c.GetTLSConnectionState()
	if state == nil || validForOne(state.PeerCertificates, []string{host}) != nil {
		return fmt.Errorf("another node calls itself %s, and its certificate is not for %s", name, host)
	}
	there, err := d.server.Routez(nil)
	if err != nil {
		return err
	}
	if name == cfg.Node || slices.ContainsFunc(there.Routes, func(r *server.RouteInfo) bool {
		return r.RemoteName == cfg.serverName(name) && r.RemoteID != opts.Name // which is the engine's, of one run
	}) {
		return fmt.Errorf("another node calls itself %s, and there is one already", name)
	}
	return nil
}

// serverName is what the engine of a node of this site is called.
func (c *Config) serverName(node string) string { return c.Site + "-" + node }

// nodesHash tells lists of nodes apart; 0 without one.
func (c *Config) nodesHash() uint64 {
	if len(c.Nodes) == 0 {
		return 0
	}
	var lines []string
	for _, n := range c.Nodes {
		lines = append(lines, n.Name+" "+n.Address)
	}
	slices.Sort(lines)
	h := fnv.New64a()
	h.Write([]byte(strings.Join(lines, "\n")))
	return h.Sum64()
}

// unlike tells whether a node has another list of nodes; one of an earlier version does not say.
func (l *Log) unlike(p *Peer) bool { return p.nodes != 0 && p.nodes != l.cfg.nodesHash() }

// Unlike are the nodes of this site, as in [Log.Node], that are there and have another list of nodes. That is so while a list is
// changed on one node after the other, and else a mistake.
func (l *Log) Unlike() (names []string) {
	for _, p := range l.near() {
		if l.unlike(&p) {
			names = append(names, p.Node)
		}
	}
	slices.Sort(names)
	return names
}

// life tells runs of one node apart.
type life struct {
	run   uint64
	began int64 // ns since 1970
}

// hearOwn takes a hello under the own name. There should be no other than this one's.
func (l *Log) hearOwn(data []byte) {
	p, ok := readHello(data, l.cfg.Now())
	own := life{l.run, l.opened.UnixNano()}
	if !ok || p.life == own {
		return
	}
	if p.began < own.began || p.began == own.began && p.run < own.run {
		l.twin.Store(time.Now().UnixNano())
	}
	l.complain("another process is the same node", "node", l.Node())
}

// standsBack tells whether another process of the same name is there that came before.
func (l *Log) standsBack() bool {
	at := l.twin.Load()
	return at != 0 && time.Since(time.Unix(0, at)) < gone
}
