package trunk

import (
	"net/netip"
	"strings"
)

// Condition is one thing that a row wants of a request, beside what the request shows. It is for people.
type Condition struct {
	Name  string // as configurations name it: sources, client, asks, tgrp, …
	Want  string
	Shown string // empty for nothing
	Fits  bool
}

// Compare holds a request against every condition of m. A table can find the row of m when all of them fit.
func (m *Match) Compare(s Signs) []Condition {
	var all []Condition
	if len(m.Sources) > 0 {
		all = append(all, m.compareSource(s.Source))
	}
	// A condition that stands alone is judged as the table would judge it among others.
	for _, alone := range []struct {
		name, want, shown string
		match             Match
	}{
		{"client", m.Client, s.Client, Match{Client: m.Client}},
		{"asks", m.Asks.String(), s.Asks.String(), Match{Asks: m.Asks}},
		{"trunk_context", m.TrunkContext, s.TrunkContext, Match{TrunkContext: m.TrunkContext}},
		{"otg", m.OTG, s.OTG, Match{OTG: m.OTG}},
		{"label", m.Label, s.Label, Match{Label: m.Label}},
		{"header " + m.Header, m.HeaderValue, s.header(m.Header), Match{Header: m.Header, HeaderValue: m.HeaderValue}},
	} {
		if alone.want != "" {
			all = append(all, Condition{Name: alone.name, Want: alone.want, Shown: alone.shown, Fits: alone.match.meets(&s)})
		}
	}
	if !m.admits(&s) {
		all = append(all, Condition{Name: "client", Want: "the name of who asks over HTTP", Shown: s.Client})
	}
	if m.TGRP != "" {
		all = append(all, Condition{Name: "tgrp", Want: m.TGRP, Shown: s.TGRP, Fits: fitsName(m.TGRP, s.TGRP)})
	}
	return all
}

func (m *Match) compareSource(source netip.Addr) Condition {
	c := Condition{Name: "sources"}
	var want []string
	addr := source.Unmap().WithZone("")
	for _, prefix := range m.Sources {
		want = append(want, prefix.String())
		c.Fits = c.Fits || prefix.Contains(addr)
	}
	c.Want = strings.Join(want, ", ")
	if source.IsValid() {
		c.Shown = source.String()
	}
	return c
}

func (s *Signs) header(name string) string {
	if name == "" || s.Header == nil {
		return ""
	}
	return strings.TrimSpace(s.Header(name))
}

// ForGroup reports whether the row is that of one trunk group.
func (r *Row) ForGroup() bool { return r.Match.TGRP != "" }
