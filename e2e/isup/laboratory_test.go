package isup_test

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"

	// The binary is built by a child process, of which the test cache knows nothing; this makes tests run again when what
	// the binary is made of has changed.
	_ "github.com/viaduct-oob/viaduct/internal/app"
	"github.com/viaduct-oob/viaduct/internal/porttest"
)

// viaduct is the real binary, built once into dir.
var viaduct string

func buildViaduct(dir string) error {
	viaduct = filepath.Join(dir, "viaduct")
	out, err := exec.Command("go", "build", "-o", viaduct, "github.com/viaduct-oob/viaduct/cmd/viaduct").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building viaduct: %w\n%s", err, out)
	}
	return nil
}

// laboratory is two providers, their certificates where others find them, and the CPS that both use.
type laboratory struct {
	dir        string
	repository string // host:port
	cps        string // host:port
}

// providers at the two ends of a trunk.
var providers = [2]string{"1234", "567B"}

// shared is the laboratory of all tests, which starts with the first that needs it. Nobody may stop a part of it.
var shared struct {
	start    sync.Once
	lab      *laboratory
	elements [2]sipElement
}

// sharedElements are those of the two providers, as the switches at both ends of a trunk ask them.
func sharedElements(t testing.TB) [2]sipElement {
	t.Helper()
	shared.start.Do(func() {
		dir, err := os.MkdirTemp(filepath.Dir(program), "lab-")
		check(t, err)
		lab := startLaboratory(t, dir)
		for i := range providers {
			shared.elements[i], _ = lab.startElement(t, i, elementConfig{cps: lab.cps})
		}
		shared.lab = lab
	})
	if shared.lab == nil {
		t.Fatal("the laboratory has not started")
	}
	return shared.elements
}

func startLaboratory(t testing.TB, dir string) *laboratory {
	t.Helper()
	address, err := porttest.Address("tcp") // certificates name the address, so that it is found before
	check(t, err)
	l := &laboratory{dir: filepath.Join(dir, "lab"), repository: address}
	out, err := exec.Command(viaduct, "lab", "init", l.dir, "--spc", providers[0], "--spc", providers[1],
		"--repository", l.repository, "--cps", "127.0.0.1:0", "--management", "127.0.0.1:0").CombinedOutput()
	if err != nil {
		t.Fatalf("viaduct lab init: %v\n%s", err, out)
	}
	startProcess(t, regexp.MustCompile(`^serving `), "lab", "serve", l.dir)
	cps := startProcess(t, regexp.MustCompile(`msg=serving .*\bcps=(\S+)`), "serve", "--config", filepath.Join(l.dir, "viaduct.yaml"))
	l.cps = cps.said[1]
	return l
}

// sipElement is where `viaduct serve` answers switches.
type sipElement struct{ udp, tcp string }

// asked is how a switch names the trunk when it asks about a call: role is out, in, transit-out, transit-in, or strict:
// in, where a bad token stops the call.
func (e sipElement) asked(v variant, role string) element {
	name := role + "-" + string(v)
	if v == itu { // one kind of trunk by a label and over UDP, the other as a trunk group and over TCP
		return element{address: e.tcp, transport: "tcp", group: name, context: "switch.example"}
	}
	return element{address: e.udp, transport: "udp", label: name}
}

var elementTemplate = template.Must(template.New("").Parse(`
sip:
  udp: ["127.0.0.1:0"]
  tcp: ["127.0.0.1:0"]
signing:
  spc: "{{.SPC}}"
  key: providers/{{.SPC}}/key.pem
  certificate: repository/{{.SPC}}.pem
  x5u: https://{{.Repository}}/{{.SPC}}.pem
  margin: 0s
  numbers: [12155550100-12155550199, 441632960100-441632960199]
peers:
  cps:
    - {name: lab, url: "https://{{.CPS}}", audience: localhost}
  tls_roots: [tls-root.pem]
trunks:
{{- range $row := .Rows}}
  - name: {{.Name}}
    match: {{.Match}}
    mode: {{.Mode}}
    budget: 5s
    cps: [lab]
    {{with .Peer}}peer_spc: "{{.}}"{{end}}
    {{with .Numbering}}numbering: {{.}}{{end}}
    {{with .Block}}block: {{.}}{{end}}
{{- end}}
trust:
  anchors: [{{.Anchors}}]
  laboratory:
    hosts: ["{{.Repository}}"]
    roots: [tls-root.pem]
management:
  listen: "127.0.0.1:0"
log:
  format: text
`))

// row is a trunk in the configuration of an element.
type row struct{ Name, Match, Mode, Peer, Numbering, Block string }

// elementConfig is how an element differs from others: where it looks for the CPS, and a file of roots that it believes if not
// those of the laboratory.
type elementConfig struct{ cps, roots string }

// startElement serves the switch of a provider.
func (l *laboratory) startElement(t testing.TB, side int, c elementConfig) (sipElement, *process) {
	t.Helper()
	var rows []row
	for _, v := range []variant{ansi, itu} {
		for _, r := range []row{{Name: "out", Mode: "sign_publish"}, {Name: "transit-out", Mode: "publish"},
			{Name: "in", Mode: "verify", Peer: providers[1-side]}, {Name: "transit-in", Mode: "retrieve", Peer: providers[1-side]}, {Name: "strict", Mode: "verify", Peer: providers[1-side], Block: "failed"}} {
			r.Name += "-" + string(v)
			r.Match = fmt.Sprintf("{sources: [127.0.0.0/8], label: %s}", r.Name)
			if v == itu {
				r.Match = fmt.Sprintf("{sources: [127.0.0.0/8], tgrp: %s, trunk_context: switch.example}", r.Name)
				r.Numbering = `{country_code: "44", international_prefix: "00", national_prefix: "0", prefix_optional: false, national_min: 9, national_max: 10}`
			}
			rows = append(rows, r)
		}
	}
	var text strings.Builder
	check(t, elementTemplate.Execute(&text, map[string]any{"SPC": providers[side], "Repository": l.repository, "CPS": c.cps, "Anchors": cmp.Or(c.roots, "sti-root.pem"), "Rows": rows}))
	file, err := os.CreateTemp(l.dir, "element-*.yaml")
	check(t, err)
	_, err = file.WriteString(text.String())
	check(t, err)
	check(t, file.Close())
	p := startProcess(t, regexp.MustCompile(`msg=serving .*\bsip_udp=(\S+) sip_tcp=(\S+)`), "serve", "--config", file.Name())
	return sipElement{udp: p.said[1], tcp: p.said[2]}, p
}

// processes are all that were started; they end after the last test at the latest.
var processes struct {
	mu  sync.Mutex
	all []*process
}

func endProcesses() {
	processes.mu.Lock()
	defer processes.mu.Unlock()
	for _, p := range processes.all {
		p.end()
	}
}

// process is a running viaduct.
type process struct {
	cmd  *exec.Cmd
	said []string // the line by which it has told that it is ready, and what the pattern captured
	all  bytes.Buffer
	read chan struct{}
}

// startProcess waits until the process has said a line that fits.
func startProcess(t testing.TB, ready *regexp.Regexp, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(viaduct, args...), read: make(chan struct{})}
	output, err := p.cmd.StdoutPipe()
	check(t, err)
	p.cmd.Stderr = p.cmd.Stdout
	check(t, p.cmd.Start())
	processes.mu.Lock()
	processes.all = append(processes.all, p)
	processes.mu.Unlock()
	lines := make(chan []string, 1)
	go func() {
		defer close(p.read)
		defer close(lines)
		for scanner, waiting := bufio.NewScanner(io.TeeReader(output, &p.all)), true; scanner.Scan(); {
			if said := ready.FindStringSubmatch(scanner.Text()); said != nil && waiting {
				lines <- said
				waiting = false
			}
		}
	}()
	if p.said = await(t, lines, "viaduct "+args[0]); p.said == nil {
		<-p.read
		t.Fatalf("viaduct %s ends:\n%s", args[0], p.all.Bytes())
	}
	return p
}

// end stops a process, whatever state it is in.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	overdue := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer overdue.Stop()
	<-p.read
	_ = p.cmd.Wait() // ended by a signal, or by itself: either is an end
}
