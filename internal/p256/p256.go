// Package p256 verifies ES256 signatures of keys that are seen often in half of the time that crypto/ecdsa takes, with a
// table of multiples of each such key.
//
// Knows: public keys on P-256, digests, signatures r‖s; how often each key was seen. Never hears of: tokens, certificates
// and who is believed, secrets of any kind.
//
// A table saves the doublings: what takes crypto/ecdsa 255 of them and 51 additions takes 15 and 31 here (comb.go). The
// arithmetic of points and of their coordinates is that of crypto/ecdsa, in filippo.io/nistec, which is the same code
// with its types exported; numbers modulo the order are those of math/big. Nothing here is constant in time, and nothing
// needs to be: keys, signatures and digests are public.
//
// # Guarantees
//
// The answer is that of crypto/ecdsa. Each new table is first asked about the signature that crypto/ecdsa has just
// accepted, and one in 256 later answers is compared with that of crypto/ecdsa. If there is ever a difference, all tables
// are dropped for good, crypto/ecdsa's answer is given, and whoever runs this is told.
//
// # Limits
//
// [Config].Keys tables of [TableBytes]. A key gets one after 64 signatures that verified, so that making tables takes at most
// a twentieth of what is spent on verifying, however many keys come; it takes the place of that which was not used for
// the longest time. One is made at a time, by whoever is there. A table goes when its key is no longer in memory.
package p256

import (
	"crypto/ecdsa"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

const (
	seenBefore   = 64  // signatures of a key that verify before it gets a table
	comparedEach = 256 // answers of tables of which one is compared
	seenPerTable = 8   // keys that are counted, for each that may have a table
)

// Config says how many keys may have a table.
type Config struct {
	Keys int

	// Disagreed is called once, if a table has given another answer than crypto/ecdsa: memory is broken, or this package is.
	// nil for nobody.
	Disagreed func()
}

// Tables verifies signatures, with tables for the keys that are seen most. It is safe for concurrent use. nil has no tables
// and asks crypto/ecdsa.
type Tables struct {
	config   Config
	off      atomic.Bool
	answers  atomic.Int64 // of tables; also the clock by which they are old
	built    atomic.Int64
	building sync.Mutex // held by whoever makes a table

	mu    sync.RWMutex
	byKey map[name]*entry // guarded by mu; only the holder of building adds to it
	seen  map[name]int    // signatures of keys without one; guarded by mu
}

// name is what a key is called here. Two copies of one key have two names.
type name = weak.Pointer[ecdsa.PublicKey]

type entry struct {
	table   *table
	used    atomic.Int64 // when, by Tables.answers
	dropped runtime.Cleanup
}

// New makes Tables for a number of keys; nil for none.
func New(cfg Config) *Tables {
	if cfg.Keys <= 0 {
		return nil
	}
	return &Tables{config: cfg, byKey: make(map[name]*entry), seen: make(map[name]int)}
}

// Verify says whether a signature is that of a digest, as [jws.VerifyES256] does. The key must not be changed after it
// was first shown: it is known by where it is.
func (t *Tables) Verify(key *ecdsa.PublicKey, digest, signature []byte) bool {
	if t == nil || t.off.Load() || key == nil || len(digest) != 32 || len(signature) != jws.SignatureBytes {
		return jws.VerifyES256(key, digest, signature)
	}
	id := weak.Make(key)
	t.mu.RLock()
	found := t.byKey[id]
	t.mu.RUnlock()
	if found == nil {
		verifies := jws.VerifyES256(key, digest, signature)
		if verifies && t.isDue(id) {
			t.build(id, key, digest, signature)
		}
		return verifies
	}
	now := t.answers.Add(1)
	found.used.Store(now)
	verifies := found.table.verify(digest, signature)
	if now%comparedEach == 0 && verifies != jws.VerifyES256(key, digest, signature) {
		t.stop()
		return !verifies
	}
	return verifies
}

// isDue counts one more signature of a key, and tells whether it should have a table by now. Counting begins anew when too many
// keys are counted: those that are seen often get there all the same.
func (t *Tables) isDue(id name) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[id] == 0 && len(t.seen) >= seenPerTable*t.config.Keys {
		clear(t.seen)
	}
	t.seen[id]++
	return t.seen[id] >= seenBefore
}

// build makes the table of a key, unless another is being made. The signature is one that verifies.
func (t *Tables) build(id name, key *ecdsa.PublicKey, digest, signature []byte) {
	if !t.building.TryLock() {
		return
	}
	defer t.building.Unlock()
	made := newTable(key)
	if made == nil || !made.verify(digest, signature) {
		t.stop()
		return
	}
	e := &entry{table: made}
	e.used.Store(t.answers.Load())
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.seen, id)
	if t.byKey[id] != nil || t.off.Load() {
		return
	}
	if len(t.byKey) >= t.config.Keys {
		t.removeOldest()
	}
	e.dropped = runtime.AddCleanup(key, t.forget, id)
	t.byKey[id] = e
	t.built.Add(1)
}

// removeOldest makes room for one more. It looks at all of them, 10 ns each, which is nothing to the making of a table. The
// caller holds mu.
func (t *Tables) removeOldest() {
	var oldest name
	var last *entry
	for id, e := range t.byKey {
		if last == nil || e.used.Load() < last.used.Load() {
			oldest, last = id, e
		}
	}
	last.dropped.Stop()
	delete(t.byKey, oldest)
}

// forget drops the table of a key that is no more.
func (t *Tables) forget(id name) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byKey, id)
}

// stop drops all tables for good. Who asks meanwhile may get one more answer from one of them.
func (t *Tables) stop() {
	if t.off.Swap(true) {
		return
	}
	t.mu.Lock()
	clear(t.byKey)
	clear(t.seen)
	t.mu.Unlock()
	if t.config.Disagreed != nil {
		t.config.Disagreed()
	}
}

// Stats says what there is now, and what was since the start.
type Stats struct {
	Keys    int64 // with a table
	Bytes   int64 // of all tables
	Built   int64
	Answers int64 // given with a table
	Off     bool  // a table has given another answer than crypto/ecdsa
}

// Stats gives the counts now.
func (t *Tables) Stats() Stats {
	if t == nil {
		return Stats{}
	}
	t.mu.RLock()
	keys := int64(len(t.byKey))
	t.mu.RUnlock()
	return Stats{Keys: keys, Bytes: keys * TableBytes, Built: t.built.Load(), Answers: t.answers.Load(), Off: t.off.Load()}
}
