// Package local is the log of a CPS that is one process: appending is applying.
//
// Knows: the view that it feeds. Never hears of: disks, other nodes. What it held is gone when the process ends, which
// for records of less than a minute is the time of a restart.
package local

import (
	"context"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

// Log applies what is appended. The zero Log is not usable; see [Open].
type Log struct {
	view *store.View
}

// Open makes a store of one process. Close it after use.
func Open(cfg store.Config) *store.Store {
	view := store.NewView(cfg)
	return store.New(view, Log{view})
}

// Append applies ev, unless ctx has ended before.
func (l Log) Append(ctx context.Context, ev store.Event) (store.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return 0, oob.FaultOf(err)
	}
	return l.view.Apply(ev), nil
}

// Ready is always nil.
func (l Log) Ready() error { return nil }
