package stivs_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stivs"
)

// malleate makes the other signature that verifies over the same content.
func malleate(t testing.TB, token string) string {
	t.Helper()
	cut := strings.LastIndexByte(token, '.') + 1
	raw, err := base64.RawURLEncoding.DecodeString(token[cut:])
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(raw[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(raw[32:])
	return token[:cut] + base64.RawURLEncoding.EncodeToString(raw)
}

// mutate changes text at a place: it writes over it, inserts, takes out, or cuts off.
func mutate(text string, how uint8, at uint16, with []byte) string {
	b := []byte(text)
	i := int(at) % (len(b) + 1)
	j := min(i+len(with), len(b))
	switch how % 5 {
	case 0:
		copy(b[i:], with)
	case 1:
		b = slices.Insert(b, i, with...)
	case 2:
		b = slices.Delete(b, i, j)
	case 3:
		b = b[:i]
	case 4:
		for k := i; k < j; k++ {
			b[k] ^= with[k-i]
		}
	}
	return string(b)
}

// FuzzVerifyNeverPassesTampered: of a good token and a good header field, whatever is done to them, nothing passes but
// what holds the very token that was signed.
func FuzzVerifyNeverPassesTampered(f *testing.F) {
	l := newLaboratory(f)
	signed := l.signed()
	field := signed.Identity.String()
	if v := l.verify(plainCall(field), signed.Passport); v.Verstat != oob.VerstatPassed {
		f.Fatalf("the original does not pass\n%s", story(v))
	}
	way := []string{signed.Passport, l.div(called, second), l.div(second, third)}
	diverted := stivs.Call{Orig: caller, Dest: third}
	if v := l.verify(diverted, way...); len(v.Diversions) != 2 {
		f.Fatalf("the original is not diverted\n%s", story(v))
	}
	l.verifier.Close() // what is cached serves on; where a changed x5u leads is asked of nobody
	seeds := []struct {
		how  uint8
		at   uint16
		with string
	}{
		{0, 0, "x"}, {0, 10, "AAAA"}, {0, 200, "e30"}, {4, 250, "\x01"}, {4, uint16(len(signed.Passport) - 1), "\x01"},
		{4, uint16(len(signed.Passport) - 2), "\x02"}, {1, 0, ".."}, {1, uint16(len(signed.Passport)), "="},
		{1, uint16(len(signed.Passport)), ".e30"}, {2, 50, "...."}, {3, 300, ""}, {3, uint16(len(signed.Passport) - 1), ""},
		{1, uint16(len(signed.Passport)), ";ppt=div"}, {0, uint16(len(signed.Passport) + 10), "http"},
		{1, 0, field + ","}, {1, 0, signed.Passport + "."},
	}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add(s.how, s.at, []byte(s.with))
	}
	twin := malleate(f, signed.Passport) // says the same and may pass
	f.Fuzz(func(t *testing.T, how uint8, at uint16, with []byte) {
		l.in(t)
		if token := mutate(signed.Passport, how, at, with); token != signed.Passport && token != twin {
			if v := l.verify(plainCall(), token); v.Verstat == oob.VerstatPassed {
				t.Errorf("out of band %q passed\n%s", token, story(v))
			}
		}
		// Of a way nothing may be changed, but for the signature's twin.
		step := int(how) / 5 % len(way)
		if token := mutate(way[step], how, at, with); token != way[step] && token != malleate(t, way[step]) {
			tokens := slices.Clone(way)
			tokens[step] = token
			if v := l.verify(diverted, tokens...); v.Verstat == oob.VerstatPassed {
				t.Errorf("step %d of the way, %q, passed\n%s", step, token, story(v))
			}
		}
		changed := mutate(field, how, at, with)
		v := l.verify(plainCall(changed))
		if v.Verstat != oob.VerstatPassed {
			return
		}
		holds := slices.ContainsFunc(identity.Split(changed), func(piece string) bool {
			h, err := identity.Parse(piece)
			return err == nil && (h.Token == signed.Passport || h.Token == twin) && h.Info == l.signer.X5U
		})
		if !holds || v.Passport != signed.Passport && v.Passport != twin {
			t.Errorf("in band %q passed\n%s", changed, story(v))
		}
	})
}
