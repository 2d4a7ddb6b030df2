package trunk

import (
	"strings"

	"github.com/viaduct-oob/viaduct/tn"
)

// FromSIP finds the parties of an INVITE.
func (n *Numbering) FromSIP(s Signalling) Parties { return fromSIP(&finder{Numbering: n}, s) }

// ExplainSIP is FromSIP with Steps.
func (n *Numbering) ExplainSIP(s Signalling) Parties {
	return fromSIP(&finder{Numbering: n, explain: true}, s)
}

func fromSIP(f *finder, s Signalling) Parties {
	if isSOS(s.RequestURI) || isSOS(s.To) {
		return f.emergency(s.RequestURI, "an emergency call: urn:service:sos")
	}
	address, err := tn.ReadAddress(s.RequestURI)
	if err == nil && f.isBypass(address.Digits) {
		return f.emergency(s.RequestURI, "one of the numbers that are left alone")
	}
	f.called(f.address("called", s.RequestURI, address, err))
	f.sipMarks(s)
	f.sipPrivacy(s)
	f.calling(f.sipCaller(s))
	f.sipDiversion(s)
	for _, value := range s.ChargeInfo {
		f.step("charged", value, "", "who pays is not who calls (RFC 8496)")
	}
	return f.parties
}

// sipMarks finds whether the call says that it is one of emergency services, or that they call back.
func (f *finder) sipMarks(s Signalling) {
	for value := range headerValues(s.ResourcePriority) {
		if namespace, _, _ := strings.Cut(strings.TrimSpace(value), "."); strings.EqualFold(namespace, "esnet") {
			f.mark(value, "from or for emergency services, as it says: Resource-Priority esnet (RFC 7135)")
		}
	}
	for value := range headerValues(s.Priority) {
		if strings.EqualFold(strings.TrimSpace(value), "psap-callback") {
			f.mark(value, "emergency services call back, as it says: Priority psap-callback (RFC 7090)")
		}
	}
}

func (f *finder) mark(read, why string) {
	f.parties.Marked = true
	f.step("marked", read, "marked", why)
}

// isSOS reports whether a header value is the URN of emergency services or of one of them (RFC 5031 §4.2).
func isSOS(value string) bool {
	const sos = "urn:service:sos"
	if at := strings.IndexByte(value, '<'); at >= 0 {
		value = value[at+1:]
	}
	value = strings.TrimSpace(value)
	if len(value) < len(sos) || !strings.EqualFold(value[:len(sos)], sos) {
		return false
	}
	rest := value[len(sos):]
	return rest == "" || strings.IndexByte(".>; \t", rest[0]) >= 0
}

// address makes the identity of an address. A tel URI or a number that cannot be used is unusable; any other address that
// holds no number is a URI.
func (f *finder) address(what, read string, a tn.Address, err error) (tn.Identity, outcome) {
	if strings.TrimSpace(read) == "" {
		f.step(what, read, "", "there is none")
		return tn.Identity{}, absent
	}
	if err != nil {
		f.step(what, read, "", "no address")
		return tn.Identity{}, unusable
	}
	if a.Digits == "" || !a.Phone && f.Bare == BareText {
		id, err := a.URI()
		if err != nil {
			f.step(what, read, "", "no address")
			return tn.Identity{}, unusable
		}
		f.step(what, read, id.String(), "a URI that holds no number")
		return id, usable
	}
	return f.number(what, read, f.spell(a))
}

// spell tells what the digits of an address are. Ported numbers have their routing number in the parameter rn, and stand
// themselves where they stood before (RFC 4694).
func (f *finder) spell(a tn.Address) spelled {
	s := spelled{digits: a.Digits, form: dialled}
	if a.Global {
		s.form = international
		return s
	}
	context, _ := a.Parameter("phone-context")
	if global, ok := strings.CutPrefix(context, "+"); ok {
		s.context = strings.NewReplacer("-", "", ".", "", "(", "", ")", "").Replace(global)
		return s
	}
	if f.Bare == BareInternational {
		s.form = international
	}
	return s
}

// sipCaller finds the caller. Of two asserted identities the tel URI is taken, as it is a number and nothing else
// (RFC 3325 §9.1 allows one of each kind).
func (f *finder) sipCaller(s Signalling) (tn.Identity, outcome) {
	asserted := ""
	for value := range headerValues(s.Asserted) {
		if asserted == "" || isTel(value) && !isTel(asserted) {
			asserted = value
		}
	}
	id, o := tn.Identity{}, absent
	for _, source := range f.callerSources() {
		value, what := asserted, "calling, asserted"
		if source == fromFrom {
			value, what = s.From, "calling, From"
		}
		if value == "" {
			continue
		}
		a, err := tn.ReadAddress(value)
		if err == nil && (isAnonymous(a) || a.Digits != "" && f.isShortCaller(a.Digits)) {
			f.step(what, value, "", "anonymous, or too short for a caller")
			continue
		}
		id, o = f.address(what, value, a, err)
		if _, isNumber := id.Number(); isNumber || f.decides(source) {
			return id, o
		}
	}
	if o == absent {
		f.step("calling", "", "", "no calling number")
	}
	return id, o
}

// isTel reports whether a header value is a tel URI.
func isTel(value string) bool {
	if at := strings.IndexByte(value, '<'); at >= 0 {
		value = value[at+1:]
	}
	value = strings.TrimSpace(value)
	return len(value) > len("tel:") && strings.EqualFold(value[:len("tel:")], "tel:")
}

// isAnonymous reports whether an address hides who it is of (RFC 3323 §4.1.1.3).
func isAnonymous(a tn.Address) bool {
	if a.Digits != "" {
		return false
	}
	id, err := a.URI()
	if err != nil {
		return false
	}
	_, address, _ := strings.Cut(id.String(), ":")
	user, host, found := strings.Cut(address, "@")
	if !found {
		host = address
	}
	return host == "anonymous.invalid" || user == "anonymous"
}

// sipPrivacy finds whether the caller is not to be shown: by the privacy that it asks for (RFC 3323 §4.2, RFC 3325 §9.3),
// or because From does not show it.
func (f *finder) sipPrivacy(s Signalling) {
	for value := range headerValues(s.Privacy) {
		for word := range strings.SplitSeq(value, ";") {
			word = strings.TrimSpace(word)
			if strings.EqualFold(word, "id") || strings.EqualFold(word, "user") || strings.EqualFold(word, "header") {
				f.restrict(value, "the caller asks for privacy")
			}
		}
	}
	if !containsFold(s.From, "anonymous") { // most calls come from a number
		return
	}
	if from, err := tn.ReadAddress(s.From); err == nil && isAnonymous(from) {
		f.restrict(s.From, "From is anonymous")
	}
}

func containsFold(s, word string) bool {
	for i := range len(s) - len(word) + 1 {
		if strings.EqualFold(s[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

func (f *finder) restrict(read, why string) {
	f.parties.Restricted = true
	f.step("presentation", read, "restricted", why)
}
