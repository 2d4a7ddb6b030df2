package stircert

import (
	"crypto/x509/pkix"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/viaduct-oob/viaduct/tn"
)

// Limits of a TNAuthList. RFC 8226 states none; these are ours, and far above what is issued.
const (
	TNAuthListEntriesMax = 10_000 // entries of all kinds together
	SPCLengthMax         = 32     // bytes of one service provider code; those of the network have 4 or 5
)

// The alternatives of a TNEntry (RFC 8226 §9). The module has EXPLICIT TAGS: each wraps a whole element.
var (
	tagSPC   = asn1.Tag(0).ContextSpecific().Constructed()
	tagRange = asn1.Tag(1).ContextSpecific().Constructed()
	tagOne   = asn1.Tag(2).ContextSpecific().Constructed()
)

// TNAuthList is what a certificate is authoritative for (RFC 8226 §9): service provider codes, which stand for all
// numbers of that provider, and numbers. A single number is a Range of one. Entries of one kind keep their order. The
// zero TNAuthList is authority for nothing.
type TNAuthList struct {
	SPCs   []string
	Ranges []tn.Range
}

// ParseTNAuthList reads the value of a TNAuthList extension, strictly: any deviation from RFC 8226 §9 is refused with
// [BadTNAuthList].
//
// DIVERGES RFC 8226 §9: a service provider code is any IA5String there; one that is empty, longer than SPCLengthMax
// or holds other than visible characters is refused here, because it becomes a path segment, a label and a key.
func ParseTNAuthList(der []byte) (TNAuthList, error) {
	input := cryptobyte.String(der)
	var entries cryptobyte.String
	if !input.ReadASN1(&entries, asn1.SEQUENCE) {
		return TNAuthList{}, badTNAuthList("not a SEQUENCE")
	}
	if !input.Empty() {
		return TNAuthList{}, badTNAuthList("bytes after its end")
	}
	if entries.Empty() {
		return TNAuthList{}, badTNAuthList("no entries")
	}
	var list TNAuthList
	for n := 1; !entries.Empty(); n++ {
		if n > TNAuthListEntriesMax {
			return TNAuthList{}, badTNAuthList("more than %d entries", TNAuthListEntriesMax)
		}
		if err := list.readEntry(&entries); err != nil {
			return TNAuthList{}, badTNAuthList("entry %d: %w", n, err)
		}
	}
	return list, nil
}

func badTNAuthList(format string, args ...any) error {
	return fmt.Errorf("%w: %w", BadTNAuthList, fmt.Errorf(format, args...))
}

func (l *TNAuthList) readEntry(entries *cryptobyte.String) error {
	var entry cryptobyte.String
	var tag asn1.Tag
	if !entries.ReadAnyASN1(&entry, &tag) {
		return fmt.Errorf("not a DER element")
	}
	switch tag {
	case tagSPC:
		return l.readSPC(entry)
	case tagRange:
		return l.readRange(entry)
	case tagOne:
		return l.readOne(entry)
	}
	return fmt.Errorf("tag %#x is none of spc [0], range [1], one [2]", uint8(tag))
}

func (l *TNAuthList) readSPC(entry cryptobyte.String) error {
	var spc cryptobyte.String
	if !entry.ReadASN1(&spc, asn1.IA5String) || !entry.Empty() {
		return fmt.Errorf("an spc is not one IA5String")
	}
	if !ValidSPC(string(spc)) {
		return fmt.Errorf("an spc is not 1 to %d visible characters", SPCLengthMax)
	}
	l.SPCs = append(l.SPCs, string(spc))
	return nil
}

// ValidSPC reports whether a text can be a service provider code: 1 to [SPCLengthMax] visible ASCII characters.
func ValidSPC(spc string) bool { return visibleASCII(spc, SPCLengthMax) }

func (l *TNAuthList) readRange(entry cryptobyte.String) error {
	var body cryptobyte.String
	if !entry.ReadASN1(&body, asn1.SEQUENCE) || !entry.Empty() {
		return fmt.Errorf("a range is not one SEQUENCE")
	}
	start, err := readNumber(&body)
	if err != nil {
		return err
	}
	var count uint64
	if !body.ReadASN1Integer(&count) {
		return fmt.Errorf("the count of a range is not an INTEGER from 0 to 2^64-1")
	}
	if count < 2 {
		return fmt.Errorf("the count of a range is less than 2")
	}
	// The extension marker of TelephoneNumberRange: what a later version adds is skipped, if it is DER at all.
	for !body.Empty() {
		if !body.ReadAnyASN1(new(cryptobyte.String), new(asn1.Tag)) {
			return fmt.Errorf("bytes after the count of a range are not DER")
		}
	}
	return l.addRange(start, count)
}

func (l *TNAuthList) readOne(entry cryptobyte.String) error {
	number, err := readNumber(&entry)
	if err != nil {
		return err
	}
	if !entry.Empty() {
		return fmt.Errorf("bytes after a number")
	}
	return l.addRange(number, 1)
}

func (l *TNAuthList) addRange(start tn.Number, count uint64) error {
	r, err := tn.NewRange(start, count)
	if err != nil {
		return err
	}
	l.Ranges = append(l.Ranges, r)
	return nil
}

func readNumber(s *cryptobyte.String) (tn.Number, error) {
	var text cryptobyte.String
	if !s.ReadASN1(&text, asn1.IA5String) {
		return tn.Number{}, fmt.Errorf("a number is not an IA5String")
	}
	return tn.ParseNumber(string(text))
}

// Marshal is the DER that [ParseTNAuthList] reads: the codes first, then ranges and numbers. A list that could not be
// read back is an error.
func (l TNAuthList) Marshal() ([]byte, error) {
	if n := len(l.SPCs) + len(l.Ranges); n == 0 || n > TNAuthListEntriesMax {
		return nil, badTNAuthList("%d entries, must be 1 to %d", n, TNAuthListEntriesMax)
	}
	for i, spc := range l.SPCs {
		if !ValidSPC(spc) {
			return nil, badTNAuthList("spc %d is not 1 to %d visible characters", i+1, SPCLengthMax)
		}
	}
	for i, r := range l.Ranges {
		if r.Count() == 0 {
			return nil, badTNAuthList("range %d is empty", i+1)
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, l.addEntries)
	return b.Bytes()
}

func (l TNAuthList) addEntries(b *cryptobyte.Builder) {
	for _, spc := range l.SPCs {
		b.AddASN1(tagSPC, addIA5String(spc))
	}
	for _, r := range l.Ranges {
		start := addIA5String(r.Start().String())
		if r.Count() == 1 {
			b.AddASN1(tagOne, start)
			continue
		}
		b.AddASN1(tagRange, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				start(b)
				b.AddASN1Uint64(r.Count())
			})
		})
	}
}

func addIA5String(s string) cryptobyte.BuilderContinuation {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.IA5String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) })
	}
}

// HasSPC reports whether spc is listed, letter for letter: the network has certificates for 583j and for 583J, and
// nothing says that they are the same provider.
func (l TNAuthList) HasSPC(spc string) bool { return slices.Contains(l.SPCs, spc) }

// HasNumber reports whether n is listed as a number or within a range. The numbers that belong to a listed provider
// code are not known here.
func (l TNAuthList) HasNumber(n tn.Number) bool {
	for _, r := range l.Ranges {
		if r.Contains(n) {
			return true
		}
	}
	return false
}

// Empty reports whether the list is authority for nothing.
func (l TNAuthList) Empty() bool { return len(l.SPCs) == 0 && len(l.Ranges) == 0 }

// Extension is the certificate extension that holds the list. It is not critical (RFC 8226 §9).
func (l TNAuthList) Extension() (pkix.Extension, error) {
	der, err := l.Marshal()
	if err != nil {
		return pkix.Extension{}, err
	}
	return pkix.Extension{Id: oidTNAuthList, Value: der}, nil
}
