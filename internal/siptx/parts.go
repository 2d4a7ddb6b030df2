package siptx

import (
	"net/netip"
	"strconv"
	"strings"
)

// sentBy is host and port of a Via; the port is 0 where none is written.
type sentBy struct {
	host string // lower case, an IPv6 address without its brackets
	port int
}

// via is the first value of a Via header field (RFC 3261 §20.42, RFC 3581 §3), unfolded. Spans are into text.
type via struct {
	text       string // the whole value of the header field, with what follows the first comma
	end        int    // of the first value
	by         sentBy
	branch     string
	rport      span // ";rport" with its value, if it has one
	rportEmpty bool // asks for the port
	received   span
}

type span struct{ at, end int }

// magicCookie begins the branch of whoever follows RFC 3261 (§8.1.1.7).
const magicCookie = "z9hG4bK"

// unique tells whether the branch identifies the transaction (RFC 3261 §17.2.3).
func (v *via) unique() bool {
	return len(v.branch) > len(magicCookie) && strings.EqualFold(v.branch[:len(magicCookie)], magicCookie)
}

// readVia reads the first value of a Via. usable tells whether an answer can be routed by it, ok whether it is as it should be.
func readVia(text string) (v via, usable, ok bool) {
	v.text, v.end = text, len(text)
	at := 0
	for i := range 3 { // protocol name, version, transport
		at = skipSpace(text, at)
		end := tokenEnd(text, at, len(text))
		if end == at || i == 0 && !strings.EqualFold(text[at:end], "SIP") {
			return v, false, false
		}
		at = end
		if i < 2 {
			if at = skipSpace(text, at); at == len(text) || text[at] != '/' {
				return v, false, false
			}
			at++
		}
	}
	if at == len(text) || !isSpace(text[at]) {
		return v, false, false
	}
	at = skipSpace(text, at)
	by, n, ok := readSentBy(text[at:])
	if !ok {
		return v, false, false
	}
	v.by = by
	at += n
	for {
		p, next, state := readParam(text, at)
		switch state {
		case paramBad:
			return v, true, false
		case paramNone:
			v.end = next
			return v, true, next == len(text) || text[next] == ','
		}
		whole := span{at, p.end}
		switch {
		case strings.EqualFold(p.name, "branch"):
			v.branch = p.value
		case strings.EqualFold(p.name, "rport"):
			v.rport, v.rportEmpty = whole, p.value == ""
		case strings.EqualFold(p.name, "received"):
			v.received = whole
		}
		at = next
	}
}

// readSentBy reads host [":" port] and says how much of s that is.
func readSentBy(s string) (by sentBy, n int, ok bool) {
	at := 0
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return sentBy{}, 0, false
		}
		if a, err := netip.ParseAddr(s[1:end]); err != nil || !a.Is6() {
			return sentBy{}, 0, false
		}
		by.host, at = strings.ToLower(s[1:end]), end+1
	} else {
		for at < len(s) && hostBytes[s[at]] {
			at++
		}
		if at == 0 {
			return sentBy{}, 0, false
		}
		by.host = strings.ToLower(s[:at])
	}
	colon := skipSpace(s, at)
	if colon == len(s) || s[colon] != ':' {
		return by, at, true
	}
	digits := skipSpace(s, colon+1)
	end := digits
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	port, err := strconv.ParseUint(s[digits:end], 10, 16)
	if err != nil || port == 0 {
		return sentBy{}, 0, false
	}
	by.port = int(port)
	return by, end, true
}

// hostBytes are those of a host name or an IPv4 address; the underscore stands in names of the field.
var hostBytes = func() (set [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") {
		set[c] = true
	}
	return set
}()

// param is ";" name ["=" value], white space where RFC 3261 §25.1 allows it. value has no quotes removed.
type param struct {
	name, value string
	end         int
}

type paramState int

const (
	paramNone paramState = iota // there is none: something else than a semicolon stands at next
	paramRead
	paramBad
)

func readParam(s string, at int) (p param, next int, state paramState) {
	at = skipSpace(s, at)
	if at == len(s) || s[at] != ';' {
		return param{}, at, paramNone
	}
	at = skipSpace(s, at+1)
	end := tokenEnd(s, at, len(s))
	if end == at {
		return param{}, at, paramBad
	}
	p.name, p.end = s[at:end], end
	at = skipSpace(s, end)
	if at == len(s) || s[at] != '=' {
		return p, at, paramRead
	}
	at = skipSpace(s, at+1)
	if at < len(s) && s[at] == '"' {
		end = QuotedEnd(s, at)
	} else {
		end = at
		for end < len(s) && (tokenBytes[s[end]] || s[end] == '[' || s[end] == ']' || s[end] == ':') {
			end++
		}
	}
	if end <= at {
		return param{}, at, paramBad
	}
	p.value, p.end = s[at:end], end
	return p, end, paramRead
}

// QuotedEnd is where the quoted string that begins at at ends, behind its closing quote; -1 if it does not.
func QuotedEnd(s string, at int) int {
	for i := at + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// readTag reads a From or To: name-addr or addr-spec, then parameters (RFC 3261 §20.10), and gives the tag. A display name
// may hold what it should have quoted: a comma there is common and does not change what is meant.
func readTag(value string) (tag string, ok bool) {
	at := 0
	bracket, last := -1, strings.LastIndexByte(value, '<')
name:
	for ; at < len(value); at++ {
		switch c := value[at]; {
		case c == '"':
			if at = QuotedEnd(value, at); at < 0 {
				return "", false
			}
			at--
			bracket = -2 // what has a quoted name has brackets
		case c == '<':
			bracket = at
			break name
		case c == ';' || c == ':' && bracket != -2:
			if last < at {
				break name
			}
		}
	}
	if bracket < 0 { // addr-spec: no comma, semicolon or question mark of its own
		if bracket == -2 {
			return "", false
		}
		if at = strings.IndexByte(value, ';'); at < 0 {
			at = len(value)
		}
		if !isAddress(value[:trimRight(value[:at], 0)]) || strings.ContainsAny(value[:at], ",?") {
			return "", false
		}
	} else {
		end := strings.IndexByte(value[at:], '>')
		if end < 0 || !isAddress(value[at+1:at+end]) {
			return "", false
		}
		at += end + 1
	}
	for tagged := false; ; {
		p, next, state := readParam(value, at)
		if state == paramNone {
			return tag, next == len(value)
		}
		if state == paramBad || strings.EqualFold(p.name, "tag") && (tagged || !isToken(p.value)) {
			return "", false
		}
		if strings.EqualFold(p.name, "tag") {
			tag, tagged = p.value, true
		}
		at = next
	}
}

// isAddress tells whether s may be a URI: a scheme, a colon and something of visible characters without angle brackets
// and quotes.
func isAddress(s string) bool {
	colon := strings.IndexByte(s, ':')
	if colon < 1 || colon == len(s)-1 || !isLetter(s[0]) {
		return false
	}
	for i := 1; i < colon; i++ {
		if c := s[i]; !isLetter(c) && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	for i := colon + 1; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '<' || c == '>' || c == '"' {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// readCSeq reads number and method (RFC 3261 §20.16); the number is below 2^31 (RFC 3261 §8.1.1.5).
func readCSeq(value string) (number uint32, method string, ok bool) {
	i := 0
	for i < len(value) && value[i] >= '0' && value[i] <= '9' {
		i++
	}
	n, err := strconv.ParseUint(value[:i], 10, 31)
	at := skipSpace(value, i)
	if err != nil || at == i || !isToken(value[at:]) {
		return 0, "", false
	}
	return uint32(n), value[at:], true
}

// readCount reads digits up to most.
func readCount(value string, most uint64) (int, bool) {
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil || n > most {
		return 0, false
	}
	return int(n), true
}
