package trace_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/tn"
)

// BenchmarkCall is what a record costs on the road of a call: begun, noted, five steps, finished. What is done with it
// behind the call, packed and kept, is reported beside it.
func BenchmarkCall(b *testing.B) {
	const batch = 10000
	var r *trace.Recorder
	var settling time.Duration
	renew := func() {
		b.StopTimer()
		began := time.Now()
		if err := r.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
		settling += time.Since(began)
		var err error
		if r, err = trace.Open(trace.Config{Bytes: 8 << 20}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	peer, local := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060")
	orig, _ := tn.ParseIdentity("12155550121")
	dest, _ := tn.ParseIdentity("12155550131")
	renew()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		c := r.Begin("udp", peer, local, "3848276298220188511@atlanta.example")
		c.Note(func(r *trace.Record) {
			r.Trunk, r.Mode, r.Orig, r.Dest, r.KeyOrig, r.KeyDest = "pstn-a", "publish", orig, dest, orig, dest
			r.Attest, r.OrigID, r.X5U = "A", "123e4567-e89b-12d3-a456-426655440000", "https://cr.example/sp.pem"
		})
		for _, step := range [...]string{"matched", "key", "signed", "published", "answered"} {
			c.Step(step, "")
		}
		c.Finish(302, "")
		if n++; n%batch == 0 {
			renew()
		}
	}
	renew()
	b.ReportMetric(float64(settling.Nanoseconds())/float64(n), "settle-ns/op")
}
