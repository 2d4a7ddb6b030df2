package siptx

import (
	"hash/maphash"
	"net/netip"
	"strconv"
	"strings"
)

// phrases are the reason phrases of RFC 3261 §21, and of those that later documents added for INVITE.
var phrases = map[int]string{
	100: "Trying", 200: "OK", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
	380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 408: "Request Timeout", 410: "Gone", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
	416: "Unsupported URI Scheme", 420: "Bad Extension", 428: "Use Identity Header", 433: "Anonymity Disallowed",
	436: "Bad Identity Info", 437: "Unsupported Credential", 438: "Invalid Identity Header", 480: "Temporarily Unavailable",
	481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete",
	485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 500: "Server Internal Error",
	501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out",
	505: "Version Not Supported", 513: "Message Too Large", 600: "Busy Everywhere", 603: "Decline",
	604: "Does Not Exist Anywhere", 606: "Not Acceptable", 607: "Unwanted", 608: "Rejected",
}

// phrase is what stands behind the status.
func phrase(status int, given string) string {
	if given != "" && !strings.ContainsAny(given, "\r\n\x00") {
		return given
	}
	if p := phrases[status]; p != "" {
		return p
	}
	return "Unspecified"
}

// answer writes a response (RFC 3261 §8.2.6): Vias, From, To with its tag, Call-ID, CSeq as they came. tag is empty in
// 100. Fields that may not be written are left out and counted.
func (s *Server) answer(r *Request, status int, reason, tag string, fields []Field) []byte {
	size := 256 + len(reason)
	for i := range r.fields {
		if echoed(r.fields[i].kind) {
			size += int(r.fields[i].end - r.fields[i].at)
		}
	}
	for _, f := range fields {
		size += len(f.Name) + len(f.Value) + 4
	}
	b := make([]byte, 0, size)
	b = append(b, "SIP/2.0 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, phrase(status, reason)...)
	b = append(b, "\r\n"...)
	var seen [kinds]bool
	for i := range r.fields {
		k := r.fields[i].kind
		if !echoed(k) || seen[k] && k != viaField || k == timestampField && status != 100 {
			continue
		}
		b = append(b, kindNames[k]...)
		b = append(b, ": "...)
		switch {
		case k == viaField && !seen[k]:
			b = r.via.appendMarked(b, r.Source)
		case k == toField && tag != "" && r.toTag == "":
			party := unfold(r.value(i))
			b = append(b, party...)
			if strings.LastIndexByte(party, '<') > strings.LastIndexByte(party, '>') {
				b = append(b, '>') // a tag within an address that does not end would be a part of it
			}
			b = append(append(b, ";tag="...), tag...)
		default:
			b = append(b, unfold(r.value(i))...)
		}
		b = append(b, "\r\n"...)
		seen[k] = true
	}
	b = s.appendFields(b, fields)
	return append(b, "Content-Length: 0\r\n\r\n"...)
}

// echoed tells whether an answer repeats the field.
func echoed(k kind) bool {
	switch k {
	case viaField, fromField, toField, callIDField, cseqField, timestampField:
		return true
	}
	return false
}

// appendFields writes what may be written.
func (s *Server) appendFields(b []byte, fields []Field) []byte {
	for _, f := range fields {
		if !writable(f) {
			s.counts.fieldsRefused.Add(1)
			continue
		}
		b = appendField(b, f)
	}
	return b
}

func appendField(b []byte, f Field) []byte {
	b = append(append(b, f.Name...), ": "...)
	return append(append(b, f.Value...), "\r\n"...)
}

// writable tells whether a field of Respond may be written: it must be one line, and not one of ours.
func writable(f Field) bool {
	return isToken(f.Name) && !strings.ContainsAny(f.Value, "\r\n\x00") && !ownField(kindOf(f.Name))
}

// ownField tells whether the field is of transactions and framing, which is not for Respond to say.
func ownField(k kind) bool {
	switch k {
	case viaField, fromField, toField, callIDField, cseqField, maxForwardsField, contentLengthField:
		return true
	}
	return false
}

// appendMarked writes a Via with what the receiver adds: received where the host is not the source (RFC 3261 §18.2.1),
// rport with received where it was asked for (RFC 3581 §4). What the sender had said of both goes.
func (v *via) appendMarked(b []byte, source netip.AddrPort) []byte {
	addr := source.Addr().WithZone("") // a zone means something on this machine alone
	var written [48]byte
	differs := string(addr.AppendTo(written[:0])) != v.by.host
	if differs {
		if host, err := netip.ParseAddr(v.by.host); err == nil {
			differs = host.Unmap() != addr
		}
	}
	asked := v.rport.end > 0
	if !differs && !asked && v.received.end == 0 {
		return append(b, v.text...)
	}
	first, second := v.rport, v.received
	if first.at > second.at {
		first, second = second, first
	}
	at := 0
	for _, cut := range []span{first, second} {
		if cut.end > 0 {
			b = append(b, v.text[at:cut.at]...)
			at = cut.end
		}
	}
	b = append(b, v.text[at:v.end]...)
	if asked || differs {
		b = addr.AppendTo(append(b, ";received="...))
	}
	if asked {
		b = strconv.AppendUint(append(b, ";rport="...), uint64(source.Port()), 10)
	}
	return append(b, v.text[v.end:]...)
}

// returnPort is the port an answer over UDP goes to, at the address of the source (RFC 3261 §18.2.2, RFC 3581 §4).
//
// DIVERGES RFC 3261 §18.2.2: a maddr is not followed, because whoever forges a source could have anybody answered.
func (v *via) returnPort(source netip.AddrPort) uint16 {
	switch {
	case v.rport.end > 0:
		return source.Port()
	case v.by.port > 0:
		return uint16(v.by.port)
	}
	return 5060
}

// tag is the To tag of whatever answers a request: the same for its retransmissions and its CANCEL (RFC 3261 §8.2.7,
// §9.2), and not to be guessed (§19.3).
func (s *Server) tag(k key) string {
	var h maphash.Hash
	h.SetSeed(s.seed)
	maphash.WriteComparable(&h, k)
	var b [16]byte
	const hex = "0123456789abcdef"
	for i, n := 0, h.Sum64(); i < len(b); i, n = i+1, n>>4 {
		b[i] = hex[n&15]
	}
	return string(b[:])
}
