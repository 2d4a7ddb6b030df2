package natslog

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

const (
	lagMost    = 2500 * time.Millisecond // half a second, for two
	sitesAfter = 5 * time.Second         // how long a node that starts waits for other sites that it has reached
)

// Ready is nil when Append works and the view is level with the log; of a witness, when its copy of the log is. The fault is Draining after Close, else Overloaded; its
// cause, which is not for the peer, says what is wrong.
func (l *Log) Ready() error {
	if l.quit.Err() != nil {
		return oob.Faultf(oob.Draining, "")
	}
	if err := l.wrong(); err != nil {
		return oob.Faultf(oob.Overloaded, "the log is not ready").Because(err).After(comeAgain)
	}
	return nil
}

// wrong says why the node is not ready.
func (l *Log) wrong() error {
	if l.standsBack() {
		return fmt.Errorf("another process is node %s, too, and was there before", l.cfg.Node)
	}
	if err := l.alone(); err != nil {
		return err
	}
	if l.cfg.Witness {
		if !l.whole() {
			return errors.New("the copy of the log on this node is not whole")
		}
		return nil
	}
	if !l.own.replayed() {
		if !l.own.exists() {
			return l.notMade()
		}
		return errors.New("the log is being read")
	}
	l.filled()
	if lag := l.own.lag(); lag > lagMost {
		return fmt.Errorf("the view is %v behind the log%s", lag.Round(100*time.Millisecond), l.away())
	}
	if time.Since(l.opened) < sitesAfter {
		for _, s := range l.others {
			if s.nc.IsConnected() && !s.replayed() {
				return fmt.Errorf("the log of site %s is being read", s.site)
			}
		}
	}
	return nil
}

// notMade says why there are no streams yet.
func (l *Log) notMade() error {
	if there := len(l.near()) + 1; l.cfg.clustered() && there < len(l.cfg.Nodes) {
		return fmt.Errorf("the log has not been made: that takes all nodes of the site, once; %d of %d are there%s", there, len(l.cfg.Nodes), l.engine.complaints.recent())
	}
	if err := l.unmade.Load(); err != nil && l.away() == "" {
		return fmt.Errorf("the log has not been made: %w", *err)
	}
	return fmt.Errorf("the log has not been made%s", l.away())
}

// away says, behind a semicolon, why there is no connection to an external NATS; nothing when there is one.
func (l *Log) away() string {
	if len(l.cfg.External) == 0 || l.nc.IsConnected() {
		return ""
	}
	err := l.engine.failures.of(l.nc)
	if err == nil {
		return "; NATS cannot be reached"
	}
	return "; NATS cannot be reached: " + err.Error()
}

// alone says that there is no majority, or that its clocks are others.
func (l *Log) alone() error {
	need := len(l.cfg.Nodes)/2 + 1
	if !l.cfg.clustered() {
		return nil
	}
	near, agreeing := l.near(), 1
	for _, p := range near {
		if p.Skew.Abs() <= skewMost {
			agreeing++
		}
	}
	switch {
	case len(near)+1 < need:
		return fmt.Errorf("%d of %d nodes of the site are there%s", len(near)+1, len(l.cfg.Nodes), l.engine.complaints.recent())
	case agreeing < need:
		return fmt.Errorf("the clock of this node is more than %v away from that of a majority", skewMost)
	}
	return nil
}

// lonely is since when there has been no majority, as far as this node knows.
type lonely struct{ at atomic.Int64 } // ns since 1970; 0: there is one

func (s *lonely) since(now time.Time) { s.at.CompareAndSwap(0, now.UnixNano()) }

// long tells whether that is so long that there is no use in trying: who is refused at once asks another node the sooner.
func (s *lonely) long() bool {
	at := s.at.Load()
	return at != 0 && time.Since(time.Unix(0, at)) >= gone
}

// whole tells whether this node has all of the log, so that it can lead.
func (l *Log) whole() bool {
	for i := range streams {
		if !l.engine.current(streamOf(l.cfg.Site, i)) {
			return false
		}
	}
	return true
}
