package e2e

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	// The binary is built by a child process, of which the test cache knows nothing; this makes it run again when what
	// the binary is made of has changed.
	_ "github.com/viaduct-oob/viaduct/internal/app"
	"github.com/viaduct-oob/viaduct/internal/porttest"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// binDir holds the real binary, built once.
var binDir string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "viaduct-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "viaduct"), "github.com/viaduct-oob/viaduct/cmd/viaduct")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building viaduct: %v\n%s", err, out)
		return 1
	}
	binDir = dir
	flag.Parse()
	_ = flag.Set("test.parallel", "6") // most of a test is waiting for others, whatever the number of processors
	return m.Run()
}

// TestScripts runs every story in testdata against the real binary.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", binDir+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("SOFTHSM_MODULE", oobtest.SoftHSMModule())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fetch":    fetch,
			"freeport": freeport,
			"waitfor":  waitfor,
			"status":   status,
			"signal":   signal,
			"subst":    subst,
			"waittext": waittext,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// freeport NAME… sets each variable to a loopback address that nobody uses.
func freeport(ts *testscript.TestScript, neg bool, names []string) {
	for _, name := range names {
		address, err := porttest.Address("tcp")
		ts.Check(err)
		ts.Setenv(name, address)
	}
}

// patience bounds every wait. It is no speed that is asked for: a machine that needs longer is broken.
const patience = time.Minute

// waitfor ADDRESS… waits until somebody listens; with !, until nobody does.
func waitfor(ts *testscript.TestScript, neg bool, addresses []string) {
	for _, address := range addresses {
		await(ts, address, func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return (err == nil) != neg
		})
	}
}

// waittext FILE TEXT waits until a file holds a text.
func waittext(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waittext FILE TEXT")
	}
	name := ts.MkAbs(args[0])
	await(ts, args[1], func() bool {
		text, err := os.ReadFile(name)
		return err == nil && strings.Contains(string(text), args[1])
	})
}

// await polls until the condition holds.
func await(ts interface{ Fatalf(string, ...any) }, what string, holds func() bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-ctx.Done():
			ts.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// status CODE METHOD URL asks without any credential and wants the status. TLS certificates are not checked: the
// stories do that with viaduct itself.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: status CODE METHOD URL")
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequest(args[1], args[2], nil)
	ts.Check(err)
	response, err := client.Do(request)
	ts.Check(err)
	response.Body.Close()
	if got := fmt.Sprint(response.StatusCode); (got == args[0]) == neg {
		ts.Fatalf("%s %s: status %s", args[1], args[2], got)
	}
}

// fetch URL FILE gets a page and keeps it.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fetch URL FILE")
	}
	response, err := (&http.Client{Timeout: patience}).Get(args[0])
	ts.Check(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
}

// signal NAME PIDFILE sends a signal to the process whose number the file holds. testscript's own kill knows two signals.
func signal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP}
	if neg || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal TERM|HUP PIDFILE")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, signals[args[0]]))
}

// subst FILE OLD NEW replaces a text in a file; \n in NEW begins a line.
func subst(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: subst FILE OLD NEW")
	}
	name := ts.MkAbs(args[0])
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(name, []byte(strings.ReplaceAll(text, args[1], strings.ReplaceAll(args[2], `\n`, "\n"))), 0o600))
}
