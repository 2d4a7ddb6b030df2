package push_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/oob"
)

// TestFollowersAmongPublishers has subscribers of all kinds cut and come again while others publish, on the real clock.
// Run it with the race detector.
func TestFollowersAmongPublishers(t *testing.T) {
	const publishers, each = 4, 300
	r := open(t, push.Config{Numbering: directory(plain), QueueMax: 32}, 0)
	defer r.end()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i, in := range []push.Interest{
		{Profile: oob.RFC9888, Numbers: numbers(t, "15550000000-15559999999")},
		{Profile: oob.RFC9888, SPCs: []string{"567A"}},
		{Profile: oob.RFC9888, SPCs: []string{"567A"}, Numbers: numbers(t, "15550000000-15550000500")},
		{Profile: oob.RFC9888, All: true},
	} {
		first := r.subscribe(in, "")
		all.Go(func() {
			s, has := first, map[string]bool{}
			for told := 1; len(has) < publishers*each; told++ {
				event, err := s.Next(ctx)
				cursor := s.Cursor()
				switch {
				case err == nil && event.Gap:
					t.Errorf("%d: a gap", i)
				case err == nil:
					has[event.Held.Passports[0]] = true
					cursor = event.Cursor
				case !errors.Is(err, push.ErrSlow):
					t.Errorf("%d has %d records: %v", i, len(has), err)
					return
				}
				if err != nil || told%(20+i) == 0 {
					s.Close()
					if s, err = r.hub.Subscribe("us", in, cursor); err != nil {
						t.Error(err)
						return
					}
				}
			}
			s.Close()
		})
	}
	for p := range publishers {
		all.Go(func() {
			for i := range each {
				k := to(t, fmt.Sprint(15550000000+p*each+i))
				w, err := r.hub.Watch("us", k)
				if err != nil {
					t.Error(err)
					return
				}
				r.publish(k, fmt.Sprint(p*each+i), time.Minute)
				if !w.Wait(ctx) {
					t.Error("not woken")
				}
				w.Close()
			}
		})
	}
	all.Wait()
	if stats := r.hub.Stats(); stats.Subscribers != 0 || stats.Watchers != 0 || stats.Entries != 0 {
		t.Errorf("%+v", stats)
	}
}
