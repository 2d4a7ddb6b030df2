package natslog

import (
	"context"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
)

// OpenApplying opens a log that feeds a function in place of a view, so that one log can feed one view after another.
func OpenApplying(apply func(store.Event) store.Outcome, cfg Config) (*Log, error) {
	return open(apply, cfg)
}

// SettlingAtOnce is the configuration of a node that does not wait for an election that may be going on.
func SettlingAtOnce(cfg Config) Config {
	cfg.settle = time.Millisecond
	return cfg
}

// Unhurried is the configuration of a node whose Append waits for long: a machine that has much to do makes no difference.
func Unhurried(cfg Config) Config {
	cfg.most = 10 * time.Second
	return cfg
}

// HoldingFew is the configuration of a node in which hardly any messages of a stream may wait.
func HoldingFew(cfg Config) Config {
	cfg.live = 4
	return cfg
}

// Full tells whether as many messages of a stream of another site wait as may.
func (l *Log) Full() bool {
	for _, s := range l.others {
		for _, f := range s.followers {
			if len(f.live) == cap(f.live) {
				return true
			}
		}
	}
	return false
}

// Break does what the engine does when it cannot write into its directory.
func (l *Log) Break() error { return l.engine.running.Load().ShutdownJetStream() }

// Entry is one event of a batch with its number.
type Entry struct {
	Number uint64
	Event  store.Event
}

// Batch is what one run of a node appended at a time.
type Batch struct {
	Run     uint64
	Node    string
	Entries []Entry
}

// WriteMessage writes a message of batches.
func WriteMessage(batches ...Batch) ([]byte, error) {
	a := &lane{buffer: make([]byte, headRoom)}
	for _, one := range batches {
		b := appendHeader(nil, header{run: one.Run, node: one.Node})
		b[len(b)-1] = byte(len(one.Entries))
		var err error
		for i := range one.Entries {
			if b, err = appendEntry(b, one.Entries[i].Number, &one.Entries[i].Event); err != nil {
				return nil, err
			}
		}
		a.add(b)
	}
	return sealed(a.buffer, a.first), nil
}

// ReadMessage reads a message, whole or not at all.
func ReadMessage(data []byte) (batches []Batch, err error) {
	m, err := readMessage(data)
	if err != nil {
		if m.rest.b != nil || m.alone {
			panic("an error, and something beside it") // what is under test broke its word
		}
		return nil, err
	}
	for more := true; more; more = m.more() {
		b, err := m.next()
		if err != nil {
			if b.run != 0 || b.node != "" || b.count != 0 || b.rest.b != nil {
				panic("an error, and something beside it") // what is under test broke its word
			}
			return nil, err
		}
		one := Batch{Run: b.run, Node: b.node}
		for b.count > 0 {
			number, ev, err := b.next()
			if err != nil {
				if number != 0 || ev.Act != 0 || ev.Node != "" || ev.Publication.Passports != nil {
					panic("an error, and something beside it") // what is under test broke its word
				}
				return nil, err
			}
			one.Entries = append(one.Entries, Entry{number, ev})
		}
		batches = append(batches, one)
	}
	return batches, nil
}

// Kept is the shortest time for which one of the streams keeps events.
func (l *Log) Kept(t testing.TB) (least time.Duration) {
	t.Helper()
	for i := range streams {
		stream, err := l.js.Stream(t.Context(), streamOf(l.cfg.Site, i))
		if err != nil {
			t.Fatal(err)
		}
		if kept := stream.CachedInfo().Config.MaxAge; least == 0 || kept < least {
			least = kept
		}
	}
	return least
}

// Purge takes away all that the streams hold, as time does. It fails while a stream has no leader.
func (l *Log) Purge(ctx context.Context) error {
	for i := range streams {
		stream, err := l.js.Stream(ctx, streamOf(l.cfg.Site, i))
		if err != nil {
			return err
		}
		if err := stream.Purge(ctx); err != nil {
			return err
		}
	}
	return nil
}
