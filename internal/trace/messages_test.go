package trace_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/trace"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func TestMessagesAsText(t *testing.T) {
	r := &trace.Record{Began: noon, Messages: []trace.Message{
		{At: 1500 * time.Microsecond, In: true, Transport: "udp", From: peer, To: local, Bytes: []byte("INVITE sip:a@h SIP/2.0\r\nSubject: \x1b[2J\u202e\u00ff\xff\x00\r\n\r\n")},
		{At: 2 * time.Millisecond, Transport: "tcp\n", From: local, To: peer, Bytes: []byte("one\rtwo\n2026-07-01T12:00:00.000000Z in\tudp")},
		{At: 3 * time.Millisecond, Transport: "udp", From: peer, Bytes: []byte("three")},
	}}
	var out bytes.Buffer
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	want := `2026-07-01T12:00:00.001500Z in udp 192.0.2.1:5060 -> 192.0.2.2:5060, 48 bytes
  INVITE sip:a@h SIP/2.0
  Subject: �[2J�ÿ��
  

2026-07-01T12:00:00.002000Z out tcp� 192.0.2.2:5060 -> 192.0.2.1:5060, 42 bytes
  one�two
  2026-07-01T12:00:00.000000Z in	udp

2026-07-01T12:00:00.003000Z out udp 192.0.2.1:5060 -> -, 5 bytes
  three
`
	if out.String() != want {
		t.Errorf("got\n%q, want\n%q", out.String(), want)
	}
}

// FuzzMessagesAsText: no message gives commands to a terminal or looks like two.
func FuzzMessagesAsText(f *testing.F) {
	f.Add([]byte("INVITE sip:a@h SIP/2.0\r\nSubject: \x1b[2J\u202e\xff\x00\r\n\r\n"), "udp")
	f.Add([]byte("\n\n\r\r\n2026"), "\n")
	f.Fuzz(func(t *testing.T, message []byte, transport string) {
		var out bytes.Buffer
		if err := (&trace.Record{Messages: []trace.Message{{Bytes: message, Transport: transport}}}).WriteText(&out); err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
			if i > 0 && !strings.HasPrefix(line, "  ") {
				t.Errorf("line %d stands out: %q", i, line)
			}
			if strings.ContainsFunc(line, func(c rune) bool {
				return c != '\t' && (c < ' ' || c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e)
			}) {
				t.Errorf("line %d commands: %q", i, line)
			}
		}
	})
}

// program finds a program that somebody else has written.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED: %s is not installed, so nobody else has read what we write; .ci/needs installs it", name)
	}
	return path
}

// dissect has tshark read a capture: the fields of each packet.
func dissect(t *testing.T, file string, fields ...string) []string {
	t.Helper()
	args := []string{"-r", file, "-n", "-T", "fields", "-E", "separator=|", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"}
	for _, field := range fields {
		args = append(args, "-e", field)
	}
	cmd := exec.Command(program(t, "tshark"), args...)
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		t.Fatalf("tshark: %v\n%s", err, faults.String())
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func TestTsharkReadsMessages(t *testing.T) {
	program(t, "tshark")
	six := netip.MustParseAddrPort("[2001:db8::1]:5060")
	long := "OPTIONS sip:a SIP/2.0\r\nCall-ID: long\r\nCSeq: 2 OPTIONS\r\n\r\n" + strings.Repeat("x", 70_000)
	r := &trace.Record{Began: noon, Messages: []trace.Message{
		{In: true, Transport: "udp", From: peer, To: local, Bytes: []byte("INVITE sip:a@h SIP/2.0\r\nCall-ID: a@h\r\nCSeq: 1 INVITE\r\n\r\n")},
		{At: time.Millisecond, Transport: "tls", From: six, To: six, Bytes: []byte("SIP/2.0 302 Moved\r\nCall-ID: a@h\r\nCSeq: 1 INVITE\r\n\r\nx")},
		{Transport: "tcp", To: local, Bytes: []byte(long)},
	}}
	file := filepath.Join(t.TempDir(), "call.pcap")
	var out bytes.Buffer
	if err := r.WritePcap(&out); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got := dissect(t, file, "frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "udp.srcport", "sip.Method", "sip.Status-Code", "sip.Call-ID",
		"ip.checksum.status", "udp.checksum.status")
	want := []string{
		"1782907200.000000000|192.0.2.1|192.0.2.2||5060|INVITE||a@h|1|1",
		"1782907200.001000000|||2001:db8::1|5060||302|a@h||1",
		"1782907200.000000000|0.0.0.0|192.0.2.2||0|OPTIONS||long|1|1",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("tshark read\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
