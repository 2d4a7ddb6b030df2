package turnstile_test

import (
	"testing"

	"github.com/viaduct-oob/viaduct/internal/turnstile"
)

// BenchmarkFreePlace is what a request pays where nobody waits: in, known to be proven, out.
func BenchmarkFreePlace(b *testing.B) {
	t := turnstile.New(turnstile.Config{})
	g := guest("192.0.2.1", "1234")
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		pass, err := t.Enter(ctx, g, turnstile.Publication)
		if err != nil {
			b.Fatal(err)
		}
		turnstile.Proven(pass)
		pass.Leave()
	}
}

// BenchmarkQueue is what a request pays that waits for its turn, among thousands of others.
func BenchmarkQueue(b *testing.B) {
	t := turnstile.New(turnstile.Config{Places: 1, Burst: 1 << 40})
	g := guest("192.0.2.1", "1234")
	b.ReportAllocs()
	b.SetParallelism(500)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if pass, err := t.Enter(b.Context(), g, turnstile.Publication); err == nil {
				pass.Leave()
			}
		}
	})
}
