package sipgw

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// bothBytesMax is how many bytes of additions may stand in an answer over UDP, so that with what it repeats of the request it
// stays within the 1300 bytes of RFC 3261 §18.1.1.
const bothBytesMax = 700

// redirection writes the Contact of a 302: the called party as dialled, at the switch, with embedded header fields (RFC 3261
// §19.1.1). ok is false where the switch is nowhere but at ourselves.
func (a *asking) redirection(embedded []siptx.Field) (contact string, ok bool) {
	target := a.uri
	switch target.scheme {
	case "sip", "sips", "tel":
		transport, at, ok := a.switchAddress()
		if !ok {
			return "", false
		}
		target = dialled(target)
		target.host, target.port = at.Addr().String(), at.Port()
		if transport != siptx.UDP {
			target.params += ";transport=" + transport
		}
	default: // a URN has no place
		embedded = nil
	}
	size := len(a.request.URI) + 64
	for _, f := range embedded {
		size += len(f.Name) + len(f.Value)*5/4 + 2
	}
	b := append(make([]byte, 0, size), '<')
	b = target.appendTo(b, "")
	for i, f := range embedded {
		separator := byte('&')
		if i == 0 {
			separator = '?'
		}
		b = append(append(append(b, separator), f.Name...), '=')
		b = appendHeaderValue(b, f.Value)
	}
	return string(append(b, '>')), true
}

// dialled is the called party of a Request-URI as a SIP URI without a place: the number with its parameters, such as those of
// ported numbers and trunk groups, which the switch routes by.
func dialled(u uri) uri {
	marks, _ := without(u.marks, "verstat")
	d := uri{scheme: "sip", user: u.user, marks: marks}
	if user, found := parameter(u.params, "user"); u.scheme == "tel" || found && strings.EqualFold(user, "phone") {
		d.params = ";user=phone"
	}
	return d
}

// switchAddress is where the switch takes requests: where its Contact says, if that is the address that this request came from or
// another of its trunk, else where this request came from. The port of a stream that the switch has opened is none that it listens at: its Via says that
// (RFC 3261 §18.1.1).
func (a *asking) switchAddress() (transport string, at netip.AddrPort, ok bool) {
	transport, at = a.contact.listener(a.request.Transport)
	source := netip.AddrPortFrom(a.request.Source.Addr().WithZone(""), a.request.Source.Port()) // a zone has no place in a URI
	if at.IsValid() && (at.Addr() == source.Addr() || isIn(at.Addr(), a.trunk.Match.Sources)) && !a.config.Own(at) {
		return transport, at, true
	}
	if a.request.Transport != siptx.UDP {
		source = netip.AddrPortFrom(source.Addr(), viaPort(a.request.Value("Via"), a.request.Transport))
	}
	return a.request.Transport, source, !a.config.Own(source)
}

// viaPort is the port in sent-by of a Via, or that of the transport.
func viaPort(via, transport string) uint16 {
	if end := strings.IndexAny(via, ";,"); end >= 0 {
		via = via[:end]
	}
	host, digits := "", ""
	if colon := strings.LastIndexByte(via, ':'); colon >= 0 {
		host, digits = via[:colon], strings.Trim(via[colon+1:], " \t")
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 || strings.Contains(host, "[") && !strings.Contains(host, "]") { // the colon of an address
		return portOf(transport)
	}
	return uint16(port)
}

func isIn(addr netip.Addr, prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// appendHeaderValue writes what a header field embedded in a URI says. A percent sign of its own is encoded as any other
// character that may not stand there.
func appendHeaderValue(b []byte, value string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(value) {
		if c := value[i]; headerBytes[c] {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}
