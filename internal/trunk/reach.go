package trunk

import (
	"net/netip"
	"strings"
)

// asked are the conditions of a row but its sources: two rows with the same can be told apart by their sources alone.
type asked struct {
	asks                                             Ask
	client, tgrp, context, otg, label, header, value string
}

func (m *Match) asked() asked {
	return asked{
		m.Asks, m.Client, strings.ToLower(m.TGRP), strings.ToLower(m.TrunkContext), strings.ToLower(m.OTG), strings.ToLower(m.Label),
		strings.ToLower(m.Header), m.HeaderValue,
	}
}

// reach knows which row takes the requests of a source, for each set of other conditions. A row with more conditions hides
// none with fewer: a request without them reaches it.
type reach struct {
	taken map[asked]map[netip.Prefix]int // the first row for it
	count int
}

func newReach() *reach { return &reach{taken: map[asked]map[netip.Prefix]int{}} }

// add files the next row.
func (r *reach) add(m *Match) {
	sources := r.taken[m.asked()]
	if sources == nil {
		sources = map[netip.Prefix]int{}
		r.taken[m.asked()] = sources
	}
	for _, source := range sourcesOf(m) {
		if _, exists := sources[source]; !exists {
			sources[source] = r.count
		}
	}
	r.count++
}

// everywhere stands for no sources.
var everywhere = netip.Prefix{}

func sourcesOf(m *Match) []netip.Prefix {
	if len(m.Sources) == 0 {
		return []netip.Prefix{everywhere}
	}
	return m.Sources
}

// hides tells which row keeps all requests of one source from row i, and in what way; an empty text if none does.
func (r *reach) hides(rows []Row, i int) (by int, text string) {
	m := &rows[i].Match
	taken := r.taken[m.asked()]
	for _, source := range sourcesOf(m) {
		if by = taken[source]; by != i {
			return by, "no request from a source of it can be told from those of another row"
		}
		if source.IsValid() && source.Bits() < source.Addr().BitLen() && r.covered(taken, source, i, &by) {
			return by, "other rows list all of a source of it in parts, so that no request from there reaches it"
		}
	}
	return 0, ""
}

// covered reports whether the two halves of a prefix are taken by other rows, whole or in parts; by is one of them.
func (r *reach) covered(taken map[netip.Prefix]int, source netip.Prefix, i int, by *int) bool {
	if !source.IsValid() || source.Bits() == source.Addr().BitLen() || !within(taken, source) {
		return false
	}
	for _, half := range halves(source) {
		if owner, whole := taken[half]; whole && owner != i {
			*by = owner
		} else if !r.covered(taken, half, i, by) {
			return false
		}
	}
	return true
}

// within reports whether anything longer than a prefix and inside of it is taken, which ends the search early.
func within(taken map[netip.Prefix]int, source netip.Prefix) bool {
	for p := range taken {
		if p.IsValid() && p.Bits() > source.Bits() && source.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

func halves(p netip.Prefix) [2]netip.Prefix {
	low := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	raw := p.Addr().AsSlice()
	raw[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	upper, _ := netip.AddrFromSlice(raw)
	return [2]netip.Prefix{low, netip.PrefixFrom(upper, p.Bits()+1)}
}
