package trust

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// Special-purpose blocks (IANA IPv4 and IPv6 Special-Purpose Address Registries; RFC 6890). Everything in them either
// leads into our own network, or carries an IPv4 address that does, or leads nowhere.
var (
	specialIPv4 = prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
		"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	)
	// Of IPv6 only the global unicast block is public; NAT64 (RFC 6052), IPv4-compatible, unique local, link-local,
	// site-local and multicast addresses lie outside it. Within it: Teredo and other protocol assignments,
	// documentation, 6to4, AS112.
	globalIPv6  = netip.MustParsePrefix("2000::/3")
	specialIPv6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// publicAddress reports whether a is an address that a certificate repository may have.
func publicAddress(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	a = a.Unmap() // ::ffff:10.0.0.1 is 10.0.0.1
	special := specialIPv4
	if a.Is6() {
		if !globalIPv6.Contains(a) {
			return false
		}
		special = specialIPv6
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// RefusePrivate is the Control of a net.Dialer to hosts that strangers name: it sees the address that is about to be connected to, after resolution,
// so that a name cannot resolve to one address when asked and to another when used.
func RefusePrivate(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: not an IP address", ErrAddress)
	}
	if !publicAddress(target.Addr()) {
		return ErrAddress
	}
	return nil
}
