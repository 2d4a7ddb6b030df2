package nice

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// hire makes a thread, also where the tests have one processor.
func hire(t *testing.T) *Thread {
	t.Helper()
	if !able {
		t.Skip("a thread cannot give way on this system")
	}
	return &Thread{work: make(chan *errand), hired: make(chan struct{}, 1)}
}

func TestThereIsNoneBesideASingleProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if New() != nil {
		t.Error("there is a thread that would hold up all others")
	}
	runtime.GOMAXPROCS(2)
	if (New() != nil) != able {
		t.Errorf("with two processors there is a thread: %t, want %t", New() != nil, able)
	}
}

func TestWithoutAThreadTheCallerWorks(t *testing.T) {
	done := false
	(*Thread)(nil).Do(0, func() { done = true })
	if !done {
		t.Error("nobody has worked")
	}
}

func TestPanicsAreTheCallers(t *testing.T) {
	thread := hire(t)
	for _, c := range []struct {
		name string
		work func()
		want any
	}{
		{"none", func() {}, nil},
		{"a panic", func() { panic("broken") }, "broken"}, // what is tested
		{"after it", func() {}, nil},
		{"the end of the goroutine", runtime.Goexit, nil},
		{"after that", func() {}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if got := recover(); got != c.want {
					t.Errorf("the caller sees %v, want %v", got, c.want)
				}
			}()
			thread.Do(time.Minute, c.work)
		})
	}
}

// Who waits is not kept by others for longer than he is prepared to be.
func TestWhoHasWaitedWorksHimself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		thread := hire(t)
		gate := make(chan struct{})
		go thread.Do(0, func() { <-gate })
		synctest.Wait()
		began := time.Now()
		thread.Do(100*time.Millisecond, func() {
			if waited := time.Since(began); waited != 100*time.Millisecond {
				t.Errorf("worked after %s, want 100ms", waited)
			}
		})
		var order []string
		go thread.Do(time.Minute, func() { order = append(order, "on the thread") })
		synctest.Wait()
		order = append(order, "gate")
		close(gate)
		synctest.Wait()
		if want := []string{"gate", "on the thread"}; !slices.Equal(order, want) {
			t.Errorf("%q, want %q", order, want)
		}
		time.Sleep(idle)
	})
}

// A thread that has nothing to do ends, and another comes for what is there later.
func TestThreadsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		thread := hire(t)
		for range 2 {
			thread.Do(0, func() {})
			time.Sleep(idle - time.Nanosecond)
			if len(thread.hired) != 1 {
				t.Error("the thread has ended before its time")
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if len(thread.hired) != 0 {
				t.Error("the thread goes on")
			}
		}
	})
}
