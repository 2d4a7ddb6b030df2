package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

// other is a key of the i-th other call.
func other(i int) oob.Key { return mesh(fmt.Sprint(13125550000+i), "12025550141") }

var filling = []contract{
	{"FullOfRecordsLosesNothingAndRecovers", store.Config{Records: 3}, func(b *bench) {
		for i := range 3 {
			b.publish(b.publication(other(i), "1234", "a"))
			b.pass(time.Second)
		}
		fault := b.refused(b.publication(call, "1234", "b"), oob.Overloaded)
		b.waits(fault)
		for i := range 3 {
			b.finds(other(i), "a")
		}
		b.pass(fault.RetryAfter)
		b.publish(b.publication(call, "1234", "b"))
		b.waits(b.refused(b.publication(call, "1234", "c"), oob.Overloaded))
		b.finds(other(0))
		b.finds(other(1), "a")
	}},
	{"FullOfBytesLosesNothingAndRecovers", store.Config{Bytes: 100}, func(b *bench) {
		long := strings.Repeat("a", 50)
		b.publish(b.publication(other(0), "1234", long, long[:49]))
		fault := b.refused(b.publication(call, "1234", "bc"), oob.Overloaded)
		b.waits(fault)
		b.publish(b.publication(call, "1234", "b"))
		b.finds(other(0), long, long[:49])
		b.pass(fault.RetryAfter)
		b.publish(b.publication(call, "1234", long))
	}},
	{"QuotaOfRecordsTouchesNoOtherPublisher", store.Config{PublisherRecords: 2}, func(b *bench) {
		b.publish(b.publication(other(0), "1234", "a"))
		b.publish(b.publication(other(1), "1234", "a"))
		fault := b.refused(b.publication(other(2), "1234", "a"), oob.QuotaExceeded)
		b.waits(fault)
		b.publish(b.publication(other(2), "567B", "b"))
		b.pass(fault.RetryAfter + time.Second)
		b.publish(b.publication(other(2), "1234", "a"))
	}},
	{"QuotaOfBytesTouchesNoOtherPublisher", store.Config{PublisherBytes: 10}, func(b *bench) {
		b.publish(b.publication(other(0), "1234", "0123456"))
		b.waits(b.refused(b.publication(other(1), "1234", "0123"), oob.QuotaExceeded))
		b.publish(b.publication(other(1), "567B", "0123"))
		b.publish(b.publication(other(1), "1234", "012"))
	}},
	{"OnePublisherCannotCrowdAnotherOutOfAKey", store.Config{KeyPublisherRecords: 2, KeyRecords: 4}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.publish(b.publication(call, "1234", "b"))
		b.waits(b.refused(b.publication(call, "1234", "c"), oob.QuotaExceeded))
		b.publish(b.publication(call, "567B", "d"))
		b.publish(b.publication(call, "567B", "e"))
		b.waits(b.refused(b.publication(call, "9999", "f"), oob.QuotaExceeded))
		b.publish(b.publication(other(0), "9999", "f"))
		b.finds(call, "e", "d", "b", "a")
		b.passSilently(life)
		b.publish(b.publication(call, "9999", "f"))
		b.finds(call, "f")
	}},
	{"StatsTellHowFull", store.Config{Records: 10, Bytes: 1000, Tokens: 20}, func(b *bench) {
		b.publish(b.publication(other(0), "1234", "abc"))
		b.pass(time.Second)
		b.publish(b.publication(other(1), "1234", "de", "f"))
		b.publish(b.publication(other(1), "567B", "g"))
		b.spends(b.use())
		want := oob.StoreStats{
			Records: 3, RecordsMax: 10, Bytes: 7, BytesMax: 1000, Tokens: 4, TokensMax: 20, Publishers: 2, Oldest: start,
		}
		if got := b.shelf.Stats(); got != want {
			b.Errorf("got %+v, want %+v", got, want)
		}
		b.pass(life)
		want = oob.StoreStats{RecordsMax: 10, BytesMax: 1000, Tokens: 4, TokensMax: 20}
		if got := b.shelf.Stats(); got != want {
			b.Errorf("got %+v, want %+v", got, want)
		}
	}},
	{"ReadyWhenOpen", store.Config{}, func(b *bench) {
		if err := b.shelf.Ready(); err != nil {
			b.Fatal(err)
		}
	}},
}
