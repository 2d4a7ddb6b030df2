// Testrun runs the module's tests and fuzz targets and says plainly what happened: go test's own line per package, failures
// in full, every skipped test with its reason, and as the last line how many passed, failed and were skipped.
//
//	go run ./internal/testrun -- [go test flags and packages]
//	go run ./internal/testrun -fuzz 20000x
//
// Every test, subtest and fuzz target counts as one. The exit status is 0 only if something ran and nothing failed.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	fuzz := flag.String("fuzz", "", "run no tests but every fuzz target, with so many inputs (5000x) or for so long (30m) each")
	flag.Parse()

	var sum tally
	err := run(&sum, flag.Args(), *fuzz)
	sum.report(os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(1)
	}
	if sum.failed > 0 || sum.passed == 0 {
		os.Exit(1)
	}
}

func run(sum *tally, args []string, fuzz string) error {
	if fuzz != "" {
		return runFuzz(sum, fuzz)
	}
	return runTests(sum, args)
}
