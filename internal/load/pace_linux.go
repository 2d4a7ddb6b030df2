package load

import (
	"syscall"
	"time"
)

// nap sleeps for less than a few milliseconds, and is some 60 µs late. The system's clock wakes its thread, not the runtime.
func nap(d time.Duration) {
	rest := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&rest, nil) // interrupted: a little early, which does no harm
}
