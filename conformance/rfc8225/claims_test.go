package rfc8225_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

func TestRFC8225_09_PayloadIsAnObject(t *testing.T) {
	refusesPayloads(t, passport.PayloadForm, ``, `null`, `[]`, `"x"`, `[`+goodPayload+`]`, goodPayload+goodPayload, goodPayload+`x`)
}

func TestRFC8225_10_DuplicatesAndBadTextAreRefused(t *testing.T) {
	refusesPayloads(t, passport.PayloadForm,
		changed(t, `"iat"`, `"iat":1443208345,"iat"`),
		changed(t, `"iat"`, `"i\u0061t":1443208345,"iat"`),
		changed(t, `"iat"`, `"note":"`+"\xff"+`","iat"`),
		changed(t, `"iat"`, `"note":"\ud800","iat"`),
		changed(t, `"iat"`, `"note":{"a":1,"a":2},"iat"`),
	)
	refuses(t, unsigned(strings.Replace(goodHeader, `{`, `{"alg":"ES256",`, 1), goodPayload), passport.HeaderForm)
}

func TestRFC8225_11_FurtherClaimsAreKept(t *testing.T) {
	token := accepts(t, unsigned(goodHeader, changed(t, `"iat"`, `"note":[{"alg":"sha-256","dig":"02"}],"iat"`)))
	want := passport.Member{Name: "note", Value: `[{"alg":"sha-256","dig":"02"}]`}
	if len(token.Claims.Extra) != 1 || token.Claims.Extra[0] != want {
		t.Errorf("further claims %v", token.Claims.Extra)
	}
}

func TestRFC8225_12_IATIsPresent(t *testing.T) {
	refusesPayloads(t, passport.ClaimMissing, changed(t, `"iat":1443208345,`, ``))
}

func TestRFC8225_13_IATIsANumber(t *testing.T) {
	for _, iat := range []string{`"1443208345"`, `null`, `true`, `[1443208345]`} {
		refusesPayloads(t, passport.IATForm, changed(t, `1443208345`, iat))
	}
}

func TestRFC8225_14_IATIsWhole(t *testing.T) {
	for _, iat := range []string{`1443208345.5`, `-1443208345.25`, `1e400`, `99999999999999999999`} {
		refusesPayloads(t, passport.IATForm, changed(t, `1443208345`, iat))
	}
}

func TestRFC8225_15_OrigIsPresent(t *testing.T) {
	refusesPayloads(t, passport.ClaimMissing, changed(t, `,"orig":{"tn":"12155551212"}`, ``))
}

func TestRFC8225_16_OrigIsOneIdentity(t *testing.T) {
	for _, orig := range []string{`{}`, `{"tn":"12155551212","uri":"sip:alice@example.com"}`, `{"name":"alice"}`, `null`, `"12155551212"`} {
		refusesPayloads(t, passport.OrigForm, changed(t, `{"tn":"12155551212"}`, orig))
	}
}

func TestRFC8225_17_OrigIsNoArray(t *testing.T) {
	refusesPayloads(t, passport.OrigForm, changed(t, `{"tn":"12155551212"}`, `{"tn":["12155551212"]}`),
		changed(t, `{"tn":"12155551212"}`, `[{"tn":"12155551212"}]`))
}

func TestRFC8225_18_DestIsPresent(t *testing.T) {
	refusesPayloads(t, passport.ClaimMissing, changed(t, `"dest":{"tn":["12155551213"]},`, ``))
}

func TestRFC8225_19_DestIsNotEmpty(t *testing.T) {
	for _, dest := range []string{`{}`, `{"tn":[]}`, `{"tn":[],"uri":[]}`, `{"uri":[]}`, `null`} {
		refusesPayloads(t, passport.DestForm, changed(t, `{"tn":["12155551213"]}`, dest))
	}
}

func TestRFC8225_20_DestIsArrays(t *testing.T) {
	for _, dest := range []string{`{"tn":"12155551213"}`, `{"uri":"sip:alice@example.com"}`, `["12155551213"]`, `[{"tn":["12155551213"]}]`} {
		refusesPayloads(t, passport.DestForm, changed(t, `{"tn":["12155551213"]}`, dest))
	}
}

func TestRFC8225_21_DestTakesSeveral(t *testing.T) {
	token := accepts(t, unsigned(goodHeader,
		changed(t, `{"tn":["12155551213"]}`, `{"tn":["12155551213","12155551214"],"uri":["sip:alice@example.com"]}`)))
	for _, who := range []string{"12155551213", "12155551214", "sip:alice@example.com"} {
		if !token.Claims.Names(identity(t, who)) {
			t.Errorf("%s is not a destination of %v", who, token.Claims.Dest)
		}
	}
}

func TestRFC8225_22_NumbersAreCanonical(t *testing.T) {
	for _, number := range []string{"+12155551213", "1-215-555-1213", "1 215 555 1213", "(215)5551213", "1800FLOWERS", "", "1234567890123456"} {
		refusesPayloads(t, passport.NumberForm, changed(t, `12155551213`, number), changed(t, `12155551212`, number))
	}
	accepts(t, unsigned(goodHeader, changed(t, `12155551213`, `911`)))
	accepts(t, unsigned(goodHeader, changed(t, `12155551213`, `*67#`)))
}

func TestRFC8225_23_NumbersAreStrings(t *testing.T) {
	refusesPayloads(t, passport.OrigForm, changed(t, `"12155551212"`, `12155551212`))
	refusesPayloads(t, passport.DestForm, changed(t, `"12155551213"`, `12155551213`))
}

func TestRFC8225_24_URIsAreAbsolute(t *testing.T) {
	accepts(t, unsigned(goodHeader, changed(t, `{"tn":"12155551212"}`, `{"uri":"sip:alice@example.com"}`)))
	accepts(t, unsigned(goodHeader, changed(t, `{"tn":["12155551213"]}`, `{"uri":["urn:service:sos"]}`)))
	for _, uri := range []string{"alice@example.com", "//example.com", "", "12155551212"} {
		refusesPayloads(t, passport.NumberForm, changed(t, `{"tn":"12155551212"}`, `{"uri":"`+uri+`"}`))
	}
}

func TestRFC8225_25_DestIsBounded(t *testing.T) {
	with := func(count int) string {
		numbers := make([]string, count)
		for i := range numbers {
			numbers[i] = fmt.Sprintf(`"1215555%04d"`, i)
		}
		return changed(t, `"12155551213"`, strings.Join(numbers, ","))
	}
	accepts(t, unsigned(goodHeader, with(passport.DestMax)))
	refusesPayloads(t, passport.DestForm, with(passport.DestMax+1))
}

func TestRFC8225_26_DestIsSorted(t *testing.T) {
	c := claims(t)
	c.Dest = []tn.Identity{identity(t, "sip:bob@example.com"), identity(t, "2"), identity(t, "sip:alice@example.com"), identity(t, "13"), identity(t, "12")}
	_, payload := signed(t, c)
	const want = `{"dest":{"tn":["12","13","2"],"uri":["sip:alice@example.com","sip:bob@example.com"]},"iat":1443208345,"orig":{"tn":"12155551212"}}`
	if payload != want {
		t.Errorf("signed %s\nwant %s", payload, want)
	}
}
