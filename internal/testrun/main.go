// Testrun runs the module's tests and fuzz targets and says plainly what happened: go test's own line per package, failures
// in full, every skipped test with its reason, and as the last line how many passed, failed and were skipped.
//
//	go run ./internal/testrun [-fuzztime 5000x] [-onlyfuzz] -- [go test flags and packages]
//
// Every test, subtest and fuzz target counts as one. The exit status is 0 only if something ran and nothing failed.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	fuzztime := flag.String("fuzztime", "", "inputs (5000x) or time (30m) for each fuzz target after the tests; empty runs none")
	onlyFuzz := flag.Bool("onlyfuzz", false, "run the fuzz targets alone")
	flag.Parse()

	var sum tally
	err := run(&sum, flag.Args(), *fuzztime, *onlyFuzz)
	sum.report(os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(1)
	}
	if sum.failed > 0 || sum.passed == 0 {
		os.Exit(1)
	}
}

func run(sum *tally, args []string, fuzztime string, onlyFuzz bool) error {
	if !onlyFuzz {
		if err := runTests(sum, args); err != nil {
			return err
		}
	}
	if fuzztime != "" {
		return runFuzz(sum, fuzztime)
	}
	return nil
}
