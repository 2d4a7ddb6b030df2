package sipgw

import (
	"strings"

	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
)

// shown is how the caller of a call is to be shown.
type shown struct {
	*asking
	call    *dip.Call
	verdict *oob.Verdict
	mark    string // the parameter with verstat
}

// passed reports whether the caller was verified.
func (s *shown) passed() bool { return s.verdict.Verstat == oob.VerstatPassed }

// addCaller puts verstat on the caller (ATIS-1000074 §5.3); see the package comment.
func (a *asking) addCaller(add *additions, call *dip.Call, v *oob.Verdict) {
	s := &shown{asking: a, call: call, verdict: v, mark: "verstat=" + a.trunk.Answer.Verstat.Verstat(*v)}
	list, whole := splitList(a.request.Values("P-Asserted-Identity"))
	if !whole {
		a.unread("P-Asserted-Identity")
	}
	asserted, marked, taken := s.asserted(list)
	from, ok := readAddress(a.request.Value("From"))
	if !ok {
		a.unread("From")
	}
	hadMark := from.takeVerstat()
	if taken || hadMark {
		a.tally.taken.Add(1)
		a.trace.Step("verstat taken out", "the request came with one")
	}
	if ok {
		secret := call.Parties.Restricted && s.isCaller(a.request.Value("From")) // and nobody has asserted the number
		if !marked && !secret && from.canBeMarked() {
			asserted = append([]string{s.spell(&address{name: from.name, uri: from.uri}, true)}, asserted...)
			marked = true
		}
		if hadMark || !marked {
			s.changeFrom(add, from, !marked)
		}
	}
	if len(asserted) > 0 {
		a.add(add, "P-Asserted-Identity", strings.Join(asserted, ", "))
	}
}

// asserted spells the values of P-Asserted-Identity. What cannot be read is left out.
func (s *shown) asserted(list []string) (spelled []string, marked, taken bool) {
	for _, value := range list {
		one, ok := readAddress(value)
		if !ok {
			s.unread("P-Asserted-Identity")
			continue
		}
		taken = one.takeVerstat() || taken
		one.params = "" // it has none (RFC 3325 §9.1)
		mark := one.canBeMarked() && (!s.passed() || s.isCaller(value))
		spelled = append(spelled, s.spell(&one, mark))
		marked = marked || mark
	}
	return spelled, marked, taken
}

// changeFrom puts From anew into a request that is sent on: without the verstat that it came with, and marked where nothing
// else is. Its tag stays, by which dialogs are known.
//
// DIVERGES RFC 3261 §16.6: a proxy changes From, because ATIS-1000074 §5.3 has verstat taken out of it.
func (s *shown) changeFrom(add *additions, from address, mark bool) {
	tag := s.request.FromTag()
	value := s.spell(&from, mark && from.canBeMarked())
	if tag != "" {
		value += ";tag=" + tag
	}
	add.changed = append(add.changed, siptx.Field{Name: "From", Value: value})
}

// isCaller tells whether a value alone, by the rules of the trunk, names the caller that was verified.
func (s *shown) isCaller(value string) bool {
	orig := s.call.Parties.Orig
	alone := s.trunk.Numbering.FromSIP(trunk.Signalling{RequestURI: s.request.URI, From: value, Asserted: []string{value}})
	return !orig.IsZero() && alone.Orig == orig
}

// spell writes one value, marked or not.
func (s *shown) spell(one *address, mark bool) string {
	if !s.call.Parties.Restricted {
		one.name = s.name(one.name, mark)
	}
	b := make([]byte, 0, 128)
	if mark {
		return string(one.appendTo(b, s.mark))
	}
	return string(one.appendTo(b, ""))
}

// verifiedMark stands before the name of a caller that was verified, and markedNameMax is what is left of both, in characters:
// the telephones that read it show no more.
const (
	verifiedMark  = "[V]"
	markedNameMax = 15
)

// name is what is shown of a caller: the verified name in place of the one that came, if the trunk wants rich call data; and the
// mark, if it wants that. A mark that came with the call is taken away.
func (s *shown) name(came string, ofCaller bool) string {
	style := &s.trunk.Answer
	verified := ofCaller && s.passed()
	if rich := s.verdict.Rich; verified && style.CallInfo && rich != nil && rich.Name != "" {
		came = rich.Name
	}
	if !style.DisplayMark {
		return came
	}
	for strings.HasPrefix(came, verifiedMark) {
		came = strings.TrimLeft(came[len(verifiedMark):], " ")
	}
	if !verified {
		return came
	}
	characters := []rune(strings.TrimRight(verifiedMark+" "+came, " "))
	return string(characters[:min(len(characters), markedNameMax)])
}

// takeVerstat takes verstat out, wherever it stands, and tells whether there was one.
func (a *address) takeVerstat() bool {
	found := false
	for _, params := range [...]*string{&a.marks, &a.uri.params, &a.params} {
		rest, there := without(*params, "verstat")
		if there {
			*params, found = rest, true
		}
	}
	return found
}

// canBeMarked reports whether there is a place for verstat: a user, or a telephone number.
func (u *uri) canBeMarked() bool {
	switch u.scheme {
	case "tel":
		return true
	case "sip", "sips":
		return u.user != ""
	}
	return false
}
