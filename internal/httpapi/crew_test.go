package httpapi

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestCrew_EverybodyIsServed: more errands at a time than there are goroutines, a panic among them, and the end of idleness.
func TestCrew_EverybodyIsServed(t *testing.T) {
	for _, most := range []int{0, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrew(most)
			var all sync.WaitGroup
			var mu sync.Mutex
			done, panicked := 0, 0
			for i := range 20 {
				all.Go(func() {
					defer func() {
						if recover() != nil {
							mu.Lock()
							defer mu.Unlock()
							panicked++
						}
					}()
					c.serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
						time.Sleep(time.Second) // of the bubble: all of them are under way at a time
						if i%10 == 0 {
							panic("of an errand")
						}
						mu.Lock()
						defer mu.Unlock()
						done++
					}), nil, nil)
				})
			}
			all.Wait()
			if done != 18 || panicked != 2 {
				t.Errorf("%d done, %d panicked; want 18 and 2", done, panicked)
			}
			time.Sleep(crewIdle) // a goroutine that did not go home would end the bubble with a deadlock
			synctest.Wait()
			if len(c.hired) != 0 {
				t.Errorf("%d are still hired", len(c.hired))
			}
		})
	}
}
