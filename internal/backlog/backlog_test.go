package backlog_test

import (
	"context"
	"errors"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/backlog"
)

func TestQueueIsBounded(t *testing.T) {
	for _, c := range []struct {
		name          string
		records, size int
		kept          int
	}{
		{"what fits", 3, 1, 3},
		{"too many", backlog.RecordsMax + 5, 1, backlog.RecordsMax},
		{"too large together", 3, backlog.BytesMax / 2, 2},
		{"one that is too large is taken", 1, 2 * backlog.BytesMax, 1},
		{"none behind one that is too large", 3, 2 * backlog.BytesMax, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := backlog.New[int]()
			for i := range c.records {
				q.Add(i, c.size)
			}
			for i := range c.kept {
				if item, ok := q.Poll(); !ok || item != i {
					t.Fatalf("item %d is %d, %v", i, item, ok)
				}
			}
			if _, ok := q.Poll(); ok || q.Dropped() != uint64(c.records-c.kept) {
				t.Errorf("one more: %v; dropped %d", ok, q.Dropped())
			}
			q.Add(7, 2*backlog.BytesMax) // all room is free again
			if item, ok := q.Take(); !ok || item != 7 {
				t.Errorf("after that %d, %v", item, ok)
			}
		})
	}
}

func TestQueueDeliversUntilThereIsNoTime(t *testing.T) {
	q := backlog.New[int]()
	q.Add(1, 1)
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Close(late); !errors.Is(err, context.Canceled) || q.Context().Err() == nil {
		t.Errorf("closed with %v", err)
	}
	if item, ok := q.Take(); !ok || item != 1 {
		t.Errorf("what waited: %d, %v", item, ok)
	}
	if _, ok := q.Take(); ok {
		t.Error("there is more after the end")
	}
	q.Lose(2)
	q.Done()
	if err := q.Close(t.Context()); err != nil || q.Dropped() != 2 {
		t.Errorf("closed with %v, lost %d", err, q.Dropped())
	}
}
