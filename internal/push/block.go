package push

import "math/rand/v2"

// block is a node of a treap of spans, ordered by their first places, in which each node knows the greatest last place
// below it: an interval tree. Ranks are random, so that nobody can make it deep. A nil block is the empty tree.
type block struct {
	span
	s           *Subscription
	furthest    uint64 // greatest last in this node and below
	rank        uint32 // not less than those below
	left, right *block
}

func newBlock(one span, s *Subscription) *block {
	return &block{span: one, s: s, furthest: one.last, rank: rand.Uint32()}
}

// before is the order of nodes: a subscription has no two that begin at the same place.
func (b *block) before(other *block) bool {
	if b.first != other.first {
		return b.first < other.first
	}
	return b.s.serial < other.s.serial
}

// update is called when what is below has changed.
func (b *block) update() *block {
	b.furthest = b.last
	if b.left != nil {
		b.furthest = max(b.furthest, b.left.furthest)
	}
	if b.right != nil {
		b.furthest = max(b.furthest, b.right.furthest)
	}
	return b
}

// add gives the tree with one node more.
func (b *block) add(one *block) *block {
	switch {
	case b == nil:
		return one
	case one.rank > b.rank:
		one.left, one.right = b.split(one)
		return one.update()
	case one.before(b):
		b.left = b.left.add(one)
	default:
		b.right = b.right.add(one)
	}
	return b.update()
}

// split gives what is before one, and the rest.
func (b *block) split(one *block) (left, right *block) {
	if b == nil {
		return nil, nil
	}
	if b.before(one) {
		b.right, right = b.right.split(one)
		return b.update(), right
	}
	left, b.left = b.left.split(one)
	return left, b.update()
}

// remove gives the tree without the node that is like one.
func (b *block) remove(one *block) *block {
	switch {
	case b == nil:
		return nil
	case one.before(b):
		b.left = b.left.remove(one)
	case b.before(one):
		b.right = b.right.remove(one)
	default:
		return b.left.join(b.right)
	}
	return b.update()
}

// join makes one tree of two, of which all in the second come after all in the first.
func (b *block) join(after *block) *block {
	switch {
	case b == nil:
		return after
	case after == nil:
		return b
	case b.rank > after.rank:
		b.right = b.right.join(after)
		return b.update()
	}
	after.left = b.join(after.left)
	return after.update()
}

// hit appends the subscriptions whose span contains a place.
func (b *block) hit(at uint64, into []*Subscription) []*Subscription {
	if b == nil || b.furthest < at {
		return into
	}
	into = b.left.hit(at, into)
	if b.first <= at {
		if at <= b.last {
			into = append(into, b.s)
		}
		into = b.right.hit(at, into)
	}
	return into
}
