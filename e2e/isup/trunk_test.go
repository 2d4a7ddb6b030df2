package isup_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait. It is no speed that is asked for: a machine that needs longer is broken.
const patience = time.Minute

// program is isupgw, built once; missing says why there is none.
var program, missing string

// build compiles isupgw into dir with whatever checks the compiler has. Without compiler or library, tests are skipped.
func build(dir string) error {
	program = filepath.Join(dir, "isupgw")
	if _, err := exec.LookPath("gcc"); err != nil {
		missing = "gcc is missing (Debian: apt-get install gcc libc6-dev)"
		return nil
	}
	if _, err := os.Stat("/usr/include/libss7.h"); err != nil {
		missing = "libss7 is missing (Debian: apt-get install libss7-dev)"
		return nil
	}
	var out []byte
	for _, checks := range [][]string{{"-fsanitize=address,undefined", "-fno-sanitize-recover=all"}, nil} {
		args := append([]string{"-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror"}, checks...)
		var err error
		if out, err = exec.Command("gcc", append(args, "-o", program, "isupgw/isupgw.c", "-lss7")...).CombinedOutput(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("building isupgw:\n%s", out)
}

// wants skips a test loudly where the trunk, or a program beside it, is missing.
func wants(t testing.TB, others ...string) {
	t.Helper()
	if missing != "" {
		t.Skip("NO TRUNK: " + missing)
	}
	for _, other := range others {
		if _, err := exec.LookPath(other); err != nil {
			t.Skipf("NOT DECODED: %s is missing (Debian: apt-get install %s)", other, other)
		}
	}
}

// variant is a national flavour of SS7.
type variant string

const (
	ansi variant = "ansi"
	itu  variant = "itu"
)

// Point codes of the two ends. The end with the lower one seizes the odd circuits.
var pointCodes = [2]int{1, 2}

// trunk is two ends that are in service.
type trunk struct {
	variant variant
	capture string // a file: every message signal unit, as the first end saw it
	ends    [2]*trunkEnd
}

// startTrunk starts both ends, and waits until the link between them is aligned. They end with the test.
func startTrunk(t testing.TB, v variant) *trunk {
	t.Helper()
	wants(t)
	slot := timeslot(t)
	tr := &trunk{variant: v, capture: filepath.Join(t.TempDir(), string(v)+".pcap")}
	for i := range tr.ends {
		args := []string{string(v), strconv.Itoa(pointCodes[i]), strconv.Itoa(pointCodes[1-i]), "3"}
		if i == 0 {
			args = append(args, tr.capture)
		}
		tr.ends[i] = startEnd(t, slot[i], args)
	}
	for _, end := range tr.ends {
		if first := end.next(t); first.name != "UP" {
			t.Fatalf("a trunk begins with %+v", first)
		}
	}
	return tr
}

// timeslot is two UDP sockets, each connected to the other.
func timeslot(t testing.TB) [2]*os.File {
	t.Helper()
	var files [2]*os.File
	var addresses [2]syscall.Sockaddr
	for i := range files {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
		check(t, err)
		files[i] = os.NewFile(uintptr(fd), "timeslot")
		check(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		addresses[i], err = syscall.Getsockname(fd)
		check(t, err)
	}
	for i, file := range files {
		check(t, syscall.Connect(int(file.Fd()), addresses[1-i]))
	}
	return files
}

// trunkEnd is one running isupgw.
type trunkEnd struct {
	variant variant
	cmd     *exec.Cmd
	events  chan event // ERR for a command that was refused; closed when the program has ended

	mu    sync.Mutex
	stdin io.WriteCloser
}

// event is a line of isupgw: a message of the other side, or what has become of the link.
type event struct {
	name string
	why  string // of ERR
	message
}

// startEnd starts a program whose timeslot is descriptor 3. Once it runs, nobody else holds the timeslot: if the program
// dies, its peer's datagrams are refused.
func startEnd(t testing.TB, slot *os.File, args []string) *trunkEnd {
	t.Helper()
	end := &trunkEnd{variant: variant(args[0]), cmd: exec.Command(program, args...), events: make(chan event, 64)}
	end.cmd.ExtraFiles = []*os.File{slot}
	end.cmd.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=0") // libss7 leaks at its end
	var said bytes.Buffer
	end.cmd.Stderr = &said
	var err error
	end.stdin, err = end.cmd.StdinPipe()
	check(t, err)
	stdout, err := end.cmd.StdoutPipe()
	check(t, err)
	check(t, end.cmd.Start())
	check(t, slot.Close())
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(end.events)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			e, err := parseEvent(lines.Text())
			if err != nil {
				t.Errorf("isupgw says %q: %v", lines.Text(), err)
				continue
			}
			end.events <- e
		}
	}()
	t.Cleanup(func() {
		end.close()
		overdue := time.AfterFunc(patience, func() { _ = end.cmd.Process.Kill() })
		go func() {
			for range end.events { // nobody else listens any more
			}
		}()
		<-read
		err := end.cmd.Wait()
		if !overdue.Stop() {
			t.Error("isupgw does not end with its stdin")
		}
		if exit, ok := err.(*exec.ExitError); t.Failed() || ok && exit.Exited() { // and not killed by a test
			t.Logf("isupgw: %v\n%s", err, said.Bytes())
		}
		if bytes.Contains(said.Bytes(), []byte("Sanitizer")) {
			t.Errorf("isupgw:\n%s", said.Bytes())
		}
	})
	return end
}

// send writes one command. A program that has ended takes none, which its events tell.
func (e *trunkEnd) send(name string, m message) { e.sendLine(name + m.String()) }

func (e *trunkEnd) sendLine(line string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, _ = io.WriteString(e.stdin, line+"\n")
}

// close ends the program by the end of its stdin.
func (e *trunkEnd) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.stdin.Close() // closed twice, or by the program's death: either is an end
}

// next waits for an event; it is for tests that drive an end themselves.
func (e *trunkEnd) next(t testing.TB) event {
	t.Helper()
	return await(t, e.events, "an event of isupgw")
}

// expect waits for an event of that name on a circuit.
func (e *trunkEnd) expect(t testing.TB, name string, cic int) event {
	t.Helper()
	got := e.next(t)
	if got.name != name || got.cic != cic {
		t.Fatalf("isupgw says %s on circuit %d, want %s on %d", got.name, got.cic, name, cic)
	}
	return got
}

// parseEvent reads a line of isupgw.
func parseEvent(line string) (event, error) {
	name, rest, _ := strings.Cut(line, " ")
	if name == "ERR" {
		return event{name: name, why: rest}, nil
	}
	m, err := parseMessage(rest)
	return event{name: name, message: m}, err
}

// await waits for a value. A closed channel gives the zero value.
func await[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case v := <-from:
		return v
	case <-ctx.Done():
		t.Fatalf("waited %s for %s", patience, what)
		panic("unreachable")
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
