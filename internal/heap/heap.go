// Package heap sets up the garbage collector for a server whose live data is bounded by its configuration.
//
// Knows: the settings of the Go runtime. Never hears of: what the memory holds.
package heap

import (
	"os"
	"runtime/debug"
)

const (
	// collectAt: the heap may grow to five times what is live. With Go's own setting, twice, a server that holds little is
	// collected several times a second, which costs a tenth of a request; see docs/performance.md.
	collectAt = 400
	// spare is for everything but the live data that Tune is told of: connections, certificates, the runtime.
	spare = 512 << 20
)

// Tune lets the heap grow freely while it is small, and no further than twice liveMax and some spare when it is not.
// GOGC and GOMEMLIMIT, where the operator has set them, are left alone.
func Tune(liveMax int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(2*liveMax + spare)
	}
}
