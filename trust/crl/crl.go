// Package crl reads certificate revocation lists, the indirect one of the STI-PA above all, and answers in constant time
// whether a certificate is on it.
//
// Knows: the syntax and the rules of a complete CRL (RFC 5280 §5), who a list says it is from, its signature and its
// entries. Never hears of: networks, files, where a list comes from and whose lists count, calls; that is package trust.
//
// A list is either direct, and tells of what its issuer issued, or indirect (RFC 5280 §5.2.5), and tells of what anybody
// issued: an entry then names the issuer of the certificate, or means the one that the entry before it meant.
//
// A certificate is known by issuer and serial. An issuer of the network has used serials twice: all certificates with one
// of them are revoked with it.
//
// # Failures
//
// What cannot be understood to its last bit is refused as a whole: a list that was read in part would call good what it
// says is revoked. Every error of [Parse] wraps [ErrTooLarge], [ErrMalformed], [ErrDelta], [ErrPartial], [ErrCritical] or
// [ErrAlgorithm], and comes without a list. No error holds a serial or a name.
//
// # Limits
//
// [BytesMax], [EntriesMax], [NumberOctetsMax]. A list takes about 25 bytes of memory for each entry; what it was read from
// is not kept.
package crl

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
)

// Limits of a list. The network has some 20,000 certificates alive at a time.
const (
	BytesMax        = 128 << 20 // bytes of a list as it is served
	EntriesMax      = 2_000_000
	NumberOctetsMax = 20 // of a CRL number (RFC 5280 §5.2.3)
)

// Why a list is refused.
var (
	ErrTooLarge    = errors.New("the revocation list is too large")
	ErrMalformed   = errors.New("this is not a certificate revocation list")
	ErrDelta       = errors.New("the revocation list tells of changes alone") // a delta CRL (RFC 5280 §5.2.4)
	ErrPartial     = errors.New("the revocation list tells of some certificates or reasons alone")
	ErrCritical    = errors.New("the revocation list has a critical extension that nobody here knows")
	ErrAlgorithm   = errors.New("the revocation list is signed in a way that is not accepted")
	ErrSigner      = errors.New("the certificate may not sign this revocation list")
	ErrSignature   = errors.New("the signature of the revocation list is not that of the certificate")
	ErrNotYetValid = errors.New("the revocation list is not valid yet")
	ErrExpired     = errors.New("the revocation list has expired")
)

// ID names the certificates of one issuer and serial: 128 bits of a SHA-256, so that nobody can find one certificate that
// passes for another.
type ID [16]byte

// Content is the same for lists that say the same, whatever signature is under them.
func (l *List) Content() [sha256.Size]byte { return sha256.Sum256(l.signature.digest) }

// IDOf gives the ID of a certificate. An issuer without a name to compare is a stircert.BadName.
func IDOf(cert *x509.Certificate) (ID, error) {
	if cert.SerialNumber.Sign() < 0 { // crypto/x509 lets none pass
		return ID{}, fmt.Errorf("%w: the serial is negative", ErrMalformed)
	}
	return hashOfName(cert.RawIssuer).with(integerOf(cert.SerialNumber)), nil
}

// nameHash is the SHA-256 of a stircert.NameKey.
type nameHash [sha256.Size]byte

// hashOfName hashes what names are compared by. A name that stircert.NameKey refuses is compared byte for byte, so that one
// odd CA neither escapes revocation nor spoils a list for all others.
func hashOfName(raw []byte) nameHash {
	key, err := stircert.NameKey(raw)
	if err != nil {
		key = "\x00" + string(raw) // no key begins so
	}
	return sha256.Sum256([]byte(key))
}

// with names the certificate of an issuer that has a serial, which is the content of a DER INTEGER.
func (h nameHash) with(serial []byte) (id ID) {
	var space [96]byte
	hash := sha256.Sum256(append(append(space[:0], h[:]...), serial...))
	copy(id[:], hash[:])
	return id
}

// integerOf gives the content of the DER INTEGER that n is; n is not negative.
func integerOf(n *big.Int) []byte {
	content := n.Bytes()
	if len(content) == 0 || content[0]&0x80 != 0 {
		return append([]byte{0}, content...)
	}
	return content
}

// entry is one revoked certificate.
type entry struct {
	id    ID
	stamp int64 // Unix time in seconds, times 256, and the reason
}

func stampOf(at time.Time, reason Reason) int64 { return at.Unix()<<8 | int64(reason) }

func (e entry) reason() Reason { return Reason(e.stamp) }

func (e entry) at() time.Time { return time.Unix(e.stamp>>8, 0).UTC() }

func compareEntries(a, b entry) int {
	if order := bytes.Compare(a.id[:], b.id[:]); order != 0 {
		return order
	}
	switch {
	case a.stamp < b.stamp:
		return -1
	case a.stamp > b.stamp:
		return 1
	}
	return 0
}

// List is a complete revocation list. It does not change once parsed, and is safe to share.
type List struct {
	issuer     string
	number     *big.Int
	thisUpdate time.Time
	nextUpdate time.Time
	indirect   bool
	signature  signature

	entries []entry  // by ID, which are evenly spread
	starts  []uint32 // where the entries begin whose IDs begin with so many bits; one more than there are of those
	shift   uint     // what is left of the first 32 bits of an ID, shifted by this, says which
}

// order sorts the entries, keeps of those that name the same certificate the earliest, and makes the index.
func (l *List) order() {
	slices.SortFunc(l.entries, compareEntries)
	l.entries = slices.CompactFunc(l.entries, func(a, b entry) bool { return a.id == b.id })
	const perStart = 4 // entries, on average
	bits := uint(0)
	for len(l.entries)>>bits > perStart {
		bits++
	}
	l.shift = 32 - bits
	l.starts = make([]uint32, 1<<bits+1)
	for _, e := range l.entries {
		l.starts[l.startOf(e.id)+1]++
	}
	for i := range l.starts[1:] {
		l.starts[i+1] += l.starts[i]
	}
}

func (l *List) startOf(id ID) uint32 {
	first := uint64(id[0])<<24 | uint64(id[1])<<16 | uint64(id[2])<<8 | uint64(id[3])
	return uint32(first >> l.shift)
}

// Revoked tells whether the list has a certificate, and then why and since when it is revoked. That it is not there means
// something only if the list would have it: see [List.Indirect].
func (l *List) Revoked(id ID) (reason Reason, at time.Time, revoked bool) {
	start := l.startOf(id)
	part := l.entries[l.starts[start]:l.starts[start+1]]
	found, there := slices.BinarySearchFunc(part, id, func(e entry, id ID) int { return bytes.Compare(e.id[:], id[:]) })
	if !there {
		return 0, time.Time{}, false
	}
	return part[found].reason(), part[found].at(), true
}

// Indirect tells whether the list is about what any issuer has issued (RFC 5280 §5.2.5); one that is not has said nothing of
// a certificate of another issuer than its own.
func (l *List) Indirect() bool { return l.indirect }

// Issuer is the stircert.NameKey of whom the list says it is from.
func (l *List) Issuer() string { return l.issuer }

// Number is the CRL number, which grows with each list of an issuer (RFC 5280 §5.2.3), or nil if the list has none.
func (l *List) Number() *big.Int {
	if l.number == nil {
		return nil
	}
	return new(big.Int).Set(l.number)
}

// ThisUpdate is when the list was made.
func (l *List) ThisUpdate() time.Time { return l.thisUpdate }

// NextUpdate is when a newer list is there at the latest.
func (l *List) NextUpdate() time.Time { return l.nextUpdate }

// Len is the number of issuers and serials on the list.
func (l *List) Len() int { return len(l.entries) }

// CheckTime tells whether the list is one to use at an instant: nil, [ErrNotYetValid] or [ErrExpired].
func (l *List) CheckTime(at time.Time) error {
	switch {
	case at.Before(l.thisUpdate):
		return ErrNotYetValid
	case at.After(l.nextUpdate):
		return ErrExpired
	}
	return nil
}
