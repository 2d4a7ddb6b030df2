package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// event is one line of go test -json (see go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of the build events, instead of Package
	Test       string
	Output     string
}

// tally counts how tests ended and holds back what they print until it is known whether anybody needs it.
type tally struct {
	passed, failed int
	skipped        []string
	failures       []string
	held           map[[2]string][]string // output of tests that still run, by package and test
	failedIn       map[string]bool        // packages in which a test has failed
}

// runTests runs go test -json with args and tallies its events.
func runTests(sum *tally, args []string) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := sum.read(out, os.Stdout)
	if err := cmd.Wait(); err != nil && sum.failed == 0 {
		return fmt.Errorf("go test: %w", err)
	}
	return readErr
}

// read takes in events until the end, printing what people should see as it comes.
func (t *tally) read(events io.Reader, w io.Writer) error {
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(w, lines.Text()) // not an event: go itself complains
			continue
		}
		t.add(e, w)
	}
	return lines.Err()
}

func (t *tally) add(e event, w io.Writer) {
	if t.held == nil {
		t.held, t.failedIn = map[[2]string][]string{}, map[string]bool{}
	}
	id := [2]string{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(w, e.Output)
	case "output":
		if e.Test == "" {
			printPackageLine(w, e.Output)
		} else {
			t.held[id] = append(t.held[id], e.Output)
		}
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endPackage(e, w)
		} else {
			t.endTest(e, w)
		}
		delete(t.held, id)
	}
}

func printPackageLine(w io.Writer, line string) {
	if line != "PASS\n" && line != "FAIL\n" {
		fmt.Fprint(w, line)
	}
}

func (t *tally) endTest(e event, w io.Writer) {
	name := e.Package + "." + e.Test
	output := t.held[[2]string{e.Package, e.Test}]
	switch e.Action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
		t.failedIn[e.Package] = true
		t.failures = append(t.failures, name)
		fmt.Fprint(w, strings.Join(output, ""))
	case "skip":
		t.skipped = append(t.skipped, name+": "+skipReason(output))
	}
}

// endPackage counts a package that failed without any test of it failing: it did not build, or its process died. What its
// unfinished tests printed is shown then.
func (t *tally) endPackage(e event, w io.Writer) {
	if e.Action != "fail" || t.failedIn[e.Package] {
		return
	}
	t.failed++
	t.failures = append(t.failures, e.Package)
	for id, output := range t.held {
		if id[0] == e.Package {
			fmt.Fprint(w, strings.Join(output, ""))
		}
	}
}

// skipReason is what the test printed, without the lines that go test adds.
func skipReason(output []string) string {
	said := slices.DeleteFunc(slices.Clone(output), func(line string) bool {
		line = strings.TrimSpace(line)
		return strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ")
	})
	return strings.Join(strings.Fields(strings.Join(said, " ")), " ")
}

// report prints what was skipped and what failed, and the closing line.
func (t *tally) report(w io.Writer) {
	fmt.Fprintln(w)
	for _, s := range t.skipped {
		fmt.Fprintln(w, "SKIPPED", s)
	}
	for _, f := range t.failures {
		fmt.Fprintln(w, "FAILED", f)
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, len(t.skipped))
}
