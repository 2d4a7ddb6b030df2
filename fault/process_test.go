package fault

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program in its place, through all its lives.
type process struct {
	name  string
	dir   string // what it has, and says
	place *place

	mu   sync.Mutex
	cmd  *exec.Cmd     // that of the present life; guarded by mu
	over chan struct{} // closed when it has ended; guarded by mu
}

// begin begins a life. What the process says goes to a file that outlives a failed test.
func (p *process) begin(t *testing.T, program string, args ...string) {
	t.Helper()
	said, err := os.OpenFile(p.path("log.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	check(t, err)
	defer said.Close()
	fmt.Fprintf(said, "--- %s begins\n", p.name)
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	check(t, p.place.do(cmd.Start))
	over := make(chan struct{})
	go func() {
		_ = cmd.Wait() // ended by a signal, or by itself: either is an end
		close(over)
	}()
	p.mu.Lock()
	first := p.cmd == nil
	p.cmd, p.over = cmd, over
	p.mu.Unlock()
	if first {
		t.Cleanup(func() {
			p.signal(syscall.SIGKILL)
			p.ended(t)
			if t.Failed() {
				p.keep(t)
			}
		})
	}
}

// keep saves what the process has said.
func (p *process) keep(t *testing.T) {
	name := filepath.Join(os.TempDir(), "viaduct-fault-"+strings.ReplaceAll(t.Name(), "/", "-")+"-"+p.name+".log")
	text, err := os.ReadFile(p.path("log.txt"))
	if err == nil {
		err = os.WriteFile(name, text, 0o600)
	}
	t.Logf("what %s said is in %s (%v)", p.name, name, err)
}

func (p *process) path(name string) string { return filepath.Join(p.dir, name) }

// signal sends a signal to the process and whatever it has started.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = syscall.Kill(-p.cmd.Process.Pid, s) // it may have ended
}

// kill ends the process at once, as a power cut does.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.signal(syscall.SIGKILL)
	p.ended(t)
}

// ended waits for the end of the process.
func (p *process) ended(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	over := p.over
	p.mu.Unlock()
	select {
	case <-over:
	case <-time.After(patience):
		t.Errorf("%s has not ended", p.name)
	}
}

// stop asks the process to end, and waits until it has.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(syscall.SIGTERM)
	p.ended(t)
}

// hang stops the process where it is; wake lets it go on.
func (p *process) hang() { p.signal(syscall.SIGSTOP) }
func (p *process) wake() { p.signal(syscall.SIGCONT) }

// alive tells whether the process has not ended.
func (p *process) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.over:
		return false
	default:
		return true
	}
}
