package natslog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	fillMost    = 256                    // messages of one answer
	fillBytes   = 8 << 20                // bytes of one answer, from which no message is added
	answerMost  = 250 * time.Millisecond // for the next message of an answer
	behindTries = 10                     // questions, when the one who answers has less than is known
	behindPause = 5 * time.Millisecond   // between them
	inquireIdle = time.Second            // how often a leader is asked what is there
)

// catchUp reads what is there and has not been applied.
func (f *follower) catchUp(ctx context.Context) {
	if !f.sure && !f.begin(ctx) {
		return
	}
	for range behindTries {
		f.skip()
		if err := f.fill(ctx); err != nil {
			return // the next look is soon
		}
		f.heard, f.patience = time.Now(), min(max(2*f.patience, silence), silenceMost)
		if f.next > f.known.Load() {
			f.levelled()
			f.probe(ctx)
			return
		}
		// A replica answered that is behind, or what is known is there no more.
		if !f.source.log.pause(ctx, behindPause) {
			return
		}
	}
	f.probe(ctx)
	f.inquire()
}

// begin tells whether the view can become level: it is known what there is, and the own replica has it. Until then, which may take an
// election, the view is filled with what a replica has, which a majority has stored; but a replica that has yet to be mended may lack
// something, or have what a majority has lost. When it can be trusted it is asked once more for the ends of that, and if they are not the
// same, all is read again.
func (f *follower) begin(ctx context.Context) bool {
	trusted := f.exists.Load() && (!f.own || f.source.log.engine.current(streamOf(f.source.site, f.stream)))
	if !trusted {
		if f.own && f.fill(ctx) == nil {
			f.heard, f.patience = time.Now(), silence
		}
		f.doubted, f.doubtedAt = f.next-1, f.last
		return false
	}
	if f.doubted > 0 {
		same, err := f.confirm(ctx)
		if err != nil {
			return false // the next look is soon
		}
		if !same {
			f.source.log.count.resets.Add(1)
			f.next, f.last = 1, time.Time{}
		}
	}
	f.sure = true
	return true
}

// confirm tells whether what was read before the replica could be trusted is what lies there: nothing before it that matters still, and
// the last of it.
func (f *follower) confirm(ctx context.Context) (same bool, err error) {
	same = f.known.Load() >= f.doubted
	matters := f.source.log.cfg.Now().Add(-f.source.log.cfg.KeepMax)
	_, _, err = f.ask(ctx, 1, 1, func(seq uint64, at time.Time, _ []byte) { same = same && (seq >= f.begun || at.Before(matters)) })
	if err != nil {
		return false, err
	}
	_, _, err = f.ask(ctx, f.doubted, 1, func(seq uint64, at time.Time, _ []byte) { // one behind it: it has become too old, and is gone
		same = same && (seq > f.doubted || at.Equal(f.doubtedAt))
	})
	return same, err
}

// learn notes what is in the stream, as whoever leads it has said.
func (f *follower) learn(has jetstream.StreamState) {
	f.first.Store(has.FirstSeq)
	f.raise(has.LastSeq)
}

// skip leaves out what the stream has no more.
func (f *follower) skip() {
	first := f.first.Load()
	if first <= f.next {
		return
	}
	if f.next > 1 {
		f.source.log.count.lost.Add(first - f.next)
	}
	f.next = first
	f.position.Store(first - 1)
}

// inquire has, once in a while, whoever leads a stream that has nothing to give asked what is in it. All that is known may have become too
// old, or may have been in a stream that has begun anew. The follower does not wait for it.
func (f *follower) inquire() {
	if !f.own || time.Since(f.inquired) < inquireIdle {
		return
	}
	f.inquired = time.Now()
	known := f.known.Load()
	f.source.log.task(func(ctx context.Context) {
		info, err := f.source.log.streamInfo(ctx, f.stream, leaderMost)
		if err != nil {
			return // the next time
		}
		if info.State.LastSeq < known {
			f.known.CompareAndSwap(known, info.State.LastSeq)
		}
		f.learn(info.State)
		f.hurry()
	})
}

// fill reads from the next message to the last that whoever answers has. Before it is known what there is, it ends before a gap: a stream has none.
func (f *follower) fill(ctx context.Context) error {
	for {
		before := f.next
		got, left, err := f.ask(ctx, f.next, fillMost, func(seq uint64, at time.Time, data []byte) {
			if seq < f.next || !f.sure && f.next > 1 && seq > f.next {
				return
			}
			if f.next == 1 {
				f.begun = seq
			}
			f.source.log.count.filled.Add(1)
			f.take(seq, at, data)
		})
		if err != nil || got == 0 || left == 0 || f.next == before {
			return err
		}
	}
}

// probe looks, once in a while, whether a silent stream is still the one that was followed.
func (f *follower) probe(ctx context.Context) {
	if f.next == 1 || time.Since(f.probed) < probeIdle {
		return
	}
	f.probed = time.Now()
	anew := false
	_, _, err := f.ask(ctx, 1, 1, func(seq uint64, at time.Time, _ []byte) { anew = f.begunAnew(seq, at) })
	if err == nil && anew {
		f.hurry()
	}
}

var (
	errNoAnswer = errors.New("no answer")
	errRefused  = errors.New("refused")
)

// ask asks for messages from seq on, at most so many. It tells how many came, and how many more are there; none is no error. Each message
// names the one before it in the answer, so that one which was dropped on its way is not taken for one that the stream has lost.
func (f *follower) ask(ctx context.Context, seq uint64, most int, take func(seq uint64, at time.Time, data []byte)) (got int, left uint64, err error) {
	f.asked++
	reply := f.inbox + strconv.FormatUint(f.asked, 36)
	for len(f.answers) > 0 {
		<-f.answers // too late, and in the way of what comes
	}
	question := fmt.Appendf(nil, `{"seq":%d,"batch":%d,"max_bytes":%d}`, seq, most, fillBytes)
	if err := f.source.nc.PublishRequest(directGet(streamOf(f.source.site, f.stream)), reply, question); err != nil {
		return 0, 0, err
	}
	timer := time.NewTimer(answerMost)
	defer timer.Stop()
	last := uint64(0)
	for {
		select {
		case m := <-f.answers:
			if m.Subject != reply {
				continue // too late
			}
			timer.Reset(answerMost)
			switch m.Header.Get("Status") {
			case "":
				at, when, ok := stamp(m)
				if !ok {
					return got, 0, errRefused
				}
				if before, err := strconv.ParseUint(m.Header.Get("Nats-Last-Sequence"), 10, 64); err == nil && before != last {
					return got, 0, errNoAnswer
				}
				last = at
				got++
				take(at, when, m.Data)
			case "204": // the end of the answer
				left, _ := strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
				return got, left, nil
			case "404":
				return got, 0, nil
			case "503":
				return got, 0, errNoAnswer
			default:
				return got, 0, errRefused
			}
		case <-timer.C:
			return got, 0, errNoAnswer
		case <-ctx.Done():
			return got, 0, ctx.Err()
		}
	}
}
