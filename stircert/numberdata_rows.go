package stircert

import (
	"cmp"
	"slices"
)

// numberRow is one row of number data in 16 bytes, from the highest bit on: the first number (51 bits), by how many numbers
// fewer follow it than could (50 bits), the place of the code among the names (27 bits).
type numberRow struct{ head, tail uint64 }

const (
	headBits  = 13 // of the size that are below the first number
	placeBits = 27 // of the code's place
	sizeBits  = 64 - placeBits
	sizeMax   = 1<<(headBits+sizeBits) - 1
)

func newNumberRow(s digitSpan, spc uint32) numberRow {
	size := sizeMax - (s.last - s.first)
	return numberRow{s.first<<headBits | size>>sizeBits, size<<placeBits | uint64(spc)}
}

func (r numberRow) first() uint64 { return r.head >> headBits }
func (r numberRow) follow() uint64 {
	return sizeMax - (r.head&(1<<headBits-1)<<sizeBits | r.tail>>placeBits)
}
func (r numberRow) last() uint64    { return r.first() + r.follow() }
func (r numberRow) span() digitSpan { return digitSpan{r.first(), r.last()} }
func (r numberRow) spc() uint32     { return uint32(r.tail & (1<<placeBits - 1)) }

// byPlace sorts rows by their first numbers, those with the same by size, the largest first: what lies within a row comes
// after it.
func byPlace(a, b numberRow) int {
	if a.head != b.head {
		return cmp.Compare(a.head, b.head)
	}
	return cmp.Compare(a.tail, b.tail)
}

// mostShared counts the codes of the block that most codes have.
func mostShared(rows []numberRow) int {
	most, n := 0, 0
	for i, r := range rows {
		if i > 0 && r.span() != rows[i-1].span() {
			n = 0
		}
		n++
		most = max(most, n)
	}
	return most
}

// ladder leads through many rows by way of few: each rung tells of every 16 rows, or every 16 of the rung before it, the
// first number and the greatest last one. A search touches little memory, and to find the row that a number lies in, none
// of a million rows that have ended before it is looked at.
type ladder []rung

type rung struct{ firsts, lasts []uint64 }

const fan = 16

func ladderOf(rows []numberRow) ladder {
	var l ladder
	for n := len(rows); n > fan; n = (n + fan - 1) / fan {
		up := rung{make([]uint64, (n+fan-1)/fan), make([]uint64, (n+fan-1)/fan)}
		for i := range n {
			if i%fan == 0 {
				up.firsts[i/fan] = l.first(rows, i)
			}
			up.lasts[i/fan] = max(up.lasts[i/fan], l.last(rows, i))
		}
		l = append(l, up)
	}
	return l
}

// first and last are those of a place on the topmost rung, or of a row where there is none.
func (l ladder) first(rows []numberRow, i int) uint64 {
	if len(l) == 0 {
		return rows[i].first()
	}
	return l[len(l)-1].firsts[i]
}

func (l ladder) last(rows []numberRow, i int) uint64 {
	if len(l) == 0 {
		return rows[i].last()
	}
	return l[len(l)-1].lasts[i]
}

// begunBy gives the place of the last of the rows that begins no later than at a number; -1 for none.
func (l ladder) begunBy(rows []numberRow, number uint64) int {
	at := 0
	for level := len(l); level >= 0; level-- {
		below, n := l[:level], len(rows)
		if level > 0 {
			n = len(l[level-1].firsts)
		}
		next := min(at+fan, n)
		for at < next && below.first(rows, at) <= number {
			at++
		}
		if at--; at < 0 {
			return -1 // on the topmost rung; below it, a group begins as its first does
		}
		if level > 0 {
			at *= fan
		}
	}
	return at
}

// reaching gives the last of the rows up to at that reaches as far as number; -1 for none.
func (l ladder) reaching(rows []numberRow, at int, number uint64) int {
	level := 0
	for ; at >= 0 && l[:level].last(rows, at) < number; at-- {
		if at%fan == 0 { // nothing in this group: go on with the groups before it
			at, level = at/fan, level+1
		}
	}
	if at < 0 {
		return -1
	}
	for ; level > 0; level-- { // something in this group: the last of it
		n := len(rows)
		if level > 1 {
			n = len(l[level-2].lasts)
		}
		for at = min(at*fan+fan, n) - 1; l[:level-1].last(rows, at) < number; at-- {
		}
	}
	return at
}

// meeting gives the spans of the codes in which one of asked begins, sorted by their first numbers, and lets each reach as
// far as any before it; it sorts asked. A list may name thousands of codes and its child thousands of numbers: of each
// code, the shorter list is gone through and the longer one searched. What it gives is no longer than asked, times the
// codes to which the data give the same number.
func (d *NumberData) meeting(spcs map[string]bool, asked []digitSpan) []digitSpan {
	slices.SortFunc(asked, byFirst)
	var met []digitSpan
	for spc := range spcs {
		spans := d.of(spc)
		if len(spans) <= len(asked) {
			for _, held := range spans {
				s := d.span(held)
				if at, _ := slices.BinarySearchFunc(asked, s, byFirst); at < len(asked) && asked[at].first <= s.last {
					met = append(met, s)
				}
			}
			continue
		}
		own := len(met)
		for _, s := range asked {
			held, ok := d.begun(spans, s.first)
			if !ok || held.last < s.first || len(met) > own && met[len(met)-1] == held {
				continue
			}
			met = append(met, held)
		}
	}
	slices.SortFunc(met, byFirst)
	for i := 1; i < len(met); i++ {
		met[i].last = max(met[i].last, met[i-1].last)
	}
	return met
}

func byFirst(a, b digitSpan) int { return cmp.Compare(a.first, b.first) }

// holdAll reports whether each of asked lies within one of the spans that were met.
func holdAll(met, asked []digitSpan) bool {
	return !slices.ContainsFunc(asked, func(s digitSpan) bool {
		after, _ := slices.BinarySearchFunc(met, s.first, func(m digitSpan, first uint64) int { return notAfter(m.first, first) })
		return after == 0 || met[after-1].last < s.last
	})
}
