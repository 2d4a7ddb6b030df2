package stivs

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Memory remembers which PASSporT has verified which call, and which calls have looked for PASSporTs out of band, for
// as long as a PASSporT is fresh. It keeps two rules (RFC 8224 §12.1, RFC 8816 §7.4): a PASSporT verifies one call, and
// of the calls that could have come for the same PASSporTs none is verified when they are more than these.
//
// It is in memory alone: a restart forgets, and services that do not share a Memory do not know of each other. It is
// safe for concurrent use.
type Memory struct {
	max      int
	nameless atomic.Uint64 // calls without an ID

	mu    sync.Mutex
	used  generations[useKey, *use]
	pairs generations[pair, *gathering]
}

// MemoryMax bounds what a Memory remembers: PASSporTs that have verified a call, and pairs of numbers asked for out of
// band, each for one to two windows, in 150 to 500 bytes each. When it is full, no call is verified: whether a PASSporT
// was used before cannot be known then. With the usual freshness that is beyond 10,000 verified calls a second; with a
// Config.Transfer of three hours, beyond 90.
const MemoryMax = 2_000_000

// gatheringMax bounds the calls, and the PASSporTs, that are told apart for one pair of numbers. Of whoever calls more
// often within the window, no call is verified out of band.
const gatheringMax = 64

// IDBytesMax bounds the ID of a call that can be verified out of band: such a verdict may have to be withdrawn, and so the
// ID is kept.
const IDBytesMax = 1024

// NewMemory makes a memory for services with such a freshness, and such a Config.Transfer.
func NewMemory(freshness oob.Freshness, transfer time.Duration) *Memory {
	freshness = freshness.Or(freshnessDefault)
	return &Memory{
		max:   MemoryMax,
		used:  generations[useKey, *use]{window: max(freshness.Past, transfer) + freshness.Future},
		pairs: generations[pair, *gathering]{window: freshness.Past + freshness.Future},
	}
}

// covers tells whether what is fresh to a service is remembered.
func (m *Memory) covers(freshness oob.Freshness, transfer time.Duration) bool {
	return m.used.window >= max(freshness.Past, transfer)+freshness.Future && m.pairs.window >= freshness.Past+freshness.Future
}

// callID stands for a call.
type callID [16]byte

// identify gives the ID of a call by its name. A call without a name is another one each time.
func (m *Memory) identify(name string) (id callID) {
	if name == "" {
		binary.BigEndian.PutUint64(id[8:], m.nameless.Add(1))
		return id
	}
	sum := sha256.Sum256([]byte(name))
	return callID(sum[:16])
}

// useKey stands for what a PASSporT says of when who calls whom, and of who says so: not for its text, because ECDSA
// lets anybody make a second signature over the same, and a signer may say the same in two types.
type useKey [32]byte

// use is the call that a PASSporT has verified.
type use struct {
	call      callID
	name      string
	outOfBand bool // and it may be another's therefore
	lost      bool // it has been taken back: no call is verified with it any more
}

// pair is who calls whom.
type pair struct{ orig, dest tn.Identity }

// gathering is what has come together for one pair.
type gathering struct {
	calls  []gathered
	proofs []proof
	over   bool // more than are told apart
}

// gathered is a call whose PASSporT was looked for out of band.
type gathered struct {
	id       callID
	name     string
	at       time.Time
	verified bool
}

// proof is a PASSporT that was found out of band and is good but for its use. Those of one signer that say the same of
// when and from where are of one call, whatever their types; different signers may each have signed for the same call.
type proof struct {
	iat    int64  // Unix time
	origID string // empty in types that have none
	signer string
	user   callID // the call that it has verified; zero for none
	seen   time.Time
}

func (p proof) is(other proof) bool {
	return p.iat == other.iat && p.origID == other.origID && p.signer == other.signer
}

// spend says that a PASSporT is to verify a call. V1 means that it has verified another, by; V4 that this cannot be known.
func (m *Memory) spend(key useKey, u use, now time.Time) (wrong Case, by callID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	earlier, found := m.used.get(key, now)
	switch {
	case found && (earlier.call != u.call || earlier.lost):
		return V1, earlier.call
	case found:
		earlier.outOfBand = earlier.outOfBand && u.outOfBand // what the call has brought itself is its own
		return noCase, u.call
	case m.used.full(m.max):
		return V4, by
	}
	m.used.put(key, &u)
	return noCase, u.call
}

// spentBy gives the call that a PASSporT has verified.
func (m *Memory) spentBy(key useKey, now time.Time) (by callID, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, found := m.used.get(key, now)
	if !found {
		return by, false
	}
	return u.call, true
}

// takeBack gives the name of the call that a PASSporT has verified out of band, once: it verifies nobody any more.
func (m *Memory) takeBack(key useKey, now time.Time) (name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, found := m.used.get(key, now)
	if !found || !u.outOfBand {
		return ""
	}
	u.outOfBand, u.lost = false, true
	return u.name
}

// others tells whether calls other than this one have been looked for.
func (m *Memory) others(p pair, call callID, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	g, found := m.pairs.get(p, now)
	return found && slices.ContainsFunc(g.calls, func(c gathered) bool { return c.id != call })
}

// gather adds a call and the PASSporTs that were found for it. V2 means that there are more calls than PASSporTs which
// could be theirs, V4 that this cannot be known. Then it names those that had been verified: they are so no longer.
func (m *Memory) gather(p pair, call gathered, proofs []proof, early time.Duration, now time.Time) (wrong Case, withdrawn []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g, found := m.pairs.get(p, now)
	if !found {
		if m.pairs.full(m.max) {
			return V4, nil
		}
		g = &gathering{}
	}
	m.pairs.put(p, g) // also of an old one: it lives on
	g.forget(now.Add(-m.pairs.window))
	g.add(call, proofs)
	if !g.over && g.claims(early) <= g.sufficient() {
		return noCase, nil
	}
	for i := range g.calls {
		if g.calls[i].verified && g.calls[i].id != call.id {
			withdrawn = append(withdrawn, g.calls[i].name)
		}
		g.calls[i].verified = false
	}
	return V2, withdrawn
}

// forget leaves out what nothing fresh can have to do with any more.
func (g *gathering) forget(before time.Time) {
	g.calls = slices.DeleteFunc(g.calls, func(c gathered) bool { return c.at.Before(before) })
	g.proofs = slices.DeleteFunc(g.proofs, func(p proof) bool { return p.seen.Before(before) })
	g.over = g.over && len(g.calls)+len(g.proofs) > 0
}

// add takes a call and what was found for it, but for what has verified a call of elsewhere: that one is not here to
// be counted against it.
func (g *gathering) add(call gathered, proofs []proof) {
	at := slices.IndexFunc(g.calls, func(c gathered) bool { return c.id == call.id })
	switch {
	case at >= 0:
		g.calls[at].verified = g.calls[at].verified || call.verified
	case len(g.calls) == gatheringMax:
		g.over = true
	default:
		g.calls = append(g.calls, call)
	}
	for _, p := range proofs {
		here := p.user == callID{} || slices.ContainsFunc(g.calls, func(c gathered) bool { return c.id == p.user })
		p.user, p.seen = callID{}, call.at
		known := slices.IndexFunc(g.proofs, p.is)
		switch {
		case !here:
		case known >= 0:
			g.proofs[known].seen = call.at
		case len(g.proofs) == gatheringMax:
			g.over = true
		default:
			g.proofs = append(g.proofs, p)
		}
	}
}

// claims counts the calls that can have come for one of the PASSporTs: not those that came earlier than all of them were
// made, as far as clocks can be trusted.
func (g *gathering) claims(early time.Duration) int {
	if len(g.proofs) == 0 {
		return 0
	}
	first := slices.MinFunc(g.proofs, func(a, b proof) int { return int(a.iat - b.iat) }).iat
	n := 0
	for _, c := range g.calls {
		if !c.at.Before(time.Unix(first, 0).Add(-early)) {
			n++
		}
	}
	return n
}

// sufficient is for how many calls there are PASSporTs: as many as some signer has made. Where it names origins, its
// PASSporTs that name none come beside those; where it names none, it has made one call a second.
func (g *gathering) sufficient() int {
	type count struct{ withOrigin, without int }
	counts, most := map[string]count{}, 0
	for _, p := range g.proofs { // no two are equal
		c := counts[p.signer]
		if p.origID != "" {
			c.withOrigin++
		} else {
			c.without++
		}
		counts[p.signer] = c
	}
	for _, c := range counts {
		if c.withOrigin == 0 {
			c.withOrigin = c.without
		}
		most = max(most, c.withOrigin)
	}
	return most
}

// generations is a map that forgets: what is put in lives for one to two windows.
type generations[K comparable, V any] struct {
	window     time.Duration
	until      time.Time // when the young become the old
	young, old map[K]V
}

func (g *generations[K, V]) get(k K, now time.Time) (V, bool) {
	if !now.Before(g.until) {
		g.turn(now)
	}
	if v, found := g.young[k]; found {
		return v, true
	}
	v, found := g.old[k]
	return v, found
}

func (g *generations[K, V]) turn(now time.Time) {
	g.old, g.young = g.young, make(map[K]V)
	if now.Sub(g.until) >= g.window { // nothing has happened for a window: these are too old as well
		g.old = nil
	}
	g.until = now.Add(g.window)
}

// put follows a get, which has made the maps.
func (g *generations[K, V]) put(k K, v V) { g.young[k] = v }

func (g *generations[K, V]) full(max int) bool { return len(g.young)+len(g.old) >= max }
