package main

import (
	"fmt"
	"slices"
)

// The bounds that our server has to keep beside the one that it is compared with.
const (
	sipCPUMost    = 0.85 // processor time per call, theirs being 1
	sipRateLeast  = 1.0  // highest clean rate, theirs being 1
	sipGrowthMost = 64   // MiB
)

// figures are those of the comparison: of every server but the first, beside the first.
func (c *sipComparison) figures() []figure {
	var list []figure
	for name, err := range c.absent {
		list = append(list, figure{Name: "SIP sign dip, " + name, Failed: err.Error()})
	}
	for _, s := range c.Servers[1:] {
		for _, transport := range c.Transports {
			list = append(list, c.pacedFigures(s, transport)...)
			list = append(list, c.highestFigure(s, transport)...)
		}
		list = append(list, c.memoryFigures(s)...)
	}
	return append(list, c.circumstances()...)
}

// name begins every name of a figure of SIP.
func (c *sipComparison) name(s sipServer, transport, what string) string {
	return fmt.Sprintf("SIP sign dip, %s, %s at %d/s, %s", s.name, transport, c.Rate, what)
}

// beside makes a figure of something that was measured of both in each round.
func (c *sipComparison) beside(s sipServer, transport, what, unit string, of func(volley) float64) figure {
	f := figure{Name: c.name(s, transport, what), Unit: unit}
	theirs, values := each(c.paced[transport][c.Servers[0].name], of), each(c.paced[transport][s.name], of)
	f.Floor, f.Value = median(theirs), median(values)
	var ratios []float64
	for i, floor := range theirs {
		if floor != 0 {
			ratios = append(ratios, values[i]/floor)
		}
	}
	f.Ratio = median(ratios)
	return f
}

// bounded gives the figure of our own server the bounds of its ratio; where there is none, it is missed.
func (s sipServer) bounded(f figure, least, most float64) figure {
	if !s.ours {
		return f
	}
	if f.Least, f.Most = least, most; f.Ratio == 0 {
		f.Failed = "nothing to compare"
	}
	return f
}

func (c *sipComparison) pacedFigures(s sipServer, transport string) []figure {
	var list []figure
	if len(c.paced[transport][s.name]) == 0 {
		return nil // absent
	}
	if c.paced[transport][s.name][0].cpu > 0 { // else there is no /proc
		list = append(list, s.bounded(c.beside(s, transport, "server CPU", "µs/call", volley.cpuMicroseconds), 0, sipCPUMost))
		least := figure{Name: c.name(s, transport, "server CPU, least of the rounds"), Unit: "µs/call"}
		if least.Floor, least.Value = c.least(c.Servers[0], transport), c.least(s, transport); least.Floor > 0 {
			least.Ratio = least.Value / least.Floor
		}
		list = append(list, least)
	}
	for _, p := range []float64{50, 95, 99} {
		list = append(list, c.beside(s, transport, fmt.Sprintf("p%.0f", p), "ms", func(v volley) float64 { return v.percentile(p) }))
	}
	answered := c.beside(s, transport, "answered", "%", volley.answeredPercent)
	answered.Ratio = 0
	list = append(list, answered)
	if percent, done := c.sipp[transport][s.name]; done {
		list = append(list, figure{Name: c.name(s, transport, "answered as sipp counts"), Unit: "%",
			Floor: c.sipp[transport][c.Servers[0].name], Value: percent})
	}
	if s.ours {
		for i := range list {
			if list[i].Unit == "%" {
				list[i].Least = 100
			}
		}
	}
	return list
}

// least is the least processor time per call of all rounds.
func (c *sipComparison) least(s sipServer, transport string) float64 {
	if list := c.paced[transport][s.name]; len(list) > 0 {
		return slices.Min(each(list, volley.cpuMicroseconds))
	}
	return 0
}

func (c *sipComparison) highestFigure(s sipServer, transport string) []figure {
	if len(c.Steps) == 0 || c.absent[s.name] != nil || !s.ours {
		return nil
	}
	f := figure{Name: fmt.Sprintf("SIP sign dip, %s, %s, highest rate with all answered, %d of %[3]d", s.name, transport, c.Rounds), Unit: "calls/s"}
	f.Floor, f.Value = float64(c.highest[transport][c.Servers[0].name]), float64(c.highest[transport][s.name])
	if f.Floor > 0 {
		f.Ratio = f.Value / f.Floor
	}
	return []figure{s.bounded(f, sipRateLeast, 0)}
}

func (c *sipComparison) memoryFigures(s sipServer) []figure {
	measured, done := c.memory[s.name]
	if !done {
		return nil
	}
	f := figure{Name: fmt.Sprintf("SIP sign dip, %s, memory after %d calls over UDP, above the start", s.name, c.MemoryCalls), Unit: "MiB"}
	f.Floor, f.Value = c.memory[c.Servers[0].name].mebibytes(), measured.mebibytes()
	if s.ours {
		f.Most = sipGrowthMost
	}
	return []figure{f}
}

// circumstances say how far the rest is to be trusted.
func (c *sipComparison) circumstances() []figure {
	var foreign []float64
	for _, servers := range c.paced {
		for _, list := range servers {
			foreign = append(foreign, each(list, func(v volley) float64 { return v.foreign })...)
		}
	}
	return []figure{{Name: "SIP: other work on the machine meanwhile", Unit: "% of a core", Value: median(foreign)}}
}
