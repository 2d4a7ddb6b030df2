package stivs

import (
	"strconv"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
)

// role is what a PASSporT can do for a verdict.
type role uint8

const (
	unknown     role = iota // its type could not be read
	ignored                 // of a type that says nothing here (RFC 8224 §6.2, step 1)
	proves                  // says who calls whom
	diverts                 // says who was called before (RFC 8946)
	prioritises             // authorises a Resource-Priority (RFC 8443)
	enriches                // says more of the caller than the number (RFC 9795)
)

// roleOf gives the role of a type. Shaken always proves; others where the configuration accepts them, or where the
// call is one of them.
func (v *verification) roleOf(ppt passport.Type) role {
	switch {
	case v.proving != nil && v.proving(ppt):
		return proves
	case v.proving != nil:
		return ignored
	case ppt == passport.Shaken || v.accepted[ppt] || ppt == passport.Msg && v.call.Message != nil:
		return proves
	case ppt == passport.Div || ppt == passport.DivO:
		return diverts
	case ppt == passport.RPH && len(v.prioritySigners) > 0:
		return prioritises
	case ppt == passport.RCD:
		return enriches
	}
	return ignored
}

// candidate is one PASSporT on its way through the steps.
type candidate struct {
	source      oob.Source
	outer       oob.Source // of what it is nested in; none if it is not
	place       string     // which of how many, such as "in-band 2/3"
	text        string     // as received: in band the header field value, else the token
	role        role
	field       identity.Header
	envelope    *passport.Envelope
	claims      passport.Claims
	certificate *stircert.Certificate // of the signer, believed
	diversions  []oob.Diversion       // that led from those it names to the called party
	checks      []oob.Check
	wrong       Case   // the case of the step that failed
	passed      bool   // every step
	user        callID // the call that has been verified with it; zero for none
}

func candidates(source oob.Source, texts []string) []*candidate {
	all := make([]*candidate, len(texts))
	for i, text := range texts {
		all[i] = newCandidate(source, string(source)+" "+strconv.Itoa(i+1)+"/"+strconv.Itoa(len(texts)), text)
	}
	return all
}

// within is the source, for the steps alone, of what is nested in another PASSporT: it has no header field of its own.
const within oob.Source = "opt"

func newCandidate(source oob.Source, place, text string) *candidate {
	return &candidate{source: source, place: place, text: text, checks: make([]oob.Check, 0, len(steps))}
}

// NestedMax bounds how many PASSporTs nested in others are judged, of all those of one road together.
const NestedMax = 12

// unfold puts behind each div-o what it holds. Each has an equal share of the room, so that no other can take it.
func (v *verification) unfold(road []*candidate) []*candidate {
	isHolder := func(c *candidate) bool { return c.wrong == noCase && c.envelope.Header.PPT == passport.DivO }
	holders := 0
	for _, c := range road {
		if isHolder(c) {
			holders++
		}
	}
	if holders == 0 {
		return road
	}
	all := make([]*candidate, 0, len(road)+NestedMax)
	for _, c := range road {
		if all = append(all, c); isHolder(c) {
			all = append(all, c.nested(max(1, NestedMax/holders))...)
		}
	}
	return all
}

// nested gives the PASSporTs that a div-o holds (RFC 8946 §5), from the outermost inward: all of them, if there is room for
// so many, or none. The steps judge each by itself, and ways what they say together.
func (c *candidate) nested(room int) []*candidate {
	tokens, err := c.envelope.Nested()
	if err != nil || len(tokens) > room {
		return nil
	}
	inner := make([]*candidate, len(tokens))
	for i, token := range tokens {
		inner[i] = newCandidate(within, c.place+" opt "+strconv.Itoa(i+1), token.String())
		inner[i].outer = c.source
	}
	return inner
}

// cannotProve is true of a PASSporT of a type that proves no caller, good or bad.
func (c *candidate) cannotProve() bool { return c.role != proves && c.role != unknown }

// rank tells how far a candidate got. Those that can prove nothing do not count (RFC 8224 §6.2, step 1).
func (c *candidate) rank() int {
	if c.cannotProve() {
		return 0
	}
	for i, check := range c.checks {
		if check.Outcome == oob.CheckFailed {
			return i + 1
		}
	}
	return 0
}

// signerSPC is the provider that signed it; empty for a delegate, who has numbers alone.
func (c *candidate) signerSPC() string {
	if c.certificate == nil || len(c.certificate.TNAuthList.SPCs) == 0 {
		return ""
	}
	return c.certificate.TNAuthList.SPCs[0]
}

// step is one check of a PASSporT.
type step struct {
	name    string
	section string
	run     func(*verification, *candidate) finding // nil for those that need the certificate: see believe
}

// steps are all checks of a PASSporT in their order: what costs nothing first, so that no certificate is fetched for a
// PASSporT that cannot be that of the call.
var steps = []step{
	{"field", "RFC 8224 §4", (*verification).checkField},       // E4, E5, E6, E7
	{"form", "RFC 8588 §3", (*verification).checkForm},         // E4, E9, E18
	{"type", "RFC 8225 §8.1", (*verification).checkType},       // E9, E13
	{"header", "RFC 8225 §4", (*verification).checkHeader},     // E9, E11, E12, E13
	{"info", "RFC 8225 §4.3", (*verification).checkInfo},       // E10, E12
	{"claims", "RFC 8588 §4", (*verification).checkClaims},     // E14, E19
	{"freshness", "RFC 8224 §6.2", (*verification).checkFresh}, // E15
	{"orig", "RFC 8224 §6.2", (*verification).checkOrig},       // E16
	{"dest", "RFC 8224 §6.2", (*verification).checkDest},       // E16
	{"credential", "RFC 8224 §6.2", nil},                       // E7, E8
	{"trust", "RFC 8224 §6.2", nil},                            // E17
	{"signature", "RFC 8224 §6.2", nil},                        // E18
	{"authority", "RFC 8226 §8", nil},                          // E17
	{"diversion", "RFC 8946 §4.2", nil},                        // E16
	{"single use", "RFC 8224 §12.1", nil},                      // V1
}

// The steps that are taken before anything is known of the other PASSporTs of the call, and those before the
// certificate.
const (
	stepsToRead  = 6
	stepsToMatch = 9
)

// finding is what a step found.
type finding struct {
	outcome oob.CheckOutcome
	wrong   Case // none unless it failed
	detail  string
}

func pass(detail string) finding { return finding{outcome: oob.CheckPassed, detail: detail} }
func skip(detail string) finding { return finding{outcome: oob.CheckSkipped, detail: detail} }
func fail(wrong Case, detail string) finding {
	return finding{outcome: oob.CheckFailed, wrong: wrong, detail: detail}
}

// take runs the steps up to one, and tells whether the candidate has got through all so far.
func (v *verification) take(c *candidate, end int) bool {
	if c.wrong != noCase {
		return false
	}
	now := v.now() // once: to ask for it costs as much as most steps do
	for i := len(c.checks); i < end; i++ {
		if !c.record(steps[i].run(v, c), now, now) {
			return false
		}
	}
	return true
}

// record adds the finding of the next step, and tells whether the candidate goes on.
func (c *candidate) record(f finding, began, ended time.Time) bool {
	s := &steps[len(c.checks)]
	section := s.section
	if f.outcome == oob.CheckFailed {
		c.wrong = f.wrong
		section = f.wrong.Row().Section
	}
	c.checks = append(c.checks, oob.Check{
		Name: s.name, Of: c.place, Case: f.wrong.String(), Section: section, Outcome: f.outcome, Detail: f.detail,
		At: began, Took: ended.Sub(began),
	})
	if f.outcome == oob.CheckFailed {
		c.skipRest("not reached", ended)
		return false
	}
	c.passed = len(c.checks) == len(steps)
	return true
}

// skipRest records the steps that are not taken. A candidate that has not been through all of them has not passed.
func (c *candidate) skipRest(why string, now time.Time) {
	for i := len(c.checks); i < len(steps); i++ {
		c.checks = append(c.checks, oob.Check{
			Name: steps[i].name, Of: c.place, Section: steps[i].section, Outcome: oob.CheckSkipped, Detail: why, At: now,
		})
	}
}
