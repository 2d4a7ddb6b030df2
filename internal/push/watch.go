package push

import (
	"context"
	"slices"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Watch is one who waits for one call. It takes a few hundred bytes, and holds no record.
type Watch struct {
	hub     *Hub
	account string
	key     oob.Key
	woken   chan struct{} // holds one
}

// slot is where the watches of a record are found.
type slot struct {
	profile oob.Profile
	dest    tn.Identity
}

// Watch begins to watch for records under k, whose SPC and Orig may be empty for any. To miss none, watch first, then
// look at the shelf, then wait:
//
//	w, err := hub.Watch(account, key)
//	defer w.Close()
//	for look() finds nothing && w.Wait(ctx) {
//	}
//
// Faults: Malformed without a called party; QuotaExceeded and Overloaded with RetryAfter; Draining.
func (h *Hub) Watch(account string, k oob.Key) (*Watch, error) {
	if k.Dest.IsZero() || !k.Profile.Row().Pushed {
		return nil, oob.Faultf(oob.Malformed, "there is nothing to wait for")
	}
	w := &Watch{hub: h, account: account, key: k, woken: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return nil, oob.Faultf(oob.Draining, "")
	}
	if err := h.watchers.take(account, 1); err != nil {
		h.refused.Add(1)
		return nil, err
	}
	h.wakeUp()
	at := slot{k.Profile, k.Dest}
	h.watches[at] = append(h.watches[at], w)
	return w, nil
}

// Wait tells whether a record that is watched for has been laid since the Watch was made or Wait last said so: it may lie
// on the shelf. It is false when ctx is done first, or the hub has ended.
func (w *Watch) Wait(ctx context.Context) (woken bool) {
	select {
	case <-w.woken:
		return true
	case <-ctx.Done():
	case <-w.hub.done:
	}
	return false
}

// Close ends the watch. It may be called more than once.
func (w *Watch) Close() {
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	at := slot{w.key.Profile, w.key.Dest}
	i := slices.Index(h.watches[at], w)
	if i < 0 {
		return
	}
	h.watchers.give(w.account, 1)
	if h.watches[at] = slices.Delete(h.watches[at], i, i+1); len(h.watches[at]) == 0 {
		delete(h.watches, at)
	}
}

// wake wakes those who watch for a record. The caller holds the lock for reading.
func (h *Hub) wake(key *oob.Key) {
	for _, w := range h.watches[slot{key.Profile, key.Dest}] {
		if (w.key.Orig.IsZero() || w.key.Orig == key.Orig) && (w.key.SPC == "" || w.key.SPC == key.SPC) {
			select {
			case w.woken <- struct{}{}:
			default:
			}
		}
	}
}
