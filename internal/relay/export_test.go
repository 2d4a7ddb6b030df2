package relay

import (
	"context"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
)

// Bounds of what has arrived.
const (
	ArrivalsMax     = arrivalsMax
	ArrivalBytesMax = arrivalBytesMax
	PauseMax        = pauseMax
)

// SetSend replaces the requests to the CPS at url. It is called before Start.
func (r *Relay) SetSend(url string, send func(ctx context.Context, id [16]byte) cpsclient.Relayed) {
	for _, l := range r.lanes {
		if l.url == url {
			l.send = func(ctx context.Context, one *record) cpsclient.Relayed { return send(ctx, one.id) }
		}
	}
}

// SetSeveral has the CPS at url take so many records in one request, and replaces these requests. It is called before Start.
func (r *Relay) SetSeveral(url string, most int, send func(ctx context.Context, ids [][16]byte) []cpsclient.Relayed) {
	for _, l := range r.lanes {
		if l.url == url {
			l.severalMax = func() int { return most }
			l.several = func(ctx context.Context, all []*record) []cpsclient.Relayed {
				ids := make([][16]byte, len(all))
				for i, one := range all {
					ids[i] = one.id
				}
				return send(ctx, ids)
			}
		}
	}
}

// Hear is hear, and Mark the bytes that say that a CPS has a record.
func (r *Relay) Hear(node string, data []byte) { r.hear(node, data) }

// Mark is the message of one mark.
func Mark(id [16]byte, url string) []byte {
	by := markOf(url)
	return append(append([]byte{marksFirst}, id[:]...), by[:]...)
}

// Empty tells whether nothing is left over where records are counted.
func (r *Relay) Empty() bool {
	for _, l := range r.lanes {
		if l.waiting != 0 || l.bytes != 0 || l.workers != 0 || len(l.later) != 0 || len(l.ready.of) != 0 || len(l.ready.next) != 0 || l.ready.count != 0 {
			return false
		}
	}
	r.watch.mu.Lock()
	defer r.watch.mu.Unlock()
	r.watch.expire(time.Now())
	return r.bytes.Load() == 0 && len(r.watch.records) == 0 && r.watch.bytes == 0 && len(r.watch.order) == 0
}

// Watch has it keep these in mind, and nothing else.
func (r *Relay) Watch(ids ...[16]byte) {
	r.watch.init(100, 100)
	r.watch.order, r.watch.bytes = nil, 0
	for _, id := range ids {
		r.watch.add(&record{id: id}, "east/a", time.Now())
	}
}
