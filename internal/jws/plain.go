package jws

import (
	"bytes"
	"encoding/binary"
)

// Nearly every object in this protocol is plain: a handful of members, and strings of printable ASCII without an escape. What
// is plain is read here in one pass. Whatever is not, for a reason good or bad, is left to the tokeniser, whose word is
// final: this file never refuses anything, and takes nothing that the tokeniser would not take in the same way.

// Bounds of what is plain. Names are compared with each other, so that many of them would take time.
const (
	plainMembers = 16 // of the object that is asked for
	plainInner   = 8  // of each object in it
)

// plainMember is where a member of an object stands in its text: the name between its quotes, the value whole.
type plainMember struct{ nameFrom, nameTo, from, to int32 }

// plainObject finds the members of a plain object that nests at most depthMax deep and is all of data but for white space.
func plainObject(data []byte, depthMax int, members *[plainMembers]plainMember) (count int, ok bool) {
	if len(data) > reusedBytesMax || depthMax < 1 {
		return 0, false
	}
	i := plainSpace(data, 0)
	if i == len(data) || data[i] != '{' {
		return 0, false
	}
	if i = plainSpace(data, i+1); i < len(data) && data[i] == '}' {
		return 0, plainSpace(data, i+1) == len(data)
	}
	for count < plainMembers {
		m := &members[count]
		var at, end int
		if at, end = plainName(data, i); at < 0 {
			return 0, false
		}
		m.nameFrom, m.nameTo = int32(i+1), int32(end)
		for n := range members[:count] {
			if other := &members[n]; bytes.Equal(data[other.nameFrom:other.nameTo], data[i+1:end]) {
				return 0, false
			}
		}
		if i = plainValue(data, at, depthMax-1); i < 0 {
			return 0, false
		}
		m.from, m.to = int32(at), int32(i)
		count++
		if i = plainSpace(data, i); i == len(data) {
			return 0, false
		}
		switch data[i] {
		case '}':
			return count, plainSpace(data, i+1) == len(data)
		case ',':
			i = plainSpace(data, i+1)
		default:
			return 0, false
		}
	}
	return 0, false
}

// plainName reads the name of a member at i and the colon behind it: where the value begins, and where the quote stands
// that ends the name. at is -1 where that is not plain.
func plainName(data []byte, i int) (at, end int) {
	after := plainString(data, i)
	if after < 0 {
		return -1, 0
	}
	at = plainSpace(data, after)
	if at == len(data) || data[at] != ':' {
		return -1, 0
	}
	return plainSpace(data, at+1), after - 1
}

// plainValue gives the end of the value at i, which may nest depth levels deep, or -1.
func plainValue(data []byte, i, depth int) int {
	if i == len(data) {
		return -1
	}
	switch c := data[i]; {
	case c == '"':
		return plainString(data, i)
	case c == '{' && depth > 0:
		return plainNested(data, i, depth)
	case c == '[' && depth > 0:
		return plainArray(data, i, depth)
	case '1' <= c && c <= '9': // whole numbers alone
		for i++; i < len(data) && '0' <= data[i] && data[i] <= '9'; i++ {
		}
		if i < len(data) && (data[i] == '.' || data[i] == 'e' || data[i] == 'E') {
			return -1
		}
		return i
	}
	return -1
}

// plainNested gives the end of the object at i.
func plainNested(data []byte, i, depth int) int {
	var names [plainInner][2]int32
	if i = plainSpace(data, i+1); i < len(data) && data[i] == '}' {
		return i + 1
	}
	for count := range names {
		at, end := plainName(data, i)
		if at < 0 {
			return -1
		}
		names[count] = [2]int32{int32(i + 1), int32(end)}
		for _, other := range names[:count] {
			if bytes.Equal(data[other[0]:other[1]], data[i+1:end]) {
				return -1
			}
		}
		if i = plainValue(data, at, depth-1); i < 0 {
			return -1
		}
		if i = plainSpace(data, i); i == len(data) {
			return -1
		}
		switch data[i] {
		case '}':
			return i + 1
		case ',':
			i = plainSpace(data, i+1)
		default:
			return -1
		}
	}
	return -1
}

// plainArray gives the end of the array at i.
func plainArray(data []byte, i, depth int) int {
	if i = plainSpace(data, i+1); i < len(data) && data[i] == ']' {
		return i + 1
	}
	for {
		if i = plainValue(data, i, depth-1); i < 0 {
			return -1
		}
		if i = plainSpace(data, i); i == len(data) {
			return -1
		}
		switch data[i] {
		case ']':
			return i + 1
		case ',':
			i = plainSpace(data, i+1)
		default:
			return -1
		}
	}
}

// plainString gives the end of the string at i, or -1.
func plainString(data []byte, i int) int {
	if i >= len(data) || data[i] != '"' {
		return -1
	}
	i++
	length := bytes.IndexByte(data[i:], '"')
	if length < 0 || !isPlain(data[i:i+length]) {
		return -1
	}
	return i + length + 1
}

// plainText is the text of a plain string that is all of v.
func plainText(v Value) ([]byte, bool) {
	if len(v) < 2 || plainString(v, 0) != len(v) {
		return nil, false
	}
	return v[1 : len(v)-1], true
}

// plainStrings reads a plain array of plain strings, 1 to most of them.
func plainStrings(v Value, most int) ([]string, bool) {
	if len(v) == 0 || v[0] != '[' || most < 1 {
		return nil, false
	}
	list := make([]string, 0, 1) // which most have
	for i := plainSpace(v, 1); len(list) < most; i = plainSpace(v, i+1) {
		after := plainString(v, i)
		if after < 0 {
			return nil, false
		}
		list = append(list, string(v[i+1:after-1]))
		if i = plainSpace(v, after); i == len(v) {
			return nil, false
		}
		if v[i] == ']' {
			return list, i == len(v)-1
		}
		if v[i] != ',' {
			return nil, false
		}
	}
	return nil, false
}

// isPlain wants printable ASCII without a backslash, eight bytes at a time. There may be quotes in it.
func isPlain(text []byte) bool {
	const low, high = 0x0101010101010101, 0x8080808080808080
	for ; len(text) >= 8; text = text[8:] {
		w := binary.LittleEndian.Uint64(text)
		escape := w ^ '\\'*low
		// A byte less than 0x20, or equal to the backslash, borrows into its high bit.
		if (w|(w-0x20*low)|(escape-low)&^escape)&high != 0 {
			return false
		}
	}
	for _, c := range text {
		if c < 0x20 || c >= 0x80 || c == '\\' {
			return false
		}
	}
	return true
}

// plainSpace gives the first place from i on without white space (RFC 8259 §2).
func plainSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// knownName is a name without a string of its own, where it is one of the members of headers, tokens and bodies.
func knownName(name []byte) string {
	switch string(name) { // which allocates nothing
	case "action":
		return "action"
	case "alg":
		return "alg"
	case "attest":
		return "attest"
	case "aud":
		return "aud"
	case "crit":
		return "crit"
	case "dest":
		return "dest"
	case "div":
		return "div"
	case "exp":
		return "exp"
	case "iat":
		return "iat"
	case "iss":
		return "iss"
	case "jti":
		return "jti"
	case "orig":
		return "orig"
	case "origid":
		return "origid"
	case "passports":
		return "passports"
	case "ppt":
		return "ppt"
	case "spc":
		return "spc"
	case "sub":
		return "sub"
	case "tn":
		return "tn"
	case "token":
		return "token"
	case "typ":
		return "typ"
	case "uri":
		return "uri"
	case "x5u":
		return "x5u"
	}
	return string(name)
}
