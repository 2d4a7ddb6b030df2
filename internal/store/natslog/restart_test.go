package natslog_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/natslog"
)

// A node starts again in a site that is idle, whose events have all become too old: nothing will come that it could wait for.
func TestReadyAgainWhenAllIsTooOld(t *testing.T) {
	t.Parallel()
	nodes := openAll(t, site(t, newAuthority(t), "east", 3))
	ready(t, nodes...)
	old := event()
	nodes[1].append(old)
	nodes[0].gets(old)
	if !eventually(func() bool { return nodes[0].log.Purge(t.Context()) == nil }) {
		t.Fatal("the streams cannot be emptied")
	}
	nodes[0].close()
	nodes[0].open()
	ready(t, nodes[0])
	if s := nodes[0].log.Stats(); s.Lost != 0 || s.Resets != 0 {
		t.Errorf("%+v", s)
	}
	young := event()
	nodes[2].append(young)
	nodes[0].gets(young)
	if nodes[0].has(old) {
		t.Error("an event that the log has no more is there")
	}
}

// What was acknowledged while a node was away is in its view when it is ready.
func TestReadyAgainMeansAllThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	nodes := openAll(t, site(t, newAuthority(t), "east", 3))
	ready(t, nodes...)
	var events []store.Event
	more := func(n *node) {
		for range 50 {
			ev := event()
			ev.Publication.Use.ID[7] = byte(len(events)) // the streams in turn
			n.append(ev)
			events = append(events, ev)
		}
	}
	more(nodes[0])
	for i, n := range nodes {
		n.close()
		more(nodes[(i+1)%3])
		n.open()
		ready(t, n)
		for _, ev := range events {
			if !n.has(ev) {
				t.Fatalf("%s is ready and lacks a record", n.log.Node())
			}
		}
	}
}

// A message of an answer that is lost on its way is asked for again: it must not be taken for one that the stream has no more.
func TestWhatIsDroppedOnItsWayIsReadAgain(t *testing.T) {
	t.Parallel()
	const name, count = "LOG_east_0", 5
	s := start(t, &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT})
	connection, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(connection.Close)
	js, err := jetstream.New(connection)
	if err != nil {
		t.Fatal(err)
	}
	n := open(t, natslog.Config{Site: "east", Node: "n1", KeepMax: keep, BytesMax: 64 << 20, Log: complaints(t), External: []string{s.ClientURL()}})
	ready(t, n)
	n.close()
	var events []store.Event
	var stored []*jetstream.RawStreamMsg
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		ev := event()
		data, err := natslog.WriteMessage(natslog.Batch{Run: 1, Node: "east/n2", Entries: []natslog.Entry{{Number: 1, Event: ev}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.Publish(t.Context(), "log.east.0", data); err != nil {
			t.Fatal(err)
		}
		m, err := stream.GetMsg(t.Context(), uint64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		events, stored = append(events, ev), append(stored, m)
	}
	changed := stream.CachedInfo().Config
	changed.AllowDirect = false // the engine answers no more, and the test does in its place
	if _, err := js.UpdateStream(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	answers := 0
	if _, err := connection.Subscribe("$JS.API.DIRECT.GET."+name, func(m *nats.Msg) {
		var question struct{ Seq uint64 }
		if err := json.Unmarshal(m.Data, &question); err != nil || question.Seq == 0 {
			t.Errorf("asked %q: %v", m.Data, err)
			return
		}
		answers++
		before := uint64(0)
		for _, one := range stored[min(question.Seq-1, count):] {
			answer := nats.NewMsg(m.Reply)
			answer.Data = one.Data
			answer.Header.Set("Nats-Sequence", strconv.FormatUint(one.Sequence, 10))
			answer.Header.Set("Nats-Time-Stamp", one.Time.Format(time.RFC3339Nano))
			answer.Header.Set("Nats-Last-Sequence", strconv.FormatUint(before, 10))
			before = one.Sequence
			if answers == 1 && one.Sequence == 3 {
				continue // it gets lost
			}
			if err := m.RespondMsg(answer); err != nil {
				t.Error(err)
			}
		}
		end := nats.NewMsg(m.Reply)
		end.Header.Set("Status", "204")
		if before == 0 {
			end.Header.Set("Status", "404")
		}
		if err := m.RespondMsg(end); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := connection.Flush(); err != nil {
		t.Fatal(err)
	}
	n.open()
	ready(t, n)
	for i, ev := range events {
		if !n.has(ev) {
			t.Errorf("it is ready, and lacks what message %d laid", i+1)
		}
	}
	if s := n.log.Stats(); s.Lost != 0 || s.Resets != 0 {
		t.Errorf("%+v", s)
	}
}

// While nobody says what is in a stream, it is read; and read again if it turns out to be another one, or to have more before that.
func TestWhatIsReadTooSoonIsConfirmed(t *testing.T) {
	t.Parallel()
	const name, subject = "LOG_east_0", "log.east.0"
	for _, c := range []struct {
		what   string
		first  uint64 // the first message of the stream that is read too soon
		lack   uint64 // one in the middle that is not there
		soon   int    // messages that are applied before it is known what there is
		again  bool   // the stream is another one then
		resets uint64
		lost   uint64
	}{
		{"the same", 1, 0, 5, false, 0, 0},
		{"the same, whose first have become too old", 3, 0, 5, false, 0, 0},
		{"one that lacks something, which is not passed over", 1, 3, 2, false, 0, 1},
		{"another one", 1, 0, 5, true, 1, 0},
		{"another one, which has more before it", 3, 0, 5, true, 1, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			mute := &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"$JS.API.STREAM.INFO.>"}}}
			users := func(of *server.Permissions) []*server.User {
				return []*server.User{{Username: "test", Password: "test"}, {Username: "node", Password: "node", Permissions: of}}
			}
			opts := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Users: users(nil)}
			s := start(t, opts)
			connection, err := nats.Connect(s.ClientURL(), nats.UserInfo("test", "test"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(connection.Close)
			js, err := jetstream.New(connection)
			if err != nil {
				t.Fatal(err)
			}
			cfg := natslog.Config{
				Site: "east", Node: "n1", KeepMax: keep, BytesMax: 64 << 20, Log: complaints(t),
				External: []string{strings.Replace(s.ClientURL(), "//", "//node:node@", 1)},
			}
			n := open(t, cfg)
			ready(t, n)
			n.close()
			stream, err := js.Stream(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			var events []store.Event
			lay := func() { // the next message, with one event
				ev := event()
				data, err := natslog.WriteMessage(natslog.Batch{Run: 1, Node: "east/n2", Entries: []natslog.Entry{{Number: 1, Event: ev}}})
				if err == nil {
					_, err = js.Publish(t.Context(), subject, data)
				}
				if err != nil {
					t.Fatal(err)
				}
				events = append(events, ev)
			}
			for range c.first - 1 + 5 {
				lay()
			}
			if err := stream.Purge(t.Context(), jetstream.WithPurgeSequence(c.first)); err != nil {
				t.Fatal(err)
			}
			events = events[c.first-1:]
			if c.lack > 0 {
				if err := stream.DeleteMsg(t.Context(), c.lack); err != nil {
					t.Fatal(err)
				}
				events = slices.Delete(events, int(c.lack-c.first), int(c.lack-c.first)+1)
			}
			change := func(of *server.Permissions) {
				changed := opts.Clone()
				changed.Users = users(of)
				if err := s.ReloadOptions(changed); err != nil {
					t.Fatal(err)
				}
			}
			change(mute)
			n.open()
			n.gets(events[:c.soon]...)
			if n.log.Ready() == nil || slices.ContainsFunc(events[c.soon:], n.has) {
				t.Error("it is ready, or has what it should not have yet")
			}
			if c.again {
				has := stream.CachedInfo().Config
				if err := js.DeleteStream(t.Context(), name); err != nil {
					t.Fatal(err)
				}
				if _, err := js.CreateStream(t.Context(), has); err != nil {
					t.Fatal(err)
				}
				events = nil
				for range c.first - 1 + 5 {
					lay()
				}
			}
			change(nil)
			ready(t, n)
			for _, ev := range events {
				if !n.has(ev) {
					t.Error("it is ready, and lacks a record")
				}
			}
			if s := n.log.Stats(); s.Resets != c.resets || s.Lost != c.lost {
				t.Errorf("%d resets and %d lost, want %d and %d", s.Resets, s.Lost, c.resets, c.lost)
			}
		})
	}
}
