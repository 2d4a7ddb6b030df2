package crl

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/viaduct-oob/viaduct/stircert"
)

// Limits bound what is read. What is zero is [BytesMax] or [EntriesMax].
type Limits struct {
	Bytes   int
	Entries int
}

// Parse reads a complete list in DER or PEM within the limits of this package. Nothing is said about its signature.
func Parse(content []byte) (*List, error) { return Limits{}.Parse(content) }

// Parse is the function of that name with other limits.
func (m Limits) Parse(content []byte) (*List, error) {
	if m.Bytes <= 0 {
		m.Bytes = BytesMax
	}
	if m.Entries <= 0 {
		m.Entries = EntriesMax
	}
	if len(content) > m.Bytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, m.Bytes)
	}
	der, err := derOf(content)
	if err != nil {
		return nil, err
	}
	l := &List{}
	if err := l.read(der, m.Entries); err != nil {
		return nil, err
	}
	l.order()
	return l, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

// derOf unwraps PEM: one block, and nothing after it.
func derOf(content []byte) ([]byte, error) {
	const sequence = 0x30 // what every list in DER begins with
	if len(content) > 0 && content[0] == sequence {
		return content, nil
	}
	block, rest := pem.Decode(content)
	switch {
	case block == nil:
		return nil, malformed("neither DER nor PEM")
	case block.Type != "X509 CRL":
		return nil, malformed("a PEM block of another kind")
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, malformed("something after the PEM block")
	}
	return block.Bytes, nil
}

// read reads a CertificateList (RFC 5280 §5.1).
func (l *List) read(der []byte, entriesMax int) error {
	input := cryptobyte.String(der)
	var list, element, content, identifier cryptobyte.String
	var value []byte
	if !input.ReadASN1(&list, asn1.SEQUENCE) || !input.Empty() {
		return malformed("not one SEQUENCE")
	}
	if !list.ReadASN1Element(&element, asn1.SEQUENCE) || !list.ReadASN1(&identifier, asn1.SEQUENCE) ||
		!list.ReadASN1BitStringAsBytes(&value) || !list.Empty() {
		return malformed("not a list, an algorithm and a signature")
	}
	signed := element
	if !element.ReadASN1(&content, asn1.SEQUENCE) {
		return malformed("the list is not a SEQUENCE")
	}
	if err := l.readSignature(signed, identifier, value); err != nil {
		return err
	}
	return l.readSigned(content, identifier, entriesMax)
}

func (l *List) readSignature(signed, identifier, value []byte) error {
	for _, a := range algorithms {
		if string(identifier) == a.identifier {
			hash := a.hash.New()
			hash.Write(signed)
			l.signature = signature{algorithm: a, digest: hash.Sum(nil), value: bytes.Clone(value)}
			return nil
		}
	}
	return ErrAlgorithm
}

var (
	tagExtensions = asn1.Tag(0).ContextSpecific().Constructed()
	version2      = []byte{1}
)

// readSigned reads a TBSCertList. Its fields all come in their order, and but for the entries none is left out.
func (l *List) readSigned(s, identifier cryptobyte.String, entriesMax int) error {
	var version, algorithm, issuer, revoked, extensions cryptobyte.String
	var isExtended bool
	switch {
	case !s.ReadASN1(&version, asn1.INTEGER) || !bytes.Equal(version, version2):
		return malformed("not of version 2")
	case !s.ReadASN1(&algorithm, asn1.SEQUENCE) || !bytes.Equal(algorithm, identifier): // RFC 5280 §5.1.2.2
		return malformed("two algorithms of one signature")
	case !s.ReadASN1Element(&issuer, asn1.SEQUENCE):
		return malformed("no issuer")
	case !readTime(&s, &l.thisUpdate) || !readTime(&s, &l.nextUpdate): // RFC 5280 §5.1.2.5: nextUpdate must be there
		return malformed("not a thisUpdate and a nextUpdate")
	case !l.nextUpdate.After(l.thisUpdate):
		return malformed("it expires before it begins")
	case !s.ReadOptionalASN1(&revoked, nil, asn1.SEQUENCE) || !s.ReadOptionalASN1(&extensions, &isExtended, tagExtensions) || !s.Empty():
		return malformed("something after the entries that is no extensions")
	}
	var err error
	if l.issuer, err = stircert.NameKey(issuer); err != nil {
		return malformed("the issuer: %w", err)
	}
	if isExtended {
		if err := l.readExtensions(extensions); err != nil {
			return err
		}
	}
	return l.readEntries(revoked, issuer, entriesMax)
}

// readTime reads a Time (RFC 5280 §5.1.2.4).
func readTime(s *cryptobyte.String, out *time.Time) bool {
	if s.PeekASN1Tag(asn1.GeneralizedTime) {
		return s.ReadASN1GeneralizedTime(out)
	}
	return s.ReadASN1UTCTime(out)
}

// The extensions of a list and of its entries that are looked at: the content of their object identifiers, all of which
// lie below id-ce.
const (
	extCRLNumber    = "\x55\x1d\x14"
	extReason       = "\x55\x1d\x15"
	extDelta        = "\x55\x1d\x1b"
	extDistribution = "\x55\x1d\x1c" // issuingDistributionPoint
	extIssuer       = "\x55\x1d\x1d" // certificateIssuer
)

// extension is one Extension (RFC 5280 §4.1).
type extension struct {
	oid      cryptobyte.String
	critical bool
	value    cryptobyte.String
}

func readExtension(s *cryptobyte.String, e *extension) bool {
	var body cryptobyte.String
	return s.ReadASN1(&body, asn1.SEQUENCE) && body.ReadASN1(&e.oid, asn1.OBJECT_IDENTIFIER) &&
		(!body.PeekASN1Tag(asn1.BOOLEAN) || body.ReadASN1Boolean(&e.critical)) &&
		body.ReadASN1(&e.value, asn1.OCTET_STRING) && body.Empty()
}

// extensionsMax bounds the extensions of a list, of which RFC 5280 knows seven.
const extensionsMax = 32

func (l *List) readExtensions(s cryptobyte.String) error {
	var all cryptobyte.String
	if !s.ReadASN1(&all, asn1.SEQUENCE) || !s.Empty() || all.Empty() {
		return malformed("the extensions are not a SEQUENCE of something")
	}
	seen := make(map[string]bool)
	for !all.Empty() {
		var e extension
		if !readExtension(&all, &e) {
			return malformed("an extension that is none")
		}
		if seen[string(e.oid)] || len(seen) == extensionsMax {
			return malformed("an extension twice, or more than %d", extensionsMax)
		}
		seen[string(e.oid)] = true
		if err := l.readListExtension(e); err != nil {
			return err
		}
	}
	return nil
}

func (l *List) readListExtension(e extension) error {
	switch string(e.oid) {
	case extCRLNumber:
		return l.readNumber(e.value)
	case extDistribution:
		return l.readDistribution(e.value)
	case extDelta:
		return ErrDelta
	}
	if e.critical { // RFC 5280 §5.2
		return ErrCritical
	}
	return nil
}

func (l *List) readNumber(s cryptobyte.String) error {
	number := new(big.Int)
	if !s.ReadASN1Integer(number) || !s.Empty() || number.Sign() < 0 || number.BitLen() > 8*NumberOctetsMax {
		return malformed("the number is not an INTEGER of 0 or more and at most %d octets", NumberOctetsMax)
	}
	l.number = number
	return nil
}

// The fields of an IssuingDistributionPoint (RFC 5280 §5.2.5), in their order.
var (
	tagPointName     = asn1.Tag(0).ContextSpecific().Constructed()
	tagOnlyUsers     = asn1.Tag(1).ContextSpecific()
	tagOnlyCAs       = asn1.Tag(2).ContextSpecific()
	tagOnlyReasons   = asn1.Tag(3).ContextSpecific()
	tagIndirect      = asn1.Tag(4).ContextSpecific()
	tagOnlyAttribute = asn1.Tag(5).ContextSpecific()
)

// readDistribution refuses lists that tell of a part: whoever is not on one may be on another that we do not have.
//
// DIVERGES RFC 5280 §6.3.3: the name of the distribution point is not compared with those that a certificate has. The
// STI-PA serves its one list from several hosts, and the certificates name them all.
func (l *List) readDistribution(s cryptobyte.String) error {
	var body, reasons cryptobyte.String
	var users, cas, someReasons, attributes bool
	if !s.ReadASN1(&body, asn1.SEQUENCE) || !s.Empty() || !body.SkipOptionalASN1(tagPointName) ||
		!readFlag(&body, tagOnlyUsers, &users) || !readFlag(&body, tagOnlyCAs, &cas) ||
		!body.ReadOptionalASN1(&reasons, &someReasons, tagOnlyReasons) ||
		!readFlag(&body, tagIndirect, &l.indirect) || !readFlag(&body, tagOnlyAttribute, &attributes) || !body.Empty() {
		return malformed("the issuing distribution point")
	}
	if users || cas || someReasons || attributes {
		return ErrPartial
	}
	return nil
}

// readFlag reads a BOOLEAN that has a tag of its own and is FALSE when it is not there.
func readFlag(s *cryptobyte.String, tag asn1.Tag, out *bool) bool {
	var content cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&content, &present, tag) || present && (len(content) != 1 || content[0] != 0 && content[0] != 0xff) {
		return false
	}
	*out = present && content[0] != 0
	return true
}
