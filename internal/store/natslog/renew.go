package natslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	renewLook  = time.Second      // how often it is looked whether the own copy is sound
	startAgain = 5 * time.Second  // between two starts of an engine that is not
	renewRest  = 10 * time.Minute // between two times that the copy is given up

	// settleMost is longer than an election takes. When a node cannot start its engine, it cannot ask what the others have;
	// after that time without it, they have all that was acknowledged.
	settleMost = 15 * time.Second

	dialMost = time.Second
)

// errStore is an engine that does not start because of what lies in its directory, or cannot go on with it.
var errStore = errors.New("the copy of the log on this node cannot be used")

// keepSound looks after the own copy of the log. An engine that has given up, because its disk was full for instance, is
// started again with what it has, and the others bring what it missed. Only when it does not start with that, and a majority
// of the others is there, its copy is given up, and it takes that of the others.
func (l *Log) keepSound(ctx context.Context) {
	var tried, wiped, there time.Time // there: since when the others have been seen without a break
	for l.pause(ctx, renewLook) {
		if l.engine.sound() {
			there = time.Time{}
			continue
		}
		if !l.othersListen() {
			there = time.Time{}
		} else if there.IsZero() {
			there = time.Now()
		}
		if time.Since(tried) < startAgain {
			continue
		}
		l.engine.stop()
		err := l.engine.startServer()
		l.count.restarts.Add(1)
		if errors.Is(err, errStore) && !there.IsZero() && time.Since(there) >= l.cfg.settle && (wiped.IsZero() || time.Since(wiped) >= renewRest) {
			l.cfg.Log.Error("the copy of the log on this node is given up for that of the others", "error", err)
			wiped = time.Now()
			l.count.wipes.Add(1)
			err = l.engine.renew()
		}
		if err != nil {
			l.cfg.Log.Error("the engine of the log does not start", "error", err)
		}
		tried = time.Now()
	}
}

// othersListen tells whether a majority of the site is there without this node, as far as one can tell from outside; false
// for a node that is alone.
func (l *Log) othersListen() bool {
	if !l.cfg.clustered() {
		return false
	}
	count := 0
	for _, n := range l.cfg.Nodes {
		if n.Name == l.cfg.Node {
			continue
		}
		if c, err := net.DialTimeout("tcp", n.Address, dialMost); err == nil {
			_ = c.Close()
			count++
		}
	}
	return count >= len(l.cfg.Nodes)/2+1
}

// sound tells whether the engine runs, and can use its directory.
func (e *engine) sound() bool {
	s := e.running.Load()
	return len(e.cfg.External) > 0 || s != nil && s.JetStreamEnabled()
}

// renew starts the engine anew with an empty directory.
func (e *engine) renew() error {
	e.stop()
	// All that the engine writes is in a folder of its own. It is the copy of what other nodes have.
	if err := os.RemoveAll(filepath.Join(e.cfg.Dir, "jetstream")); err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	return e.startServer()
}
