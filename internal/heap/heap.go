// Package heap sets up the garbage collector for a server whose live data is bounded by its configuration.
//
// Knows: the settings of the Go runtime. Never hears of: what the memory holds.
//
// # The rule
//
// A collection costs what it has to look at: the part of the live heap that has pointers, or may have. So that is what garbage
// is measured by: before the next collection there may be twice as much, and garbageLeast more. Millions of
// records without a pointer (internal/store) cost a collection nothing; as a percentage of the live heap, which is all that
// GOGC can express, they would pay for gigabytes of garbage. So the percentage follows the heap as it grows and shrinks.
package heap

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// garbageShare and garbageLeast: with Go's own setting, once, a server that holds little as yet is collected several times a second, which costs
	// a tenth of a request; see docs/performance.md.
	garbageShare = 2
	garbageLeast = 96 << 20

	// collectAtLittle is Go's own setting, for a server that may never hold much: garbageLeast would be more than it was
	// allowed, and what is collected is so little that it costs the same.
	collectAtLittle = 100
	little          = 256 << 20

	// percentLeast and percentMost bound what a percentage is set to.
	percentLeast = 2
	percentMost  = 1000

	// spare is for what Tune is not told of: connections, certificates, garbage, the runtime.
	spare = 512 << 20

	// lookEvery is how often the heap is looked at. Meanwhile it may grow by what is allocated in that time.
	lookEvery = 250 * time.Millisecond
)

// Tune lets the heap of a server that may hold much grow by the rule above, and any heap no further than a quarter more than
// liveMax, reserve and some spare. liveMax is the most that the server's own data can take, in bytes; reserve is what is to be left
// for others in the same process who allocate as they like: an engine that is embedded, for instance.
// GOGC and GOMEMLIMIT, where the operator has set them, are left alone. Stop ends what Tune has started.
func Tune(liveMax, reserve int64) (stop func()) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(liveMax + liveMax/4 + reserve + spare)
	}
	switch {
	case os.Getenv("GOGC") != "":
		return func() {}
	case liveMax+reserve <= little:
		debug.SetGCPercent(collectAtLittle)
		return func() {}
	}
	quit, ended := make(chan struct{}), sync.WaitGroup{}
	ended.Go(func() { follow(quit) })
	return func() {
		close(quit)
		ended.Wait()
	}
}

// follow sets the percentage anew whenever it has become wrong by a fifth. Setting it stops the world for some ten
// microseconds.
func follow(quit <-chan struct{}) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	now := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/total:bytes"}}
	seen := ^uint64(0)
	for set := 0; ; {
		metrics.Read(now)
		cycle, live, scanned := now[0].Value.Uint64(), now[1].Value.Uint64(), now[2].Value.Uint64()
		// Only just after a collection is it that which was looked at; garbage is added later.
		if want := percent(live, scanned); cycle != seen && 5*max(want-set, set-want) > set {
			debug.SetGCPercent(want)
			set = want
		}
		seen = cycle
		select {
		case <-tick.C:
		case <-quit:
			return
		}
	}
}

// percent is how much more than live the heap may become, when so much of it is looked at in a collection.
func percent(live, scanned uint64) int {
	garbage := garbageShare*scanned + garbageLeast
	return int(min(max(100*garbage/max(live, 1), percentLeast), percentMost))
}
