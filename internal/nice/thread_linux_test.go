package nice

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// priority is the nice value of the calling thread.
func priority(t *testing.T) int {
	t.Helper()
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Gettid())
	if err != nil {
		t.Fatal(err)
	}
	return 20 - raw // the system call gives it so that it is never negative
}

func TestTheThreadGivesWayAndNobodyElse(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := priority(t)
	var there int
	thread := hire(t)
	thread.Do(time.Minute, func() { there = priority(t) })
	if want := max(before, niceness); there != want {
		t.Errorf("the thread has nice value %d, want %d", there, want)
	}
	if after := priority(t); after != before {
		t.Errorf("the caller had nice value %d and has %d", before, after)
	}
}
