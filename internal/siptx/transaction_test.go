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

func TestRFC3261_S17_2_1_AnswerEndsWithACK(t *testing.T) {
	bubble(t, siptx.Config{}, func(r *rig) {
		r.send(invite("z9hG4bK1"), theSwitch)
		answer := r.want("SIP/2.0 302 Moved Temporarily\r\n", theSwitch)
		if !strings.Contains(header(answer, "To"), ";tag=") {
			t.Errorf("no tag in %s", header(answer, "To"))
		}
		if header(answer, "Contact") != "<sip:+12155550121@192.0.2.10>" || header(answer, "Content-Length") != "0" {
			t.Errorf("got %s", answer)
		}
		r.send(invite("z9hG4bK1"), theSwitch)
		if again := r.want("SIP/2.0 302", theSwitch); again != answer {
			t.Errorf("another answer to a retransmission:\n%s\nwant\n%s", again, answer)
		}
		r.send(ack("z9hG4bK1", answer), theSwitch)
		r.send(ack("z9hG4bK1", answer), theSwitch)
		r.silence()
		r.send(invite("z9hG4bK1"), theSwitch) // late: Timer I
		r.silence()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		r.silence()
		r.empty()
		if st := r.server.Stats(); st.RetransmissionsIn != 2 || st.RetransmissionsOut != 0 || st.AckTimeouts != 0 {
			t.Errorf("got %+v", st)
		}
	})
}

// TestRFC3261_S17_2_1_RetransmitsUntilTimerH: T1, 2*T1, 4*T1, then every T2, until 64*T1.
func TestRFC3261_S17_2_1_RetransmitsUntilTimerH(t *testing.T) {
	bubble(t, siptx.Config{}, func(r *rig) {
		began := time.Now()
		r.send(invite("z9hG4bK1"), theSwitch)
		answer := r.want("SIP/2.0 302", theSwitch)
		var at time.Duration
		for i, want := range []time.Duration{500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500} {
			want *= time.Millisecond
			time.Sleep(want - at - 50*time.Millisecond)
			synctest.Wait()
			r.silence()
			time.Sleep(200 * time.Millisecond)
			synctest.Wait()
			if again := r.want("SIP/2.0 302", theSwitch); again != answer {
				t.Fatalf("retransmission %d differs", i)
			}
			at = time.Since(began)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		r.silence()
		r.empty()
		if st := r.server.Stats(); st.RetransmissionsOut != 10 || st.AckTimeouts != 1 {
			t.Errorf("got %+v", st)
		}
	})
}

func TestRFC3261_S17_2_1_StreamDoesNotRetransmit(t *testing.T) {
	bubble(t, siptx.Config{}, func(r *rig) {
		l := r.connect(theSwitch, false)
		l.send(invite("z9hG4bK1"))
		if got := l.take(); strings.Count(got, "SIP/2.0 302") != 1 {
			t.Fatalf("got %q", got)
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if got := l.take(); got != "" {
			t.Errorf("got %q", got)
		}
		r.empty()
	})
}

// TestRFC3261_S17_2_1_TryingWhileRespondRuns: 100 once it takes longer, and again for each retransmission.
func TestRFC3261_S17_2_1_TryingWhileRespondRuns(t *testing.T) {
	respond := func(ctx context.Context, r *siptx.Request) siptx.Response {
		time.Sleep(700 * time.Millisecond)
		return found(ctx, r)
	}
	bubble(t, siptx.Config{Respond: respond}, func(r *rig) {
		r.send(invite("z9hG4bK1", "Timestamp", "54"), theSwitch)
		r.silence()
		r.send(invite("z9hG4bK1", "Timestamp", "54"), theSwitch)
		r.silence()
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		trying := r.want("SIP/2.0 100 Trying\r\n", theSwitch)
		if strings.Contains(header(trying, "To"), "tag=") || header(trying, "Timestamp") != "54" {
			t.Errorf("got %s", trying)
		}
		r.silence()
		r.send(invite("z9hG4bK1", "Timestamp", "54"), theSwitch)
		r.want("SIP/2.0 100", theSwitch)
		time.Sleep(700 * time.Millisecond)
		synctest.Wait()
		answer := r.want("SIP/2.0 302", theSwitch)
		r.send(ack("z9hG4bK1", answer), theSwitch)
		time.Sleep(10 * time.Second)
		r.silence()
		r.empty()
		if st := r.server.Stats(); st.RetransmissionsIn != 2 {
			t.Errorf("got %+v", st)
		}
	})
}

// TestRFC3261_S17_2_3_Matching: what is one transaction, and what is another.
func TestRFC3261_S17_2_3_Matching(t *testing.T) {
	old := []string{"Via", "SIP/2.0/UDP 192.0.2.10:5060"} // of RFC 2543: no branch
	for _, c := range []struct {
		name          string
		first, second string
		from          netip.AddrPort // of the second
		same          bool
	}{
		{"same branch", invite("z9hG4bK1"), invite("z9hG4bK1"), theSwitch, true},
		{"same branch from another port", invite("z9hG4bK1"), invite("z9hG4bK1"), netip.AddrPortFrom(theSwitch.Addr(), 40000), true},
		{"another branch", invite("z9hG4bK1"), invite("z9hG4bK2"), theSwitch, false},
		{"another sent-by", invite("z9hG4bK1"), invite("z9hG4bK1", "Via", "SIP/2.0/UDP 192.0.2.10:5061;branch=z9hG4bK1", "Call-ID", "x"), theSwitch, false},
		{"another source", invite("z9hG4bK1"), invite("z9hG4bK1", "Call-ID", "x"), netip.MustParseAddrPort("192.0.2.11:5060"), false},
		{"no magic cookie", invite("1", old...), invite("1", old...), theSwitch, true},
		{"no magic cookie, another Call-ID", invite("1", old...), invite("1", append(old, "Call-ID", "x")...), theSwitch, false},
		{"no magic cookie, another CSeq", invite("1", old...), invite("1", append(old, "CSeq", "2 INVITE")...), theSwitch, false},
		{"no magic cookie, another Request-URI", invite("1", old...), invite("1", append(old, "start", "INVITE sip:b@203.0.113.1 SIP/2.0")...), theSwitch, false},
		{"magic cookie and nothing else", invite("z9hG4bK"), invite("z9hG4bK", "Call-ID", "x"), theSwitch, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, siptx.Config{}, func(r *rig) {
				r.send(c.first, theSwitch)
				r.send(c.second, c.from)
				want := 2
				if c.same {
					want = 1
				}
				if st := r.server.Stats(); st.Transactions != want {
					t.Errorf("%d transactions, want %d", st.Transactions, want)
				}
			})
		})
	}
}

// TestRFC3261_S17_2_3_ACKOfRFC2543: its To tag is new, everything else as in the INVITE.
func TestRFC3261_S17_2_3_ACKOfRFC2543(t *testing.T) {
	bubble(t, siptx.Config{}, func(r *rig) {
		via := []string{"Via", "SIP/2.0/UDP 192.0.2.10:5060"}
		r.send(invite("1", via...), theSwitch)
		answer := r.want("SIP/2.0 302", theSwitch)
		r.send(ack("1", answer, via...), theSwitch)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		r.silence()
		r.empty()
	})
}

func TestRFC3261_S9_2_Cancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		respond := func(ctx context.Context, r *siptx.Request) siptx.Response {
			<-ctx.Done()
			ended <- ctx.Err()
			return found(ctx, r)
		}
		r := start(t, siptx.Config{Respond: respond})
		r.send(request("CANCEL", "z9hG4bK9"), theSwitch)
		r.want("SIP/2.0 481 Call/Transaction Does Not Exist", theSwitch)
		r.send(invite("z9hG4bK1"), theSwitch)
		r.send(request("CANCEL", "z9hG4bK1", "From", header(invite("z9hG4bK1"), "From")), theSwitch)
		ok := r.want("SIP/2.0 200 OK", theSwitch)
		terminated := r.want("SIP/2.0 487 Request Terminated", theSwitch)
		if header(ok, "To") != header(terminated, "To") {
			t.Errorf("To differs: %s, %s", header(ok, "To"), header(terminated, "To"))
		}
		if header(ok, "CSeq") != "1 CANCEL" || header(terminated, "CSeq") != "1 INVITE" {
			t.Errorf("got CSeq %s, %s", header(ok, "CSeq"), header(terminated, "CSeq"))
		}
		if err := <-ended; err != context.Canceled {
			t.Errorf("the context ended with %v", err)
		}
		r.silence() // what Respond said afterwards
		r.send(request("CANCEL", "z9hG4bK1"), theSwitch)
		r.want("SIP/2.0 200", theSwitch)
		r.send(ack("z9hG4bK1", terminated), theSwitch)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		r.silence()
		r.empty()
	})
}

// TestRFC3261_S9_2_CancelAfterTheAnswer has no effect on it.
func TestRFC3261_S9_2_CancelAfterTheAnswer(t *testing.T) {
	bubble(t, siptx.Config{}, func(r *rig) {
		r.send(invite("z9hG4bK1"), theSwitch)
		answer := r.want("SIP/2.0 302", theSwitch)
		r.send(request("CANCEL", "z9hG4bK1"), theSwitch)
		r.want("SIP/2.0 200", theSwitch)
		r.silence()
		r.send(ack("z9hG4bK1", answer), theSwitch)
	})
}

// TestRFC3261_S8_2_2_2_Merged: a second way of the same INVITE while the first is open, and a second dip afterwards.
func TestRFC3261_S8_2_2_2_Merged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan bool)
		respond := func(ctx context.Context, r *siptx.Request) siptx.Response {
			<-gate
			return found(ctx, r)
		}
		r := start(t, siptx.Config{Respond: respond})
		other := invite("z9hG4bK1", "Via", "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK2")
		r.send(invite("z9hG4bK1"), theSwitch)
		r.send(other, theSwitch)
		r.want("SIP/2.0 482 Merged Request", theSwitch)
		gate <- true
		synctest.Wait()
		r.want("SIP/2.0 302", theSwitch)
		third := invite("z9hG4bK1", "Via", "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK3")
		r.send(third, theSwitch)
		gate <- true
		synctest.Wait()
		r.want("SIP/2.0 302", theSwitch)
	})
}

// TestRespondThatPanics answers 500, and the server goes on.
func TestRespondThatPanics(t *testing.T) {
	respond := func(ctx context.Context, r *siptx.Request) siptx.Response {
		if r.Value("X-Panic") != "" {
			panic("as asked")
		}
		return found(ctx, r)
	}
	bubble(t, siptx.Config{Respond: respond}, func(r *rig) {
		r.send(invite("z9hG4bK1", "X-Panic", "yes"), theSwitch)
		r.want("SIP/2.0 500 Server Internal Error", theSwitch)
		r.send(invite("z9hG4bK2"), theSwitch)
		r.want("SIP/2.0 302", theSwitch)
		if st := r.server.Stats(); st.Panics != 1 || st.InFlight != 0 {
			t.Errorf("got %+v", st)
		}
	})
}

// TestDraining: OPTIONS tells it, INVITEs are served until Shutdown, which waits for those that are open.
func TestDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan bool)
		respond := func(ctx context.Context, r *siptx.Request) siptx.Response {
			<-gate
			return found(ctx, r)
		}
		r := start(t, siptx.Config{Respond: respond})
		r.send(request("OPTIONS", "z9hG4bK1"), theSwitch)
		ok := r.want("SIP/2.0 200 OK", theSwitch)
		if header(ok, "Allow") != "INVITE, ACK, CANCEL, OPTIONS" || header(ok, "Accept") == "" {
			t.Errorf("got %s", ok)
		}
		r.server.Drain()
		r.send(request("OPTIONS", "z9hG4bK2"), theSwitch)
		if busy := r.want("SIP/2.0 503", theSwitch); header(busy, "Retry-After") != "5" {
			t.Errorf("got %s", busy)
		}
		r.send(invite("z9hG4bK3"), theSwitch)
		done := make(chan error)
		go func() { done <- r.server.Shutdown(r.t.Context()) }()
		synctest.Wait()
		r.send(invite("z9hG4bK4"), theSwitch)
		if busy := r.want("SIP/2.0 503", theSwitch); header(busy, "Retry-After") != "5" {
			t.Errorf("got %s", busy)
		}
		gate <- true
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.want("SIP/2.0 302", theSwitch)
		synctest.Wait()
	})
}

// TestShutdownEndsWithItsContext: Respond is told, and Shutdown says why it did not wait.
func TestShutdownEndsWithItsContext(t *testing.T) {
	respond := func(ctx context.Context, r *siptx.Request) siptx.Response {
		<-ctx.Done()
		return siptx.Response{Status: 503}
	}
	bubble(t, siptx.Config{Respond: respond}, func(r *rig) {
		r.send(invite("z9hG4bK1"), theSwitch)
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
		defer cancel()
		if err := r.server.Shutdown(ctx); err == nil {
			t.Error("Shutdown did not tell that it gave up")
		}
	})
}
