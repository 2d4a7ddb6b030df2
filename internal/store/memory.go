package store

import (
	"hash/maphash"
	"sync"

	"github.com/viaduct-oob/viaduct/oob"
)

// use is an [oob.TokenUse] in 32 bytes.
type use struct {
	id    [16]byte
	body  [8]byte
	until int64 // ns
}

// memory is one shard of the token uses.
type memory struct {
	mu   sync.Mutex
	uses table[use]
}

func (m *memory) init(now int64, seed maphash.Seed) {
	m.uses = newTable(now,
		func(u *use) uint64 { return maphash.Comparable(seed, u.id) },
		func(u *use) int64 { return u.until })
}

// find gives the use of the token with this id, forgotten or not; nil when there is none. The caller holds the lock.
func (m *memory) find(hash uint64, id [16]byte) *use {
	for ref := m.uses.first(hash); ref != 0; {
		n := m.uses.at(ref)
		if n.value.id == id {
			return &n.value
		}
		ref = n.next
	}
	return nil
}

// used tells whether the token is remembered at now, and whether with the same body. The caller has its turn.
func (m *memory) used(hash uint64, t oob.TokenUse, now int64) (used, same bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.find(hash, t.ID).counts(t, now)
}

// spend is used, and notes the use of a token that is not remembered. It gives how many more are then. The caller has its turn.
func (m *memory) spend(hash uint64, t oob.TokenUse, now int64) (used, same bool, more int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.find(hash, t.ID)
	if used, same = old.counts(t, now); used {
		return used, same, 0
	}
	return false, false, m.remember(old, t, now)
}

// counts tells whether a use that was found, or nil, is remembered at now, and whether with the body of t.
func (u *use) counts(t oob.TokenUse, now int64) (used, same bool) {
	if u == nil || u.until <= now {
		return false, false
	}
	return true, u.body == t.Body
}

// remember notes the use of a token that is not remembered at now, and returns how many more are. old is what was found of it. A
// token that could not be used again anyway is not noted. The caller holds the lock.
func (m *memory) remember(old *use, t oob.TokenUse, now int64) (more int64) {
	noted := use{id: t.ID, body: t.Body, until: nanos(t.Until)}
	if noted.until <= now {
		return 0
	}
	// A use that is over but not yet swept is written anew where it lies: the table moves it on.
	if old != nil {
		*old = noted
		return 0
	}
	m.uses.add(noted)
	return 1
}

// sweep forgets what is over at now, at most so many uses.
func (m *memory) sweep(now int64, most int, gone func()) (more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.uses.sweep(now, most, func(uint32, *use) { gone() })
}

// soonest is when the next use will be forgotten; 0 when there is none.
func (m *memory) soonest() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.uses.soonest()
}
