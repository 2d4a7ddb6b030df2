package push

import (
	"cmp"
	"slices"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Interest says of which records a subscriber is told: those of one profile whose called number is among Numbers, or
// belongs to one of SPCs. In a profile whose key holds the SPC of who may read, a record belongs to that SPC, whatever its
// number. Whether the subscriber may be told is decided elsewhere.
type Interest struct {
	Profile oob.Profile
	Numbers []tn.Range // one number is a Range of one
	SPCs    []string
	All     bool // all records of the profile, whatever Numbers and SPCs say
}

// spcBytesMax is the length of the longest SPC. It is ours; those in use have four characters.
const spcBytesMax = 64

// wants is an Interest in the form in which it is matched.
type wants struct {
	profile oob.Profile
	spans   []span   // ascending, without overlap
	spcs    []string // ascending, each once
	all     bool     // everything; there are neither spans nor spcs
	lookUp  bool     // its SPCs are found by looking up numbers
}

// span is an interval of places, both ends included.
type span struct{ first, last uint64 }

// place puts numbers in an order in which a range is an interval: by length in the top 4 bits, then those of digits by
// value. Those with * or #, which are in no interval, have bit 59 set and follow.
func place(n tn.Number) uint64 {
	text := n.String()
	value, odd := uint64(0), uint64(0) // to base 10, 15 digits are less than 50 bits; to base 12, less than 54
	special := false
	for i := range len(text) {
		digit := uint64(text[i] - '0')
		switch text[i] {
		case '*':
			digit, special = 10, true
		case '#':
			digit, special = 11, true
		}
		value, odd = value*10+digit, odd*12+digit
	}
	if special {
		value = odd | 1<<59
	}
	return uint64(len(text))<<60 | value
}

// read brings an interest into the form in which it is matched. Faults: Malformed, TooLarge, Refused.
func (h *Hub) read(in Interest) (wants, error) {
	row := in.Profile.Row()
	if in.All {
		in.Numbers, in.SPCs = nil, nil
	}
	switch count := len(in.Numbers) + len(in.SPCs); {
	case !row.Pushed:
		return wants{}, oob.Faultf(oob.Malformed, "nobody can subscribe to records of this form")
	case count > h.cfg.EntriesMax:
		return wants{}, oob.Faultf(oob.TooLarge, "at most %d numbers, ranges and SPCs", h.cfg.EntriesMax)
	case count == 0 && !in.All:
		return wants{}, oob.Faultf(oob.Malformed, "a subscription names numbers, ranges or SPCs")
	case !row.ForSPC && len(in.SPCs) > 0 && h.cfg.Numbering == nil:
		return wants{}, oob.Faultf(oob.Refused, "it is not known here which numbers an SPC has")
	}
	w := wants{profile: in.Profile, all: in.All, lookUp: !row.ForSPC && len(in.SPCs) > 0}
	for _, spc := range in.SPCs {
		if spc == "" || len(spc) > spcBytesMax {
			return wants{}, oob.Faultf(oob.Malformed, "an SPC has 1 to %d characters", spcBytesMax)
		}
	}
	w.spcs = slices.Compact(slices.Sorted(slices.Values(in.SPCs)))
	for _, r := range in.Numbers {
		if r.IsZero() {
			return wants{}, oob.Faultf(oob.Malformed, "a range of no numbers")
		}
		first := place(r.Start())
		w.spans = append(w.spans, span{first, first + r.Count() - 1}) // a range of several has digits alone
	}
	w.spans = disjoint(w.spans)
	return w, nil
}

// disjoint sorts spans and makes one of those that overlap, so that no record matches twice.
func disjoint(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	kept := spans[:0]
	for _, one := range spans {
		if n := len(kept); n > 0 && one.first <= kept[n-1].last {
			kept[n-1].last = max(kept[n-1].last, one.last)
			continue
		}
		kept = append(kept, one)
	}
	return kept
}

// entries is how many places it takes in an index, at least one.
func (w *wants) entries() int { return max(1, len(w.spans)+len(w.spcs)) }

// number tells whether a called number is among the numbers.
func (w *wants) number(dest tn.Identity) bool {
	n, ok := dest.Number()
	if !ok || len(w.spans) == 0 {
		return false
	}
	at := place(n)
	i, found := slices.BinarySearchFunc(w.spans, at, func(s span, at uint64) int { return cmp.Compare(s.first, at) })
	return found || i > 0 && at <= w.spans[i-1].last
}

// direct tells whether a record matches by what its key says.
func (w *wants) direct(key *oob.Key) bool {
	if key.Profile != w.profile {
		return false
	}
	return w.all || w.number(key.Dest) || !w.lookUp && w.spc(key.SPC)
}

func (w *wants) spc(spc string) bool {
	_, found := slices.BinarySearch(w.spcs, spc)
	return found
}

// oneOf tells whether one of the SPCs is wanted.
func (w *wants) oneOf(spcs []string) bool { return slices.ContainsFunc(spcs, w.spc) }
