package dip

import (
	"net/netip"

	"github.com/viaduct-oob/viaduct/internal/trunk"
)

// Trunks is a trunk table with what it takes to serve its rows. It never changes: a reload makes a new one.
type Trunks struct {
	table *trunk.Table
	rows  map[*trunk.Row]*Trunk
}

// NewTrunks makes ready a table; equip gives what a row needs.
func NewTrunks(table *trunk.Table, equip func(*trunk.Row) Trunk) *Trunks {
	t := &Trunks{table: table, rows: map[*trunk.Row]*Trunk{}}
	rows := table.Rows()
	for i := range rows {
		equipped := equip(&rows[i])
		equipped.Row = &rows[i]
		t.rows[&rows[i]] = &equipped
	}
	return t
}

// SetTrunks changes to another table. Calls that have begun end as they began; who asks again about one of them is served by
// the new table.
func (s *Service) SetTrunks(t *Trunks) {
	s.trunks.Store(t)
	s.placed.forgetAll()
}

// Find is the trunk that a request belongs to, if it belongs to one.
func (s *Service) Find(signs trunk.Signs) (*Trunk, bool) {
	t := s.trunks.Load()
	if t == nil {
		return nil, false
	}
	row, ok := t.table.Match(signs)
	if !ok {
		return nil, false
	}
	return t.rows[row], true
}

// Knows reports whether any trunk can have SIP requests from addr, of a client that can have proven itself or not; others need
// not be read.
func (s *Service) Knows(addr netip.Addr, proven bool) bool {
	t := s.trunks.Load()
	return t != nil && t.table.Knows(addr, proven)
}
