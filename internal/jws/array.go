package jws

import (
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Array reads a JSON array and calls element for each of its elements, in order. It is as strict as [Object], and fails
// as that does. The value is a part of data. It gives the count of elements.
func Array(data []byte, depthMax int, element func(i int, value Value) error) (int, error) {
	if tooDeep(data, depthMax) {
		return 0, fmt.Errorf("%w: nested deeper than %d", ErrJSON, depthMax)
	}
	r := newReader(data)
	defer r.release()
	if r.PeekKind() != jsontext.KindBeginArray {
		return 0, fmt.Errorf("%w: not an array", ErrJSON)
	}
	if _, err := r.ReadToken(); err != nil {
		return 0, refuse(err)
	}
	count := 0
	for r.PeekKind() != jsontext.KindEndArray {
		value, err := r.ReadValue()
		if err != nil {
			return 0, refuse(err)
		}
		if err := element(count, value); err != nil {
			return 0, err
		}
		count++
	}
	if _, err := r.ReadToken(); err != nil {
		return 0, refuse(err)
	}
	if _, err := r.ReadToken(); err != io.EOF {
		return 0, fmt.Errorf("%w: text after the array", ErrJSON)
	}
	return count, nil
}
