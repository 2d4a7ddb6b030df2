package siptx

import "strings"

// fieldsMax bounds the header fields of a message.
const fieldsMax = 512

// message is a message cut into lines. Offsets are into text.
type message struct {
	text   string
	start  string // the start line, without its end
	fields []field
	bodyAt int
	inline [32]field // where fields begin
}

// field is one header field: its name, its value with folds, and its lines with their ends.
type field struct {
	at, nameEnd, valueAt, valueEnd, end int32
	kind                                kind
}

// kind is a header field that this package reads.
type kind int32

const (
	other kind = iota
	viaField
	fromField
	toField
	callIDField
	cseqField
	maxForwardsField
	contentLengthField
	requireField
	proxyRequireField
	routeField
	timestampField
	kinds
)

var kindNames = [kinds]string{viaField: "Via", fromField: "From", toField: "To", callIDField: "Call-ID", cseqField: "CSeq",
	maxForwardsField: "Max-Forwards", contentLengthField: "Content-Length", requireField: "Require",
	proxyRequireField: "Proxy-Require", routeField: "Route", timestampField: "Timestamp"}

func kindOf(name string) kind {
	name = long(name)
	switch len(name) {
	case 2, 3, 4, 5, 7, 9, 12, 13, 14:
		for k := viaField; k < kinds; k++ {
			if len(kindNames[k]) == len(name) && strings.EqualFold(kindNames[k], name) {
				return k
			}
		}
	}
	return other
}

func (m *message) name(i int) string  { return m.text[m.fields[i].at:m.fields[i].nameEnd] }
func (m *message) value(i int) string { return m.text[m.fields[i].valueAt:m.fields[i].valueEnd] }
func (m *message) lines(i int) string { return m.text[m.fields[i].at:m.fields[i].end] }

func (m *message) named(i int, name string) bool { return sameName(m.name(i), name) }

// first is the index of the first field of the kind, and how many there are.
func (m *message) first(k kind) (at, count int) {
	at = -1
	for i := range m.fields {
		if m.fields[i].kind == k {
			if count == 0 {
				at = i
			}
			count++
		}
	}
	return at, count
}

// read cuts text into lines and says what is wrong with them. It goes on after a fault, so that Via is found where it
// can be. A header that does not end is a fault; what follows the empty line is the body.
func (m *message) read(text string) fault {
	m.text, m.fields, m.bodyAt = text, m.inline[:0], len(text)
	var found fault
	note := func(f fault) {
		if found != bareReturn { // a CR alone outweighs the rest: what has one is not answered
			found = f
		}
	}
	at := 0
	for first := true; ; first = false {
		end, next, bad := line(text, at)
		if found == "" || bad == bareReturn {
			found = bad
		}
		switch {
		case next < 0:
			if first {
				m.start = text[at:end]
			}
			return found
		case first:
			m.start = text[at:end]
		case end == at:
			m.bodyAt = next
			return found
		case text[at] == ' ' || text[at] == '\t':
			if len(m.fields) == 0 {
				note(badLine)
				break
			}
			f := &m.fields[len(m.fields)-1]
			f.end = int32(next)
			if v := trimRight(text[:end], at); v > at { // looked at alone: a value may have thousands of lines
				if f.valueAt == f.valueEnd {
					f.valueAt = int32(skipSpace(text[:v], at))
				}
				f.valueEnd = int32(v)
			}
		case len(m.fields) == fieldsMax:
			note(tooManyFields)
		default:
			f, ok := readField(text, at, end, next)
			if !ok {
				note(badField)
				break
			}
			m.fields = append(m.fields, f)
		}
		at = next
	}
}

// line finds where the line at at ends and where the next begins; -1 without. Lines end in CR LF, neither of which
// appears alone (RFC 3261 §7).
func line(text string, at int) (end, next int, f fault) {
	i := strings.IndexByte(text[at:], '\n')
	end, next = at+i, at+i+1
	if i < 0 {
		end, next, f = len(text), -1, noHeaderEnd
	} else if i == 0 || text[end-1] != '\r' {
		f = badLine
	} else {
		end--
	}
	if strings.IndexByte(text[at:end], '\r') >= 0 {
		f = bareReturn
	}
	return end, next, f
}

// readField reads the first line of a header field: a token, white space, a colon and the value (RFC 3261 §7.3.1).
func readField(text string, at, end, next int) (field, bool) {
	n := tokenEnd(text, at, end)
	c := skipSpace(text[:end], n)
	if n == at || c == end || text[c] != ':' {
		return field{}, false
	}
	v := skipSpace(text[:end], c+1)
	return field{at: int32(at), nameEnd: int32(n), valueAt: int32(v), valueEnd: int32(trimRight(text[:end], v)),
		end: int32(next), kind: kindOf(text[at:n])}, true
}

func skipFolds(text string, at, end int) int {
	for at < end && (isSpace(text[at]) || text[at] == '\r' || text[at] == '\n') {
		at++
	}
	return at
}

// unfold makes one line of a folded value: each end of line with the white space around it becomes one space.
func unfold(value string) string {
	if strings.IndexByte(value, '\n') < 0 {
		return value
	}
	var b strings.Builder
	for at := 0; ; {
		i := strings.IndexByte(value[at:], '\n')
		if i < 0 {
			b.WriteString(value[at:])
			return b.String()
		}
		b.WriteString(strings.TrimRight(value[at:at+i], " \t\r\n"))
		b.WriteByte(' ')
		at = skipFolds(value, at+i, len(value))
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

func skipSpace(s string, at int) int {
	for at < len(s) && isSpace(s[at]) {
		at++
	}
	return at
}

// trimRight is where s ends without the white space and folds at its end, not before at.
func trimRight(s string, at int) int {
	end := len(s)
	for end > at && (isSpace(s[end-1]) || s[end-1] == '\r' || s[end-1] == '\n') {
		end--
	}
	return end
}

// tokenBytes are those of a token (RFC 3261 §25.1).
var tokenBytes = func() (set [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~") {
		set[c] = true
	}
	return set
}()

func tokenEnd(s string, at, end int) int {
	for at < end && tokenBytes[s[at]] {
		at++
	}
	return at
}

func isToken(s string) bool { return s != "" && tokenEnd(s, 0, len(s)) == len(s) }
