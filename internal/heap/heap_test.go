package heap

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestTune_TheOperatorHasTheLastWord(t *testing.T) {
	runtime.GC() // of what other tests have left
	gcPercent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer debug.SetGCPercent(gcPercent)
	defer debug.SetMemoryLimit(limit)
	const followed = -1
	for _, c := range []struct {
		live, reserve    int64
		gogc, gomemlimit string
		percent          int
		limit            int64
	}{
		{1 << 30, 0, "", "", followed, 1<<30 + 256<<20 + 512<<20},
		{1 << 30, 1 << 30, "", "", followed, 2<<30 + 256<<20 + 512<<20},
		{1 << 30, 0, "50", "", 70, 1<<30 + 256<<20 + 512<<20}, // 70 is what stood there before
		{1 << 30, 0, "", "1GiB", followed, 1 << 40},
		{1 << 30, 0, "50", "1GiB", 70, 1 << 40},
		{16 << 20, 0, "", "", 100, 20<<20 + 512<<20}, // it may never hold much
		{16 << 20, 1 << 30, "", "", followed, 20<<20 + 1<<30 + 512<<20},
		{16 << 20, 0, "50", "", 70, 20<<20 + 512<<20},
	} {
		debug.SetGCPercent(70)
		debug.SetMemoryLimit(1 << 40)
		t.Setenv("GOGC", c.gogc)
		t.Setenv("GOMEMLIMIT", c.gomemlimit)
		Tune(c.live, c.reserve)()
		switch got := debug.SetGCPercent(100); {
		case c.percent == followed && got <= collectAtLittle:
			t.Errorf("%d, GOGC=%q: %d for a heap that is nearly empty", c.live, c.gogc, got)
		case c.percent != followed && got != c.percent:
			t.Errorf("%d, GOGC=%q: %d, want %d", c.live, c.gogc, got, c.percent)
		}
		if got := debug.SetMemoryLimit(-1); got != c.limit {
			t.Errorf("%d, GOMEMLIMIT=%q: %d, want %d", c.live, c.gomemlimit, got, c.limit)
		}
	}
}

func TestGarbageIsMeasuredByWhatIsLookedAt(t *testing.T) {
	for _, c := range []struct {
		name          string
		live, scanned uint64
		want          int
	}{
		{"before the first collection", 0, 0, percentMost},
		{"next to nothing", 4 << 20, 2 << 20, percentMost},
		{"small", 32 << 20, 16 << 20, 400},
		{"all of it has pointers", 1 << 30, 1 << 30, 209},
		{"hardly any of it has", 4 << 30, 16 << 20, 3},
		{"so much that a percent is more", 100 << 30, 16 << 20, percentLeast},
	} {
		if got := percent(c.live, c.scanned); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestFollowsWhatTheRuntimeTells holds the names of the metrics to the truth: what is unknown would read as zero.
func TestFollowsWhatTheRuntimeTells(t *testing.T) {
	gcPercent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer debug.SetGCPercent(gcPercent)
	defer debug.SetMemoryLimit(limit)
	t.Setenv("GOGC", "")
	held := make([]byte, 256<<20)
	runtime.GC()
	Tune(1<<30, 0)()
	if got := debug.SetGCPercent(100); got < 30 || got > 100 {
		t.Errorf("%d percent of 256 MiB", got)
	}
	runtime.KeepAlive(held)
}
