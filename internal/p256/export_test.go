package p256

import (
	"crypto/ecdsa"
	"math/big"

	"filippo.io/nistec"
)

// SeenBefore and ComparedEach are for tests that count.
const (
	SeenBefore   = seenBefore
	ComparedEach = comparedEach
)

// Table is the table of one key.
type Table = table

// NewTable gives nil for what is no key on P-256.
func NewTable(key *ecdsa.PublicKey) *Table { return newTable(key) }

// Verify is what stands behind Tables.Verify.
func (t *table) Verify(digest, signature []byte) bool { return t.verify(digest, signature) }

// Multiply gives u·Q.
func (t *table) Multiply(u *big.Int) *nistec.P256Point {
	var product nistec.P256Point
	t.multiply(&product, u)
	return &product
}

// Break makes the tables that there are now answer for another key.
func (t *Tables) Break() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.byKey {
		broken := *e.table
		for h := range broken {
			for x := range broken[h] {
				broken[h][x].Double(&broken[h][x])
			}
		}
		e.table = &broken
	}
}

// Counted is how many keys without a table are counted.
func (t *Tables) Counted() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.seen)
}
