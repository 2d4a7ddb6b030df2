package push

import (
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// comeAgain is when one who was refused for want of room may try again.
const comeAgain = 5 * time.Second

// share counts what is taken of something, in all and by account. Its owner guards it.
type share struct {
	most, each int
	all        int
	accounts   map[string]int // those that have some
}

func newShare(most, each int) share { return share{most: most, each: each, accounts: map[string]int{}} }

// take takes so many, or refuses with QuotaExceeded or Overloaded.
func (s *share) take(account string, count int) error {
	switch {
	case s.accounts[account]+count > s.each:
		return oob.Faultf(oob.QuotaExceeded, "at most %d at a time", s.each).After(comeAgain)
	case s.all+count > s.most:
		return oob.Faultf(oob.Overloaded, "").After(comeAgain)
	}
	s.accounts[account] += count
	s.all += count
	return nil
}

// give undoes a take.
func (s *share) give(account string, count int) {
	s.all -= count
	if s.accounts[account] -= count; s.accounts[account] == 0 {
		delete(s.accounts, account)
	}
}
