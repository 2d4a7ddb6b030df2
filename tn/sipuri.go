package tn

import (
	"fmt"
	"strings"
)

// sipURI is what stands behind "sip:" or "sips:", cut into the parts that matter here (RFC 3261 §19.1.1). Nothing in
// it is checked yet but that there is a host and at most one @.
type sipURI struct {
	user string // with its own parameters and percent-encoding, without a password; empty when there is none
	host string // without port
	tail string // parameters and headers, from the first ; or ? on
}

func cutSIP(rest string) (sipURI, error) {
	var u sipURI
	userinfo, address, hasUser := strings.Cut(rest, "@")
	if !hasUser {
		address = rest
	} else if u.user, _, _ = strings.Cut(userinfo, ":"); u.user == "" {
		return sipURI{}, fmt.Errorf("%w: a SIP URI with an empty user", ErrNotIdentity)
	}
	if end := strings.IndexAny(address, ";?"); end >= 0 {
		address, u.tail = address[:end], address[end:]
	}
	// Neither parameters nor headers may have a bare @ or comma: one would hide a second host, the other a second
	// header value.
	if strings.ContainsAny(u.tail, "@,") {
		return sipURI{}, fmt.Errorf("%w: SIP URI parameters with @ or comma", ErrNotIdentity)
	}
	u.host = address
	if colon := strings.LastIndexByte(address, ':'); colon > strings.LastIndexByte(address, ']') {
		port := address[colon+1:]
		if len(port) > len("65535") || strings.Trim(port, "0123456789") != "" {
			return sipURI{}, fmt.Errorf("%w: a SIP URI without a proper port", ErrNotIdentity)
		}
		u.host = address[:colon]
	}
	if !isHost(u.host) {
		return sipURI{}, fmt.Errorf("%w: a SIP URI without a proper host", ErrNotIdentity)
	}
	return u, nil
}

// isPhone reports whether the URI says itself that its user is a telephone number.
func (u sipURI) isPhone() bool {
	parameters, _, _ := strings.Cut(u.tail, "?")
	for parameter := range strings.SplitSeq(parameters, ";") {
		if strings.EqualFold(parameter, "user=phone") {
			return true
		}
	}
	return false
}

// normalSIP is the normal form without the scheme.
//
// RFC 8224 §8.5: user and host in lower case, percent-encoding of unreserved characters undone; no password, port,
// parameters or headers.
func normalSIP(rest string) (string, error) {
	u, err := cutSIP(rest)
	if err != nil {
		return "", err
	}
	host := strings.ToLower(u.host)
	if u.user == "" {
		return host, nil
	}
	user, ok := normalUser(u.user)
	if !ok {
		return "", fmt.Errorf("%w: a SIP URI with characters that a user cannot have", ErrNotIdentity)
	}
	return user + "@" + host, nil
}

// normalUser writes the percent-encoding that remains in upper case (RFC 3986 §6.2.2.1).
func normalUser(user string) (string, bool) {
	normal := make([]byte, 0, len(user))
	for i := 0; i < len(user); i++ {
		c := user[i]
		if c == '%' {
			decoded, ok := percentByte(user[i:])
			if !ok {
				return "", false
			}
			if isUnreserved(decoded) {
				normal = append(normal, lower(decoded))
			} else {
				normal = append(normal, strings.ToUpper(user[i:i+3])...)
			}
			i += 2
			continue
		}
		if !isUnreserved(c) && !strings.ContainsRune("!*'()&=+$,;?/", rune(c)) { // RFC 3261 §25.1, user
			return "", false
		}
		normal = append(normal, lower(c))
	}
	return string(normal), true
}

// isHost accepts a host name, an IPv4 address, and an IPv6 address in brackets, by their characters.
func isHost(host string) bool {
	name, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		if name, bracketed = strings.CutSuffix(name, "]"); !bracketed {
			return false
		}
	}
	if name == "" {
		return false
	}
	for i := range len(name) {
		c := name[i]
		_, isHex := hexDigit(c)
		switch {
		case c == '.':
		case bracketed && (isHex || c == ':'):
		case !bracketed && (isLetter(c) || isDigit(c) || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return true
}
