package jws

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Value is one JSON value, as received.
type Value = jsontext.Value

// Object reads a JSON object and calls member for each of its members, in the order received. Duplicate names and
// invalid UTF-8 anywhere inside, nesting deeper than depthMax, and anything after the object are refused with ErrJSON;
// a duplicate name with ErrDuplicate too. An error of member ends the reading and is returned as it is. The value is a
// part of data.
func Object(data []byte, depthMax int, member func(name string, value Value) error) error {
	var plain [plainMembers]plainMember
	if count, ok := plainObject(data, depthMax, &plain); ok {
		for _, m := range plain[:count] {
			if err := member(knownName(data[m.nameFrom:m.nameTo]), data[m.from:m.to:m.to]); err != nil {
				return err
			}
		}
		return nil
	}
	return object(data, depthMax, member)
}

// object is Object for whatever is not plain.
func object(data []byte, depthMax int, member func(name string, value Value) error) error {
	if tooDeep(data, depthMax) {
		return fmt.Errorf("%w: nested deeper than %d", ErrJSON, depthMax)
	}
	r := newReader(data)
	defer r.release()
	if r.PeekKind() != jsontext.KindBeginObject {
		return fmt.Errorf("%w: not an object", ErrJSON)
	}
	if _, err := r.ReadToken(); err != nil {
		return refuse(err)
	}
	for r.PeekKind() != jsontext.KindEndObject {
		quoted, err := r.ReadValue()
		if err != nil {
			return refuse(err)
		}
		name, _ := String(quoted) // it has just been read as one
		value, err := r.ReadValue()
		if err != nil {
			return refuse(err)
		}
		if err := member(name, value); err != nil {
			return err
		}
	}
	if _, err := r.ReadToken(); err != nil {
		return refuse(err)
	}
	if _, err := r.ReadToken(); err != io.EOF {
		return fmt.Errorf("%w: text after the object", ErrJSON)
	}
	return nil
}

// refuse drops the tokeniser's own text, which repeats member names that a hostile sender chose.
func refuse(err error) error {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return fmt.Errorf("%w: %w", ErrJSON, ErrDuplicate)
	}
	return ErrJSON
}

// reader is a decoder that is used again: to make one for each of the five objects of a small token costs as much as
// to read them.
type reader struct {
	jsontext.Decoder
	data bytes.Buffer
}

// reusedBytesMax is enough for every token.
const reusedBytesMax = 16 << 10

var readers = sync.Pool{New: func() any { return new(reader) }}

// newReader reads data in place; what it gives out are parts of data, so that they outlive its release.
func newReader(data []byte) *reader {
	r := readers.Get().(*reader)
	r.data = *bytes.NewBuffer(data)
	r.Reset(&r.data)
	return r
}

// release forgets the data, which holds numbers, and keeps the reader, unless a long text may have made it large.
func (r *reader) release() {
	if r.data.Cap() > reusedBytesMax {
		return
	}
	r.data = bytes.Buffer{}
	r.Reset(&r.data)
	readers.Put(r)
}

// tooDeep bounds the nesting before the tokeniser, which allows ten thousand levels, climbs down.
func tooDeep(data []byte, depthMax int) bool {
	openings := bytes.Count(data, []byte{'{'}) + bytes.Count(data, []byte{'['})
	return openings > depthMax && depth(data) > depthMax // counting is quick, and enough for nearly every token
}

// depth is the deepest nesting of data, if data is JSON.
func depth(data []byte) int {
	deepest, now := 0, 0
	inString, escaped := false, false
	for _, c := range data {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped = c == '\\'
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{', c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}', c == ']':
			now--
		}
	}
	return deepest
}

// String reads a JSON string.
func String(v Value) (string, bool) {
	if text, ok := plainText(v); ok {
		return string(text), true
	}
	return unquoted(v)
}

// unquoted is String for whatever is not plain.
func unquoted(v Value) (string, bool) {
	if v.Kind() != jsontext.KindString {
		return "", false
	}
	var short [128]byte // most strings of a token fit; saves one allocation
	text, err := jsontext.AppendUnquote(short[:0], v)
	if err != nil {
		return "", false
	}
	return string(text), true
}

// Strings reads a JSON array of at most most strings.
func Strings(v Value, most int) ([]string, bool) {
	if list, ok := plainStrings(v, most); ok {
		return list, true
	}
	return listed(v, most)
}

// listed is Strings for whatever is not plain.
func listed(v Value, most int) ([]string, bool) {
	if v.Kind() != jsontext.KindBeginArray {
		return nil, false
	}
	r := newReader(v)
	defer r.release()
	if _, err := r.ReadToken(); err != nil {
		return nil, false
	}
	list := []string{}
	for r.PeekKind() != jsontext.KindEndArray {
		element, err := r.ReadToken()
		if err != nil || element.Kind() != jsontext.KindString || len(list) == most {
			return nil, false
		}
		list = append(list, element.String())
	}
	return list, true
}

// secondsMax is the last second of the year 9999, the last that calendars can write.
const secondsMax = 253402300799

// Seconds reads a NumericDate that is written as an integer without sign, fraction or exponent, and lies within the
// calendar (RFC 8225 §5.1.1 asks for an integer).
func Seconds(v Value) (int64, bool) {
	n, err := strconv.ParseUint(string(v), 10, 64)
	if err != nil || n > secondsMax {
		return 0, false
	}
	return int64(n), true
}

// Canonicalize rewrites v, which must be JSON, in the form of RFC 8225 §9: no white space, members in the order of
// their names at every depth, no needless escapes. Numbers stay as they are written: to pass them through a float, as
// RFC 8785 does, would change large integers. It refuses what is not strict JSON, with ErrJSON.
//
// DIVERGES RFC 8225 §9: names are compared by UTF-16 code units, as in RFC 8785 §3.2.3, because the tokeniser sorts
// so; the order differs from that of code points only between names with characters beyond U+FFFF and names with
// U+E000 to U+FFFF, and names of claims are ASCII.
func Canonicalize(v *Value) error {
	if err := v.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
		return refuse(err)
	}
	return nil
}

// AppendString appends a JSON string with no more escapes than JSON asks for, as the canonical form wants it
// (RFC 8225 §9; encoding/json would escape <, > and &). The text must be valid UTF-8; what is not is replaced.
func AppendString(dst []byte, s string) []byte {
	from := len(dst)
	dst = append(append(append(dst, '"'), s...), '"')
	if text := dst[from+1 : len(dst)-1]; isPlain(text) && bytes.IndexByte(text, '"') < 0 {
		return dst
	}
	dst, _ = jsontext.AppendQuote(dst[:from], s)
	return dst
}
