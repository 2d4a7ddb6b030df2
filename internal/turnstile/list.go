package turnstile

// list is an order of T, which bring the place that they take in it.
type list[T any] struct {
	first, last *place[T]
	count       int
}

// place is that of one in a list, or in none.
type place[T any] struct {
	of         *T
	in         *list[T] // nil: none
	prev, next *place[T]
}

func (l *list[T]) push(p *place[T]) {
	p.in, p.prev = l, l.last
	if l.last != nil {
		l.last.next = p
	} else {
		l.first = p
	}
	l.last = p
	l.count++
}

// leave takes the place out of its list.
func (p *place[T]) leave() {
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		p.in.first = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		p.in.last = p.prev
	}
	p.in.count--
	p.in, p.prev, p.next = nil, nil, nil
}
