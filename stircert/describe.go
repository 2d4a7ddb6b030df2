package stircert

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Field is one line of a description.
type Field struct{ Name, Value string }

// Describe says what a certificate holds, for people: who, for what, by whom, when, and one "deviation" for each
// thing that ATIS-1000080.v005 §6.4.1 asks for and the certificate does not do. It shows telephone numbers, so it
// goes to a terminal and not to a log.
func Describe(c *Certificate) []Field {
	x := c.X509()
	fields := []Field{
		{"subject", x.Subject.String()},
		{"issuer", x.Issuer.String()},
		{"serial", fmt.Sprintf("%x", x.SerialNumber)},
		{"not before", x.NotBefore.UTC().Format(time.RFC3339)},
		{"not after", x.NotAfter.UTC().Format(time.RFC3339)},
		{"key", keyType(x)},
		{"signed with", x.SignatureAlgorithm.String()},
	}
	for _, spc := range c.TNAuthList.SPCs {
		fields = append(fields, Field{"spc", spc})
	}
	for _, r := range c.TNAuthList.Ranges {
		value := r.Start().String()
		if r.Count() > 1 {
			value = fmt.Sprintf("%s and the %d after it", value, r.Count()-1)
		}
		fields = append(fields, Field{"number", value})
	}
	for _, policy := range x.Policies {
		fields = append(fields, Field{"policy", policy.String()})
	}
	for _, point := range x.CRLDistributionPoints {
		fields = append(fields, Field{"crl", point})
	}
	fields = append(fields, Field{"sha-256", fmt.Sprintf("%x", c.Hash)})
	if err := c.CheckEndEntity(); err != nil {
		fields = append(fields, Field{"unusable", err.Error()})
	}
	for _, d := range profile {
		if d.in(c, x) {
			fields = append(fields, Field{"deviation", d.text})
		}
	}
	return fields
}

// profile is what a description reports of ATIS-1000080.v005 §6.4.1. Figures are those of the network's 19,306 leaves.
var profile = []struct {
	text string
	in   func(*Certificate, *x509.Certificate) bool
}{
	{"the subject lacks C, O or CN", func(_ *Certificate, x *x509.Certificate) bool {
		s := x.Subject
		return len(s.Country) == 0 || len(s.Organization) == 0 || s.CommonName == ""
	}},
	{"the CN is not SHAKEN and the SPC", func(c *Certificate, x *x509.Certificate) bool { // one in four
		return len(c.TNAuthList.SPCs) == 0 || x.Subject.CommonName != "SHAKEN "+c.TNAuthList.SPCs[0]
	}},
	{"the TNAuthList is not exactly one SPC", func(c *Certificate, x *x509.Certificate) bool {
		return len(c.TNAuthList.SPCs) != 1 || len(c.TNAuthList.Ranges) != 0
	}},
	{"the SPC is not upper case letters and digits", func(c *Certificate, x *x509.Certificate) bool {
		return slices.ContainsFunc(c.TNAuthList.SPCs, func(spc string) bool {
			return strings.Trim(spc, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != ""
		})
	}},
	{"BasicConstraints is absent or not critical", func(c *Certificate, x *x509.Certificate) bool { return !hasCritical(x, oidBasicConstraints) }},
	{"KeyUsage is absent or not critical", func(c *Certificate, x *x509.Certificate) bool { return !hasCritical(x, oidKeyUsage) }},
	{"KeyUsage is not digitalSignature alone", func(c *Certificate, x *x509.Certificate) bool {
		return x.KeyUsage != x509.KeyUsageDigitalSignature
	}},
	{"an extension other than BasicConstraints and KeyUsage is critical", hasOtherCritical},
	{"there is no SubjectKeyIdentifier", func(c *Certificate, x *x509.Certificate) bool { return len(x.SubjectKeyId) == 0 }},
	{"there is no AuthorityKeyIdentifier", func(c *Certificate, x *x509.Certificate) bool { return len(x.AuthorityKeyId) == 0 }},
	{"there is not exactly one certificate policy", func(c *Certificate, x *x509.Certificate) bool { return len(x.Policies) != 1 }},
	{"there is no CRL distribution point", func(c *Certificate, x *x509.Certificate) bool { return len(x.CRLDistributionPoints) == 0 }},
	{"the serial is shorter than 64 bits", func(c *Certificate, x *x509.Certificate) bool { return len(x.SerialNumber.Bytes()) < 8 }},
	{"the signature is not ecdsa-with-SHA256", func(c *Certificate, x *x509.Certificate) bool {
		return x.SignatureAlgorithm != x509.ECDSAWithSHA256
	}},
	{"the certificate is self-signed", func(c *Certificate, x *x509.Certificate) bool {
		return bytes.Equal(x.RawIssuer, x.RawSubject)
	}},
}

var (
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
)

func hasCritical(x *x509.Certificate, oid asn1.ObjectIdentifier) bool {
	for _, ext := range x.Extensions {
		if ext.Id.Equal(oid) {
			return ext.Critical
		}
	}
	return false
}

func hasOtherCritical(_ *Certificate, x *x509.Certificate) bool {
	for _, ext := range x.Extensions {
		if ext.Critical && !ext.Id.Equal(oidKeyUsage) && !ext.Id.Equal(oidBasicConstraints) {
			return true
		}
	}
	return false
}
