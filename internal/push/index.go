package push

import (
	"slices"

	"github.com/viaduct-oob/viaduct/oob"
)

// index finds the subscriptions of one profile that a record matches. What it costs follows from how many these are, and
// from the logarithm of how many there are in all.
type index struct {
	numbers map[uint64][]*Subscription // by place: those that want this one number
	ranges  *block                     // those that want several
	spcs    map[string]map[*Subscription]struct{}
	all     map[*Subscription]struct{} // those that want everything
	readers int                        // subscriptions whose SPCs are found by looking up numbers
}

func newIndex() index {
	return index{numbers: map[uint64][]*Subscription{}, all: map[*Subscription]struct{}{}, spcs: map[string]map[*Subscription]struct{}{}}
}

func (x *index) add(s *Subscription) {
	for _, one := range s.wants.spans {
		if one.first == one.last {
			x.numbers[one.first] = append(x.numbers[one.first], s)
		} else {
			x.ranges = x.ranges.add(newBlock(one, s))
		}
	}
	for _, spc := range s.wants.spcs {
		if x.spcs[spc] == nil {
			x.spcs[spc] = map[*Subscription]struct{}{}
		}
		x.spcs[spc][s] = struct{}{}
	}
	if s.wants.all {
		x.all[s] = struct{}{}
	}
	if s.wants.lookUp {
		x.readers++
	}
}

func (x *index) remove(s *Subscription) {
	for _, one := range s.wants.spans {
		if one.first != one.last {
			x.ranges = x.ranges.remove(newBlock(one, s))
			continue
		}
		list := x.numbers[one.first]
		if i := slices.Index(list, s); len(list) > 1 {
			x.numbers[one.first] = slices.Delete(list, i, i+1)
		} else {
			delete(x.numbers, one.first)
		}
	}
	for _, spc := range s.wants.spcs {
		if delete(x.spcs[spc], s); len(x.spcs[spc]) == 0 {
			delete(x.spcs, spc)
		}
	}
	delete(x.all, s)
	if s.wants.lookUp {
		x.readers--
	}
}

// match appends the subscriptions that a record matches by what its key says, each once.
func (x *index) match(key *oob.Key, into []*Subscription) []*Subscription {
	if n, ok := key.Dest.Number(); ok && (len(x.numbers) > 0 || x.ranges != nil) {
		at := place(n)
		into = append(into, x.numbers[at]...)
		into = x.ranges.hit(at, into)
	}
	if key.SPC != "" && key.Profile.Row().ForSPC {
		for s := range x.spcs[key.SPC] {
			if !s.wants.number(key.Dest) {
				into = append(into, s)
			}
		}
	}
	for s := range x.all {
		into = append(into, s)
	}
	return into
}

// looksUp tells whether anybody wants to know to which SPC the called number belongs.
func (x *index) looksUp(key *oob.Key) bool {
	if x.readers == 0 {
		return false
	}
	_, ok := key.Dest.Number()
	return ok
}

// cutReaders cuts off those who would have to wait for a look-up that there is no room for.
func (x *index) cutReaders() {
	for _, list := range x.spcs {
		for s := range list {
			s.cut()
		}
	}
}
