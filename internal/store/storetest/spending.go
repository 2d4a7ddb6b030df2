package storetest

import (
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

var spending = []contract{
	{"SpendOnce", store.Config{}, func(b *bench) {
		use := b.use()
		b.used(use, false, false)
		b.spends(use)
		b.used(use, true, true)
		b.used(otherBody(use), true, false)
	}},
	{"SpendTwiceIsReplayedWithWhateverBody", store.Config{}, func(b *bench) {
		use := b.use()
		b.spends(use)
		before := b.shelf.Stats()
		b.fault(b.shelf.Spend(b.Context(), use), oob.Replayed)
		b.fault(b.shelf.Spend(b.Context(), otherBody(use)), oob.Replayed)
		b.used(use, true, true)
		if after := b.shelf.Stats(); after != before {
			b.Errorf("%+v became %+v", before, after)
		}
	}},
	{"PublishedTokenIsReplayedBySpending", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		b.publish(p)
		b.used(p.Use, true, true)
		b.fault(b.shelf.Spend(b.Context(), p.Use), oob.Replayed)
	}},
	{"RememberedUntilUntilAndNotAtIt", store.Config{}, func(b *bench) {
		use := b.use()
		b.spends(use)
		b.pass(time.Minute - 1)
		b.used(use, true, true)
		b.fault(b.shelf.Spend(b.Context(), use), oob.Replayed)
		b.pass(1)
		b.used(use, false, false)
		use.Until = b.clock().Add(time.Minute)
		b.spends(use)
		b.used(use, true, true)
	}},
	{"ForgottenBeforeItIsSwept", store.Config{}, func(b *bench) {
		use := b.use()
		b.spends(use)
		b.passSilently(time.Minute)
		b.used(use, false, false)
		use.Until = b.clock().Add(time.Minute)
		b.spends(use)
		b.pass(time.Minute - 1)
		b.used(use, true, true)
		if n := b.shelf.Stats().Tokens; n != 1 {
			b.Fatalf("%d tokens are remembered", n)
		}
		b.pass(1)
		if n := b.shelf.Stats().Tokens; n != 0 {
			b.Fatalf("%d tokens are remembered", n)
		}
	}},
	{"TokenOutlivesItsRecord", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		b.publish(p)
		b.pass(life + time.Second)
		b.used(p.Use, true, true)
	}},
	{"RecordOutlivesItsToken", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		p.Use.Until = b.clock().Add(time.Second)
		b.publish(p)
		b.pass(2 * time.Second)
		b.used(p.Use, false, false)
		b.finds(call, "a")
	}},
	{"NoMoreTokensThanCanBeRemembered", store.Config{Tokens: 3}, func(b *bench) {
		for range 3 {
			b.spends(b.use())
			b.pass(time.Second)
		}
		late := b.use()
		b.waits(b.fault(b.shelf.Spend(b.Context(), late), oob.Overloaded))
		b.waits(b.refused(b.publication(call, "1234", "a"), oob.Overloaded))
		b.used(late, false, false)
		b.pass(58 * time.Second)
		b.spends(late)
	}},
}
