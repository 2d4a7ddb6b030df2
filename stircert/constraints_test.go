package stircert_test

import (
	"bytes"
	"crypto/x509/pkix"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/stircert"
)

const rfc9118Example = "odd-synthetic/rfc9118-example-EnhancedJWTClaimConstraints.pem"

// claims is what a PASSporT claims, as CheckClaims asks for it.
type claims map[string]string

func (c claims) get(name string) (string, bool) {
	value, present := c[name]
	return value, present
}

func TestRFC9118_S5_ExampleCertificate(t *testing.T) {
	cert := readCertificate(t, rfc9118Example)
	want := &stircert.Constraints{
		Enhanced: true, MustInclude: []string{"confidence"},
		PermittedValues: []stircert.ClaimValues{{Claim: "confidence", Values: []string{"high", "medium"}}},
		MustExclude:     []string{"priority"},
	}
	if !reflect.DeepEqual(cert.Constraints, want) {
		t.Fatalf("got %+v", cert.Constraints)
	}
	if err := cert.CheckEndEntity(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		name   string
		claims claims
		want   error
	}{
		{"high", claims{"confidence": "high"}, nil},
		{"medium", claims{"confidence": "medium", "attest": "A"}, nil},
		{"low", claims{"confidence": "low"}, stircert.ConstraintViolated},
		{"in other case", claims{"confidence": "High"}, stircert.ConstraintViolated},
		{"empty", claims{"confidence": ""}, stircert.ConstraintViolated},
		{"absent", claims{"attest": "A"}, stircert.ConstraintViolated},
		{"priority too", claims{"confidence": "high", "priority": "1"}, stircert.ConstraintViolated},
		{"priority null", claims{"confidence": "high", "priority": "null"}, stircert.ConstraintViolated},
	} {
		if err := cert.CheckClaims(c.claims.get); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestRFC8226_S8_ConstraintsAreKept(t *testing.T) {
	permitted := func(claim string, values ...string) stircert.ClaimValues {
		return stircert.ClaimValues{Claim: claim, Values: values}
	}
	const rcdi = `{"/icn":"sha256-abc","/nam":"sha256-def"}`
	for _, c := range []struct {
		name        string
		constraints *stircert.Constraints
		claims      claims
		want        error
	}{
		{"none", nil, claims{}, nil},
		{"a permitted value that is absent", &stircert.Constraints{PermittedValues: []stircert.ClaimValues{permitted("attest", "B")}}, claims{}, nil},
		{"a permitted value", &stircert.Constraints{PermittedValues: []stircert.ClaimValues{permitted("attest", "A", "B")}}, claims{"attest": "B"}, nil},
		{"another value", &stircert.Constraints{PermittedValues: []stircert.ClaimValues{permitted("attest", "A", "B")}}, claims{"attest": "C"}, stircert.ConstraintViolated},
		{"the first letter of a permitted value", &stircert.Constraints{PermittedValues: []stircert.ClaimValues{permitted("attest", "AB")}}, claims{"attest": "A"}, stircert.ConstraintViolated},
		{"an object in canonical form", &stircert.Constraints{PermittedValues: []stircert.ClaimValues{permitted("rcdi", rcdi)}}, claims{"rcdi": rcdi}, nil},
		{"another object", &stircert.Constraints{PermittedValues: []stircert.ClaimValues{permitted("rcdi", rcdi)}}, claims{"rcdi": `{}`}, stircert.ConstraintViolated},
		{"a claim twice, and both rows kept", &stircert.Constraints{PermittedValues: []stircert.ClaimValues{permitted("x", "1", "2"), permitted("x", "2")}}, claims{"x": "2"}, nil},
		{"a claim twice, and one row broken", &stircert.Constraints{PermittedValues: []stircert.ClaimValues{permitted("x", "1", "2"), permitted("x", "2")}}, claims{"x": "1"}, stircert.ConstraintViolated},
		{"two that must be there, one of them absent", &stircert.Constraints{MustInclude: []string{"rcd", "rcdi"}}, claims{"rcd": "{}"}, stircert.ConstraintViolated},
		{"two that must be there", &stircert.Constraints{MustInclude: []string{"rcd", "rcdi"}}, claims{"rcd": "{}", "rcdi": "{}"}, nil},
	} {
		cert := &stircert.Certificate{Constraints: c.constraints}
		if err := cert.CheckClaims(c.claims.get); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// The members, of which each DER below is made.
const (
	includeX   = "A005 3003 160178"
	permitX1   = "A10C 300A 3008 160178 3003 0C0131"
	excludeX   = "A205 3003 160178"
	excludeIAT = "A207 3005 1603 696174"
)

func TestRFC8226_S8_ConstraintsAsAreAllowed(t *testing.T) {
	x1 := []stircert.ClaimValues{{Claim: "x", Values: []string{"1"}}}
	for _, c := range []struct {
		name, der string
		enhanced  bool
		want      *stircert.Constraints
	}{
		{"RFC 8226: a claim that must be there", "3007" + includeX, false, &stircert.Constraints{MustInclude: []string{"x"}}},
		{"RFC 8226: permitted values", "300E" + permitX1, false, &stircert.Constraints{PermittedValues: x1}},
		{"RFC 8226: both", "3015" + includeX + permitX1, false, &stircert.Constraints{MustInclude: []string{"x"}, PermittedValues: x1}},
		{"RFC 9118: a claim that must not be there", "3007" + excludeX, true, &stircert.Constraints{Enhanced: true, MustExclude: []string{"x"}}},
		{"RFC 9118: all three", "301C" + includeX + permitX1 + excludeX, true,
			&stircert.Constraints{Enhanced: true, MustInclude: []string{"x"}, PermittedValues: x1, MustExclude: []string{"x"}}},
		{"an empty value", "300D A10B 3009 3007 160178 3002 0C00", false, &stircert.Constraints{PermittedValues: []stircert.ClaimValues{{Claim: "x", Values: []string{""}}}}},
	} {
		got, err := stircert.ParseConstraints(unhex(t, c.der), c.enhanced)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

func TestRFC9118_S4_ConstraintsRefused(t *testing.T) {
	name := func(length int) string { return strings.Repeat("61", length) }
	for _, c := range []struct {
		name, der string
		enhanced  bool
	}{
		{"nothing", "", true},
		{"no member", "3000", true},
		{"not a SEQUENCE", "3107" + includeX, true},
		{"bytes after it", "3007" + includeX + "00", true},
		{"cut short", "3007 A005 3003 1601", true},
		{"members in another order", "3015" + permitX1 + includeX, true},
		{"a member twice", "300E" + includeX + includeX, true},
		{"exclusion, which RFC 8226 has not", "3007" + excludeX, false},
		{"a fourth member", "300E" + includeX + "A305 3003 160178", true},
		{"IMPLICIT tags", "3005 A003 160178", true},
		{"an empty list of names", "3004 A002 3000", true},
		{"an empty list of values", "3004 A102 3000", true},
		{"a claim without values", "300B A109 3007 3005 160178 3000", true},
		{"a claim with more than values", "3010 A10E 300C 300A 160178 3003 0C0131 0500", true},
		{"a name that is a UTF8String", "3007 A005 3003 0C0178", true},
		{"an empty name", "3006 A004 3002 1600", true},
		{"a name with a space", "3008 A006 3004 16027820", true},
		{"a name of 129 bytes", "30818A A08187 308184 168181" + name(129), true},
		{"a value that is an IA5String", "300E A10C 300A 3008 160178 3003 160131", true},
		{"a value that is not UTF-8", "300E A10C 300A 3008 160178 3003 0C01FF", true},
		{"1001 names", "30820BC3 A0820BBF 30820BBB" + strings.Repeat("160178", 1001), true},
	} {
		if got, err := stircert.ParseConstraints(unhex(t, c.der), c.enhanced); !errors.Is(err, stircert.BadConstraints) || got != nil {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	atLimit := unhex(t, "30820BC0 A0820BBC 30820BB8"+strings.Repeat("160178", 1000))
	if got, err := stircert.ParseConstraints(atLimit, false); err != nil || len(got.MustInclude) != stircert.ConstraintEntriesMax {
		t.Errorf("1000 names: %v", err)
	}
}

func TestConstraints_ExtensionRefusesWhatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		name        string
		constraints stircert.Constraints
	}{
		{"nothing", stircert.Constraints{Enhanced: true}},
		{"exclusion in RFC 8226's", stircert.Constraints{MustExclude: []string{"x"}}},
		{"a claim without values", stircert.Constraints{PermittedValues: []stircert.ClaimValues{{Claim: "x"}}}},
		{"an empty name", stircert.Constraints{MustInclude: []string{""}}},
		{"a value that is not UTF-8", stircert.Constraints{PermittedValues: []stircert.ClaimValues{{Claim: "x", Values: []string{"\xff"}}}}},
	} {
		if ext, err := c.constraints.Extension(); !errors.Is(err, stircert.BadConstraints) || ext.Value != nil {
			t.Errorf("%s: %x, %v", c.name, ext.Value, err)
		}
	}
}

func extensionOf(t testing.TB, c stircert.Constraints) pkix.Extension {
	t.Helper()
	ext, err := c.Extension()
	if err != nil {
		t.Fatal(err)
	}
	if ext.Critical {
		t.Error("critical")
	}
	return ext
}

// FuzzConstraints: an error is a BadConstraints without constraints; what is read can be written and read again, the same.
func FuzzConstraints(f *testing.F) {
	for seed, enhanced := range map[string]bool{
		"3007" + includeX: false, "3015" + includeX + permitX1: false, "301C" + includeX + permitX1 + excludeX: true, "3009" + excludeIAT: true,
	} {
		if _, err := stircert.ParseConstraints(unhex(f, seed), enhanced); err != nil {
			f.Errorf("seed %s: %v", seed, err)
		}
		f.Add(unhex(f, seed), enhanced)
	}
	for _, ext := range readCertificate(f, rfc9118Example).X509().Extensions {
		if ext.Id.String() == "1.3.6.1.5.5.7.1.33" {
			f.Add(ext.Value, true)
		}
	}
	f.Fuzz(func(t *testing.T, der []byte, enhanced bool) {
		constraints, err := stircert.ParseConstraints(der, enhanced)
		if err != nil {
			if !errors.Is(err, stircert.BadConstraints) || constraints != nil {
				t.Fatalf("%+v, %v", constraints, err)
			}
			return
		}
		once := extensionOf(t, *constraints)
		again, err := stircert.ParseConstraints(once.Value, enhanced)
		if err != nil || !reflect.DeepEqual(again, constraints) {
			t.Fatalf("again %+v, %v; first %+v", again, err, constraints)
		}
		if twice := extensionOf(t, *again); !bytes.Equal(once.Value, twice.Value) {
			t.Fatalf("written twice: %x and %x", once.Value, twice.Value)
		}
	})
}
