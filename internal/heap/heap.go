// Package heap sets up the garbage collector for a server whose live data is bounded by its configuration.
//
// Knows: the settings of the Go runtime. Never hears of: what the memory holds.
package heap

import (
	"os"
	"runtime/debug"
)

const (
	// collectAtMuch: the heap may grow to five times what is live. With Go's own setting, twice, a server that holds little as
	// yet is collected several times a second, which costs a tenth of a request; see docs/performance.md.
	collectAtMuch = 400
	// collectAtLittle is Go's own setting, for a server that may never hold much: five times that would be more than it was
	// allowed, and what is collected is so little that it costs the same.
	collectAtLittle = 100
	little          = 256 << 20
	// spare is for everything but the live data that Tune is told of: connections, certificates, the runtime.
	spare = 512 << 20
)

// Tune lets the heap of a server that may hold much grow freely while it is small, and any heap no further than twice liveMax
// and some spare.
// GOGC and GOMEMLIMIT, where the operator has set them, are left alone.
func Tune(liveMax int64) {
	if os.Getenv("GOGC") == "" {
		percent := collectAtMuch
		if liveMax <= little {
			percent = collectAtLittle
		}
		debug.SetGCPercent(percent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(2*liveMax + spare)
	}
}
