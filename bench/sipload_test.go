package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

const goodAnswer = "SIP/2.0 302 Moved Temporarily\r\nVia: %s\r\nTo: <sip:1@h>;tag=1\r\nCSeq: 1 INVITE\r\nContact: <sip:1@h>\r\n" +
	"Identity: a.b.c;info=<https://h>;alg=ES256;ppt=shaken\r\nContent-Length: 0\r\n\r\n"

// whim is what a server does to a call: the answers that it sends.
type whim func(c call, good string) []string

// startWhimsical starts a server over UDP that answers every INVITE as it likes, and counts ACKs.
func startWhimsical(t *testing.T, do whim) (address string, acks chan call) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	acks = make(chan call, 1000)
	go func() {
		buffer := make([]byte, 1<<16)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			message := buffer[:n]
			c, _ := callOf(message)
			if bytes.HasPrefix(message, []byte("ACK ")) {
				acks <- c
				continue
			}
			for _, answer := range do(c, fmt.Sprintf(goodAnswer, field(message, "Via"))) {
				_, _ = socket.WriteTo([]byte(answer), from) // what is not sent is missed by the test
			}
		}
	}()
	return socket.LocalAddr().String(), acks
}

func TestLoadCountsWhatItGets(t *testing.T) {
	const calls = 40
	for _, c := range []struct {
		name                      string
		do                        whim
		answered, wrong, repeated int
		acks                      int
	}{
		{"all good", func(_ call, good string) []string { return []string{good} }, 40, 0, 0, 40},
		{"100 before", func(_ call, good string) []string {
			return []string{strings.Replace(good, "302", "100", 1), good}
		}, 40, 0, 0, 40},
		{"every second lost", func(c call, good string) []string {
			if c.number%2 == 0 {
				return nil
			}
			return []string{good}
		}, 20, 0, 0, 20},
		{"every fourth refused", func(c call, good string) []string {
			if c.number%4 == 0 {
				good = strings.Replace(good, "302", "503", 1)
			}
			return []string{good}
		}, 30, 10, 0, 40},
		{"every fourth unsigned", func(c call, good string) []string {
			if c.number%4 == 0 {
				good = strings.Replace(good, "Identity", "X-Identity", 1)
			}
			return []string{good}
		}, 30, 10, 0, 40},
		{"the first sent again", func(c call, good string) []string {
			if c.number == 0 {
				return []string{good, good}
			}
			return []string{good}
		}, 40, 0, 1, 41},
		{"an answer of a volley before", func(c call, good string) []string {
			c.volley++
			return []string{strings.Replace(good, branchMark, branchMark+"9", 1), good}
		}, 40, 0, 0, 40},
		{"a signature that is none", func(c call, good string) []string {
			return []string{strings.Replace(good, "a.b.c", "a.b.bad", 1)}
		}, 39, 1, 0, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			address, acks := startWhimsical(t, c.do)
			e := &exchange{patience: 2 * time.Second, check: func(value string, _ call) error {
				if strings.Contains(value, "bad") {
					return io.ErrUnexpectedEOF
				}
				return nil
			}}
			v, err := e.place(t.Context(), address, udp, 1000, calls*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if v.offered != calls || v.answered != c.answered || v.wrong != c.wrong || v.repeated != c.repeated || len(v.latencies) != c.answered {
				t.Errorf("%v", v)
			}
			if (v.fault != nil) != (c.wrong > 0) || v.clean() && c.answered < calls {
				t.Errorf("%v, clean %v, fault %v", v, v.clean(), v.fault)
			}
			for range c.acks {
				<-acks
			}
		})
	}
}

// TestLateAnswersCountFromWhenTheCallWasDue: a server that stands still for a while is seen in every call that was due then.
func TestLateAnswersCountFromWhenTheCallWasDue(t *testing.T) {
	var held []string
	address, _ := startWhimsical(t, func(c call, good string) []string {
		if held = append(held, good); c.number < 19 {
			return nil
		}
		return held
	})
	e := &exchange{patience: time.Minute, check: func(string, call) error { return nil }}
	v, err := e.place(t.Context(), address, udp, 200, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if v.answered != 20 || slices.Max(v.latencies) < 90*time.Millisecond || v.percentile(50) < 40 {
		t.Errorf("%v, the longest wait %v", v, slices.Max(v.latencies))
	}
}

func TestStreamsAreCutByContentLength(t *testing.T) {
	ours, theirs := net.Pipe()
	want := []string{
		"SIP/2.0 302 A\r\nContent-Length: 0\r\n\r\n",
		"SIP/2.0 302 B\r\nContent-Length: 5\r\n\r\nbytes",
		"SIP/2.0 302 C\r\nX: " + strings.Repeat("x", 3000) + "\r\nContent-Length: 0\r\n\r\n",
	}
	go func() {
		defer theirs.Close()
		text := []byte(strings.Join(want, ""))
		for len(text) > 0 { // in pieces that cut everywhere
			n := min(7, len(text))
			if _, err := theirs.Write(text[:n]); err != nil {
				return
			}
			text = text[n:]
		}
	}()
	next := stream(ours)
	for _, message := range want {
		got, err := next()
		if err != nil || string(got) != message {
			t.Errorf("%v: %.60q", err, got)
		}
	}
	if _, err := next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestInviteIsWhatASwitchSends(t *testing.T) {
	over := line{transport: udp, local: "127.0.0.1:40000", server: "127.0.0.1:5060"}
	one, two := over.appendInvite(nil, call{1, 1}), over.appendInvite(nil, call{1, 2})
	if len(one) < 850 || len(one) > 1000 {
		t.Errorf("%d bytes", len(one))
	}
	for _, name := range []string{"Via", "From", "To", "Call-ID"} {
		if bytes.Equal(field(one, name), field(two, name)) {
			t.Errorf("two calls have the same %s", name)
		}
	}
	if c, ok := callOf(one); !ok || c != (call{1, 1}) {
		t.Error(c, ok)
	}
	if _, ok := callOf([]byte("SIP/2.0 302 A\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKforeign\r\n\r\n")); ok {
		t.Error("a foreign branch is one of ours")
	}
}

func TestClimbersComeDownToWhatHolds(t *testing.T) {
	c := &sipComparison{sipPlan: sipPlan{Rounds: 3, Steps: []int{1, 2, 3, 4, 5, 6, 7, 8}}}
	for _, p := range []struct {
		name  string
		first int
		clean func(step, try int) bool // of the try-th slice at a step
		want  int                      // index; -1 for none
	}{
		{"stands everything", 3, func(int, int) bool { return true }, 7},
		{"stands nothing", 3, func(int, int) bool { return false }, -1},
		{"up to a point", 3, func(step, _ int) bool { return step <= 5 }, 5},
		{"one miss on the way up", 3, func(step, try int) bool { return step <= 6 && (step != 4 || try > 0) }, 6},
		{"not in every round", 3, func(step, try int) bool { return step <= 5 && (step != 5 || try < 2) }, 4},
		{"less than was promised", 3, func(step, _ int) bool { return step <= 1 }, 1},
	} {
		t.Run(p.name, func(t *testing.T) {
			one, tries := &climber{next: p.first, best: p.first - 1}, map[int]int{}
			for _, way := range []struct {
				goesOn func(*climber) (int, bool)
				tell   func(*climber, bool)
			}{{c.climbs, (*climber).up}, {c.repeats, (*climber).down}} {
				for step, ok := way.goesOn(one); ok; step, ok = way.goesOn(one) {
					way.tell(one, p.clean(step, tries[step]))
					tries[step]++
				}
			}
			if one.best != p.want {
				t.Errorf("step %d, want %d", one.best, p.want)
			}
		})
	}
}

func TestSippCountersAreRead(t *testing.T) {
	counts, err := readSippCounters([]byte("StartTime;TotalCallCreated;SuccessfulCall(C);FailedCall(C);Retransmissions(C);\nx;10;5;0;0;\nx;20;18;2;0;\n"))
	if err != nil || counts["SuccessfulCall(C)"] != 18 || counts["FailedCall(C)"] != 2 {
		t.Error(counts, err)
	}
	for _, bad := range []string{"", "A;B\n1;2\n", "TotalCallCreated\nx\n"} {
		if counts, err := readSippCounters([]byte(bad)); err == nil {
			t.Errorf("%q: %v", bad, counts)
		}
	}
}
