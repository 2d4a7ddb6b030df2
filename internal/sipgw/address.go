package sipgw

import (
	"strings"

	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/stivs"
)

// address is a value of From, P-Asserted-Identity or Contact: name-addr or addr-spec (RFC 3261 §25.1).
type address struct {
	name string // of whoever it is, decoded; empty for none, and where it is nothing to show
	uri
	params string // behind it, each with its semicolon
}

// readAddress reads one value.
func readAddress(value string) (a address, ok bool) {
	if len(value) > ValueBytesMax {
		return address{}, false
	}
	value = strings.Trim(value, " \t")
	rest := value
	var name string
	if strings.HasPrefix(rest, `"`) {
		end := siptx.QuotedEnd(rest, 0)
		if end < 0 {
			return address{}, false
		}
		name, rest = unquoted(rest[1:end-1]), strings.TrimLeft(rest[end:], " \t")
		if !strings.HasPrefix(rest, "<") {
			return address{}, false
		}
	} else if open := strings.IndexByte(rest, '<'); open >= 0 {
		name, rest = strings.Trim(rest[:open], " \t"), rest[open:]
	}
	if stivs.Showable(name) {
		a.name = name
	}
	if strings.HasPrefix(rest, "<") {
		end := strings.IndexByte(rest, '>')
		if end < 0 {
			return address{}, false
		}
		a.uri, ok = readURI(rest[1:end])
		a.params = strings.TrimLeft(rest[end+1:], " \t")
	} else { // what stands behind the first semicolon belongs to the field (RFC 3261 §20.10)
		rest, a.params = cutAt(rest, ';')
		a.uri, ok = readURI(strings.TrimRight(rest, " \t"))
	}
	if !ok || a.params != "" && a.params[0] != ';' {
		return address{}, false
	}
	return a, true
}

func unquoted(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// appendQuoted writes text as a quoted string.
func appendQuoted(b []byte, text string) []byte {
	b = append(b, '"')
	for i := range len(text) {
		if c := text[i]; c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return append(b, '"')
}

// appendTo writes the address without its params; see uri.appendTo for mark.
func (a *address) appendTo(b []byte, mark string) []byte {
	if a.name != "" {
		b = append(appendQuoted(b, a.name), ' ')
	}
	return append(a.uri.appendTo(append(b, '<'), mark), '>')
}

// splitList cuts a header field value at the commas outside of quotes and angle brackets, in at most ValuesMax; whole is false
// where there are more, or where a quote or bracket does not end.
func splitList(values []string) (list []string, whole bool) {
	for _, value := range values {
		start, bracketed := 0, false
		for i := 0; i < len(value); i++ {
			switch c := value[i]; {
			case c == '"' && !bracketed:
				if i = siptx.QuotedEnd(value, i) - 1; i < 0 {
					return list, false
				}
			case c == '<':
				bracketed = true
			case c == '>':
				bracketed = false
			case c == ',' && !bracketed:
				if len(list) == ValuesMax {
					return list, false
				}
				list = append(list, value[start:i])
				start = i + 1
			}
		}
		if bracketed || len(list) == ValuesMax {
			return list, false
		}
		list = append(list, value[start:])
	}
	return list, true
}
