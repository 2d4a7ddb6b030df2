package stivs

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// checkField reads the Identity header field. Out of band there is none: what its parameters would say is in the
// PASSporT.
func (v *verification) checkField(c *candidate) finding {
	if c.source != oob.SourceInBand {
		c.field = identity.Header{Token: c.text}
		return skip("there is no header field " + where[c.source])
	}
	field, err := identity.Parse(c.text)
	if errors.Is(err, identity.ErrInfo) {
		return fail(E7, err.Error())
	}
	if err != nil {
		return fail(E4, err.Error())
	}
	c.field = field
	ppt := passport.Type(field.PPT)
	if ppt != passport.Base {
		c.role = v.roleOf(ppt)
	}
	switch {
	case ppt == passport.RPH && c.role == ignored && v.proving == nil:
		return fail(E5, "ppt=rph: nobody is named whose rph PASSporTs count; the header field is ignored")
	case ppt != passport.Base && c.role == ignored:
		return fail(E5, "ppt="+field.PPT+" is not judged here; the header field is ignored")
	case field.IsCompact() && (ppt != passport.Base || !v.accepted[passport.Base]):
		return fail(E4, "compact form, which shaken does not use")
	case field.Info == "":
		return fail(E6, "no info parameter")
	}
	return pass("info and ppt are there")
}

// where says, in words, where a PASSporT without header field came from.
var where = map[oob.Source]string{oob.SourceOutOfBand: "out of band", within: "within another PASSporT"}

func (v *verification) checkForm(c *candidate) finding {
	if c.field.IsCompact() && c.source == oob.SourceInBand {
		return v.rebuild(c)
	}
	envelope, err := passport.Open(c.field.Token)
	if err != nil {
		return failWith(err)
	}
	c.envelope = envelope
	return pass("three segments, strict JSON, 64 bytes of signature")
}

// rebuild makes a base PASSporT in compact form whole, of what signalling says (RFC 8225 §7).
func (v *verification) rebuild(c *candidate) finding {
	iat := v.call.Time
	if iat.IsZero() {
		return fail(E4, "compact form, and the call has no date to rebuild it with")
	}
	envelope, err := passport.Rebuild(c.field.Token, passport.Header{Alg: "ES256", Typ: "passport", X5U: c.field.Info},
		passport.Claims{IAT: iat, Orig: v.call.Orig, Dest: []tn.Identity{v.call.Dest}, MKY: v.call.Fingerprints})
	if err != nil {
		return failWith(err)
	}
	c.envelope = envelope
	return pass("compact form, rebuilt from the caller, the called party and the date of the call")
}

// checkType judges the ppt of the PASSporT. When the header field promises a type, one without ppt lacks a header
// member (E9); when it promises nothing, it is a base PASSporT (E13).
func (v *verification) checkType(c *candidate) finding {
	ppt, promised := c.envelope.Header.PPT, passport.Type(c.field.PPT)
	c.role = v.roleOf(ppt)
	switch {
	case ppt == passport.Base && promised != passport.Base:
		c.role = v.roleOf(promised)
		return fail(E9, "no ppt in the PASSporT header")
	case promised != passport.Base && ppt != promised:
		c.role = v.roleOf(promised)
		return fail(E13, "type "+strconv.Quote(string(ppt))+", and the header field promises "+c.field.PPT)
	case c.role == ignored && ppt == passport.Base:
		return fail(E13, "a base PASSporT; it is ignored")
	case c.role == ignored:
		return fail(E13, "type "+strconv.Quote(string(ppt))+" is not judged here; the PASSporT is ignored")
	case ppt == passport.Base:
		return pass("base")
	}
	return pass(string(ppt))
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
	case c.source != oob.SourceInBand:
		return skip("there is no header field " + where[c.source] + ": info is x5u")
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
	if c.envelope.Header.PPT != passport.Shaken { // of all types it alone attests (RFC 8588 §4), because providers alone sign it
		claims.Attest, claims.OrigID = "", ""
	}
	if c.role == proves && claims.Rich != nil && claims.Rich.ISS != "" {
		c.role = enriches // a third party proves nothing without a PASSporT of the caller's side (RFC 9795 §10)
	}
	c.claims = claims
	if claims.MSGI != "" && c.envelope.Header.PPT == passport.Msg {
		if err := passport.CheckMessage(claims.MSGI, v.call.Message); err != nil {
			return fail(E14, err.Error())
		}
	}
	if f := v.checkFingerprints(c); f.outcome == oob.CheckFailed {
		return f
	}
	if claims.Attest == "" {
		return pass("all that the type asks for")
	}
	return pass("attest " + string(claims.Attest) + ", origid " + strconv.Quote(claims.OrigID))
}

// checkFingerprints holds the claim mky against the key fingerprints of the call's media (RFC 8225 §5.2.2). A PASSporT
// without ppt must have the claim when there are any (RFC 8224 §4.1); shaken never has it in the network.
func (v *verification) checkFingerprints(c *candidate) finding {
	switch {
	case v.call.Fingerprints == nil:
		return skip("")
	case len(c.claims.MKY) == 0 && len(v.call.Fingerprints) > 0 && c.envelope.Header.PPT == passport.Base:
		return fail(E14, "no mky, and the call has key fingerprints")
	case len(c.claims.MKY) > 0 && !sameKeys(c.claims.MKY, v.call.Fingerprints):
		return fail(E16, "mky is of other keys than the call's")
	}
	return skip("")
}

func sameKeys(a, b []passport.KeyDigest) bool {
	missing := func(list []passport.KeyDigest) func(passport.KeyDigest) bool {
		return func(k passport.KeyDigest) bool {
			return !slices.ContainsFunc(list, func(other passport.KeyDigest) bool {
				return strings.EqualFold(k.Alg, other.Alg) && strings.EqualFold(k.Dig, other.Dig)
			})
		}
	}
	return !slices.ContainsFunc(a, missing(b)) && !slices.ContainsFunc(b, missing(a))
}

func (v *verification) checkFresh(c *candidate) finding {
	now := v.now()
	window := v.freshness
	if !c.claims.Names(v.call.Dest) {
		window.Past = max(window.Past, v.transfer) // it was signed before the call was diverted to where it is now
	}
	if err := window.Check(c.claims.IAT, now); err != nil {
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

// checkDest asks whether the PASSporT is about this call: it names the called party, or somebody from whom div
// PASSporTs lead there. Whether these are good is seen later.
func (v *verification) checkDest(c *candidate) finding {
	if c.claims.Names(v.call.Dest) {
		return pass("called " + v.call.Dest.String())
	}
	if from, ok := reached(c, v.ways); ok {
		return pass("called " + from.String() + ", from where div PASSporTs lead to " + v.call.Dest.String())
	}
	return fail(E16, "signed for "+parties(c.claims.Dest)+", the call is to "+v.call.Dest.String())
}

// parties names called parties, the first few of them.
func parties(all []tn.Identity) string {
	const named = 3
	texts := make([]string, 0, named+1)
	for _, party := range all[:min(len(all), named)] {
		texts = append(texts, party.String())
	}
	if more := len(all) - named; more > 0 {
		texts = append(texts, strconv.Itoa(more)+" more")
	}
	return strings.Join(texts, ", ")
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
