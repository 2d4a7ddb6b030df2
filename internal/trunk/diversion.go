package trunk

import (
	"strings"

	"github.com/viaduct-oob/viaduct/tn"
)

// retargeting is one step on the way of a call: who was called before, and whether the step is a diversion by that party
// or the translation of a service number.
type retargeting struct {
	from       string
	index      string // of from in History-Info
	translated bool
}

// sipDiversion finds who was called before: from History-Info, or else from Diversion (RFC 7544).
func (f *finder) sipDiversion(s Signalling) {
	first, last := history(s.HistoryInfo)
	if last.from == "" {
		diverted, lastDiverted := diversions(s.Diversion)
		if last = lastDiverted; first.from == "" {
			first = diverted
		}
	}
	if last.from != "" {
		f.parties.Diverted = true
		f.parties.HI = last.index
		if id, o := f.previous("diverted from", last.from); o == usable {
			f.parties.DivertedFrom = id
		}
	}
	if f.Second != SecondOriginal {
		return
	}
	var original, dialled tn.Identity
	if first.from != "" {
		original = f.sipNumber("called first", first.from)
	}
	if original.IsZero() && s.To != "" {
		dialled = f.sipNumber("dialled", s.To)
	}
	f.second(original, dialled)
}

func (f *finder) previous(what, value string) (tn.Identity, outcome) {
	a, err := tn.ReadAddress(value)
	return f.address(what, value, a, err)
}

// sipNumber is the number in an address; the zero Identity where there is none.
func (f *finder) sipNumber(what, value string) tn.Identity {
	id, _ := f.previous(what, value)
	if _, isNumber := id.Number(); !isNumber {
		return tn.Identity{}
	}
	return id
}

// diversions gives the first diversion of a call and the last; the last stands first (RFC 5806).
func diversions(lines []string) (first, last retargeting) {
	for value := range headerValues(lines) {
		first.from = value
		if last.from == "" {
			last.from = value
		}
	}
	return first, last
}

// entry is one value of History-Info.
type entry struct{ value, index string }

// history gives the first retargeting that History-Info shows, and the last that is a diversion. An entry that came about
// by mapping to another user says so with mp and the index of who was called before (RFC 7044 §5); older networks give
// its address the cause of a diversion (RFC 4458), without a word about who was called before, who then is the entry
// before it.
func history(lines []string) (first, last retargeting) {
	if len(lines) == 0 { // as in most calls
		return first, last
	}
	var seen [ValuesMax]entry
	count := 0
	for value := range headerValues(lines) {
		e := entry{value: value, index: headerParameter(value, "index")}
		if from, translated, ok := retargeted(e, seen[:count]); ok {
			step := retargeting{from: from.value, index: hiIndex(from.index), translated: translated}
			if first.from == "" {
				first = step
			}
			if !translated {
				last = step
			}
		}
		seen[count] = e
		count++
	}
	return first, last
}

// retargeted finds the entry from which another came about; false where the called party stayed the same.
func retargeted(e entry, before []entry) (from entry, translated, ok bool) {
	if len(before) == 0 {
		return entry{}, false, false
	}
	cause := ""
	if a, err := tn.ReadAddress(e.value); err == nil {
		cause, _ = a.Parameter("cause")
	}
	mapped := headerParameter(e.value, "mp")
	switch cause {
	case "380": // RFC 8119
		translated = true
	case "302", "404", "408", "480", "486", "487", "503": // RFC 4458
	default:
		if mapped == "" {
			return entry{}, false, false
		}
	}
	from = before[len(before)-1]
	for _, b := range before {
		if mapped != "" && b.index == mapped {
			from = b
		}
	}
	return from, translated, true
}

// indexMax bounds an index of History-Info, in characters.
const indexMax = 32

// hiIndex is an index that is well-formed (RFC 7044 §5): numbers with dots between them; else nothing.
func hiIndex(index string) string {
	if len(index) > indexMax || strings.Trim(index, "0123456789.") != "" ||
		strings.HasPrefix(index, ".") || strings.HasSuffix(index, ".") || strings.Contains(index, "..") {
		return ""
	}
	return index
}
