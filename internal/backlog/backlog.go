// Package backlog is what one output still has to deliver: a queue that is offered records by those who must not wait, and
// emptied by one goroutine that may take its time.
//
// Knows: how many records wait, how large they are, when there is no more time. Never hears of: what a record is, where it goes.
//
// # Failures
//
// What there is no room for is dropped and counted.
//
// # Limits
//
// [RecordsMax] and [BytesMax], and of the bytes one record more.
package backlog

import (
	"context"
	"sync"
	"sync/atomic"
)

// Bounds of a queue. Beyond, records are dropped.
const (
	RecordsMax = 1 << 13
	BytesMax   = 8 << 20
)

// Queue holds what waits. Make it with New. Add may be called from several goroutines, Take and Poll from one.
type Queue[T any] struct {
	items   chan queued[T]
	bytes   atomic.Int64
	dropped atomic.Uint64

	closeOnce sync.Once
	ctx       context.Context // done when there is no more time to deliver
	stop      context.CancelFunc
	done      chan struct{}
}

type queued[T any] struct {
	item T
	size int
}

// New makes an empty queue.
func New[T any]() *Queue[T] {
	q := &Queue[T]{items: make(chan queued[T], RecordsMax), done: make(chan struct{})}
	q.ctx, q.stop = context.WithCancel(context.Background())
	return q
}

// Add drops what there is no room for. One item is always taken, however large. It never waits, and must not be called
// after Close.
func (q *Queue[T]) Add(item T, size int) {
	if total := q.bytes.Add(int64(size)); total > BytesMax && total > int64(size) {
		q.bytes.Add(-int64(size))
		q.dropped.Add(1)
		return
	}
	select {
	case q.items <- queued[T]{item, size}:
	default:
		q.bytes.Add(-int64(size))
		q.dropped.Add(1)
	}
}

// Take waits for the next item; false when there will be none.
func (q *Queue[T]) Take() (T, bool) {
	next, ok := <-q.items
	q.bytes.Add(-int64(next.size))
	return next.item, ok
}

// Poll takes the next item if there is one.
func (q *Queue[T]) Poll() (item T, ok bool) {
	select {
	case next, ok := <-q.items:
		q.bytes.Add(-int64(next.size))
		return next.item, ok
	default:
		return item, false
	}
}

// Context is done when there is no more time to deliver.
func (q *Queue[T]) Context() context.Context { return q.ctx }

// Lose counts records that were taken and could not be delivered.
func (q *Queue[T]) Lose(records uint64) { q.dropped.Add(records) }

// Dropped is how many records were lost.
func (q *Queue[T]) Dropped() uint64 { return q.dropped.Load() }

// Done is called once by who takes, when all is delivered that will be.
func (q *Queue[T]) Done() { close(q.done) }

// Close lets what waits be delivered until ctx is done; the error then is that of ctx. It may be called more than once.
func (q *Queue[T]) Close(ctx context.Context) error {
	q.closeOnce.Do(func() { close(q.items) })
	defer q.stop()
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
