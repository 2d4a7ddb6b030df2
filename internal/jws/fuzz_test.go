package jws_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// FuzzSplit wants of every text: a typed refusal and nothing, or three segments of which the text can be made again.
func FuzzSplit(f *testing.F) {
	seeds := []string{
		"", "..", "YQ.Yg.Yw", "YQ.Yg", "YQ.Yg.Yw.ZA", "YQ==.Yg.Yw", "YR.Yg.Yw", "Y\nQ.Yg.Yw", "++.Yg.Yw",
		encode(`{"alg":"ES256","typ":"passport"}`) + "." + encode(`{"iat":1}`) + "." + encode(strings.Repeat("s", 64)),
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := jws.Split(text, lengthMax)
		if err != nil {
			known := func(want error) bool { return errors.Is(err, want) }
			if !slices.ContainsFunc([]error{jws.ErrTooLong, jws.ErrSegments, jws.ErrBase64}, known) {
				t.Errorf("untyped refusal %v", err)
			}
			if got.Header != nil || got.Payload != nil || got.Signature != nil || got.SigningInput != "" {
				t.Errorf("something beside an error: %+v", got)
			}
			return
		}
		input := encode(string(got.Header)) + "." + encode(string(got.Payload))
		if got.SigningInput != input || text != input+"."+encode(string(got.Signature)) {
			t.Errorf("%q is a second text of %+v", text, got)
		}
	})
}

// FuzzObject wants that whatever Object takes, encoding/json takes too, and finds the same members in it: two readers
// of one token must not see two tokens.
func FuzzObject(f *testing.F) {
	seeds := []string{
		`{}`, `{"a":1,"b":[true,null],"c":{"d":"\u0065"}}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":2}}`, `{"a":"\ud800"}`,
		"{\"a\":\"\xff\"}", `{"a":1}x`, `{"a":1,}`, ` { } `, `[]`, `{"a":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}`,
		`{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`, "\ufeff{}", `{"a":1e400}`, `{"a":-0.0E+5}`, `{"":"\u0000"}`,
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		members := map[string]jws.Value{}
		count := 0
		err := jws.Object(data, depthMax, func(name string, value jws.Value) error {
			members[name] = value
			count++
			return nil
		})
		if err != nil {
			if !errors.Is(err, jws.ErrJSON) {
				t.Errorf("untyped refusal %v", err)
			}
			return
		}
		var other map[string]json.RawMessage
		if err := json.Unmarshal(data, &other); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", data, err)
		}
		if len(other) != count || len(members) != count {
			t.Fatalf("%d members, encoding/json finds %d", count, len(other))
		}
		for name, value := range members {
			if string(other[name]) != string(value) {
				t.Errorf("member %q: %q, encoding/json finds %q", name, value, other[name])
			}
			if text, ok := jws.String(value); ok {
				var want string
				if err := json.Unmarshal(value, &want); err != nil || text != want {
					t.Errorf("String(%s) = %q, encoding/json says %q, %v", value, text, want, err)
				}
			}
		}
	})
}
