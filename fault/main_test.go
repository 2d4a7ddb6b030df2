package fault

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	// The binary is built by a child process, of which the test cache knows nothing; this makes it run again when what
	// the binary is made of has changed.
	_ "github.com/viaduct-oob/viaduct/internal/app"
)

// all says that every fault is tried, at higher rates, as `make fault` does.
var all = os.Getenv("VIADUCT_FAULT") == "all"

// dir holds the real binary, built once, and those with a wrong clock.
var dir string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	var err error
	if dir, err = os.MkdirTemp("", "viaduct-fault-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	defer table.print(os.Stdout)
	return m.Run()
}

var builds struct {
	mu   sync.Mutex
	made map[time.Duration]string // guarded by mu
}

// binary is the program; one with an offset is built to believe that it is so much later than it is.
func binary(t *testing.T, offset time.Duration) string {
	t.Helper()
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if name, made := builds.made[offset]; made {
		return name
	}
	name := filepath.Join(dir, "viaduct"+offset.String())
	args := []string{"build", "-o", name}
	if offset != 0 {
		args = append(args, "-ldflags", "-X github.com/viaduct-oob/viaduct/internal/app.clockOffset="+offset.String())
	}
	build := exec.Command("go", append(args, "github.com/viaduct-oob/viaduct/cmd/viaduct")...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building viaduct: %v\n%s", err, out)
	}
	if builds.made == nil {
		builds.made = map[time.Duration]string{}
	}
	builds.made[offset] = name
	return name
}

// patience bounds every wait for something that must come. It is no speed that is asked for.
const patience = time.Minute

// unhurried is a bound of time on a machine that has nothing else to do, and five times as long beside other tests: there it is the
// machine that makes everybody wait.
func unhurried(d time.Duration) time.Duration {
	if all {
		return d
	}
	return 5 * d
}

// await polls until the condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if !within(patience, holds) {
		t.Fatalf("waited %s for %s", patience, what)
	}
}

// within polls until the condition holds, and tells whether it did in time.
func within(limit time.Duration, holds func() bool) bool {
	return poll(limit, 20*time.Millisecond, holds)
}

func poll(limit, every time.Duration, holds func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	again := time.NewTicker(every)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// pass lets time go by in which a fault does its work.
func pass(d time.Duration) { <-time.After(d) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
