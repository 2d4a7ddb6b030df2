package dip

import (
	"context"
	"sync"

	"github.com/viaduct-oob/viaduct/oob"
)

type witnessKey struct{}

// witnessed is how one retrieval ended that the verification service has made.
type witnessed struct {
	gone func(oob.Key) (texts []string, mine bool) // what is no longer at CPSs, but would be had they not been told of its call

	mu    sync.Mutex
	asked bool     // guarded by mu
	count int      // that CPSs have given; guarded by mu
	err   error    // guarded by mu
	texts []string // that were given to the verification service; guarded by mu
}

func (w *witnessed) outcome() (asked bool, count int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked, w.count, w.err
}

func (w *witnessed) retrieved() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.texts
}

type watched struct{ oob.Retriever }

// Watched gives the retriever that a verification service has to be made with, so that a dip learns what came of asking:
// a verdict says only what it rests on. What was consumed by a dip is still found by those after it.
func Watched(r oob.Retriever) oob.Retriever { return watched{r} }

// Retrieve asks, and tells the dip.
func (r watched) Retrieve(ctx context.Context, key oob.Key) ([]string, error) {
	w, _ := ctx.Value(witnessKey{}).(*witnessed)
	if w == nil {
		return r.Retriever.Retrieve(ctx, key)
	}
	if texts, mine := w.gone(key); mine {
		w.mu.Lock()
		w.texts = texts
		w.mu.Unlock()
		return texts, nil
	}
	w.mu.Lock()
	w.asked, w.err = true, oob.Faultf(oob.PeerTimeout, "no answer yet")
	w.mu.Unlock()
	tokens, err := r.Retriever.Retrieve(ctx, key)
	count, told := len(tokens), err
	if err == nil || oob.FaultOf(err).Kind == oob.NotFound {
		// Looked up only now, because CPSs may have been told while they were asked.
		texts, _ := w.gone(key)
		if tokens = union(tokens, texts); len(tokens) > 0 {
			err = nil
		}
	}
	w.mu.Lock()
	w.count, w.err, w.texts = count, told, tokens
	w.mu.Unlock()
	return tokens, err
}
