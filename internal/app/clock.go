package app

import "time"

// clockOffset is how far the clock of this program is off, such as 3s. It is empty but in a program that was linked for a test of clocks
// that differ: -ldflags "-X github.com/viaduct-oob/viaduct/internal/app.clockOffset=3s".
var clockOffset string

// clock is the clock of all that a node shares with others.
var clock = clockOf(clockOffset)

func clockOf(offset string) func() time.Time {
	off, err := time.ParseDuration(offset)
	if err != nil || off == 0 {
		return time.Now
	}
	return func() time.Time { return time.Now().Add(off) }
}
