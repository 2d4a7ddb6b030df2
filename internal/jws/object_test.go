package jws_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

const depthMax = 16

// member is what Object hands out.
type member struct{ name, value string }

func membersOf(data string, depthMax int) ([]member, error) {
	var members []member
	err := jws.Object([]byte(data), depthMax, func(name string, value jws.Value) error {
		members = append(members, member{name, string(value)})
		return nil
	})
	return members, err
}

func TestRFC8259_S4_ObjectIsReadInOrder(t *testing.T) {
	got, err := membersOf(" {\"b\" : 1,\n\"\\u0061\":[ true ], \"\":{\"c\":null}} \n", depthMax)
	if err != nil {
		t.Fatal(err)
	}
	if want := []member{{"b", "1"}, {"a", "[ true ]"}, {"", `{"c":null}`}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestRFC8259_S2_ObjectIsStrict(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}` }
	for _, c := range []struct {
		name, data string
		want       error
	}{
		{"empty", `{}`, nil},
		{"depth 16", deep(16), nil},
		{"depth 17", deep(17), jws.ErrJSON},
		{"depth 17 and not closed", strings.Repeat(`{"a":`, 17), jws.ErrJSON},
		{"brackets in strings", `{"a":"` + strings.Repeat(`[{\"`, 20) + `"}`, nil},
		{"nothing", ``, jws.ErrJSON},
		{"white space", ` `, jws.ErrJSON},
		{"array", `[]`, jws.ErrJSON},
		{"null", `null`, jws.ErrJSON},
		{"string", `"{}"`, jws.ErrJSON},
		{"not closed", `{`, jws.ErrJSON},
		{"closed by a bracket", `{]`, jws.ErrJSON},
		{"name without value", `{"a"}`, jws.ErrJSON},
		{"name that is no string", `{1:1}`, jws.ErrJSON},
		{"two colons", `{"a"::1}`, jws.ErrJSON},
		{"comma first", `{,"a":1}`, jws.ErrJSON},
		{"comma last", `{"a":1,}`, jws.ErrJSON},
		{"no comma", `{"a":1 "b":1}`, jws.ErrJSON},
		{"text behind", `{}x`, jws.ErrJSON},
		{"object behind", `{}{}`, jws.ErrJSON},
		{"NUL behind", "{}\x00", jws.ErrJSON},
		{"NUL before", "\x00{}", jws.ErrJSON},
		{"byte order mark", "\ufeff{}", jws.ErrJSON},
		{"form feed", "{\f}", jws.ErrJSON},
		{"control character in a string", "{\"a\":\"\n\"}", jws.ErrJSON},
		{"unknown escape", `{"a":"\x41"}`, jws.ErrJSON},
		{"half an escape", `{"a":"\u12"}`, jws.ErrJSON},
		{"surrogate alone", `{"a":"\ud800"}`, jws.ErrJSON},
		{"surrogate alone in a name", `{"\udc00":1}`, jws.ErrJSON},
		{"surrogate pair", `{"a":"\ud83d\ude00"}`, nil},
		{"invalid UTF-8", "{\"a\":\"\xc3\"}", jws.ErrJSON},
		{"overlong UTF-8", "{\"a\":\"\xc0\x80\"}", jws.ErrJSON},
		{"invalid UTF-8 deep inside", "{\"a\":[{\"b\":\"\xff\"}]}", jws.ErrJSON},
		{"leading zero", `{"a":01}`, jws.ErrJSON},
		{"plus", `{"a":+1}`, jws.ErrJSON},
		{"NaN", `{"a":NaN}`, jws.ErrJSON},
		{"literal in capitals", `{"a":True}`, jws.ErrJSON},
		{"duplicate", `{"a":1,"a":1}`, jws.ErrDuplicate},
		{"duplicate with an escape", `{"a":1,"\u0061":1}`, jws.ErrDuplicate},
		{"duplicate inside", `{"a":{"b":1,"b":1}}`, jws.ErrDuplicate},
		{"duplicate inside an array", `{"a":[{"b":1,"b":1}]}`, jws.ErrDuplicate},
		{"duplicate of an empty name", `{"":1,"":1}`, jws.ErrDuplicate},
		{"other case", `{"a":1,"A":1}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := membersOf(c.data, depthMax)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err != nil && !errors.Is(err, jws.ErrJSON) {
				t.Errorf("%v is not ErrJSON", err)
			}
		})
	}
}

func TestObjectReturnsTheErrorOfMember(t *testing.T) {
	stop := errors.New("stop")
	seen := 0
	err := jws.Object([]byte(`{"a":1,"b":2}`), depthMax, func(string, jws.Value) error { seen++; return stop })
	if err != stop || seen != 1 {
		t.Errorf("%v after %d members", err, seen)
	}
}

// Readers are used again: what one object gave out must outlive the reading of others, inside it and beside it.
func TestObjectsInsideObjectsDoNotDisturbEachOther(t *testing.T) {
	const inner = `{"x":"1","y":{"z":["2","3"]}}`
	read := func() {
		var kept []jws.Value
		err := jws.Object([]byte(`{"a":`+inner+`,"b":["4","5"],"c":`+inner+`}`), depthMax, func(name string, value jws.Value) error {
			kept = append(kept, value)
			if name == "b" {
				if list, ok := jws.Strings(value, 2); !ok || !reflect.DeepEqual(list, []string{"4", "5"}) {
					t.Errorf("b = %q, %v", list, ok)
				}
				return nil
			}
			return jws.Object(value, depthMax, func(name string, value jws.Value) error {
				if name == "y" {
					return jws.Object(value, depthMax, func(string, jws.Value) error { return nil })
				}
				return nil
			})
		})
		if err != nil || len(kept) != 3 || string(kept[0]) != inner || string(kept[1]) != `["4","5"]` || string(kept[2]) != inner {
			t.Errorf("%q, %v", kept, err)
		}
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				read()
			}
		})
	}
	group.Wait()
}

func TestObjectIsReadAgainAfterAnError(t *testing.T) {
	for _, bad := range []string{`{"a":{"a":1,"a":2}}`, `{"a":[[[`, `{"a":1}x`, "{\"\xff"} {
		if _, err := membersOf(bad, depthMax); err == nil {
			t.Fatalf("accepted %q", bad)
		}
		if got, err := membersOf(`{"a":1}`, depthMax); err != nil || len(got) != 1 {
			t.Errorf("after %q: %q, %v", bad, got, err)
		}
	}
}

func TestObjectLeavesItsDataAlone(t *testing.T) {
	data := []byte(`{"\u0061":"\u0062","c":{"d":[1,2]}}`)
	before := bytes.Clone(data)
	if err := jws.Object(data, depthMax, func(string, jws.Value) error { return nil }); err != nil || !bytes.Equal(data, before) {
		t.Errorf("%s, %v", data, err)
	}
}

func TestString(t *testing.T) {
	long := strings.Repeat("é", 1000)
	for _, c := range []struct {
		value, want string
		ok          bool
	}{
		{`"a"`, "a", true}, {`""`, "", true}, {`"\u0041\n\ud83d\ude00"`, "A\n😀", true}, {`"` + long + `"`, long, true},
		{`1`, "", false}, {`null`, "", false}, {`["a"]`, "", false}, {`"a`, "", false}, {"\"\xff\"", "", false}, {``, "", false},
	} {
		if got, ok := jws.String(jws.Value(c.value)); got != c.want || ok != c.ok {
			t.Errorf("String(%.20q) = %.20q, %v", c.value, got, ok)
		}
	}
}

func TestStrings(t *testing.T) {
	for _, c := range []struct {
		value string
		want  []string
		ok    bool
	}{
		{`["a","\u0062"]`, []string{"a", "b"}, true}, {`[]`, []string{}, true}, {` [ "a" ] `, []string{"a"}, true},
		{`["a","b","c"]`, nil, false}, {`["a",1]`, nil, false}, {`["a",["b"]]`, nil, false}, {`["a",null]`, nil, false},
		{`"a"`, nil, false}, {`{}`, nil, false}, {`["a"`, nil, false}, {``, nil, false},
	} {
		if got, ok := jws.Strings(jws.Value(c.value), 2); !reflect.DeepEqual(got, c.want) || ok != c.ok {
			t.Errorf("Strings(%q) = %q, %v", c.value, got, ok)
		}
	}
}

func TestRFC7519_S2_SecondsAreIntegers(t *testing.T) {
	for value, want := range map[string]int64{
		"0": 0, "1443208345": 1443208345, "253402300799": 253402300799, "253402300800": -1, "-1": -1, "-0": -1, "1.0": -1, "1e3": -1,
		`"1"`: -1, "null": -1, "": -1, "99999999999999999999": -1,
	} {
		got, ok := jws.Seconds(jws.Value(value))
		if ok != (want >= 0) || ok && got != want || !ok && got != 0 {
			t.Errorf("Seconds(%q) = %d, %v", value, got, ok)
		}
	}
}

func TestRFC8225_S9_Canonicalize(t *testing.T) {
	for _, c := range []struct {
		value, want string
	}{
		{"{\"b\": {\"d\" :1,\"c\":[ 2 ] },\n\"a\":\"\\u0041\"}", `{"a":"A","b":{"c":[2],"d":1}}`},
		{`9007199254740993`, `9007199254740993`}, {`1.50`, `1.50`}, {` "<&>" `, `"<&>"`}, {`{"a":1}`, `{"a":1}`},
		{`{"a":1,"a":1}`, ""}, {"\"\xff\"", ""}, {`"\ud800"`, ""}, {`1 2`, ""}, {``, ""}, {`{`, ""},
	} {
		value := jws.Value(c.value)
		err := jws.Canonicalize(&value)
		if c.want == "" && !errors.Is(err, jws.ErrJSON) || c.want != "" && (err != nil || string(value) != c.want) {
			t.Errorf("%q: %q, %v", c.value, value, err)
		}
	}
}

func TestRFC8225_S9_AppendStringEscapesNoMoreThanNeeded(t *testing.T) {
	if got := string(jws.AppendString([]byte(`x`), "<&>\u2028é\"\\\n\x00/")); got != `x"<&>`+"\u2028"+`é\"\\\n\u0000/"` {
		t.Errorf("got %s", got)
	}
}
