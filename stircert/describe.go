package stircert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"time"
)

// Field is one line of a description.
type Field struct{ Name, Value string }

// Describe says what a certificate holds, for people: who, for what, by whom, when, within which limits, and one
// "deviation" for each finding of [Lint] in the edition that was in force. It shows telephone numbers, so it goes to a
// terminal and not to a log.
func Describe(c *Certificate) []Field {
	x := c.X509()
	role := roleOf(x)
	fields := []Field{
		{"subject", x.Subject.String()},
		{"issuer", x.Issuer.String()},
		{"serial", fmt.Sprintf("%x", x.SerialNumber)},
		{"not before", x.NotBefore.UTC().Format(time.RFC3339)},
		{"not after", x.NotAfter.UTC().Format(time.RFC3339)},
		{"key", keyType(x)},
		{"signed with", x.SignatureAlgorithm.String()},
		{"role", role.String()},
	}
	fields = append(fields, scopeFields(c)...)
	fields = append(fields, constraintFields(c.Constraints)...)
	for _, policy := range x.Policies {
		fields = append(fields, Field{"policy", policy.String()})
	}
	fields = append(fields, crlFields(CRLPoints(x))...)
	fields = append(fields, Field{"sha-256", fmt.Sprintf("%x", c.Hash)})
	if err := c.CheckEndEntity(); err != nil {
		fields = append(fields, Field{"unusable", err.Error()})
	}
	for _, f := range lint(subjectOf(c, x), role, EditionInForce) {
		fields = append(fields, Field{"deviation", fmt.Sprintf("%s (%s, %s)", f.Text, f.Rule, f.Section)})
	}
	return fields
}

func scopeFields(c *Certificate) []Field {
	var fields []Field
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
	if c.TNAuthListURL != "" {
		fields = append(fields, Field{"tnauthlist at", c.TNAuthListURL})
	}
	return fields
}

func constraintFields(c *Constraints) []Field {
	if c == nil {
		return nil
	}
	var fields []Field
	for _, name := range c.MustInclude {
		fields = append(fields, Field{"must claim", name})
	}
	for _, permitted := range c.PermittedValues {
		fields = append(fields, Field{"may claim", permitted.Claim + " of " + strings.Join(permitted.Values, ", ")})
	}
	for _, name := range c.MustExclude {
		fields = append(fields, Field{"must not claim", name})
	}
	return fields
}

func crlFields(points []CRLPoint, err error) []Field {
	if err != nil {
		return []Field{{"crl", err.Error()}}
	}
	var fields []Field
	for _, point := range points {
		value := strings.Join(point.URLs, ", ")
		if point.Issuer != "" {
			value += " issued by " + nameOf(point.RawIssuer)
		}
		if point.Partial {
			value += " for some reasons only"
		}
		fields = append(fields, Field{"crl", strings.TrimSpace(value)})
	}
	return fields
}

// nameOf writes a distinguished name as crypto/x509 writes those of subjects.
func nameOf(der []byte) string {
	var sequence pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &sequence); err != nil || len(rest) > 0 {
		return "somebody"
	}
	return sequence.String()
}
