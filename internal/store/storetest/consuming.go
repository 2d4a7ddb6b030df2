package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

var consuming = []contract{
	{"ConsumedIsNeitherServedNorListedNorCounted", store.Config{}, func(b *bench) {
		empty := b.shelf.Stats()
		p := b.publication(call, "1234", "a", "b")
		b.publish(p)
		b.consume(call, "b")
		b.finds(call)
		b.calls(oob.Mesh, "12155550113", 10)
		after := b.shelf.Stats()
		after.Tokens = 0 // it is remembered what the token was used for
		if after != empty {
			b.Errorf("%+v is left", after)
		}
		b.used(p.Use, true, true)
	}},
	{"ConsumingIsRepeatable", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.publish(b.publication(other(1), "1234", "b"))
		for range 3 {
			b.consume(call, "a")
			if s := b.shelf.Stats(); s.Records != 1 || s.Bytes != 1 || s.Publishers != 1 {
				b.Fatalf("%+v", s)
			}
		}
		b.finds(other(1), "b")
	}},
	{"ConsumingNothingIsNoErrorAndTakesNothing", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		before := b.shelf.Stats()
		b.consume(call, "b")
		b.consume(other(1), "a")
		b.consume(oob.Key{}, "a")
		unknown := call
		unknown.Dest = uri("sip:never@example.com")
		b.consume(unknown, "a")
		for _, id := range []string{"", "a", oob.PassportID("")[1:], strings.Repeat("x", 1000)} {
			c := b.consumption(call, "a")
			c.Passport = id
			if _, err := b.shelf.Consume(b.Context(), c); err != nil {
				b.Errorf("%q: %v", id, err)
			}
		}
		after := b.shelf.Stats()
		if after.Tokens != before.Tokens+4 { // it is remembered what was consumed
			b.Errorf("%d tokens", after.Tokens)
		}
		if after.Tokens = before.Tokens; after != before {
			b.Errorf("%+v became %+v", before, after)
		}
		b.finds(call, "a")
	}},
	{"OfThoseWhoConsumeOneIsFirst", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		var first atomic.Int64
		atOnce(8, func(worker int) {
			c := b.consumption(call, "a")
			c.By = [8]byte{byte(worker)}
			was, err := b.shelf.Consume(b.Context(), c)
			again, errAgain := b.shelf.Consume(b.Context(), c)
			switch {
			case was == oob.Created && err == nil && again == oob.Repeated && errAgain == nil:
				first.Add(1)
			case !errors.Is(err, oob.Replayed) || !errors.Is(errAgain, oob.Replayed):
				b.Errorf("%v, %v; again %v, %v", was, err, again, errAgain)
			}
		})
		if n := first.Load(); n != 1 {
			b.Errorf("%d were first", n)
		}
		b.finds(call)
	}},
	{"ConsumedBeforeItIsLaid", store.Config{}, func(b *bench) {
		b.consumed(call, "a", false)
		b.consume(call, "a")
		b.consumed(call, "a", true)
		b.consumed(other(1), "a", false)
		b.publishes(b.publication(call, "1234", "b", "a"), oob.Repeated)
		b.finds(call)
		b.publish(b.publication(call, "1234", "b"))
		b.publish(b.publication(other(1), "1234", "a"))
		b.finds(call, "b")
		b.finds(other(1), "a")
	}},
	{"NoMoreIsConsumedThanCanBeRemembered", store.Config{Tokens: 2}, func(b *bench) {
		b.consume(call, "a")
		b.consume(call, "b")
		_, err := b.shelf.Consume(b.Context(), b.consumption(call, "c"))
		b.waits(b.fault(err, oob.Overloaded))
		b.pass(away)
		b.consume(call, "c")
	}},
	{"ConsumingTakesEveryRecordThatHoldsIt", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.publish(b.publication(call, "567B", "a"))
		b.publish(b.publication(call, "1234", "b", "a"))
		b.publish(b.publication(call, "1234", "b"))
		b.pass(1)
		b.publish(b.publication(call, "9999", "c"))
		b.publish(b.publication(other(1), "1234", "a"))
		b.consume(call, "a")
		b.finds(call, "c", "b")
		b.finds(other(1), "a")
		b.calls(oob.Mesh, "12155550113", 10, "c", "b")
	}},
	{"ConsumingGivesRoomBackOnce", store.Config{Records: 2, Bytes: 2, KeyRecords: 1, PublisherRecords: 1}, func(b *bench) {
		for range 3 {
			b.publish(b.publication(call, "1234", "a"))
			b.publish(b.publication(other(1), "567B", "b"))
			b.refused(b.publication(other(2), "9999", "c"), oob.Overloaded)
			b.consume(call, "a")
			b.publish(b.publication(other(2), "9999", "c"))
			b.consume(other(1), "b")
			b.publish(b.publication(call, "1234", "d"))
			b.consume(call, "d")
			b.pass(life) // what was consumed would have expired
			b.pass(2 * time.Minute)
			if s := b.shelf.Stats(); s.Records != 0 || s.Bytes != 0 || s.Publishers != 0 || s.Tokens != 0 || !s.Oldest.IsZero() {
				b.Fatalf("%+v", s)
			}
		}
	}},
	{"ConsumedStaysAwayWhateverTheToken", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.consume(call, "a")
		b.pass(away - 1)
		b.publishes(b.publication(call, "567B", "a"), oob.Repeated)
		b.finds(call)
		b.calls(oob.Mesh, "12155550113", 10)
		b.pass(1) // until when it could be published again, the consumer said
		b.consumed(call, "a", false)
		b.publish(b.publication(call, "1234", "a"))
		b.finds(call, "a")
	}},
	{"ConsumedStaysAwayWhenThePASSporTItselfIsTheToken", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		b.publish(p)
		b.publishes(p, oob.Repeated)
		b.consume(call, "a")
		for range 3 {
			p.Received, p.Expires = b.clock(), b.clock().Add(life)
			b.publishes(p, oob.Repeated)
			b.finds(call)
			b.calls(oob.Mesh, "12155550113", 10)
			b.pass(10 * time.Second)
		}
		if n := b.shelf.Stats().Records; n != 0 {
			b.Errorf("%d records", n)
		}
	}},
	{"ConsumedAfterItsDeadlineWasPutOff", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.pass(5 * time.Second)
		b.publish(b.publication(call, "1234", "a"))
		b.consume(call, "a")
		b.finds(call)
		b.pass(life)
		b.publish(b.publication(call, "1234", "b"))
		b.pass(life - 1)
		b.finds(call, "b")
	}},
	{"ConsumedLeavesNoTrace", store.Config{}, func(b *bench) {
		empty := b.shelf.Stats()
		for i := range 300 {
			odd := oob.Key{Profile: oob.Company, SPC: fmt.Sprintf("an unusual SPC %d", i%7), Dest: uri("urn:service:sos"), Orig: number("1202")}
			text := fmt.Sprint(i)
			b.publish(b.publication(odd, "1234", text, "more"))
			b.pass(50 * time.Millisecond)
			if i%3 > 0 {
				b.consume(odd, text)
			}
		}
		b.pass(2 * time.Minute)
		if after := b.shelf.Stats(); after != empty {
			b.Fatalf("%+v is left", after)
		}
	}},
	{"ConsumedWhileOthersPublishAndTimePasses", store.Config{Records: 100}, func(b *bench) {
		atOnce(8, func(worker int) {
			for i := range 200 {
				k, text := other(i%5), fmt.Sprint(worker%4, "-", i) // two workers consume the same
				_, err := b.shelf.Publish(b.Context(), b.publication(k, fmt.Sprint(worker), text))
				if fault := oob.FaultOf(err); fault != nil && fault.Kind != oob.DeadlinePassed {
					b.Errorf("Publish: %v", err)
				}
				b.consume(k, text)
				if worker == 7 && i%10 == 0 {
					b.pass(time.Second)
				}
			}
		})
		for i := range 5 {
			for worker := range 4 {
				for n := range 200 {
					b.consume(other(i), fmt.Sprint(worker, "-", n))
				}
			}
		}
		b.pass(time.Second) // a worker who was held up may have laid what was over by then, which is swept and not consumed
		if s := b.shelf.Stats(); s.Records != 0 || s.Bytes != 0 || s.Publishers != 0 {
			b.Errorf("%+v", s)
		}
		b.publishUntilFull(100)
	}},
}

// away is how long what is consumed is kept away.
const away = 20 * time.Second

// consumption is of a PASSporT under k, by the consumer of most tests.
func (b *bench) consumption(k oob.Key, passport string) oob.Consumption {
	return oob.Consumption{Key: k, Passport: oob.PassportID(passport), By: [8]byte{1}, Until: b.clock().Add(away)}
}

// consume consumes the PASSporT under k.
func (b *bench) consume(k oob.Key, passport string) {
	b.Helper()
	if _, err := b.shelf.Consume(b.Context(), b.consumption(k, passport)); err != nil {
		b.Errorf("Consume: %v", err)
	}
}

func (b *bench) consumed(k oob.Key, passport string, want bool) {
	b.Helper()
	if got := b.shelf.Consumed(k, oob.PassportID(passport)); got != want {
		b.Errorf("Consumed gave %v", got)
	}
}
