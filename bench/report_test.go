package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLimitsAreJudged(t *testing.T) {
	for _, c := range []struct {
		name   string
		figure figure
		missed bool
	}{
		{"no limit", figure{Value: 3}, false},
		{"least kept by the ratio", figure{Value: 10, Ratio: 0.80, Least: 0.80}, false},
		{"least missed by the ratio", figure{Value: 10, Ratio: 0.79, Least: 0.80}, true},
		{"most kept by the value", figure{Value: 1.1, Most: 1.1}, false},
		{"most missed by the value", figure{Value: 301, Most: 300}, true},
		{"not measured", figure{Failed: "it did not run"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.figure.missed(); got != c.missed {
				t.Errorf("missed: %v, %s", got, c.figure.verdict())
			}
		})
	}
}

func TestReportIsReadable(t *testing.T) {
	r := report{Date: "2026-01-02", Commit: "abc", Figures: []figure{
		{Name: "publish", Unit: "requests/s", Floor: 4000, Value: 3400, Ratio: 0.85, Least: 0.8},
		{Name: "memory", Unit: "bytes", Value: 312, Most: 300},
	}}
	var text bytes.Buffer
	r.write(&text)
	for _, want := range []string{"commit abc", "4000", "0.850", "≥ 0.8", "kept", "≤ 300", "MISSED"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing:\n%s", want, &text)
		}
	}
	file := filepath.Join(t.TempDir(), "report.json")
	if err := r.save(file); err != nil {
		t.Fatal(err)
	}
	saved, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(saved, &back); err != nil || len(back.Figures) != 2 || back.Figures[0] != r.Figures[0] || !r.missed() {
		t.Errorf("%v: %+v", err, back)
	}
}

func TestBenchmarksAreRead(t *testing.T) {
	measured := readBenchmarks([]byte(`goos: linux
BenchmarkParseVerify-2   	     386	     75421 floor-ns	         1.043 ratio
BenchmarkParseVerify-2   	     390	     75000 floor-ns	         1.061 ratio
BenchmarkRetrieve/between-requests 	 100	  12345 ns/op	  1.100 ratio
BenchmarkBroken-2
PASS
`))
	s := suite{path: "p", figures: []collected{
		{figure: figure{Name: "parse", Most: 1.1}, benchmark: "ParseVerify", metric: "ratio"},
		{figure: figure{Name: "retrieve"}, benchmark: "Retrieve/between-requests", metric: "ns/op", floorOf: "ParseVerify"},
		{figure: figure{Name: "gone"}, benchmark: "Gone", metric: "ratio"},
	}}
	figures := s.read(measured, nil)
	if figures[0].Value != 1.052 || figures[0].missed() || figures[1].Value != 12345 || figures[1].Floor != 0 {
		t.Errorf("%+v", figures)
	}
	if figures[2].Failed == "" || !figures[2].missed() {
		t.Errorf("a benchmark that is gone was not noticed: %+v", figures[2])
	}
	for _, f := range s.read(nil, errors.New("exit status 1")) {
		if f.Failed == "" {
			t.Errorf("%s: the failure was not noticed", f.Name)
		}
	}
}
