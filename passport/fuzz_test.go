package passport_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// seed adds the tokens of testdata and one for each deviation.
func seed(f *testing.F) {
	f.Helper()
	seeds := 0
	for _, v := range readVectors(f) {
		f.Add(v.token)
		seeds++
	}
	for _, c := range deviationCases(f) {
		f.Add(c.token)
		seeds++
	}
	if seeds < 100 {
		f.Fatalf("only %d seeds", seeds)
	}
}

// FuzzParse wants of every text: either a typed refusal and nothing, or a token that keeps the text and whose claims
// survive signing and parsing again.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(judge)
}

// FuzzSegments wants the same, and a diagnosis, of what base64 hides from FuzzParse: the JSON of header and payload.
func FuzzSegments(f *testing.F) {
	seeds := 0
	for _, c := range deviationCases(f) {
		if d := passport.Diagnose(c.token); d.Payload != "" {
			f.Add(d.Header, d.Payload)
			seeds++
		}
	}
	if seeds < 40 {
		f.Fatalf("only %d seeds", seeds)
	}
	signature := encode(strings.Repeat("\x01", 64))
	f.Fuzz(func(t *testing.T, header, payload string) {
		text := encode(header) + "." + encode(payload) + "." + signature
		judge(t, text)
		diagnose(t, text)
	})
}

// FuzzDiagnose wants of every text a diagnosis that keeps its promises, and the same one twice.
func FuzzDiagnose(f *testing.F) {
	seed(f)
	f.Fuzz(diagnose)
}

func judge(t *testing.T, text string) {
	token, err := passport.Parse(text)
	if err != nil {
		refusal, ok := errors.AsType[*passport.Error](err)
		if !ok || !slices.Contains(passport.Problems(), refusal.Problem) {
			t.Fatalf("untyped refusal %v", err)
		}
		if token != nil {
			t.Fatal("a token beside an error")
		}
		return
	}
	if token.String() != text {
		t.Fatal("the text differs from what was received")
	}
	signAgain(t, token)
}

func diagnose(t *testing.T, text string) {
	d := passport.Diagnose(text)
	checkDiagnosis(t, d)
	if _, err := passport.Parse(text); !reflect.DeepEqual(err, d.Refusal) {
		t.Errorf("Refusal %v, Parse %v", d.Refusal, err)
	}
	if !reflect.DeepEqual(passport.Diagnose(text), d) {
		t.Error("a second diagnosis differs")
	}
}

func signAgain(t *testing.T, token *passport.Token) {
	compact, err := passport.Sign(testKey(t), token.Header.PPT, token.Header.X5U, token.Claims)
	if err != nil {
		if !signingIsStricter(token, passport.ProblemOf(err)) {
			t.Fatalf("Sign refuses what Parse takes: %v", err)
		}
		return
	}
	again, err := passport.Parse(compact)
	if err != nil {
		t.Fatalf("Parse refuses what Sign made: %v", err)
	}
	if again.Header != token.Header {
		t.Errorf("header %+v, then %+v", token.Header, again.Header)
	}
	if err := again.Verify(&testKey(t).PublicKey); err != nil {
		t.Error(err)
	}
	want, wantFurther := inOrder(token.Claims)
	got, gotFurther := inOrder(again.Claims)
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotFurther, wantFurther) {
		t.Errorf("claims %+v %v, then %+v %v", want, wantFurther, got, gotFurther)
	}
	twice, err := passport.Sign(testKey(t), again.Header.PPT, again.Header.X5U, again.Claims)
	if err != nil || twice != compact {
		t.Errorf("signed a third time: %q, %v; before %q", twice, err, compact)
	}
}

// signingIsStricter lists what may be received and must not be sent.
func signingIsStricter(token *passport.Token, p passport.Problem) bool {
	ascii := func(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0 && s != "" }
	switch p {
	case passport.OrigIDForm: // RFC 8588 §5: a UUID
		return token.Header.PPT == passport.Shaken
	case passport.HeaderForm: // RFC 3986 §2: a URI is ASCII
		return !ascii(token.Header.X5U)
	case passport.Unsignable: // names of claims are ASCII; opt and msgi stand in one type alone
		return slices.ContainsFunc(token.Claims.Extra, func(m passport.Member) bool {
			return !ascii(m.Name) || m.Name == "opt" || m.Name == "msgi"
		})
	case passport.DivUnchanged: // RFC 8946 §3
		return token.Claims.Names(token.Claims.Div)
	case passport.RCDForm, passport.RCDIForm, passport.DigestMismatch: // what may not be shown may not be signed
		return token.Claims.Rich != nil && passport.ProblemOf(token.Claims.Rich.CheckInline()) == p
	}
	return false
}

// inOrder is the claims with dest and mky in the order in which Sign writes them, and Extra and jcd as values by name.
func inOrder(c passport.Claims) (passport.Claims, map[string]any) {
	key := func(id tn.Identity) string {
		if id.IsURI() {
			return "uri " + id.String()
		}
		return "tn " + id.String()
	}
	c.Dest = slices.Clone(c.Dest)
	slices.SortFunc(c.Dest, func(a, b tn.Identity) int { return cmp.Compare(key(a), key(b)) })
	further := map[string]any{}
	values := c.Extra
	if c.Rich != nil && c.Rich.JCD != "" {
		values = append(slices.Clone(values), passport.Member{Name: "jcd in rcd", Value: c.Rich.JCD})
	}
	for _, member := range values {
		decoder := json.NewDecoder(strings.NewReader(member.Value))
		decoder.UseNumber()
		var value any
		if decoder.Decode(&value) == nil {
			further[member.Name] = value
		}
	}
	c.Extra = nil
	c.MKY = slices.Clone(c.MKY)
	slices.SortFunc(c.MKY, func(a, b passport.KeyDigest) int { return cmp.Compare(a.Alg+a.Dig, b.Alg+b.Dig) })
	if c.Rich != nil && c.Rich.JCD != "" {
		rich := *c.Rich
		rich.JCD, c.Rich = "", &rich
	}
	return c, further
}
