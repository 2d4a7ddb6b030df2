package store

import (
	"math"
	"time"
)

// The wheel of a table. Its horizon is a little over a minute, the longest retention of any profile; what ends later
// is put into the last slot and moved on when that comes round.
const (
	wheelSlot  = 125 * time.Millisecond
	wheelSlots = 512
)

// table holds values that can be found by a hash and that end at a time. It is the one data structure of the shelf,
// for records and for token uses alike, made to need little memory, to touch few lines of it for a look-up, and never to
// stop for long:
//
//   - Values lie in nodes, nodes in chunks that never move. A node is named by a uint32, its ref; 0 is none.
//   - Nodes whose hashes name the same head form a chain, the newest first. There are always as many heads as nodes,
//     so a chain is seldom longer than two. The heads lie in chunks too, and grow one at a time, by parting one chain
//     in two (linear hashing): there is no moment at which everything is moved.
//   - Nodes that end in the same slot of time form a list. It leads one way only: a node whose value is taken out before
//     its end stays there, empty and in no chain.
//   - Nodes no longer used form a list.
//   - No value has a pointer, so the garbage collector does not look at any.
//
// The value's end may be put off without telling the table: a node found in a slot before its time is put where it
// belongs now. A table has no lock.
type table[T any] struct {
	heads  []*[chunkNodes]uint32 // first node of every chain
	chains uint64                // how many there are
	turn   uint64                // a power of two: between half the number of chains and all of it
	chunks []*[chunkNodes]node[T]

	hash  func(*T) uint64 // which chain
	ends  func(*T) int64  // when, in ns since 1970
	count int             // nodes in use
	made  uint32          // nodes ever in use; the refs given out
	free  uint32

	due     *[wheelSlots]uint32 // first node of every slot
	pending uint32              // what is left of the slot that is being swept
	swept   int64               // number of the last slot swept, or being swept; slot n ends at n·wheelSlot
}

// node has room for one value.
type node[T any] struct {
	value T
	next  uint32 // in its chain
	later uint32 // in its slot, or among the free
}

// chunkNodes is chosen so that a chunk of any kind of node fills the pages that Go allocates for it: 1024 records or tombs
// of 64 bytes are 64 KiB, and as many token uses of 40 bytes are 40 KiB.
const chunkNodes = 1024

func newTable[T any](now int64, hash func(*T) uint64, ends func(*T) int64) table[T] {
	return table[T]{
		heads: []*[chunkNodes]uint32{new([chunkNodes]uint32)}, chains: 1, turn: 1, hash: hash, ends: ends,
		due: new([wheelSlots]uint32), swept: now / int64(wheelSlot),
	}
}

// chain tells which head a hash names: by as many low bits as name a head that there is.
func (t *table[T]) chain(hash uint64) uint64 {
	if i := hash & (2*t.turn - 1); i < t.chains {
		return i
	}
	return hash & (t.turn - 1)
}

// head gives the head of a chain.
func (t *table[T]) head(chain uint64) *uint32 { return &t.heads[chain/chunkNodes][chain%chunkNodes] }

// first gives the first node that may have the hash, the newest; 0 when there is none.
func (t *table[T]) first(hash uint64) uint32 { return *t.head(t.chain(hash)) }

// at gives the node of a ref that is not 0.
func (t *table[T]) at(ref uint32) *node[T] {
	i := ref - 1
	return &t.chunks[i/chunkNodes][i%chunkNodes]
}

// add puts value into the table.
func (t *table[T]) add(value T) (ref uint32) {
	t.count++
	if t.chains < uint64(t.count) {
		t.grow()
	}
	ref = t.alloc()
	n := t.at(ref)
	n.value = value
	head := t.head(t.chain(t.hash(&n.value)))
	n.next, *head = *head, ref
	t.schedule(ref)
	return ref
}

// grow adds one head, and parts the chain that was its as well: in both, the newest stay first.
func (t *table[T]) grow() {
	added := t.chains
	if added == 2*t.turn {
		t.turn = added
	}
	parted := added - t.turn
	if t.chains++; added == uint64(len(t.heads)*chunkNodes) {
		t.heads = append(t.heads, new([chunkNodes]uint32))
	}
	stay, move := t.head(parted), t.head(added)
	ref := *stay
	for ref != 0 {
		n := t.at(ref)
		if t.chain(t.hash(&n.value)) == parted {
			*stay, stay = ref, &n.next
		} else {
			*move, move = ref, &n.next
		}
		ref = n.next
	}
	*stay, *move = 0, 0
}

func (t *table[T]) alloc() uint32 {
	if ref := t.free; ref != 0 {
		t.free = t.at(ref).later
		return ref
	}
	if int(t.made) == len(t.chunks)*chunkNodes {
		t.chunks = append(t.chunks, new([chunkNodes]node[T]))
	}
	t.made++
	return t.made
}

// taken stands for the next of a node whose value has been taken out.
const taken = math.MaxUint32

// take removes a value before its end. Its node is used again when its slot has come round.
func (t *table[T]) take(ref uint32) {
	t.unchain(ref)
	n := t.at(ref)
	*n = node[T]{next: taken, later: n.later}
}

// unchain takes a node out of its chain.
func (t *table[T]) unchain(ref uint32) {
	n := t.at(ref)
	link := t.head(t.chain(t.hash(&n.value)))
	for *link != ref {
		link = &t.at(*link).next
	}
	*link = n.next
	t.count--
}

// release makes a node that is in no chain and in no slot free.
func (t *table[T]) release(ref uint32) {
	*t.at(ref) = node[T]{later: t.free}
	t.free = ref
}

// schedule puts a node into the first slot that ends no earlier than its value, as far as the wheel reaches.
func (t *table[T]) schedule(ref uint32) {
	n := t.at(ref)
	ends := t.ends(&n.value)
	slot := ends / int64(wheelSlot)
	if ends%int64(wheelSlot) != 0 {
		slot++
	}
	slot = min(max(slot, t.swept+1), t.swept+wheelSlots)
	head := &t.due[slot%wheelSlots]
	n.later, *head = *head, ref
}

// sweep removes values that have ended at now, most nodes at a time, and shows each to drop before it goes. It reports
// whether there are more.
func (t *table[T]) sweep(now int64, most int, drop func(ref uint32, value *T)) (more bool) {
	target := now / int64(wheelSlot)
	t.swept = min(t.swept, target) // a clock that was set back takes the wheel with it
	for {
		for t.pending == 0 {
			if t.swept >= target {
				return false
			}
			// After a leap of the clock, one full turn of the wheel visits every slot.
			t.swept = max(t.swept+1, target-wheelSlots)
			head := &t.due[t.swept%wheelSlots]
			t.pending, *head = *head, 0
		}
		if most == 0 {
			return true
		}
		most--
		ref := t.pending
		n := t.at(ref)
		t.pending = n.later
		switch {
		case n.next == taken:
			t.release(ref)
		case t.ends(&n.value) > now:
			t.schedule(ref)
		default:
			drop(ref, &n.value)
			t.unchain(ref)
			t.release(ref)
		}
	}
}

// soonest is when the next slot with anything in it will be swept; 0 when there is none. It may be one in which
// everything has been taken out.
func (t *table[T]) soonest() int64 {
	if t.pending != 0 {
		return t.swept * int64(wheelSlot)
	}
	for slot := t.swept + 1; t.count > 0 && slot <= t.swept+wheelSlots; slot++ {
		if t.due[slot%wheelSlots] != 0 {
			return slot * int64(wheelSlot)
		}
	}
	return 0
}
