package trace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/viaduct-oob/viaduct/internal/trace"
)

// disk takes so many bytes and then is full.
type disk struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
	room int          // guarded by mu
}

func (d *disk) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(d.room, len(b))
	d.room -= n
	d.text.Write(b[:n])
	if n < len(b) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func (d *disk) clean(room int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = room
}

func (d *disk) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// byChance is what differs from one record to another: its name, in which any digits may stand, times and durations.
var byChance = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z|_ms":[\d.e-]+`)

// unnamed is a text without it.
func unnamed(text string) string { return byChance.ReplaceAllString(text, "") }

func TestLinesAreOneRecordEach(t *testing.T) {
	for _, role := range []trace.Role{trace.Masked, trace.Full} {
		var out bytes.Buffer
		bubble(t, trace.Config{Messages: true, Lines: &trace.LinesConfig{Writer: &out, Role: role}}, func(t *testing.T, r *trace.Recorder) {
			for i := range 3 {
				c := r.Begin("udp", peer, local, fmt.Sprint("call\n", i))
				c.Note(func(r *trace.Record) {
					r.Orig, r.Passports, r.Doubt = identity(t, "12155550123"), []string{"eyJ.eyJ.x"}, "<script>\u2028\x00\xff\x1b[2J"
				})
				c.Message(true, "udp", peer, local, []byte("INVITE sip:12155550131@h SIP/2.0\r\n"))
				c.Finish(302, "")
			}
			r.Close(t.Context())
		})
		text := out.String()
		if strings.Contains(unnamed(text), "0123") != (role == trace.Full) || strings.Contains(text, "eyJ") != (role == trace.Full) || strings.Contains(text, "INVITE") {
			t.Errorf("role %d: %s", role, text)
		}
		if strings.ContainsAny(text, "<>\x00\x1b\u2028") || !utf8.ValidString(text) {
			t.Errorf("%q", text)
		}
		if views := records(t, text); len(views) != 3 || views[0].CallID != "call\n0" || views[2].CallID != "call\n2" {
			t.Errorf("%+v", views)
		}
	}
}

func TestFullDiskLosesNoLineWhileThereIsRoom(t *testing.T) {
	d := &disk{room: 100} // a line is longer
	bubble(t, trace.Config{Lines: &trace.LinesConfig{Writer: d}}, func(t *testing.T, r *trace.Recorder) {
		call(r, "one", "")
		call(r, "two", "")
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := r.Stats().Lines; s.Errors < 10 || s.Written != 0 {
			t.Errorf("full: %+v", s)
		}
		d.clean(1 << 20)
		time.Sleep(time.Minute)
		wantCallIDs(t, records(t, d.String()), "one", "two")
		if s := r.Stats().Lines; s.Written != 2 || s.Dropped != 0 {
			t.Errorf("room again: %+v", s)
		}
	})
}

func TestFullDiskLosesLinesAlone(t *testing.T) {
	d := &disk{}
	bubble(t, trace.Config{Lines: &trace.LinesConfig{Writer: d}}, func(t *testing.T, r *trace.Recorder) {
		const calls = 3000
		long := strings.Repeat("x", trace.TextBytesMax)
		for range calls {
			c := r.Begin("udp", peer, local, long)
			c.Note(func(r *trace.Record) { r.Trunk, r.Doubt, r.Reason = long, long, long })
			c.Finish(302, "")
		}
		time.Sleep(2 * trace.DefaultSettle)
		if s := r.Stats(); s.Settled != calls || s.Lines.Dropped == 0 || s.Records == 0 {
			t.Errorf("%+v", s)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("closed with %v", err)
		}
		synctest.Wait()
		if s := r.Stats().Lines; s.Dropped != calls {
			t.Errorf("%+v", s)
		}
	})
}

func TestFileIsRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.jsonl")
	bubble(t, trace.Config{Lines: &trace.LinesConfig{Path: path}}, func(t *testing.T, r *trace.Recorder) {
		written := func(callID string) {
			call(r, callID, "")
			time.Sleep(2 * trace.DefaultSettle)
			synctest.Wait()
		}
		written("one")
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		written("two") // still into the old file
		if err := r.Reopen(); err != nil {
			t.Fatal(err)
		}
		written("three")
		if err := os.Rename(path, path+".2"); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := r.Reopen(); err == nil {
			t.Error("a folder was opened")
		}
		written("four")
		if s := r.Stats().Lines; s != (trace.LinesStats{Written: 4, Errors: 1}) {
			t.Errorf("%+v", s)
		}
	})
	for end, want := range map[string][]string{".1": {"one", "two"}, ".2": {"three", "four"}} {
		text, err := os.ReadFile(path + end)
		if err != nil {
			t.Fatal(err)
		}
		wantCallIDs(t, records(t, string(text)), want...)
	}
}
