package dnsclient

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// NAPTR is one record of RFC 3403 §4.1. Its texts are as they came, and hold any byte.
type NAPTR struct {
	Order, Preference uint16
	Flags             string
	Service           string
	Regexp            string
	Replacement       string // a name; the root is the empty text
}

func readNAPTR(p *dnsmessage.Parser) (NAPTR, error) {
	body, err := p.UnknownResource()
	if err != nil {
		return NAPTR{}, err
	}
	return parseNAPTR(body.Data)
}

var errNAPTR = errors.New("an NAPTR record that is none")

// parseNAPTR reads the wire form of RFC 3403 §4.1, in which the name at the end is not compressed.
func parseNAPTR(data []byte) (NAPTR, error) {
	if len(data) < 4 {
		return NAPTR{}, errNAPTR
	}
	n := NAPTR{Order: binary.BigEndian.Uint16(data), Preference: binary.BigEndian.Uint16(data[2:])}
	data = data[4:]
	for _, text := range []*string{&n.Flags, &n.Service, &n.Regexp} {
		var ok bool
		if *text, data, ok = cutString(data); !ok {
			return NAPTR{}, errNAPTR
		}
	}
	var labels []string
	for {
		label, rest, ok := cutString(data)
		if !ok || len(label) > labelLengthMax || strings.Contains(label, ".") {
			return NAPTR{}, errNAPTR
		}
		if data = rest; label == "" {
			break
		}
		labels = append(labels, label)
	}
	n.Replacement = strings.Join(labels, ".")
	if len(data) > 0 || len(n.Replacement) > nameLengthMax {
		return NAPTR{}, errNAPTR
	}
	return n, nil
}

// cutString takes a byte of length and as many bytes.
func cutString(data []byte) (text string, rest []byte, ok bool) {
	if len(data) == 0 || len(data) <= int(data[0]) {
		return "", nil, false
	}
	end := 1 + int(data[0])
	return string(data[1:end]), data[end:], true
}

// URIs gives what the records of one Enumservice (RFC 6116 §3.4.3), such as x-cps:https, say of a number: the URIs of those with
// the lowest order that can be evaluated, by preference. No record offering the service gives nil; some that do, of which none can
// be evaluated, the error Malformed.
//
// DIVERGES RFC 3402 §3.2: of substitution expressions only the one for any number is evaluated, with the delimiter ! and nothing
// copied from the number. With others the network would have us match what it likes, for as long as it likes.
func URIs(records []NAPTR, service string) ([]string, error) {
	sorted := slices.Clone(records)
	slices.SortStableFunc(sorted, func(a, b NAPTR) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Preference, b.Preference))
	})
	var uris []string
	offered, order := false, uint16(0)
	for _, r := range sorted {
		if len(uris) > 0 && r.Order != order { // RFC 3403 §4.1: a higher order is not looked at after a match
			break
		}
		if !r.offers(service) {
			continue
		}
		offered = true
		if uri, ok := r.uri(); ok && !slices.Contains(uris, uri) {
			uris, order = append(uris, uri), r.Order
		}
	}
	if offered && len(uris) == 0 {
		return nil, fmt.Errorf("%w: a rule that is not evaluated", Malformed)
	}
	return uris, nil
}

// uri evaluates one terminal record. Flags have no case (RFC 3403 §4.1).
func (n NAPTR) uri() (string, bool) {
	if !strings.EqualFold(n.Flags, "u") || n.Replacement != "" {
		return "", false
	}
	uri, ok := strings.CutPrefix(n.Regexp, "!^.*$!")
	if !ok {
		return "", false
	}
	uri, flags, ok := strings.Cut(uri, "!")
	if !ok || flags != "" && flags != "i" || uri == "" || strings.ContainsFunc(uri, notInURI) {
		return "", false
	}
	return uri, true
}

// notInURI finds what no URI has, and the backslash, which would begin an escape or a copy of the number.
func notInURI(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`\"<>^`+"`{|}", r) }

// offers reports whether service is one of those of E2U+one+another. They have no case (RFC 6116 §3.4.3).
func (n NAPTR) offers(service string) bool {
	resolution, services, _ := strings.Cut(n.Service, "+")
	if !strings.EqualFold(resolution, "E2U") {
		return false
	}
	for one := range strings.SplitSeq(services, "+") {
		if strings.EqualFold(one, service) {
			return true
		}
	}
	return false
}
