package load

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// WriteText writes a report as a table for people.
func (r *Report) WriteText(w io.Writer) error {
	p := &page{w: w}
	p.say("%s · %s · %s, %d connections\n", strings.Join(r.Targets, ", "), r.Form, r.HTTP, r.Connections)
	p.say("%s · %s arrivals · %d providers\n", r.Mix, r.Arrivals, r.Providers)
	p.say("%s requests and calls signed in %.3g s before the clock started; latencies in ms, from when they were due\n\n", thousands(float64(r.Prepared)), r.PreparedIn)
	p.table(r.Steps)
	for _, s := range r.Steps {
		p.notes(s)
	}
	if len(r.ByProvider) > 0 {
		p.say("\n")
		p.providers(r.ByProvider)
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Warming)) {
		p.say("while warming up: %d %s\n", r.Warming[kind], kind)
	}
	if f := r.Found; f != nil {
		p.say("\n%s\n", f)
	}
	if r.Interrupted {
		p.say("\ninterrupted: the last rate was not measured to its end\n")
	}
	return p.err
}

// String is the sentence for people.
func (f *Found) String() string {
	text := fmt.Sprintf("the highest rate with a p99 of at most %s ms: %s a second", short(f.P99Max), thousands(f.Rate))
	if f.Rate == 0 {
		text = fmt.Sprintf("no rate was found with a p99 of at most %s ms", short(f.P99Max))
	}
	if f.Limited != "" {
		text += ". That is no limit of the CPS: " + f.Limited
	}
	return text
}

// page writes until the first error.
type page struct {
	w   io.Writer
	err error
}

func (p *page) say(format string, arguments ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, arguments...)
	}
}

func (p *page) columns(rows [][]string) {
	table := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t")+"\t")
	}
	p.err = cmp.Or(p.err, table.Flush())
}

func (p *page) table(steps []StepReport) {
	rows := [][]string{{"wanted/s", "achieved/s", "", "good", "failed", "p50", "p90", "p99", "p99.9", "max", "tardy"}}
	for _, s := range steps {
		for i, o := range s.Operations {
			row := []string{"", "", string(o.Operation), thousands(float64(o.Good)), thousands(float64(o.Failed))}
			row = append(append(row, o.columns()...), "")
			if i == 0 {
				row[0], row[1], row[len(row)-1] = thousands(s.Wanted), thousands(s.Achieved), thousands(float64(s.Tardy))
			}
			rows = append(rows, row)
		}
	}
	p.columns(rows)
}

func (p *page) providers(list []ProviderReport) {
	rows := [][]string{{"provider", "share", "good", "failed", "p50", "p90", "p99", "p99.9", "max"}}
	for _, s := range list {
		row := []string{s.SPC, short(s.Share), thousands(float64(s.Good)), thousands(float64(s.Failed))}
		rows = append(rows, append(row, s.columns()...))
	}
	p.columns(rows)
}

func (l Latency) columns() []string {
	return []string{short(l.P50), short(l.P90), short(l.P99), short(l.P999), short(l.Max)}
}

// notes are what went wrong at one rate.
func (p *page) notes(s StepReport) {
	at := thousands(s.Wanted) + "/s"
	for _, kind := range slices.Sorted(maps.Keys(s.Failures)) {
		p.say("at %s: %s failed: %s\n", at, thousands(float64(s.Failures[kind])), kind)
	}
	for _, doubt := range s.Doubts {
		p.say("at %s: DOUBTFUL: %s\n", at, doubt)
	}
}

// short has three digits, or all before the point; nothing of zero.
func short(v float64) string {
	if v == 0 {
		return "-"
	}
	return strconv.FormatFloat(v, 'f', max(0, 2-magnitude(v)), 64)
}

func magnitude(v float64) (digits int) {
	for ; v >= 10; v /= 10 {
		digits++
	}
	return digits
}

// thousands groups digits; what is below a hundred has two decimals where it is not whole.
func thousands(v float64) string {
	if v < 100 && v != float64(int64(v)) {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
