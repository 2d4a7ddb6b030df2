package dnstest

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// NSD serves zones, texts of zone files by name, with the authoritative server of NLnet Labs, until the test ends. A machine
// without it skips the test.
func NSD(t testing.TB, zones map[string]string) (address string) {
	t.Helper()
	program := find(t, "nsd", "nsd")
	dir := t.TempDir()
	var conf strings.Builder
	fmt.Fprintf(&conf, `server:
  ip-address: 127.0.0.1@%%s
  server-count: 1
  username: ""
  chroot: ""
  pidfile: ""
  zonesdir: "%[1]s"
  xfrdir: "%[1]s"
  xfrdfile: ""
  zonelistfile: "%[1]s/zone.list"
  database: ""
  verbosity: 1
remote-control:
  control-enable: no
`, dir)
	for _, zone := range slices.Sorted(maps.Keys(zones)) {
		file := write(t, dir, zone+".zone", zones[zone])
		fmt.Fprintf(&conf, "zone:\n  name: \"%s\"\n  zonefile: \"%s\"\n", zone, file)
	}
	return start(t, dir, conf.String(), "nsd started", program, "-d", "-c")
}

// Resolver says how Unbound finds its answers.
type Resolver struct {
	Server  string   // address of the server that has all zones
	Zones   []string // names of the zones
	Anchors []string // DNSKEY records that are trusted; what is not below one of their zones is not validated
}

// Unbound is a recursive server that validates, until the test ends. A machine without it skips the test.
func Unbound(t testing.TB, r Resolver) (address string) {
	t.Helper()
	program := find(t, "unbound", "unbound")
	dir := t.TempDir()
	var conf strings.Builder
	fmt.Fprintf(&conf, `server:
  interface: 127.0.0.1
  port: %%s
  directory: "%s"
  chroot: ""
  username: ""
  pidfile: ""
  do-daemonize: no
  use-syslog: no
  logfile: ""
  verbosity: 1
  num-threads: 1
  do-not-query-localhost: no
  module-config: "validator iterator"
`, dir)
	for _, anchor := range r.Anchors {
		fmt.Fprintf(&conf, "  trust-anchor: \"%s\"\n", strings.Join(strings.Fields(anchor), " "))
	}
	conf.WriteString("remote-control:\n  control-enable: no\n")
	for _, zone := range r.Zones {
		fmt.Fprintf(&conf, "stub-zone:\n  name: \"%s\"\n  stub-addr: %s\n", zone, strings.Replace(r.Server, ":", "@", 1))
	}
	return start(t, dir, conf.String(), "start of service", program, "-d", "-c")
}

// Sign signs a zone with a new key, and gives the key as an anchor. A machine without ldns-signzone skips the test.
func Sign(t testing.TB, name, zone string) (signed, anchor string) {
	t.Helper()
	keygen, signzone := find(t, "ldns-keygen", "ldnsutils"), find(t, "ldns-signzone", "ldnsutils")
	dir := t.TempDir()
	key := strings.TrimSpace(run(t, dir, keygen, "-a", "ECDSAP256SHA256", "-k", name))
	file := write(t, dir, "zone", zone)
	run(t, dir, signzone, "-o", name, file, key)
	return read(t, file+".signed"), read(t, filepath.Join(dir, key+".key"))
}

// find gives the path of a program that is not ours.
func find(t testing.TB, program, pkg string) string {
	t.Helper()
	for _, name := range []string{program, "/usr/sbin/" + program} { // no user's PATH has the latter
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("NO REAL NAME SERVER: %s is missing (Debian: apt-get install %s)", program, pkg)
	return ""
}

// start runs a server on a free port, which conf has as %s, until it says that it serves.
func start(t testing.TB, dir, conf, ready, program string, args ...string) (address string) {
	t.Helper()
	var said string
	for range 5 { // the port may be taken between our closing it and the server's opening it
		packets, listener := listen(t)
		address = packets.LocalAddr().String()
		packets.Close()
		listener.Close()
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		file := write(t, dir, "server.conf", fmt.Sprintf(conf, port))
		cmd := exec.Command(program, append(args, file)...)
		output, err := cmd.StderrPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var serves bool
		if said, serves = await(output, ready); serves {
			drained := make(chan struct{})
			go func() {
				io.Copy(io.Discard, output)
				close(drained)
			}()
			t.Cleanup(func() {
				cmd.Process.Signal(os.Interrupt) // NSD ends the processes that it has started
				<-drained
				cmd.Wait()
			})
			return address
		}
		cmd.Wait()
	}
	t.Fatalf("%s does not start: %s", program, said)
	return ""
}

// await reads lines until one has the text; all that was said before is for whoever wants to know why there was none.
func await(output io.Reader, text string) (said string, found bool) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		said += lines.Text() + "\n"
		if strings.Contains(lines.Text(), text) {
			return said, true
		}
	}
	return said, false
}

func run(t testing.TB, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return string(output)
}

func write(t testing.TB, dir, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
