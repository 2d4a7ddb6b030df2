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
		live             int64
		gogc, gomemlimit string
		percent          int
		limit            int64
	}{
		{1 << 30, "", "", 400, 2<<30 + 512<<20},
		{1 << 30, "50", "", 70, 2<<30 + 512<<20}, // 70 is what stood there before
		{1 << 30, "", "1GiB", 400, 1 << 40},
		{1 << 30, "50", "1GiB", 70, 1 << 40},
		{16 << 20, "", "", 100, 32<<20 + 512<<20}, // it may never hold much
		{16 << 20, "50", "", 70, 32<<20 + 512<<20},
	} {
		debug.SetGCPercent(70)
		debug.SetMemoryLimit(1 << 40)
		t.Setenv("GOGC", c.gogc)
		t.Setenv("GOMEMLIMIT", c.gomemlimit)
		heap.Tune(c.live)
		if got := debug.SetGCPercent(100); got != c.percent {
			t.Errorf("%d, GOGC=%q: %d, want %d", c.live, c.gogc, got, c.percent)
		}
		if got := debug.SetMemoryLimit(-1); got != c.limit {
			t.Errorf("%d, GOMEMLIMIT=%q: %d, want %d", c.live, c.gomemlimit, got, c.limit)
		}
	}
}
