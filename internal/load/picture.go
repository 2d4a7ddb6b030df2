package load

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
)

// The picture, in its own units.
const (
	pictureWidth  = 860.0
	plotLeft      = 70.0
	plotTop       = 60.0
	plotWidth     = 560.0
	plotHeight    = 360.0
	pictureHeight = plotTop + plotHeight + 60
	curvesMax     = 12 // more would not be told apart: the last ones are left out
)

// hues are told apart by people who do not tell red from green too, on black and on white.
var hues = []string{"#0077bb", "#ee7733", "#009988", "#cc3311", "#33bbee", "#ee3377", "#999933", "#aa4499", "#777777", "#44aa66", "#6677dd", "#bb8844"}

// line is one curve with its name.
type line struct {
	name   string
	points []Point
}

// lines are the curves of the steps: of each the operation that it is about. Where there is one step, of all its operations.
func (r *Report) lines() (list []line) {
	if len(r.Steps) == 1 {
		for _, o := range r.Steps[0].Operations {
			if len(o.Curve) > 0 {
				list = append(list, line{string(o.Operation), o.Curve})
			}
		}
		return list
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		if o := s.main(); len(o.Curve) > 0 {
			list = append(list, line{fmt.Sprintf("%s/s, %s", thousands(s.Wanted), o.Operation), o.Curve})
		}
	}
	return list[:min(len(list), curvesMax)]
}

// WriteSVG writes a picture of the latencies by percentile: whole, and legible on dark and light pages.
func (r *Report) WriteSVG(w io.Writer) error {
	d := &drawing{}
	d.scale(r.lines())
	d.put(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" font-family="sans-serif" font-size="12">`, pictureWidth, pictureHeight)
	d.put(`<title>%s</title>`, escaped("Latency by percentile: "+r.Mix+", "+r.Form))
	d.put(`<style>.page{fill:#fff}text{fill:#222}.grid{stroke:#8886}@media(prefers-color-scheme:dark){.page{fill:#161616}text{fill:#ddd}}</style>`)
	d.put(`<rect class="page" width="%.0f" height="%.0f"/>`, pictureWidth, pictureHeight)
	d.text(plotLeft, 24, "start", 15, "Latency by percentile, from when requests were due")
	d.text(plotLeft, 44, "start", 12, r.Form+" · "+r.HTTP+" · "+r.Mix+" · "+string(r.Arrivals)+" arrivals")
	d.axes()
	for i, l := range r.lines() {
		d.curve(i, l)
	}
	d.put(`</svg>`)
	_, err := io.WriteString(w, d.svg.String())
	return err
}

// drawing is an SVG as it grows.
type drawing struct {
	svg       strings.Builder
	low, high float64 // powers of ten, of milliseconds
	nines     float64 // of the rightmost percentile: 2 for 99
}

// scale takes in all points.
func (d *drawing) scale(lines []line) {
	low, high := math.Inf(1), math.Inf(-1)
	d.nines = 2
	for _, l := range lines {
		for _, p := range l.points {
			low, high = min(low, p.Millis), max(high, p.Millis)
			if p.Percent < 100 {
				d.nines = max(d.nines, nines(p.Percent))
			}
		}
	}
	if math.IsInf(low, 0) {
		low, high = 1, 10
	}
	d.low, d.high = math.Floor(math.Log10(max(low, 0.001))), math.Ceil(math.Log10(max(high, 0.001)))
	if d.low == d.high {
		d.high++
	}
}

func nines(percent float64) float64 { return -math.Log10(1 - percent/100) }

func (d *drawing) x(percent float64) float64 {
	at := d.nines
	if percent < 100 {
		at = min(nines(percent), d.nines)
	}
	return plotLeft + plotWidth*at/d.nines
}

func (d *drawing) y(millis float64) float64 {
	return plotTop + plotHeight*(1-(math.Log10(max(millis, 0.001))-d.low)/(d.high-d.low))
}

func (d *drawing) put(format string, arguments ...any) {
	fmt.Fprintf(&d.svg, format+"\n", arguments...)
}

func (d *drawing) text(x, y float64, anchor string, size int, text string) {
	d.put(`<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d">%s</text>`, x, y, anchor, size, escaped(text))
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder does not fail
	return b.String()
}

// axes draws the grid: decades of latency, with halves and fifths of them, and percentiles.
func (d *drawing) axes() {
	right, bottom := plotLeft+plotWidth, plotTop+plotHeight
	for decade := d.low; decade <= d.high; decade++ {
		for _, part := range []float64{1, 2, 5} {
			millis := part * math.Pow(10, decade)
			if part > 1 && decade == d.high {
				break
			}
			y := d.y(millis)
			d.put(`<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1[2]f"/>`, plotLeft, y, right)
			if part == 1 || d.high-d.low < 3 {
				d.text(plotLeft-8, y+4, "end", 12, fmt.Sprintf("%.4g ms", millis))
			}
		}
	}
	for _, percent := range []float64{0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999} {
		if percent > 0 && nines(percent) > d.nines+0.01 {
			break
		}
		x := d.x(percent)
		d.put(`<line class="grid" x1="%.1f" y1="%.1f" x2="%.1[1]f" y2="%.1[3]f"/>`, x, plotTop, bottom)
		d.text(x, bottom+18, "middle", 12, fmt.Sprintf("%g %%", percent))
	}
	d.text(plotLeft+plotWidth/2, bottom+42, "middle", 12, "percentile; the curve ends with the slowest request")
}

// curve draws one line and its entry in the legend.
func (d *drawing) curve(i int, l line) {
	var points strings.Builder
	for _, p := range l.points {
		fmt.Fprintf(&points, "%.1f,%.1f ", d.x(p.Percent), d.y(p.Millis))
	}
	hue, y := hues[i%len(hues)], plotTop+12+20*float64(i)
	d.put(`<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>`, hue, strings.TrimSpace(points.String()))
	d.put(`<line stroke="%s" stroke-width="4" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1[3]f"/>`, hue, plotLeft+plotWidth+20, y, plotLeft+plotWidth+40)
	d.text(plotLeft+plotWidth+48, y+4, "start", 12, l.name)
}
