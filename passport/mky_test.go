package passport_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
)

func TestRFC8225_S5_2_2_MKYIsAnArrayOfKeyDigests(t *testing.T) {
	const one = `{"alg":"sha-256","dig":"02AB"}`
	for _, c := range []partCase{
		{"one", `[` + one + `]`, 0},
		{"lower case", `[{"alg":"sha-256","dig":"02ab"}]`, 0},
		{"the other order of members", `[{"dig":"02AB","alg":"sha-256"}]`, 0},
		{"a member that nobody knows", `[{"alg":"sha-256","dig":"02AB","x":1}]`, 0},
		{"sixteen", `[` + strings.Repeat(one+`,`, 15) + one + `]`, 0},
		{"seventeen", `[` + strings.Repeat(one+`,`, 16) + one + `]`, passport.MKYForm},
		{"none", `[]`, passport.MKYForm},
		{"bare object", one, passport.MKYForm},
		{"string", `"02AB"`, passport.MKYForm},
		{"null", `null`, passport.MKYForm},
		{"an element that is a string", `["02AB"]`, passport.MKYForm},
		{"no alg", `[{"dig":"02AB"}]`, passport.MKYForm},
		{"no dig", `[{"alg":"sha-256"}]`, passport.MKYForm},
		{"empty alg", `[{"alg":"","dig":"02AB"}]`, passport.MKYForm},
		{"empty dig", `[{"alg":"sha-256","dig":""}]`, passport.MKYForm},
		{"alg with a space", `[{"alg":"sha 256","dig":"02AB"}]`, passport.MKYForm},
		{"dig with colons, as in SDP", `[{"alg":"sha-256","dig":"02:AB"}]`, passport.MKYForm},
		{"dig of half a byte", `[{"alg":"sha-256","dig":"02A"}]`, passport.MKYForm},
		{"dig that is no hexadecimal", `[{"alg":"sha-256","dig":"02AG"}]`, passport.MKYForm},
		{"dig that is a number", `[{"alg":"sha-256","dig":2}]`, passport.MKYForm},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, forge(t, baseHeader, with(`"mky":`+c.part)), c.want) })
	}
}

func TestRFC8225_S5_2_2_MKYIsSignedSorted(t *testing.T) {
	claims := baseClaims(t)
	claims.MKY = []passport.KeyDigest{{"sha-256", "4A"}, {"sha-1", "FF"}, {"sha-256", "02"}}
	before := slices.Clone(claims.MKY)
	compact, err := passport.Sign(testKey(t), passport.Base, testX5U, claims)
	if err != nil {
		t.Fatal(err)
	}
	want := `"mky":[{"alg":"sha-1","dig":"FF"},{"alg":"sha-256","dig":"02"},{"alg":"sha-256","dig":"4A"}]`
	if got := segment(t, compact, 1); !strings.Contains(got, want) {
		t.Errorf("payload %s", got)
	}
	if !slices.Equal(claims.MKY, before) {
		t.Error("Sign changed its argument")
	}
	token := check(t, forge(t, baseHeader, with(`"mky":[{"alg":"sha-256","dig":"ff"},{"alg":"sha-256","dig":"02AB"}]`)), 0)
	if want := []passport.KeyDigest{{"sha-256", "ff"}, {"sha-256", "02AB"}}; !slices.Equal(token.Claims.MKY, want) {
		t.Errorf("read %v, want as received", token.Claims.MKY)
	}
	claims.MKY = []passport.KeyDigest{{"sha-256", "0"}}
	checkSigned(t, testKey(t), passport.Base, testX5U, claims, passport.MKYForm)
}
