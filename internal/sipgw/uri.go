package sipgw

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// uri is a URI cut into its parts, as written: nothing is decoded. Of a sip or sips URI a password and header fields are
// left away; nobody here may send them on.
type uri struct {
	scheme string // in lower case
	user   string // of a tel URI, the number; of other schemes than sip, sips and tel, all behind the colon
	marks  string // the parameters of user, as of a tel URI, each with its semicolon
	host   string // without the brackets of IPv6; empty in a tel URI
	port   uint16 // 0 where none is written
	params string // behind the host, each with its semicolon
}

// readURI cuts a URI. It refuses what has characters that no URI has.
func readURI(s string) (u uri, ok bool) {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '<' || c == '>' || c == '"' || c == '\\' {
			return uri{}, false
		}
	}
	scheme, rest, found := strings.Cut(s, ":")
	if !found || rest == "" || !isToken(scheme) {
		return uri{}, false
	}
	u.scheme = strings.ToLower(scheme)
	switch u.scheme {
	case "tel":
		u.user, u.marks = cutAt(rest, ';')
		return u, u.user != ""
	case "sip", "sips":
		return u.readSIP(rest)
	}
	u.user = rest
	return u, true
}

func (u uri) readSIP(rest string) (uri, bool) {
	if at := strings.IndexByte(rest, '@'); at >= 0 {
		user := rest[:at]
		rest = rest[at+1:]
		if strings.IndexByte(rest, '@') >= 0 { // two readers could choose differently
			return uri{}, false
		}
		if colon := strings.IndexByte(user, ':'); colon >= 0 {
			user = user[:colon]
		}
		u.user, u.marks = cutAt(user, ';')
	}
	rest, _ = cutAt(rest, '?')
	rest, u.params = cutAt(rest, ';')
	if host, found := strings.CutPrefix(rest, "["); found {
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return uri{}, false
		}
		u.host, rest = host[:end], host[end+1:]
		if a, err := netip.ParseAddr(u.host); err != nil || !a.Is6() || a.Zone() != "" {
			return uri{}, false
		}
	} else {
		u.host, rest = cutAt(rest, ':')
		if u.host == "" || !all(u.host, hostBytes) {
			return uri{}, false
		}
	}
	if rest != "" {
		port, err := strconv.ParseUint(strings.TrimPrefix(rest, ":"), 10, 16)
		if rest[0] != ':' || err != nil || port == 0 {
			return uri{}, false
		}
		u.port = uint16(port)
	}
	return u, true
}

// cutAt cuts before the first c, which stays with the rest.
func cutAt(s string, c byte) (before, rest string) {
	if i := strings.IndexByte(s, c); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// listener is where the host of u listens, when that is an address. preset is its transport where u does not say.
func (u *uri) listener(preset string) (transport string, at netip.AddrPort) {
	addr, err := netip.ParseAddr(u.host)
	if err != nil {
		return "", netip.AddrPort{}
	}
	transport = preset
	if u.scheme == "sips" {
		transport = siptx.TLS
	} else if named, found := parameter(u.params, "transport"); found {
		switch named = strings.ToLower(named); named {
		case siptx.UDP, siptx.TCP, siptx.TLS:
			transport = named
		default:
			return "", netip.AddrPort{}
		}
	}
	port := u.port
	if port == 0 {
		port = portOf(transport)
	}
	return transport, netip.AddrPortFrom(addr.Unmap(), port)
}

// portOf is where SIP is spoken over a transport (RFC 3261 §19.1.2).
func portOf(transport string) uint16 {
	if transport == siptx.TLS {
		return 5061
	}
	return 5060
}

// parameter finds a parameter among those that stand in params, each with its semicolon. Names compare without regard to case
// and to percent-encoding (RFC 3261 §19.1.4); the value is decoded.
func parameter(params, name string) (value string, found bool) {
	for params != "" {
		var one string
		one, params = nextParameter(params)
		written, value, _ := strings.Cut(one, "=")
		if isNamed(written, name) {
			return unescaped(strings.Trim(value, `" `)), true
		}
	}
	return "", false
}

// nextParameter cuts the first of params, without its semicolon.
func nextParameter(params string) (one, rest string) { return cutAt(params[1:], ';') }

func isNamed(written, name string) bool {
	written = strings.Trim(written, " \t")
	return len(written) >= len(name) && strings.EqualFold(unescaped(written), name)
}

// without gives params without those of a name, and whether there was one.
func without(params, name string) (rest string, found bool) {
	if params == "" || !mayHold(params, name) {
		return params, false
	}
	var b strings.Builder
	for params != "" {
		var one string
		one, params = nextParameter(params)
		if written, _, _ := strings.Cut(one, "="); isNamed(written, name) {
			found = true
			continue
		}
		b.WriteByte(';')
		b.WriteString(one)
	}
	return b.String(), found
}

// mayHold is a quick look that never misses a name, which is in lower case.
func mayHold(params, name string) bool {
	for i := range len(params) {
		if c := params[i]; c == '%' || c|0x20 == name[0] && i+len(name) <= len(params) && strings.EqualFold(params[i:i+len(name)], name) {
			return true
		}
	}
	return false
}

// unescaped undoes percent-encoding (RFC 3261 §19.1.2). What is no code of two digits stays.
func unescaped(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if isEscape(s, i) {
			c, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			b = append(b, byte(c))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

func isEscape(s string, i int) bool {
	return s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// appendEscaped writes s as a part of a URI in which the given characters need no percent-encoding. What is encoded already
// stays so.
func appendEscaped(b []byte, s string, plain *[256]bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; plain[c] || isEscape(s, i) {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

const unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()"

// What stands unencoded in the parts of a URI (RFC 3261 §25.1, RFC 3966 §3), and what a host name and a token consist of.
var (
	userBytes   = setOf(unreserved + "&=+$,?/")
	markBytes   = setOf(unreserved + "&=+$/:[],")
	paramBytes  = setOf(unreserved + "[]/:&+$=")
	headerBytes = setOf(unreserved + "[]/?:+$")
	hostBytes   = setOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")
	tokenBytes  = setOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")
)

func setOf(characters string) *[256]bool {
	var set [256]bool
	for _, c := range []byte(characters) {
		set[c] = true
	}
	return &set
}

func all(s string, set *[256]bool) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return true
}

func isToken(s string) bool { return s != "" && all(s, tokenBytes) }

// appendParams writes parameters of user or of a URI, each with its semicolon; empty ones go.
func appendParams(b []byte, params string, plain *[256]bool) []byte {
	for params != "" {
		var one string
		if one, params = nextParameter(params); one != "" {
			b = appendEscaped(append(b, ';'), one, plain)
		}
	}
	return b
}

func appendHost(b []byte, host string, port uint16) []byte {
	if strings.IndexByte(host, ':') >= 0 {
		b = append(append(append(b, '['), host...), ']')
	} else {
		b = append(b, host...)
	}
	if port != 0 {
		b = strconv.AppendUint(append(b, ':'), uint64(port), 10)
	}
	return b
}

// appendTo writes the URI so that it is read back the same, whatever its parts hold; mark, if not empty, is one more parameter
// of the user.
func (u *uri) appendTo(b []byte, mark string) []byte {
	b = append(append(b, u.scheme...), ':')
	switch u.scheme {
	case "sip", "sips":
	case "tel":
		b = appendParams(appendEscaped(b, u.user, telBytes), u.marks, paramBytes)
		return appendMark(b, mark)
	default:
		return append(b, u.user...)
	}
	if u.user != "" {
		b = appendParams(appendEscaped(b, u.user, userBytes), u.marks, markBytes)
		b = append(appendMark(b, mark), '@')
	}
	return appendParams(appendHost(b, u.host, u.port), u.params, paramBytes)
}

var telBytes = setOf("0123456789abcdefABCDEF+-.()*#")

func appendMark(b []byte, mark string) []byte {
	if mark == "" {
		return b
	}
	return append(append(b, ';'), mark...)
}
