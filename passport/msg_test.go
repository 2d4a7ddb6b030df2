package passport_test

import (
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
)

// The digests of the message "hi".
var (
	hi    = []byte("hi")
	hi256 = "sha256-" + base64.RawStdEncoding.EncodeToString(sha256Of("hi"))
	hi384 = func() string {
		sum := sha512.Sum384(hi)
		return "sha384-" + base64.RawStdEncoding.EncodeToString(sum[:])
	}()
	hi512 = func() string {
		sum := sha512.Sum512(hi)
		return "sha512-" + base64.RawStdEncoding.EncodeToString(sum[:])
	}()
)

func TestRFC9475_S3_2_MSGIIsADigest(t *testing.T) {
	for _, c := range []struct {
		name, msgi string
		want       passport.Problem
	}{
		{"sha256", hi256, 0}, {"sha384", hi384, 0}, {"sha512", hi512, 0},
		{"padded", hi256 + "=", 0},
		{"padded too much", hi256 + "==", passport.MSGIForm},
		{"an algorithm with a hyphen", strings.Replace(hi256, "sha256", "sha-256", 1), passport.MSGIForm},
		{"upper case", strings.Replace(hi256, "sha256", "SHA256", 1), passport.MSGIForm},
		{"another algorithm", strings.Replace(hi256, "sha256", "md5", 1), passport.MSGIForm},
		{"the length of another algorithm", strings.Replace(hi256, "sha256", "sha384", 1), passport.MSGIForm},
		{"no algorithm", strings.TrimPrefix(hi256, "sha256"), passport.MSGIForm},
		{"no digest", "sha256-", passport.MSGIForm},
		{"empty", "", passport.MSGIForm},
		{"bits to spare that are not zero", hi256[:len(hi256)-1] + "l", passport.MSGIForm},
		{"a line break inside", hi256[:20] + `\n` + hi256[20:], passport.MSGIForm},
		{"the other alphabet", "sha256-" + strings.Repeat("_", 42) + "w", passport.MSGIForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := check(t, forge(t, headerOf(passport.Msg), with(`"msgi":"`+c.msgi+`"`)), c.want)
			if c.want == 0 && token.Claims.MSGI != strings.TrimSuffix(c.msgi, "=") {
				t.Errorf("MSGI = %q", token.Claims.MSGI)
			}
		})
	}
	checkPayloads(t, headerOf(passport.Msg), []partCase{
		{"optional", basePayload, 0},
		{"a number", with(`"msgi":1`), passport.MSGIForm},
		{"null", with(`"msgi":null`), passport.MSGIForm},
	})
}

func TestRFC9475_S3_2_MSGIIsIgnoredInOtherTypes(t *testing.T) {
	token := check(t, forge(t, baseHeader, with(`"msgi":7`)), 0)
	if token.Claims.MSGI != "" || len(token.Claims.Extra) != 1 || token.Claims.Extra[0].Name != "msgi" {
		t.Errorf("%+v", token.Claims)
	}
	claims := baseClaims(t)
	claims.MSGI = hi256
	checkSigned(t, testKey(t), passport.Msg, testX5U, claims, 0)
	checkSigned(t, testKey(t), passport.Base, testX5U, claims, passport.MSGIForm)
	claims.MSGI, claims.Extra = "", []passport.Member{{Name: "msgi", Value: `"` + hi256 + `"`}}
	checkSigned(t, testKey(t), passport.Base, testX5U, claims, passport.Unsignable)
}

func TestRFC9475_S3_2_DigestIsOverTheWholeBody(t *testing.T) {
	for _, c := range []struct {
		name, msgi, body string
		want             passport.Problem
	}{
		{"sha256", hi256, "hi", 0}, {"sha384", hi384, "hi", 0}, {"sha512", hi512, "hi", 0}, {"padded", hi256 + "=", "hi", 0},
		{"another body", hi256, "ho", passport.DigestMismatch},
		{"a line break behind", hi512, "hi\r\n", passport.DigestMismatch},
		{"empty body", hi384, "", passport.DigestMismatch},
		{"no digest", "", "hi", passport.MSGIForm},
		{"malformed", "sha1-AAAA", "hi", passport.MSGIForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := passport.CheckMessage(c.msgi, []byte(c.body)); c.want == 0 && err != nil || c.want != 0 && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestRSPHasTheClaimsOfABasePassport(t *testing.T) {
	checkPayloads(t, headerOf(passport.RSP), []partCase{
		{"good", basePayload, 0},
		{"no iat", strings.Replace(basePayload, `"iat":1443208345,`, "", 1), passport.ClaimMissing},
		{"no orig", strings.Replace(basePayload, `,"orig":{"tn":"12155550121"}`, "", 1), passport.ClaimMissing},
		{"no dest", strings.Replace(basePayload, `"dest":{"tn":["12155550131"]},`, "", 1), passport.ClaimMissing},
	})
	checkSigned(t, testKey(t), passport.RSP, testX5U, baseClaims(t), 0)
}
