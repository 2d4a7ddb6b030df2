package advert

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/discovery/internal/blocks"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// ConflictsMax bounds the conflicts that are listed; all are counted.
const ConflictsMax = 1000

// settleEvery is how often the index is made anew at most because something has expired.
const settleEvery = time.Second

// Conflict is that signers disagree about a resource. The first stands.
type Conflict struct {
	Resource stircert.Resource
	Claims   []Claim // the one issued last first, at most claimsMax
}

const claimsMax = 8

// Claim is what one signer says of a resource.
type Claim struct {
	Signer string
	URL    string
	Issued time.Time
}

// index finds the member that stands for a number or provider. It does not change once made.
type index struct {
	expires time.Time // of the first advertisement to do so; zero when there is none

	entries []standing // the newest first; the rest refers to them by place
	spcs    map[string]uint32
	all     *view              // of everybody, for when nobody knows who holds a number
	lists   *view              // of those whose certificates list the numbers
	own     map[string][]*view // by provider code, of each signer that has it

	conflicts     []Conflict
	conflictCount int
}

// standing is a member that stands for its resource.
type standing struct {
	entry Entry
	of    *Checked
}

// view finds a number among some of the entries.
type view struct {
	numbers map[tn.Number]uint32
	spans   []blocks.Block // until ranges is made of them
	ranges  blocks.Index
}

func newView() *view { return &view{numbers: make(map[tn.Number]uint32)} }

// lay puts an entry where it is found, unless a newer one of the same number is there. Of equal ranges the index finds the newest.
func (v *view) lay(numbers tn.Range, place uint32) {
	if numbers.Count() == 1 {
		if _, taken := v.numbers[numbers.Start()]; !taken {
			v.numbers[numbers.Start()] = place
		}
		return
	}
	if span, ok := blocks.Of(numbers, place); ok {
		v.spans = append(v.spans, span)
	}
}

func (v *view) settle() { v.ranges, v.spans = blocks.NewIndex(v.spans), nil }

func newIndex(live []*Checked) *index {
	x := &index{spcs: make(map[string]uint32), all: newView(), lists: newView(), own: make(map[string][]*view)}
	// Newest first, and else in an order that does not depend on who came first.
	slices.SortFunc(live, func(a, b *Checked) int {
		return cmp.Or(b.Issued.Compare(a.Issued), cmp.Compare(b.Seq, a.Seq), strings.Compare(a.Signer, b.Signer), bytes.Compare(a.content[:], b.content[:]))
	})
	places := make(map[stircert.Resource]uint32)
	claims := make(map[stircert.Resource][]Claim) // of resources with a conflict alone
	signers := make(map[string]*view)
	for _, of := range live {
		if x.expires.IsZero() || of.Expires.Before(x.expires) {
			x.expires = of.Expires
		}
		signer := signers[of.Signer]
		if signer == nil {
			signer = newView()
			signers[of.Signer] = signer
			for _, spc := range of.list.SPCs {
				if n := len(x.own[spc]); n == 0 || x.own[spc][n-1] != signer {
					x.own[spc] = append(x.own[spc], signer)
				}
			}
		}
		listed := of.list.CoversEach(resourcesOf(of.Taken), nil)
		for i, entry := range of.Taken {
			place := uint32(len(x.entries))
			x.entries = append(x.entries, standing{entry, of})
			if first, taken := places[entry.Resource]; taken {
				x.compare(claims, x.entries[first], standing{entry, of})
			} else {
				places[entry.Resource] = place
			}
			numbers := entry.Resource.Numbers()
			if spc := entry.Resource.SPC(); spc != "" {
				if _, taken := x.spcs[spc]; !taken {
					x.spcs[spc] = place
				}
				continue
			}
			x.all.lay(numbers, place)
			if listed[i] {
				x.lists.lay(numbers, place)
			} else {
				signer.lay(numbers, place)
			}
		}
	}
	x.all.settle()
	x.lists.settle()
	for _, signer := range signers {
		signer.settle()
	}
	for resource, all := range claims {
		x.conflicts = append(x.conflicts, Conflict{resource, all})
	}
	slices.SortFunc(x.conflicts, func(a, b Conflict) int { return strings.Compare(a.Resource.String(), b.Resource.String()) })
	return x
}

// compare notes that a member does not say what the one that stands for its resource says, if they are of different signers.
func (x *index) compare(claims map[stircert.Resource][]Claim, stands, other standing) {
	if stands.of.Signer == other.of.Signer || stands.entry.URL == other.entry.URL {
		return
	}
	resource := stands.entry.Resource
	all, known := claims[resource]
	if !known {
		x.conflictCount++
		if len(claims) == ConflictsMax {
			return
		}
		all = []Claim{stands.claim()}
	}
	if len(all) < claimsMax {
		claims[resource] = append(all, other.claim())
	}
}

func (s standing) claim() Claim { return Claim{s.of.Signer, s.entry.URL, s.of.Issued} }

// find gives what stands for a number that spc holds, else for that provider; spc is empty when nobody knows. What a provider
// says of a number that is another's now does not count, and stands in nobody's way: the number was ported, and the provider
// that has lost it must not be told who calls, nor keep others from being told.
func (x *index) find(n tn.Number, spc string, now time.Time) (standing, bool) {
	views := []*view{x.all}
	if spc != "" {
		views = append([]*view{x.lists}, x.own[spc]...)
	}
	best, found := standing{}, false
	for _, v := range views {
		if s, ok := x.in(v, n, now); ok && (!found || s.before(best)) {
			best, found = s, true
		}
	}
	if found {
		return best, true
	}
	if place, ok := x.spcs[spc]; ok && now.Before(x.entries[place].of.Expires) {
		return x.entries[place], true
	}
	return standing{}, false
}

func (x *index) in(v *view, n tn.Number, now time.Time) (standing, bool) {
	if place, found := v.numbers[n]; found && now.Before(x.entries[place].of.Expires) {
		return x.entries[place], true
	}
	if order, ok := blocks.Order(n); ok {
		if place, found := v.ranges.Find(order); found && now.Before(x.entries[place].of.Expires) {
			return x.entries[place], true
		}
	}
	return standing{}, false
}

// before reports whether s stands before other: it is for fewer numbers, or newer.
func (s standing) before(other standing) bool {
	a, b := s.entry.Resource.Numbers().Count(), other.entry.Resource.Numbers().Count()
	return a < b || a == b && s.of.Issued.After(other.of.Issued)
}

// Name implements discovery.Source.
func (b *Book) Name() string { return "advertisements" }

var errNotAdvertised = discovery.Nothing("nobody has advertised it")

// Find implements discovery.Source. It does not wait.
func (b *Book) Find(_ context.Context, q discovery.Question) (discovery.Finding, error) {
	now := b.cfg.Now()
	x := b.index.Load()
	holders := []string{q.SPC}
	if q.SPC == "" { // what makes a provider's advertisement of numbers believed says who has lost some, too
		if known := b.cfg.Checker.cfg.Numbers().SPCs(q.Number); len(known) > 0 {
			holders = known
		}
	}
	var s standing
	found := false
	for i := 0; i < len(holders) && !found; i++ {
		s, found = x.find(q.Number, holders[i], now)
	}
	if !found {
		return discovery.Finding{}, errNotAdvertised
	}
	return discovery.Finding{
		URLs: []string{s.entry.URL}, Resource: s.entry.Resource, Signer: s.of.Signer, Issued: s.of.Issued, Expires: s.of.Expires,
	}, nil
}

// CPSs gives the base URLs of the CPSs that are advertised for providers, by provider codes.
func (b *Book) CPSs() map[string]string {
	x, now := b.index.Load(), b.cfg.Now()
	all := make(map[string]string, len(x.spcs))
	for spc, place := range x.spcs {
		if stands := x.entries[place]; now.Before(stands.of.Expires) {
			all[spc] = stands.entry.URL
		}
	}
	return all
}

// Conflicts gives those of now, at most ConflictsMax, in the order of their resources.
func (b *Book) Conflicts() []Conflict { return b.index.Load().conflicts }
