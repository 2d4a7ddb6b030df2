package rfc9888_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

func held(t testing.TB, p oob.Profile, spc string) oob.Held {
	received := time.Date(2026, 11, 22, 12, 0, 0, 123_000_000, time.UTC)
	return oob.Held{
		Key:    oob.Key{Profile: p, SPC: spc, Dest: tn.Of(number(t, "19035550123")), Orig: tn.Of(number(t, "12013776051"))},
		Record: oob.Record{Passports: []string{"a.b.c", "d.e.f"}, Received: received, Expires: received.Add(time.Minute)},
	}
}

func events(t testing.TB) []rfc9888.Event {
	uri := held(t, oob.RFC9888, "")
	var err error
	if uri.Key.Orig, err = tn.ParseURI("sip:a@b.example"); err != nil {
		t.Fatal(err)
	}
	return []rfc9888.Event{
		{Type: rfc9888.EventPassports, Cursor: "17-4", Held: held(t, oob.RFC9888, "")},
		{Type: rfc9888.EventPassports, Cursor: "17-5", Held: held(t, oob.Company, "567B")},
		{Type: rfc9888.EventPassports, Cursor: "17-6", Held: uri},
		{Type: rfc9888.EventAlive, Cursor: "17-7"},
		{Type: rfc9888.EventGap},
		{Type: rfc9888.EventEnd, Reason: rfc9888.EndSlow},
	}
}

// TestEventAsItIsWritten: the bytes that others read.
func TestEventAsItIsWritten(t *testing.T) {
	members := `"profile":"rfc9888","dest":"19035550123","orig":"12013776051","id":"` + oob.PassportID("a.b.c") + `",` +
		`"passports":["a.b.c","d.e.f"],"received":"2026-11-22T12:00:00.123Z","expires":"2026-11-22T12:01:00.123Z"}`
	e := events(t)[0]
	if got, want := string(e.AppendSSE(nil)), "id: 17-4\nevent: passports\ndata: {"+members+"\n\n"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got, want := string(e.WriteFrame()), `{"event":"passports","cursor":"17-4",`+members; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for i, want := range []string{"id: 17-7\nevent: alive\ndata: {}\n\n", "event: gap\ndata: {}\n\n", "event: end\ndata: {\"reason\":\"slow\"}\n\n"} {
		if got := string(events(t)[3+i].AppendSSE(nil)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for i, want := range []string{`{"event":"alive","cursor":"17-7"}`, `{"event":"gap"}`, `{"event":"end","reason":"slow"}`} {
		if got := string(events(t)[3+i].WriteFrame()); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestEventsAreReadAsTheyWereWritten over either road, however the bytes arrive.
func TestEventsAreReadAsTheyWereWritten(t *testing.T) {
	var stream []byte
	for _, e := range events(t) {
		stream = e.AppendSSE(stream)
		if got, err := rfc9888.ReadFrame(e.WriteFrame()); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	for name, text := range map[string]string{
		"LF": string(stream), "CRLF": strings.ReplaceAll(string(stream), "\n", "\r\n"), "CR": strings.ReplaceAll(string(stream), "\n", "\r"),
	} {
		for way, r := range map[string]io.Reader{"at once": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
			s := rfc9888.NewStream(r)
			for _, want := range events(t) {
				if got, err := s.Next(); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s %s: %+v, %v", name, way, got, err)
				}
			}
			if _, err := s.Next(); err != io.EOF {
				t.Errorf("%s %s: at the end %v", name, way, err)
			}
		}
	}
}

// streams are what HTML §9.2.6 makes events of; they are also the seeds of FuzzStream. Only alive and end are in them, whose
// cursors and reasons tell what was read.
var streams = []struct {
	name string
	text string
	want string   // cursors and reasons, with a space behind each; - for an event of another type
	kind oob.Kind // how it ends; 0 for the end of the stream
}{
	{"nothing", "", "", 0},
	{"comments", ": hello\n:\n\nid: 1\nevent: alive\n: within\ndata: {}\n\n", "1 ", 0},
	{"a byte order mark", "\ufeffid: 1\nevent: alive\ndata: {}\n\n", "1 ", 0},
	{"two byte order marks", "\ufeff\ufeffid: 1\nevent: alive\ndata: {}\n\n", " ", 0},
	{"several lines of data", "id: 1\nevent: end\ndata: {\"reason\":\ndata:\ndata:\"slow\"}\n\n", "slow ", 0},
	{"no space behind the colon", "id:1\nevent:alive\ndata:{}\n\n", "1 ", 0},
	{"one space alone belongs to the field", "id:  1\nevent: alive\ndata: {}\n\n", "", oob.Malformed},
	{"the cursor stays", "id: 1\nevent: alive\ndata: {}\n\nevent: alive\ndata: {}\n\n", "1 1 ", 0},
	{"a block without data sets it", "id: 7\n\nevent: alive\ndata: {}\n\n", "7 ", 0},
	{"an empty one takes it away", "id: 7\n\nid\nevent: alive\ndata: {}\n\n", " ", 0},
	{"one with NUL is ignored", "id: 7\nid: 8\x00\nevent: alive\ndata: {}\n\n", "7 ", 0},
	{"the last type counts", "event: end\nevent: alive\nid: 1\ndata: {}\n\n", "1 ", 0},
	{"unknown fields and types", "x: y\nfoo\nevent: news\ndata: <b>\n\nid: 2\nevent: alive\ndata: {}\n\n", "- 2 ", 0},
	{"no type", "data: {\"event\":\"alive\",\"cursor\":\"9\"}\n\n", "- ", 0},
	{"the type of the stream counts", "id: 1\nevent: alive\ndata: {\"event\":\"end\",\"reason\":\"x\",\"cursor\":\"9\"}\n\n", "1 ", 0},
	{"cut within", "id: 1\nevent: alive\ndata: {}\n", "", 0},
	{"ends of lines mixed", "id: 1\r\nevent: alive\rdata: {}\n\r\nid: 2\nevent: alive\r\ndata: {}\r\r", "1 2 ", 0},
	{"retry", "retry: 250\nretry: x\nretry: -1\n\n", "", 0},
	{"alive that is no JSON", "event: alive\ndata: x\n\n", "", oob.Malformed},
	{"PASSporTs without members", "event: passports\ndata: {}\n\n", "", oob.Malformed},
	{"a cursor that is too long", "id: " + strings.Repeat("1", 65) + "\nevent: alive\ndata: {}\n\n", "", oob.Malformed},
	{"an endless line", strings.Repeat("x", rfc9888.EventBytesMax+1), "", oob.TooLarge},
	{"an endless event", strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", 200), "", oob.TooLarge},
	{"endless empty data", strings.Repeat("data\n", rfc9888.EventBytesMax+2), "", oob.TooLarge},
	{"bad UTF-8", "event: alive\ndata: {\"x\":\"\xff\"}\n\n", "", oob.Malformed},
}

// drain reads all events of a stream.
func drain(t testing.TB, r io.Reader) (all []rfc9888.Event, s *rfc9888.Stream, err error) {
	s = rfc9888.NewStream(r)
	for {
		e, err := s.Next()
		if err != nil {
			if !reflect.DeepEqual(e, rfc9888.Event{}) {
				t.Fatalf("%+v beside %v", e, err)
			}
			return all, s, err
		}
		all = append(all, e)
	}
}

func TestStream(t *testing.T) {
	for _, c := range streams {
		all, s, err := drain(t, strings.NewReader(c.text))
		got := ""
		for _, e := range all {
			if e.Type == "" {
				got += "-"
			}
			got += e.Cursor + e.Reason + " "
		}
		if got != c.want || c.kind == 0 && err != io.EOF || c.kind != 0 && !errors.Is(err, c.kind) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
		if c.name == "retry" && s.Retry() != 250*time.Millisecond {
			t.Errorf("retry after %s", s.Retry())
		}
	}
}

// TestALineThatEndsWithCRIsThere before anything follows it.
func TestALineThatEndsWithCRIsThere(t *testing.T) {
	in, out := io.Pipe()
	defer in.Close()
	s := rfc9888.NewStream(in)
	go func() { _, _ = out.Write([]byte("id: 1\revent: alive\rdata: {}\r\r")) }()
	if e, err := s.Next(); err != nil || e.Cursor != "1" {
		t.Errorf("%+v, %v", e, err)
	}
}

// FuzzStream: whatever comes, an event that is read is written and read the same over both roads.
func FuzzStream(f *testing.F) {
	for _, c := range streams {
		if len(c.text) < 1000 {
			f.Add([]byte(c.text))
		}
	}
	var stream []byte
	for _, e := range events(f) {
		stream = e.AppendSSE(stream)
	}
	f.Add(stream)
	f.Fuzz(func(t *testing.T, text []byte) {
		all, _, err := drain(t, bytes.NewReader(text))
		if err != io.EOF && !errors.Is(err, oob.Malformed) && !errors.Is(err, oob.TooLarge) {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Type != "" {
				checkEvent(t, e)
			}
		}
	})
}

// FuzzReadFrame is the same for a WebSocket message.
func FuzzReadFrame(f *testing.F) {
	for _, e := range events(f) {
		f.Add(e.WriteFrame())
	}
	for _, seed := range []string{`{}`, `{"event":"news"}`, `{"event":"alive","cursor":5}`, `{"event":"passports","passports":[]}`, `{"event":"end","reason":"` + strings.Repeat("x", 65) + `"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := rfc9888.ReadFrame(text)
		switch {
		case err != nil:
			if !errors.Is(err, oob.Malformed) || !reflect.DeepEqual(e, rfc9888.Event{}) {
				t.Fatalf("%+v, %v", e, err)
			}
		case e.Type != "":
			checkEvent(t, e)
		}
	})
}

func checkEvent(t *testing.T, e rfc9888.Event) {
	again, err := rfc9888.ReadFrame(e.WriteFrame())
	if err != nil || !reflect.DeepEqual(again, e) {
		t.Fatalf("%+v, then %+v, %v", e, again, err)
	}
	all, _, err := drain(t, bytes.NewReader(e.AppendSSE(nil)))
	if err != io.EOF || len(all) != 1 || !reflect.DeepEqual(all[0], e) {
		t.Fatalf("%+v, then %+v, %v", e, all, err)
	}
}

// TestReadFrameRefuses what contradicts itself.
func TestReadFrameRefuses(t *testing.T) {
	good := string(events(t)[0].WriteFrame())
	for name, change := range map[string][2]string{
		"another id":              {`"id":"` + oob.PassportID("a.b.c"), `"id":"` + oob.PassportID("d.e.f")},
		"no id":                   {`"id":`, `"was":`},
		"a profile without push":  {`"rfc9888"`, `"mesh"`},
		"a profile with an SPC":   {`"rfc9888"`, `"company"`},
		"an SPC without":          {`"dest":`, `"spc":"567B","dest":`},
		"an SPC that is none":     {`"dest":`, `"spc":"5/6","dest":`},
		"no PASSporT":             {`["a.b.c","d.e.f"]`, `[]`},
		"no PASSporT but text":    {`"a.b.c"`, `"a.b"`},
		"dest with a +":           {`"19035550123"`, `"+19035550123"`},
		"no time":                 {`"received"`, `"was"`},
		"a time without its zone": {`:00.123Z","expires"`, `:00.123","expires"`},
		"orig is a number":        {`"12013776051"`, `12013776051`},
		"a cursor with a space":   {`"17-4"`, `"17 4"`},
		"two types":               {`{"event"`, `{"event":"alive","event"`},
	} {
		text := strings.Replace(good, change[0], change[1], 1)
		if text == good {
			t.Fatalf("%s changes nothing", name)
		}
		if e, err := rfc9888.ReadFrame([]byte(text)); !errors.Is(err, oob.Malformed) || !reflect.DeepEqual(e, rfc9888.Event{}) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

// subscriptions are queries; they are also the seeds of FuzzReadSubscription.
var subscriptions = []struct {
	name, query, lastEventID string
	want                     string // resources and cursor; empty for a refusal
	kind                     oob.Kind
}{
	{"the three of RFC 9888 §4", "dest=0-567A&dest=1-19035550100-50&dest=2-12015550199", "", "0-567A 1-19035550100-50 2-12015550199 rfc9888 ", 0},
	{"the same twice", "dest=0-567A&dest=0-567A", "", "0-567A rfc9888 ", 0},
	{"of a company", "dest=0-567A&profile=company&after=17", "", "0-567A company 17", 0},
	{"the header field counts more", "dest=0-567A&after=17", "18", "0-567A rfc9888 18", 0},
	{"others are passed over", "dest=0-567A&x=y&after=", "", "0-567A rfc9888 ", 0},
	{"nothing", "", "", "", oob.Malformed},
	{"an empty one", "dest=", "", "", oob.Malformed},
	{"everything", "dest=*", "", "", oob.Malformed},
	{"a form that is none", "dest=3-12015550199", "", "", oob.Malformed},
	{"a form that is not published to", "dest=0-567A&profile=mesh", "", "", oob.Malformed},
	{"no form", "dest=0-567A&profile=x", "", "", oob.Malformed},
	{"a cursor with a space", "dest=0-567A&after=1+7", "", "", oob.Malformed},
	{"a cursor with a line end", "dest=0-567A", "1\n7", "", oob.Malformed},
	{"a long cursor", "dest=0-567A&after=" + strings.Repeat("1", 65), "", "", oob.Malformed},
	{"bad escapes", "dest=0-567A%", "", "", oob.Malformed},
	{"as many as may be", strings.Repeat("dest=0-567A&", 256), "", "0-567A rfc9888 ", 0},
	{"one too many", strings.Repeat("dest=0-567A&", 257), "", "", oob.TooLarge},
	{"too long", "x=" + strings.Repeat("y", 40_000), "", "", oob.TooLarge},
}

func TestSubscription(t *testing.T) {
	for _, c := range subscriptions {
		s, err := rfc9888.ReadSubscription(c.query, c.lastEventID)
		got := ""
		for _, r := range s.Resources {
			got += r.String() + " "
		}
		if err == nil {
			got += s.Profile.String() + " " + s.After
		}
		if got != c.want || c.kind == 0 && err != nil || c.kind != 0 && !errors.Is(err, c.kind) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

// FuzzReadSubscription: what is read is written and read the same, and never more than may be.
func FuzzReadSubscription(f *testing.F) {
	for _, c := range subscriptions {
		if len(c.query) < 1000 {
			f.Add(c.query, c.lastEventID)
		}
	}
	f.Fuzz(func(t *testing.T, query, lastEventID string) {
		s, err := rfc9888.ReadSubscription(query, lastEventID)
		if err != nil {
			if !reflect.DeepEqual(s, rfc9888.Subscription{}) || !errors.Is(err, oob.Malformed) && !errors.Is(err, oob.TooLarge) {
				t.Fatalf("%+v, %v", s, err)
			}
			return
		}
		_, written, _ := strings.Cut(s.Path(), "?")
		again, err := rfc9888.ReadSubscription(written, "")
		if err != nil || !reflect.DeepEqual(again, s) || len(s.Resources) > rfc9888.ResourcesMax || !s.Profile.Row().Pushed {
			t.Fatalf("%+v, then %+v, %v", s, again, err)
		}
	})
}

// TestSubscriptionsLongestPathIsRead: what a client may write, a server takes.
func TestSubscriptionsLongestPathIsRead(t *testing.T) {
	s := rfc9888.Subscription{Profile: oob.Company, After: strings.Repeat("%", rfc9888.CursorBytesMax)}
	for i := range rfc9888.ResourcesMax {
		r, err := stircert.ResourceOfSPC(strings.Repeat("%", 30) + string(rune('A'+i/16)) + string(rune('A'+i%16)))
		if err != nil {
			t.Fatal(err)
		}
		s.Resources = append(s.Resources, r)
	}
	_, query, _ := strings.Cut(s.Path(), "?")
	if got, err := rfc9888.ReadSubscription(query, ""); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("%v", err)
	}
}
