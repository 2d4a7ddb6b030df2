package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

// together is what must hold when much happens at the same moment. Run with the race detector.
var together = []contract{
	{"OneOfManyEqualPublicationsIsCreated", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		var created, repeated atomic.Int64
		atOnce(16, func(int) {
			switch outcome, err := b.shelf.Publish(b.Context(), p); {
			case err != nil:
				b.Errorf("Publish: %v", err)
			case outcome == oob.Created:
				created.Add(1)
			default:
				repeated.Add(1)
				if records, err := b.shelf.Retrieve(b.Context(), call); err != nil || len(records) != 1 {
					b.Errorf("answered Repeated before it could be read: %v, %v", records, err)
				}
			}
		})
		if created.Load() != 1 || repeated.Load() != 15 {
			b.Errorf("%d created, %d repeated", created.Load(), repeated.Load())
		}
	}},
	{"OneOfManySpendsSucceeds", store.Config{}, func(b *bench) {
		use := b.use()
		var spent atomic.Int64
		atOnce(16, func(int) {
			if err := b.shelf.Spend(b.Context(), use); err == nil {
				spent.Add(1)
			} else if !errors.Is(err, oob.Replayed) {
				b.Errorf("Spend: %v", err)
			}
		})
		if spent.Load() != 1 {
			b.Errorf("%d succeeded", spent.Load())
		}
	}},
	{"NeverMoreThanFits", store.Config{Records: 50, KeyRecords: 1000, KeyPublisherRecords: 1000}, func(b *bench) {
		var acknowledged atomic.Int64
		atOnce(8, func(worker int) {
			for i := range 40 {
				_, err := b.shelf.Publish(b.Context(), b.publication(other(i), "1234", fmt.Sprint(worker)))
				if err == nil {
					acknowledged.Add(1)
				} else if !errors.Is(err, oob.Overloaded) {
					b.Errorf("Publish: %v", err)
				}
			}
		})
		found := int64(0)
		for i := range 40 {
			found += int64(len(b.retrieve(other(i))))
		}
		if n := b.shelf.Stats().Records; acknowledged.Load() > 50 || found != acknowledged.Load() || found != n {
			b.Errorf("%d acknowledged, %d found, %d counted", acknowledged.Load(), found, n)
		}
		b.publishUntilFull(50)
	}},
	{"AcknowledgedIsThereUntilItExpires", store.Config{Records: 400}, func(b *bench) {
		stop := make(chan struct{})
		var passing sync.WaitGroup
		passing.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					b.pass(100 * time.Millisecond)
				}
			}
		})
		atOnce(8, func(worker int) { b.publishAndWatch(worker) })
		close(stop)
		passing.Wait()
		b.pass(2 * time.Minute)
		if s := b.shelf.Stats(); s.Records != 0 || s.Bytes != 0 || s.Tokens != 0 || s.Publishers != 0 {
			b.Errorf("in the end there is left: %+v", s)
		}
	}},
}

// publishUntilFull shows that nothing of the room has been lost.
func (b *bench) publishUntilFull(records int) {
	b.Helper()
	b.pass(2 * time.Minute)
	for i := range records {
		b.publish(b.publication(other(i), "1234", "a"))
	}
	b.refused(b.publication(call, "1234", "a"), oob.Overloaded)
}

// publishAndWatch publishes under few keys, that others publish under as well, and wants to find what was acknowledged
// until it has expired, whatever the clock does meanwhile.
func (b *bench) publishAndWatch(worker int) {
	for i := range 200 {
		p := b.publication(other(i%20), fmt.Sprint(worker), fmt.Sprintf("%d-%d", worker, i))
		outcome, err := b.shelf.Publish(b.Context(), p)
		if err != nil {
			fault := oob.FaultOf(err)
			if !slices.Contains([]oob.Kind{oob.Overloaded, oob.QuotaExceeded, oob.DeadlinePassed}, fault.Kind) {
				b.Errorf("Publish: %v", err)
			}
			continue
		}
		if outcome != oob.Created {
			b.Errorf("a new publication is answered with %v", outcome)
		}
		began := b.clock()
		records, err := b.shelf.Retrieve(b.Context(), p.Key)
		ended := b.clock()
		if err != nil {
			b.Errorf("Retrieve: %v", err)
		}
		b.sound(records, began)
		if ended.Before(p.Expires) && !holds(records, p.Passports[0]) {
			b.Errorf("acknowledged and not expired, but not found")
		}
	}
}

// sound wants an answer to be newest first, without duplicates, and of records that were live after began.
func (b *bench) sound(records []oob.Record, began time.Time) {
	seen := map[string]bool{}
	for i, r := range records {
		if i > 0 && r.Received.After(records[i-1].Received) {
			b.Errorf("not newest first")
		}
		if !r.Expires.After(began) {
			b.Errorf("served at or after its Expires")
		}
		for _, passport := range r.Passports {
			if seen[passport] {
				b.Errorf("a PASSporT is given twice")
			}
			seen[passport] = true
		}
	}
}

func holds(records []oob.Record, passport string) bool {
	return slices.ContainsFunc(records, func(r oob.Record) bool { return slices.Contains(r.Passports, passport) })
}

// atOnce runs act for n workers at the same time.
func atOnce(n int, act func(worker int)) {
	var workers sync.WaitGroup
	for worker := range n {
		workers.Go(func() { act(worker) })
	}
	workers.Wait()
}
