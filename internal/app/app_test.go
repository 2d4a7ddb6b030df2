package app

import (
	"strings"
	"testing"
)

// TestStreams_NothingThatATerminalObeys: escape sequences, C1 controls and direction marks come from tokens, certificates
// and peers.
func TestStreams_NothingThatATerminalObeys(t *testing.T) {
	var out strings.Builder
	text := "SPC\t1234 ‖ é\n\x1b[2Jred\u009b31m \u202egro \x07\x7f\r\xff\n"
	n, err := plainWriter{&out}.Write([]byte(text))
	if err != nil || n != len(text) {
		t.Errorf("wrote %d of %d, %v", n, len(text), err)
	}
	if want := "SPC\t1234 ‖ é\n?[2Jred?31m ?gro ????\n"; out.String() != want {
		t.Errorf("wrote %q, want %q", out.String(), want)
	}
}
