package stivs

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/tn"
)

// Memory remembers which PASSporT has verified which call, and which calls have looked for PASSporTs out of band, for
// as long as a PASSporT is fresh. It keeps two rules (RFC 8224 §12.1, RFC 8816 §7.4): a PASSporT verifies one call, and
// of the calls that could have come for the same PASSporTs none is verified when they are more than these.
//
// It is in memory alone: a restart forgets, and services that do not share a Memory do not know of each other. It is
// safe for concurrent use.
type Memory struct {
	window time.Duration
	max    int

	nameless atomic.Uint64 // calls

	mu    sync.Mutex
	until time.Time // when the young become the old; guarded by mu
	used  generations[[32]byte, callID]
	pairs generations[pair, *gathering]
}

// MemoryMax bounds what a Memory remembers: verified PASSporTs, and pairs of numbers asked for out of band, each for one
// to two windows, in about 150 bytes each. When it is full, no call is verified: whether a PASSporT was used before
// cannot be known then.
const MemoryMax = 2_000_000

// gatheringMax bounds the calls, and the PASSporTs, that are told apart for one pair of numbers. Of whoever calls more
// often within the window, no call is verified out of band.
const gatheringMax = 64

// NewMemory makes a memory for PASSporTs that stay fresh for at most a window.
func NewMemory(window time.Duration) *Memory { return &Memory{window: window, max: MemoryMax} }

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
	iat    int64 // Unix time
	origID string
	signer [32]byte // certificate
}

// use says that a PASSporT, known by its signing input, is to verify a call: ECDSA lets anybody make a second signature
// over the same content. V1 means that it has verified another call, V4 that this cannot be known.
func (m *Memory) use(signingInput string, call callID, now time.Time) Case {
	token := sha256.Sum256([]byte(signingInput))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(now)
	by, found := m.used.get(token)
	switch {
	case found && by == call:
		return noCase
	case found:
		return V1
	case m.used.full(m.max):
		return V4
	}
	m.used.put(token, call)
	return noCase
}

// others tells whether calls other than this one have been looked for.
func (m *Memory) others(p pair, call callID, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(now)
	g, found := m.pairs.get(p)
	return found && slices.ContainsFunc(g.calls, func(c gathered) bool { return c.id != call })
}

// gather adds a call and the PASSporTs that were found for it. V2 means that there are more calls than PASSporTs which
// could be theirs, V4 that this cannot be known. Then it names those that had been verified: they are so no longer.
func (m *Memory) gather(p pair, call gathered, proofs []proof, early time.Duration, now time.Time) (wrong Case, withdrawn []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(now)
	g, found := m.pairs.get(p)
	if !found {
		if m.pairs.full(m.max) {
			return V4, nil
		}
		g = &gathering{}
	}
	m.pairs.put(p, g) // also of an old one: it lives on
	g.forget(now.Add(-m.window))
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
	g.proofs = slices.DeleteFunc(g.proofs, func(p proof) bool { return p.iat < before.Unix() })
	g.over = g.over && len(g.calls)+len(g.proofs) > 0
}

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
		switch {
		case slices.Contains(g.proofs, p):
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

// sufficient is for how many calls there are PASSporTs.
func (g *gathering) sufficient() int {
	most := 0
	bySigner := map[[32]byte]int{}
	for _, p := range g.proofs {
		bySigner[p.signer]++
		most = max(most, bySigner[p.signer])
	}
	return most
}

// turn forgets what is older than a window. The caller holds mu.
func (m *Memory) turn(now time.Time) {
	if now.Before(m.until) {
		return
	}
	all := now.Sub(m.until) >= m.window // nothing has happened for a window: the young are too old as well
	m.until = now.Add(m.window)
	m.used.turn(all)
	m.pairs.turn(all)
}

// generations is a map that forgets: what is put in lives for one to two turns.
type generations[K comparable, V any] struct{ young, old map[K]V }

func (g *generations[K, V]) get(k K) (V, bool) {
	if v, found := g.young[k]; found {
		return v, true
	}
	v, found := g.old[k]
	return v, found
}

func (g *generations[K, V]) put(k K, v V) {
	if g.young == nil {
		g.young = make(map[K]V)
	}
	g.young[k] = v
}

func (g *generations[K, V]) full(max int) bool { return len(g.young)+len(g.old) >= max }

func (g *generations[K, V]) turn(all bool) {
	g.old, g.young = g.young, nil
	if all {
		g.old = nil
	}
}
