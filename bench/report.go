package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is one line of the report. Zero means not measured, and no limit.
type figure struct {
	Name   string
	Unit   string  `json:",omitempty"`
	Floor  float64 `json:",omitempty"`
	Value  float64
	Ratio  float64 `json:",omitempty"` // value ÷ floor, the median over pairs
	Least  float64 `json:",omitempty"` // limits, of Ratio where there is one, else of Value
	Most   float64 `json:",omitempty"`
	Failed string  `json:",omitempty"` // why there is no value
}

func (f figure) judged() float64 {
	if f.Ratio != 0 {
		return f.Ratio
	}
	return f.Value
}

// missed tells whether a figure that has a limit does not keep it.
func (f figure) missed() bool {
	if f.Failed != "" {
		return true
	}
	return f.Least != 0 && f.judged() < f.Least || f.Most != 0 && f.judged() > f.Most
}

func (f figure) limit() string {
	switch {
	case f.Least != 0 && f.Most != 0:
		return fmt.Sprintf("%.4g to %.4g", f.Least, f.Most)
	case f.Least != 0:
		return fmt.Sprintf("≥ %.4g", f.Least)
	case f.Most != 0:
		return fmt.Sprintf("≤ %.4g", f.Most)
	}
	return ""
}

func (f figure) verdict() string {
	switch {
	case f.Failed != "":
		return "MISSED: " + f.Failed
	case f.missed():
		return "MISSED"
	case f.limit() != "":
		return "kept"
	}
	return ""
}

// What is aimed at: requests per second of processor time, of what the floor answers; and a whole call.
const (
	aimHTTP1       = 0.90
	aimHTTP2       = 0.85
	aimMutual      = 0.80
	aimCall        = 350.0 // µs
	aimCallInECDSA = 55.0  // percent
)

// figures are those of the comparison.
func (c *comparison) figures() []figure {
	var list []figure
	line := func(name, unit string, pairs []pair, of func(slice) float64) *figure {
		f := figure{Name: name, Unit: unit}
		f.Floor, f.Value, f.Ratio = compared(pairs, of)
		list = append(list, f)
		return &list[len(list)-1]
	}
	aim := aimHTTP2
	switch {
	case c.Mutual:
		aim = aimMutual
	case c.HTTP1:
		aim = aimHTTP1
	}
	for _, operation := range c.Operations {
		hasCPU := c.saturated[operation][0].floor.cpu > 0 // else there is no /proc
		name := operation + c.form()
		rate := line(name+", saturated", "requests/s", c.saturated[operation], slice.perSecond)
		if !hasCPU {
			rate.Least = aim
			continue
		}
		line(name, "requests/CPU s", c.saturated[operation], slice.perCPUSecond).Least = aim
		if !c.Mutual {
			line(name+", server CPU", "µs/request", c.saturated[operation], slice.cpuMicroseconds)
		}
	}
	if call, share := c.wholeCall(); call > 0 {
		list = append(list, figure{Name: "whole call" + c.form() + ", server CPU", Unit: "µs", Value: call, Most: aimCall})
		if c.Tables == 0 { // else none takes as long as the floor's
			list = append(list, figure{Name: "whole call" + c.form() + ", of which ECDSA", Unit: "%", Value: share, Least: aimCallInECDSA})
		}
	}
	for _, operation := range c.Operations {
		if len(c.paced[operation]) == 0 {
			continue
		}
		at := fmt.Sprintf("%s%s at %.0f/s", operation, c.form(), c.halfLoad(operation))
		for _, p := range []float64{50, 99} {
			f := line(fmt.Sprintf("%s, p%.0f", at, p), "ms", c.paced[operation], func(s slice) float64 { return s.percentile(p) })
			if p == 99 {
				f.Most = 2
			}
		}
	}
	if c.Tables > 0 { // what is aimed at is aimed at without
		for i := range list {
			list[i].Least, list[i].Most = 0, 0
		}
	}
	return list
}

// form is what stands behind the name of an operation.
func (c *comparison) form() string {
	form := ", HTTP/2"
	if c.HTTP1 {
		form = ", HTTP/1.1"
	}
	if c.Tables > 0 {
		form += ", tables per key"
	}
	if c.Mutual {
		return " over mutual TLS (RFC 9888)" + form
	}
	return form
}

// wholeCall is the subject's processor time for one publish and one retrieve, in µs, and which percentage of it three
// verifications take; zero where not both were measured.
func (c *comparison) wholeCall() (call, share float64) {
	ecdsa := 0.0
	for operation, verifications := range map[string]float64{publish: 2, retrieve: 1} {
		pairs := c.saturated[operation]
		if len(pairs) == 0 || pairs[0].subject.cpu == 0 || c.Mutual {
			return 0, 0
		}
		_, subject, _ := compared(pairs, slice.cpuMicroseconds)
		call += subject
		ecdsa += verifications * median(c.verifications[operation])
	}
	return call, 100 * ecdsa / call
}

// report is what was measured, and where.
type report struct {
	Date    string
	Commit  string
	Command string
	Machine string
	Go      string
	Figures []figure
}

func newReport(ctx context.Context) *report {
	return &report{
		Date:    time.Now().UTC().Format(time.DateOnly),
		Commit:  commit(ctx),
		Command: "go run ./bench " + strings.Join(os.Args[1:], " "),
		Machine: machine(),
		Go:      runtime.Version(),
	}
}

func (r *report) add(figures ...figure) { r.Figures = append(r.Figures, figures...) }

func (r *report) missed() bool {
	for _, f := range r.Figures {
		if f.missed() {
			return true
		}
	}
	return false
}

func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "%s · commit %s · %s\n%s\n%s\n\n", r.Date, r.Commit, r.Go, r.Machine, r.Command)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\tunit\tfloor\tmeasured\tratio\tneeded\t\t\n")
	for _, f := range r.Figures {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n",
			f.Name, f.Unit, quantity(f.Floor), quantity(f.Value), quantity(f.Ratio), f.limit(), f.verdict())
	}
	table.Flush() // like Fprintf: there is nobody to tell that standard output is gone
}

// quantity has three significant digits, or all before the point; nothing for zero.
func quantity(v float64) string {
	if v == 0 {
		return ""
	}
	decimals := max(2-int(math.Floor(math.Log10(math.Abs(v)))), 0)
	return fmt.Sprintf("%.*f", decimals, v)
}

func (r *report) save(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// commit is what was measured, with a + when the tree holds more than that.
func commit(ctx context.Context) string {
	hash, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		if info, ok := debug.ReadBuildInfo(); ok {
			return info.Main.Version
		}
		return "unknown"
	}
	name := strings.TrimSpace(string(hash))
	if changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output(); err != nil || len(changes) > 0 {
		name += "+"
	}
	return name
}

// machine is processor, cores and kernel.
func machine() string {
	parts := []string{"unknown processor", fmt.Sprintf("%d cores", runtime.NumCPU()), runtime.GOOS + "/" + runtime.GOARCH}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, found := strings.Cut(string(text), "model name\t: "); found {
			parts[0], _, _ = strings.Cut(rest, "\n")
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		parts[2] += " " + strings.TrimSpace(string(text))
	}
	if _, ok := pinning(); !ok {
		parts = append(parts, "not pinned")
	}
	return strings.Join(parts, " · ")
}
