package stircert_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
)

// editions are given as text: "345" is V003 to V005.
func editionsOf(text string) []stircert.Edition {
	var all []stircert.Edition
	for _, r := range text {
		all = append(all, stircert.V003+stircert.Edition(r-'3'))
	}
	return all
}

// lintCase is a certificate that breaks a rule, and in which editions: in the others it must not.
type lintCase struct {
	rule, editions, name string
	role                 stircert.Role
	modify               func(*x509.Certificate)
	public               func() any
	patch                func(der []byte) []byte // for what x509.CreateCertificate refuses to make
	file                 string                  // in testdata, instead of all that
}

func (c lintCase) certificate(t *testing.T) *stircert.Certificate {
	if c.file != "" {
		return readCertificate(t, c.file)
	}
	modified := template(t, c.role)
	modified.SubjectKeyId = nil // the SHA-256 form of crypto/x509, unless a case says otherwise
	compliantKeyID(modified)
	if c.modify != nil {
		c.modify(modified)
	}
	var public any
	if c.public != nil {
		public = c.public()
	} else if c.role == stircert.Root {
		public = keys().ca.Public()
	}
	cert := made(t, modified, public)
	if c.patch == nil {
		return cert
	}
	patched, err := stircert.Parse(c.patch(slices.Clone(cert.Raw)))
	if err != nil {
		t.Fatal(err)
	}
	return patched
}

func found(cert *stircert.Certificate, role stircert.Role, edition stircert.Edition) []string {
	var rules []string
	for _, f := range stircert.Lint(cert, role, edition) {
		rules = append(rules, f.Rule)
	}
	return rules
}

func TestATIS1000080_S6_4_1_EveryRuleIsBrokenByACertificate(t *testing.T) {
	broken := make(map[string]bool)
	for _, c := range lintCases {
		t.Run(c.rule+"/"+c.role.String()+"/"+c.name, func(t *testing.T) {
			cert := c.certificate(t)
			for _, edition := range editionsOf("345") {
				want := slices.Contains(editionsOf(c.editions), edition)
				if got := found(cert, c.role, edition); slices.Contains(got, c.rule) != want {
					t.Errorf("%v: found %v; the rule: want %v", edition, got, want)
				}
			}
		})
		if c.editions != "" {
			broken[c.rule] = true
		}
	}
	for _, rule := range stircert.LintRuleNames() {
		if !broken[rule] {
			t.Errorf("no certificate breaks %s", rule)
		}
	}
	for rule := range broken {
		if !slices.Contains(stircert.LintRuleNames(), rule) {
			t.Errorf("%s is not a rule", rule)
		}
	}
}

func TestATIS1000080_S6_4_1_ProfileHasNoFindings(t *testing.T) {
	for _, role := range []stircert.Role{stircert.Leaf, stircert.Intermediate, stircert.Root} {
		cert := lintCase{role: role}.certificate(t)
		if got := stircert.RoleOf(cert); got != role {
			t.Errorf("the %v is taken for a %v", role, got)
		}
		for _, edition := range append(editionsOf("345"), stircert.EditionInForce) {
			if got := stircert.Lint(cert, role, edition); got != nil {
				t.Errorf("%v %v: %+v", edition, role, got)
			}
		}
	}
}

func TestATIS1000080_S6_4_1_EditionInForceJudges(t *testing.T) {
	day := func(year int, month time.Month, day int) time.Time {
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	}
	for _, c := range []struct {
		at   time.Time
		want stircert.Edition
	}{
		{day(2019, 1, 1), stircert.V003}, // the oldest that is known
		{day(2020, 9, 4), stircert.V003},
		{day(2021, 10, 18).Add(-time.Second), stircert.V003},
		{day(2021, 10, 18), stircert.V004},
		{day(2022, 12, 12).Add(-time.Second), stircert.V004},
		{day(2022, 12, 12), stircert.V005},
		{day(2030, 1, 1), stircert.V005},
	} {
		if got := stircert.EditionAt(c.at); got != c.want {
			t.Errorf("at %v: %v, want %v", c.at, got, c.want)
		}
		cert := lintCase{role: stircert.Leaf, modify: func(x *x509.Certificate) {
			x.NotBefore, x.KeyUsage = c.at, x509.KeyUsageKeyAgreement
		}}.certificate(t)
		findings := stircert.Lint(cert, stircert.Leaf, stircert.EditionInForce)
		if len(findings) != 1 || findings[0] != (stircert.Finding{
			Rule: "key-usage-leaf", Section: "ATIS-1000080." + c.want.String() + " §6.4.1",
			Severity: stircert.Error, Text: "KeyUsage is not digitalSignature alone",
		}) {
			t.Errorf("at %v: %+v", c.at, findings)
		}
	}
}

func TestParseEdition_ReadsWhatStringWrites(t *testing.T) {
	for _, e := range append(editionsOf("345"), stircert.EditionInForce) {
		if got, err := stircert.ParseEdition(e.String()); err != nil || got != e {
			t.Errorf("%v: %v, %v", e, got, err)
		}
	}
	for _, text := range []string{"", "v002", "V005", "005", "unknown"} {
		if got, err := stircert.ParseEdition(text); err == nil || got != 0 {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func critical(oid asn1.ObjectIdentifier, value []byte) pkix.Extension {
	return pkix.Extension{Id: oid, Critical: true, Value: value}
}

func extend(x *x509.Certificate, ext pkix.Extension) {
	without(x, ext.Id)
	x.ExtraExtensions = append(x.ExtraExtensions, ext)
}

func policy(text string) []x509.OID {
	oid, err := x509.ParseOID(text)
	if err != nil {
		panic("a policy of a test is no object identifier: " + text) // the tests name them
	}
	return []x509.OID{oid}
}

func subjectName(c, o, cn string) pkix.Name {
	name := pkix.Name{CommonName: cn}
	if c != "" {
		name.Country = []string{c}
	}
	if o != "" {
		name.Organization = []string{o}
	}
	return name
}

func setSerial(n int64) func(*x509.Certificate) {
	return func(x *x509.Certificate) { x.SerialNumber = big.NewInt(n) }
}
