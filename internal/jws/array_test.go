package jws_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

func TestRFC8259_S5_ArrayIsReadInOrderAndStrictly(t *testing.T) {
	for _, c := range []struct {
		name, data string
		elements   []string
		want       error
	}{
		{"mixed", ` [ 1 , "a",[ true],{"b":null} ] `, []string{"1", `"a"`, "[ true]", `{"b":null}`}, nil},
		{"empty", `[]`, nil, nil},
		{"deep", strings.Repeat("[", 16) + strings.Repeat("]", 16), []string{strings.Repeat("[", 15) + strings.Repeat("]", 15)}, nil},
		{"too deep", strings.Repeat("[", 17) + strings.Repeat("]", 17), nil, jws.ErrJSON},
		{"nothing", ``, nil, jws.ErrJSON},
		{"object", `{}`, nil, jws.ErrJSON},
		{"string", `"[]"`, nil, jws.ErrJSON},
		{"not closed", `[1`, nil, jws.ErrJSON},
		{"closed by a brace", `[1}`, nil, jws.ErrJSON},
		{"comma last", `[1,]`, nil, jws.ErrJSON},
		{"no comma", `[1 2]`, nil, jws.ErrJSON},
		{"duplicate inside", `[{"a":1,"a":2}]`, nil, jws.ErrDuplicate},
		{"not UTF-8", "[\"\xff\"]", nil, jws.ErrJSON},
		{"a second array behind", `[][]`, nil, jws.ErrJSON},
		{"text behind", `[]x`, nil, jws.ErrJSON},
	} {
		t.Run(c.name, func(t *testing.T) {
			var elements []string
			count, err := jws.Array([]byte(c.data), depthMax, func(i int, value jws.Value) error {
				if i != len(elements) {
					t.Errorf("element %d is called %d", len(elements), i)
				}
				elements = append(elements, string(value))
				return nil
			})
			if c.want != nil {
				if !errors.Is(err, c.want) || !errors.Is(err, jws.ErrJSON) || count != 0 {
					t.Errorf("%d, %v, want %v", count, err, c.want)
				}
				return
			}
			if err != nil || count != len(c.elements) || !reflect.DeepEqual(elements, c.elements) {
				t.Errorf("%q, %d, %v", elements, count, err)
			}
		})
	}
}

func TestErrorOfAnElementEndsTheReading(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	count, err := jws.Array([]byte(`[1,2,3`), depthMax, func(int, jws.Value) error { calls++; return stop })
	if err != stop || calls != 1 || count != 0 {
		t.Errorf("%v after %d calls, count %d", err, calls, count)
	}
}
