package load

import (
	"testing"
	"time"
)

func TestWaits(t *testing.T) {
	buckets := []float64{0, 0.001, 0.01, 0.1, 1}
	for _, c := range []struct {
		name          string
		before, after []uint64
		want          time.Duration
	}{
		{"none", []uint64{5, 5, 0, 0}, []uint64{5, 5, 0, 0}, 0},
		{"before does not count", []uint64{0, 0, 0, 9}, []uint64{100, 0, 0, 9}, 0},
		{"one of a hundred", []uint64{0, 0, 0, 0}, []uint64{99, 0, 1, 0}, 0},
		{"two of a hundred", []uint64{0, 0, 0, 0}, []uint64{98, 0, 2, 0}, 10 * time.Millisecond},
		{"another runtime", nil, []uint64{98, 0, 2, 0}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := (waits{c.after, buckets}).p99(waits{c.before, buckets}); got != c.want {
				t.Errorf("%s, not %s", got, c.want)
			}
		})
	}
	if w := readWaits(); len(w.counts) == 0 || len(w.buckets) != len(w.counts)+1 {
		t.Errorf("the runtime tells nothing: %d, %d", len(w.counts), len(w.buckets))
	}
}
