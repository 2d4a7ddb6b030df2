// Bench measures the CPS against a floor in the same run, and collects the ratios of the packages' own benchmarks.
//
//	go run ./bench -readme
//	go run ./bench [-run PARTS] [-gate] [-http 1,2] [-json FILE] [-profile DIR]
//
// The floor (floor.go) is the least that a server in Go does with the same requests: net/http and TLS, HTTP/2 or HTTP/1.1; the
// body read; the tokens taken apart, and each verified by crypto/ecdsa with a key that is at hand; the JSON of the body and of both
// payloads decoded by encoding/json into plain structs; for a retrieval, one token and an answer written by encoding/json. It
// checks no claim and no certificate, and stores, compares and logs nothing. With -bare it does not even decode JSON. The
// subject (subject.go) is the CPS that `viaduct serve` starts, its log line and metrics included.
// Both are processes of their own with one core; the load comes from another. They are measured in turns, in short slices,
// and compared slice by slice, so that what else the machine does strikes both. Read ratios, not rates.
//
// Saturation is a fixed number of requests in flight, answered as fast as the server can; what is compared is requests per
// second of the server's processor time, which other work on the machine disturbs least. A whole call is one publish and one
// retrieve, and its share of ECDSA three verifications, each as long as the floor's took meanwhile. Latency is measured at half of
// the subject's saturation rate for both: requests are due at random instants whether or not earlier ones have been
// answered, and count from the instant at which they were due.
//
// All tokens differ and are signed before a slice begins. Records that are retrieved were published over HTTP before.
//
// The part "provider" does the same for the form of RFC 9888, over HTTP/2 and HTTP/1.1: a publication is one PASSporT, and a client
// certificate on a kept connection says who publishes. The floor asks for client certificates too, and verifies one
// signature. What is compared is requests per second of processor time.
//
// The part "push" has thousands of subscribers, each on a TLS connection of its own with a number of its own, told over
// server-sent events of what is published, by `viaduct serve` on one core; publishers and subscribers have the other. Some are cut
// off all the time, stay away for a moment and come again with their cursor. Every record that was acknowledged has to arrive.
// Latency counts from the instant at which the publisher has read the 201, and is negative where the event was read before it;
// that of records whose subscriber was away when they were sent is left out.
//
// The part "discovery" collects the benchmarks of finding a CPS and of whose a number is, with the most memory that their
// processes have had.
//
// The part "verify" compares verification with tables (internal/p256) with crypto/ecdsa.
//
// The part "resident" fills a shelf with three million records, as a node does that starts again, and then lays as many as
// expire (resident.go). It tells what a record takes, and what the longest pauses are.
//
// The part "restart" has as many lie in the log of a node that starts again, until it is ready: alone, and as one of three (restart.go). It needs 9 GB of disk
// and 15 GB of memory.
//
// The part "overload" sends twice what the CPS can carry, and lets one provider be greedy (overload.go).
//
// The part "mesh" has ten CPSs relay to each other what is published to them (mesh.go).
//
// The part "load" draws the latency of whole calls by percentile at some rates, as `viaduct bench` measures it (loadtool.go). The
// part "cluster" compares the processor time of one node with that of three together (cluster.go), the part "sites" times records
// from one site to another that is far away (sites.go).
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
	Warm        int           // publications before anything is measured
	Connections int
	HTTP        []int // versions
	HTTP1       bool  // the one that is being measured
	Mutual      bool  // RFC 9888 over mutual TLS instead of the agreed form with access tokens: publish alone
	Operations  []string
	Bare        bool // the floor decodes no JSON
	Tables      int  // keys that the CPS verifies with tables
	ProfileDir  string
}

// The parts of a run.
const (
	partPackages  = "packages"  // the packages' own benchmarks
	partDiscovery = "discovery" // those of finding a CPS
	partVerify    = "verify"    // P-256 with tables
	partCPS       = "cps"
	partProvider  = "provider" // RFC 9888 over mutual TLS
	partPush      = "push"     // subscribers of RFC 9888
	partSIP       = "sip"
	partResident  = "resident"    // a shelf with three million records
	partRestart   = "restart"     // a node with three million records in its log starts again
	partOverload  = "overload"    // more than the CPS can carry
	partMesh      = "mesh"        // ten CPSs that relay to each other
	partLoad      = "load"        // latency by percentile, as the load tool has it
	partCluster   = "cluster"     // one node and three
	partSites     = "sites"       // from one site to another
	partMillion   = "sip-million" // memory over a million calls alone: some three minutes for each server
)

func main() {
	if role := os.Getenv(roleVariable); role != "" {
		exit(play(role, os.Stdin, os.Stdout))
	}
	p := plan{InFlight: 64, Warm: 12_000, Connections: 4}
	flag.IntVar(&p.Pairs, "pairs", 8, "slices at saturation, of each server and operation")
	flag.IntVar(&p.PacedPairs, "paced-pairs", 7, "slices at half load, of each server and operation")
	flag.DurationVar(&p.Slice, "slice", 1500*time.Millisecond, "length of a slice")
	versions := flag.String("http", "2,1", "versions of HTTP over which the CPS is measured")
	flag.StringVar(&p.ProfileDir, "profile", "", "write CPU profiles of both servers into this `directory`, from start to end")
	flag.BoolVar(&p.Bare, "bare", false, "compare with a floor that decodes no JSON: no CPS, but what net/http, TLS and crypto/ecdsa take")
	flag.IntVar(&p.Tables, "tables", 0, "measure the CPS once more, with tables for so many keys (trust.tables), of which a run has 16")
	parts := flag.String("run", strings.Join([]string{partPackages, partDiscovery, partVerify, partCPS, partProvider, partPush, partSIP}, ","), "what to measure; there are "+partResident+", "+partRestart+", "+partOverload+", "+partMesh+", "+partLoad+", "+partCluster+", "+partSites+" and "+partMillion+" too")
	picture := flag.String("svg", "", "draw what the part load has measured into this `file`")
	readme := flag.Bool("readme", false, "measure nothing: show the reports in bench/results in the README")
	verbose := flag.Bool("v", false, "tell of every volley of SIP calls")
	only := flag.String("only", "", "measure one operation alone: publish or retrieve")
	smoke := flag.Bool("smoke", false, "slices so short that the figures mean nothing")
	gate := flag.Bool("gate", false, "exit status 1 when a figure is missed")
	file := flag.String("json", "", "write the report into this `file` too")
	sip, push, resident, restart, overload, mesh, cluster := newSIPPlan(), newPushPlan(), newResidentPlan(), newRestartPlan(), newOverloadPlan(), newMeshPlan(), newClusterPlan()
	flag.IntVar(&restart.Records, "restart-records", restart.Records, "records in the log of a node that starts again")
	flag.IntVar(&restart.Starts, "restart-starts", restart.Starts, "starts of that node; 0: make the logs alone")
	flag.StringVar(&restart.Kept, "restart-logs", "", "leave those logs in this `directory`, and take those that lie there, within three hours")
	sizes := flag.String("restart-nodes", "1,3", "nodes of the sites of which one starts again")
	flag.Float64Var(&mesh.PerSecond, "mesh-calls", mesh.PerSecond, "calls published a second in a mesh")
	flag.IntVar(&mesh.CPSs, "mesh-cpss", mesh.CPSs, "CPSs of a mesh")
	flag.IntVar(&mesh.Rounds, "mesh-rounds", mesh.Rounds, "rounds of a mesh, of which the median counts")
	flag.IntVar(&overload.Rounds, "rounds", overload.Rounds, "rounds of overload, of which the median counts")
	flag.DurationVar(&overload.Length, "phase", overload.Length, "length of each phase of a round of overload")
	flag.IntVar(&push.Subscribers, "subscribers", push.Subscribers, "connections that are told of what is published")
	flag.Float64Var(&push.PerSecond, "records", push.PerSecond, "records published a second, of which they are told")
	flag.Float64Var(&push.CutsPerSecond, "cuts", push.CutsPerSecond, "subscribers cut a second, who come again with their cursors")
	flag.Parse()
	if *readme {
		exit(updateReadme())
	}
	cluster.Picture, cluster.ProfileDir = *picture, p.ProfileDir
	push.ProfileDir = p.ProfileDir
	p.Operations = []string{publish, retrieve}
	if *only != "" {
		p.Operations = []string{*only}
	}
	for _, version := range strings.Split(*versions, ",") {
		if version != "1" && version != "2" {
			exit(fmt.Errorf("no version %q of HTTP", version))
		}
		p.HTTP = append(p.HTTP, int(version[0]-'0'))
	}
	var err error
	if restart.Sizes, err = readSizes(*sizes); err != nil {
		exit(err)
	}
	list := strings.Split(*parts, ",")
	if *smoke {
		p.shrink()
		sip.shrink()
		push.shrink()
		resident.shrink()
		restart.shrink()
		overload.shrink()
		cluster.shrink()
		mesh.shrink()
		list = slices.DeleteFunc(list, func(part string) bool { return part == partPackages || part == partDiscovery || part == partVerify }) // no shorter ones
	}
	if *verbose {
		sip.Log = func(format string, arguments ...any) { fmt.Fprintf(os.Stderr, format+"\n", arguments...) }
	}
	exit(run(p, sip, push, resident, restart, overload, mesh, cluster, list, os.Stdout, *file, *gate))
}

// shrink makes a plan that only shows that everything works.
func (p *plan) shrink() {
	p.Pairs, p.PacedPairs, p.Slice, p.InFlight, p.Warm = 1, 1, 100*time.Millisecond, 8, 80
}

var errMissed = errors.New("a figure is missed")

func run(p plan, sip sipPlan, push pushPlan, resident residentPlan, restart restartPlan, overload overloadPlan, mesh meshPlan, cluster clusterPlan, parts []string, out io.Writer, file string, gate bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := newReport(ctx)
	measure := map[string]func() ([]figure, error){
		partPackages:  func() ([]figure, error) { return runBenchmarks(ctx, suites), nil },
		partDiscovery: func() ([]figure, error) { return runBenchmarks(ctx, discoverySuites), nil },
		partVerify:    func() ([]figure, error) { return runBenchmarks(ctx, verifySuites), nil },
		partCPS:       func() ([]figure, error) { return compareVersions(ctx, p) },
		partProvider:  func() ([]figure, error) { return compareMutual(ctx, p) },
		partPush:      func() ([]figure, error) { return measurePush(ctx, push) },
		partSIP:       func() ([]figure, error) { return compareSIP(ctx, sip) },
		partResident:  func() ([]figure, error) { return measureResident(ctx, resident) },
		partRestart:   func() ([]figure, error) { return measureRestart(ctx, restart) },
		partOverload:  func() ([]figure, error) { return measureOverload(ctx, overload) },
		partMesh:      func() ([]figure, error) { return measureMesh(ctx, mesh) },
		partLoad:      func() ([]figure, error) { return measureLoad(ctx, cluster) },
		partCluster:   func() ([]figure, error) { return measureCluster(ctx, cluster) },
		partSites:     func() ([]figure, error) { return measureSites(ctx, cluster) },
		partMillion:   func() ([]figure, error) { return compareSIP(ctx, sip.million()) },
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
