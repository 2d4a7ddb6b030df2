package stircert

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of a distinguished name. RFC 5280 bounds each attribute to at most 32,768 characters and not their number.
const (
	NameBytesMax      = 4096 // of the DER
	NameAttributesMax = 32
)

// The string types of attribute values that crypto/x509's ASN.1 package has no name for.
const (
	tagNumericString   asn1.Tag = 18
	tagVisibleString   asn1.Tag = 26
	tagUniversalString asn1.Tag = 28
	tagBMPString       asn1.Tag = 30
)

// NameKey is the normal form of a distinguished name, an RDNSequence in DER such as x509.Certificate.RawIssuer: two names
// are the same if their keys are. It is text for maps and for logs, and no name to show people: see pkix.Name for that.
// A name that is none, or that is empty and names nobody, is refused with [BadName].
//
// Values compare as RFC 5280 §7.1 has it: whatever their string type, whatever their case, without white space around
// them and with one space for any inside. One issuer of CRLs is written as UTF8String in 11,966 certificates of the
// network and as PrintableString in 567.
//
// DIVERGES RFC 5280 §7.1: relative names compare in any order, and without the NFKC normalisation of RFC 4518 §2.3. The
// network writes that issuer both from the country down and from the locality up. Nothing is believed on the strength of
// a name: a key or a signature stands behind every issuer that is compared with another, so that two names which are
// mixed up can at most apply a trusted revocation to one certificate too many, and only if their serials are equal too.
func NameKey(rawRDNSequence []byte) (string, error) {
	if len(rawRDNSequence) > NameBytesMax {
		return "", fmt.Errorf("%w: more than %d bytes", BadName, NameBytesMax)
	}
	input := cryptobyte.String(rawRDNSequence)
	var sequence cryptobyte.String
	if !input.ReadASN1(&sequence, asn1.SEQUENCE) || !input.Empty() {
		return "", fmt.Errorf("%w: not one SEQUENCE", BadName)
	}
	var names []string
	for attributes := 0; !sequence.Empty(); {
		name, n, err := relativeName(&sequence, NameAttributesMax-attributes)
		if err != nil {
			return "", err
		}
		attributes += n
		names = append(names, name)
	}
	if len(names) == 0 {
		return "", fmt.Errorf("%w: it is empty", BadName)
	}
	slices.Sort(names)
	return strings.Join(names, ","), nil
}

// relativeName reads one RelativeDistinguishedName of at most that many attributes, and says how many it has.
func relativeName(sequence *cryptobyte.String, attributesMax int) (string, int, error) {
	var set cryptobyte.String
	if !sequence.ReadASN1(&set, asn1.SET) || set.Empty() {
		return "", 0, fmt.Errorf("%w: a relative name is not a SET of something", BadName)
	}
	var attributes []string
	for !set.Empty() {
		if len(attributes) == attributesMax {
			return "", 0, fmt.Errorf("%w: more than %d attributes", BadName, NameAttributesMax)
		}
		attribute, err := nameAttribute(&set)
		if err != nil {
			return "", 0, err
		}
		attributes = append(attributes, attribute)
	}
	slices.Sort(attributes)
	return strings.Join(attributes, "+"), len(attributes), nil
}

// nameAttribute reads one AttributeTypeAndValue. The value is quoted, so that no value can look like two attributes; one
// of no string type is shown in hexadecimal, which compares byte by byte (RFC 5280 §7.1).
func nameAttribute(set *cryptobyte.String) (string, error) {
	var attribute, oid, value cryptobyte.String
	var tag asn1.Tag
	if !set.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) ||
		!attribute.ReadAnyASN1(&value, &tag) || !attribute.Empty() {
		return "", fmt.Errorf("%w: an attribute is not a type and a value", BadName)
	}
	kind := oidText(oid)
	text, isText, err := attributeText(tag, value)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", BadName, err)
	case !isText:
		return kind + "=#" + hex.EncodeToString([]byte{byte(tag)}) + hex.EncodeToString(value), nil
	}
	return kind + "=" + strconv.Quote(foldedText(text)), nil
}

// attributeText decodes the string types of RFC 5280 §A.1.
func attributeText(tag asn1.Tag, value []byte) (text string, isText bool, err error) {
	switch tag {
	case asn1.UTF8String:
		if !utf8.Valid(value) {
			return "", false, fmt.Errorf("a UTF8String is not UTF-8")
		}
		return string(value), true, nil
	case asn1.PrintableString, asn1.IA5String, tagNumericString, tagVisibleString:
		if slices.ContainsFunc(value, func(c byte) bool { return c >= utf8.RuneSelf }) {
			return "", false, fmt.Errorf("an ASCII string is not ASCII")
		}
		return string(value), true, nil
	case asn1.T61String: // as everybody reads it, in Latin-1
		runes := make([]rune, len(value))
		for i, c := range value {
			runes[i] = rune(c)
		}
		return string(runes), true, nil
	case tagBMPString:
		return wideText(value, 2)
	case tagUniversalString:
		return wideText(value, 4)
	}
	return "", false, nil
}

// wideText decodes characters of two or four bytes each. Two cannot write what lies beyond U+FFFF: no surrogates.
func wideText(value []byte, width int) (text string, isText bool, err error) {
	if len(value)%width != 0 {
		return "", false, fmt.Errorf("a string is not whole characters of %d bytes", width)
	}
	runes := make([]rune, 0, len(value)/width)
	for ; len(value) > 0; value = value[width:] {
		var r rune
		for _, c := range value[:width] {
			r = r<<8 | rune(c)
		}
		if !utf8.ValidRune(r) {
			return "", false, fmt.Errorf("a string holds what is no character")
		}
		runes = append(runes, r)
	}
	return string(runes), true, nil
}

// foldedText is one of the texts that differ in case and white space only.
func foldedText(text string) string {
	return strings.ToLower(strings.ToUpper(strings.Join(strings.Fields(text), " ")))
}

// oidText writes an object identifier as numbers with dots, or in hexadecimal when its numbers are too large for that.
func oidText(oid cryptobyte.String) string {
	var numbers []byte
	var number uint64
	for i, c := range oid {
		if number > 1<<50 {
			return "#" + hex.EncodeToString(oid)
		}
		number = number<<7 | uint64(c&0x7f)
		if c&0x80 != 0 {
			continue
		}
		if numbers == nil { // the first two numbers are one
			first := min(number/40, 2)
			numbers = strconv.AppendUint(numbers, first, 10)
			number -= first * 40
		}
		numbers = strconv.AppendUint(append(numbers, '.'), number, 10)
		number = 0
		if i == len(oid)-1 {
			return string(numbers)
		}
	}
	return "#" + hex.EncodeToString(oid)
}
