package isup_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// decode lets tshark read a capture of a trunk: one row for each ISUP message that the filter takes, with these fields, tabs
// between them. Several values of a field have commas between them.
func decode(t testing.TB, tr *trunk, filter string, fields ...string) []string {
	t.Helper()
	args := []string{"-r", tr.capture, "-Y", filter, "-T", "fields"}
	if tr.variant == ansi {
		args = append(args, "-o", "mtp3.standard:ANSI", "-o", "isup.variant:ANSI ISUP")
	}
	for _, field := range fields {
		args = append(args, "-e", field)
	}
	cmd := exec.Command("tshark", args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, said.Bytes())
	}
	if len(out) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// Names of ISUP messages by their types, in tshark's writing.
var messageNames = map[string]string{"1": "IAM", "6": "ACM", "9": "ANM", "12": "REL", "16": "RLC"}

// messages are the names of all ISUP messages of a capture, in their order.
func messages(t testing.TB, tr *trunk) string {
	t.Helper()
	var names []string
	for _, row := range decode(t, tr, "isup", "isup.message_type") {
		names = append(names, messageNames[row])
	}
	return strings.Join(names, " ")
}

// carries waits until all ISUP messages of a capture are those: what ends a call on a trunk may cross it when the phones know.
func carries(t testing.TB, tr *trunk, want string) {
	t.Helper()
	got := messages(t, tr)
	for began := time.Now(); got != want && time.Since(began) < patience; got = messages(t, tr) {
		<-time.After(100 * time.Millisecond)
	}
	if got != want {
		t.Errorf("the trunk carries %s, want %s", got, want)
	}
}

// carriesNothingOf fails the test if a capture holds 8 octets that follow each other in a text, or one of the words that go
// with any PASSporT.
func carriesNothingOf(t testing.TB, tr *trunk, text string) {
	t.Helper()
	capture, err := os.ReadFile(tr.capture)
	check(t, err)
	if len(capture) < 200 {
		t.Errorf("the capture has %d bytes: of no call", len(capture))
	}
	for _, word := range []string{"Identity", "eyJ", "alg=", "ppt", "http", "SIP"} {
		if bytes.Contains(capture, []byte(word)) {
			t.Errorf("the trunk carries %q", word)
		}
	}
	const window = 8
	for i := range len(text) - window {
		if bytes.Contains(capture, []byte(text[i:i+window])) {
			t.Errorf("the trunk carries octets %d to %d of the text", i, i+window)
		}
	}
}
