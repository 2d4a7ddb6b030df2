package natslog_test

import (
	"sync/atomic"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/natslog"
	"github.com/viaduct-oob/viaduct/internal/store/storetest"
)

// shelf is a store on a log that others use after it.
type shelf struct {
	view atomic.Pointer[store.View]
	log  *natslog.Log
}

func newShelf(t *testing.T, cfg natslog.Config) *shelf {
	t.Helper()
	s := &shelf{}
	s.view.Store(store.NewView(store.Config{}))
	var err error
	s.log, err = natslog.OpenApplying(func(ev store.Event) store.Outcome { return s.view.Load().Apply(ev) }, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.log.Close(t.Context()) })
	return s
}

// contract runs the contract of a store: with a new view for each sentence, on one log.
func (s *shelf) contract(t *testing.T) {
	storetest.Run(t, func(t *testing.T, cfg store.Config) storetest.Shelf {
		view := store.NewView(cfg)
		s.view.Store(view)
		one := store.New(view, s.log)
		t.Cleanup(func() { _ = one.Close() })
		return one
	})
}

func TestContractOnOneNode(t *testing.T) {
	t.Parallel()
	s := newShelf(t, alone(t))
	ready(t, &node{TB: t, log: s.log})
	s.contract(t)
}

// raced tells that the race detector watches.
var raced bool

func TestContractOnThreeNodes(t *testing.T) {
	if raced {
		t.Skip("thousands of appends, one after the other: too slow with the race detector, which sees the same code on one node")
	}
	t.Parallel()
	all := site(t, newAuthority(t), "east", 3)
	s := newShelf(t, all[0])
	others := openAll(t, all[1:])
	ready(t, append(others, &node{TB: t, log: s.log})...)
	s.contract(t)
}
