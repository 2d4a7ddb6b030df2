package siptx_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// torture is a row of testdata/rfc4475/outcomes.tsv.
type torture struct{ name, section, udp, tcp, reason string }

func tortures(t *testing.T) []torture {
	b, err := os.ReadFile("testdata/rfc4475/outcomes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var rows []torture
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		cells := strings.Split(line, "\t")
		if len(cells) != 5 {
			t.Fatalf("line %d has %d cells", i+1, len(cells))
		}
		if i > 0 {
			rows = append(rows, torture{cells[0], cells[1], cells[2], cells[3], cells[4]})
		}
	}
	return rows
}

// TestRFC4475_TortureMessages sends each message of the document over both transports. An outcome is the statuses that
// were answered, "respond" for each time Respond was asked (it answers 302), "close" if the connection was closed, or
// "dropped". A row that is waived, with "!" before its outcome, says what should be instead of what is: it must not come true.
func TestRFC4475_TortureMessages(t *testing.T) {
	rows := tortures(t)
	named := map[string]bool{}
	for _, row := range rows {
		named[row.name] = true
		text, err := os.ReadFile(filepath.Join("testdata/rfc4475", row.name+".dat"))
		if err != nil {
			t.Fatal(err)
		}
		for transport, want := range map[string]string{siptx.UDP: row.udp, siptx.TCP: row.tcp} {
			t.Run(row.name+"/"+transport, func(t *testing.T) {
				got := suffer(t, transport, string(text))
				wish, waived := strings.CutPrefix(want, "!")
				switch {
				case !waived && got != want:
					t.Errorf("%s: got %q, want %q", row.section, got, want)
				case waived && got == wish:
					t.Errorf("%s: it is %q as it should be: take the waiver out", row.section, got)
				case waived && row.reason == "":
					t.Errorf("%s: waived without a reason", row.section)
				}
			})
		}
	}
	files, err := filepath.Glob("testdata/rfc4475/*.dat")
	if err != nil || len(files) != 49 || len(rows) != 49 {
		t.Errorf("%d files and %d rows, and the document has 49 messages (%v)", len(files), len(rows), err)
	}
	for _, f := range files {
		if !named[strings.TrimSuffix(filepath.Base(f), ".dat")] {
			t.Errorf("%s has no row", f)
		}
	}
}

// suffer sends one message to a server of its own, then one that must be answered whatever the first did to it.
func suffer(t *testing.T, transport, text string) string {
	var outcome []string
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := start(t, siptx.Config{Respond: func(ctx context.Context, r *siptx.Request) siptx.Response {
			asked++
			return found(ctx, r)
		}})
		var answers string
		if transport == siptx.UDP {
			r.send(text, theSwitch)
			for _, d := range r.wire.take() {
				if d.peer.Addr() != theSwitch.Addr() {
					t.Errorf("an answer to %v", d.peer)
				}
				answers += d.text
			}
		} else {
			l := r.connect(theSwitch, false)
			l.send(text)
			answers = l.take()
			time.Sleep(6 * time.Second) // what is incomplete is given up
			synctest.Wait()
			answers += l.take()
			if l.closed() {
				outcome = append(outcome, "close")
			}
		}
		for range asked {
			outcome = append(outcome, "respond")
		}
		for part := range strings.SplitSeq(answers, "SIP/2.0 ") {
			if status, err := strconv.Atoi(part[:min(3, len(part))]); err == nil && status != 302 {
				outcome = append(outcome, strconv.Itoa(status))
			}
		}
		r.wire.take()
		r.send(request("OPTIONS", "z9hG4bKafter"), theSwitch)
		for _, d := range r.wire.take() {
			if strings.HasPrefix(d.text, "SIP/2.0 200") {
				return
			}
		}
		t.Error("the next request was not answered")
	})
	if len(outcome) == 0 {
		return "dropped"
	}
	return strings.Join(outcome, " ")
}

// TestSipgoAndTheTortureMessages: what the package comment says of its parser.
func TestSipgoAndTheTortureMessages(t *testing.T) {
	var refused []string
	for _, row := range tortures(t) {
		text, err := os.ReadFile(filepath.Join("testdata/rfc4475", row.name+".dat"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sip.NewParser().ParseSIP(text); err != nil {
			refused = append(refused, row.name)
		}
	}
	want := "badinv01 clerr ncl scalar02 scalarlg quotbal ltgtruri lwsruri lwsstart trws badaspec bigcode novelsc"
	if got := strings.Join(refused, " "); got != want {
		t.Errorf("refused are %s, want %s", got, want)
	}
	m, err := sip.NewParser().ParseSIP([]byte(invite("z9hG4bK1", "start", "Invite sip:a@b SIP/2.0", "X-odd", " a,\r\n  b")))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.String(); !strings.HasPrefix(got, "INVITE sip:a@b SIP/2.0\r\n") || !strings.Contains(got, "X-odd: a, b\r\n") {
		t.Errorf("written is\n%s", got)
	}
}
