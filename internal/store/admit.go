package store

import (
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// retryUnknown is what a refused publisher is told to wait when it is not known when there will be room.
const retryUnknown = time.Second

// admit decides whether there is room for p at now, and holds it. Give it back to the ledger when p has been applied
// or has failed. A publication that only puts off the deadline of a record takes no more than a token.
//
// The limits on a key are compared with what lies there: publications under one key that are under way at the same
// moment can exceed them by their number.
func (v *View) admit(p oob.Publication, now time.Time) (room, error) {
	if !p.Expires.After(now) {
		return room{}, oob.Faultf(oob.DeadlinePassed, "the record would expire at once")
	}
	want := room{records: 1, bytes: int64(tokenBytes(p.Passports)), tokens: 1}
	k, known := v.names.find(p.Key)
	w, ok := newWhole(k, p)
	switch {
	case !ok:
		return room{}, oob.Faultf(oob.TooLarge, "too many PASSporTs, or too long")
	case known:
		s, hash := v.place(k)
		at := nanos(now)
		same, all, own := s.survey(hash, &w, at)
		switch {
		case same:
			want = room{tokens: 1}
		case own.records >= v.cfg.KeyPublisherRecords:
			return room{}, refuse(oob.QuotaExceeded, "too many publications by this publisher for this pair of numbers", own.soonest, at)
		case all.records >= v.cfg.KeyRecords:
			return room{}, refuse(oob.QuotaExceeded, "too many publications for this pair of numbers", all.soonest, at)
		}
	}
	return want, v.hold(p.Publisher, want, now)
}

// admitUse decides whether one more token can be remembered at now, and holds the room, on nobody's account.
func (v *View) admitUse(now time.Time) (room, error) {
	want := room{tokens: 1}
	return want, v.hold("", want, now)
}

func (v *View) hold(publisher string, want room, now time.Time) error {
	lack, soonest := v.ledger.hold(publisher, want, v.cfg.quota(), v.cfg.most())
	at := nanos(now)
	switch lack {
	case ofQuota:
		return refuse(oob.QuotaExceeded, "this publisher holds as many records or bytes as it may", soonest, at)
	case ofShelf:
		return refuse(oob.Overloaded, "the shelf is full", v.soonestRecord(), at)
	case ofMemory:
		return refuse(oob.Overloaded, "no more access tokens can be remembered", v.soonestUse(), at)
	}
	return nil
}

// refuse makes the fault of what has no room before soonest; 0 when that is not known.
func refuse(kind oob.Kind, detail string, soonest, now int64) error {
	wait := time.Duration(soonest - now)
	if soonest <= now {
		wait = retryUnknown
	}
	return oob.Faultf(kind, "%s", detail).After(wait)
}

// soonestRecord is when records will next be swept; 0 when there are none. It asks every shelf, which takes some
// microseconds; so it is done for a refusal alone.
func (v *View) soonestRecord() int64 {
	soonest := int64(0)
	for i := range v.shelves {
		soonest = earlier(soonest, v.shelves[i].soonest())
	}
	return soonest
}

// soonestUse is when token uses or tombs will next be forgotten; 0 when there are none.
func (v *View) soonestUse() int64 {
	soonest := int64(0)
	for i := range v.memories {
		soonest = earlier(soonest, v.memories[i].soonest())
		soonest = earlier(soonest, v.shelves[i].soonestTomb())
	}
	return soonest
}

// earlier is the earlier of two times of which 0 is not known.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
