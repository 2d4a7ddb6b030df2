package heap_test

import (
	"runtime/debug"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/heap"
)

func TestTune_TheOperatorHasTheLastWord(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer debug.SetGCPercent(percent)
	defer debug.SetMemoryLimit(limit)
	for _, c := range []struct {
		gogc, gomemlimit string
		percent          int
		limit            int64
	}{
		{"", "", 400, 2<<30 + 512<<20},
		{"50", "", 100, 2<<30 + 512<<20}, // 100 is what stood there before
		{"", "1GiB", 400, 1 << 40},
		{"50", "1GiB", 100, 1 << 40},
	} {
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(1 << 40)
		t.Setenv("GOGC", c.gogc)
		t.Setenv("GOMEMLIMIT", c.gomemlimit)
		heap.Tune(1 << 30)
		if got := debug.SetGCPercent(100); got != c.percent {
			t.Errorf("GOGC=%q: %d, want %d", c.gogc, got, c.percent)
		}
		if got := debug.SetMemoryLimit(-1); got != c.limit {
			t.Errorf("GOMEMLIMIT=%q: %d, want %d", c.gomemlimit, got, c.limit)
		}
	}
}
