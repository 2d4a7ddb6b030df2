package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// module is where the packages are; they are named in full, so that the directory does not matter.
const module = "github.com/viaduct-oob/viaduct/"

// collected is a figure that a package's own benchmark reports.
type collected struct {
	figure    // without values
	benchmark string
	metric    string // the unit under which it reports the value
	floorOf   string // another benchmark, whose value is the floor
}

// suite is a run of `go test -bench` with what is taken from it.
type suite struct {
	path    string
	pattern string
	often   string // option of go test; of several runs the median counts
	figures []collected
}

var suites = []suite{
	{"passport", "^BenchmarkParseVerify$", "-count=3", []collected{
		{figure: figure{Name: "shaken PASSporT, parse and verify ÷ ecdsa.VerifyASN1", Unit: "ratio", Most: 1.10}, benchmark: "ParseVerify", metric: "ratio"},
	}},
	{"trust", "^BenchmarkVerify_Warm$", "-count=3", []collected{
		{figure: figure{Name: "certificate from the cache, judged", Unit: "ns"}, benchmark: "Verify_Warm", metric: "ns/op"},
	}},
	{"stivs", "^BenchmarkVerify$", "-count=3", []collected{
		{figure: figure{Name: "verdict on a call in band ÷ ecdsa.VerifyASN1", Unit: "ratio", Most: 1.20}, benchmark: "Verify", metric: "x-ecdsa"},
	}},
	{"trust", "^BenchmarkHundredThousandChains$", "-count=1", []collected{
		{figure: figure{Name: "100,000 chains in the cache", Unit: "MB", Most: 400}, benchmark: "HundredThousandChains", metric: "MB"},
	}},
	{"trust/crl", "^Benchmark(LoadMillion|Lookup)$", "-count=1", []collected{
		{figure: figure{Name: "revocation list of a million entries: load", Unit: "ns", Most: 3e9}, benchmark: "LoadMillion", metric: "ns/op"},
		{figure: figure{Name: "revocation list of a million entries: look-up", Unit: "ns", Most: 1000}, benchmark: "Lookup", metric: "ns/op"},
	}},
	{"internal/store", "^Benchmark(MemoryMillion|Retrieve|Expiry)$", "-count=1", []collected{
		{figure: figure{Name: "store, memory of a record beside its PASSporT, numbers scattered", Unit: "bytes", Most: 300}, benchmark: "MemoryMillion/scattered", metric: "B/record-over-payload"},
		{figure: figure{Name: "store, the same, numbers ascending", Unit: "bytes", Most: 300}, benchmark: "MemoryMillion/ascending", metric: "B/record-over-payload"},
		{figure: figure{Name: "store, look-up among 1,000,000 ÷ among 10,000", Unit: "ratio", Most: 1.20}, benchmark: "Retrieve/between-requests", metric: "ratio"},
		{figure: figure{Name: "store, 20,000 expiries/s: longest publish", Unit: "µs", Most: 5000}, benchmark: "Expiry/expiring", metric: "µs-longest-publish", floorOf: "Expiry/floor"},
		{figure: figure{Name: "store, 20,000 expiries/s: longest retrieve", Unit: "µs", Most: 5000}, benchmark: "Expiry/expiring", metric: "µs-longest-retrieve", floorOf: "Expiry/floor"},
	}},
	{"e2e/isup", "^BenchmarkAddedSetUpDelay$", "-benchtime=200x", []collected{
		{figure: figure{Name: "added to the set-up of a call over an ISUP trunk, published and retrieved, CPS 20 ms away: p50", Unit: "ms", Most: 50}, benchmark: "AddedSetUpDelay", metric: "added-p50-ms"},
		{figure: figure{Name: "the same: p99", Unit: "ms", Most: 400}, benchmark: "AddedSetUpDelay", metric: "added-p99-ms"},
		{figure: figure{Name: "that call without: p50", Unit: "ms"}, benchmark: "AddedSetUpDelay", metric: "plain-p50-ms"},
	}},
}

// discoverySuites are those of finding a CPS and of whose a number is. Each is a process of its own, for the most memory
// that a process has had is a figure.
var discoverySuites = []suite{
	{"discovery", "^BenchmarkResolve$", "-count=3", []collected{
		{figure: figure{Name: "CPS of a called number, all answers warm", Unit: "ns", Most: 2000}, benchmark: "Resolve", metric: "ns/op"},
	}},
	{"discovery", "^BenchmarkTable$", "-count=1", []collected{
		{figure: figure{Name: "provisioned file of ten million numbers: look-up", Unit: "ns", Most: 2000}, benchmark: "Table", metric: "ns/op"},
		{figure: figure{Name: "provisioned file of ten million numbers: memory", Unit: "MiB"}, benchmark: "Table", metric: "MB-held"},
	}},
	tenMillion("scattered", "ten million single numbers of 5,000 providers"),
	tenMillion("ported", "ten million rows, blocks with ported numbers in them"),
}

// verifySuites are those of verifying with tables: with one key, and with a thousand whose tables no cache of a core holds.
var verifySuites = []suite{
	{"internal/p256", "^Benchmark(Verify|Build)$", "-count=3", []collected{
		{figure: figure{Name: "P-256 verification with tables, one key: speed ÷ that of crypto/ecdsa", Unit: "ratio", Least: 1.5}, benchmark: "Verify/keys=1", metric: "faster"},
		{figure: figure{Name: "the same, a hundred keys", Unit: "ratio", Least: 1.5}, benchmark: "Verify/keys=100", metric: "faster"},
		{figure: figure{Name: "the same, a thousand keys", Unit: "ratio", Least: 1.5}, benchmark: "Verify/keys=1000", metric: "faster"},
		{figure: figure{Name: "a thousand tables", Unit: "bytes", Most: 25e6}, benchmark: "Verify/keys=1000", metric: "bytes"},
		{figure: figure{Name: "making a table, in verifications with crypto/ecdsa", Unit: "ratio"}, benchmark: "Build", metric: "verifications"},
	}},
}

func tenMillion(row, name string) suite {
	benchmark := "File_TenMillionRows/" + row
	return suite{"numbering", "^BenchmarkFile_TenMillionRows$/^" + row + "$", "-count=1", []collected{
		{figure: figure{Name: name + ": look-up", Unit: "ns", Most: 2000}, benchmark: benchmark, metric: "ns/op"},
		{figure: figure{Name: name + ", loaded and reloaded: memory of the process at most", Unit: "MB", Most: 600}, benchmark: benchmark, metric: "MB-peak"},
		{figure: figure{Name: name + ": load", Unit: "s"}, benchmark: benchmark, metric: "s/load"},
	}}
}

// runBenchmarks runs benchmarks of packages. One that cannot be run, or no longer reports its metric, is a figure that
// is missed.
func runBenchmarks(ctx context.Context, suites []suite) []figure {
	var figures []figure
	for _, s := range suites {
		output, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", s.pattern, s.often, module+s.path).Output()
		figures = append(figures, s.read(readBenchmarks(output), err)...)
	}
	return figures
}

func (s suite) read(measured metrics, failure error) []figure {
	var figures []figure
	for _, c := range s.figures {
		f := c.figure
		values := measured[metric{c.benchmark, c.metric}]
		switch {
		case len(values) > 0:
			f.Value, f.Floor = median(values), median(measured[metric{c.floorOf, c.metric}])
		case failure != nil:
			f.Failed = fmt.Sprintf("go test %s: %v", s.path, failure)
		default:
			f.Failed = "Benchmark" + c.benchmark + " does not report it"
		}
		figures = append(figures, f)
	}
	return figures
}

// metric names what one benchmark measures.
type metric struct{ benchmark, unit string }

// metrics are all values of a metric, one for each time that the benchmark ran.
type metrics map[metric][]float64

// readBenchmarks reads the output of `go test -bench`: lines such as
//
//	BenchmarkParseVerify-2   386   75421 floor-ns   1.043 ratio
func readBenchmarks(output []byte) metrics {
	measured := metrics{}
	lines := bufio.NewScanner(bytes.NewReader(output))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if at := strings.LastIndexByte(name, '-'); at >= 0 && isNumber(name[at+1:]) {
			name = name[:at] // GOMAXPROCS
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				key := metric{name, fields[i+1]}
				measured[key] = append(measured[key], value)
			}
		}
	}
	return measured
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}
