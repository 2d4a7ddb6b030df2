package siptx_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// TestFloodWithoutACK: a hundred thousand INVITEs that nobody acknowledges are all answered, take TransactionsMax places, have
// nothing sent again, and afterwards all is as before.
func TestFloodWithoutACK(t *testing.T) {
	bubble(t, siptx.Config{TransactionsMax: 2000, InFlightMax: 100}, func(r *rig) {
		statuses := map[string]int{}
		take := func() {
			for _, d := range r.wire.take() {
				statuses[d.text[8:11]]++
			}
		}
		for i := range 100_000 {
			r.wire.in <- datagram{invite("z9hG4bK" + itoa(i)), theSwitch}
			if i%50 == 0 {
				synctest.Wait()
				take()
				if st := r.server.Stats(); st.Transactions > 2000 || st.InFlight > 100 {
					t.Fatalf("got %+v", st)
				}
			}
		}
		synctest.Wait()
		take()
		time.Sleep(40 * time.Second)
		synctest.Wait()
		take()
		if len(statuses) != 1 || statuses["302"] != 100_000 {
			t.Errorf("got %v", statuses)
		}
		if st := r.server.Stats(); st.Forgotten != 98_000 || st.Overloads != 0 || st.RetransmissionsLeft == 0 || st.RetransmissionsOut != 0 {
			t.Errorf("got %+v", st)
		}
		r.empty()
		r.send(invite("z9hG4bKafter"), theSwitch)
		r.want("SIP/2.0 302", theSwitch)
	})
}

// TestInFlightIsBounded: beyond InFlightMax, 503 comes at once, and there is room when Respond returns.
func TestInFlightIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan bool)
		r := start(t, siptx.Config{InFlightMax: 2, TryingAfter: 200 * time.Millisecond, Respond: func(ctx context.Context, r *siptx.Request) siptx.Response {
			<-gate
			return found(ctx, r)
		}})
		for _, branch := range []string{"z9hG4bK1", "z9hG4bK2", "z9hG4bK3"} {
			r.send(invite(branch), theSwitch)
		}
		if busy := r.want("SIP/2.0 503", theSwitch); header(busy, "Retry-After") != "5" || !strings.Contains(header(busy, "Via"), "z9hG4bK3") {
			t.Errorf("got %s", busy)
		}
		gate <- true
		synctest.Wait()
		r.want("SIP/2.0 302", theSwitch)
		r.send(invite("z9hG4bK3"), theSwitch)
		r.silence()
		close(gate)
		synctest.Wait()
		r.want("SIP/2.0 302", theSwitch)
		r.want("SIP/2.0 302", theSwitch)
	})
}

// TestCallsLeaveNothing: each has its ACK, and within Timer I there are more of them than there is place for.
func TestCallsLeaveNothing(t *testing.T) {
	const calls = 50_000
	bubble(t, siptx.Config{TransactionsMax: 5_000}, func(r *rig) {
		for i := range calls {
			branch := "z9hG4bK" + itoa(i)
			r.wire.in <- datagram{invite(branch), theSwitch}
			synctest.Wait()
			out := r.wire.take()
			if len(out) != 1 || !strings.HasPrefix(out[0].text, "SIP/2.0 302") {
				t.Fatalf("call %d: got %v", i, out)
			}
			r.wire.in <- datagram{ack(branch, out[0].text), theSwitch}
		}
		synctest.Wait()
		if st := r.server.Stats(); st.Transactions > 5_000 || st.Overloads != 0 {
			t.Errorf("got %+v", st)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		r.silence()
		r.empty()
	})
}
