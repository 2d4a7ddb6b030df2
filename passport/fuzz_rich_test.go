package passport_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
)

// FuzzRichCallData wants of every rcd, rcdi and fetched jCard: a typed refusal and nothing, or data that survives signing
// and parsing again, whose every link has a digest.
func FuzzRichCallData(f *testing.F) {
	seeds := 0
	for _, c := range richForms {
		rcd, rcdi, _ := strings.Cut(strings.TrimPrefix(c.part, `"rcd":`), `,"rcdi":`)
		f.Add(rcd, rcdi, qBranch)
		seeds++
	}
	f.Add(`{"nam":"Q","jcl":"https://a.example/j"}`, `{"/nam":"`+digest(`"Q"`)+`","/jcl":"`+cardDigest+`","/jcl/1/3/3":"`+photoDigest+
		`","/jcl/1/4/3":"`+logoDigest+`","/jcl/1/5/3":"`+smallDigest+`","/jcl/1/2/3":"`+digest(`"MI6;Q Branch Spy Gadgets"`)+`"}`, qBranch)
	f.Add(`{"nam":"","jcd":`+qBranch+`}`, `{"/jcd":"`+cardDigest+`","/jcd/1/3/3":"`+photoDigest+`","/jcd/1/4/3":"`+logoDigest+
		`","/jcd/1/5/3":"`+smallDigest+`"}`, cardOf(`["photo",{"~/":1},"uri",["https://a.example/p"]]`))
	if seeds < 40 {
		f.Fatalf("only %d seeds", seeds)
	}
	signature := encode(strings.Repeat("\x01", 64))
	f.Fuzz(func(t *testing.T, rcd, rcdi, card string) {
		members := `"rcd":` + rcd
		if rcdi != "" {
			members += `,"rcdi":` + rcdi
		}
		token, err := passport.Parse(encode(baseHeader) + "." + encode(with(members)) + "." + signature)
		if err != nil || token.Claims.Rich == nil {
			return // FuzzSegments wants something of these
		}
		r := token.Claims.Rich
		err = r.CheckInline()
		typed(t, err)
		for _, link := range r.Links() {
			typed(t, link.Check([]byte(card)))
			if err == nil && link.Digest == "" {
				t.Errorf("a link without digest at %q", link.Pointer)
			}
		}
		if err == nil {
			signAgain(t, token)
		}
		checkCard(t, r, card)
	})
}

// checkCard wants of a fetched jCard either nothing, or its links with the digests that rcdi has.
func checkCard(t *testing.T, r *passport.RichCallData, card string) {
	links, err := r.LinksIn([]byte(card))
	typed(t, err)
	if err != nil && links != nil {
		t.Error("links beside an error")
	}
	for _, link := range links {
		if !slices.Contains(r.Digests, passport.RichDigest{Pointer: link.Pointer, Value: link.Digest}) {
			t.Errorf("a digest that rcdi does not have, at %q", link.Pointer)
		}
	}
	again, errAgain := r.LinksIn([]byte("\n" + card + " ")) // the form of the text is no matter
	if len(card) < 16<<10-2 && (!reflect.DeepEqual(again, links) || (err == nil) != (errAgain == nil)) {
		t.Errorf("with white space around it: %v, %v, before %v, %v", again, errAgain, links, err)
	}
}

// typed wants no error or one of ours.
func typed(t *testing.T, err error) {
	if err == nil {
		return
	}
	refusal, ok := errors.AsType[*passport.Error](err)
	if !ok || !slices.Contains(passport.Problems(), refusal.Problem) {
		t.Fatalf("untyped refusal %v", err)
	}
}

// FuzzNested wants of every token in a div-o PASSporT: a typed refusal and nothing, or PASSporTs of which each stands in
// the one before, and the last is of another type.
func FuzzNested(f *testing.F) {
	seeds := 0
	for _, v := range readVectors(f) {
		f.Add(v.token)
		seeds++
	}
	for levels := range passport.DivDepthMax + 1 {
		f.Add(divO(f, innermost(f), levels))
		seeds++
	}
	if seeds < 50 {
		f.Fatalf("only %d seeds", seeds)
	}
	f.Fuzz(func(t *testing.T, within string) {
		payload := `{"dest":{"tn":["1"]},"div":{"tn":"2"},"iat":0,"opt":"` + within + `","orig":{"tn":"3"}}`
		e, err := passport.Open(encode(headerOf(passport.DivO)) + "." + encode(payload) + "." + encode(strings.Repeat("\x01", 64)))
		if err != nil {
			return
		}
		tokens, err := e.Nested()
		typed(t, err)
		if err != nil {
			if tokens != nil {
				t.Error("PASSporTs beside an error")
			}
			return
		}
		if len(tokens) == 0 || len(tokens) > passport.DivDepthMax {
			t.Fatalf("%d PASSporTs", len(tokens))
		}
		claims, err := e.Claims()
		if err != nil {
			t.Fatal(err)
		}
		opt := claims.Opt
		for i, token := range tokens {
			if isLast := i == len(tokens)-1; token.String() != opt || isLast == (token.Header.PPT == passport.DivO) {
				t.Errorf("PASSporT %d is out of place", i)
			}
			opt = token.Claims.Opt
		}
	})
}
