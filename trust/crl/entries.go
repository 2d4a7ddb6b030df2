package crl

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// countEntries counts without reading, so that the memory for all is taken once, and not at all for too many.
func countEntries(s cryptobyte.String, entriesMax int) (int, error) {
	n := 0
	for ; !s.Empty(); n++ {
		if n == entriesMax {
			return 0, fmt.Errorf("%w: more than %d entries", ErrTooLarge, entriesMax)
		}
		if !s.SkipASN1(asn1.SEQUENCE) {
			return 0, malformed("entry %d is not a SEQUENCE", n+1)
		}
	}
	return n, nil
}

// readEntries reads revokedCertificates. An entry is about the issuer that it names, or else about that of the entry
// before, and the first about who issued the list (RFC 5280 §5.3.3).
func (l *List) readEntries(s, listIssuer cryptobyte.String, entriesMax int) error {
	n, err := countEntries(s, entriesMax)
	if err != nil {
		return err
	}
	l.entries = make([]entry, 0, n)
	issuer := entryIssuer{raw: listIssuer, hash: sha256.Sum256([]byte(l.issuer))}
	for i := 1; !s.Empty(); i++ {
		if err := l.readEntry(&s, &issuer); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
	}
	return nil
}

// entryIssuer is the issuer of the certificates that entries are about now.
type entryIssuer struct {
	raw  []byte
	hash nameHash
}

func (i *entryIssuer) become(raw []byte) {
	if !bytes.Equal(raw, i.raw) { // as in lists that name it in every entry
		i.raw, i.hash = raw, hashOfName(raw)
	}
}

func (l *List) readEntry(s *cryptobyte.String, issuer *entryIssuer) error {
	var body, serial cryptobyte.String
	var at time.Time
	if !s.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadASN1(&serial, asn1.INTEGER) || !minimal(serial) || !readTime(&body, &at) {
		return malformed("not a serial and a time")
	}
	reason := Unspecified
	if !body.Empty() {
		var err error
		if reason, err = l.readEntryExtensions(body, issuer); err != nil {
			return err
		}
	}
	if reason == removeFromCRL { // RFC 5280 §6.3.3 (l): not revoked
		return nil
	}
	l.entries = append(l.entries, entry{issuer.hash.with(serial), stampOf(at, reason)})
	return nil
}

// minimal tells whether the content of an INTEGER is DER: no octet more than it takes.
func minimal(content []byte) bool {
	if len(content) > 1 {
		return !(content[0] == 0 && content[1]&0x80 == 0 || content[0] == 0xff && content[1]&0x80 != 0)
	}
	return len(content) == 1
}

// readEntryExtensions reads what is behind the time of an entry, gives the reason and notes the issuer.
func (l *List) readEntryExtensions(s cryptobyte.String, issuer *entryIssuer) (Reason, error) {
	var all cryptobyte.String
	if !s.ReadASN1(&all, asn1.SEQUENCE) || !s.Empty() || all.Empty() {
		return 0, malformed("the extensions are not a SEQUENCE of something")
	}
	reason := Unspecified
	var hasReason, hasIssuer bool
	for !all.Empty() {
		var e extension
		if !readExtension(&all, &e) {
			return 0, malformed("an extension that is none")
		}
		switch string(e.oid) {
		case extReason:
			var code int
			if hasReason || !e.value.ReadASN1Enum(&code) || !e.value.Empty() {
				return 0, malformed("the reason is not one ENUMERATED")
			}
			hasReason, reason = true, reasonOf(code)
		case extIssuer:
			var name cryptobyte.String
			if hasIssuer || !l.indirect || !readDirectoryName(e.value, &name) {
				return 0, malformed("the issuer is not one distinguished name, or the list is not indirect")
			}
			hasIssuer = true
			issuer.become(name)
		default:
			if e.critical { // RFC 5280 §5.3
				return 0, ErrCritical
			}
		}
	}
	return reason, nil
}

// reasonOf takes a number without a meaning for no reason given: that the certificate is revoked is what counts.
func reasonOf(code int) Reason {
	if code < 0 || code > int(AACompromise) {
		return Unspecified
	}
	return Reason(code)
}

var tagDirectoryName = asn1.Tag(4).ContextSpecific().Constructed()

// readDirectoryName reads GeneralNames that are one distinguished name (RFC 5280 §5.3.3).
func readDirectoryName(s cryptobyte.String, name *cryptobyte.String) bool {
	var names cryptobyte.String
	return s.ReadASN1(&names, asn1.SEQUENCE) && s.Empty() && names.ReadASN1(name, tagDirectoryName) && names.Empty()
}
