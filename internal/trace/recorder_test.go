package trace_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/oob"
)

var (
	peer  = netip.MustParseAddrPort("192.0.2.1:5060")
	local = netip.MustParseAddrPort("192.0.2.2:5060")
)

// recorderFor opens a recorder that is closed at the end of the test.
func recorderFor(t testing.TB, cfg trace.Config) *trace.Recorder {
	t.Helper()
	r, err := trace.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(context.Background()) })
	return r
}

// bubble runs a test on a clock of its own.
func bubble(t *testing.T, cfg trace.Config, f func(t *testing.T, r *trace.Recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, recorderFor(t, cfg)) })
}

// call records one call that has been answered.
func call(r *trace.Recorder, callID, key string) *trace.Call {
	c := r.Begin("udp", peer, local, callID)
	c.Note(func(r *trace.Record) { r.CallKey = key })
	c.Finish(302, "")
	return c
}

func callIDs(views []trace.View) (ids []string) {
	for _, v := range views {
		ids = append(ids, v.CallID)
	}
	return ids
}

func wantCallIDs(t *testing.T, views []trace.View, want ...string) {
	t.Helper()
	if got := callIDs(views); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// records are the lines that were written.
func records(t *testing.T, text string) (views []trace.View) {
	t.Helper()
	for line := range strings.Lines(text) {
		var v trace.View
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		views = append(views, v)
	}
	return views
}

func TestRecordHasItsSteps(t *testing.T) {
	bubble(t, trace.Config{Messages: true}, func(t *testing.T, r *trace.Recorder) {
		c := r.Begin("udp", peer, local, "a@h")
		c.Message(true, "udp", peer, local, []byte("INVITE"))
		time.Sleep(2 * time.Millisecond)
		c.Step("matched", "pstn-a")
		c.Note(func(r *trace.Record) { r.Trunk, r.Orig = "pstn-a", identity(t, "12155550123") })
		began := time.Now()
		time.Sleep(20 * time.Millisecond)
		c.Published("cps-1", "ok", began)
		c.Retrieved("cps-1", "not-found", 2, began)
		c.Message(false, "udp", local, peer, []byte("SIP/2.0 302"))
		c.Finish(302, "peer-timeout")
		c.Finish(500, "")
		time.Sleep(time.Second)
		c.Published("cps-2", "peer-timeout", began)

		want := func(late int) {
			t.Helper()
			found := r.Search(trace.Query{}, trace.Full)
			if len(found) != 1 {
				t.Fatalf("%d records", len(found))
			}
			v := found[0]
			if v.SIPCode != 302 || v.FailOpen != "peer-timeout" || v.AddedMS != 22 || v.Door != "udp" || v.ID != c.ID() || v.Trunk != "pstn-a" {
				t.Errorf("%+v", v)
			}
			if len(v.Steps) != 1 || v.Steps[0] != (trace.StepView{AtMS: 2, Name: "matched", Detail: "pstn-a"}) {
				t.Errorf("steps %+v", v.Steps)
			}
			attempts := []trace.AttemptView{{CPS: "cps-1", Status: "ok", AtMS: 2, MS: 20}, {CPS: "cps-2", Status: "peer-timeout", AtMS: 2, MS: 1020}}
			if fmt.Sprint(v.Publish) != fmt.Sprint(attempts) || len(v.Retrieve) != 1 || v.Retrieve[0].Count != 2 {
				t.Errorf("publish %+v, retrieve %+v", v.Publish, v.Retrieve)
			}
			if len(v.Messages) != 2 || v.Messages[0].Text != "INVITE" || v.Messages[0].Direction != "in" || v.Messages[1].AtMS != 22 {
				t.Errorf("messages %+v", v.Messages)
			}
		}
		want(0) // while it waits to settle
		time.Sleep(time.Second)
		c.Step("late", "")
		want(1)
		if s := r.Stats(); s.Begun != 1 || s.Settled != 1 || s.Late != 1 || s.Records != 1 || s.Settling != 0 || s.Bytes == 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestNilRecordsNothing(t *testing.T) {
	var r *trace.Recorder
	c := r.Begin("udp", peer, local, "a")
	c.Step("a", "")
	c.Note(func(*trace.Record) { t.Error("asked to fill nothing") })
	c.Published("a", "ok", time.Now())
	c.Retrieved("a", "ok", 1, time.Now())
	c.Message(true, "udp", peer, local, nil)
	c.Finish(200, "")
	r.Withdraw("a", "b")
	if c != nil || c.ID() != "" || r.Find(trace.Query{}) != nil || r.Stats() != (trace.Stats{}) || r.Close(t.Context()) != nil || r.Reopen() != nil || r.DeadLetters() != nil {
		t.Error("nil does something")
	}
}

func TestRecordIsBounded(t *testing.T) {
	bubble(t, trace.Config{Messages: true}, func(t *testing.T, r *trace.Recorder) {
		c := r.Begin("udp", peer, local, "a")
		for range trace.StepsMax + 1 {
			c.Step("s", "")
			c.Published("c", "ok", time.Now())
			c.Retrieved("c", "ok", 0, time.Now())
			c.Message(true, "udp", peer, local, []byte("m"))
		}
		c.Message(true, "udp", peer, local, make([]byte, trace.MessagesBytes))
		c.Note(func(r *trace.Record) {
			r.Checks = make([]oob.Check, trace.ChecksMax+1)
			r.Passports = make([]string, trace.PassportsMax+1)
		})
		c.Finish(200, "")
		r.Close(t.Context())
		v := r.Search(trace.Query{}, trace.Full)[0]
		if len(v.Steps) != trace.StepsMax || len(v.Publish) != trace.AttemptsMax || len(v.Retrieve) != trace.AttemptsMax ||
			len(v.Checks) != trace.ChecksMax || len(v.Passports) != trace.PassportsMax || len(v.Messages) != trace.MessagesMax {
			t.Error("a list beyond its bound")
		}
		over := 1 + 2*(trace.StepsMax+1-trace.AttemptsMax) + (trace.StepsMax + 1 - trace.MessagesMax) + 1 + 1 + 1
		if s := r.Stats(); s.Cut != uint64(over) {
			t.Errorf("%d cut, want %d", s.Cut, over)
		}
	})
}

func TestOldestRecordsMakeRoom(t *testing.T) {
	bubble(t, trace.Config{Bytes: 10_000}, func(t *testing.T, r *trace.Recorder) {
		for i := range 100 {
			call(r, fmt.Sprintf("call %d", i), "")
		}
		time.Sleep(trace.DefaultSettle)
		synctest.Wait()
		s := r.Stats()
		if s.Bytes > 10_000 || s.Bytes < 9_000 || s.Records == 0 || s.Evicted != uint64(100-s.Records) {
			t.Errorf("%+v", s)
		}
		found := callIDs(r.Search(trace.Query{}, trace.Masked))
		if len(found) != s.Records || found[0] != "call 99" || found[len(found)-1] != fmt.Sprint("call ", 100-s.Records) {
			t.Errorf("%v", found)
		}
	})
}

func TestMemoryIsForNoRecordLargerThanIt(t *testing.T) {
	for _, bytes := range []int{1, -1} {
		bubble(t, trace.Config{Bytes: bytes}, func(t *testing.T, r *trace.Recorder) {
			call(r, "a", "")
			r.Close(t.Context())
			if s := r.Stats(); s.Settled != 1 || s.Records != 0 || s.Bytes != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestRecordsAge(t *testing.T) {
	bubble(t, trace.Config{Age: time.Hour}, func(t *testing.T, r *trace.Recorder) {
		call(r, "old", "")
		time.Sleep(40 * time.Minute)
		call(r, "new", "")
		time.Sleep(20 * time.Minute)
		wantCallIDs(t, r.Search(trace.Query{}, trace.Masked), "new", "old") // an hour is not more than an hour
		time.Sleep(time.Nanosecond)
		wantCallIDs(t, r.Search(trace.Query{}, trace.Masked), "new")
		time.Sleep(2 * time.Minute)
		if s := r.Stats(); s.Aged != 1 || s.Records != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// Large messages are the bulk of what waits: they bound it, too.
func TestTooManyBytesUnsettledSettleEarly(t *testing.T) {
	bubble(t, trace.Config{Messages: true}, func(t *testing.T, r *trace.Recorder) {
		message := make([]byte, 64<<10)
		const calls = 1000 // of 64 MiB
		for range calls {
			c := r.Begin("udp", netip.AddrPort{}, netip.AddrPort{}, "c")
			c.Message(true, "udp", netip.AddrPort{}, netip.AddrPort{}, message)
			c.Finish(302, "")
		}
		synctest.Wait()
		if s := r.Stats(); s.Settling > 16<<20/len(message)+1 || s.Early == 0 {
			t.Errorf("%d records wait, %d settled early", s.Settling, s.Early)
		}
	})
}

func TestTooManyUnsettledSettleEarly(t *testing.T) {
	bubble(t, trace.Config{}, func(t *testing.T, r *trace.Recorder) {
		const calls = 20_000
		for range calls {
			call(r, "a", "")
		}
		synctest.Wait()
		if s := r.Stats(); s.Settling != 1<<14 || s.Early != calls-1<<14 || s.Settled != s.Early {
			t.Errorf("%+v", s)
		}
	})
}

func TestVerdictIsWithdrawn(t *testing.T) {
	const why = "a second call has come with 12155550123"
	for _, c := range []struct {
		name     string
		finish   time.Duration // after Begin
		withdraw time.Duration // after Begin
		amended  int
	}{
		{"after it has settled", 0, time.Minute, 1},
		{"while it settles", 0, trace.DefaultSettle / 2, 0},
		{"before it is answered", time.Second, time.Second / 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			bubble(t, trace.Config{Lines: &trace.LinesConfig{Writer: &out}}, func(t *testing.T, r *trace.Recorder) {
				call(r, "other", "key 2")
				one := r.Begin("udp", peer, local, "one")
				one.Note(func(r *trace.Record) { r.CallKey = "key" })
				go func() { time.Sleep(c.finish); one.Finish(302, "") }()
				time.Sleep(c.withdraw)
				at := time.Now()
				r.Withdraw("key", why)
				r.Withdraw("", "nobody")
				time.Sleep(time.Hour)
				r.Withdraw("key", "once more")
				r.Close(t.Context())

				found := r.Search(trace.Query{CallID: "one"}, trace.Full)
				if len(found) != 1 || found[0].Withdraw == nil || !found[0].Withdraw.TS.Equal(at) || found[0].Withdraw.Why != why {
					t.Fatalf("%+v", found)
				}
				written := records(t, out.String())
				if len(written) != 2+c.amended || r.Stats().Amended != uint64(c.amended) || r.Stats().Lost != 0 {
					t.Errorf("%d lines, %+v", len(written), r.Stats())
				}
				if last := written[len(written)-1]; last.ID != one.ID() || last.Withdraw == nil || strings.Contains(last.Withdraw.Why, "0123") {
					t.Errorf("%+v", last)
				}
				if other := r.Search(trace.Query{CallID: "other"}, trace.Full); len(other) != 1 || other[0].Withdraw != nil {
					t.Errorf("another call: %+v", other)
				}
			})
		})
	}
}

func TestCallIsWrittenByMany(t *testing.T) {
	r := recorderFor(t, trace.Config{Messages: true, Settle: time.Millisecond, Bytes: 1 << 16})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 200 {
				c := r.Begin("tcp", peer, local, fmt.Sprint(i))
				for range 3 {
					all.Go(func() {
						c.Published("cps", "ok", time.Now())
						c.Step("a", "b")
						c.Retrieved("cps", "ok", 1, time.Now())
					})
				}
				c.Note(func(r *trace.Record) { r.CallKey = fmt.Sprint(i) })
				c.Message(true, "tcp", peer, local, []byte("x"))
				c.Finish(302, "")
				r.Withdraw(fmt.Sprint(i), "why")
				r.Search(trace.Query{CallID: fmt.Sprint(i)}, trace.Full)
			}
		})
	}
	all.Wait()
	r.Close(t.Context())
	if s := r.Stats(); s.Settled != 800 || s.Bytes > 1<<16 {
		t.Errorf("%+v", s)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  trace.Config
		want string
	}{
		{"age", trace.Config{Age: -1}, "not negative"},
		{"settle", trace.Config{Settle: -1}, "not negative"},
		{"no lines", trace.Config{Lines: &trace.LinesConfig{}}, "JSON lines: "},
		{"both", trace.Config{Lines: &trace.LinesConfig{Path: "a", Writer: &bytes.Buffer{}}}, "JSON lines: "},
		{"no folder", trace.Config{Lines: &trace.LinesConfig{Path: t.TempDir() + "/none/a"}}, "JSON lines: "},
		{"HEP", trace.Config{HEP: &trace.HEPConfig{Addr: "homer"}}, "HEP: "},
		{"HEP password", trace.Config{HEP: &trace.HEPConfig{Addr: "homer:9060", Password: strings.Repeat("x", 2000)}}, "HEP: "},
		{"webhook", trace.Config{Webhook: &trace.WebhookConfig{URL: "http://example.net/"}}, "webhook: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r, err := trace.Open(c.cfg); err == nil || r != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
