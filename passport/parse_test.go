package passport_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// check parses a token: want 0 is a good one. A refused token must give nil, a typed error, and no text of its own.
func check(t *testing.T, token string, want passport.Problem) *passport.Token {
	t.Helper()
	got, err := passport.Parse(token)
	if want == 0 {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		return got
	}
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %q", err, want)
	}
	if got != nil {
		t.Error("a token beside an error")
	}
	return nil
}

// partCase is a token of which one part is odd; want 0 is a good token.
type partCase struct {
	name string
	part string
	want passport.Problem
}

func checkPayloads(t *testing.T, header string, cases []partCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { check(t, forge(t, header, c.part), c.want) })
	}
}

func checkHeaders(t *testing.T, cases []partCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { check(t, forge(t, c.part, shakenPayload), c.want) })
	}
}

func TestRFC8588_S8_ShakenIsReadWhole(t *testing.T) {
	text := forge(t, shakenHeader, shakenPayload)
	got := check(t, text, 0)
	if got.String() != text {
		t.Error("the text differs from what was received")
	}
	wantHeader := passport.Header{Alg: "ES256", PPT: passport.Shaken, Typ: "passport", X5U: testX5U}
	if got.Header != wantHeader {
		t.Errorf("header %+v", got.Header)
	}
	if want := shakenClaims(t); !reflect.DeepEqual(got.Claims, want) {
		t.Errorf("claims %+v, want %+v", got.Claims, want)
	}
	if err := got.Verify(&testKey(t).PublicKey); err != nil {
		t.Errorf("Verify: %v", err)
	}
}

func TestRFC7515_S7_1_ThreeSegments(t *testing.T) {
	good := forge(t, shakenHeader, shakenPayload)
	header, payload := encode(shakenHeader), encode(shakenPayload)
	for _, c := range []partCase{
		{"three", good, 0},
		{"none", "", passport.SegmentCount},
		{"one", header, passport.SegmentCount},
		{"two", header + "." + payload, passport.SegmentCount},
		{"four", good + ".AAAA", passport.SegmentCount},
		{"four, the last empty", good + ".", passport.SegmentCount},
		{"five", good + "..", passport.SegmentCount},
		{"empty header", "." + payload + good[len(header)+1+len(payload):], passport.HeaderForm},
		{"empty payload", forge(t, shakenHeader, ""), passport.PayloadForm},
		{"a whole Identity header value", good + ";info=<" + testX5U + ">;alg=ES256", passport.SegmentCount},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, c.part, c.want) })
	}
}

func TestRFC8225_S7_CompactFormIsToldApart(t *testing.T) {
	good := forge(t, shakenHeader, shakenPayload)
	check(t, ".."+good[strings.LastIndex(good, ".")+1:], passport.CompactForm)
	check(t, "..", passport.CompactForm)
}

func TestRFC7515_S2_Base64urlWithoutPadding(t *testing.T) {
	good := forge(t, shakenHeader, shakenPayload)
	// The payload has 134 bytes, two more than a multiple of three: its last character has two bits to spare.
	end := strings.LastIndex(good, ".")
	if c := good[end-1]; c != '0' {
		t.Fatalf("the payload ends with %q", c)
	}
	for _, c := range []partCase{
		{"padded", good[:end] + "=" + good[end:], passport.Base64Form},
		{"padded signature", good + "==", passport.Base64Form},
		{"bits to spare that are not zero", good[:end-1] + "1" + good[end:], passport.Base64Form},
		{"bits to spare in the signature", good[:len(good)-1] + "_", passport.Base64Form},
		{"line feed inside", good[:40] + "\n" + good[40:], passport.Base64Form},
		{"carriage return inside", good[:40] + "\r" + good[40:], passport.Base64Form},
		{"folded", good[:40] + "\r\n " + good[40:], passport.Base64Form},
		{"line feed at the end", good + "\n", passport.Base64Form},
		{"space before", " " + good, passport.Base64Form},
		{"standard alphabet, plus", "+" + good[1:], passport.Base64Form},
		{"standard alphabet, slash", "/" + good[1:], passport.Base64Form},
		{"a NUL byte", good[:40] + "\x00" + good[40:], passport.Base64Form},
		{"not ASCII", good[:40] + "é" + good[40:], passport.Base64Form},
		{"one character more than bytes can give", good[:end] + "AA" + good[end:], passport.Base64Form},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, c.part, c.want) })
	}
}

func TestRFC7518_S3_4_SignatureIs64Bytes(t *testing.T) {
	good := forge(t, shakenHeader, shakenPayload)
	input := good[:strings.LastIndex(good, ".")+1]
	der := "\x30\x45\x02\x20" + strings.Repeat("\x11", 32) + "\x02\x21\x00" + strings.Repeat("\x99", 32)
	for name, signature := range map[string]string{
		"none": "", "63 bytes": strings.Repeat("\x01", 63), "65 bytes": strings.Repeat("\x01", 65), "DER": der,
		"96 bytes, as of P-384": strings.Repeat("\x01", 96),
	} {
		t.Run(name, func(t *testing.T) { check(t, input+encode(signature), passport.SignatureForm) })
	}
}

func TestRFC8225_S4_HeaderMembers(t *testing.T) {
	checkHeaders(t, []partCase{
		{"in another order, with spaces", `{ "x5u": "https://a.example/c" , "typ": "passport", "ppt":"shaken","alg" :"ES256" }`, 0},
		{"one that nobody knows", `{"alg":"ES256","kid":"7","ppt":"shaken","typ":"passport","x5u":"https://a.example/c"}`, 0},
		{"no alg", `{"ppt":"shaken","typ":"passport","x5u":"https://a.example/c"}`, passport.HeaderIncomplete},
		{"no typ", `{"alg":"ES256","ppt":"shaken","x5u":"https://a.example/c"}`, passport.HeaderIncomplete},
		{"no x5u", `{"alg":"ES256","ppt":"shaken","typ":"passport"}`, passport.HeaderIncomplete},
		{"empty", `{}`, passport.HeaderIncomplete},
		{"empty x5u", `{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":""}`, passport.HeaderForm},
		{"x5u that is an array", `{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":["https://a.example/c"]}`, passport.HeaderForm},
		{"alg null", `{"alg":null,"ppt":"shaken","typ":"passport","x5u":"https://a.example/c"}`, passport.HeaderForm},
		{"names are case-sensitive", `{"ALG":"ES256","ppt":"shaken","typ":"passport","x5u":"https://a.example/c"}`, passport.HeaderIncomplete},
		{"an array", `["ES256"]`, passport.HeaderForm},
		{"a string", `"ES256"`, passport.HeaderForm},
		{"null", `null`, passport.HeaderForm},
		{"no JSON", `alg=ES256`, passport.HeaderForm},
		{"cut off", `{"alg":"ES256"`, passport.HeaderForm},
		{"cut off behind a comma", `{"alg":"ES256",}`, passport.HeaderForm},
	})
}

func TestRFC8225_S4_1_TypIsPassport(t *testing.T) {
	for _, typ := range []string{"JWT", "Passport", "PASSPORT", "passport ", "application/passport"} {
		t.Run(typ, func(t *testing.T) {
			check(t, forge(t, strings.Replace(shakenHeader, `"passport"`, `"`+typ+`"`, 1), shakenPayload), passport.TypInvalid)
		})
	}
}

func TestRFC8225_S4_2_AlgIsES256(t *testing.T) {
	for _, alg := range []string{"none", "None", "HS256", "RS256", "ES384", "es256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			check(t, forge(t, strings.Replace(shakenHeader, "ES256", alg, 1), shakenPayload), passport.AlgInvalid)
		})
	}
}

func TestRFC7515_S4_1_11_CritIsRefused(t *testing.T) {
	for _, crit := range []string{`["exp"]`, `[]`, `null`, `["alg"]`} {
		t.Run(crit, func(t *testing.T) {
			check(t, forge(t, strings.Replace(shakenHeader, `"ppt"`, `"crit":`+crit+`,"ppt"`, 1), shakenPayload), passport.CritUnknown)
		})
	}
}

func TestRFC8225_S8_1_UnknownTypeIsToldApart(t *testing.T) {
	for _, ppt := range []string{"msec", "div-O", "divo", "SHAKEN", "shaken2"} {
		t.Run(ppt, func(t *testing.T) {
			token := forge(t, strings.Replace(shakenHeader, "shaken", ppt, 1), shakenPayload)
			check(t, token, passport.PPTUnsupported)
			e, err := passport.Open(token)
			if err != nil || e.Header.PPT != passport.Type(ppt) {
				t.Fatalf("Open: %v, %v: a verification service must be able to pass the token over", e, err)
			}
			if _, err := e.Claims(); !errors.Is(err, passport.PPTUnsupported) {
				t.Errorf("Claims: %v", err)
			}
		})
	}
	checkHeaders(t, []partCase{
		{"empty", strings.Replace(shakenHeader, "shaken", "", 1), passport.HeaderForm},
		{"a number", strings.Replace(shakenHeader, `"shaken"`, `1`, 1), passport.HeaderForm},
	})
}

func TestRFC7515_S4_MemberNamesAreUnique(t *testing.T) {
	checkHeaders(t, []partCase{
		{"alg twice", strings.Replace(shakenHeader, `{`, `{"alg":"none",`, 1), passport.HeaderForm},
		{"alg twice, equal", strings.Replace(shakenHeader, `{`, `{"alg":"ES256",`, 1), passport.HeaderForm},
		{"alg twice, once with an escape", strings.Replace(shakenHeader, `{`, `{"\u0061lg":"none",`, 1), passport.HeaderForm},
		{"an unknown name twice", strings.Replace(shakenHeader, `{`, `{"a":1,"a":1,`, 1), passport.HeaderForm},
		{"twice inside", strings.Replace(shakenHeader, `{`, `{"a":{"b":1,"b":2},`, 1), passport.HeaderForm},
	})
	checkPayloads(t, shakenHeader, []partCase{
		{"attest twice", strings.Replace(shakenPayload, `{`, `{"attest":"A",`, 1), passport.PayloadForm},
		{"attest twice, once with an escape", strings.Replace(shakenPayload, `{`, `{"\u0061ttest":"C",`, 1), passport.PayloadForm},
		{"tn twice in orig", strings.Replace(shakenPayload, `{"tn":"1`, `{"tn":"12155550100","tn":"1`, 1), passport.PayloadForm},
		{"tn twice in dest, once with an escape", strings.Replace(shakenPayload, `{"tn":[`, `{"t\u006e":["911"],"tn":[`, 1), passport.PayloadForm},
		{"twice in an unknown claim", strings.Replace(shakenPayload, `{`, `{"a":[{"b":1,"b":2}],`, 1), passport.PayloadForm},
		{"the same name at two depths", strings.Replace(shakenPayload, `{`, `{"a":{"attest":1},`, 1), 0},
	})
}

func TestRFC8259_S8_1_PayloadIsStrictUTF8(t *testing.T) {
	with := func(member string) string { return strings.Replace(shakenPayload, `{`, `{`+member+`,`, 1) }
	checkPayloads(t, shakenHeader, []partCase{
		{"UTF-8", with(`"a":"é😀"`), 0},
		{"an escaped surrogate pair", with(`"a":"\ud83d\ude00"`), 0},
		{"an escaped NUL", with(`"a":"\u0000"`), 0},
		{"invalid UTF-8 in a value", with("\"a\":\"\xff\""), passport.PayloadForm},
		{"invalid UTF-8 in a name", with("\"\xc0\xaf\":1"), passport.PayloadForm},
		{"an encoded surrogate", with("\"a\":\"\xed\xa0\x80\""), passport.PayloadForm},
		{"high surrogate alone", with(`"a":"\ud83d"`), passport.PayloadForm},
		{"low surrogate alone", with(`"a":"\ude00"`), passport.PayloadForm},
		{"surrogates the wrong way round", with(`"a":"\ude00\ud83d"`), passport.PayloadForm},
		{"a NUL byte in a string", with("\"a\":\"\x00\""), passport.PayloadForm},
		{"a NUL byte behind", shakenPayload + "\x00", passport.PayloadForm},
		{"a byte order mark", "\ufeff" + shakenPayload, passport.PayloadForm},
		{"white space behind", shakenPayload + " \n", 0},
		{"a second object behind", shakenPayload + `{}`, passport.PayloadForm},
		{"text behind", shakenPayload + `x`, passport.PayloadForm},
		{"a comma behind", shakenPayload + `,`, passport.PayloadForm},
		{"a comment", with(`/**/"a":1`), passport.PayloadForm},
		{"NaN", with(`"a":NaN`), passport.PayloadForm},
		{"a leading zero", with(`"a":01`), passport.PayloadForm},
		{"an array", `[` + shakenPayload + `]`, passport.PayloadForm},
	})
}

func TestLimitOfDepth(t *testing.T) {
	nested := func(depth int) string { // the object itself is the first level
		return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `,`
	}
	checkPayloads(t, shakenHeader, []partCase{
		{"16", strings.Replace(shakenPayload, "{", nested(16), 1), 0},
		{"17", strings.Replace(shakenPayload, "{", nested(17), 1), passport.PayloadForm},
		{"2000, never closed", strings.Repeat(`{"a":`, 1000), passport.PayloadForm},
		{"brackets in a string do not count", strings.Replace(shakenPayload, "{", `{"a":"\"[[[[[[[[[[[[[[[[[[[[{{{",`, 1), 0},
	})
	checkHeaders(t, []partCase{
		{"16", strings.Replace(shakenHeader, "{", nested(16), 1), 0},
		{"17", strings.Replace(shakenHeader, "{", nested(17), 1), passport.HeaderForm},
	})
}

// sized makes a good token of exactly so many bytes.
func sized(t testing.TB, bytes int) string {
	t.Helper()
	for pad := range 4 { // not every length of a segment can be had, so the header helps
		header := strings.Replace(shakenHeader, "1234.pem", strings.Repeat("1", pad)+".pem", 1)
		fill := bytes*3/4 - len(header) - len(shakenPayload) - 100
		for n := fill; n < fill+100; n++ {
			token := forge(t, header, strings.Replace(shakenPayload, "{", `{"a":"`+strings.Repeat("a", n)+`",`, 1))
			if len(token) == bytes {
				return token
			}
		}
	}
	t.Fatalf("no token of %d bytes", bytes)
	return ""
}

func TestLimitOfTokenBytes(t *testing.T) {
	check(t, sized(t, passport.TokenBytesMax), 0)
	check(t, sized(t, passport.TokenBytesMax+1), passport.TooLong)
	check(t, "a"+strings.Repeat(".", passport.TokenBytesMax-1), passport.SegmentCount)
	check(t, "a"+strings.Repeat(".", passport.TokenBytesMax), passport.TooLong)
}

func TestRFC8225_S5_1_1_IATIsAnInteger(t *testing.T) {
	const good = `"iat":1443208345`
	for _, c := range []struct {
		name, iat string
		want      passport.Problem
	}{
		{"integer", `1443208345`, 0},
		{"zero", `0`, 0},
		{"the last second of the year 9999", `253402300799`, 0},
		{"the first of the year 10000", `253402300800`, passport.IATForm},
		{"twelve digits", `999999999999`, passport.IATForm},
		{"string", `"1443208345"`, passport.IATForm},
		{"fraction", `1443208345.5`, passport.IATForm},
		{"fraction of zero", `1443208345.0`, passport.IATForm},
		{"exponent", `1443208345e0`, passport.IATForm},
		{"large exponent", `1e999999999`, passport.IATForm},
		{"negative", `-1443208345`, passport.IATForm},
		{"minus zero", `-0`, passport.IATForm},
		{"beyond 64 bits", `18446744073709551617`, passport.IATForm},
		{"a thousand digits", strings.Repeat("9", 1000), passport.IATForm},
		{"null", `null`, passport.IATForm},
		{"true", `true`, passport.IATForm},
		{"array", `[1443208345]`, passport.IATForm},
		{"object", `{}`, passport.IATForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, forge(t, shakenHeader, strings.Replace(shakenPayload, good, `"iat":`+c.iat, 1)), c.want)
		})
	}
	checkPayloads(t, shakenHeader, []partCase{
		{"missing", strings.Replace(shakenPayload, good+",", "", 1), passport.ClaimMissing},
	})
}

func TestRFC8225_S5_2_1_OrigIsExactlyOneIdentity(t *testing.T) {
	for _, c := range []struct {
		name, orig string
		want       passport.Problem
	}{
		{"tn", `{"tn":"12155550121"}`, 0},
		{"uri", `{"uri":"sip:alice@example.com"}`, 0},
		{"a member that nobody knows", `{"a":1,"tn":"12155550121"}`, 0},
		{"hi means nothing here", `{"hi":1,"tn":"12155550121"}`, 0},
		{"both", `{"tn":"12155550121","uri":"sip:alice@example.com"}`, passport.OrigForm},
		{"neither", `{}`, passport.OrigForm},
		{"neither, but another", `{"a":"12155550121"}`, passport.OrigForm},
		{"array of one", `{"tn":["12155550121"]}`, passport.OrigForm},
		{"number", `{"tn":12155550121}`, passport.OrigForm},
		{"tn null", `{"tn":null}`, passport.OrigForm},
		{"tn null beside uri", `{"tn":null,"uri":"sip:alice@example.com"}`, passport.OrigForm},
		{"array", `[{"tn":"12155550121"}]`, passport.OrigForm},
		{"string", `"12155550121"`, passport.OrigForm},
		{"string that holds JSON", `"{\"tn\":\"12155550121\"}"`, passport.OrigForm},
		{"null", `null`, passport.OrigForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, forge(t, shakenHeader, strings.Replace(shakenPayload, `{"tn":"12155550121"}`, c.orig, 1)), c.want)
		})
	}
	checkPayloads(t, shakenHeader, []partCase{
		{"missing", strings.Replace(shakenPayload, `"orig":{"tn":"12155550121"},`, "", 1), passport.ClaimMissing},
	})
}

func TestRFC8225_S5_2_1_DestIsArraysOfIdentities(t *testing.T) {
	list := func(n int) string { // n different numbers
		numbers := make([]string, n)
		for i := range numbers {
			numbers[i] = fmt.Sprintf(`"121555501%02d"`, i)
		}
		return `[` + strings.Join(numbers, ",") + `]`
	}
	for _, c := range []struct {
		name, dest string
		want       passport.Problem
	}{
		{"one tn", `{"tn":["12155550131"]}`, 0},
		{"one uri", `{"uri":["sip:alice@example.com"]}`, 0},
		{"both", `{"tn":["12155550131"],"uri":["sip:alice@example.com","urn:service:sos"]}`, 0},
		{"32", `{"tn":` + list(32) + `}`, 0},
		{"33", `{"tn":` + list(33) + `}`, passport.DestForm},
		{"32 and a uri", `{"tn":` + list(32) + `,"uri":["urn:service:sos"]}`, passport.DestForm},
		{"bare string", `{"tn":"12155550131"}`, passport.DestForm},
		{"bare uri", `{"uri":"sip:alice@example.com"}`, passport.DestForm},
		{"empty array", `{"tn":[]}`, passport.DestForm},
		{"empty array beside another", `{"tn":["12155550131"],"uri":[]}`, passport.DestForm},
		{"empty object", `{}`, passport.DestForm},
		{"number", `{"tn":[12155550131]}`, passport.DestForm},
		{"null", `{"tn":[null]}`, passport.DestForm},
		{"array in the array", `{"tn":[["12155550131"]]}`, passport.DestForm},
		{"array of objects", `[{"tn":"12155550131"}]`, passport.DestForm},
		{"string", `"12155550131"`, passport.DestForm},
		{"null", `null`, passport.DestForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, forge(t, shakenHeader, strings.Replace(shakenPayload, `{"tn":["12155550131"]}`, c.dest, 1)), c.want)
		})
	}
	checkPayloads(t, shakenHeader, []partCase{
		{"missing", strings.Replace(shakenPayload, `"dest":{"tn":["12155550131"]},`, "", 1), passport.ClaimMissing},
	})
}

func TestRFC8225_S5_2_1_AnyDestinationIsNamed(t *testing.T) {
	token := check(t, forge(t, baseHeader, strings.Replace(basePayload, `{"tn":["12155550131"]}`,
		`{"tn":["12155550132","12155550131"],"uri":["sip:Alice@Example.COM"]}`, 1)), 0)
	for _, id := range []tn.Identity{number(t, "12155550131"), number(t, "12155550132"), uri(t, "sip:alice@example.com")} {
		if !token.Claims.Names(id) {
			t.Errorf("%v is not named", id)
		}
	}
	if token.Claims.Names(number(t, "12155550121")) || token.Claims.Names(tn.Identity{}) {
		t.Error("orig or nobody is named as a destination")
	}
}

func TestRFC8224_S8_3_NumbersAreCanonical(t *testing.T) {
	for _, c := range []struct {
		name, number string
		want         passport.Problem
	}{
		{"digits", `12155550121`, 0},
		{"short code", `911`, 0},
		{"star and hash", `*31#`, 0},
		{"fifteen", `123456789012345`, 0},
		{"sixteen", `1234567890123456`, passport.NumberForm},
		{"plus", `+12155550121`, passport.NumberForm},
		{"dashes", `1-215-555-0121`, passport.NumberForm},
		{"letters", `1800FLOWERS`, passport.NumberForm},
		{"tel URI", `tel:12155550121`, passport.NumberForm},
		{"empty", ``, passport.NumberForm},
		{"space", `12155550121 `, passport.NumberForm},
		{"other digits", `１２３`, passport.NumberForm},
		{"NUL", `1215\u0000`, passport.NumberForm},
		{"digits as escapes", `\u0031\u0032`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, forge(t, baseHeader, strings.Replace(basePayload, `12155550121`, c.number, 1)), c.want)
			check(t, forge(t, baseHeader, strings.Replace(basePayload, `12155550131`, c.number, 1)), c.want)
			check(t, forge(t, divHeader, strings.Replace(divPayload, `12155550132`, c.number, 1)), c.want)
		})
	}
	checkPayloads(t, baseHeader, []partCase{
		{"uri that is none", strings.Replace(basePayload, `{"tn":"12155550121"}`, `{"uri":"alice"}`, 1), passport.NumberForm},
		{"uri with spaces", strings.Replace(basePayload, `{"tn":"12155550121"}`, `{"uri":"sip:a b@example.com"}`, 1), passport.NumberForm},
		{"empty uri", strings.Replace(basePayload, `{"tn":"12155550121"}`, `{"uri":""}`, 1), passport.NumberForm},
	})
}

func TestRFC8588_S4_AttestIsABOrC(t *testing.T) {
	for _, c := range []struct {
		attest string
		want   passport.Problem
	}{
		{`"A"`, 0}, {`"B"`, 0}, {`"C"`, 0}, {`"\u0041"`, 0},
		{`"a"`, passport.AttestInvalid}, {`"D"`, passport.AttestInvalid}, {`""`, passport.AttestInvalid},
		{`"A "`, passport.AttestInvalid}, {`"AB"`, passport.AttestInvalid}, {`null`, passport.AttestInvalid},
		{`1`, passport.AttestInvalid}, {`["A"]`, passport.AttestInvalid},
	} {
		t.Run(c.attest, func(t *testing.T) {
			check(t, forge(t, shakenHeader, strings.Replace(shakenPayload, `"A"`, c.attest, 1)), c.want)
		})
	}
	checkPayloads(t, shakenHeader, []partCase{
		{"missing", strings.Replace(shakenPayload, `"attest":"A",`, "", 1), passport.ClaimMissing},
	})
}

func TestRFC8588_S5_OrigIDIsAString(t *testing.T) {
	for _, c := range []struct {
		origid string
		want   passport.Problem
	}{
		{`"` + testOrigID + `"`, 0}, {`"123456-ABCD-999999"`, 0}, // no UUID: seen in the field, reported by Diagnose
		{`""`, passport.OrigIDForm}, {`1`, passport.OrigIDForm}, {`null`, passport.OrigIDForm}, {`{}`, passport.OrigIDForm},
	} {
		t.Run(c.origid, func(t *testing.T) {
			check(t, forge(t, shakenHeader, strings.Replace(shakenPayload, `"`+testOrigID+`"`, c.origid, 1)), c.want)
		})
	}
	checkPayloads(t, shakenHeader, []partCase{
		{"missing", strings.Replace(shakenPayload, `,"origid":"`+testOrigID+`"`, "", 1), passport.ClaimMissing},
	})
}

func TestRFC8588_S3_ShakenIsNeverInCompactForm(t *testing.T) {
	good := forge(t, shakenHeader, shakenPayload)
	check(t, ".."+good[strings.LastIndex(good, ".")+1:], passport.CompactForm)
}

func TestRFC8946_S3_DivIsExactlyOneIdentity(t *testing.T) {
	for _, c := range []struct {
		name, div string
		want      passport.Problem
	}{
		{"tn", `{"tn":"12155550132"}`, 0},
		{"uri", `{"uri":"sip:bob@example.com"}`, 0},
		{"a member that nobody knows", `{"a":1,"tn":"12155550132"}`, 0},
		{"both", `{"tn":"12155550132","uri":"sip:bob@example.com"}`, passport.DivForm},
		{"neither", `{}`, passport.DivForm},
		{"array", `{"tn":["12155550132"]}`, passport.DivForm},
		{"string", `"12155550132"`, passport.DivForm},
		{"hi that is no string", `{"hi":1,"tn":"12155550132"}`, passport.DivForm},
		{"hi alone", `{"hi":"1.2"}`, passport.DivForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, forge(t, divHeader, strings.Replace(divPayload, `{"tn":"12155550132"}`, c.div, 1)), c.want)
		})
	}
	checkPayloads(t, divHeader, []partCase{
		{"missing", strings.Replace(divPayload, `"div":{"tn":"12155550132"},`, "", 1), passport.ClaimMissing},
	})
}

func TestRFC8946_S3_OptInDivIsRefused(t *testing.T) {
	opt := strings.Replace(divPayload, `"orig"`, `"opt":"eyJ.eyJ.AAA","orig"`, 1)
	checkPayloads(t, divHeader, []partCase{
		{"in div", opt, passport.OptInDiv},
		{"null in div", strings.Replace(divPayload, `"orig"`, `"opt":null,"orig"`, 1), passport.OptInDiv},
	})
	checkPayloads(t, baseHeader, []partCase{{"a further claim elsewhere", opt, 0}})
}

func TestRFC8946_S8_HistoryInfoIndexIsKept(t *testing.T) {
	token := check(t, forge(t, divHeader, strings.Replace(divPayload, `{"tn":"12155550132"}`, `{"hi":"1.2.1","tn":"12155550132"}`, 1)), 0)
	if token.Claims.DivHI != "1.2.1" {
		t.Errorf("DivHI = %q", token.Claims.DivHI)
	}
}

func TestRFC8225_S8_FurtherClaimsAreKept(t *testing.T) {
	token := check(t, forge(t, shakenHeader, strings.Replace(shakenPayload, `{`, `{"note":{"nam":"Q & <B>"}, "exp" : 1,`, 1)), 0)
	want := []passport.Member{{Name: "note", Value: `{"nam":"Q & <B>"}`}, {Name: "exp", Value: `1`}}
	if !reflect.DeepEqual(token.Claims.Extra, want) {
		t.Errorf("Extra = %q", token.Claims.Extra)
	}
}

// A refusal is logged: it must not repeat what a caller's token says.
func TestErrorsRepeatNothingOfTheToken(t *testing.T) {
	const secret = "19995550199"
	for _, token := range []string{
		forge(t, strings.Replace(shakenHeader, "{", `{"`+secret+`":1,"`+secret+`":2,`, 1), shakenPayload),
		forge(t, strings.Replace(shakenHeader, "shaken", secret, 1), shakenPayload),
		forge(t, strings.Replace(shakenHeader, "ES256", secret, 1), shakenPayload),
		forge(t, shakenHeader, strings.Replace(shakenPayload, "{", `{"`+secret+`":1,"`+secret+`":2,`, 1)),
		forge(t, shakenHeader, strings.Replace(shakenPayload, "12155550121", "+"+secret, 1)),
		forge(t, shakenHeader, strings.Replace(shakenPayload, `"tn":"12155550121"`, `"uri":"`+secret+`"`, 1)),
		forge(t, shakenHeader, strings.Replace(shakenPayload, `"A"`, `"`+secret+`"`, 1)),
		forge(t, headerOf(passport.RCD), with(rich(`{"`+secret+`":"`+secret+`","apn":"+`+secret+`","nam":""}`, secret, secret))),
		forge(t, headerOf(passport.RCD), with(`"crn":["`+secret+`"]`)),
		forge(t, headerOf(passport.RPH), with(`"rph":{"auth":["`+secret+`"]},"sph":"`+secret+`"`)),
		forge(t, headerOf(passport.DivO), strings.Replace(divPayload, "{", `{"opt":"`+secret+`",`, 1)),
		forge(t, headerOf(passport.Msg), with(`"msgi":"`+secret+`","mky":"`+secret+`"`)),
		secret, secret + "." + secret + "." + secret,
	} {
		_, err := passport.Parse(token)
		if err == nil {
			t.Fatalf("accepted: %s", token)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
		for _, deviation := range passport.Diagnose(token).Deviations {
			if strings.Contains(fmt.Sprint(deviation), secret) {
				t.Errorf("%v", deviation)
			}
		}
	}
}

func TestIATIsInUTC(t *testing.T) {
	got := check(t, forge(t, shakenHeader, shakenPayload), 0).Claims.IAT
	if want := time.Date(2015, 9, 25, 19, 12, 25, 0, time.UTC); got != want {
		t.Errorf("iat %v, want %v", got, want)
	}
}

func TestCommonClaimsAreReadOfAnyType(t *testing.T) {
	e, err := passport.Open(forge(t, strings.Replace(shakenHeader, "shaken", "msec", 1), strings.Replace(basePayload, "{", `{"a":{},`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	claims, err := e.CommonClaims()
	if err != nil || claims.Orig != number(t, "12155550121") || !claims.Names(number(t, "12155550131")) {
		t.Errorf("%+v, %v", claims, err)
	}
	e, err = passport.Open(forge(t, strings.Replace(shakenHeader, "shaken", "msec", 1), `{"a":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	if claims, err := e.CommonClaims(); !errors.Is(err, passport.ClaimMissing) || !reflect.DeepEqual(claims, passport.Claims{}) {
		t.Errorf("%+v, %v", claims, err)
	}
}
