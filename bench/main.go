// Bench measures the CPS against a floor in the same run, and collects the ratios of the packages' own benchmarks.
//
//	go run ./bench [-run PARTS] [-gate] [-http1] [-json FILE] [-profile DIR]
//
// The floor (floor.go) is what no CPS can do without: net/http, TLS, HTTP/2, the body read, and one P-256 verification
// for each signature. The subject (subject.go) is the CPS that `viaduct serve` starts, its log line and metrics included.
// Both are processes of their own with one core; the load comes from another. They are measured in turns, in short slices,
// and compared slice by slice, so that what else the machine does strikes both. Read ratios, not rates.
//
// Saturation is a fixed number of requests in flight, answered as fast as the server can. Latency is measured at half of
// the subject's saturation rate for both: requests are due at random instants whether or not earlier ones have been
// answered, and count from the instant at which they were due.
//
// All tokens differ and are signed before a slice begins. Records that are retrieved were published over HTTP before.
//
// The part "sip" compares servers that answer the dip "sign this call", over UDP and TCP, with Kamailio and its module
// secsipid (sip.go; sipservers.go lists them). Calls come at a fixed rate, whether or not earlier ones have been answered, and
// nothing is sent twice. Compared are processor time per call at rates that all can stand, in turns, and the highest rate at
// which every call is answered in every round. The part "sip-million" measures memory alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// plan says what is measured, and for how long.
type plan struct {
	Pairs       int           // slices at saturation, of each server and operation
	PacedPairs  int           // slices at half load
	Slice       time.Duration // length of each
	InFlight    int           // requests at a time, at saturation
	Connections int
	HTTP1       bool
	Operations  []string
	ProfileDir  string
}

// The parts of a run.
const (
	partPackages = "packages" // the packages' own benchmarks
	partCPS      = "cps"
	partSIP      = "sip"
	partMillion  = "sip-million" // memory over a million calls alone: some three minutes for each server
)

func main() {
	if role := os.Getenv(roleVariable); role != "" {
		exit(play(role, os.Stdin, os.Stdout))
	}
	p := plan{InFlight: 64, Connections: 4}
	flag.IntVar(&p.Pairs, "pairs", 8, "slices at saturation, of each server and operation")
	flag.IntVar(&p.PacedPairs, "paced-pairs", 7, "slices at half load, of each server and operation")
	flag.DurationVar(&p.Slice, "slice", 1500*time.Millisecond, "length of a slice")
	flag.BoolVar(&p.HTTP1, "http1", false, "HTTP/1.1 instead of HTTP/2")
	flag.StringVar(&p.ProfileDir, "profile", "", "write CPU profiles of both servers into this `directory`, from start to end")
	parts := flag.String("run", strings.Join([]string{partPackages, partCPS, partSIP}, ","), "what to measure; there is "+partMillion+" too")
	verbose := flag.Bool("v", false, "tell of every volley of SIP calls")
	only := flag.String("only", "", "measure one operation alone: publish or retrieve")
	smoke := flag.Bool("smoke", false, "slices so short that the figures mean nothing")
	gate := flag.Bool("gate", false, "exit status 1 when a figure is missed")
	file := flag.String("json", "", "write the report into this `file` too")
	flag.Parse()
	p.Operations = []string{publish, retrieve}
	if *only != "" {
		p.Operations = []string{*only}
	}
	sip := newSIPPlan()
	list := strings.Split(*parts, ",")
	if *smoke {
		p.shrink()
		sip.shrink()
		list = slices.DeleteFunc(list, func(part string) bool { return part == partPackages }) // no shorter ones
	}
	if *verbose {
		sip.Log = func(format string, arguments ...any) { fmt.Fprintf(os.Stderr, format+"\n", arguments...) }
	}
	exit(run(p, sip, list, os.Stdout, *file, *gate))
}

// shrink makes a plan that only shows that everything works.
func (p *plan) shrink() {
	p.Pairs, p.PacedPairs, p.Slice, p.InFlight = 1, 1, 100*time.Millisecond, 8
}

var errMissed = errors.New("a figure is missed")

func run(p plan, sip sipPlan, parts []string, out io.Writer, file string, gate bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := newReport(ctx)
	measure := map[string]func() ([]figure, error){
		partPackages: func() ([]figure, error) { return runBenchmarks(ctx), nil },
		partCPS:      func() ([]figure, error) { return compare(ctx, p) },
		partSIP:      func() ([]figure, error) { return compareSIP(ctx, sip) },
		partMillion:  func() ([]figure, error) { return compareSIP(ctx, sip.million()) },
	}
	for _, part := range parts {
		if measure[part] == nil {
			return fmt.Errorf("no part %q", part)
		}
		figures, err := measure[part]()
		if err != nil {
			return err
		}
		r.add(figures...)
	}
	r.write(out)
	if file != "" {
		if err := r.save(file); err != nil {
			return err
		}
	}
	if gate && r.missed() {
		return errMissed
	}
	return nil
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
