package trunk

import (
	"net/netip"
	"slices"
	"strings"
)

// Table is a trunk table. It never changes: a reload makes a new one.
type Table struct {
	rows     []Row
	bySource map[netip.Prefix]group
	lengths  []int // distinct lengths of source prefixes, of IPv4 ones with v4 added, the longest first
	anywhere group // rows without sources
	open     bool  // one of these is for requests over SIP
}

// group holds the rows of one source by their trunk group, which is what tells the trunks of one switch apart; those
// without are under the empty name. Names are in lower case; rows are in the order in which they are tried.
type group map[string][]candidate

// candidate is a row that may be that of a request.
type candidate struct {
	row        *Row
	index      int
	conditions int
}

// New makes a table. Its error is Faults: all of them, in the order of the rows.
func New(rows []Row) (*Table, error) {
	if faults := check(rows); len(faults) > 0 {
		return nil, faults
	}
	t := &Table{rows: slices.Clone(rows), bySource: map[netip.Prefix]group{}, anywhere: group{}}
	for i := range t.rows {
		r := &t.rows[i]
		r.fillDefaults()
		c := candidate{row: r, index: i, conditions: r.Match.conditions()}
		if len(r.Match.Sources) == 0 {
			t.anywhere.add(c)
			t.open = t.open || r.Match.Asks == AskAny
		}
		for _, source := range r.Match.Sources {
			if t.bySource[source] == nil {
				t.bySource[source] = group{}
			}
			t.bySource[source].add(c)
		}
	}
	for source := range t.bySource {
		if length := lengthOf(source); !slices.Contains(t.lengths, length) {
			t.lengths = append(t.lengths, length)
		}
	}
	slices.SortFunc(t.lengths, func(a, b int) int { return b - a })
	return t, nil
}

// add keeps rows with more conditions before others, and rows with as many in their order.
func (g group) add(c candidate) {
	name := strings.ToLower(c.row.Match.TGRP)
	at := slices.IndexFunc(g[name], func(other candidate) bool { return other.conditions < c.conditions })
	if at < 0 {
		at = len(g[name])
	}
	g[name] = slices.Insert(g[name], at, c)
}

func (r *Row) fillDefaults() {
	if r.Nothing == 0 {
		r.Nothing = NothingDefault
	}
	if r.Budget == 0 {
		if r.Budget = SignBudgetDefault; r.Mode.Retrieves() {
			r.Budget = RetrieveBudgetDefault
		}
	}
}

// v4 tells lengths of IPv4 prefixes from those of IPv6.
const v4 = 1 << 8

func lengthOf(p netip.Prefix) int {
	if p.Addr().Is4() {
		return p.Bits() + v4
	}
	return p.Bits()
}

// prefixOf is the prefix of one length that an address lies in; false for those of the other family.
func prefixOf(addr netip.Addr, length int) (netip.Prefix, bool) {
	if addr.Is4() != (length >= v4) {
		return netip.Prefix{}, false
	}
	p, err := addr.Prefix(length &^ v4)
	return p, err == nil
}

// Match finds the row of a request: of those that fit, the one with the most conditions; among equals, the one whose source
// prefix is the longest; among these, the first. It allocates nothing.
func (t *Table) Match(s Signs) (*Row, bool) {
	addr := s.Source.Unmap().WithZone("")
	var lower [TextMax]byte
	name := lower[:0]
	if len(s.TGRP) <= TextMax {
		name = appendLower(name, s.TGRP)
	}
	best := candidate{conditions: -1}
	for _, length := range t.lengths {
		if source, ok := prefixOf(addr, length); ok {
			if c := t.bySource[source].find(name, &s); c.conditions > best.conditions {
				best = c
			}
		}
	}
	if c := t.anywhere.find(name, &s); c.conditions > best.conditions {
		best = c
	}
	return best.row, best.row != nil
}

// find gives the row that fits best; no row has less than no conditions.
func (g group) find(tgrp []byte, s *Signs) candidate {
	best := first(g[""], s)
	if len(tgrp) == 0 {
		return best
	}
	named := first(g[string(tgrp)], s)
	if named.conditions > best.conditions || named.conditions == best.conditions && named.index < best.index {
		return named
	}
	return best
}

// first gives the first that fits.
func first(candidates []candidate, s *Signs) candidate {
	for i := range candidates {
		if candidates[i].row.Match.fits(s) {
			return candidates[i]
		}
	}
	return candidate{conditions: -1}
}

// appendLower writes ASCII letters in lower case, and all else as it is.
func appendLower(b []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// Knows reports whether any row can fit a SIP request from addr, of a client that can have proven itself or not: who has may
// come from anywhere.
func (t *Table) Knows(addr netip.Addr, proven bool) bool {
	if proven && t.open {
		return true
	}
	addr = addr.Unmap().WithZone("")
	for _, length := range t.lengths {
		if source, ok := prefixOf(addr, length); ok && t.bySource[source] != nil {
			return true
		}
	}
	return false
}

// Rows gives the rows in their order, with the defaults filled in. They are the table's own: they are not to be changed.
func (t *Table) Rows() []Row { return t.rows }

// conditions is how many conditions there are.
func (m *Match) conditions() int {
	count := 0
	for _, given := range [...]bool{
		len(m.Sources) > 0, m.Client != "", m.Asks != AskAny, m.TGRP != "", m.TrunkContext != "", m.OTG != "", m.Label != "", m.Header != "",
	} {
		if given {
			count++
		}
	}
	return count
}

// fits compares all but the source and the trunk group.
func (m *Match) fits(s *Signs) bool { return m.admits(s) && m.meets(s) }

// admits tells whether the row is for such a request at all. Who asks over HTTP has a name, and fits only rows that say it: a
// row for the addresses of a switch is none for every client that is let in from there.
func (m *Match) admits(s *Signs) bool { return s.Asks == AskAny || m.Client != "" }

// meets compares each condition by itself.
func (m *Match) meets(s *Signs) bool {
	return (m.Client == "" || m.Client == s.Client) && (m.Asks == AskAny || m.Asks == s.Asks) &&
		fitsName(m.TrunkContext, s.TrunkContext) && fitsName(m.OTG, s.OTG) && fitsName(m.Label, s.Label) &&
		(m.Header == "" || s.Header != nil && strings.TrimSpace(s.Header(m.Header)) == m.HeaderValue)
}

func fitsName(want, shown string) bool {
	return want == "" || len(want) == len(shown) && strings.EqualFold(want, shown) // names are ASCII
}
