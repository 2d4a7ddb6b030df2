package stivs

import (
	"errors"
	"strconv"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
)

// candidate is one PASSporT on its way through the steps.
type candidate struct {
	source      oob.Source
	place       string // which of how many, such as "in-band 2/3": stands before the detail of each of its checks
	text        string // as received: in band the header field value, out of band the token
	field       identity.Header
	envelope    *passport.Envelope
	claims      passport.Claims
	certificate *stircert.Certificate // of the signer, believed
	checks      []oob.Check
	wrong       Case // the case of the step that failed
}

func candidates(source oob.Source, texts []string) []*candidate {
	all := make([]*candidate, len(texts))
	for i, text := range texts {
		all[i] = &candidate{
			source: source,
			place:  string(source) + " " + strconv.Itoa(i+1) + "/" + strconv.Itoa(len(texts)) + ": ",
			text:   text,
			checks: make([]oob.Check, 0, len(steps)),
		}
	}
	return all
}

// rank tells how far a candidate got. One of another type does not count (RFC 8224 §6.2, step 1).
func (c *candidate) rank() int {
	if c.wrong == E5 || c.wrong == E13 {
		return 0
	}
	for i, check := range c.checks {
		if check.Outcome == oob.CheckFailed {
			return i + 1
		}
	}
	return 0
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
}

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

// examine runs the steps that need no certificate, and tells whether the candidate has got through them.
func (v *verification) examine(c *candidate) bool {
	began := v.now()
	for i := range steps {
		if steps[i].run == nil {
			break
		}
		f := steps[i].run(v, c)
		ended := v.now()
		if !c.record(f, began, ended) {
			c.skipRest("not reached", ended)
			return false
		}
		began = ended
	}
	return true
}

// record adds the finding of the next step, and tells whether the candidate goes on.
func (c *candidate) record(f finding, began, ended time.Time) bool {
	s := steps[len(c.checks)]
	section := s.section
	if f.outcome == oob.CheckFailed {
		c.wrong = f.wrong
		section = f.wrong.Row().Section
	}
	c.checks = append(c.checks, oob.Check{
		Name: s.name, Case: f.wrong.String(), Section: section, Outcome: f.outcome, Detail: c.place + f.detail,
		At: began, Took: ended.Sub(began),
	})
	return f.outcome != oob.CheckFailed
}

// skipRest records the steps that are not taken.
func (c *candidate) skipRest(why string, now time.Time) {
	for len(c.checks) < len(steps) {
		c.record(skip(why), now, now)
	}
}

// checkField reads the Identity header field. Out of band there is none: what its parameters would say is in the
// PASSporT.
func (v *verification) checkField(c *candidate) finding {
	if c.source == oob.SourceOutOfBand {
		c.field = identity.Header{Token: c.text}
		return skip("there is no header field out of band")
	}
	field, err := identity.Parse(c.text)
	if errors.Is(err, identity.ErrInfo) {
		return fail(E7, err.Error())
	}
	if err != nil {
		return fail(E4, err.Error())
	}
	c.field = field
	switch {
	case field.IsCompact() && (field.PPT == "" || field.PPT == string(passport.Shaken)):
		return fail(E4, "compact form, which shaken does not use")
	case field.PPT != "" && field.PPT != string(passport.Shaken):
		c.envelope, _ = passport.Open(field.Token) // only to see a div
		return fail(E5, "ppt="+field.PPT+" is not judged here; the header field is ignored")
	case field.Info == "":
		return fail(E6, "no info parameter")
	}
	return pass("info and ppt are there")
}

func (v *verification) checkForm(c *candidate) finding {
	envelope, err := passport.Open(c.field.Token)
	if err != nil {
		return failWith(err)
	}
	c.envelope = envelope
	return pass("three segments, strict JSON, 64 bytes of signature")
}

// checkType judges the ppt of the PASSporT. When the header field promises shaken, one without ppt lacks a header
// member (E9); when it promises nothing, it is a base PASSporT (E13).
func (v *verification) checkType(c *candidate) finding {
	switch ppt := c.envelope.Header.PPT; {
	case ppt == passport.Shaken:
		return pass("shaken")
	case ppt == passport.Base && c.field.PPT != "":
		return fail(E9, "no ppt in the PASSporT header")
	case ppt == passport.Base:
		return fail(E13, "a base PASSporT; it is ignored")
	default:
		return fail(E13, "type "+strconv.Quote(string(ppt))+" is not judged here; the PASSporT is ignored")
	}
}

func (v *verification) checkHeader(c *candidate) finding {
	if err := c.envelope.CheckHeader(); err != nil {
		return failWith(err)
	}
	return pass("alg ES256, typ passport, x5u present")
}

// checkInfo compares what the header field says with what was signed.
func (v *verification) checkInfo(c *candidate) finding {
	switch {
	case c.source == oob.SourceOutOfBand:
		return skip("there is no header field out of band: info is x5u")
	case c.field.Info != c.envelope.Header.X5U: // RFC 3986 §6.2.1: simple string comparison
		return fail(E10, "info "+c.field.Info+", x5u "+strconv.Quote(c.envelope.Header.X5U))
	case c.field.Alg != "" && c.field.Alg != "ES256":
		return fail(E12, "alg="+c.field.Alg+" in the header field")
	}
	return pass("info is x5u")
}

func (v *verification) checkClaims(c *candidate) finding {
	claims, err := c.envelope.Claims()
	if err != nil {
		return failWith(err)
	}
	c.claims = claims
	return pass("attest " + string(claims.Attest) + ", origid " + strconv.Quote(claims.OrigID))
}

func (v *verification) checkFresh(c *candidate) finding {
	now := v.now()
	if err := v.freshness.Check(c.claims.IAT, now); err != nil {
		return fail(E15, err.Error())
	}
	return pass(age(c.claims.IAT, now))
}

func (v *verification) checkOrig(c *candidate) finding {
	if c.claims.Orig != v.call.Orig {
		return fail(E16, "signed for caller "+c.claims.Orig.String()+", the call is from "+v.call.Orig.String())
	}
	return pass("caller " + v.call.Orig.String())
}

func (v *verification) checkDest(c *candidate) finding {
	if !c.claims.Names(v.call.Dest) {
		return fail(E16, "signed for "+strconv.Itoa(len(c.claims.Dest))+" called parties, none of them "+v.call.Dest.String())
	}
	return pass("called " + v.call.Dest.String())
}

// failWith is the finding for a refusal of package passport.
func failWith(err error) finding { return fail(CaseOf(passport.ProblemOf(err)), err.Error()) }

// age says how old something is, for a person.
func age(t, now time.Time) string {
	if t.After(now) {
		return strconv.FormatInt(int64(t.Sub(now)/time.Second), 10) + " s in the future"
	}
	return strconv.FormatInt(int64(now.Sub(t)/time.Second), 10) + " s old"
}
