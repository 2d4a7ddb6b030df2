package stircert

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"
)

// Edition is one of ATIS-1000080, whose profile of certificates [Lint] compares with.
type Edition uint8

// The editions. EditionInForce is the one that was published when the certificate became valid: what was issued before
// an edition need not follow it.
const (
	EditionInForce Edition = iota
	V003
	V004
	V005
	editionEnd // keep last
)

// published is when each edition was.
var published = [editionEnd]time.Time{
	V003: time.Date(2020, time.September, 4, 0, 0, 0, 0, time.UTC),
	V004: time.Date(2021, time.October, 18, 0, 0, 0, 0, time.UTC),
	V005: time.Date(2022, time.December, 12, 0, 0, 0, 0, time.UTC),
}

// EditionAt is the edition in force at an instant; before the first that is known here, that one.
func EditionAt(at time.Time) Edition {
	for e := V005; e > V003; e-- {
		if !at.Before(published[e]) {
			return e
		}
	}
	return V003
}

// ParseEdition reads v003, v004, v005, or auto for EditionInForce.
func ParseEdition(text string) (Edition, error) {
	for e := EditionInForce; e < editionEnd; e++ {
		if text == e.String() {
			return e, nil
		}
	}
	return 0, errors.New("an edition of ATIS-1000080 is one of v003, v004, v005, auto")
}

// String is what ParseEdition reads.
func (e Edition) String() string {
	switch e {
	case EditionInForce:
		return "auto"
	case V003, V004, V005:
		return fmt.Sprintf("v%03d", uint8(e-V003)+3)
	}
	return "unknown"
}

// Role is the place of a certificate in a chain. Roles are bits, because a rule may hold for several.
type Role uint8

// The roles.
const (
	Leaf Role = 1 << iota
	Intermediate
	Root

	authority = Intermediate | Root
	anyRole   = Leaf | authority
)

// String names the role.
func (r Role) String() string {
	switch r {
	case Leaf:
		return "leaf"
	case Intermediate:
		return "intermediate"
	case Root:
		return "root"
	}
	return "unknown"
}

// RoleOf finds the role that a certificate claims: a CA that issued itself is a root, what is no CA is a leaf.
func RoleOf(c *Certificate) Role { return roleOf(c.X509()) }

func roleOf(cert *x509.Certificate) Role {
	switch {
	case !cert.IsCA:
		return Leaf
	case bytes.Equal(cert.RawIssuer, cert.RawSubject):
		return Root
	}
	return Intermediate
}

// Severity is how bad a finding is for the CA that issued the certificate. No call fails for either.
type Severity uint8

// The severities.
const (
	Warning Severity = iota + 1 // the document leaves it open, or says no more than should
	Error                       // the document says shall
)

// String names the severity.
func (s Severity) String() string {
	switch s {
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return "unknown"
}

// Finding is one deviation from the profile.
type Finding struct {
	Rule     string // short and stable
	Section  string // of the document that asks for it
	Severity Severity
	Text     string // what is wrong, for people
}

// Lint compares a certificate with the profile of STI certificates, ATIS-1000080 §6.4.1 in one of its editions, and with
// the United States certificate policy where the certificate claims to follow it. It tells CAs what they did, and never
// makes a call fail: the network lives with thousands of certificates that deviate. What must fail a call is said by
// [Certificate.CheckEndEntity].
//
// Not seen here are the rules that take more than the certificate: that serials and key identifiers are unique, that the
// AuthorityKeyIdentifier is that of the issuer, and that the CRL issuer is the STI-PA's.
func Lint(c *Certificate, role Role, edition Edition) []Finding {
	return lint(subjectOf(c, c.X509()), role, edition)
}

// lintSubject is what the rules look at: a certificate with all that had to be found out about it.
type lintSubject struct {
	*x509.Certificate
	list        TNAuthList
	reference   bool // to a TNAuthList
	points      []CRLPoint
	constraints []*Constraints // as they are written, whatever comes of them
	policies    []string
}

func subjectOf(c *Certificate, cert *x509.Certificate) *lintSubject {
	s := &lintSubject{Certificate: cert, list: c.TNAuthList}
	s.points, _ = CRLPoints(cert) // none, if malformed
	for _, ext := range cert.Extensions {
		switch {
		case ext.Id.Equal(oidAuthorityAccess):
			url, err := tnAuthListReference(ext.Value)
			s.reference = url != "" || err != nil
		case ext.Id.Equal(oidConstraints), ext.Id.Equal(oidEnhancedConstraints):
			constraints, err := ParseConstraints(ext.Value, ext.Id.Equal(oidEnhancedConstraints))
			if err == nil {
				s.constraints = append(s.constraints, constraints)
			}
		}
	}
	for _, policy := range cert.Policies {
		s.policies = append(s.policies, policy.String())
	}
	return s
}

func lint(s *lintSubject, role Role, edition Edition) []Finding {
	if edition == EditionInForce {
		edition = EditionAt(s.NotBefore)
	}
	var findings []Finding
	for _, r := range lintRules {
		if r.roles&role == 0 || edition < r.since || r.until != 0 && edition > r.until || !r.broken(s) {
			continue
		}
		section := r.section
		if section == "" {
			section = fmt.Sprintf("ATIS-1000080.%s §6.4.1", edition)
		}
		findings = append(findings, Finding{r.name, section, r.severity, r.text})
	}
	return findings
}

func (s *lintSubject) extension(oid asn1.ObjectIdentifier) (critical, present bool) {
	for _, ext := range s.Extensions {
		if ext.Id.Equal(oid) {
			return ext.Critical, true
		}
	}
	return false, false
}

// isCritical reports whether the extension is there and critical.
func (s *lintSubject) isCritical(oid asn1.ObjectIdentifier) bool {
	critical, _ := s.extension(oid)
	return critical
}

func (s *lintSubject) has(oid asn1.ObjectIdentifier) bool {
	_, present := s.extension(oid)
	return present
}
