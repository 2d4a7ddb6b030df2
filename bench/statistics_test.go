package main

import (
	"math"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"none", nil, 0},
		{"one", []float64{7}, 7},
		{"odd", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 3, 100}, 3.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := median(c.values); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[99-i] = float64(i + 1)
	}
	for _, c := range []struct {
		name   string
		values []float64
		p      float64
		want   float64
	}{
		{"none", nil, 99, 0},
		{"one", []float64{7}, 99, 7},
		{"p50 of 100", hundred, 50, 50},
		{"p99 of 100", hundred, 99, 99},
		{"p100 of 100", hundred, 100, 100},
		{"p0 of 100", hundred, 0, 1},
		{"p99 of 3", []float64{3, 1, 2}, 99, 3},
		{"p50 of 3", []float64{3, 1, 2}, 50, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := percentile(c.values, c.p); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	if hundred[0] != 100 {
		t.Error("the values were sorted in place")
	}
}

// sliceOf is a slice of n requests in one second.
func sliceOf(n int) slice { return slice{answered: make([]request, n), took: time.Second} }

// TestRatioIsThatOfPairs: a machine that is slow for a while is slow for both slices of a pair.
func TestRatioIsThatOfPairs(t *testing.T) {
	pairs := []pair{
		{floor: sliceOf(1000), subject: sliceOf(900)},
		{floor: sliceOf(100), subject: sliceOf(80)},
		{floor: sliceOf(2000), subject: sliceOf(1700)},
	}
	floor, subject, ratio := compared(pairs, slice.perSecond)
	if floor != 1000 || subject != 900 || math.Abs(ratio-0.85) > 1e-9 {
		t.Errorf("floor %v, subject %v, ratio %v", floor, subject, ratio)
	}
}

func TestSliceFigures(t *testing.T) {
	s := sliceOf(4)
	s.took, s.cpu = 2*time.Second, time.Second
	s.latencies = []time.Duration{4 * time.Millisecond, time.Millisecond, 2 * time.Millisecond, 3 * time.Millisecond}
	for name, c := range map[string]struct{ got, want float64 }{
		"requests a second":   {s.perSecond(), 2},
		"CPU of a request":    {s.cpuMicroseconds(), 250_000},
		"median latency, ms":  {s.percentile(50), 2},
		"longest latency, ms": {s.percentile(100), 4},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}
