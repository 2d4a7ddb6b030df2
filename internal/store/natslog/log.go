// Package natslog is the log of a CPS that is several nodes, or that is to survive a restart: a [store.Log] on NATS
// JetStream, which runs inside this process or elsewhere.
//
// Knows: how an event is written, how it gets to every view, which nodes and sites there are and how they are. Never
// hears of: what a publication means, HTTP, who may do what.
//
// A site has six streams, replicated on all its nodes. An event is appended to the stream whose turn it is, in
// batches that form under load; when that stream does not answer, another takes it, for the application of
// events is idempotent and mostly commutes. What does not, a consumption, waits for its own stream. Every node follows
// all streams of its site: a leader republishes what a majority has stored, and what did not come that way is read from
// the streams. An append is acknowledged when it has come back like that and has been applied to the own view.
//
// Nodes of other sites connect as readers and follow the streams in the same way, so that a site that is cut off goes on
// and is caught up with later. Nodes tell each other four times a second that they are there, where they are and what
// their clock says.
//
// Read config.go, codec.go, log.go, append.go, lane.go, follow.go, fill.go, in this order; then gossip.go, ready.go,
// balance.go, sites.go, renew.go. engine.go, authorize.go and streams.go are about NATS alone.
//
// # Failures
//
// Append fails with Overloaded when no majority of the site answers within the time that it takes at most, and with
// Draining after Close. It is then not known whether the event has been or will be applied. What a view has is served all
// the while; Ready tells what is wrong.
//
// Nothing acknowledged is lost as long as a majority of the nodes of its site keeps its disk. With Config.Memory that is
// as long as a majority runs, and unless Config.SyncAlways is set, a loss of power at a majority at once, or disks that are full at
// all nodes in the same moment, cost what was not flushed.
//
// # Limits
//
// Those of [Config], and the constants beside what they bound. Two are worth knowing. While a site is cut off, a node that
// restarts in another has only what lies in the log of its own site: it lacks the records of the site that is cut off,
// until that comes back. And sites decide each for itself: a PASSporT can be consumed once in each of two sites, and a
// token be used once in each, within the time that an event takes from one to the other.
package natslog

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/viaduct-oob/viaduct/internal/store"
)

// Log is the log of one node. The zero Log is not usable; see [Open].
type Log struct {
	cfg    Config
	run    uint64                          // of this run of the node, at random
	apply  func(store.Event) store.Outcome // nil: a witness
	filled func()                          // to be called when all has been applied that there was
	engine *engine
	lonely lonely
	twin   atomic.Int64 // ns since 1970; when another process of the same name, which was there before, was last heard
	nc     *nats.Conn
	js     jetstream.JetStream
	opened time.Time

	lanes   [streams]*lane
	leader  [streams]atomic.Pointer[leader] // who of the site says that it leads a stream; nil: nobody
	gathers atomic.Bool                     // all nodes understand what is gathered
	own     *source
	others  []*source
	unmade  atomic.Pointer[error] // why a stream could not be made
	waiting waiting
	gossip  gossip
	count   counters
	once    once

	quit   context.Context
	stop   context.CancelFunc
	tasks  sync.WaitGroup
	closed sync.Once
}

// Open starts the log of a node and its part of the engine, and feeds view from it; a witness has none. It does not wait
// until other nodes are there: see [Log.Ready]. The error says what is wrong with the configuration, or why the engine does
// not start.
func Open(view *store.View, cfg Config) (*Log, error) {
	if view == nil {
		return open(nil, cfg)
	}
	view.Filling(true)
	return openWith(view.Apply, func() { view.Filling(false) }, cfg)
}

func open(apply func(store.Event) store.Outcome, cfg Config) (*Log, error) {
	return openWith(apply, func() {}, cfg)
}

// openWith calls filled once, when all that the log had has been applied.
func openWith(apply func(store.Event) store.Outcome, filled func(), cfg Config) (*Log, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if apply == nil && !cfg.Witness {
		return nil, fmt.Errorf("log of node %q: only a witness does without a view", cfg.Node)
	}
	var run [8]byte
	rand.Read(run[:])
	l := &Log{cfg: cfg, run: binary.BigEndian.Uint64(run[:]), apply: apply, filled: sync.OnceFunc(filled), opened: time.Now(), gossip: newGossip()}
	l.quit, l.stop = context.WithCancel(context.Background())
	l.engine = newEngine(&l.cfg)
	if err := l.engine.start(); errors.Is(err, errStore) && cfg.clustered() {
		cfg.Log.Error("the engine of the log does not start; waiting for the other nodes, to take theirs", "error", err)
	} else if err != nil {
		l.stop()
		l.engine.close()
		return nil, fmt.Errorf("log of node %q: %w", cfg.Node, err)
	}
	if err := l.start(); err != nil {
		_ = l.Close(context.Background())
		return nil, fmt.Errorf("log of node %q: %w", cfg.Node, err)
	}
	return l, nil
}

// start starts all that is done for the log.
func (l *Log) start() (err error) {
	if l.nc, err = l.engine.connect("log"); err != nil {
		return err
	}
	if l.js, err = jetstream.New(l.nc); err != nil {
		return err
	}
	l.own = l.newSource(l.cfg.Site, l.nc)
	if !l.cfg.Witness {
		if err := l.startServing(); err != nil {
			return err
		}
	}
	if l.cfg.clustered() {
		l.task(l.balance)
	}
	if len(l.cfg.External) == 0 {
		l.task(l.keepSound)
	} else if l.cfg.Replicas > 1 {
		l.task(l.spread)
	}
	for i := range streams { // each for itself: one that has no leader yet holds up none
		l.task(func(ctx context.Context) { l.makeStream(ctx, i) })
	}
	return l.startGossip()
}

// startServing starts what a witness does without.
func (l *Log) startServing() (err error) {
	for i := range l.cfg.Sites {
		l.others = append(l.others, l.newSource(l.cfg.Sites[i].Name, nil))
	}
	for i := range l.lanes {
		if l.lanes[i], err = l.newLane(i); err != nil {
			return err
		}
		l.task(l.lanes[i].run)
	}
	if err := l.own.follow(); err != nil {
		return err
	}
	for i, s := range l.others {
		if err := s.connect(&l.cfg.Sites[i]); err != nil {
			return err
		}
	}
	return nil
}

// task runs something until the log is closed.
func (l *Log) task(run func(ctx context.Context)) {
	l.tasks.Go(func() { run(l.quit) })
}

// Node names this node among those of all sites: its site, a slash, and its name there. Events, [Log.Listen] and [Peer] name
// nodes in the same way.
func (l *Log) Node() string { return l.cfg.id() }

// Close hands over to the other nodes what this one leads, ends all that is done for the log, and stops the engine. What is
// waiting in Append fails with Draining. It may be called more than once. The error is that of ctx, when it ended before
// others had taken over.
func (l *Log) Close(ctx context.Context) (err error) {
	l.closed.Do(func() {
		err = l.handOver(ctx)
		l.stop()
		l.tasks.Wait()
		for _, s := range l.others {
			if s.nc != nil {
				s.nc.Close()
			}
		}
		if l.nc != nil {
			l.nc.Close()
		}
		l.engine.close()
	})
	return err
}

// counters count since the log was opened.
type counters struct {
	appended, failed, moved, dropped atomic.Uint64
	batches                          atomic.Uint64
	applied, unreadable              atomic.Uint64
	filled, repeated, lost, resets   atomic.Uint64
	wipes, restarts, handed          atomic.Uint64
}

// Stats are figures of the log, since it was opened unless said otherwise.
type Stats struct {
	Appended uint64 // events that were acknowledged
	Failed   uint64 // events that were not
	Moved    uint64 // events that another stream than their own took
	Dropped  uint64 // uses of tokens that the other nodes were not told of, because too many waited
	Batches  uint64 // messages that the events went in

	Applied    uint64 // events of all nodes that were applied here
	Unreadable uint64 // batches and events that could not be read
	Gaps       uint64 // messages that did not come by themselves, and were read from a stream
	Repeated   uint64 // messages that came once more
	Lost       uint64 // messages that a stream had no more when they were to be read
	Resets     uint64 // streams that began anew, and were read from the start

	Lag      time.Duration            // for how long the view has not been level with the log of its own site
	SiteLag  map[string]time.Duration // the same for each other site
	Leaders  int                      // streams that this node leads now; 0 with an external NATS
	Bytes    int64                    // what the log takes here now; 0 with an external NATS
	Handed   uint64                   // leads that were given to other nodes
	Up       bool                     // the copy of the log here works; true with an external NATS
	Restarts uint64                   // times that the engine was started again because it had given up
	Wipes    uint64                   // times that this node gave up its own copy of the log and took that of the others
}

// Stats gives the figures of now.
func (l *Log) Stats() Stats {
	c := &l.count
	s := Stats{
		Appended: c.appended.Load(), Failed: c.failed.Load(), Moved: c.moved.Load(), Dropped: c.dropped.Load(), Batches: c.batches.Load(),
		Applied: c.applied.Load(), Unreadable: c.unreadable.Load(),
		Gaps: c.filled.Load(), Repeated: c.repeated.Load(), Lost: c.lost.Load(), Resets: c.resets.Load(),
		Lag: l.own.lag(), SiteLag: map[string]time.Duration{},
		Leaders: len(l.engine.leads()), Bytes: l.engine.bytes(), Handed: c.handed.Load(), Wipes: c.wipes.Load(),
		Up: l.engine.sound(), Restarts: c.restarts.Load(),
	}
	if l.cfg.Witness {
		s.Lag = 0
	}
	for _, other := range l.others {
		s.SiteLag[other.site] = other.lag()
	}
	return s
}

// complain writes down, once in a while, what is wrong and goes on.
func (l *Log) complain(what string, args ...any) {
	if l.once.allow(what) {
		l.cfg.Log.Log(context.Background(), slog.LevelWarn, what, args...)
	}
}
