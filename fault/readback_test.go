package fault

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// readBack is what became of a ledger on the nodes that survived.
type readBack struct {
	read   int // found, on each node
	lost   int // not found, though its minute had not ended
	unread int // not asked for before its minute ended: the test says nothing of it
	twice  int // there more than once
}

// readers are how many requests are under way at one node.
const readers = 8

// readTime bounds the wait for records that a node does not have yet; margin lies before its end, at which it is gone by right.
var readTime = unhurried(15 * time.Second)

const margin = 500 * time.Millisecond

func (r *readBack) add(one readBack) {
	r.read += one.read
	r.lost += one.lost
	r.unread += one.unread
	r.twice += one.twice
}

// keyed are entries by their key.
func keyed(entries []entry) map[oob.Key][]entry {
	byKey := map[oob.Key][]entry{}
	for _, e := range entries {
		byKey[e.key] = append(byKey[e.key], e)
	}
	return byKey
}

// settle asks each of the nodes for everything that was acknowledged since it was last asked.
func (b *bed) settle(t *testing.T, l *ledger, nodes ...*node) {
	t.Helper()
	back := b.readBack(t, l.unsettled(), nodes...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.back.add(back)
}

// readBack asks each of the nodes for entries.
func (b *bed) readBack(t *testing.T, entries []entry, nodes ...*node) (back readBack) {
	t.Helper()
	byKey, until := keyed(entries), time.Now().Add(readTime)
	type ask struct {
		at  *node
		key oob.Key
	}
	// The oldest first, and of each on all nodes.
	keys := make([]oob.Key, 0, len(byKey))
	for key := range byKey {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b oob.Key) int { return byKey[a][0].acked.Compare(byKey[b][0].acked) })
	var mu sync.Mutex // guards back
	var working sync.WaitGroup
	for _, n := range nodes {
		asks := make(chan ask, len(keys))
		for _, key := range keys {
			asks <- ask{n, key}
		}
		close(asks)
		shown := b.reader.TLS()
		client := n.client(t, &shown)
		for range readers {
			working.Go(func() {
				for a := range asks {
					one := b.readKey(t, client, a.at, a.key, byKey[a.key], until)
					mu.Lock()
					back.add(one)
					mu.Unlock()
				}
			})
		}
	}
	working.Wait()
	return back
}

// readKey reads what was acknowledged under one key at one node, and asks again while something is missing.
func (b *bed) readKey(t *testing.T, client *http.Client, at *node, key oob.Key, entries []entry, until time.Time) (back readBack) {
	t.Helper()
	missing, answered := entries, false
	for {
		now := time.Now()
		living := slices.DeleteFunc(slices.Clone(missing), func(e entry) bool { return !now.Before(e.ends.Add(-margin)) })
		if ended := len(missing) - len(living); answered {
			back.lost += ended
		} else {
			back.unread += ended
		}
		held, err := map[string]int(nil), error(nil)
		if len(living) > 0 {
			held, err = b.read(client, at, key)
		}
		answered = answered || err == nil || errors.Is(err, errNothing)
		before := len(living)
		missing = slices.DeleteFunc(living, func(e entry) bool { return held[e.id] > 0 })
		back.read += before - len(missing)
		if len(missing) == 0 {
			for _, copies := range held {
				back.twice += copies - 1
			}
			return back
		}
		if now.After(until) {
			if answered {
				back.lost += len(missing)
			} else {
				back.unread += len(missing)
			}
			e := missing[0]
			b.lost.Do(func() {
				t.Errorf("%s does not give %d of %d records of a key (%s), the first acknowledged by %s at %s, with %s to live: %v",
					at.name, len(missing), len(entries), key.Profile, e.at.name, e.acked.Format(time.StampMicro), time.Until(e.ends).Round(time.Millisecond), err)
			})
			return back
		}
		pass(20 * time.Millisecond)
	}
}

// errNothing is an answer that nothing is held under a key.
var errNothing = errors.New("nothing is held")

// read gives the names of the PASSporTs that a node holds under a key, and how often.
func (b *bed) read(client *http.Client, at *node, key oob.Key) (map[string]int, error) {
	request, err := b.retrieval(key, at)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), unhurried(time.Second))
	defer cancel()
	status, body, err := do(ctx, client, request)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusNotFound:
		return nil, errNothing
	case status != http.StatusOK:
		return nil, errors.New(http.StatusText(status) + ": " + string(body))
	}
	list, err := atis.ReadRetrieved(body)
	if err != nil {
		return nil, err
	}
	held := make(map[string]int, len(list))
	for _, compact := range list {
		held[oob.PassportID(compact)]++
	}
	if len(held) == 0 {
		return nil, errNothing
	}
	return held, nil
}

// unaddressed is an error without the addresses in it.
func unaddressed(err error) error {
	if broken := (*url.Error)(nil); errors.As(err, &broken) {
		err = broken.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	if broken := (*net.OpError)(nil); errors.As(err, &broken) {
		err = broken.Err
	}
	if broken := (*os.SyscallError)(nil); errors.As(err, &broken) {
		err = broken
	}
	return err
}

// absent fails unless a node has nothing of what was acknowledged elsewhere: that it was cut off, and not that a command
// said so.
func (b *bed) absent(t *testing.T, at *node, entries []entry) {
	t.Helper()
	const looked = 20 // keys
	shown := b.reader.TLS()
	client, asked := at.client(t, &shown), 0
	for key, those := range keyed(entries) {
		if asked == looked {
			break
		}
		var held map[string]int
		var err error
		if !within(readTime, func() bool {
			held, err = b.read(client, at, key)
			return err == nil || errors.Is(err, errNothing)
		}) {
			t.Errorf("%s does not answer a reader: %v", at.name, err)
			return
		}
		asked++
		for _, e := range those {
			if held[e.id] > 0 {
				t.Errorf("%s was not cut off: it holds what %s acknowledged meanwhile", at.name, e.at.name)
				return
			}
		}
	}
	if asked == 0 {
		t.Errorf("nothing was acknowledged while %s was cut off", at.name)
	}
}
