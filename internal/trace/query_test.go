package trace_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/trace"
)

func TestQueryIsStrict(t *testing.T) {
	for _, c := range []struct {
		name, text, want string // want is the query, or a part of the error
		bad              bool
	}{
		{name: "nothing", text: "", want: fmt.Sprint(trace.Query{})},
		{name: "number", text: "number=12155550123", want: fmt.Sprint(trace.Query{Number: identity(t, "12155550123")})},
		{name: "number with plus", text: "number=%2B12155550123", want: fmt.Sprint(trace.Query{Number: identity(t, "12155550123")})},
		{name: "URI", text: "number=sip:a@b", want: fmt.Sprint(trace.Query{Number: identity(t, "sip:a@b")})},
		{name: "times", text: "from=2026-07-01T12:00:00Z&to=2026-07-01T12:00:00Z", want: fmt.Sprint(trace.Query{
			From: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), To: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)})},
		{name: "all texts", text: "call_id=a@b&origid=o&trunk=t&limit=7&id=123e4567-e89b-12d3-a456-426655440000",
			want: fmt.Sprint(trace.Query{ID: "123e4567-e89b-12d3-a456-426655440000", CallID: "a@b", OrigID: "o", Trunk: "t", Limit: 7})},

		{name: "unknown", text: "caller=1", want: "the parameters are", bad: true},
		{name: "empty", text: "trunk=", want: "one value", bad: true},
		{name: "twice", text: "trunk=a&trunk=b", want: "one value", bad: true},
		{name: "long", text: "trunk=" + strings.Repeat("a", 2000), want: "one value", bad: true},
		{name: "no number", text: "number=0x12155550123", want: "number: ", bad: true},
		{name: "number with separators", text: "number=215-555-0123", want: "number: ", bad: true},
		{name: "no time", text: "from=yesterday", want: "from: ", bad: true},
		{name: "backwards", text: "from=2026-07-01T12:00:01Z&to=2026-07-01T12:00:00Z", want: "before", bad: true},
		{name: "no limit", text: "limit=0", want: "limit: ", bad: true},
		{name: "limit beyond", text: "limit=1001", want: "limit: ", bad: true},
		{name: "limit in words", text: "limit=1e1", want: "limit: ", bad: true},
		{name: "no UUID", text: "id=1", want: "id: ", bad: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			values, err := url.ParseQuery(c.text)
			if err != nil {
				t.Fatal(err)
			}
			q, err := trace.ParseQuery(values)
			switch {
			case (err != nil) != c.bad:
				t.Errorf("%+v, %v", q, err)
			case c.bad && (q != (trace.Query{}) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "0123")):
				t.Errorf("%+v, %v", q, err)
			case !c.bad && fmt.Sprint(q) != c.want:
				t.Errorf("%v, want %s", q, c.want)
			}
		})
	}
}

func TestSearch(t *testing.T) {
	bubble(t, trace.Config{}, func(t *testing.T, r *trace.Recorder) {
		start := time.Now()
		var ids []string
		for i, fill := range []func(*trace.Record){
			func(r *trace.Record) { r.Orig, r.Trunk = identity(t, "12155550123"), "a" },
			func(r *trace.Record) { r.Dest, r.OrigID = identity(t, "12155550123"), "o1" },
			func(r *trace.Record) { r.KeyOrig, r.Trunk = identity(t, "12155550123"), "b" },
			func(r *trace.Record) { r.KeyDest, r.Doubt = identity(t, "12155550123"), "o1, and more of that" },
			func(r *trace.Record) { r.RedirectedFrom = identity(t, "12155550123") },
			func(r *trace.Record) { r.Orig, r.Doubt = identity(t, "112155550123"), "a" },
		} {
			c := r.Begin("udp", peer, local, fmt.Sprint("call ", i))
			c.Note(fill)
			c.Finish(302, "")
			ids = append(ids, c.ID())
			time.Sleep(time.Minute)
		}
		number := identity(t, "12155550123")
		begun := func(i int) time.Time { return start.Add(time.Duration(i) * time.Minute) }
		check := func() {
			t.Helper()
			for _, c := range []struct {
				name string
				q    trace.Query
				want string
			}{
				{"all", trace.Query{}, "543210"},
				{"limit", trace.Query{Limit: 2}, "54"},
				{"any party", trace.Query{Number: number}, "43210"},
				{"number and trunk", trace.Query{Number: number, Trunk: "b"}, "2"},
				{"trunk", trace.Query{Trunk: "a"}, "0"},
				{"origid", trace.Query{OrigID: "o1"}, "1"},
				{"Call-ID", trace.Query{CallID: "call 3"}, "3"},
				{"part of a Call-ID", trace.Query{CallID: "call"}, ""},
				{"ID", trace.Query{ID: ids[4]}, "4"},
				{"from", trace.Query{From: begun(4)}, "54"},
				{"to", trace.Query{To: begun(1)}, "10"},
				{"between", trace.Query{From: begun(1), To: begun(2).Add(-1)}, "1"},
				{"none", trace.Query{Number: identity(t, "1")}, ""},
			} {
				got := ""
				for _, v := range r.Search(c.q, trace.Full) {
					got += strings.TrimPrefix(v.CallID, "call ")
				}
				if got != c.want {
					t.Errorf("%s: %q, want %q", c.name, got, c.want)
				}
			}
		}
		check()
		synctest.Wait()
	})
}

func TestSearchIsBounded(t *testing.T) {
	bubble(t, trace.Config{}, func(t *testing.T, r *trace.Recorder) {
		for range trace.SearchMax + 1 {
			call(r, "a", "")
		}
		if n := len(r.Search(trace.Query{}, trace.Masked)); n != trace.SearchDefault {
			t.Errorf("%d without a limit", n)
		}
		if n := len(r.Search(trace.Query{Limit: 1 << 30}, trace.Masked)); n != trace.SearchMax {
			t.Errorf("%d with a great one", n)
		}
	})
}
