package dip

import (
	"context"
	"sync"

	"github.com/viaduct-oob/viaduct/oob"
)

type witnessKey struct{}

// witnessed is how one retrieval ended that the verification service has made.
type witnessed struct {
	mu    sync.Mutex
	asked bool  // guarded by mu
	count int   // guarded by mu
	err   error // guarded by mu
}

func (w *witnessed) outcome() (asked bool, count int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked, w.count, w.err
}

type watched struct{ oob.Retriever }

// Watched gives the retriever that a verification service has to be made with, so that a dip learns what came of asking:
// a verdict says only what it rests on.
func Watched(r oob.Retriever) oob.Retriever { return watched{r} }

// Retrieve asks, and tells the dip.
func (r watched) Retrieve(ctx context.Context, key oob.Key) ([]string, error) {
	w, _ := ctx.Value(witnessKey{}).(*witnessed)
	if w != nil {
		w.mu.Lock()
		w.asked, w.err = true, oob.Faultf(oob.PeerTimeout, "no answer yet")
		w.mu.Unlock()
	}
	tokens, err := r.Retriever.Retrieve(ctx, key)
	if w != nil {
		w.mu.Lock()
		w.count, w.err = len(tokens), err
		w.mu.Unlock()
	}
	return tokens, err
}
