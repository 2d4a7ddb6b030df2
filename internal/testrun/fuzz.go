package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// fuzzTarget is one fuzz function and the folder that it stands in.
type fuzzTarget struct{ dir, name string }

var fuzzFunc = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// fuzzTargets finds every fuzz function below root, so that a new one runs without being listed anywhere.
func fuzzTargets(root string) ([]fuzzTarget, error) {
	var found []fuzzTarget
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "testdata" && path != root {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range fuzzFunc.FindAllSubmatch(text, -1) {
			found = append(found, fuzzTarget{dir: filepath.Dir(path), name: string(m[1])})
		}
		return nil
	})
	return found, err
}

// runFuzz gives each target its time, one after the other, and prints one line for it: the fuzzer's last.
func runFuzz(sum *tally, each string) error {
	targets, err := fuzzTargets(".")
	if err != nil {
		return err
	}
	for _, target := range targets {
		cmd := exec.Command("go", "test", "-run=^$", "-fuzz=^"+target.name+"$", "-fuzztime="+each, "-fuzzminimizetime=20x", "./"+target.dir)
		output, err := cmd.CombinedOutput()
		if err != nil && !endedByTheClock(output) {
			sum.failed++
			sum.failures = append(sum.failures, target.dir+"."+target.name)
			fmt.Printf("fuzz\t%s\t%s\tFAIL: %v\n%s", target.dir, target.name, err, output)
			continue
		}
		sum.passed++
		fmt.Printf("fuzz\t%s\t%s\t%s\n", target.dir, target.name, lastProgress(output))
	}
	return nil
}

// endedByTheClock tells a fault of the go command from one of the target: when -fuzztime is a time, a worker that is busy
// at its end can be reported as a failure, without any input that fails.
func endedByTheClock(output []byte) bool {
	return bytes.Contains(output, []byte("context deadline exceeded")) && !bytes.Contains(output, []byte("Failing input"))
}

func lastProgress(output []byte) string {
	last := "no input tried"
	for line := range bytes.Lines(output) {
		if bytes.HasPrefix(line, []byte("fuzz: ")) {
			last = strings.TrimSpace(string(line[len("fuzz: "):]))
		}
	}
	return last
}
