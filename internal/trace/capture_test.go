package trace_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/porttest"
	"github.com/viaduct-oob/viaduct/internal/trace"
)

// server is a capture server that somebody else has written.
type server struct {
	cmd    *exec.Cmd
	output *bytes.Buffer
	gone   chan error
}

// serve starts a program and waits until something on this machine takes datagrams at the address.
func serve(t *testing.T, address string, cmd *exec.Cmd) *server {
	t.Helper()
	s := &server{cmd: cmd, output: &bytes.Buffer{}, gone: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = s.output, s.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that its children end with it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.gone <- cmd.Wait() }()
	t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		conn.Write([]byte("probe"))
		conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			return s
		}
		select {
		case err := <-s.gone:
			t.Fatalf("%s: %v\n%s", cmd.Path, err, s.output)
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("%s takes nothing at %s", cmd.Path, address)
	return nil
}

// end asks the program to end, and gives what it has said.
func (s *server) end(t *testing.T) string {
	t.Helper()
	s.cmd.Process.Signal(os.Interrupt)
	select {
	case <-s.gone:
	case <-time.After(time.Minute):
		t.Fatalf("%s does not end", s.cmd.Path)
	}
	return s.output.String()
}

// freePort is one that nobody uses.
func freePort(t *testing.T) string {
	t.Helper()
	address, err := porttest.Address("udp")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// until asks again and again whether a file holds enough.
func until(t *testing.T, file string, enough func(text []byte) bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		text, _ := os.ReadFile(file)
		if enough(text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has %d bytes: %q", filepath.Base(file), len(text), text[:min(len(text), 8<<10)])
		}
	}
}

func TestSngrepReadsHEP(t *testing.T) {
	sngrep := program(t, "sngrep")
	program(t, "tshark")
	address, file := freePort(t), filepath.Join(t.TempDir(), "hep.pcap")
	s := serve(t, address, exec.Command(sngrep, "-N", "-q", "-L", "udp:"+address, "-O", file))
	r := recorderFor(t, trace.Config{HEP: &trace.HEPConfig{Addr: address, UDP: true, Agent: 2001, Role: trace.Full}})
	sipCall(r, t, "call-1@h")
	sipCall(r, t, "call-2@h")
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, file, func(text []byte) bool { return bytes.Count(text, []byte(`"version":1`)) == 2 })
	s.end(t)
	got := dissect(t, file, "ip.src", "ip.dst", "udp.srcport", "udp.dstport", "sip.Method", "sip.Status-Code", "sip.Call-ID")
	var want []string
	for _, callID := range []string{"call-1@h", "call-2@h"} {
		want = append(want, "192.0.2.1|192.0.2.2|5060|5060|INVITE||"+callID, "192.0.2.2|192.0.2.1|5060|5060||302|"+callID,
			"192.0.2.1|192.0.2.2|5060|5060|||") // the record, which is no SIP
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sngrep wrote\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// kamailioConfig has Kamailio's sipcapture say what it has read. It must be given a database, which here gets nothing.
const kamailioConfig = `#!KAMAILIO
debug=0
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:ADDRESS
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "db_text.so"
loadmodule "sipcapture.so"
modparam("sipcapture", "hep_capture_on", 1)
modparam("sipcapture", "nonsip_hook", 1)
modparam("sipcapture", "insert_retries", 1)
modparam("sipcapture", "db_url", "text://FOLDER")
request_route { drop; }
event_route[sipcapture:request] {
	xlog("L_ALERT", "HEP type $hep(0x00b) correlation $hep(0x011) agent $hep(0x00c) payload $hep(0x00f)\n");
}
`

func TestKamailioReadsHEP(t *testing.T) {
	kamailio := program(t, "kamailio")
	address, folder := freePort(t), t.TempDir()
	config := filepath.Join(folder, "kamailio.cfg")
	text := strings.NewReplacer("ADDRESS", address, "FOLDER", folder).Replace(kamailioConfig)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", "-c", `exec "$0" -f "$1" -Y "$2" -DD -E 2>"$3"`, kamailio, config, folder, log.Name())
	s := serve(t, address, cmd)
	r := recorderFor(t, trace.Config{HEP: &trace.HEPConfig{Addr: address, UDP: true, Agent: 2001, Role: trace.Full}})
	sipCall(r, t, "call-1@h")
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, log.Name(), func(text []byte) bool {
		for _, want := range []string{
			"HEP type 1 correlation call-1@h agent 2001 payload INVITE sip:+12155550131@192.0.2.2 SIP/2.0",
			"HEP type 1 correlation call-1@h agent 2001 payload SIP/2.0 302 Moved Temporarily",
			`HEP type 100 correlation call-1@h agent 2001 payload {"version":1,`,
		} {
			if !bytes.Contains(text, []byte(want)) {
				return false
			}
		}
		return true
	})
	s.end(t)
}
