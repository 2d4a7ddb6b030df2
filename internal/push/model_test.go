package push_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/internal/push"
	_ "github.com/viaduct-oob/viaduct/internal/seedtest"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// timeless is a test in a bubble, where there is no deadline.
type timeless struct{ testing.TB }

// follower is a subscriber of the model, which is cut and comes again.
type follower struct {
	in     push.Interest
	sub    *push.Subscription // nil while it is cut
	cursor string             // the last that it has seen
	has    map[string]bool
}

// entry is a record of the model.
type entry struct {
	key     oob.Key
	expires time.Time
}

// matches is what Interest says, in the plainest way.
func matches(in push.Interest, k oob.Key) bool {
	if in.Profile != k.Profile {
		return false
	}
	n, isNumber := k.Dest.Number()
	if in.All || isNumber && slices.ContainsFunc(in.Numbers, func(r tn.Range) bool { return r.Contains(n) }) {
		return true
	}
	spcs := []string{k.SPC}
	if k.Profile == oob.RFC9888 {
		spcs, _ = plain(context.Background(), n)
	}
	return slices.ContainsFunc(spcs, func(spc string) bool { return spc != "" && slices.Contains(in.SPCs, spc) })
}

// TestNothingIsMissedAndNothingElseTold: whatever the interleaving of publishing, cuts, resumption with the last cursor
// seen, and a Numbering that fails or hangs.
func TestNothingIsMissedAndNothingElseTold(t *testing.T) {
	interests := []push.Interest{
		{Profile: oob.RFC9888, Numbers: numbers(t, "12155550101", "15550000001")},
		{Profile: oob.RFC9888, Numbers: numbers(t, "12155550100-12155550103", "12155550102-12155550105")},
		{Profile: oob.RFC9888, SPCs: []string{"567A"}},
		{Profile: oob.RFC9888, SPCs: []string{"111A", "890B"}, Numbers: numbers(t, "12155550103-15550000002")},
		{Profile: oob.RFC9888, All: true},
		{Profile: oob.Company, SPCs: []string{"567A"}, Numbers: numbers(t, "12155550101")},
	}
	dests := []string{"12155550100", "12155550101", "12155550103", "12155550105", "15550000001", "15550000003", "15550000009", "13035550100", "sip:alice@example.com"}
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(timeless{t}, func(t *rapid.T) {
			var state atomic.Int32 // of the Numbering
			numbering := func(ctx context.Context, n tn.Number) ([]string, error) {
				switch state.Load() {
				case 1:
					return nil, errors.New("down")
				case 2:
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return plain(ctx, n)
			}
			r := open(t, push.Config{Numbering: directory(numbering), QueueMax: 4}, 0)
			defer r.end()
			var laid []entry
			followers := make([]*follower, len(interests))
			resume := func(f *follower) {
				s, err := r.hub.Subscribe("us", f.in, f.cursor)
				if err != nil {
					t.Fatal(err)
				}
				f.sub = s
			}
			for i, in := range interests {
				followers[i] = &follower{in: in, has: map[string]bool{}}
				resume(followers[i])
				followers[i].cursor = followers[i].sub.Cursor()
			}
			// read takes at most so many events, and tells whether there was nothing more.
			read := func(f *follower, most int) (done bool) {
				for range most {
					ctx, cancel := context.WithTimeout(context.Background(), time.Microsecond)
					event, err := f.sub.Next(ctx)
					cancel()
					switch {
					case errors.Is(err, context.DeadlineExceeded):
						return true
					case errors.Is(err, push.ErrSlow):
						f.sub.Close()
						f.sub = nil
						return false
					case err != nil:
						t.Fatal(err)
					case !event.Gap:
						var i int
						if _, err := fmt.Sscan(event.Held.Passports[0], &i); err != nil || event.Held.Key != laid[i].key || !matches(f.in, laid[i].key) || !laid[i].expires.After(time.Now()) {
							t.Fatalf("told %+v, which is not for %+v", event, f.in)
						}
						f.has[event.Held.Passports[0]] = true
					}
					f.cursor = event.Cursor
				}
				return false
			}
			one := rapid.SampledFrom(followers)
			t.Repeat(map[string]func(*rapid.T){
				"lay": func(t *rapid.T) {
					for range rapid.IntRange(1, 6).Draw(t, "records") {
						k := key(t, oob.RFC9888, "", rapid.SampledFrom(dests).Draw(t, "dest"), "12025550100")
						if rapid.IntRange(0, 3).Draw(t, "company") == 0 {
							k.Profile, k.SPC = oob.Company, rapid.SampledFrom([]string{"567A", "567B"}).Draw(t, "SPC")
						}
						life := rapid.SampledFrom([]time.Duration{3 * time.Second, time.Hour}).Draw(t, "life")
						laid = append(laid, entry{k, time.Now().Add(life)})
						r.publish(k, fmt.Sprint(len(laid)-1), life)
					}
				},
				"settle": func(*rapid.T) { synctest.Wait() },
				"pass": func(t *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond)
				},
				"numbering": func(t *rapid.T) { state.Store(rapid.Int32Range(0, 2).Draw(t, "state")) },
				"read": func(t *rapid.T) {
					if f := one.Draw(t, "who"); f.sub != nil {
						read(f, rapid.IntRange(1, 10).Draw(t, "most"))
					}
				},
				"heartbeat": func(t *rapid.T) {
					if f := one.Draw(t, "who"); f.sub != nil {
						f.cursor = f.sub.Cursor()
					}
				},
				"cut": func(t *rapid.T) {
					if f := one.Draw(t, "who"); f.sub != nil {
						f.sub.Close()
						f.sub = nil
					}
				},
				"resume": func(t *rapid.T) {
					if f := one.Draw(t, "who"); f.sub == nil {
						resume(f)
					}
				},
				"move": func(t *rapid.T) {
					f := one.Draw(t, "who")
					if f.sub != nil {
						f.sub.Close()
					}
					f.cursor = rapid.SampledFrom([]string{f.cursor, foreign}).Draw(t, "cursor")
					resume(f)
				},
			})
			state.Store(0)
			for range 10 { // all look-ups are repeated, and nobody is slow any more
				time.Sleep(4 * time.Second)
				synctest.Wait()
				for _, f := range followers {
					for done := false; !done; {
						if f.sub == nil {
							resume(f)
						}
						done = read(f, 1<<20)
					}
				}
			}
			for i, e := range laid {
				for n, f := range followers {
					if matches(f.in, e.key) && e.expires.After(time.Now()) && !f.has[fmt.Sprint(i)] {
						t.Errorf("follower %d was never told of record %d, %+v", n, i, e.key)
					}
				}
			}
		})
	})
}
