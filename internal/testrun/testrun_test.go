package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestTallyCountsAndShowsWhatMatters(t *testing.T) {
	events := strings.Join([]string{
		`{"Action":"run","Package":"m/a","Test":"TestGood"}`,
		`{"Action":"output","Package":"m/a","Test":"TestGood","Output":"chatter\n"}`,
		`{"Action":"pass","Package":"m/a","Test":"TestGood"}`,
		`{"Action":"output","Package":"m/a","Test":"TestBad","Output":"    bad_test.go:1: wrong\n"}`,
		`{"Action":"fail","Package":"m/a","Test":"TestBad"}`,
		`{"Action":"output","Package":"m/a","Test":"TestPeer","Output":"=== RUN   TestPeer\n"}`,
		`{"Action":"output","Package":"m/a","Test":"TestPeer","Output":"    peer_test.go:1: sipp is not installed\n"}`,
		`{"Action":"output","Package":"m/a","Test":"TestPeer","Output":"--- SKIP: TestPeer (0.00s)\n"}`,
		`{"Action":"skip","Package":"m/a","Test":"TestPeer"}`,
		`{"Action":"output","Package":"m/a","Output":"FAIL\n"}`,
		`{"Action":"output","Package":"m/a","Output":"FAIL\tm/a\t0.1s\n"}`,
		`{"Action":"fail","Package":"m/a"}`,
		`{"ImportPath":"m/b","Action":"build-output","Output":"b.go:1: undefined\n"}`,
		`{"Action":"fail","Package":"m/b"}`,
		`{"Action":"output","Package":"m/c","Test":"TestDies","Output":"about to die\n"}`,
		`{"Action":"output","Package":"m/c","Output":"FAIL\tm/c\t0.1s\n"}`,
		`{"Action":"fail","Package":"m/c"}`,
		`go: something else`,
	}, "\n")
	var sum tally
	var shown bytes.Buffer
	if err := sum.read(strings.NewReader(events), &shown); err != nil {
		t.Fatal(err)
	}
	sum.report(&shown)
	want := strings.Join([]string{
		"    bad_test.go:1: wrong",
		"FAIL\tm/a\t0.1s",
		"b.go:1: undefined",
		"FAIL\tm/c\t0.1s",
		"about to die",
		"go: something else",
		"",
		"SKIPPED m/a.TestPeer: peer_test.go:1: sipp is not installed",
		"FAILED m/a.TestBad",
		"FAILED m/b",
		"FAILED m/c",
		"1 passed, 3 failed, 1 skipped",
		"",
	}, "\n")
	if got := shown.String(); got != want {
		t.Errorf("shown:\n%s\nwant:\n%s", got, want)
	}
}

func TestFuzzTargetsAreFound(t *testing.T) {
	found, err := fuzzTargets("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if want := (fuzzTarget{dir: "testdata", name: "FuzzParse"}); len(found) != 1 || found[0] != want {
		t.Errorf("found %v, want %v", found, want)
	}
}

// TestEndedByTheClock: a target that found an input is a failure, whatever else is said.
func TestEndedByTheClock(t *testing.T) {
	for _, c := range []struct {
		name, output string
		want         bool
	}{
		{"the end of the time", "--- FAIL: FuzzX (6.03s)\n    context deadline exceeded\nFAIL\n", true},
		{"an input that fails", "--- FAIL: FuzzX (1.03s)\n    --- FAIL: FuzzX (0.00s)\n\n    Failing input written to testdata/fuzz/FuzzX/1\n", false},
		{"both", "Failing input written to testdata/fuzz/FuzzX/1\ncontext deadline exceeded\n", false},
		{"does not build", "x.go:1: expected 'package'\nFAIL\n", false},
	} {
		if got := endedByTheClock([]byte(c.output)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
