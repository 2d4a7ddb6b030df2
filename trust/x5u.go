package trust

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// X5UBytesMax bounds an x5u, and any other URL that comes from a stranger. RFC 3986 has no limit; those of the network stay below 300.
const X5UBytesMax = 2048

// Laboratory exempts named hosts from two rules: they may have private addresses and any port, and their TLS
// certificates are checked against Roots instead of the system's. All other rules hold, and all hosts that are not
// named keep all of them. Naming a host here lets every signer make us connect to it.
type Laboratory struct {
	Hosts []string       // "host" for all its ports, or "host:port"
	Roots *x509.CertPool // nil for the system's
}

func (l Laboratory) has(u *url.URL) bool {
	return slices.ContainsFunc(l.Hosts, func(host string) bool {
		return strings.EqualFold(host, u.Hostname()) || strings.EqualFold(host, u.Host)
	})
}

// source is where something is fetched: an x5u, or another URL, that passed the rules.
type source struct {
	x5u        string
	url        *url.URL
	host       string // lower case
	owner      string // whose host it is, as far as can be told: what limits per host count
	laboratory bool
}

// parseX5U applies the rules of ATIS-1000074 to the text of an x5u: https, port absent, 443 or 8443, no userinfo, no
// query and no fragment, not even empty ones.
func (r *Repository) parseX5U(x5u string) (source, error) {
	s, err := r.parse(x5u)
	if err == nil && strings.ContainsRune(x5u, '?') {
		err = errors.New("a query")
	}
	if err != nil {
		return source{}, fmt.Errorf("%w: %w", ErrX5U, err)
	}
	return s, nil
}

// parseURL applies the rules for x5u's to another URL, which may have a query.
func (r *Repository) parseURL(text string) (source, error) {
	s, err := r.parse(text)
	if err != nil {
		return source{}, fmt.Errorf("%w: %w", ErrURL, err)
	}
	return s, nil
}

func (r *Repository) parse(text string) (source, error) {
	if text == "" || len(text) > X5UBytesMax {
		return source{}, fmt.Errorf("not 1 to %d bytes", X5UBytesMax)
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return source{}, fmt.Errorf("byte %d does not belong into a URI", i+1)
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		return source{}, errors.New("not a URI") // err would repeat it
	}
	s := source{x5u: text, url: u, host: strings.ToLower(u.Hostname()), laboratory: r.laboratory.has(u)}
	if err := s.check(r.refuseIPLiterals); err != nil {
		return source{}, err
	}
	s.owner = s.host
	if !s.laboratory {
		s.owner = ownerOf(s.host)
	}
	return s, nil
}

// ownerOf gives what all hosts have in common that somebody has for the price of one: the registrable domain, because
// wildcard DNS makes endless names, and of an address its block.
func ownerOf(host string) string {
	if address, err := netip.ParseAddr(host); err == nil {
		bits := 48
		if address = address.Unmap(); address.Is4() {
			bits = 24
		}
		block, _ := address.Prefix(bits) // both lengths are right
		return block.String()
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimSuffix(host, "."))
	if err != nil {
		return host
	}
	return domain
}

// CheckX5U tells whether a Verifier would fetch from an x5u, as far as its text says: nil, or an error that wraps ErrX5U.
// It is for those who sign, so that they notice before their calls do.
func CheckX5U(x5u string, exempt Laboratory) error {
	_, err := (&Repository{laboratory: exempt}).parseX5U(x5u)
	return err
}

// authority is what stands between scheme and path, as it came. The scheme is known to be https.
func (s source) authority() string {
	_, rest, _ := strings.Cut(s.x5u, "//")
	authority, _, _ := strings.Cut(rest, "/")
	return authority
}

func (s source) check(refuseIPLiterals bool) error {
	switch port := s.url.Port(); {
	case s.url.Scheme != "https":
		return fmt.Errorf("not https")
	case s.host == "":
		return fmt.Errorf("no host")
	case strings.ContainsRune(s.authority(), '%'): // net/url decodes it, so that two readers could see two hosts
		return fmt.Errorf("a host with percent-encoding")
	case s.url.User != nil:
		return fmt.Errorf("user information")
	case strings.ContainsRune(s.x5u, '#'):
		return fmt.Errorf("a fragment")
	case strings.HasSuffix(s.url.Host, ":"):
		return fmt.Errorf("an empty port")
	case port != "" && port != "443" && port != "8443" && !s.laboratory:
		return fmt.Errorf("a port other than 443 and 8443")
	}
	if refuseIPLiterals && !s.laboratory {
		if _, err := netip.ParseAddr(s.host); err == nil {
			return fmt.Errorf("an IP address as the host")
		}
	}
	return nil
}
