package jws_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// reading is what a reader of objects has told.
type reading struct {
	members []member
	err     string
}

func readBy(object func([]byte, int, func(string, jws.Value) error) error, data []byte, depthMax int) (r reading) {
	err := object(data, depthMax, func(name string, value jws.Value) error {
		r.members = append(r.members, member{name, string(value)})
		if name == "refused" {
			return errors.New("refused")
		}
		return nil
	})
	if err != nil {
		r.err = err.Error()
	}
	return r
}

// FuzzPlain wants the readers of plain.go to say of every text what the tokeniser says: the same members, strings and
// refusals.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":"b","c":["d","e"],"f":{"g":1,"h":["i"]}}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{"a":1}x`, `{"a":1,}`,
		`{"a":01}`, `{"a":1.5}`, `{"a":1e9}`, `{"a":-1}`, `{"a":0}`, `{"a":true}`, `{"a":"\\u0061"}`, `{"a":"\n"}`, "{\"a\":\"\x1f\"}", "{\"a\":\"\x7f\"}", "{\"a\":\"\xc3\xa4\"}",
		"{\"a\":\"\xff\"}", `{"a":"b}`, `{"a" "b"}`, `{"a":}`, `{:1}`, `{"refused":1,"a":1}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `[]`, `["a"]`, `["a","b"]`, `["a",]`, `[ "a" ]`,
		`[""]`, `"a"`, `""`, `"`, ``, `{"a":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `}`, `{"a":` + strings.Repeat("[", 7) + strings.Repeat("]", 7) + `}`,
		`{"a":` + strings.Repeat(`{"a":`, 7) + "1" + strings.Repeat("}", 8), `{"iat":1443208345,"orig":{"tn":"12155550121"},"dest":{"tn":["12155550131"]},"attest":"A","origid":"x"}`,
		`{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1,"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"g":1}`, "{\"12345678\\\":1}", "\"1234567\x80\"", "\"1234567\x1f\"",
	} {
		f.Add([]byte(s), uint8(8))
	}
	f.Fuzz(func(t *testing.T, data []byte, most uint8) {
		depthMax, count := int(most%10), int(most%4)
		if got, want := readBy(jws.Object, data, depthMax), readBy(jws.ObjectByTokeniser, data, depthMax); !reflect.DeepEqual(got, want) {
			t.Errorf("an object of depth %d: %+v, the tokeniser: %+v", depthMax, got, want)
		}
		// Values are such that Object has handed out: JSON, without white space around them.
		if value := jws.Value(data); value.IsValid() && len(data) > 0 && strings.TrimSpace(string(data)) == string(data) {
			text, ok := jws.String(value)
			if want, wanted := jws.StringByTokeniser(value); text != want || ok != wanted {
				t.Errorf("String: %q, %v, the tokeniser: %q, %v", text, ok, want, wanted)
			}
			list, ok := jws.Strings(value, count)
			if want, wanted := jws.StringsByTokeniser(value, count); !reflect.DeepEqual(list, want) || ok != wanted {
				t.Errorf("Strings: %q, %v, the tokeniser: %q, %v", list, ok, want, wanted)
			}
		}
		written := jws.AppendString([]byte("x"), string(data))
		if want, _ := jsontext.AppendQuote([]byte("x"), string(data)); string(written) != string(want) {
			t.Errorf("AppendString: %q, the tokeniser: %q", written, want)
		}
	})
}

// TestRFC8259_PlainIsWhatOthersRead: encoding/json, which is a reader of its own, finds the same in what is taken for plain.
func TestRFC8259_PlainIsWhatOthersRead(t *testing.T) {
	const text = `{"iat":1443208345,"orig":{"tn":"12155550121"},"dest":{"tn":["12155550131"]},"attest":"A","origid":"123e4567"}`
	var want map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	members, err := membersOf(text, 8)
	if err != nil || len(members) != len(want) {
		t.Fatalf("%v, %v", members, err)
	}
	for _, m := range members {
		if string(want[m.name]) != m.value {
			t.Errorf("%s: %s, encoding/json finds %s", m.name, m.value, want[m.name])
		}
	}
}
