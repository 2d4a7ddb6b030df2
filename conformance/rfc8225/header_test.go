package rfc8225_test

import (
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
)

func TestRFC8225_01_HeaderHasTypAlgAndX5U(t *testing.T) {
	accepts(t, unsigned(goodHeader, goodPayload))
	refuses(t, unsigned(`{"typ":"passport","x5u":"https://a.example/p"}`, goodPayload), passport.HeaderIncomplete)
	refuses(t, unsigned(`{"alg":"ES256","x5u":"https://a.example/p"}`, goodPayload), passport.HeaderIncomplete)
	refuses(t, unsigned(`{"alg":"ES256","typ":"passport"}`, goodPayload), passport.HeaderIncomplete)
}

func TestRFC8225_02_TypIsPassport(t *testing.T) {
	for _, typ := range []string{"JWT", "PASSPORT", "passport "} {
		refuses(t, unsigned(`{"alg":"ES256","typ":"`+typ+`","x5u":"https://a.example/p"}`, goodPayload), passport.TypInvalid)
	}
}

func TestRFC8225_03_ES256BothWays(t *testing.T) {
	key := newKey(t)
	token := accepts(t, sign(t, key, claims(t)))
	if err := token.Verify(&key.PublicKey); err != nil || token.Header.Alg != "ES256" {
		t.Errorf("alg %s: %v", token.Header.Alg, err)
	}
}

func TestRFC8225_04_OtherAlgorithmsAreRefused(t *testing.T) {
	for _, alg := range []string{"none", "HS256", "RS256", "ES384", "es256"} {
		refuses(t, unsigned(`{"alg":"`+alg+`","typ":"passport","x5u":"https://a.example/p"}`, goodPayload), passport.AlgInvalid)
	}
}

func TestRFC8225_05_SignaturesAreDeterministic(t *testing.T) {
	key := newKey(t)
	first, second := sign(t, key, claims(t)), sign(t, key, claims(t))
	if first != second {
		t.Error("signing the same claims twice makes two tokens")
	}
}

func TestRFC8225_06_X5UIsKept(t *testing.T) {
	if token := accepts(t, sign(t, newKey(t), claims(t))); token.Header.X5U != x5u {
		t.Errorf("x5u is %q", token.Header.X5U)
	}
}

func TestRFC8225_07_CritIsRefused(t *testing.T) {
	refuses(t, unsigned(`{"alg":"ES256","crit":["b64"],"b64":false,"typ":"passport","x5u":"https://a.example/p"}`, goodPayload),
		passport.CritUnknown)
}

func TestRFC8225_08_UnknownHeaderMembersAreIgnored(t *testing.T) {
	accepts(t, unsigned(`{"alg":"ES256","kid":"7","typ":"passport","x5c":["AAAA"],"x5u":"https://a.example/p"}`, goodPayload))
}

func TestRFC8225_37_PPTNamesTheExtension(t *testing.T) {
	if header, _ := signed(t, claims(t)); header != goodHeader {
		t.Errorf("header of a base PASSporT: %s", header)
	}
	c := claims(t)
	c.Div = identity(t, "12155551214")
	compact, err := passport.Sign(newKey(t), passport.Div, x5u, c)
	if err != nil {
		t.Fatal(err)
	}
	if token := accepts(t, compact); token.Header.PPT != passport.Div {
		t.Errorf("ppt is %q", token.Header.PPT)
	}
}

func TestRFC8225_38_UnsupportedPPTFails(t *testing.T) {
	for _, ppt := range []string{"foo", "SHAKEN", "shaken,div"} {
		refuses(t, unsigned(`{"alg":"ES256","ppt":"`+ppt+`","typ":"passport","x5u":"https://a.example/p"}`, goodPayload),
			passport.PPTUnsupported)
	}
}

func TestRFC8225_39_ExtensionsKeepTheBaseClaims(t *testing.T) {
	for _, ppt := range []string{"shaken", "div"} {
		header := `{"alg":"ES256","ppt":"` + ppt + `","typ":"passport","x5u":"https://a.example/p"}`
		const own = `"attest":"A","div":{"tn":"12155551214"},"origid":"123e4567-e89b-12d3-a456-426655440000"`
		accepts(t, unsigned(header, changed(t, `{"dest"`, `{`+own+`,"dest"`)))
		for _, claim := range []string{`"dest":{"tn":["12155551213"]},`, `"iat":1443208345,`, `,"orig":{"tn":"12155551212"}`} {
			payload := changed(t, claim, "")
			refuses(t, unsigned(header, `{`+own+`,`+payload[1:]), passport.ClaimMissing)
		}
	}
}
