package passport_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// divO wraps a token in so many div-o PASSporTs, as short as they can be.
func divO(t testing.TB, within string, levels int) string {
	t.Helper()
	for range levels {
		within = forge(t, `{"alg":"ES256","ppt":"div-o","typ":"passport","x5u":"a"}`,
			`{"dest":{"tn":["1"]},"div":{"tn":"2"},"iat":0,"opt":"`+within+`","orig":{"tn":"3"}}`)
	}
	return within
}

// innermost is the shortest PASSporT.
func innermost(t testing.TB) string {
	t.Helper()
	return forge(t, `{"alg":"ES256","typ":"passport","x5u":"a"}`, `{"dest":{"tn":["2"]},"iat":0,"orig":{"tn":"3"}}`)
}

func TestRFC8946_S6_OptIsAPassportInFullForm(t *testing.T) {
	good := forge(t, shakenHeader, shakenPayload)
	payload := func(opt string) string { return strings.Replace(divPayload, `"orig"`, `"opt":`+opt+`,"orig"`, 1) }
	for _, c := range []partCase{
		{"shaken", `"` + good + `"`, 0},
		{"a type that is not judged here", `"` + forge(t, headerOf("msec"), basePayload) + `"`, 0},
		{"div-o", `"` + divO(t, innermost(t), 1) + `"`, 0},
		{"compact form", `"..` + good[strings.LastIndex(good, ".")+1:] + `"`, passport.OptForm},
		{"two segments", `"` + good[:strings.LastIndex(good, ".")] + `"`, passport.OptForm},
		{"a whole Identity header value", `"` + good + `;info=<https://a.example/c>"`, passport.OptForm},
		{"padded", `"` + good + `="`, passport.OptForm},
		{"a short signature", `"` + good[:len(good)-4] + `"`, passport.OptForm},
		{"empty", `""`, passport.OptForm},
		{"object", `{}`, passport.OptForm},
		{"array of one", `["` + good + `"]`, passport.OptForm},
		{"null", `null`, passport.OptForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := check(t, forge(t, headerOf(passport.DivO), payload(c.part)), c.want)
			if c.want == 0 && token.Claims.Opt != strings.Trim(c.part, `"`) {
				t.Errorf("Opt = %q", token.Claims.Opt)
			}
		})
	}
	checkPayloads(t, headerOf(passport.DivO), []partCase{
		{"missing", divPayload, passport.ClaimMissing},
		{"no div", strings.Replace(payload(`"`+good+`"`), `"div":{"tn":"12155550132"},`, "", 1), passport.ClaimMissing},
	})
}

func TestRFC8946_S5_NestedPassportsComeOutermostFirst(t *testing.T) {
	shaken := forge(t, shakenHeader, shakenPayload)
	token := check(t, divO(t, shaken, 2), 0)
	within, err := token.Nested()
	if err != nil {
		t.Fatal(err)
	}
	if len(within) != 2 || within[0].String() != divO(t, shaken, 1) || within[1].String() != shaken {
		t.Fatalf("%d PASSporTs: %v", len(within), within)
	}
	for _, token := range within {
		if err := token.Verify(&testKey(t).PublicKey); err != nil {
			t.Error(err)
		}
	}
	if within, err := within[1].Nested(); err != nil || within != nil {
		t.Errorf("in shaken: %v, %v", within, err)
	}
}

func TestRFC8946_S5_NestedPassportsAreJudged(t *testing.T) {
	bad := forge(t, shakenHeader, strings.Replace(shakenPayload, `"A"`, `"a"`, 1))
	e := func(text string) *passport.Envelope {
		e, err := passport.Open(text)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for _, c := range []struct {
		name string
		e    *passport.Envelope
		want passport.Problem
	}{
		{"good", e(divO(t, innermost(t), 1)), 0},
		{"a malformed innermost", e(divO(t, bad, 1)), passport.AttestInvalid},
		{"a malformed innermost, deeper", e(divO(t, bad, 3)), passport.AttestInvalid},
		{"an innermost of a type that is not judged here", e(divO(t, forge(t, headerOf("msec"), basePayload), 2)), passport.PPTUnsupported},
		{"malformed itself", e(forge(t, headerOf(passport.DivO), divPayload)), passport.ClaimMissing},
		{"div with an opt", e(divO(t, forge(t, divHeader, strings.Replace(divPayload, "{", `{"opt":"a",`, 1)), 1)), passport.OptInDiv},
		{"as deep as allowed", e(divO(t, innermost(t), passport.DivDepthMax)), 0},
		{"deeper", e(divO(t, innermost(t), passport.DivDepthMax+1)), passport.OptForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			within, err := c.e.Nested()
			if c.want == 0 {
				if err != nil || len(within) == 0 {
					t.Errorf("%v, %v", within, err)
				}
				return
			}
			if !errors.Is(err, c.want) || within != nil {
				t.Errorf("%v, %v, want %q", within, err, c.want)
			}
		})
	}
}

// What DivDepthMax says about TokenBytesMax.
func TestMoreThanSevenNestedPassportsDoNotFit(t *testing.T) {
	if n := len(divO(t, innermost(t), 7)); n > passport.TokenBytesMax {
		t.Errorf("seven have %d bytes", n)
	}
	if n := len(divO(t, innermost(t), 8)); n <= passport.TokenBytesMax {
		t.Errorf("eight have %d bytes", n)
	}
}

func TestRFC8946_S3_DivIsSignedOnlyWhereTheCallWasRetargeted(t *testing.T) {
	full := forge(t, shakenHeader, shakenPayload)
	for _, c := range []struct {
		name   string
		ppt    passport.Type
		change func(*passport.Claims)
		want   passport.Problem
	}{
		{"div", passport.Div, func(c *passport.Claims) { c.Opt = "" }, 0},
		{"div-o", passport.DivO, func(*passport.Claims) {}, 0},
		{"div, to the same number", passport.Div, func(c *passport.Claims) { c.Opt, c.Dest = "", []tn.Identity{c.Div} }, passport.DivUnchanged},
		{"div-o, to the same number and another", passport.DivO, func(c *passport.Claims) { c.Dest = append(c.Dest, c.Div) }, passport.DivUnchanged},
		{"opt in div", passport.Div, func(*passport.Claims) {}, passport.OptInDiv},
		{"opt in shaken", passport.Shaken, func(c *passport.Claims) { c.OrigID, c.Attest = testOrigID, "A" }, passport.OptForm},
		{"no opt in div-o", passport.DivO, func(c *passport.Claims) { c.Opt = "" }, passport.ClaimMissing},
		{"opt in compact form", passport.DivO, func(c *passport.Claims) { c.Opt = ".." + c.Opt[strings.LastIndex(c.Opt, ".")+1:] }, passport.OptForm},
		{"opt that is not UTF-8", passport.DivO, func(c *passport.Claims) { c.Opt += "\xff" }, passport.OptForm},
		{"opt as a further claim", passport.Base, func(c *passport.Claims) {
			c.Opt, c.Extra = "", []passport.Member{{Name: "opt", Value: `"` + full + `"`}}
		}, passport.Unsignable},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := baseClaims(t)
			claims.Div, claims.Opt = number(t, "12155550132"), full
			c.change(&claims)
			checkSigned(t, testKey(t), c.ppt, testX5U, claims, c.want)
		})
	}
}

func TestRFC8946_S3_SignerSpeaksForWhoWasCalledBefore(t *testing.T) {
	claims := baseClaims(t)
	claims.Div = number(t, "12155550132")
	for ppt, want := range map[passport.Type]tn.Identity{
		passport.Base: claims.Orig, passport.Shaken: claims.Orig, passport.RPH: claims.Orig, passport.RCD: claims.Orig,
		passport.Msg: claims.Orig, passport.Div: claims.Div, passport.DivO: claims.Div, passport.RSP: claims.Dest[0],
	} {
		if got := claims.SpeaksFor(ppt); got != want {
			t.Errorf("%q: %s, want %s", ppt, got, want)
		}
	}
	claims.Dest = append(claims.Dest, claims.Div)
	if got := claims.SpeaksFor(passport.RSP); !got.IsZero() {
		t.Errorf("of several who answer: %s", got)
	}
}
