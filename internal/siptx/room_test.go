package siptx_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// TestASwitchLeavesRoomForOthers: each gets at most three times what is free, which is three quarters for the first.
func TestASwitchLeavesRoomForOthers(t *testing.T) {
	waits := func(ctx context.Context, r *siptx.Request) siptx.Response {
		<-ctx.Done()
		return siptx.Response{Status: 503}
	}
	for name, c := range map[string]siptx.Config{
		"InFlightMax":                  {InFlightMax: 40, Respond: waits},
		"HeldBytesMax":                 {HeldBytesMax: 40 * len(invite("z9hG4bK100")), Respond: waits},
		"TransactionsMax, not sent on": {TransactionsMax: 40, Respond: waits},
		"TransactionsMax, sent on":     proxy(siptx.Config{TransactionsMax: 40}),
	} {
		t.Run(name, func(t *testing.T) {
			c.TryingAfter = 200 * time.Millisecond
			bubble(t, c, func(r *rig) {
				n := 100 // of three digits: all are of one length
				for i, want := range []int{30, 8, 2, 0} {
					from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}), 5060)
					refused := 0
					for range 50 {
						r.send(invite("z9hG4bK"+itoa(n)), from)
						n++
						for _, d := range r.wire.take() {
							if strings.HasPrefix(d.text, "SIP/2.0 503") && d.peer.Addr() == from.Addr() {
								refused++
							}
						}
					}
					if refused != 50-want {
						t.Errorf("switch %d: %d of 50 have room, want %d", i, 50-refused, want)
					}
				}
				if st := r.server.Stats(); st.Transactions != 40 || st.Overloads != 160 {
					t.Errorf("got %+v", st)
				}
			})
		})
	}
}

// TestAnswersAreForgottenForWantOfRoom: the oldest first, and one that is asked about again is answered again.
func TestAnswersAreForgottenForWantOfRoom(t *testing.T) {
	asked := 0
	respond := func(ctx context.Context, r *siptx.Request) siptx.Response {
		asked++
		return found(ctx, r)
	}
	for name, c := range map[string]siptx.Config{
		"TransactionsMax": {TransactionsMax: 4, Respond: respond},
		"HeldBytesMax":    {HeldBytesMax: 6 * len(invite("z9hG4bK1")), Respond: respond}, // four answers and a request
	} {
		t.Run(name, func(t *testing.T) {
			asked = 0
			bubble(t, c, func(r *rig) {
				for _, branch := range []string{"z9hG4bK1", "z9hG4bK2", "z9hG4bK3", "z9hG4bK4", "z9hG4bK5", "z9hG4bK6"} {
					r.send(invite(branch), theSwitch)
					r.want("SIP/2.0 302", theSwitch)
				}
				st := r.server.Stats()
				if st.Forgotten == 0 || st.Transactions+int(st.Forgotten) != 6 {
					t.Fatalf("got %+v", st)
				}
				r.send(invite("z9hG4bK6"), theSwitch)
				r.want("SIP/2.0 302", theSwitch)
				if asked != 6 {
					t.Errorf("Respond was asked %d times, want 6", asked)
				}
				r.send(invite("z9hG4bK1"), theSwitch)
				r.want("SIP/2.0 302", theSwitch)
				if asked != 7 {
					t.Errorf("Respond was asked %d times, want 7", asked)
				}
				time.Sleep(40 * time.Second)
				synctest.Wait()
				r.empty()
			})
		})
	}
}

// TestAnswersOfTheForgedAreSentOnce: in the name of a switch that never asked, at most resendMax answers are sent more than
// once, so that little more comes to it than was sent by whoever forges.
func TestAnswersOfTheForgedAreSentOnce(t *testing.T) {
	const calls = 20_000
	bubble(t, siptx.Config{Respond: signed}, func(r *rig) {
		in, out := 0, 0
		count := func() {
			for _, d := range r.wire.take() {
				out += len(d.text)
			}
		}
		for i := range calls { // 1000 a second
			message := call(i)[0]
			in += len(message)
			r.wire.in <- datagram{string(message), theSwitch}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			count()
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		count()
		factor := float64(out) / float64(in)
		t.Logf("%d bytes came, %d went: factor %.2f", in, out, factor)
		if factor > 2 {
			t.Errorf("%.2f times what came, want at most 2", factor)
		}
		if st := r.server.Stats(); st.RetransmissionsLeft == 0 || st.RetransmissionsOut > 512*10 {
			t.Errorf("got %+v", st)
		}
		r.empty()
		r.send(invite("z9hG4bKafter"), theSwitch) // one that works again has its answer sent again
		r.want("SIP/2.0 302", theSwitch)
		time.Sleep(time.Second)
		synctest.Wait()
		r.want("SIP/2.0 302", theSwitch)
	})
}

// TestABranchThatIsUsedAgain: a switch that was started anew, or that forgets to choose another branch, gets the answer to the
// call that it asks about.
func TestABranchThatIsUsedAgain(t *testing.T) {
	bubble(t, siptx.Config{}, func(r *rig) {
		for _, edit := range [][]string{nil, {"Call-ID", "another"}, {"CSeq", "2 INVITE"}} {
			r.send(invite("z9hG4bK1", edit...), theSwitch)
			answer := r.want("SIP/2.0 302", theSwitch)
			if want := invite("z9hG4bK1", edit...); header(answer, "Call-ID") != header(want, "Call-ID") || header(answer, "CSeq") != header(want, "CSeq") {
				t.Errorf("got %s\nto %s", answer, want)
			}
			ackEdit := append([]string{"CSeq", strings.Replace(header(answer, "CSeq"), "INVITE", "ACK", 1)}, "Call-ID", header(answer, "Call-ID"))
			r.send(ack("z9hG4bK1", answer, ackEdit...), theSwitch)
		}
		if st := r.server.Stats(); len(st.Dropped) != 0 || st.Transactions != 3 {
			t.Errorf("got %+v", st)
		}
	})
}

// TestAnINVITEThatComesAgainOverAnotherConnection: the answer went to one that the switch has given up.
func TestAnINVITEThatComesAgainOverAnotherConnection(t *testing.T) {
	bubble(t, siptx.Config{}, func(r *rig) {
		first := r.connect(theSwitch, false)
		first.send(invite("z9hG4bK1"))
		first.send(invite("z9hG4bK1"))
		if got := first.take(); strings.Count(got, "SIP/2.0 302") != 1 { // nothing is lost on a stream
			t.Errorf("got %q", got)
		}
		first.conn.Close()
		second := r.connect(theSwitch, false)
		second.send(invite("z9hG4bK1"))
		if got := second.take(); !strings.HasPrefix(got, "SIP/2.0 302") {
			t.Errorf("got %q", got)
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		r.empty()
	})
}

// TestLocal is where a request came to.
func TestLocal(t *testing.T) {
	var local []netip.AddrPort
	bubble(t, siptx.Config{Respond: func(ctx context.Context, r *siptx.Request) siptx.Response {
		local = append(local, r.Local)
		return found(ctx, r)
	}}, func(r *rig) {
		r.send(invite("z9hG4bK1"), theSwitch)
		l := r.connect(theSwitch, false)
		l.send(invite("z9hG4bK2"))
		if len(local) != 2 || local[0] != self || local[1] != self {
			t.Errorf("got %v, want twice %v", local, self)
		}
	})
}
