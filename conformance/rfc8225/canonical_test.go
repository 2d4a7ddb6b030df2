package rfc8225_test

import (
	"errors"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
)

// signedWith gives the payload that signing makes of the good claims and further ones.
func signedWith(t *testing.T, extra ...passport.Member) string {
	t.Helper()
	c := claims(t)
	c.Extra = extra
	_, payload := signed(t, c)
	return payload
}

func TestRFC8225_40_NoWhiteSpace(t *testing.T) {
	if payload := signedWith(t); payload != goodPayload {
		t.Errorf("signed %s", payload)
	}
	got := signedWith(t, passport.Member{Name: "note", Value: "{ \"a\" :\n[ 1 , \"b c\" ] }"})
	if want := changed(t, `"orig"`, `"note":{"a":[1,"b c"]},"orig"`); got != want {
		t.Errorf("signed %s\nwant %s", got, want)
	}
}

func TestRFC8225_41_MembersAreSorted(t *testing.T) {
	got := signedWith(t, passport.Member{Name: "z", Value: `{"b":{"d":1,"c":2},"a":3,"B":4}`}, passport.Member{Name: "aaa", Value: `"x"`})
	want := changed(t, `{"dest"`, `{"aaa":"x","dest"`)
	want = want[:len(want)-1] + `,"z":{"B":4,"a":3,"b":{"c":2,"d":1}}}`
	if got != want {
		t.Errorf("signed %s\nwant %s", got, want)
	}
}

func TestRFC8225_42_HeaderOrder(t *testing.T) {
	c := claims(t)
	c.Div = identity(t, "12155551214")
	compact, err := passport.Sign(newKey(t), passport.Div, x5u, c)
	if err != nil {
		t.Fatal(err)
	}
	if header, _ := decoded(t, compact); header != `{"alg":"ES256","ppt":"div","typ":"passport","x5u":"`+x5u+`"}` {
		t.Errorf("header %s", header)
	}
}

func TestRFC8225_43_LiteralsAndNumbers(t *testing.T) {
	got := signedWith(t, passport.Member{Name: "n", Value: `[true,false,null,0,-1,9007199254740993]`})
	if want := changed(t, `"orig"`, `"n":[true,false,null,0,-1,9007199254740993],"orig"`); got != want {
		t.Errorf("signed %s\nwant %s", got, want)
	}
	c := claims(t)
	c.Extra = []passport.Member{{Name: "n", Value: "TRUE"}}
	if _, err := passport.Sign(newKey(t), passport.Base, x5u, c); !errors.Is(err, passport.Unsignable) {
		t.Errorf("upper-case literal: %v", err)
	}
}

func TestRFC8225_44_RulesHoldInArrays(t *testing.T) {
	got := signedWith(t, passport.Member{Name: "n", Value: `[ {"b":1, "a":[{"d":1,"c":2}]} ]`})
	if want := changed(t, `"orig"`, `"n":[{"a":[{"c":2,"d":1}],"b":1}],"orig"`); got != want {
		t.Errorf("signed %s\nwant %s", got, want)
	}
}

func TestRFC8225_46_ClaimNamesAreASCII(t *testing.T) {
	c := claims(t)
	c.Extra = []passport.Member{{Name: "námo", Value: "1"}}
	if _, err := passport.Sign(newKey(t), passport.Base, x5u, c); !errors.Is(err, passport.Unsignable) {
		t.Errorf("%v", err)
	}
}
