package httplimit

import (
	"net/netip"
	"sync"
)

// Places is room for so many at a time, of which each who comes has a share: one alone cannot keep everybody else out.
// K is by what they are told apart. It is safe for concurrent use.
type Places[K comparable] struct {
	most, share int

	mu    sync.Mutex
	taken int       // guarded by mu
	by    map[K]int // guarded by mu; those with any
}

// NewPlaces makes room for most, of which each has share, or one if that is less.
func NewPlaces[K comparable](most, share int) *Places[K] {
	return &Places[K]{most: most, share: max(1, share), by: map[K]int{}}
}

// Take takes a place, if there is one. Who takes it has to leave it.
func (p *Places[K]) Take(who K) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.most || p.by[who] >= p.share {
		return false
	}
	p.taken++
	p.by[who]++
	return true
}

// Leave gives back a place that was taken.
func (p *Places[K]) Leave(who K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.by[who]--; p.by[who] == 0 {
		delete(p.by, who)
	}
}

// Taken is how many places are taken.
func (p *Places[K]) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// AddressOf is who is counted as one: an IPv4 address, or the /64 of an IPv6 address, which one customer has whole. What
// is no address with a port, as in a test without a network, is one as well.
func AddressOf(remote string) netip.Prefix {
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	ip := address.Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	prefix, _ := ip.Prefix(bits) // the length fits the address
	return prefix
}
