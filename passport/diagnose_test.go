package passport_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
)

// deviationCase is a token and everything that Diagnose must find in it, as code@where.
type deviationCase struct {
	name  string
	token string
	want  string
}

// deviationCases are the deviations that no token of testdata shows, and some that one does; see outcomes.tsv.
func deviationCases(t testing.TB) []deviationCase {
	good := forge(t, shakenHeader, shakenPayload)
	end := strings.LastIndex(good, ".")
	header := func(from, to string) string {
		return forge(t, strings.Replace(shakenHeader, from, to, 1), shakenPayload)
	}
	payload := func(from, to string) string {
		return forge(t, shakenHeader, strings.Replace(shakenPayload, from, to, 1))
	}
	div := func(from, to string) string { return forge(t, divHeader, strings.Replace(divPayload, from, to, 1)) }
	typed := func(ppt passport.Type, payload string) string { return forge(t, headerOf(ppt), payload) }
	member := func(last string) string { return strings.TrimSuffix(basePayload, "}") + "," + last + "}" } // in canonical place
	return []deviationCase{
		{"nothing", good, ""},
		{"too long", sized(t, passport.TokenBytesMax+1), "too-long"},
		{"line feed at the end", good + "\n", "outer-space"},
		{"a whole header value", good + " ;info=<https://a.example/c>;alg=ES256;ppt=shaken", "header-parameters"},
		{"compact form", "..AAAA", "compact-form"},
		{"four segments", good + ".AAAA", "segment-count"},
		{"one segment", "AAAA", "segment-count"},
		{"folded inside", good[:40] + "\r\n" + good[40:], "base64-break@header"},
		{"padding", good[:end] + "=" + good[end:], "base64-padding@payload"},
		{"standard alphabet", standardAlphabet(payload("{", `{"a":"???>>>",`)), "base64-alphabet@payload"},
		{"not base64", "!" + good[1:], "base64-form@header"},
		{"bits to spare", good[:end-1] + "1" + good[end:], "base64-bits@payload"},
		{"DER", good[:end+1] + encode("\x30\x44\x02\x20"+strings.Repeat("\x11", 32)+"\x02\x20"+strings.Repeat("\x22", 32)), "signature-der@signature"},
		{"short signature", good[:end+1] + encode("abc"), "signature-length@signature"},
		{"no signature", good[:end+1], "signature-length@signature"},
		{"empty header", "." + good[len(encode(shakenHeader))+1:], "json-form@header"},
		{"empty payload", forge(t, shakenHeader, ""), "json-form@payload"},
		{"header that is an array", forge(t, "[]", shakenPayload), "json-form@header"},
		{"payload null", forge(t, shakenHeader, "null"), "json-form@payload"},
		{"payload that is no JSON", forge(t, shakenHeader, "iat=1"), "json-form@payload"},
		{"duplicate", payload("{", `{"attest":"A",`), "json-duplicate@payload,not-canonical@payload"},
		{"duplicate with an escape, inside", payload(`{"tn":"`, `{"t\u006e":"1","tn":"`), "json-duplicate@payload,not-canonical@payload"},
		{"not UTF-8", payload(`{`, "{\"a\":\"\xff\","), "json-strict@payload,not-canonical@payload"},
		{"half a surrogate pair", payload(`{`, `{"a":"\ud800",`), "json-strict@payload,not-canonical@payload"},
		{"too deep", payload(`{`, `{"a":`+strings.Repeat("[", 16)+strings.Repeat("]", 16)+`,`), "json-strict@payload"},
		{"text behind", forge(t, shakenHeader, shakenPayload+"}"), "json-strict@payload,not-canonical@payload"},
		{"white space behind", forge(t, shakenHeader, shakenPayload+"\n"), "not-canonical@payload"},
		{"a large integer is canonical", payload(`{`, `{"a":9007199254740993,`), ""},
		{"alg", header("ES256", "RS256"), "alg@alg"},
		{"typ", header("passport", "JWT"), "typ@typ"},
		{"no x5u", header(`,"x5u":"`+testX5U+`"`, ""), "x5u@x5u"},
		{"http", header("https:", "http:"), "x5u-scheme@x5u"},
		{"crit", header(`"ppt"`, `"crit":["a"],"ppt"`), "crit@crit"},
		{"type", header("shaken", "msec"), "ppt@ppt"},
		{"type that is a number", header(`"shaken"`, "7"), "ppt@ppt"},
		{"member in other case is another member", header(`"ppt"`, `"PPT"`), "not-canonical@header"},
		{"no attest", payload(`"attest":"A",`, ""), "claim-missing@attest"},
		{"no div", div(`"div":{"tn":"12155550132"},`, ""), "claim-missing@div"},
		{"iat string", payload("1443208345", `"1443208345"`), "iat-string@iat"},
		{"iat fraction", payload("1443208345", "1443208345.5"), "iat-form@iat"},
		{"iat null", payload("1443208345", "null"), "iat-form@iat"},
		{"iat in milliseconds", payload("1443208345", "1443208345000"), "iat-form@iat"},
		{"orig as a string that holds JSON", payload(`{"tn":"12155550121"}`, `"{\"tn\":\"12155550121\"}"`), "party-string@orig"},
		{"orig as a number", payload(`{"tn":"12155550121"}`, `12155550121`), "party-form@orig"},
		{"orig null", payload(`{"tn":"12155550121"}`, `null`), "party-form@orig"},
		{"orig empty", payload(`{"tn":"12155550121"}`, `{}`), "party-form@orig"},
		{"orig tn null", payload(`"tn":"12155550121"`, `"tn":null`), "party-form@orig.tn"},
		{"orig both", payload(`"tn":"12155550121"`, `"tn":"12155550121","uri":"urn:a:b"`), "party-form@orig"},
		{"orig array", payload(`"12155550121"`, `["12155550121"]`), "tn-array@orig.tn"},
		{"dest bare", payload(`["12155550131"]`, `"12155550131"`), "tn-bare@dest.tn"},
		{"dest null", payload(`["12155550131"]`, `null`), "tn-bare@dest.tn,party-form@dest.tn"},
		{"dest empty", payload(`["12155550131"]`, `[]`), "dest-empty@dest.tn"},
		{"dest of forty", payload(`["12155550131"]`, `[`+strings.Repeat(`"12155550131",`, 39)+`"12155550131"]`), "dest-many@dest"},
		{"tn number", payload(`"12155550121"`, `12155550121`), "tn-number@orig.tn"},
		{"tn plus, many times", payload(`["12155550131"]`, `["+12155550131","+12155550132"]`), "tn-plus@dest.tn"},
		{"tn dashes", payload(`"12155550121"`, `"1-215-555-0121"`), "tn-form@orig.tn"},
		{"tn empty", payload(`"12155550121"`, `""`), "tn-form@orig.tn"},
		{"tn of ten digits", payload(`"12155550121"`, `"2155550121"`), "tn-national@orig.tn"},
		{"uri", payload(`"tn":"12155550121"`, `"uri":"alice"`), "uri-form@orig.uri"},
		{"uri that is a number", payload(`"tn":"12155550121"`, `"uri":1`), "uri-form@orig.uri"},
		{"attest", payload(`"A"`, `"D"`), "attest@attest"},
		{"attest null", payload(`"A"`, `null`), "attest@attest"},
		{"attest a", payload(`"A"`, `"a"`), "attest-case@attest"},
		{"origid", payload(testOrigID, "1"), "origid-uuid@origid"},
		{"origid number", payload(`"`+testOrigID+`"`, "1"), "origid-uuid@origid"},
		{"hi", div(`"div":{`, `"div":{"hi":1,`), "party-form@div.hi"},
		{"div unchanged", div(`12155550132`, `12155550131`), "div-unchanged@div"},
		{"opt in div", div(`"orig"`, `"opt":"a","orig"`), "opt-in-div@opt"},
		{"opt in shaken", payload("{", `{"opt":"a",`), "not-canonical@payload,opt-elsewhere@opt"},
		{"no opt", typed(passport.DivO, divPayload), "claim-missing@opt"},
		{"opt in compact form", typed(passport.DivO, strings.Replace(divPayload, `"orig"`, `"opt":"..AAAA","orig"`, 1)), "opt-form@opt"},
		{"div-o unchanged", typed(passport.DivO, strings.Replace(divPayload, `12155550132"},"iat":1443208345`, `12155550131"},"iat":1443208345,"opt":"`+good+`"`, 1)), "div-unchanged@div"},
		{"rph", typed(passport.RPH, member(`"rph":["ets.0"]`)), "rph-form@rph"},
		{"no rph", typed(passport.RPH, basePayload), "claim-missing@rph"},
		{"sph", typed(passport.RPH, member(`"rph":{"auth":["esnet.0"]},"sph":"x"`)), "sph-form@sph"},
		{"sph without esnet", typed(passport.RPH, member(`"rph":{"auth":["ets.0"]},"sph":"psap-callback"`)), "sph-form@sph"},
		{"mky", typed(passport.Base, strings.Replace(basePayload, `"orig"`, `"mky":[],"orig"`, 1)), "mky-form@mky"},
		{"mky not in order", typed(passport.Base, strings.Replace(basePayload, `"orig"`,
			`"mky":[{"alg":"sha-256","dig":"02"},{"alg":"sha-256","dig":"01"}],"orig"`, 1)), "mky-order@mky"},
		{"msgi", typed(passport.Msg, strings.Replace(basePayload, `"orig"`, `"msgi":"sha-256-x","orig"`, 1)), "msgi-form@msgi"},
		{"msgi elsewhere", typed(passport.Base, strings.Replace(basePayload, `"orig"`, `"msgi":"x","orig"`, 1)), "msgi-elsewhere@msgi"},
		{"neither rcd nor crn", typed(passport.RCD, basePayload), "claim-missing@rcd"},
		{"crn alone", typed(passport.RCD, strings.Replace(basePayload, "{", `{"crn":"x",`, 1)), ""},
		{"rcd", typed(passport.RCD, member(`"rcd":"x"`)), "rcd-form@rcd"},
		{"no nam", typed(passport.RCD, member(`"rcd":{}`)), "rcd-form@nam"},
		{"rcd in shaken", payload(`id":"`+testOrigID+`"`, `id":"`+testOrigID+`","rcd":{}`), "rcd-form@nam"},
		{"crn", payload("{", `{"crn":7,`), "not-canonical@payload,rcd-form@crn"},
		{"no digest of an icon", typed(passport.RCD, member(`"rcd":{"icn":"https://a.example/i","nam":""}`)), "rcdi-form@icn"},
		{"no rcd", typed(passport.RCD, strings.Replace(member(`"rcdi":{"/nam":"`+namDigest+`"}`), "{", `{"crn":"x",`, 1)), "rcdi-form@rcd"},
		{"rcdi", typed(passport.RCD, member(`"rcd":{"nam":""},"rcdi":"x"`)), "rcdi-form@rcdi"},
		{"digest", typed(passport.RCD, member(`"rcd":{"nam":""},"rcdi":{"/nam":"`+namDigest+`"}`)), "digest-mismatch@rcdi"},
		{"digest, right", typed(passport.RCD, member(`"rcd":{"nam":"Q Branch Spy Gadgets"},"rcdi":{"/nam":"`+namDigest+`"}`)), ""},
	}
}

// standardAlphabet replaces base64url by base64 in the payload.
func standardAlphabet(token string) string {
	segments := strings.Split(token, ".")
	segments[1] = strings.NewReplacer("-", "+", "_", "/").Replace(segments[1])
	return strings.Join(segments, ".")
}

func TestDiagnoseNamesEachDeviation(t *testing.T) {
	for _, c := range deviationCases(t) {
		t.Run(c.name, func(t *testing.T) {
			d := passport.Diagnose(c.token)
			if got := strings.Join(codesOf(d), ","); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			checkDiagnosis(t, d)
		})
	}
}

// checkDiagnosis wants what every Diagnosis promises: known codes, a sentence each, and a reason where Parse refuses.
func checkDiagnosis(t *testing.T, d passport.Diagnosis) {
	t.Helper()
	if d.Refusal != nil && len(d.Deviations) == 0 {
		t.Errorf("Parse says %v, and Diagnose finds nothing", d.Refusal)
	}
	for _, deviation := range d.Deviations {
		section, known := passport.DeviationSections[deviation.Code]
		if !known {
			t.Errorf("code %q is not in the table", deviation.Code)
		}
		if deviation.Section != section || deviation.Text == "" {
			t.Errorf("incomplete: %+v", deviation)
		}
	}
}

func TestEveryDeviationHasACase(t *testing.T) {
	left := maps.Clone(passport.DeviationSections)
	for _, c := range deviationCases(t) {
		for _, deviation := range passport.Diagnose(c.token).Deviations {
			delete(left, deviation.Code)
		}
	}
	if len(left) > 0 {
		t.Errorf("no case for %q", slices.Sorted(maps.Keys(left)))
	}
}

// The deviations of real tokens are found in real tokens, not only in made ones.
func TestDeviationsSeenInTestdata(t *testing.T) {
	left := map[string]bool{
		"compact-form": true, "segment-count": true, "base64-form": true, "not-canonical": true, "json-form": true, "rcdi-form": true,
		"x5u-scheme": true, "iat-string": true, "tn-bare": true, "tn-national": true, "origid-uuid": true,
		"digest-mismatch": true,
	}
	for _, v := range readVectors(t) {
		d := passport.Diagnose(v.token)
		checkDiagnosis(t, d)
		for _, deviation := range d.Deviations {
			delete(left, deviation.Code)
		}
	}
	if len(left) > 0 {
		t.Errorf("not found: %q", slices.Sorted(maps.Keys(left)))
	}
}

func TestDiagnoseShowsThePartsItCouldDecode(t *testing.T) {
	good := forge(t, shakenHeader, shakenPayload)
	d := passport.Diagnose(strings.Replace(good, ".", "=.", 1))
	if d.Header != shakenHeader || d.Payload != shakenPayload || d.Refusal == nil {
		t.Errorf("%+v", d)
	}
}
