package trace

import (
	"context"
	"sync"
	"sync/atomic"
)

// QueueBytes is what the records that wait for one output may take. Beyond, records are dropped for that output.
const QueueBytes = 8 << 20

const queueMax = 1 << 13 // records that wait for one output

// output is where settled records go.
type output interface {
	offer(record *Record, line func(Role) []byte) // never waits
	run()                                         // until closed
	close(ctx context.Context) error              // after the last offer; what waits is delivered until ctx is done
}

// queue is what an output still has to deliver.
type queue[T any] struct {
	items   chan queued[T]
	bytes   atomic.Int64
	dropped atomic.Uint64

	closeOnce sync.Once
	ctx       context.Context // done when there is no more time to deliver
	stop      context.CancelFunc
	done      chan struct{} // closed by the output when it has delivered
}

type queued[T any] struct {
	item T
	size int
}

func newQueue[T any]() *queue[T] {
	q := &queue[T]{items: make(chan queued[T], queueMax), done: make(chan struct{})}
	q.ctx, q.stop = context.WithCancel(context.Background())
	return q
}

// add drops what there is no room for. One item is always taken, however large.
func (q *queue[T]) add(item T, size int) {
	if total := q.bytes.Add(int64(size)); total > QueueBytes && total > int64(size) {
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

// take waits for the next item; false when there will be none.
func (q *queue[T]) take() (T, bool) {
	next, ok := <-q.items
	q.bytes.Add(-int64(next.size))
	return next.item, ok
}

// poll takes the next item if there is one.
func (q *queue[T]) poll() (item T, ok bool) {
	select {
	case next, ok := <-q.items:
		q.bytes.Add(-int64(next.size))
		return next.item, ok
	default:
		return item, false
	}
}

// close lets the output deliver what waits until ctx is done.
func (q *queue[T]) close(ctx context.Context) error {
	q.closeOnce.Do(func() { close(q.items) })
	defer q.stop()
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// handOn offers a record to all outputs. Its JSON form is made once for each role.
func (r *Recorder) handOn(record *Record) {
	var made [2][]byte
	line := func(role Role) []byte {
		if made[role] == nil {
			made[role] = record.line(role)
		}
		return made[role]
	}
	for _, o := range r.outputs {
		o.offer(record, line)
	}
}
