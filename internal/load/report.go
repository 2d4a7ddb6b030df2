package load

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what a run has shown. Latencies are in milliseconds, and count from when a request was due.
type Report struct {
	Began       time.Time
	Targets     []string
	Form        string
	HTTP        string
	Connections int // to each URL
	Mix         string
	Arrivals    Arrivals
	Providers   int
	Prepared    int     // requests and calls signed before the clock started
	PreparedIn  float64 // seconds
	Steps       []StepReport
	ByProvider  []ProviderReport `json:",omitempty"` // where one has another share than the others
	Warming     map[string]int64 `json:",omitempty"` // failures while nothing was measured, by kind
	Interrupted bool             `json:",omitempty"`
	Found       *Found           `json:",omitempty"` // where a rate was searched
}

// StepReport is one rate.
type StepReport struct {
	Wanted     float64 // requests and whole calls a second
	Seconds    float64
	Due        int64   // that were due
	Achieved   float64 // a second that came as they should, until the last did
	Operations []OperationReport
	Failures   map[string]int64 `json:",omitempty"` // by kind

	// Of the generator itself: how late it was, when it was overloaded, and why the step may be doubted.
	Late        Latency
	Tardy       int64    // sent more than a millisecond late
	Unsigned    int64    // that waited for their signature
	Processors  float64  // that it kept busy
	WaitP99     float64  // ms that its goroutines waited for one of them, or less
	Connections int64    // that it had to make
	Doubts      []string `json:",omitempty"`
}

// OperationReport is one operation of a step.
type OperationReport struct {
	Operation Operation
	Good      int64
	Failed    int64
	Latency           // of the good ones
	Curve     []Point `json:",omitempty"`
}

// Latency is a distribution, in milliseconds.
type Latency struct{ Mean, P50, P90, P99, P999, Max float64 }

// Point says that so many percent took no longer than so many milliseconds.
type Point struct{ Percent, Millis float64 }

// ProviderReport is one provider, over all steps; whole calls count as one.
type ProviderReport struct {
	SPC    string
	Share  float64
	Good   int64
	Failed int64
	Latency
}

// Found is the outcome of a search.
type Found struct {
	P99Max  float64 // what was asked for, in milliseconds
	Rate    float64 // the highest rate that kept it; 0: none did
	Limited string  `json:",omitempty"` // why no higher rate was tried, where it was not the CPS
}

// What makes a step doubtful.
const (
	tardyShareMax       = 0.01
	lateShareMax        = 0.2 // of the p99 of latencies that the p99 of being late may be
	waitMax             = 0.5 // ms
	processorsShareMax  = 0.9
	connectionsShareMax = 0.25 // of requests for which a connection was made
)

func (d *drive) report(interrupted bool) *Report {
	c := &d.config
	r := &Report{
		Began: d.begin.UTC().Truncate(time.Second), Targets: d.targets, Form: fmt.Sprintf("%s (%s)", c.Form, c.Form.Row().Document),
		HTTP: "HTTP/2", Connections: c.Connections, Mix: c.Mix.String(), Arrivals: c.Arrivals, Providers: len(c.Providers),
		Prepared: d.stock.signed, PreparedIn: rounded(d.filling.Seconds()), Warming: d.record.warming, Interrupted: interrupted,
	}
	if c.HTTP1 {
		r.HTTP = "HTTP/1.1"
	}
	for _, s := range d.record.steps {
		if s.due > 0 {
			r.Steps = append(r.Steps, s.report(c.factor()))
		}
	}
	if c.uneven() {
		r.ByProvider = providerReports(c.Providers, d.record.providers)
	}
	return r
}

// factor is how much more is sent than by providers with one share each.
func (c *Config) factor() float64 {
	sum := 0.0
	for _, p := range c.Providers {
		sum += p.Share
	}
	return sum / float64(len(c.Providers))
}

func providerReports(providers []Provider, tallies []tally) (list []ProviderReport) {
	for i, p := range providers {
		t := tallies[i]
		list = append(list, ProviderReport{SPC: p.SPC, Share: p.Share, Good: t.count(), Failed: t.failed, Latency: latency(t.good)})
	}
	return list
}

func (t *tally) count() int64 {
	if t == nil || t.good == nil {
		return 0
	}
	return t.good.TotalCount()
}

func (s *stepRecord) report(factor float64) StepReport {
	length := s.step.For
	if took := s.ended.Sub(s.began); took > length {
		length = took
	}
	r := StepReport{
		Wanted: rounded(s.step.PerSecond * factor), Seconds: rounded(s.step.For.Seconds()), Due: s.due, Failures: s.failures,
		Late: latency(s.late), Tardy: s.tardy, Unsigned: s.unsigned,
		Processors:  rounded((s.after.processor - s.before.processor).Seconds() / s.step.For.Seconds()),
		WaitP99:     rounded(float64(s.after.waits.p99(s.before.waits)) / 1e6),
		Connections: s.after.connections - s.before.connections,
	}
	for _, op := range operations {
		t := s.operations[op]
		if t == nil {
			continue
		}
		if slices.Contains(mixed, op) {
			r.Achieved += float64(t.count()) / length.Seconds()
		}
		r.Operations = append(r.Operations, OperationReport{
			Operation: op, Good: t.count(), Failed: t.failed, Latency: latency(t.good), Curve: curve(t.good),
		})
	}
	r.Achieved = rounded(r.Achieved)
	r.Doubts = r.doubts()
	return r
}

// main is the operation that the step is about: that of which most came as it should.
func (r *StepReport) main() OperationReport {
	var most OperationReport
	for _, o := range r.Operations {
		if slices.Contains(mixed, o.Operation) && (most.Operation == "" || o.Good > most.Good) {
			most = o
		}
	}
	return most
}

// doubts are why the figures may be the generator's.
func (r *StepReport) doubts() (list []string) {
	if tardy := float64(r.Tardy) / float64(r.Due); tardy > tardyShareMax && r.Late.P99 > lateShareMax*r.main().P99 {
		list = append(list, fmt.Sprintf("the generator sent %.1f %% of the requests more than %s late", 100*tardy, tardyAfter))
	}
	if r.WaitP99 > waitMax && r.WaitP99 > lateShareMax*r.main().P99 {
		list = append(list, fmt.Sprintf("the generator waited for a processor: %s ms in one of a hundred cases", short(r.WaitP99)))
	}
	if r.Unsigned > 0 {
		list = append(list, fmt.Sprintf("%d requests waited for their signature: the stock was used up", r.Unsigned))
	}
	if all := float64(runtime.GOMAXPROCS(0)); r.Processors > processorsShareMax*all {
		list = append(list, fmt.Sprintf("the generator kept %.1f of its %.0f processors busy", r.Processors, all))
	}
	if float64(r.Connections) > connectionsShareMax*float64(r.Due) {
		list = append(list, fmt.Sprintf("%d connections had to be made for %d requests", r.Connections, r.Due))
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Failures)) {
		if len(kind) > 8 && kind[:8] == "not sent" {
			list = append(list, fmt.Sprintf("%d requests were %s", r.Failures[kind], kind))
		}
	}
	return list
}

func millis(microseconds int64) float64 { return rounded(float64(microseconds) / 1000) }

// rounded has no more digits than were measured.
func rounded(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	scale := math.Pow(10, max(3-math.Floor(math.Log10(math.Abs(v))), 0))
	return math.Round(v*scale) / scale
}

func latency(h *hdr.Histogram) Latency {
	if h == nil || h.TotalCount() == 0 {
		return Latency{}
	}
	at := h.ValueAtPercentilesSlice([]float64{50, 90, 99, 99.9})
	return Latency{
		Mean: rounded(h.Mean() / 1000), P50: millis(at[0]), P90: millis(at[1]), P99: millis(at[2]), P999: millis(at[3]), Max: millis(h.Max()),
	}
}

// curve is a distribution in few points, which lie closer the rarer they are. It ends where one request in all is left.
func curve(h *hdr.Histogram) (points []Point) {
	if h == nil || h.TotalCount() == 0 {
		return nil
	}
	for left := 1.0; left*float64(h.TotalCount()) >= 1; left *= math.Pow(10, -0.1) {
		percent := 100 * (1 - left)
		points = append(points, Point{Percent: math.Round(1e6*percent) / 1e6, Millis: millis(h.ValueAtPercentile(percent))})
	}
	return append(points, Point{Percent: 100, Millis: millis(h.Max())})
}

// OK tells whether all came as it should, and nothing is in doubt.
func (r *Report) OK() bool {
	if r.Interrupted || len(r.Steps) == 0 {
		return false
	}
	for _, s := range r.Steps {
		if len(s.Failures) > 0 || len(s.Doubts) > 0 {
			return false
		}
	}
	return true
}
