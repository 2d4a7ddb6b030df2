package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/stoptest"
)

// What the switch beds need beside ourselves (Debian).
const switchPackages = "sip-tester kamailio kamailio-secsipid-modules"

// bed is what two telephones need to call each other by way of a switch that asks Viaduct: a laboratory with its repository, a
// CPS, and the elements of providers; each a process of its own, as operators run them.
type bed struct {
	lab *laboratory
	cps string // host:port of the CPS; the first of a pair
}

// newBed makes a laboratory whose elements listen on ports of their own choice, and serves its repository.
func newBed(t *testing.T) *bed {
	t.Helper()
	t.Parallel()
	other(t, "sipp", switchPackages)
	other(t, "kamailio", switchPackages)
	b := &bed{cps: freeAddress(t, "tcp")}
	b.lab = newLaboratory(t, "--cps", b.cps, "--sip", "127.0.0.1:0", "--management", "127.0.0.1:0")
	b.takeTime(t)
	return b
}

var modeLine = regexp.MustCompile(`(?m)^    mode: .*$`)

// takeTime gives each row the longest budget there is: a machine that has much to do makes no difference.
func (b *bed) takeTime(t *testing.T) {
	t.Helper()
	for _, spc := range []string{"1234", "567B"} {
		name := b.lab.path("switches", spc+".yaml")
		text, err := os.ReadFile(name)
		check(t, err)
		check(t, os.WriteFile(name, modeLine.ReplaceAll(text, []byte("$0\n    budget: 5s")), 0o600))
	}
}

// edit replaces texts in a file of the laboratory; they come in pairs, old and new.
func (b *bed) edit(t *testing.T, file string, pairs ...string) {
	t.Helper()
	name := b.lab.path(strings.Split(file, "/")...)
	text, err := os.ReadFile(name)
	check(t, err)
	edited := string(text)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(edited, pairs[i]) {
			t.Fatalf("%s does not hold %q", file, pairs[i])
		}
		edited = strings.ReplaceAll(edited, pairs[i], pairs[i+1])
	}
	check(t, os.WriteFile(name, []byte(edited), 0o600))
}

// server is one process of `viaduct serve`.
type server struct {
	config string
	cmd    *exec.Cmd
	at     map[string]string // addresses by the names in the line that it says when it serves: management, sip_udp, sip_tcp, cps
	said   *spoken           // on standard error
	in     *place
}

var servingPair = regexp.MustCompile(`(\w+)=([\d.]+:\d+)`)

// serve runs `viaduct serve` and waits until it does.
func (b *bed) serve(t *testing.T, in *place, config string) *server {
	t.Helper()
	s := &server{config: b.lab.path(strings.Split(config, "/")...), in: in}
	s.start(t)
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	s.cmd = s.in.command(filepath.Join(binDir, "viaduct"), "serve", "--config", s.config)
	s.said = &spoken{}
	s.cmd.Stderr = s.said
	untilTheEnd(t, s.cmd)
	s.said.wait(t, "msg=serving ")
	_, line, _ := strings.Cut(s.said.String(), "msg=serving ")
	line, _, _ = strings.Cut(line, "\n")
	s.at = map[string]string{}
	for _, pair := range servingPair.FindAllStringSubmatch(line, -1) {
		s.at[pair[1]] = pair[2]
	}
}

// uri is where the element listens for SIP over udp or tcp.
func (s *server) uri(road string) string { return "sip:" + s.at["sip_"+road] + ";transport=" + road }

// hang stops the process where it is, as a machine does that swaps or waits for its disk: the kernel still takes connections and
// datagrams for it.
func (s *server) hang(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }) // before it is told to end, which it would not hear
	check(t, stoptest.Stop(s.cmd.Process))
}

// kill ends the process at once, and waits until it has: then nobody listens at its addresses.
func (s *server) kill(t *testing.T) {
	t.Helper()
	check(t, s.cmd.Process.Kill())
	_ = s.cmd.Wait() // ended by a signal
}

// get fetches a page for operators.
func (s *server) get(t *testing.T, path string) string {
	t.Helper()
	if s.in != nil {
		return s.in.get(t, s.at["management"], path)
	}
	response, err := (&http.Client{Timeout: patience}).Get("http://" + s.at["management"] + path)
	check(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	check(t, err)
	return string(text)
}

// metric is the sum of all series of a name whose labels hold these texts.
func (s *server) metric(t *testing.T, name string, labels ...string) (sum float64) {
	t.Helper()
	for line := range strings.Lines(s.get(t, "/metrics")) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		base, pairs, _ := strings.Cut(series, "{")
		if base != name || !allIn(pairs, labels) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		check(t, err)
		sum += n
	}
	return sum
}

func allIn(text string, parts []string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

// border is Kamailio as a session border controller, with the snippet of deploy/switches in testdata/switches/sbc.cfg.
type border struct {
	address string // host:port, UDP
	said    *spoken
}

// ownPatience leaves the patience to the snippet: for tests in which no answer comes. In all others it is longer than any wait.
var ownPatience = map[string]string{"VIADUCT_PATIENCE": ""}

// border starts one that asks the elements, each a SIP URI with its transport, and sends calls on to next, host:port. defines are more
// of what sbc.cfg and the snippet let one set.
func (b *bed) border(t *testing.T, in *place, elements []string, next string, defines map[string]string) *border {
	t.Helper()
	program := other(t, "kamailio", switchPackages)
	dir := t.TempDir()
	var list strings.Builder
	for _, element := range elements {
		fmt.Fprintf(&list, "1 %s 0 10\n", element)
	}
	check(t, os.WriteFile(filepath.Join(dir, "list"), []byte(list.String()), 0o600))
	script, err := filepath.Abs(filepath.Join("testdata", "switches", "sbc.cfg"))
	check(t, err)
	k := &border{address: in.freeAddress(t, "udp"), said: &spoken{}}
	all := map[string]string{
		"LISTEN_UDP": "udp:" + k.address, "LISTEN_TCP": "tcp:" + in.freeAddress(t, "tcp"), "NEXT_HOP": quoted("sip:" + next),
		"VIADUCT_LIST": quoted(filepath.Join(dir, "list")), "VIADUCT_PROBE": "0", "VIADUCT_PATIENCE": "30000",
	}
	maps.Copy(all, defines)
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	args := []string{"-f", script, "-m", "32", "-M", "8", "-w", dir, "-Y", dir}
	for name, value := range all {
		args = append(args, "-A", name+"="+value)
	}
	if out, err := exec.Command(program, append(args, "-c")...).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "could not find module") {
			t.Skipf("NO SWITCH BED: kamailio lacks a module (Debian: apt-get install %s)", switchPackages)
		}
		t.Fatalf("kamailio -c: %v\n%s", err, out)
	}
	cmd := in.command(program, append(args, "-DD", "-E")...)
	cmd.Stderr, cmd.Env = k.said, b.lab.believing()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	untilTheEnd(t, cmd)
	// All its processes at once: told to end, it may leave one behind that complains of that for ever.
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	k.said.wait(t, "kamailio takes calls")
	return k
}

func quoted(text string) string { return `"` + text + `"` }

// spoken keeps what a process says, for whoever waits for a word of it.
type spoken struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// count is how often a text has been said.
func (s *spoken) count(text string) int { return strings.Count(s.String(), text) }

func (s *spoken) wait(t *testing.T, text string) {
	t.Helper()
	await(t, text, func() bool { return s.count(text) > 0 })
}
