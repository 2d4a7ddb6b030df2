package trunk

import (
	"strings"

	"github.com/viaduct-oob/viaduct/internal/isup"
	"github.com/viaduct-oob/viaduct/tn"
)

// FromISUP finds the parties of an IAM.
func (n *Numbering) FromISUP(m isup.IAM) Parties { return fromISUP(&finder{Numbering: n}, m) }

// ExplainISUP is FromISUP with Steps.
func (n *Numbering) ExplainISUP(m isup.IAM) Parties {
	return fromISUP(&finder{Numbering: n, explain: true}, m)
}

func fromISUP(f *finder, m isup.IAM) Parties {
	if m.Category == isup.CategoryEmergency || m.Category == isup.CategoryHighEmergency {
		return f.emergency(m.Called.Digits, "an emergency call by its calling party's category")
	}
	called := f.calledNumber(m)
	if f.isBypass(strings.TrimRight(m.Called.Digits, "F")) || f.isBypass(strings.TrimRight(called.Digits, "F")) {
		return f.emergency(called.Digits, "one of the numbers that are left alone")
	}
	f.called(f.isupNumber("called", called))
	f.calling(f.isupCaller(m))
	f.isupDiversion(m)
	if m.Charge != nil {
		f.step("charge number", m.Charge.Digits, "", "who pays is not who calls")
	}
	if m.Jurisdiction != "" {
		f.step("jurisdiction", m.Jurisdiction, "", "where the call began is not who calls")
	}
	return f.parties
}

// calledNumber is the number of the called party, not that of the exchange to which a ported one is routed. North America
// puts the ported number into a generic address (ATIS-1000113), others into the called directory number (Q.769.1).
func (f *finder) calledNumber(m isup.IAM) isup.Number {
	for _, g := range m.Generic {
		if g.Type == isup.GenericPorted {
			f.step("called", m.Called.Digits, "", "a routing number: the ported number is in the generic address")
			return g.Number
		}
	}
	if m.CalledDirectory != nil {
		f.step("called", m.Called.Digits, "", "a routing number: the ported number is the called directory number")
		return *m.CalledDirectory
	}
	return m.Called
}

// isupNumber makes the identity of a number of a message.
func (f *finder) isupNumber(what string, n isup.Number) (tn.Identity, outcome) {
	if strings.Trim(n.Digits, "F") == "" {
		f.step(what, n.Digits, "", "no digits")
		return tn.Identity{}, absent
	}
	// ST ends what is sent digit by digit; some gateways append it to whole numbers.
	digits, ended := strings.CutSuffix(n.Digits, "F")
	return f.number(what, n.Digits, spelled{digits: digits, form: formOf(n), complete: ended})
}

// Natures of callers that share their number with others behind the same private exchange (ATIS-1000113). To ITU-T these
// codes are for national use.
const (
	nonUniqueSubscriber    isup.Nature = 0x71
	nonUniqueNational      isup.Nature = 0x73
	nonUniqueInternational isup.Nature = 0x74
)

// formOf tells how the digits of a number are to be read. A number of another plan than E.164 is unreadable; plan 0 does
// not say.
func formOf(n isup.Number) form {
	if n.Plan > 1 {
		return unreadable
	}
	switch n.Nature {
	case isup.Subscriber:
		return subscriber
	case isup.Unknown:
		return dialled
	case isup.National:
		return national
	case isup.International:
		return international
	}
	return unreadable
}

// isupCaller finds the caller: the calling party number, or the generic number that holds what the caller's side gave.
// The screening indicator is no signature and decides nothing here.
func (f *finder) isupCaller(m isup.IAM) (tn.Identity, outcome) {
	var given *isup.Number
	for i, g := range m.Generic {
		switch g.Type {
		case isup.GenericAdditionalCalling, isup.GenericUserNotScreened, isup.GenericUserFailed:
			given = &m.Generic[i].Number
		}
	}
	asserted := m.Calling
	for _, n := range []*isup.Number{asserted, given} {
		if n != nil && (n.Presentation == isup.PresentationRestricted || n.Presentation == isup.PresentationByNetwork) {
			f.parties.Restricted = true
		}
	}
	id, o := tn.Identity{}, absent
	for _, source := range f.callerSources() {
		n, what := asserted, "calling"
		if source == fromFrom {
			n, what = given, "calling, additional"
		}
		if n == nil || n.Presentation == isup.PresentationUnavailable || f.isShortCaller(n.Digits) {
			continue
		}
		if id, o = f.isupCallingNumber(what, *n); o == usable || o != absent && f.decides(source) {
			return id, o
		}
	}
	if o == absent {
		f.step("calling", "", "", "no calling number")
	}
	return id, o
}

func (f *finder) isupCallingNumber(what string, n isup.Number) (tn.Identity, outcome) {
	switch n.Nature {
	case nonUniqueSubscriber:
		n.Nature = isup.Subscriber
	case nonUniqueNational:
		n.Nature = isup.National
	case nonUniqueInternational:
		n.Nature = isup.International
	}
	if n.Flag {
		f.step(what, n.Digits, "", "marked as incomplete")
		return tn.Identity{}, trimmed
	}
	return f.isupNumber(what, n)
}

// isupDiversion finds who was called before.
func (f *finder) isupDiversion(m isup.IAM) {
	f.parties.Diverted = m.OriginalCalled != nil || m.Redirecting != nil || m.Redirection != nil && m.Redirection.Counter > 0
	var original, dialled tn.Identity
	if m.Redirecting != nil {
		f.parties.DivertedFrom, _ = f.isupNumber("diverted from", *m.Redirecting)
	}
	if m.OriginalCalled != nil {
		original, _ = f.isupNumber("called first", *m.OriginalCalled)
	}
	for _, g := range m.Generic {
		if g.Type == isup.GenericDialled {
			dialled, _ = f.isupNumber("dialled", g.Number)
		}
	}
	f.second(original, dialled)
}
