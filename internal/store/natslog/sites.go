package natslog

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/viaduct-oob/viaduct/oob"
)

const (
	siteDial   = 2 * time.Second        // for a connection to a node of another site
	siteAgain  = 250 * time.Millisecond // before the next address is tried
	leaveAfter = 3 * time.Second        // a node that is cut off from its own site is left for another
	tellEvery  = 2 * time.Millisecond   // how often another site is told at most how far it has been read
)

// connect connects to one of the nodes of a site, and to the next when that is lost, and follows its streams. The nodes of
// this site begin at different addresses. No address is believed that is not configured.
func (s *source) connect(site *Site) error {
	l := s.log
	s.moved = make(chan struct{}, 1)
	connected := func(*nats.Conn) {
		for _, f := range s.followers {
			f.exists.Store(true)
			f.hurry()
		}
	}
	first := fnv.New32a()
	first.Write([]byte(l.cfg.Node))
	var addresses []string
	for i := range site.Addresses {
		addresses = append(addresses, "tls://"+site.Addresses[(i+int(first.Sum32()%uint32(len(site.Addresses))))%len(site.Addresses)])
	}
	opts := append(l.engine.always("site "+site.Name),
		nats.Secure(l.engine.tls(site.hosts())), nats.UserInfo(l.cfg.id(), ""), nats.Timeout(siteDial), nats.ReconnectWait(siteAgain),
		nats.DontRandomize(), nats.IgnoreDiscoveredServers(),
		nats.ConnectHandler(connected), nats.ReconnectHandler(connected), nats.ReconnectErrHandler(s.failures.note),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				l.complain("a connection to another site is lost", "site", site.Name, "error", err)
			}
		}))
	var err error
	if s.nc, err = nats.Connect(strings.Join(addresses, ","), opts...); err != nil {
		return err
	}
	if err := l.listenTo(s.nc, s.site); err != nil {
		return err
	}
	l.task(s.tell)
	l.task(s.leave)
	return s.follow()
}

// failures is why a connection is away.
type failures struct{ dial atomic.Pointer[error] }

// note takes why nobody could be called.
func (f *failures) note(_ *nats.Conn, err error) { f.dial.Store(&err) }

// of is why nc is away; nil when it is not, or nothing is known.
func (f *failures) of(nc *nats.Conn) error {
	if nc.IsConnected() {
		return nil
	}
	if err := nc.LastError(); err != nil {
		return err
	}
	if err := f.dial.Load(); err != nil {
		return *err
	}
	return nil
}

// leave leaves a node that says that it is cut off from the others of its site, as long as others say that they are not.
func (s *source) leave(ctx context.Context) {
	var since time.Time
	for s.log.pause(ctx, helloEvery) {
		if err := s.failures.of(s.nc); err != nil && s.log.once.allow("site "+s.site) {
			s.log.cfg.Log.Warn("another site cannot be reached", "site", s.site, "error", err)
		}
		alone, company := false, false
		for _, p := range s.log.heardOf(s.site) {
			here := strings.ReplaceAll(p.Node, "/", "-") == s.nc.ConnectedServerName()
			alone = alone || here && p.alone
			company = company || !here && !p.alone
		}
		switch {
		case !alone || company || len(s.nc.Servers()) < 2:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > leaveAfter:
			since = time.Time{}
			_ = s.nc.ForceReconnect() // an error is a connection that has been closed
		}
	}
}

// tell tells a site how far it has been read here, if it wants to know.
func (s *source) tell(ctx context.Context) {
	regularly := time.NewTicker(helloEvery)
	defer regularly.Stop()
	for {
		select {
		case <-s.moved:
		case <-regularly.C:
		case <-ctx.Done():
			return
		}
		if !s.asked() {
			continue
		}
		b := []byte{version}
		for _, seq := range s.positions() {
			b = binary.BigEndian.AppendUint64(b, seq)
		}
		_ = s.nc.Publish(appliedSubject(s.log.cfg.Site, s.log.cfg.Node), b) // an error is a connection that is away
		if !s.log.pause(ctx, tellEvery) {
			return
		}
	}
}

// asked tells whether a node of the site wants to know how far it has been read.
func (s *source) asked() bool {
	for _, p := range s.log.heardOf(s.site) {
		if p.acks {
			return true
		}
	}
	return false
}

// hearApplied takes what a node of another site tells of how far it has read this one.
func (l *Log) hearApplied(m *nats.Msg) {
	words := strings.Split(m.Subject, ".")
	if len(words) != 3 || len(m.Data) < 1+8*streams {
		return
	}
	site, node := words[1], words[2]
	r := reader{b: m.Data[1:]}
	var at [streams]uint64
	for i := range at {
		at[i] = r.uint64()
	}
	g := &l.gossip
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reached[site] == nil {
		if len(g.reached) == len(l.cfg.Sites) {
			return // no site of the configuration has so little to say
		}
		g.reached[site] = map[string][streams]uint64{}
	}
	if _, ok := g.reached[site][node]; !ok && len(g.reached[site]) == peersMost {
		return
	}
	g.reached[site][node] = at
	for i := range g.waits {
		kept := g.waits[i][:0]
		for _, w := range g.waits[i] {
			if g.sites(i, w.seq) >= l.cfg.AcknowledgeSites {
				close(w.done)
			} else {
				kept = append(kept, w)
			}
		}
		clear(g.waits[i][len(kept):])
		g.waits[i] = kept
	}
}

// siteWait waits until enough sites hold a message.
type siteWait struct {
	seq  uint64
	done chan struct{}
}

// sites counts the other sites that hold a message of a stream: one node of a site is enough. The caller holds the lock.
func (g *gossip) sites(stream int, seq uint64) (count int) {
	for _, nodes := range g.reached {
		for _, at := range nodes {
			if at[stream] >= seq {
				count++
				break
			}
		}
	}
	return count
}

// awaitSites waits until as many other sites hold a message as must.
func (l *Log) awaitSites(ctx context.Context, timer *time.Timer, at applied) error {
	g := &l.gossip
	g.mu.Lock()
	if g.sites(at.stream, at.seq) >= l.cfg.AcknowledgeSites {
		g.mu.Unlock()
		return nil
	}
	w := &siteWait{seq: at.seq, done: make(chan struct{})}
	g.waits[at.stream] = append(g.waits[at.stream], w)
	g.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-timer.C:
		g.giveUp(at.stream, w)
		return unavailable("other sites do not answer")
	case <-ctx.Done():
		g.giveUp(at.stream, w)
		return oob.FaultOf(ctx.Err())
	case <-l.quit.Done():
		g.giveUp(at.stream, w)
		return oob.Faultf(oob.Draining, "")
	}
}

func (g *gossip) giveUp(stream int, w *siteWait) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waits[stream] = slices.DeleteFunc(g.waits[stream], func(one *siteWait) bool { return one == w })
}
