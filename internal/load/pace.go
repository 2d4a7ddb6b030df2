package load

import (
	"context"
	"time"
)

// coarse is what timers of the runtime may be late by: where the network is quiet it waits in whole milliseconds.
const coarse = 1200 * time.Microsecond

// sleepUntil sleeps until an instant, or until ctx ends.
func sleepUntil(ctx context.Context, until time.Time) {
	rest := time.Until(until)
	if rest > coarse {
		timer := time.NewTimer(rest - coarse)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
	if rest = time.Until(until); rest > 0 {
		nap(rest)
	}
}
