package siptx_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// acknowledgedBytesMax is what a call may take after its ACK, in bytes.
const acknowledgedBytesMax = 128

// TestWhatACallTakesAfterItsACK: for T4, no more than the name it is known by.
func TestWhatACallTakesAfterItsACK(t *testing.T) {
	const calls = 50_000
	bubble(t, siptx.Config{Respond: signed}, func(r *rig) {
		before := heap()
		const batch = 100
		for i := 0; i < calls; i += batch {
			for part := range 2 {
				for j := range batch {
					r.wire.in <- datagram{string(call(i + j)[part]), theSwitch}
				}
				synctest.Wait()
			}
			r.wire.take()
		}
		if st := r.server.Stats(); st.Transactions != calls || st.InFlight != 0 {
			t.Fatalf("%d transactions, %d in flight", st.Transactions, st.InFlight)
		}
		each := int(heap()-before) / calls
		t.Logf("%d bytes for each call that is acknowledged", each)
		if each > acknowledgedBytesMax {
			t.Errorf("%d bytes for each call, want at most %d", each, acknowledgedBytesMax)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		r.empty()
		if left := heap() - before; left > 8<<20 {
			t.Errorf("%d bytes are left of %d calls", left, calls)
		}
	})
}

// heap is what is reachable.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
