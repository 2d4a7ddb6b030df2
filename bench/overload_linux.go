package main

import (
	"syscall"
	"time"
)

// nap sleeps, and is some 60 µs late: the system's clock wakes its thread, not the runtime, which is up to a millisecond late where
// the network is quiet.
func nap(d time.Duration) {
	rest := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&rest, nil) // interrupted: a little early
}
