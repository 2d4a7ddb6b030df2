package stircert

import (
	"container/heap"
	"fmt"
	"slices"
)

// bentSpan is a block of numbers for which another row decides than the one that begins last.
type bentSpan struct {
	digitSpan
	row uint32
}

// bentAt gives the row that decides for a number among spans that are sorted and apart.
func bentAt(spans []bentSpan, number uint64) (row int, ok bool) {
	if len(spans) == 0 {
		return 0, false
	}
	after, _ := slices.BinarySearchFunc(spans, number, func(s bentSpan, number uint64) int { return notAfter(s.first, number) })
	if after == 0 || spans[after-1].last < number {
		return 0, false
	}
	return int(spans[after-1].row), true
}

// bend finds the numbers for which the row that begins last is not the smallest. Where of two rows that overlap one always
// lies within the other, which is so of nearly all data, there are none.
func (d *NumberData) bend(most int) error {
	if nested(d.rows) {
		return nil
	}
	open := &openRows{rows: d.rows}
	for i, r := range d.rows {
		heap.Push(open, uint32(i))
		next := uint64(1) << 63
		if i+1 < len(d.rows) {
			next = d.rows[i+1].first()
		}
		for number := r.first(); number < next; {
			for open.Len() > 0 && d.rows[open.places[0]].last() < number {
				heap.Pop(open)
			}
			if open.Len() == 0 {
				break
			}
			smallest := open.places[0]
			last := min(d.rows[smallest].last(), next-1)
			// No other row ends before smallest does: it would be a smaller one, or have begun earlier.
			if at := d.way.reaching(d.rows, i, number); d.rows[at].span() != d.rows[smallest].span() {
				if d.bendTo(bentSpan{digitSpan{number, last}, smallest}); len(d.bent) > most {
					return fmt.Errorf("more than %d places where blocks overlap of which neither lies within the other", most)
				}
			}
			number = last + 1
		}
	}
	d.bent = slices.Clip(d.bent)
	return nil
}

func (d *NumberData) bendTo(s bentSpan) {
	if n := len(d.bent); n > 0 && d.bent[n-1].row == s.row && d.bent[n-1].last+1 == s.first {
		d.bent[n-1].last = s.last
		return
	}
	d.bent = append(d.bent, s)
}

// nested reports whether of any two rows that overlap one lies within the other.
func nested(rows []numberRow) bool {
	var ends []uint64 // of the rows that have not ended, from the outermost to the innermost
	for _, r := range rows {
		for len(ends) > 0 && ends[len(ends)-1] < r.first() {
			ends = ends[:len(ends)-1]
		}
		if len(ends) > 0 && ends[len(ends)-1] < r.last() {
			return false
		}
		ends = append(ends, r.last())
	}
	return true
}

// openRows is a heap of the places of rows with the one on top that decides: the smallest, of equally large ones the one
// that begins last, of equal ones the last. Those that have ended are taken out when they come to the top.
type openRows struct {
	rows   []numberRow
	places []uint32
}

func (o *openRows) Len() int { return len(o.places) }
func (o *openRows) Less(i, j int) bool {
	a, b := o.rows[o.places[i]], o.rows[o.places[j]]
	if a.follow() != b.follow() {
		return a.follow() < b.follow()
	}
	return o.places[i] > o.places[j]
}
func (o *openRows) Swap(i, j int) { o.places[i], o.places[j] = o.places[j], o.places[i] }
func (o *openRows) Push(x any)    { o.places = append(o.places, x.(uint32)) }
func (o *openRows) Pop() any {
	last := len(o.places) - 1
	place := o.places[last]
	o.places = o.places[:last]
	return place
}
