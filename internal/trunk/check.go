package trunk

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// Bounds on the texts of a row.
const (
	NameMax    = 64  // characters of a row's name, which is a label of metrics
	TextMax    = 256 // characters of any other text
	SourcesMax = 256
)

func check(rows []Row) Faults {
	var faults Faults
	if len(rows) > RowsMax {
		faults.say(-1, "", "%d rows, at most %d", len(rows), RowsMax)
		return faults
	}
	named := map[string]int{}
	reach := newReach()
	for i := range rows {
		r := &rows[i]
		say := func(field, format string, args ...any) { faults.say(i, field, format, args...) }
		if first, taken := named[r.Name]; taken {
			say("name", "row %d has the same", first+1)
		} else {
			named[r.Name] = i
		}
		r.checkName(say)
		r.Match.check(say)
		r.checkMode(say)
		r.checkAnswer(say)
		for _, fault := range r.Numbering.check(r.Mode) {
			say(strings.TrimSuffix("numbering."+fault.Field, "."), "%s", fault.Text)
		}
		if r.Numbering.Second >= secondKeysEnd {
			say("second_look", "no such choice")
		}
		reach.add(&r.Match)
	}
	for i := range rows {
		if by, text := reach.hides(rows, i); text != "" {
			faults.say(i, "match", "%s: row %d comes first", text, by+1)
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return a.Row - b.Row })
	return faults
}

// say is how checks tell of a fault in one row.
type say func(field, format string, args ...any)

func (r *Row) checkName(say say) {
	if r.Name == "" || len(r.Name) > NameMax || !isText(r.Name) {
		say("name", "want 1 to %d visible characters", NameMax)
	}
}

// isText accepts visible ASCII characters, and spaces between them.
func isText(s string) bool {
	return strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func (m *Match) check(say say) {
	if len(m.Sources) == 0 && m.Client == "" {
		say("match", "neither sources nor a client: anybody could ask")
	}
	if len(m.Sources) > SourcesMax {
		say("match.sources", "%d sources, at most %d", len(m.Sources), SourcesMax)
	}
	for i, source := range m.Sources {
		field := fmt.Sprintf("match.sources[%d]", i)
		switch {
		case !source.IsValid():
			say(field, "no address and length")
		case source.Addr().Is4In6():
			say(field, "an IPv4 address, which is written as one")
		case source != source.Masked():
			say(field, "bits are set behind its length")
		case slices.Contains(m.Sources[:i], source):
			say(field, "is listed twice")
		}
	}
	for _, text := range []struct{ field, value string }{
		{"client", m.Client}, {"tgrp", m.TGRP}, {"trunk_context", m.TrunkContext}, {"otg", m.OTG}, {"label", m.Label},
		{"header", m.Header}, {"header_value", m.HeaderValue},
	} {
		if len(text.value) > TextMax || !isText(text.value) {
			say("match."+text.field, "want at most %d visible characters", TextMax)
		}
	}
	if m.Asks != AskAny && m.Client == "" {
		say("match.asks", "only over HTTP is said what is asked for, and there it takes a client to fit")
	}
	if m.TrunkContext != "" && m.TGRP == "" {
		say("match.trunk_context", "stands only beside a trunk group (RFC 4904 §5)")
	}
	if strings.Contains(m.Label, ".") {
		say("match.label", "a label has no dots: it is the first part of a host name")
	}
	if (m.Header == "") != (m.HeaderValue == "") {
		say("match.header", "a header field needs a name and a value")
	}
	if strings.ContainsAny(m.Header, " :") {
		say("match.header", "no name of a header field")
	}
}

func (r *Row) checkMode(say say) {
	if r.Mode >= modesEnd {
		say("mode", "no such mode")
	}
	if !r.Match.Asks.allows(r.Mode) && r.Mode != Off {
		say("match.asks", "mode %s does not do what is asked for", r.Mode)
	}
	if r.Mode == Off { // the rest may wait for the day when it is on
		return
	}
	r.checkCPS(say)
	r.checkSigning(say)
	if r.Budget != 0 && (r.Budget < BudgetMin || r.Budget > BudgetMax) {
		say("budget", "want %v to %v", BudgetMin, BudgetMax.Round(time.Second))
	}
}

func (r *Row) checkSigning(say say) {
	s := &r.Signing
	for _, setting := range []struct {
		field string
		given bool
	}{{"customer", s.Customer != ""}, {"gateway", s.Gateway}, {"attest", s.Attest != ""}, {"take_origid", s.TakeOrigID}} {
		if setting.given && !r.Mode.Signs() {
			say(setting.field, "mode %s signs nothing", r.Mode)
		}
	}
	switch s.Attest {
	case "", passport.AttestGateway:
	case passport.AttestFull, passport.AttestPartial:
		if s.Gateway {
			say("attest", "calls of another network (gateway) get C at most")
		}
	default:
		say("attest", "none of A, B and C")
	}
}

// checkCPS wants what the mode needs to reach a CPS, and nothing that it does not use.
func (r *Row) checkCPS(say say) {
	for i, name := range r.CPS {
		if name == "" || slices.Contains(r.CPS[:i], name) {
			say(fmt.Sprintf("cps[%d]", i), "empty, or listed twice")
		}
	}
	if len(r.CPS) > CPSMax {
		say("cps", "%d names, at most %d", len(r.CPS), CPSMax)
	}
	asks := r.Mode.Publishes() || r.Mode.Retrieves()
	known := r.Profile.Row().Name != ""
	switch {
	case !asks && (len(r.CPS) > 0 || r.Profile != 0):
		say("cps", "mode %s asks no CPS", r.Mode)
	case asks && r.Profile != 0 && !known:
		say("profile", "no such profile")
	case asks && len(r.CPS) > 0 && !known:
		say("profile", "the form of its CPSs is not said")
	case len(r.CPS) == 0 && (r.Mode.Publishes() || r.Mode == Retrieve || known):
		say("cps", "mode %s needs one", r.Mode)
	}
	form := r.Profile.Row()
	bySPC := r.Mode.Retrieves() && form.KeyedBySPC
	switch {
	case bySPC && r.PeerSPC == "":
		say("peer_spc", "in the %s form records are found by the SPC of who published them", r.Profile)
	case !bySPC && !(r.Mode.Publishes() && form.ForSPC) && r.PeerSPC != "":
		say("peer_spc", "nothing in mode %s and this profile is asked for by it", r.Mode)
	case len(r.PeerSPC) > stircert.SPCLengthMax || !isText(r.PeerSPC) || strings.Contains(r.PeerSPC, " "):
		say("peer_spc", "no service provider code")
	}
	switch {
	case r.UnlessHeld && !r.Mode.Publishes():
		say("unless_held", "mode %s publishes nothing", r.Mode)
	case r.UnlessHeld && form.ForSPC:
		say("unless_held", "in the %s form nobody reads but the provider of the called number", r.Profile)
	}
}

func (r *Row) checkAnswer(say say) {
	switch r.Nothing {
	case 0, 404, 503, 302:
	default:
		say("nothing", "want 404, 503 or 302")
	}
	a := r.Answer
	for _, spelling := range []struct {
		field   string
		unknown bool
		verdict bool // it spells a verdict, in another way than by default
	}{
		{"identity", a.Identity > InBoth, false},
		{"verstat", a.Verstat > oob.VerstatAttestedBC, a.Verstat != 0},
		{"legacy_attestation", false, a.LegacyAttestation},
		{"reason", a.Reason > ReasonNone, a.Reason != 0},
		{"call_info", false, a.CallInfo},
		{"display_mark", false, a.DisplayMark},
		{"date", a.Date >= dateStylesEnd, false},
	} {
		switch {
		case spelling.unknown:
			say("answer."+spelling.field, "no such spelling")
		case spelling.verdict && r.Mode != Verify && r.Mode != Off:
			say("answer."+spelling.field, "mode %s gives no verdict that could be spelled", r.Mode)
		}
	}
	if a.Date != DateOfPassport && r.Mode != Retrieve && r.Mode != Off {
		say("answer.date", "mode %s passes on nothing that was retrieved", r.Mode)
	}
	if r.NextHop == "" {
		return
	}
	hop, err := tn.ParseURI(r.NextHop)
	if scheme, _, _ := strings.Cut(hop.String(), ":"); err != nil || scheme != "sip" && scheme != "sips" {
		say("next_hop", "no SIP URI")
	}
	if a.Identity != InHeader {
		say("answer.identity", "with a next hop there is no Contact to put it into")
	}
	if r.Nothing != 0 {
		say("nothing", "with a next hop every request goes on")
	}
}

// Check gives what is wrong with n alone; its faults name the fields as configurations do.
func (n *Numbering) Check() []Fault { return n.check(Sign) }

func (n *Numbering) check(mode Mode) Faults {
	var faults Faults
	say := func(field, format string, args ...any) { faults.say(0, field, format, args...) }
	switch err := n.Plan.Check(); {
	case err != nil:
		say("", "%v", err)
	case n.Plan.CountryCode == "" && mode != Off:
		say("country_code", "without it a national number is none")
	case n.Plan.CountryCode != "" && n.Plan.NationalMax == 0:
		say("national_max", "national_min and national_max are needed: without them no national number fits its country")
	}
	if !onlyOf(n.HomeNPA, "0123456789") || n.HomeNPA != "" && len(n.HomeNPA) >= n.Plan.NationalMax {
		say("home_npa", "no area code of the plan")
	}
	if n.Bare >= bareFormsEnd {
		say("bare", "no such choice")
	}
	if n.Caller >= callerOrdersEnd {
		say("caller", "no such choice")
	}
	for _, list := range []struct {
		field    string
		values   []string
		alphabet string
		max      int
	}{
		{"bypass", n.Bypass, "0123456789*#", tn.NumberLengthMax},
		{"strip_prefixes", n.StripPrefixes, "0123456789X", 8},
		{"toll_free", n.TollFree, "0123456789", 6},
	} {
		if len(list.values) > listMax {
			say(list.field, "%d values, at most %d", len(list.values), listMax)
		}
		for i, value := range list.values {
			field := fmt.Sprintf("%s[%d]", list.field, i)
			if value == "" || len(value) > list.max || !onlyOf(value, list.alphabet) {
				say(field, "want 1 to %d of %s", list.max, list.alphabet)
			} else if slices.Contains(list.values[:i], value) {
				say(field, "is listed twice")
			}
		}
	}
	for i, prefix := range n.StripPrefixes {
		if prefix != "" && (strings.HasPrefix(n.Plan.InternationalPrefix, prefix) || strings.HasPrefix(n.Plan.NationalPrefix, prefix)) {
			say(fmt.Sprintf("strip_prefixes[%d]", i), "would take the prefix of the plan away")
		}
	}
	return faults
}

// listMax bounds each list of a Numbering.
const listMax = 64

func onlyOf(s, alphabet string) bool { return strings.Trim(s, alphabet) == "" }
