package store

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// room is a quantity of what the shelf can run out of.
type room struct {
	records, bytes, tokens int64
}

func (r *room) add(more room) {
	r.records += more.records
	r.bytes += more.bytes
	r.tokens += more.tokens
}

func (r *room) sub(less room) {
	r.records -= less.records
	r.bytes -= less.bytes
	r.tokens -= less.tokens
}

func (r room) within(most room) bool {
	return r.records <= most.records && r.bytes <= most.bytes && r.tokens <= most.tokens
}

// balance is what is taken of the shelf. Room is first held, then laid: what a publication will take is held from its
// admission until the log has answered, so that publications under way at one moment cannot together exceed a limit.
// For the moment between being laid and being released it counts twice: at the very edge of a limit one may be refused
// that would have fitted, never the other way.
type balance struct {
	laid, held room
}

// fits reports whether want can be held as well without exceeding most.
func (b balance) fits(want, most room) bool {
	want.add(b.laid)
	want.add(b.held)
	return want.within(most)
}

// account is what one publisher has on the shelf. All but its name belongs to the ledger.
type account struct {
	name   string
	number uint32 // for as long as it is open
	balance
	soonest int64 // when its first record expires, in ns; 0 when there is none or it is not known
}

// ledger counts what is on the shelf, in all and by publisher. One lock is enough for it: it is held for a few
// additions, four times in the life of a record.
type ledger struct {
	mu sync.Mutex
	balance
	accounts   map[string]*account // those with anything laid or held
	publishers int64               // those with anything laid
	ages       map[int64]int64     // how many records were received in each second

	// byNumber may be read without the lock by whoever holds the lock of a shelf, of the accounts of records that lie there: what
	// stands under a number in use does not change.
	byNumber atomic.Pointer[[]*account]
	unused   []uint32 // numbers
}

func newLedger() *ledger {
	l := &ledger{accounts: map[string]*account{}, ages: map[int64]int64{}}
	l.byNumber.Store(new([]*account))
	return l
}

// numbered gives the account of a record. The caller holds the lock of the shelf where that lies.
func (l *ledger) numbered(account uint32) *account { return (*l.byNumber.Load())[account] }

// shortage says what there is too little of.
type shortage uint8

const (
	enough   shortage = iota
	ofQuota           // of what one publisher may have
	ofShelf           // of records or bytes in all
	ofMemory          // of tokens in all
)

// hold sets room aside for a publisher. Of quota it also tells when the publisher's first record expires, if known.
func (l *ledger) hold(publisher string, want, quota, most room) (lack shortage, soonest int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(publisher)
	defer l.settle(a)
	switch {
	case !a.fits(want, quota):
		return ofQuota, a.soonest
	case l.laid.tokens+l.held.tokens+want.tokens > most.tokens:
		return ofMemory, 0
	case !l.fits(want, most):
		return ofShelf, 0
	}
	a.held.add(want)
	l.held.add(want)
	return enough, 0
}

// release gives back what hold set aside.
func (l *ledger) release(publisher string, held room) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(publisher)
	a.held.sub(held)
	l.held.sub(held)
	l.settle(a)
}

// lay counts a new record of size bytes; it returns the number of the account to which it was charged.
func (l *ledger) lay(publisher string, size int, received, expires int64) (number uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(publisher)
	if a.laid.records == 0 {
		l.publishers++
		a.soonest = expires
	}
	a.soonest = min(a.soonest, expires)
	record := room{records: 1, bytes: int64(size)}
	a.laid.add(record)
	l.laid.add(record)
	l.ages[received/int64(time.Second)]++
	return a.number
}

// drop takes away what lay counted.
func (l *ledger) drop(number uint32, size int, received, expires int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, record := l.numbered(number), room{records: 1, bytes: int64(size)}
	a.laid.sub(record)
	l.laid.sub(record)
	if a.soonest <= expires {
		a.soonest = 0
	}
	if a.laid.records == 0 {
		l.publishers--
	}
	l.age(received, -1)
	l.settle(a)
}

// tokens counts tokens that are remembered, or with a negative n forgotten.
func (l *ledger) tokens(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.laid.tokens += n
}

// older notes that a record counts as received earlier than it did.
func (l *ledger) older(was, is int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.age(was, -1)
	l.age(is, 1)
}

func (l *ledger) age(received, n int64) {
	second := received / int64(time.Second)
	if l.ages[second] += n; l.ages[second] == 0 {
		delete(l.ages, second)
	}
}

// stats is exact but for Oldest, which is exact to the second.
func (l *ledger) stats(most room) oob.StoreStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	stats := oob.StoreStats{
		Records: l.laid.records, RecordsMax: most.records,
		Bytes: l.laid.bytes, BytesMax: most.bytes,
		Tokens: l.laid.tokens, TokensMax: most.tokens,
		Publishers: l.publishers,
	}
	for second := range l.ages {
		if at := time.Unix(second, 0).UTC(); stats.Oldest.IsZero() || at.Before(stats.Oldest) {
			stats.Oldest = at
		}
	}
	return stats
}

// account finds or opens the account of a publisher. Tokens spent on reading are charged to nobody, the account "".
func (l *ledger) account(publisher string) *account {
	a := l.accounts[publisher]
	if a == nil {
		a = &account{name: strings.Clone(publisher)} // the text may be part of a whole request
		l.accounts[a.name] = a
		l.number(a)
	}
	return a
}

// number gives an account its number.
func (l *ledger) number(a *account) {
	list := *l.byNumber.Load()
	if n := len(l.unused); n > 0 {
		a.number, l.unused = l.unused[n-1], l.unused[:n-1]
		list[a.number] = a
		return
	}
	a.number = uint32(len(list))
	list = append(list, a)
	l.byNumber.Store(&list)
}

// settle closes an account that has nothing left, so that publishers who went away leave no trace. That of nobody stays: it has
// something for a moment with every retrieval.
func (l *ledger) settle(a *account) {
	if a.name != "" && a.laid == (room{}) && a.held == (room{}) {
		delete(l.accounts, a.name)
		(*l.byNumber.Load())[a.number] = nil
		l.unused = append(l.unused, a.number)
	}
}
