package atis_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// TestATIS1000096_S7_RelayCarriesTheToken as the provider's CPS sends it, and as others write it.
func TestATIS1000096_S7_RelayCarriesTheToken(t *testing.T) {
	for name, c := range map[string]struct{ body, token string }{
		"ours":               {string(atis.WriteRelay([]string{"a.b.c", "d.e.f"}, "g.h.i")), "g.h.i"},
		"token first":        {`{"token":"g.h.i","passports":["a.b.c","d.e.f"]}`, "g.h.i"},
		"with its scheme":    {`{"passports":["a.b.c","d.e.f"],"token":"bearer g.h.i"}`, "g.h.i"},
		"without":            {`{"passports":["a.b.c","d.e.f"]}`, ""},
		"empty":              {`{"passports":["a.b.c","d.e.f"],"token":""}`, ""},
		"further members":    {`{"passports":["a.b.c","d.e.f"],"x":[1],"token":"g.h.i"}`, "g.h.i"},
		"as long as may be":  {`{"passports":["a.b.c","d.e.f"],"token":"` + strings.Repeat("x", atis.RelayTokenBytesMax) + `"}`, strings.Repeat("x", atis.RelayTokenBytesMax)},
		"of another scheme":  {`{"passports":["a.b.c","d.e.f"],"token":"Basic x"}`, "Basic x"}, // which proves nothing later on
		"with white space":   {" { \"token\" : \"g.h.i\" , \"passports\" : [ \"a.b.c\" , \"d.e.f\" ] } ", "g.h.i"},
		"escaped characters": {`{"token":"g\u002eh.i","passports":["a.b.c","d.e.f"]}`, "g.h.i"},
	} {
		list, token, err := atis.ReadRelay([]byte(c.body))
		if err != nil || token != c.token || !slices.Equal(list, []string{"a.b.c", "d.e.f"}) {
			t.Errorf("%s: %q, %q, %v", name, list, token, err)
		}
	}
}

func TestReadRelayRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		kind oob.Kind
	}{
		"no list":           {`{"token":"g.h.i"}`, oob.Malformed},
		"an empty list":     {`{"passports":[],"token":"g.h.i"}`, oob.Malformed},
		"a token of number": {`{"passports":["a.b.c"],"token":1}`, oob.Malformed},
		"a token of null":   {`{"passports":["a.b.c"],"token":null}`, oob.Malformed},
		"a list of tokens":  {`{"passports":["a.b.c"],"token":["g.h.i"]}`, oob.Malformed},
		"two tokens":        {`{"passports":["a.b.c"],"token":"g.h.i","token":"g.h.i"}`, oob.Malformed},
		"a long token":      {`{"passports":["a.b.c"],"token":"` + strings.Repeat("x", atis.RelayTokenBytesMax+1) + `"}`, oob.TooLarge},
		"a long list":       {`{"passports":["` + strings.Repeat(`a.b.c","`, oob.PassportsMax) + `a.b.c"],"token":"g.h.i"}`, oob.TooLarge},
		"a bad PASSporT":    {`{"passports":["a.b"],"token":"g.h.i"}`, oob.Malformed},
		"no JSON":           {`passports`, oob.Malformed},
	} {
		list, token, err := atis.ReadRelay([]byte(c.body))
		if !errors.Is(err, c.kind) || list != nil || token != "" {
			t.Errorf("%s: %q, %q, %v; want %v and nothing", name, list, token, err, c.kind)
		}
	}
}

// TestATIS1000096_S7_BothSpellingsAreOneAction: the sources disagree on the hyphen.
func TestATIS1000096_S7_BothSpellingsAreOneAction(t *testing.T) {
	for _, spelling := range atis.RelayActions() {
		a, err := atis.ReadAccess(atis.WriteAccess(oob.Access{Action: oob.Action(spelling), IssuedAt: time.Unix(1795316200, 0)}))
		if err != nil || a.Action != oob.ActionRepublish {
			t.Errorf("%s: %q, %v", spelling, a.Action, err)
		}
	}
}

// FuzzReadRelay: what is read can be written and is read the same, and the list is the one that a publish would have been read
// with; what is refused is nothing.
func FuzzReadRelay(f *testing.F) {
	for _, seed := range append([]string{`{"token":"Bearer a.b.c","passports":["a.b.c"]}`, `{"passports":["a.b.c"],"token":1}`}, bodySeeds...) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, token, err := atis.ReadRelay(body)
		if err != nil {
			if !errors.Is(err, oob.Malformed) && !errors.Is(err, oob.TooLarge) || list != nil || token != "" {
				t.Fatalf("%v, %q, %v", list, token, err)
			}
			return
		}
		if published, err := atis.ReadPublish(body); err != nil || !slices.Equal(published, list) {
			t.Fatalf("%q as a relay, %q as a publish, %v", list, published, err)
		}
		if len(token) > atis.RelayTokenBytesMax || strings.HasPrefix(strings.ToLower(token), "bearer ") {
			return // a scheme before a scheme is read once
		}
		again, same, err := atis.ReadRelay(atis.WriteRelay(list, token))
		if err != nil || !slices.Equal(again, list) || same != token {
			t.Fatalf("%q %q, then %q %q, %v", list, token, again, same, err)
		}
	})
}
