package natslog_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store/natslog"
)

// BenchmarkAppend appends at all nodes of a site at once, 64 callers each, and tells what an event costs in all: written,
// stored on every node, and applied to the view of each.
func BenchmarkAppend(b *testing.B) {
	for name, count := range map[string]int{"one": 1, "three": 3} {
		b.Run(name, func(b *testing.B) {
			var all []natslog.Config
			if count == 1 {
				cfg := natslog.Config{Site: "east", Node: "n1", Dir: b.TempDir(), KeepMax: keep, BytesMax: 1 << 30}
				all = append(all, cfg)
			} else {
				all = site(b, newAuthority(b), "east", count)
			}
			var nodes []*node
			for _, cfg := range all {
				nodes = append(nodes, open(b, cfg))
			}
			ready(b, nodes...)
			appendMany(b, nodes)
		})
	}
}

func appendMany(b *testing.B, nodes []*node) {
	filler := strings.Repeat("x", 800)
	var before, after syscall.Rusage
	var left atomic.Int64
	var slowest atomic.Int64
	left.Store(int64(b.N))
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	b.ResetTimer()
	var callers sync.WaitGroup
	for _, n := range nodes {
		for range 64 {
			callers.Go(func() {
				for left.Add(-1) >= 0 {
					ev := event()
					ev.Publication.Passports[0] += filler
					begun := time.Now()
					if _, err := n.log.Append(b.Context(), ev); err != nil {
						b.Error(err)
					}
					slowest.Store(max(slowest.Load(), int64(time.Since(begun))))
				}
			})
		}
	}
	callers.Wait()
	b.StopTimer()
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	batches := uint64(0)
	for _, n := range nodes {
		batches += n.log.Stats().Batches
	}
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/float64(batches), "events/batch")
	b.ReportMetric(float64(slowest.Load())/1e6, "worst-ms")
}
