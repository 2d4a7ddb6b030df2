package stivs

import (
	"strconv"
	"strings"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// hop is one retargeting on the way to the called party: the PASSporT that tells of it, and whom it leads to.
type hop struct {
	div *candidate
	to  tn.Identity
}

// ways finds, going back from the called party, everybody who was called before, and the hop that led on from each
// (RFC 8946 §4.2: the div of one PASSporT is the dest of an earlier one). The header fields of a request have no order,
// so neither have divs. Of several ways the shortest counts, and nobody is on a way twice.
func ways(called tn.Identity, divs []*candidate) map[tn.Identity]hop {
	if len(divs) == 0 {
		return nil
	}
	found := make(map[tn.Identity]hop)
	frontier := []tn.Identity{called}
	for len(frontier) > 0 {
		to := frontier[0]
		frontier = frontier[1:]
		for _, d := range divs {
			from := d.claims.Div
			if _, known := found[from]; known || from == called || !d.claims.Names(to) {
				continue
			}
			found[from] = hop{div: d, to: to}
			frontier = append(frontier, from)
		}
	}
	return found
}

// reached tells which of the called parties that a PASSporT names the ways lead on from.
func reached(c *candidate, ways map[tn.Identity]hop) (from tn.Identity, ok bool) {
	for _, dest := range c.claims.Dest {
		if _, ok := ways[dest]; ok {
			return dest, true
		}
	}
	return tn.Identity{}, false
}

// diverted says how the call came from those whom the PASSporT names to the called party, over verified div PASSporTs
// alone.
func (v *verification) diverted(c *candidate) finding {
	if c.role == diverts {
		return skip("it is a step of the way itself")
	}
	if c.claims.Names(v.call.Dest) {
		return skip("the call was not diverted")
	}
	verified := ways(v.call.Dest, v.diverting(func(d *candidate) bool { return d.passed }))
	from, ok := reached(c, verified)
	if !ok {
		return fail(E16, "the way to "+v.call.Dest.String()+" is not verified: "+v.broken())
	}
	detail := from.String()
	for from != v.call.Dest {
		h := verified[from]
		c.diversions = append(c.diversions, oob.Diversion{
			From: from, To: h.to, HI: visible(h.div.claims.DivHI), SignerSPC: h.div.signerSPC(),
		})
		from = h.to
		detail += " to " + from.String()
	}
	return pass("diverted from " + detail + ", " + strconv.Itoa(len(c.diversions)) + " verified step(s)")
}

// diverting gives the candidates that tell of a retargeting of this caller's call and of which more is true.
func (v *verification) diverting(is func(*candidate) bool) []*candidate {
	var divs []*candidate
	for _, c := range v.current {
		if c.role == diverts && is(c) {
			divs = append(divs, c)
		}
	}
	return divs
}

// broken says what is wrong with the PASSporTs that tell of a diversion.
func (v *verification) broken() string {
	var texts []string
	for _, d := range v.diverting(func(d *candidate) bool { return !d.passed }) {
		for _, check := range d.checks {
			if check.Outcome == oob.CheckFailed {
				texts = append(texts, d.place+" "+check.Case+", "+check.Detail)
			}
		}
	}
	return strings.Join(texts, "; ")
}
