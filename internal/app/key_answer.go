package app

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
)

// keyAnswer is what `viaduct key` says, as JSON has it.
type keyAnswer struct {
	Here  *endAnswer  `json:"here"`
	There *endAnswer  `json:"there,omitempty"`
	Both  *bothAnswer `json:"both_ends,omitempty"`
}

// endAnswer is what one end of a trunk makes of a call. Its numbers are whole: who asks is the operator.
type endAnswer struct {
	Trunk        *trunkAnswer `json:"trunk,omitempty"`
	Closest      *trunkAnswer `json:"closest_trunk,omitempty"` // when none fits
	Steps        []stepAnswer `json:"steps,omitempty"`
	Restricted   bool         `json:"restricted"`
	Emergency    bool         `json:"emergency"`
	Marked       bool         `json:"marked"` // as a call of emergency services, by its own word
	Diverted     bool         `json:"diverted"`
	DivertedFrom string       `json:"diverted_from,omitempty"`
	Unusable     string       `json:"unusable,omitempty"` // the cause in oob_unusable_numbers_total
	Keys         []slotAnswer `json:"keys"`
	NoKey        string       `json:"no_key,omitempty"` // why there is none
	CPS          []string     `json:"cps,omitempty"`    // URLs

	found trunk.Parties
}

type trunkAnswer struct {
	Name       string            `json:"name,omitempty"`
	Mode       string            `json:"mode,omitempty"`
	Profile    string            `json:"profile,omitempty"`
	Why        string            `json:"why"`
	Conditions []conditionAnswer `json:"conditions,omitempty"`
}

type conditionAnswer struct {
	Name  string `json:"name"`
	Want  string `json:"want"`
	Shown string `json:"shown"`
	Fits  bool   `json:"fits"`
}

type stepAnswer struct {
	What   string `json:"what"`
	Read   string `json:"read"`
	Became string `json:"became"`
	Why    string `json:"why"`
}

type slotAnswer struct {
	Does    string `json:"does"` // publish or retrieve
	Profile string `json:"profile"`
	SPC     string `json:"spc,omitempty"`
	Dest    string `json:"dest"`
	Orig    string `json:"orig"`
	Path    string `json:"path,omitempty"` // empty where it is not known before the called number has been looked up
}

// Words of slotAnswer.Does.
const (
	publishes = "publish"
	retrieves = "retrieve"
)

func describeTrunk(row *trunk.Row, why string) *trunkAnswer {
	return &trunkAnswer{Name: row.Name, Mode: row.Mode.String(), Profile: row.Profile.String(), Why: why}
}

func (a *endAnswer) parties(p trunk.Parties) {
	a.Restricted, a.Emergency, a.Marked, a.Diverted = p.Restricted, p.Emergency, p.Marked, p.Diverted
	a.Unusable = string(p.Unusable)
	if !p.DivertedFrom.IsZero() {
		a.DivertedFrom = p.DivertedFrom.String()
	}
	for _, s := range p.Steps {
		a.Steps = append(a.Steps, stepAnswer(s))
	}
	a.found = p
}

// unusableTexts say what the causes mean.
var unusableTexts = map[trunk.Unusable]string{
	trunk.NoCallingNumber:        "there is no calling number",
	trunk.CallingNumberUnusable:  "the calling number cannot be read by the rules of the trunk",
	trunk.CallingNumberTruncated: "the calling number does not fit its country: it lacks its country code, or was cut off",
	trunk.CallingPartyIsURI:      "the caller is a URI, which no TDM trunk carries",
	trunk.NoCalledNumber:         "there is no called number",
	trunk.CalledNumberUnusable:   "the called number cannot be read by the rules of the trunk",
	trunk.CalledPartyIsURI:       "the called party is a URI, which no TDM trunk carries",
	trunk.Overlap:                "the called number is not complete",
}

// keys are the slots of the call on its trunk. A trunk that is known from flags alone could publish and retrieve.
func (a *endAnswer) keys(row *trunk.Row, t *endTrunks) {
	form := row.Profile.Row()
	for _, op := range []struct {
		name       string
		publishing bool
		done       bool
	}{
		{publishes, true, row.Mode.Publishes() || t.table == nil && (!form.KeyedBySPC || t.spc != "")},
		{retrieves, false, row.Mode.Retrieves() || t.table == nil && (!form.KeyedBySPC || row.PeerSPC != "") && (!form.ForSPC || t.spc != "")},
	} {
		if !op.done {
			continue
		}
		for _, key := range row.Keys(a.found, t.spc, op.publishing) {
			a.Keys = append(a.Keys, slotAnswer{
				Does: op.name, Profile: key.Profile.String(), SPC: key.SPC, Dest: key.Dest.String(), Orig: key.Orig.String(), Path: pathOf(key, op.publishing),
			})
		}
	}
	for _, name := range row.CPS {
		a.CPS = append(a.CPS, t.urls[name])
	}
	switch {
	case len(a.Keys) > 0:
	case a.Emergency:
		a.NoKey = "the call is left alone: nothing is signed, published or looked for"
	case a.Unusable != "":
		a.NoKey = a.Unusable + ": " + unusableTexts[a.found.Unusable]
	case a.Marked && !row.Mode.Retrieves():
		a.NoKey = "the call is marked as one of emergency services: nothing is signed or published"
	case len(row.CPS) == 0:
		a.NoKey = fmt.Sprintf("mode %s of this trunk asks no CPS", row.Mode)
	default:
		a.NoKey = fmt.Sprintf("mode %s neither publishes nor retrieves", row.Mode)
	}
}

// pathOf is where a slot is at its CPS.
func pathOf(key oob.Key, publishing bool) string {
	form := key.Profile.Row()
	dest, isNumber := key.Dest.Number()
	switch {
	case form.ForSPC && key.SPC == "":
		return ""
	case form.ForSPC && publishing:
		return atis.CompanyPath(key.SPC)
	case form.ByScope && publishing && isNumber:
		return rfc9888.CollectionPath(dest)
	case form.ByScope && isNumber:
		return rfc9888.NarrowedPath(dest, key.Orig)
	}
	return atis.Path(key)
}

func (a *keyAnswer) print(out io.Writer) {
	if a.There == nil {
		a.Here.print(out)
		return
	}
	fmt.Fprintln(out, "HERE")
	a.Here.print(out)
	fmt.Fprintln(out, "\nTHERE")
	a.There.print(out)
	fmt.Fprintln(out, "\nBOTH ENDS")
	a.Both.print(out)
}

// entry prints a line with a title, and lines below it.
func entry(out io.Writer, title string, lines ...string) {
	for _, line := range lines {
		if line != "" {
			fmt.Fprintf(out, "%-19s%s\n", title, line)
			title = ""
		}
	}
}

func (a *endAnswer) print(out io.Writer) {
	if a.Closest != nil {
		a.Closest.print(out, "none fits; ")
	}
	if a.Trunk != nil {
		a.Trunk.print(out, "")
	}
	for _, s := range a.Steps {
		became := s.Became + ": "
		if s.Became == "" {
			became = "not taken: "
		}
		entry(out, s.What, s.Read, became+s.Why)
	}
	var flags []string
	for _, f := range []struct {
		is   bool
		text string
	}{{a.Emergency, "emergency"}, {a.Marked, "marked as one of emergency services"}, {a.Restricted, "restricted"}, {a.Diverted, strings.TrimSuffix("diverted from "+a.DivertedFrom, " from ")}} {
		if f.is {
			flags = append(flags, f.text)
		}
	}
	entry(out, "the call is", strings.Join(flags, ", "))
	for _, k := range a.Keys {
		parts := []string{"profile " + k.Profile}
		if k.SPC != "" {
			parts = append(parts, "SPC "+k.SPC)
		} else if k.found() {
			parts = append(parts, "SPC of whose number is called, found with each call")
		}
		entry(out, k.Does, k.Path, strings.Join(append(parts, "dest "+k.Dest, "orig "+k.Orig), ", "))
	}
	if len(a.Keys) > 0 {
		entry(out, "at", strings.Join(a.CPS, " and "))
	}
	entry(out, "no key", a.NoKey)
}

func (t *trunkAnswer) print(out io.Writer, before string) {
	text := before + t.Why
	if t.Name != "" {
		text = before + t.Name + " " + t.Why + ": mode " + t.Mode
	}
	if t.Profile != "" {
		text += ", profile " + t.Profile
	}
	lines := []string{text}
	for _, c := range t.Conditions {
		verdict, shown := "fits", c.Shown
		if !c.Fits {
			verdict = "DOES NOT FIT"
		}
		if shown == "" {
			shown = "nothing"
		}
		lines = append(lines, fmt.Sprintf("%s %s: shows %s, %s", c.Name, c.Want, shown, verdict))
	}
	entry(out, "trunk", lines...)
}

// bothAnswer tells whether what one end publishes is found at the other.
type bothAnswer struct {
	Same  bool     `json:"same"`
	First string   `json:"first_difference,omitempty"` // trunk, emergency, profile, called, calling, spc, mode
	Here  string   `json:"here,omitempty"`
	There string   `json:"there,omitempty"`
	Notes []string `json:"notes,omitempty"`
}

// compareEnds finds the first difference, in the order in which a key comes about.
func compareEnds(here, there *endAnswer) *bothAnswer {
	b := &bothAnswer{}
	if len(here.Keys) == 0 || len(there.Keys) == 0 {
		without := here
		if len(here.Keys) > 0 {
			without = there
		}
		b.First = without.missing()
		b.Here, b.There = here.says(b.First, here.Keys), there.says(b.First, there.Keys)
		return b
	}
	mine, others := here.does(publishes), there.does(retrieves)
	if len(mine) == 0 || len(others) == 0 {
		mine, others = here.does(retrieves), there.does(publishes)
	}
	facing := len(mine) > 0 && len(others) > 0
	if !facing {
		mine, others = here.Keys, there.Keys
	}
	for i, one := range mine {
		for j, other := range others {
			b.Same = b.Same || firstDifference(one, other) == ""
			if b.Same && i+j > 0 && len(b.Notes) == 0 {
				b.Notes = append(b.Notes, "the second look finds it, under the number that was called first")
			}
		}
	}
	if b.First = firstDifference(mine[0], others[0]); b.Same {
		b.First = ""
	}
	if b.Same && !facing {
		b.Same, b.First = false, "mode"
		b.Notes = append(b.Notes, "one end has to publish, and the other to retrieve")
	}
	if b.First != "" {
		b.Here, b.There = here.says(b.First, mine), there.says(b.First, others)
	}
	if here.CPS != nil && there.CPS != nil && !slices.ContainsFunc(here.CPS, func(url string) bool { return slices.Contains(there.CPS, url) }) {
		b.Notes = append(b.Notes, "the two ends name no CPS in common: one must relay to the other")
	}
	return b
}

func (a *endAnswer) does(what string) (slots []slotAnswer) {
	for _, k := range a.Keys {
		if k.Does == what {
			slots = append(slots, k)
		}
	}
	return slots
}

// found tells whether the SPC of a slot is found out with each call.
func (s slotAnswer) found() bool {
	p, _ := oob.ProfileNamed(s.Profile)
	return p.Row().ForSPC && s.SPC == ""
}

func firstDifference(one, other slotAnswer) string {
	switch {
	case one.Profile != other.Profile:
		return "profile"
	case one.Dest != other.Dest:
		return "called"
	case one.Orig != other.Orig:
		return "calling"
	case one.SPC != other.SPC && !one.found() && !other.found():
		return "spc"
	}
	return ""
}

// missing is at which step an end without a key has none.
func (a *endAnswer) missing() string {
	switch {
	case a.Trunk == nil:
		return "trunk"
	case a.Emergency:
		return "emergency"
	case strings.Contains(a.Unusable, "calling"):
		return "calling"
	case a.Unusable != "":
		return "called"
	case a.Marked:
		return "emergency"
	}
	return "mode"
}

// says is what one end has at a step, where its keys are these.
func (a *endAnswer) says(step string, keys []slotAnswer) string {
	text := "no key: " + a.NoKey
	if len(keys) > 0 {
		k := keys[0]
		text = map[string]string{
			"trunk": "a key", "emergency": "a key", "profile": "profile " + k.Profile, "called": k.Dest, "calling": k.Orig, "spc": "SPC " + k.SPC, "mode": k.Does,
		}[step]
	}
	for _, s := range slices.Backward(a.Steps) {
		if step == "called" && s.What == step || step == "calling" && strings.HasPrefix(s.What, step) {
			return fmt.Sprintf("%s, from %q: %s", text, s.Read, s.Why)
		}
	}
	return text
}

func (b *bothAnswer) print(out io.Writer) {
	if b.Same {
		entry(out, "same", "what one end publishes, the other finds")
	} else {
		entry(out, "DIFFERENT", "first at: "+b.First)
		entry(out, "here", b.Here)
		entry(out, "there", b.There)
	}
	for _, note := range b.Notes {
		entry(out, "note", note)
	}
}
