package natslog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/viaduct-oob/viaduct/internal/store"
)

// streams is how many streams a log has, so that one without a leader leaves five. It must be the same on all nodes.
const streams = 6

// What the streams of a site are called, and the subjects of NATS that matter to them. Names hold no dot, see nameForm.
func streamOf(site string, i int) string    { return "LOG_" + site + "_" + strconv.Itoa(i) }
func subjectOf(site string, i int) string   { return "log." + site + "." + strconv.Itoa(i) }
func viewSubject(site string, i int) string { return "v." + subjectOf(site, i) }
func directGet(stream string) string        { return "$JS.API.DIRECT.GET." + stream }

// inboxOf begins the subjects that answers to a node come to.
func inboxOf(site, node string) string { return "i." + site + "." + node + "." }

// inbox begins the subjects that answers to this run of this node come to, in one of its parts.
func (l *Log) inbox(part string, i int) string {
	return inboxOf(l.cfg.Site, l.cfg.Node) + strconv.FormatUint(l.run, 36) + "." + part + strconv.Itoa(i) + "."
}

// home is the stream of an event. Consumptions of one PASSporT have one for ever, which orders them. All other events of a second
// have one, on all nodes whose clocks agree: so batches are large, two uses of a token that come at once are in order, and all streams
// have their part of the work in turn.
func home(ev *store.Event, now time.Time) int {
	if ev.Act == store.Consumed {
		return int(binary.BigEndian.Uint64(ev.Publication.Use.ID[:8]) % streams)
	}
	return int(uint64(now.Unix()) % streams)
}

// streamConfig is what a stream is to be.
func (l *Log) streamConfig(i int) jetstream.StreamConfig {
	storage := jetstream.FileStorage
	if l.cfg.Memory {
		storage = jetstream.MemoryStorage
	}
	return jetstream.StreamConfig{
		Name:        streamOf(l.cfg.Site, i),
		Subjects:    []string{subjectOf(l.cfg.Site, i)},
		Storage:     storage,
		Replicas:    l.cfg.Replicas,
		MaxAge:      l.cfg.KeepMax + keepMargin,
		MaxBytes:    l.cfg.BytesMax / streams,
		Discard:     jetstream.DiscardOld,
		AllowDirect: true,
		RePublish:   &jetstream.RePublish{Source: ">", Destination: "v.>"},
	}
}

const (
	createPatience = 2 * time.Second        // for one stream
	createAgain    = 250 * time.Millisecond // after one could not be made
	leaderPatience = 250 * time.Millisecond // for who leads a stream, at first; then twice as long each time
	leaderMost     = time.Second            // until that is so long: there may be no leader yet
)

// makeStream makes a stream unless it is there, and tries until it has or the log is closed. Whoever leads it then says what is in it,
// which is all that was ever acknowledged and is kept: before that is in the view, the node is not ready.
func (l *Log) makeStream(ctx context.Context, i int) {
	patience, told := leaderPatience, false
	for {
		has, err := l.tryStream(ctx, i, patience)
		if err == nil {
			f := l.own.followers[i]
			f.learn(has)
			f.exists.Store(true)
			f.hurry()
			return
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			l.unmade.Store(&err)
			if !told {
				told = true
				l.cfg.Log.Warn("a stream of the log cannot be made yet", "stream", streamOf(l.cfg.Site, i), "error", err)
			}
		}
		if !l.pause(ctx, createAgain) {
			return
		}
		patience = min(2*patience, leaderMost)
	}
}

// tryStream tells what is in a stream, as whoever leads it sees it, and makes or changes the stream before if it must. It waits so long for
// the leader.
func (l *Log) tryStream(ctx context.Context, i int, patience time.Duration) (has jetstream.StreamState, err error) {
	want := l.streamConfig(i)
	info, err := l.streamInfo(ctx, i, patience)
	ctx, cancel := context.WithTimeout(ctx, createPatience)
	defer cancel()
	if errors.Is(err, jetstream.ErrStreamNotFound) && !l.cfg.Witness { // which does not know how long the others keep what
		made, err := l.js.CreateStream(ctx, want)
		if err != nil {
			return has, err
		}
		return made.CachedInfo().State, nil // another node may have made it, and appended
	}
	if err != nil {
		return has, err
	}
	was := info.Config
	want.MaxAge = max(want.MaxAge, was.MaxAge) // or a node whose configuration is changed first takes from the others what they still need
	same := was.Replicas == want.Replicas && was.MaxAge == want.MaxAge && was.MaxBytes == want.MaxBytes && was.Storage == want.Storage
	switch {
	case same || l.cfg.Witness:
	case was.Storage != want.Storage:
		return has, fmt.Errorf("its storage cannot be changed: remove the directory of every node of the site")
	default:
		_, err = l.js.UpdateStream(ctx, want)
	}
	if err != nil {
		return has, err
	}
	return info.State, nil
}

// streamInfo asks whoever leads a stream of the own site what it is and what is in it.
func (l *Log) streamInfo(ctx context.Context, i int, patience time.Duration) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stream, err := l.js.Stream(ctx, streamOf(l.cfg.Site, i))
	if err != nil {
		return nil, err
	}
	return stream.CachedInfo(), nil
}

// pause waits, and tells whether it is worth going on.
func (l *Log) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
