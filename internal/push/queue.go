package push

import "github.com/viaduct-oob/viaduct/oob"

// laid is a record of the feed, shared by all who are told of it.
type laid struct {
	position uint64
	held     oob.Held
}

// queue is a heap of records, the one with the lowest position first: what comes late, from a look-up or a replay, takes
// its place among the others.
type queue []*laid

func (q *queue) push(one *laid) {
	heap := append(*q, one)
	at := len(heap) - 1
	for at > 0 {
		above := (at - 1) / 2
		if heap[above].position <= one.position {
			break
		}
		heap[at] = heap[above]
		at = above
	}
	heap[at] = one
	*q = heap
}

func (q *queue) pop() *laid {
	heap := *q
	first, n := heap[0], len(heap)-1
	one := heap[n]
	heap[n] = nil
	heap = heap[:n]
	at := 0
	for n > 0 {
		below := 2*at + 1
		if below+1 < n && heap[below+1].position < heap[below].position {
			below++
		}
		if below >= n || one.position <= heap[below].position {
			heap[at] = one
			break
		}
		heap[at] = heap[below]
		at = below
	}
	*q = heap
	return first
}
