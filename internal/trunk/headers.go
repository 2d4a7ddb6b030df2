package trunk

import (
	"iter"
	"strings"

	"github.com/viaduct-oob/viaduct/identity"
)

// ValuesMax bounds how many values of one header field are read. Those behind it are not seen.
const ValuesMax = 16

// headerValues gives the values of a header field: those of each line, with what commas separate cut apart
// (RFC 3261 §7.3.1). Empty values are left out.
func headerValues(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		count := 0
		for _, line := range lines {
			for line != "" {
				var value string
				value, line = cutValue(line)
				if strings.TrimSpace(value) == "" {
					continue
				}
				if count == ValuesMax || !yield(value) {
					return
				}
				count++
			}
		}
	}
}

// cutValue cuts a line behind its first value.
func cutValue(line string) (value, rest string) {
	for comma := range identity.Commas(line) {
		return line[:comma], line[comma+1:]
	}
	return line, ""
}

// headerParameter gives a parameter of a header value: of what stands behind its angle brackets, or behind the first
// semicolon when there are none.
func headerParameter(value, name string) string {
	quoted, start := false, 0
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			start = i + 1
		}
	}
	for parameter := range strings.SplitSeq(value[start:], ";") {
		found, text, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(found), name) {
			return strings.Trim(text, " \t\"")
		}
	}
	return ""
}
