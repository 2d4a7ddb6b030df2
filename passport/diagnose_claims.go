package passport

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// rareClaims are those of readRare, in the order in which they are looked at.
var rareClaims = []string{"opt", "rph", "sph", "mky", "msgi", "rcd", "rcdi", "crn", "iss"}

// rare looks at the claims that most tokens do not have, with the eyes of the strict reader: their form has no deviations
// of the field that would deserve a lenient one.
func (d *Diagnosis) rare(ppt Type, p map[string]any) {
	var c Claims
	for _, name := range rareClaims {
		value, present := p[name]
		if !present {
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			continue // it has just been decoded from JSON
		}
		d.problem(name, c.readRare(ppt, name, jws.Value(text)))
	}
	if _, present := p["opt"]; present && ppt != Div && ppt != DivO {
		d.note("opt-elsewhere", "opt", "belongs to div-o; it is ignored in other types")
	}
	if _, present := p["msgi"]; present && ppt != Msg {
		d.note("msgi-elsewhere", "msgi", "belongs to msg; it is ignored in other types")
	}
	if c.SPH != "" && !slices.ContainsFunc(c.RPH, isEmergency) {
		d.problem("sph", problem(SPHForm, ""))
	}
	if !slices.IsSortedFunc(c.MKY, byAlgAndDig) {
		d.note("mky-order", "mky", "not sorted; harmless here, but another party may rebuild the claims")
	}
	if c.Rich != nil {
		d.problem("rcd", c.Rich.CheckInline())
	}
}

// problem notes what the strict reader says, at the place that it names, if it does; nothing for no error.
func (d *Diagnosis) problem(where string, err error) {
	e, failed := errors.AsType[*Error](err)
	if !failed {
		return
	}
	d.note(e.Problem.String(), cmp.Or(e.Where, where), "%s", e.Problem.Error())
}
