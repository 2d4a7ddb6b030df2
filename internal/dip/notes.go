package dip

import (
	"context"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stias"
)

// What a dip writes into the trace of its call.

func (d *doing) noteCall() {
	if !d.trunk.Mode.Publishes() && !d.trunk.Mode.Retrieves() { // else CPSs may be asked longer than the call waits
		d.call.Trace.EndsWithAnswer()
	}
	d.call.Trace.Note(func(r *trace.Record) {
		p := &d.call.Parties
		r.Trunk, r.Mode, r.CallKey = d.trunk.Name, d.trunk.Mode.String(), d.call.ID
		r.Orig, r.Dest, r.RedirectedFrom = p.Orig, p.Dest, p.DivertedFrom
		r.Restricted, r.Emergency, r.Unusable = p.Restricted, p.Emergency, string(p.Unusable)
	})
}

func (d *doing) noteKey(key oob.Key) {
	d.call.Trace.Note(func(r *trace.Record) {
		r.KeyOrig, r.KeyDest, r.KeySPC, r.Profile = key.Orig, key.Dest, key.SPC, key.Profile.String()
	})
}

func (d *doing) noteSigned(s *stias.Signed) {
	d.call.Trace.Note(func(r *trace.Record) {
		r.Attest, r.OrigID, r.X5U, r.IAT = string(s.Attest), s.OrigID, s.Identity.Info, s.IAT
		r.Row, r.Reason = s.Row, s.Decision.Reason
		r.Passports = append(r.Passports, s.Passport)
	})
}

func (d *doing) noteVerdict(v *oob.Verdict) {
	d.call.Trace.Note(func(r *trace.Record) {
		r.Verstat, r.SignerSPC, r.ReasonCode, r.Case, r.Doubt = string(v.Verstat), v.SignerSPC, v.Code, v.Case, v.Doubt
		r.Attest, r.OrigID, r.Checks = v.Attest, v.OrigID, v.Checks
		for _, t := range v.Tokens {
			if len(r.Passports) < trace.PassportsMax {
				r.Passports = append(r.Passports, t.Passport)
			}
		}
	})
}

func (d *doing) noteRepeated() {
	d.call.Trace.Note(func(r *trace.Record) { r.Repeated = true })
}

// watch counts each attempt at a CPS, and writes it into the call's trace.
func (d *doing) watch(ctx context.Context) context.Context {
	return cpsclient.WithObserver(ctx, func(a cpsclient.Attempt) {
		d.tally.asked(a)
		switch a.Outcome {
		case oob.PeerFailed.String():
			d.failing.Store(true)
		case oob.PeerTimeout.String():
			d.silent.Store(true)
		}
		if a.Action == oob.ActionPublish {
			d.call.Trace.Published(a.CPS, a.Outcome, a.Began)
		} else {
			d.call.Trace.Retrieved(a.CPS, a.Outcome, a.Count, a.Began)
		}
	})
}
