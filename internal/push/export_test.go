package push

import "github.com/viaduct-oob/viaduct/internal/store"

// Hold lets nothing be matched until the function that it gives is called.
func (h *Hub) Hold() (release func()) {
	h.mu.Lock()
	return h.mu.Unlock
}

// LookupsMax is the bound of the look-ups.
const LookupsMax = lookupsMax

// Tell matches a record as if it came from the feed.
func (h *Hub) Tell(e *store.Entry) { h.tell(e) }

// Blocks are ranges as they are indexed, each under the name of its number in the order of adding.
type Blocks struct {
	root *block
	subs []*Subscription
}

func (b *Blocks) Add(first, last uint64) {
	s := &Subscription{serial: uint64(len(b.subs))}
	b.subs = append(b.subs, s)
	b.root = b.root.add(newBlock(span{first, last}, s))
}

func (b *Blocks) Remove(i int, first, last uint64) {
	b.root = b.root.remove(newBlock(span{first, last}, b.subs[i]))
}

func (b *Blocks) Hit(at uint64) (names []int) {
	for _, s := range b.root.hit(at, nil) {
		names = append(names, int(s.serial))
	}
	return names
}

// Depth is that of the tree.
func (b *Blocks) Depth() int { return b.root.depth() }

func (b *block) depth() int {
	if b == nil {
		return 0
	}
	return 1 + max(b.left.depth(), b.right.depth())
}

// CursorOf is the cursor of a position.
func (h *Hub) CursorOf(position uint64) string { return h.cursors.seal(position) }
