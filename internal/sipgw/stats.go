package sipgw

import (
	"sync"
	"sync/atomic"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// Stats is what has been counted since the start. Nothing in it is chosen by a peer.
type Stats struct {
	Answers   map[int]uint64 // by status
	Forwarded uint64         // requests sent on

	UnknownSource       uint64 // requests from a source that is in no row
	NoTrunk             uint64 // requests from a known source that fit no row
	Cancelled           uint64 // calls that the switch gave up before there was an answer
	Loops               uint64 // redirections and next hops that would have led to ourselves
	NoNextHop           uint64 // requests of a trunk whose next hop is no address
	OnceOnly            uint64 // answers that were to carry all twice, and were too long for a datagram
	LeftOut             uint64 // additions that could not be written safely, or not all
	Unread              uint64 // header fields of requests that were too long, too many, or not to be understood
	VerstatTaken        uint64 // calls that came with a verstat, which was taken out
	UnsupportedPriority uint64 // calls with a Resource-Priority that no PASSporT supports
}

// tally counts.
type tally struct {
	forwarded, unknown, strange, cancelled, loops, nowhere, onceOnly, leftOut, unread, taken, unsupported atomic.Uint64

	mu       sync.Mutex
	byStatus map[int]uint64 // guarded by mu
}

func (t *tally) answered(r siptx.Response) {
	if r.Forward != nil {
		t.forwarded.Add(1)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byStatus == nil {
		t.byStatus = map[int]uint64{}
	}
	t.byStatus[r.Status]++
}

// Stats tells what has been counted.
func (g *Gateway) Stats() Stats {
	t := &g.tally
	t.mu.Lock()
	answers := make(map[int]uint64, len(t.byStatus))
	for status, n := range t.byStatus {
		answers[status] = n
	}
	t.mu.Unlock()
	return Stats{
		Answers: answers, Forwarded: t.forwarded.Load(), UnknownSource: t.unknown.Load(), NoTrunk: t.strange.Load(),
		Cancelled: t.cancelled.Load(), Loops: t.loops.Load(), NoNextHop: t.nowhere.Load(), OnceOnly: t.onceOnly.Load(),
		LeftOut: t.leftOut.Load(), Unread: t.unread.Load(), VerstatTaken: t.taken.Load(), UnsupportedPriority: t.unsupported.Load(),
	}
}
