package httpapi

import (
	"net/netip"
	"sync"
)

// places is room for so many at a time, of which one address has a share: a stranger with one address cannot keep
// everybody else out.
type places struct {
	most, share int

	mu        sync.Mutex
	taken     int                  // guarded by mu
	byAddress map[netip.Prefix]int // guarded by mu; those with any
}

// shares is how many addresses it takes to fill all places.
const shares = 16

func newPlaces(most int) *places {
	return &places{most: most, share: max(1, most/shares), byAddress: map[netip.Prefix]int{}}
}

func (p *places) take(from netip.Prefix) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.most || p.byAddress[from] >= p.share {
		return false
	}
	p.taken++
	p.byAddress[from]++
	return true
}

func (p *places) leave(from netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.byAddress[from]--; p.byAddress[from] == 0 {
		delete(p.byAddress, from)
	}
}

// addressOf is who is counted as one: an IPv4 address, or the /64 of an IPv6 address, which one customer has whole. What
// is no address, as in a test without a network, is one as well.
func addressOf(remote string) netip.Prefix {
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
