package siptx

import (
	"crypto/x509"
	"net/netip"
	"strings"
	"time"
)

// Request is a request as it came. It is not changed after Respond got it, and may be kept.
type Request struct {
	Method    string         // as written: methods are case-sensitive
	URI       string         // the Request-URI as written
	Transport string         // that it came over: UDP, TCP or TLS
	Source    netip.AddrPort // where it came from
	Local     netip.AddrPort // where it came to: the connection's address, or the UDP socket's, which may be that of all addresses
	Received  time.Time
	Peer      []*x509.Certificate // what the client presented over TLS, verified if the listener verifies; else empty

	message
	via        via
	callID     string
	fromTag    string
	toTag      string
	cseq       uint32
	cseqMethod string
	hops       int // Max-Forwards; -1 without

	from origin
}

// Text is the message as it came, without what followed its body in the datagram.
func (r *Request) Text() string { return r.text }

// Body is what follows the header.
func (r *Request) Body() string { return r.text[r.bodyAt:] }

// CallID is the value of Call-ID.
func (r *Request) CallID() string { return r.callID }

// FromTag is the tag of From, empty if it has none (RFC 2543 knew such).
func (r *Request) FromTag() string { return r.fromTag }

// ToTag is the tag of To; only a request within a dialog has one.
func (r *Request) ToTag() string { return r.toTag }

// CSeq is the number in CSeq.
func (r *Request) CSeq() uint32 { return r.cseq }

// Branch is the branch of the topmost Via, empty if it has none.
func (r *Request) Branch() string { return r.via.branch }

// Values gives the values of a header field in the order and spelling they came in: unfolded (RFC 3261 §7.3.1), without
// white space around, not split at commas. The name may be in its long or compact form and in any case, here and there.
func (r *Request) Values(name string) []string {
	var values []string
	for i := range r.fields {
		if r.named(i, name) {
			values = append(values, unfold(r.value(i)))
		}
	}
	return values
}

// Value is the first of Values, or empty.
func (r *Request) Value(name string) string {
	for i := range r.fields {
		if r.named(i, name) {
			return unfold(r.value(i))
		}
	}
	return ""
}

// Field is a header field.
type Field struct{ Name, Value string }

// Response is what becomes of an INVITE: an answer, or the request sent on.
type Response struct {
	Status int    // 300 to 699; anything else is sent as 500. 503 without Fields comes with Retry-After
	Reason string // the reason phrase; empty means that of RFC 3261 §21
	// Fields come beside Via, From, To, Call-ID, CSeq and Content-Length. One whose name is no token or one of these,
	// or whose value holds CR, LF or NUL, is left out and counted.
	Fields  []Field
	Forward *Forward // if set, the request is sent on instead (Config.SentBy must be set)
	// Sent is told the message as it was first sent: the answer, or the request that was sent on; nil means nobody.
	// A cancelled or timed-out call is told too. It must not keep or change the bytes, and return soon.
	Sent func(message []byte)
}

// Forward is where a request goes on to, and what is different about it there. Everything else goes on as it came, but
// for Max-Forwards, our Via, and a Route that names us. From may be replaced as long as its tag stays: CANCEL and ACK have the
// new one then, too, and responses come back with the old.
type Forward struct {
	Transport string         // UDP, TCP or TLS
	To        netip.AddrPort // the next hop
	URI       string         // the new Request-URI; empty keeps it
	Remove    []string       // header fields, by name in any form
	Replace   []Field        // the field of that name gets this value, at the place of the first; one that is not there is added
	Add       []Field        // behind all others, in this order
}

// compact maps the compact forms of header field names to the long ones: RFC 3261 §20, and those registered since.
var compact = [256]string{
	'a': "Accept-Contact", 'b': "Referred-By", 'c': "Content-Type", 'd': "Request-Disposition", 'e': "Content-Encoding",
	'f': "From", 'i': "Call-ID", 'j': "Reject-Contact", 'k': "Supported", 'l': "Content-Length", 'm': "Contact",
	'n': "Identity-Info", 'o': "Event", 'r': "Refer-To", 's': "Subject", 't': "To", 'u': "Allow-Events", 'v': "Via",
	'x': "Session-Expires", 'y': "Identity",
}

// long is the long form of a header field name.
func long(name string) string {
	if len(name) == 1 {
		if l := compact[name[0]|0x20]; l != "" {
			return l
		}
	}
	return name
}

// sameName tells whether two names, in any form, name the same header field.
func sameName(a, b string) bool {
	a, b = long(a), long(b)
	return len(a) == len(b) && strings.EqualFold(a, b) // names are ASCII
}
