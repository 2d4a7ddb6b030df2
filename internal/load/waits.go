package load

import (
	"runtime/metrics"
	"time"
)

// waits are how long goroutines that could have run had to wait for a processor, since the process began.
type waits struct {
	counts  []uint64
	buckets []float64 // bounds in seconds, one more than counts
}

func readWaits() waits {
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return waits{} // another runtime
	}
	h := sample[0].Value.Float64Histogram()
	return waits{h.Counts, h.Buckets}
}

// p99 is what 99 of 100 waits since an earlier reading did not exceed; 0 where there were none.
func (w waits) p99(before waits) time.Duration {
	if len(w.counts) != len(before.counts) {
		return 0
	}
	total, left := uint64(0), uint64(0)
	for i, n := range w.counts {
		total += n - before.counts[i]
	}
	for i := len(w.counts) - 1; i >= 0; i-- {
		if left += w.counts[i] - before.counts[i]; left*100 > total {
			return time.Duration(w.buckets[i] * float64(time.Second)) // its lower bound, for the highest has no upper
		}
	}
	return 0
}
