package isup_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// crossing is a call whose numbers cross a trunk: what the caller's INVITE says, what tshark reads in the initial address
// message, and what the far phone is told.
type crossing struct {
	name   string
	user   string   // of the Request-URI
	fields []string // of the INVITE; From is the caller's if it is not among them
	wire   string   // the wireFields that are there
	attest string   // with which an element signs it, if not A
	far    []string // user part of the Request-URI, and header fields; the switch is switch.example
}

// invite is the header fields of the caller's INVITE.
func (c crossing) invite(v variant) []string {
	if slices.ContainsFunc(c.fields, func(f string) bool { return fieldName(f) == "From" }) {
		return c.fields
	}
	return append([]string{"From: <sip:" + caller[v] + "@phone.example>;tag=1"}, c.fields...)
}

// wireFields are what of an initial address message is compared, by tshark's names. A list in nai and pres begins with that
// of the calling number; others follow as they come on the wire.
var wireFields = []struct{ name, field string }{
	{"called", "isup.called"}, {"cdnai", "isup.called_party_nature_of_address_indicator"},
	{"calling", "isup.calling"}, {"nai", "isup.calling_party_nature_of_address_indicator"},
	{"pres", "isup.address_presentation_restricted_indicator"}, {"screen", "isup.screening_indicator"},
	{"gap", "isup.generic_number"}, {"translated", "isup.forw_call_ported_num_trans_indicator"}, {"jip", "isup.jurisdiction"},
	{"orig", "isup.original_called_number"}, {"redirecting", "isup.redirecting"},
	{"reason", "isup.redirection_reason"}, {"counter", "isup.redirection_counter"}, {"charge", "isup.charge_number"},
}

// anonymous is a From that names nobody; unavailable, one of a switch that knows of no caller.
const (
	anonymous   = `From: "Anonymous" <sip:anonymous@anonymous.invalid>`
	unavailable = "From: <sip:unavailable@unknown.invalid>"
)

// at is a number as a switch writes it.
func at(number string) string { return "<sip:" + number + "@switch.example;user=phone>" }

// asserted is a caller as a switch tells of one.
func asserted(number string) []string {
	return []string{"From: " + at(number), "P-Asserted-Identity: " + at(number)}
}

// told is what an INVITE of a switch says of the parties.
func told(invite *sip.Request, host string) []string {
	all := []string{invite.Recipient.User}
	for _, name := range []string{"From", "P-Asserted-Identity", "Privacy", "Diversion", "History-Info", "P-Charge-Info", "Identity"} {
		for _, value := range values(invite, name) {
			value, _, _ = strings.Cut(value, ";tag=")
			all = append(all, name+": "+strings.ReplaceAll(value, host, "switch.example"))
		}
	}
	return all
}

func with(first string, more ...[]string) []string {
	return slices.Concat(append([][]string{{first}}, more...)...)
}

var crossings = map[variant][]crossing{
	ansi: {
		{
			name: "national", user: "+12155550131", fields: []string{"P-Asserted-Identity: <sip:+12155550121@phone.example>"},
			wire: "called=2155550131 cdnai=3 calling=2155550121 nai=3 pres=0 screen=3 translated=0 jip=215555",
			far:  with("+12155550131", asserted("+12155550121")),
		}, {
			name: "asserted in a tel URI, and From says otherwise", user: "+12155550131",
			fields: []string{"P-Asserted-Identity: <tel:+12155550122>"},
			wire:   "called=2155550131 cdnai=3 calling=2155550122 nai=3 pres=0 screen=3 translated=0 jip=215555",
			far:    with("+12155550131", asserted("+12155550122")),
		}, {
			name: "not asserted: user provided, not verified", user: "+12155550131",
			wire: "called=2155550131 cdnai=3 calling=2155550121 nai=3 pres=0 screen=0 translated=0 jip=215555",
			far:  with("+12155550131", asserted("+12155550121")),
		}, {
			name: "international called number", user: "+442079460131",
			wire: "called=442079460131 cdnai=4 calling=2155550121 nai=3 pres=0 screen=0 translated=0 jip=215555",
			far:  with("+442079460131", asserted("+12155550121")),
		}, {
			name: "international calling number, of odd length", user: "+12155550131",
			fields: []string{"P-Asserted-Identity: <sip:+33199001234@phone.example>"}, attest: "C",
			wire: "called=2155550131 cdnai=3 calling=33199001234 nai=4 pres=0 screen=3 translated=0 jip=215555",
			far:  with("+12155550131", asserted("+33199001234")),
		}, {
			name: "presentation restricted: the number crosses, and is not for display", user: "+12155550131",
			fields: []string{anonymous + ";tag=1", "P-Asserted-Identity: <sip:+12155550121@phone.example>", "Privacy: id"},
			wire:   "called=2155550131 cdnai=3 calling=2155550121 nai=3 pres=1 screen=3 translated=0 jip=215555",
			far:    with("+12155550131", []string{anonymous, "P-Asserted-Identity: " + at("+12155550121"), "Privacy: id"}),
		}, {
			name: "no calling number", user: "+12155550131", fields: []string{anonymous + ";tag=1"},
			wire: "called=2155550131 cdnai=3 translated=0 jip=215555",
			far:  with("+12155550131", []string{unavailable}),
		}, {
			name: "ported: routed by one number, and the other is the party", user: "+12155550131;npdi;rn=+12155550999",
			wire: "called=2155550999 cdnai=3 calling=2155550121 nai=3,3 pres=0,0 screen=0 gap=2155550131 translated=1 jip=215555",
			far:  with("+12155550131;npdi;rn=+12155550999", asserted("+12155550121")),
		}, {
			name: "diverted", user: "+12155550140", fields: []string{"Diversion: <sip:+12155550131@phone.example>;reason=unconditional"},
			wire: "called=2155550140 cdnai=3 calling=2155550121 nai=3,3,3 pres=0,0,0 screen=0 translated=0 jip=215555 " +
				"orig=2155550131 redirecting=2155550131 reason=3 counter=1",
			far: with("+12155550140", asserted("+12155550121"), []string{"Diversion: " + at("+12155550131") + ";reason=unconditional;counter=1"}),
		}, {
			name: "diverted twice", user: "+12155550140", fields: []string{
				"Diversion: <sip:+12155550132@phone.example>;reason=no-answer;counter=1", "Diversion: <sip:+12155550131@phone.example>;reason=user-busy",
			},
			wire: "called=2155550140 cdnai=3 calling=2155550121 nai=3,3,3 pres=0,0,0 screen=0 translated=0 jip=215555 " +
				"orig=2155550131 redirecting=2155550132 reason=2 counter=2",
			far: with("+12155550140", asserted("+12155550121"), []string{
				"Diversion: " + at("+12155550132") + ";reason=no-answer;counter=1", "Diversion: " + at("+12155550131") + ";reason=unknown;counter=1",
			}),
		}, {
			name: "charged to another number, which is no caller", user: "+12155550131",
			fields: []string{"P-Charge-Info: <sip:+12155550100@phone.example>"},
			wire:   "called=2155550131 cdnai=3 calling=2155550121 nai=3 pres=0 screen=0 translated=0 jip=215555 charge=2155550100",
			far:    with("+12155550131", asserted("+12155550121"), []string{"P-Charge-Info: " + at("+12155550100")}),
		},
	},
	itu: { // the called number ends with F, end of pulsing, which is no part of it
		{
			name: "national", user: "+442079460131", fields: []string{"P-Asserted-Identity: <sip:+441632960121@phone.example>"},
			wire: "called=2079460131F cdnai=3 calling=1632960121 nai=3 pres=0 screen=3 translated=0",
			far:  with("+442079460131", asserted("+441632960121")),
		}, {
			name: "international numbers", user: "+33199001234", fields: []string{"P-Asserted-Identity: <sip:+12155550121@phone.example>"},
			wire: "called=33199001234F cdnai=4 calling=12155550121 nai=4 pres=0 screen=3 translated=0",
			far:  with("+33199001234", asserted("+12155550121")),
		}, {
			name: "presentation restricted", user: "+442079460131",
			fields: []string{anonymous + ";tag=1", "P-Asserted-Identity: <sip:+441632960121@phone.example>", "Privacy: id"},
			wire:   "called=2079460131F cdnai=3 calling=1632960121 nai=3 pres=1 screen=3 translated=0",
			far:    with("+442079460131", []string{anonymous, "P-Asserted-Identity: " + at("+441632960121"), "Privacy: id"}),
		}, {
			name: "no calling number", user: "+442079460131", fields: []string{anonymous + ";tag=1"},
			wire: "called=2079460131F cdnai=3 translated=0",
			far:  with("+442079460131", []string{unavailable}),
		}, {
			name: "diverted", user: "+442079460140", fields: []string{"Diversion: <sip:+442079460131@phone.example>;reason=user-busy"},
			wire: "called=2079460140F cdnai=3 calling=1632960121 nai=3,3,3 pres=0,0,0 screen=0 translated=0 " +
				"orig=2079460131 redirecting=2079460131 reason=1 counter=1",
			far: with("+442079460140", asserted("+441632960121"), []string{"Diversion: " + at("+442079460131") + ";reason=user-busy;counter=1"}),
		}, {
			name: "ported, which this trunk has no words for", user: "+442079460131;npdi;rn=+442079460999",
			wire: "called=2079460131F cdnai=3 calling=1632960121 nai=3 pres=0 screen=0 translated=0",
			far:  with("+442079460131", asserted("+441632960121")),
		},
	},
}

func TestNumbersCross(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		wants(t, "tshark")
		b := startBed(t, v, element{}, element{})
		for _, c := range crossings[v] {
			call := b.near.place(t, "sip:"+c.user+"@"+b.a.address, c.invite(v)...)
			ring := b.far.ringing(t)
			if got := told(ring.InviteRequest, b.b.address); !slices.Equal(got, c.far) {
				t.Errorf("%s: the far phone is told\n%q, want\n%q", c.name, got, c.far)
			}
			ring.respond(t, 486)
			call.refused(t)
		}
		var fields []string
		for _, f := range wireFields {
			fields = append(fields, f.field)
		}
		rows := decode(t, b.trunk, "isup.message_type==1", fields...)
		if len(rows) != len(crossings[v]) {
			t.Fatalf("the trunk carries %d initial address messages, want %d", len(rows), len(crossings[v]))
		}
		for i, c := range crossings[v] {
			if got := wire(rows[i]); got != c.wire {
				t.Errorf("%s: the trunk carries\n%s, want\n%s", c.name, got, c.wire)
			}
		}
	})
}

// wire names the values that are there.
func wire(row string) string {
	var all []string
	for i, value := range strings.Split(row, "\t") {
		if value != "" {
			all = append(all, wireFields[i].name+"="+value)
		}
	}
	return strings.Join(all, " ")
}

func TestNoNumberIsCalled(t *testing.T) {
	t.Parallel()
	b := startBed(t, ansi, element{}, element{})
	if r := b.place(t, "alice").refused(t); r.StatusCode != 484 {
		t.Errorf("a call to a name is answered %d, want 484", r.StatusCode)
	}
}
