package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/porttest"
)

// The call of all cross-checks: programs that others have written judge our tokens, and we theirs.
const (
	caller = "12155550121"
	called = "12155550131"
)

// other finds a program that is not ours. A machine without it skips the test, and says what to install.
func other(t *testing.T, program, packages string) string {
	t.Helper()
	for _, name := range []string{program, "/usr/sbin/" + program} { // no user's PATH has the latter
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("NOT CROSS-CHECKED: %s is missing (Debian: apt-get install %s)", program, packages)
	return ""
}

// firstLine is what a program says about itself.
func firstLine(program string, args ...string) string {
	text, _ := exec.Command(program, args...).CombinedOutput() // some exit with 1 after their version
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// laboratory is a folder of `viaduct lab init` with providers 1234 and 567B, and its repository while it is served.
type laboratory struct {
	dir        string
	repository string // https://host:port
}

// newLaboratory serves its repository until the test ends.
func newLaboratory(t *testing.T, args ...string) *laboratory {
	t.Helper()
	lab := initLaboratory(t, freeAddress(t, "tcp"), args...)
	lab.serve(t, exec.Command(filepath.Join(binDir, "viaduct"), "lab", "serve", lab.dir))
	return lab
}

// serve runs the repository.
func (l *laboratory) serve(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	output, err := cmd.StdoutPipe()
	check(t, err)
	untilTheEnd(t, cmd)
	if line, err := bufio.NewReader(output).ReadString('\n'); !strings.HasPrefix(line, "serving ") {
		t.Fatalf("viaduct lab serve says %q, %v", line, err)
	}
}

// initLaboratory makes the folder; args are more flags of lab init.
func initLaboratory(t *testing.T, repository string, args ...string) *laboratory {
	t.Helper()
	lab := &laboratory{dir: filepath.Join(t.TempDir(), "lab"), repository: "https://" + repository}
	args = append([]string{"lab", "init", lab.dir, "--spc", "1234", "--spc", "567B", "--repository", repository}, args...)
	cmd := exec.Command(filepath.Join(binDir, "viaduct"), args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("viaduct lab init: %v\n%s", err, out)
	}
	return lab
}

func (l *laboratory) path(names ...string) string {
	return filepath.Join(append([]string{l.dir}, names...)...)
}

func (l *laboratory) key(spc string) string { return l.path("providers", spc, "key.pem") }

// publish lays a file into the repository under another name.
func (l *laboratory) publish(t *testing.T, name, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	check(t, err)
	check(t, os.WriteFile(l.path("repository", name), text, 0o600))
}

// believing is the environment of a program that is to trust the laboratory's TLS root: those written in Go look there.
func (l *laboratory) believing() []string {
	return append(os.Environ(), "SSL_CERT_FILE="+l.path("tls-root.pem"))
}

// sign runs `viaduct passport sign` in the name of 1234 and gives what it prints.
func (l *laboratory) sign(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{"passport", "sign", "--lab", l.dir, "--spc", "1234", "--orig", caller, "--dest", called}, args...)
	text, err := exec.Command(filepath.Join(binDir, "viaduct"), args...).Output()
	check(t, err)
	return strings.TrimSpace(string(text))
}

// passed is what viaduct says of a good value, instead of a case.
const passed = "TN-Validation-Passed"

var verdictLine = regexp.MustCompile(`(?m)^(TN-Validation-Passed|TN-Validation-Failed|No-TN-Validation)(?:.*\((E\d+)\))?`)

// verify runs `viaduct passport verify` in the laboratory.
func (l *laboratory) verify(t *testing.T, value string, args ...string) string {
	t.Helper()
	return verify(t, value, append([]string{"--lab", l.dir}, args...)...)
}

// judgement is what viaduct must say of a value, with these flags for the call.
type judgement struct {
	name, value, want string
	args              []string
}

func (l *laboratory) judge(t *testing.T, judgements []judgement) {
	t.Helper()
	for _, j := range judgements {
		t.Run(j.name, func(t *testing.T) {
			if got := l.verify(t, j.value, j.args...); got != j.want {
				t.Errorf("viaduct says %s, want %s", got, j.want)
			}
		})
	}
}

// verify runs `viaduct passport verify` for the call and gives the case that was found, E18 for example, or the verdict if
// there is none.
func verify(t *testing.T, value string, args ...string) string {
	t.Helper()
	args = append([]string{"passport", "verify", "--orig", caller, "--dest", called}, args...)
	cmd := exec.Command(filepath.Join(binDir, "viaduct"), args...)
	cmd.Stdin = strings.NewReader(value + "\n")
	text, err := cmd.CombinedOutput()
	found := verdictLine.FindSubmatch(text)
	if found == nil {
		t.Fatalf("viaduct passport verify: %v\n%s", err, text)
	}
	if (err == nil) != (string(found[1]) == passed) {
		t.Errorf("viaduct passport verify says %s, and exits with %v", found[1], err)
	}
	if len(found[2]) > 0 {
		return string(found[2])
	}
	return string(found[1])
}

// untilTheEnd starts a process that is ended with the test. What it has said is shown if the test has failed; cmd.Stderr, where
// it is set, gets it too.
func untilTheEnd(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var said bytes.Buffer
	if cmd.Stderr == nil {
		cmd.Stderr = &said
	} else {
		cmd.Stderr = io.MultiWriter(&said, cmd.Stderr)
	}
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		overdue := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // ended by a signal, or by itself: either is an end
		overdue.Stop()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(cmd.Path), said.Bytes())
		}
	})
}

// freeAddress is a loopback address that nobody uses.
func freeAddress(t *testing.T, network string) string {
	t.Helper()
	address, err := porttest.Address(network)
	check(t, err)
	return address
}

// wayward starts two hosts that answer as no repository should, and gives their URLs: one over plain http, and one that
// sends everybody on to the repository.
func (l *laboratory) wayward(t *testing.T) (plain, redirecting string) {
	t.Helper()
	files := httptest.NewServer(http.FileServer(http.Dir(l.path("repository"))))
	t.Cleanup(files.Close)
	cert, err := tls.LoadX509KeyPair(l.path("tls", "repository.pem"), l.path("tls", "repository-key.pem"))
	check(t, err)
	moved := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, l.repository+r.URL.Path, http.StatusFound)
	}))
	moved.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	moved.StartTLS()
	t.Cleanup(moved.Close)
	return files.URL, moved.URL
}

func check(t *testing.T, err error) {
	t.Helper()
	if exit, ok := err.(*exec.ExitError); ok {
		err = fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// swap replaces one text, which must be there, by another; an empty one by nothing.
func swap(t *testing.T, value, old, text string) string {
	t.Helper()
	if old == "" {
		return value
	}
	if !strings.Contains(value, old) {
		t.Fatalf("%q does not hold %q", value, old)
	}
	return strings.Replace(value, old, text, 1)
}

// tampered is an Identity header value or a token whose signature no longer fits what was signed: another caller.
func tampered(t *testing.T, value string) string {
	t.Helper()
	header, rest, _ := strings.Cut(value, ".")
	payload, rest, _ := strings.Cut(rest, ".")
	claims := swap(t, decoded(t, payload), caller, "12155550122")
	return header + "." + encoded(claims) + "." + rest
}
