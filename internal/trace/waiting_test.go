package trace_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/trace"
)

// TestEndsWithAnswer: a record behind whose answer nothing goes on settles soon, unless raw messages are wanted, of which the
// answer is one.
func TestEndsWithAnswer(t *testing.T) {
	for _, c := range []struct {
		name    string
		ends    bool
		config  trace.Config
		settled uint64 // soon after the answer
	}{
		{"nothing goes on", true, trace.Config{}, 1},
		{"something may go on", false, trace.Config{}, 0},
		{"the answer is wanted", true, trace.Config{Messages: true}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, c.config, func(t *testing.T, r *trace.Recorder) {
				one := r.Begin("udp", peer, local, "a@h")
				if c.ends {
					one.EndsWithAnswer()
				}
				one.Step("before", "")
				one.Finish(302, "")
				wantCallIDs(t, r.Search(trace.Query{}, trace.Full), "a@h") // at once
				time.Sleep(trace.DefaultSettle / 10)
				synctest.Wait()
				one.Step("behind", "")
				if s := r.Stats(); s.Settled != c.settled || s.Late != c.settled || s.Settling != 1-int(c.settled) {
					t.Errorf("%+v", s)
				}
				time.Sleep(trace.DefaultSettle)
				synctest.Wait()
				found := r.Search(trace.Query{}, trace.Full)
				wantCallIDs(t, found, "a@h")
				if s := r.Stats(); s.Settled != 1 || s.Settling != 0 || len(found[0].Steps) != 2-int(c.settled) {
					t.Errorf("%+v, %+v", s, found[0].Steps)
				}
			})
		})
	}
}

// TestEndsWithAnswer_SearchHasTheNewestFirst: also while some wait longer than others.
func TestEndsWithAnswer_SearchHasTheNewestFirst(t *testing.T) {
	bubble(t, trace.Config{}, func(t *testing.T, r *trace.Recorder) {
		for _, id := range []string{"1 ends", "2 goes on", "3 ends", "4 goes on"} {
			one := r.Begin("udp", peer, local, id)
			if id[2:] == "ends" {
				one.EndsWithAnswer()
			}
			one.Finish(302, "")
			time.Sleep(time.Millisecond)
		}
		wantCallIDs(t, r.Search(trace.Query{}, trace.Full), "4 goes on", "3 ends", "2 goes on", "1 ends")
	})
}
