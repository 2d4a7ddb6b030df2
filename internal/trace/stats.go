package trace

import (
	"errors"

	"github.com/viaduct-oob/viaduct/internal/webhook"
)

// Stats are the counters of a Recorder since Open, and how it stands now.
type Stats struct {
	Begun   uint64 // records
	Settled uint64
	Early   uint64 // records that settled before their time, because too many waited
	Late    uint64 // steps and requests to CPSs that came after their record had settled, and are not in it
	Cut     uint64 // steps, requests to CPSs, checks, PASSporTs and messages beyond the bounds of a record
	Amended uint64 // records whose verdict was withdrawn after they had settled
	Lost    uint64 // withdrawals that were not noted, because too many came at once
	Evicted uint64 // records that made room for others before their age
	Aged    uint64 // records that went because of their age

	Settling int // records that wait to settle
	Records  int // settled records in memory
	Bytes    int // what they take

	Lines   LinesStats
	Webhook webhook.Stats
	HEP     HEPStats
}

// Stats gives the counters; of a nil Recorder, zeros.
func (r *Recorder) Stats() Stats {
	if r == nil {
		return Stats{}
	}
	r.mu.Lock()
	s := Stats{Begun: r.begun.Load(), Settled: r.settled, Early: r.early, Late: r.late.Load(), Cut: r.cut, Amended: r.amended,
		Lost: r.lost.Load(), Evicted: r.ring.evicted, Aged: r.ring.aged,
		Settling: len(r.open.calls) + len(r.ended.calls), Records: len(r.ring.entries), Bytes: r.ring.bytes}
	r.mu.Unlock()
	if r.lines != nil {
		s.Lines = r.lines.stats()
	}
	if r.webhook != nil {
		s.Webhook = r.webhook.Stats()
	}
	if r.hep != nil {
		s.HEP = r.hep.stats()
	}
	return s
}

// Reopen opens the file of the JSON lines anew, and reads the key of the webhook again: after a rotation, on SIGHUP. What
// cannot be opened or read goes on as it was, and the error says so.
func (r *Recorder) Reopen() error {
	if r == nil {
		return nil
	}
	var lines, key error
	if r.lines != nil {
		lines = r.lines.reopen()
	}
	if r.webhook != nil {
		key = r.webhook.ReadKey()
	}
	return errors.Join(lines, key)
}
