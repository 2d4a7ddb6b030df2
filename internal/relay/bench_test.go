package relay_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// BenchmarkRelay is what it costs to have a record on another CPS, both ends together, with what it cost to publish it: over TLS on
// loopback, everything verified. The processor time is that of the whole process.
func BenchmarkRelay(b *testing.B) {
	m := startMesh(b, 2, nil)
	client := m.client(m.members[0])
	calls := make([]oob.Publication, b.N)
	for n := range calls {
		calls[n] = m.call(n % 10_000)
	}
	arrived := m.members[1].laid
	before := processorTime()
	b.ResetTimer()
	published := make(chan struct{}, 8)
	for n := range calls {
		published <- struct{}{}
		go func() {
			if err := client.Publish(b.Context(), calls[n]); err != nil {
				b.Error(err)
			}
			<-published
		}()
		if n >= 64 {
			<-arrived
			<-m.members[0].laid
		}
	}
	for range min(b.N, 64) {
		<-arrived
		<-m.members[0].laid
	}
	b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
