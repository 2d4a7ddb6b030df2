package storetest

import (
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

var publishing = []contract{
	{"CreatedCanBeRead", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a", "b")
		b.publish(p)
		records := b.retrieve(call)
		if len(records) != 1 {
			b.Fatalf("%d records", len(records))
		}
		r := records[0]
		if r.Publisher != "1234" || !r.Received.Equal(p.Received) || !r.Expires.Equal(p.Expires) {
			b.Errorf("the record is not what was laid: %+v", r)
		}
		b.finds(call, "a", "b")
	}},
	{"RepeatIsAnsweredAndChangesNothing", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		b.publish(p)
		b.pass(time.Second)
		before := b.shelf.Stats()
		p.Received, p.Expires = b.clock(), b.clock().Add(life)
		b.publishes(p, oob.Repeated)
		if after := b.shelf.Stats(); after != before {
			b.Errorf("%+v became %+v", before, after)
		}
		if got := b.retrieve(call)[0].Expires; !got.Equal(start.Add(life)) {
			b.Errorf("the repeat has moved the deadline to %v", got)
		}
	}},
	{"RepeatIsAnsweredAfterTheRecordHasExpired", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		b.publish(p)
		b.pass(life)
		b.publishes(p, oob.Repeated)
		b.finds(call)
	}},
	{"RepeatIsAnsweredWhenFull", store.Config{Records: 1, Tokens: 1}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		b.publish(p)
		b.publishes(p, oob.Repeated)
	}},
	{"SameTokenOtherBodyIsReplayed", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		b.publish(p)
		q := b.publication(call, "1234", "b")
		q.Use = otherBody(p.Use)
		b.refused(q, oob.Replayed)
		b.finds(call, "a")
	}},
	{"SpentTokenIsReplayedByPublishing", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		p.Use = otherBody(p.Use)
		b.spends(otherBody(p.Use))
		b.refused(p, oob.Replayed)
		b.finds(call)
	}},
	{"DeadlinePassed", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		p.Expires = b.clock()
		b.refused(p, oob.DeadlinePassed)
		b.used(p.Use, false, false)
		p.Expires = b.clock().Add(1)
		b.publish(p)
	}},
	{"RefusedPublicationLeavesItsTokenUnused", store.Config{Records: 1}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		p := b.publication(call, "1234", "b")
		b.refused(p, oob.Overloaded)
		b.used(p.Use, false, false)
		b.pass(life + time.Second)
		p.Received, p.Expires = b.clock(), b.clock().Add(life)
		b.publish(p)
		b.finds(call, "b")
	}},
	{"SameListExtendsToTheLaterDeadline", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a", "b"))
		b.pass(5 * time.Second)
		b.publish(b.publication(call, "1234", "a", "b"))
		if n := b.shelf.Stats().Records; n != 1 {
			b.Fatalf("%d records", n)
		}
		b.pass(life - 1)
		b.finds(call, "a", "b")
		b.pass(1)
		b.finds(call)
	}},
	{"SameListNeverExtendsToTheEarlierDeadline", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		p := b.publication(call, "1234", "a")
		p.Expires = b.clock().Add(time.Second)
		b.publish(p)
		b.pass(life - 1)
		b.finds(call, "a")
	}},
	{"SameListTakesNoRoom", store.Config{Records: 1, Bytes: 1, KeyRecords: 1}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.publish(b.publication(call, "1234", "a"))
		b.refused(b.publication(call, "1234", "b"), oob.QuotaExceeded)
	}},
	{"SameListAfterExpiryIsNew", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.passSilently(life)
		b.publish(b.publication(call, "1234", "a"))
		if records := b.retrieve(call); len(records) != 1 || !records[0].Received.Equal(b.clock()) {
			b.Fatalf("found %+v", records)
		}
	}},
	{"OtherListsAreOtherRecords", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a", "b"))
		b.publish(b.publication(call, "1234", "ab"))
		b.publish(b.publication(call, "1234", "b", "a"))
		b.publish(b.publication(call, "1234", "a"))
		if n := b.shelf.Stats().Records; n != 4 {
			b.Fatalf("%d records", n)
		}
	}},
	{"SameListOfAnotherPublisherIsAnotherRecord", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.publish(b.publication(call, "567B", "a"))
		if s := b.shelf.Stats(); s.Records != 2 || s.Publishers != 2 {
			b.Fatalf("%+v", s)
		}
		if r := b.retrieve(call); len(r) != 1 || r[0].Publisher != "567B" {
			b.Fatalf("found %+v", r)
		}
	}},
	{"WhatTheCallerDoesWithItsListLaterIsNothingToTheShelf", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a", "b")
		b.publish(p)
		p.Passports[0] = "x"
		b.finds(call, "a", "b")
		b.retrieve(call)[0].Passports[0] = "y"
		b.finds(call, "a", "b")
	}},
}
