package trunk_test

import (
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/isup"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/tn"
)

var (
	northAmerica = trunk.Numbering{Plan: tn.NANP}
	philadelphia = trunk.Numbering{Plan: tn.NANP, HomeNPA: "215", StripPrefixes: []string{"101XXXX", "9"}, Second: trunk.SecondOriginal}
	britain      = trunk.Numbering{Plan: tn.Plan{CountryCode: "44", InternationalPrefix: "00", NationalPrefix: "0", NationalMin: 9, NationalMax: 10}}
)

// found is what a case wants of Parties.
type found struct {
	orig, dest string
	second     string
	from, hi   string
	restricted bool
	emergency  bool
	marked     bool
	diverted   bool
	unusable   trunk.Unusable
}

func foundIn(p trunk.Parties) found {
	return found{
		p.Orig.String(), p.Dest.String(), p.Second.String(), p.DivertedFrom.String(), p.HI,
		p.Restricted, p.Emergency, p.Marked, p.Diverted, p.Unusable,
	}
}

func nai(nature isup.Nature, digits string) isup.Number {
	return isup.Number{Nature: nature, Plan: 1, Digits: digits}
}

// iam is a call between two numbers of North America, changed.
func iam(change func(*isup.IAM)) *isup.IAM {
	calling := nai(isup.International, "12155550121")
	m := &isup.IAM{Category: 10, Called: nai(isup.National, "9032469103"), Calling: &calling}
	change(m)
	return m
}

// invite is the same call in SIP, changed.
func invite(change func(*trunk.Signalling)) *trunk.Signalling {
	s := &trunk.Signalling{
		RequestURI: "sip:+19032469103@sbc.example.com;user=phone", To: "<sip:+19032469103@sbc.example.com>",
		From: `"A caller" <sip:+12155550199@pbx.example.com>;tag=1`, Asserted: []string{"<sip:+12155550121@pbx.example.com;user=phone>"},
	}
	change(s)
	return s
}

func called(uri string) *trunk.Signalling {
	return invite(func(s *trunk.Signalling) { s.RequestURI = uri })
}

func asserting(values ...string) *trunk.Signalling {
	return invite(func(s *trunk.Signalling) { s.Asserted = values })
}

func calledNumber(n isup.Number) *isup.IAM { return iam(func(m *isup.IAM) { m.Called = n }) }

func callingNumber(n isup.Number) *isup.IAM { return iam(func(m *isup.IAM) { m.Calling = &n }) }

var ordinary = found{orig: "12155550121", dest: "19032469103"}

func (f found) with(change func(*found)) found { change(&f); return f }

func to(dest string) found { return ordinary.with(func(f *found) { f.dest = dest }) }

func by(orig string) found { return ordinary.with(func(f *found) { f.orig = orig }) }

func notTo(why trunk.Unusable) found {
	return ordinary.with(func(f *found) { f.dest, f.unusable = "", why })
}

func notBy(why trunk.Unusable) found {
	return ordinary.with(func(f *found) { f.orig, f.unusable = "", why })
}

var leftAlone = found{emergency: true}

// marked is a call that says of itself that it is one of emergency services: its parties are read all the same.
var marked = ordinary.with(func(f *found) { f.marked = true })

func gap(kind uint8, n isup.Number) isup.Generic { return isup.Generic{Type: kind, Number: n} }

// number is one spelling in a case of TestInterworking; see there.
type interworking struct {
	row, name string
	numbering *trunk.Numbering
	sip       *trunk.Signalling // nil: the case has no SIP side
	isup      *isup.IAM         // nil: it has no ISUP side
	want      found
}

// TestInterworking has a test for every row of the table of number rules, on both sides of the trunk.
func TestInterworking(t *testing.T) {
	for _, list := range [][]interworking{calledCases, callingCases, wayCases} {
		for _, c := range list {
			t.Run(c.row+"/"+c.name, func(t *testing.T) {
				if c.sip != nil {
					if got := foundIn(c.numbering.FromSIP(*c.sip)); got != c.want {
						t.Errorf("SIP: %+v, want %+v", got, c.want)
					}
				}
				if c.isup != nil {
					want := c.want
					want.hi = "" // no trunk carries History-Info
					if got := foundIn(c.numbering.FromISUP(*c.isup)); got != want {
						t.Errorf("ISUP: %+v, want %+v", got, want)
					}
				}
			})
		}
	}
}

var calledCases = []interworking{
	{"national", "NAI 3", &northAmerica, called("sip:+19032469103@h"), calledNumber(nai(isup.National, "9032469103")), ordinary},
	{"national", "without plus", &northAmerica, called("sip:9032469103@h;user=phone"), nil, ordinary},
	{"national", "with prefix", &northAmerica, called("sip:19032469103@h"), calledNumber(nai(isup.Unknown, "19032469103")), ordinary},
	{"national", "British", &britain, called("sip:02079460000@h"), calledNumber(nai(isup.National, "2079460000")), to("442079460000")},
	{"national", "NAI 3 with eleven digits is no guess", &northAmerica, nil, calledNumber(nai(isup.National, "19032469103")), notTo(trunk.CalledNumberUnusable)},
	{"national", "no country on the trunk", &trunk.Numbering{}, nil, calledNumber(nai(isup.National, "9032469103")), notTo(trunk.CalledNumberUnusable)},
	{"international", "NAI 4", &northAmerica, called("sip:+442079460000@h"), calledNumber(nai(isup.International, "442079460000")), to("442079460000")},
	{"international", "home country", &northAmerica, called("tel:+1-903-246-9103"), calledNumber(nai(isup.International, "19032469103")), ordinary},
	{"international", "011", &northAmerica, called("sip:011442079460000@h"), calledNumber(nai(isup.International, "011442079460000")), to("442079460000")},
	{"international", "011 as dialled", &northAmerica, called("tel:011442079460000;phone-context=+1"), calledNumber(nai(isup.Unknown, "011442079460000")), to("442079460000")},
	{"international", "00", &britain, called("sip:0019032469103@h"), calledNumber(nai(isup.International, "0019032469103")), ordinary},
	{"international", "behind a carrier code", &philadelphia, called("sip:1010288011442079460000@h"), calledNumber(nai(isup.Unknown, "1010288011442079460000")), to("442079460000")},
	{"international", "behind a 9", &philadelphia, called("sip:919032469103@h"), calledNumber(nai(isup.Unknown, "919032469103")), ordinary},
	{"international", "E.164 without plus", &trunk.Numbering{Plan: tn.NANP, Bare: trunk.BareInternational}, called("sip:4722123456@h"), nil, to("4722123456")},
	{"international", "longer than any number here", &northAmerica, called("sip:442079460000@h"), calledNumber(nai(isup.Unknown, "442079460000")), to("442079460000")},
	{"international", "of another country or not", &britain, called("sip:19032469103@h"), calledNumber(nai(isup.Unknown, "19032469103")), notTo(trunk.CalledNumberUnusable)},
	{"international", "own country code without plus", &britain, called("sip:442079460000@h"), nil, to("442079460000")},
	{"international", "fifteen digits", &northAmerica, called("sip:+441234567890123@h"), calledNumber(nai(isup.International, "441234567890123")), to("441234567890123")},
	{"international", "sixteen digits", &northAmerica, called("sip:+4412345678901234@h;user=phone"), calledNumber(nai(isup.International, "4412345678901234")), notTo(trunk.CalledNumberUnusable)},
	{"international", "no country code", &northAmerica, nil, calledNumber(nai(isup.International, "02079460000")), notTo(trunk.CalledNumberUnusable)},
	{"subscriber", "home area", &philadelphia, called("sip:5550131@h"), calledNumber(nai(isup.Subscriber, "5550131")), to("12155550131")},
	{"subscriber", "unknown nature", &philadelphia, called("tel:555-0131;phone-context=+1215"), calledNumber(nai(isup.Unknown, "5550131")), to("12155550131")},
	{"subscriber", "no home area", &northAmerica, called("sip:5550131@h"), calledNumber(nai(isup.Subscriber, "5550131")), notTo(trunk.CalledNumberUnusable)},
	{"subscriber", "no home area, unknown nature", &northAmerica, nil, calledNumber(nai(isup.Unknown, "5550131")), notTo(trunk.CalledNumberUnusable)},
	{"subscriber", "of another area", &philadelphia, called("tel:5550131;phone-context=+1212"), nil, notTo(trunk.CalledNumberUnusable)},
	{"subscriber", "of another country", &philadelphia, called("tel:5550131;phone-context=+44"), nil, notTo(trunk.CalledNumberUnusable)},
	{"subscriber", "too long", &philadelphia, nil, calledNumber(nai(isup.Subscriber, "9032469103")), notTo(trunk.CalledNumberUnusable)},
	{"filler", "odd number of digits", &philadelphia, nil, calledNumber(nai(isup.Subscriber, "5550131")), to("12155550131")},
	{"filler", "end of pulsing", &northAmerica, nil, calledNumber(nai(isup.National, "9032469103F")), ordinary},
	{"filler", "end of pulsing, odd", &northAmerica, nil, calledNumber(nai(isup.International, "19032469103F")), ordinary},
	{"filler", "hexadecimal digit", &northAmerica, called("tel:90324691B3"), calledNumber(nai(isup.National, "90324691B3")), notTo(trunk.CalledNumberUnusable)},
	{"filler", "F within", &northAmerica, nil, calledNumber(nai(isup.National, "9032F69103")), notTo(trunk.CalledNumberUnusable)},
	{"filler", "F alone", &northAmerica, nil, calledNumber(nai(isup.National, "F")), notTo(trunk.NoCalledNumber)},
	{"filler", "no digits", &northAmerica, called(""), calledNumber(nai(isup.National, "")), notTo(trunk.NoCalledNumber)},
	{"filler", "service code", &northAmerica, called("sip:*67@h"), nil, notTo(trunk.CalledNumberUnusable)},
	{"overlap", "IAM before its SAM", &northAmerica, nil, calledNumber(nai(isup.National, "90324")), notTo(trunk.Overlap)},
	{"overlap", "home country", &northAmerica, called("sip:+190324691@h"), calledNumber(nai(isup.International, "190324691")), notTo(trunk.Overlap)},
	{"overlap", "foreign", &northAmerica, nil, calledNumber(nai(isup.International, "4420")), notTo(trunk.Overlap)},
	{"overlap", "ended too early", &northAmerica, nil, calledNumber(nai(isup.National, "90324F")), notTo(trunk.CalledNumberUnusable)},
	{"ported", "LRN with GAP", &northAmerica, called("sip:+19032469103;npdi;rn=+19032460000@h;user=phone"), iam(func(m *isup.IAM) {
		m.Forward, m.Called, m.Jurisdiction = isup.NumberTranslated, nai(isup.National, "9032460000"), "215555"
		m.Generic = []isup.Generic{gap(isup.GenericPorted, nai(isup.National, "9032469103"))}
	}), ordinary},
	{"ported", "queried and not ported", &northAmerica, called("tel:+19032469103;npdi"), iam(func(m *isup.IAM) { m.Forward = isup.NumberTranslated }), ordinary},
	{"ported", "M bit lost on the way", &northAmerica, nil, iam(func(m *isup.IAM) {
		m.Called, m.Generic = nai(isup.National, "9032460000"), []isup.Generic{gap(isup.GenericPorted, nai(isup.National, "9032469103"))}
	}), ordinary},
	{"ported", "called directory number", &britain, nil, iam(func(m *isup.IAM) {
		directory := nai(isup.National, "2079460000")
		m.Called, m.CalledDirectory = nai(isup.RoutingNational, "5001"), &directory
	}), to("442079460000")},
	{"ported", "routing number alone", &northAmerica, nil, calledNumber(nai(isup.RoutingAndDirectory, "50019032469103")), notTo(trunk.CalledNumberUnusable)},
	{"toll-free", "as dialled", &philadelphia, called("sip:+18005551212@h"), calledNumber(nai(isup.National, "8005551212")), to("18005551212")},
	{"toll-free", "translated", &philadelphia, invite(func(s *trunk.Signalling) { s.To = "<tel:1-800-555-1212>" }), iam(func(m *isup.IAM) {
		m.Generic = []isup.Generic{gap(isup.GenericDialled, nai(isup.National, "8005551212"))}
	}), ordinary.with(func(f *found) { f.second = "18005551212" })},
	{"toll-free", "translated, with cause", &philadelphia, invite(func(s *trunk.Signalling) {
		s.HistoryInfo = []string{"<sip:+18005551212@h>;index=1", "<sip:+19032469103@h;cause=380>;index=1.1;mp=1"}
	}), nil, ordinary.with(func(f *found) { f.second = "18005551212" })},
	{"toll-free", "no second look here", &northAmerica, invite(func(s *trunk.Signalling) { s.To = "<tel:+18005551212>" }), iam(func(m *isup.IAM) {
		m.Generic = []isup.Generic{gap(isup.GenericDialled, nai(isup.National, "8005551212"))}
	}), ordinary},
	{"toll-free", "what was dialled is no toll-free number", &philadelphia, invite(func(s *trunk.Signalling) { s.To = "<tel:+12155550131>" }), iam(func(m *isup.IAM) {
		m.Generic = []isup.Generic{gap(isup.GenericDialled, nai(isup.National, "2155550131"))}
	}), ordinary},
	{"emergency", "911", &northAmerica, called("sip:911@h"), calledNumber(nai(isup.National, "911")), leftAlone},
	{"emergency", "911 with end of pulsing", &northAmerica, called("tel:911;phone-context=+1"), calledNumber(nai(isup.Unknown, "911F")), leftAlone},
	{"emergency", "+1911", &northAmerica, called("sip:+1911@h"), calledNumber(nai(isup.International, "1911")), leftAlone},
	{"emergency", "+911", &northAmerica, called("sip:+911@h;user=phone"), nil, leftAlone},
	{"emergency", "9911", &philadelphia, called("sip:9911@h"), calledNumber(nai(isup.Unknown, "9911")), leftAlone},
	{"emergency", "112", &britain, called("sip:112@h"), calledNumber(nai(isup.Subscriber, "112")), leftAlone},
	{"emergency", "988", &northAmerica, called("sip:988@h"), calledNumber(nai(isup.National, "988")), leftAlone},
	{"emergency", "411", &northAmerica, called("sip:+1411@h"), calledNumber(nai(isup.National, "411")), leftAlone},
	{"emergency", "own list", &trunk.Numbering{Plan: tn.NANP, Bypass: []string{"116123"}}, called("sip:116123@h"), calledNumber(nai(isup.Unknown, "116123")), leftAlone},
	{"emergency", "empty list", &trunk.Numbering{Plan: tn.NANP, Bypass: []string{}}, called("sip:411@h"), calledNumber(nai(isup.Unknown, "411")), notTo(trunk.CalledNumberUnusable)},
	{"emergency", "URN", &northAmerica, called("urn:service:sos"), iam(func(m *isup.IAM) { m.Category = isup.CategoryEmergency }), leftAlone},
	{"emergency", "URN of a service", &northAmerica, called("URN:Service:SOS.police"), iam(func(m *isup.IAM) { m.Category = isup.CategoryHighEmergency }), leftAlone},
	{"emergency", "URN in To", &northAmerica, invite(func(s *trunk.Signalling) { s.To = `"911" <urn:service:sos.fire>;tag=2` }), nil, leftAlone},
	{"emergency", "another URN", &northAmerica, called("urn:service:sosx"), nil,
		ordinary.with(func(f *found) { f.dest, f.unusable = "urn:service:sosx", trunk.CalledPartyIsURI })},
	{"emergency", "esnet", &northAmerica, invite(func(s *trunk.Signalling) { s.ResourcePriority = []string{"wps.4, ESNET.1"} }), nil, marked},
	{"emergency", "other priorities", &northAmerica, invite(func(s *trunk.Signalling) { s.ResourcePriority, s.Priority = []string{"ets.0"}, []string{"urgent"} }), nil, ordinary},
	{"emergency", "callback", &northAmerica, invite(func(s *trunk.Signalling) { s.Priority = []string{" PSAP-callback"} }), nil, marked},
	{"emergency", "called and marked", &northAmerica, invite(func(s *trunk.Signalling) { s.RequestURI, s.Priority = "sip:911@h", []string{"psap-callback"} }), nil, leftAlone},
	{"parameters", "separators", &northAmerica, called("tel:+1-(903).246-9103"), nil, ordinary},
	{"parameters", "extension", &northAmerica, called("tel:+19032469103;ext=99"), nil, ordinary},
	{"parameters", "subaddress and trunk group", &northAmerica, called("sip:9032469103;isub=7;tgrp=a;trunk-context=b@h;user=phone"), nil, ordinary},
	{"parameters", "phone-context", &northAmerica, called("sip:9032469103;phone-context=+1@h;user=phone"), nil, ordinary},
	{"parameters", "encoded plus", &northAmerica, called("sip:%2B19032469103@h"), nil, ordinary},
	{"parameters", "upper-case scheme and encoded digits", &northAmerica, called("SIP:%2b1%39032469103@H;USER=PHONE"), nil, ordinary},
	{"parameters", "sips", &northAmerica, called("sips:+19032469103@h"), nil, ordinary},
	{"parameters", "digits that are no number", &trunk.Numbering{Plan: tn.NANP, Bare: trunk.BareText}, called("sip:9032469103@evil.example"), nil,
		ordinary.with(func(f *found) { f.dest, f.unusable = "sip:9032469103@evil.example", trunk.CalledPartyIsURI })},
	{"parameters", "digits that are a number by user=phone", &trunk.Numbering{Plan: tn.NANP, Bare: trunk.BareText}, called("sip:9032469103@evil.example;user=phone"), nil, ordinary},
	{"parameters", "URI", &northAmerica, called("sip:Alice@Example.com;transport=tcp"), nil,
		ordinary.with(func(f *found) { f.dest, f.unusable = "sip:alice@example.com", trunk.CalledPartyIsURI })},
	{"parameters", "line break", &northAmerica, called("sip:+1903\r\nX: y@h"), nil, notTo(trunk.CalledNumberUnusable)},
	{"parameters", "no address", &northAmerica, called("<sip:+19032469103@h"), nil, notTo(trunk.CalledNumberUnusable)},
	{"parameters", "too long", &northAmerica, called("sip:+19032469103@" + strings.Repeat("h", 5000)), nil, notTo(trunk.CalledNumberUnusable)},
}

var (
	fromFirst    = trunk.Numbering{Plan: tn.NANP, Caller: trunk.FromFirst}
	fromOnly     = trunk.Numbering{Plan: tn.NANP, Caller: trunk.FromOnly}
	assertedOnly = trunk.Numbering{Plan: tn.NANP, Caller: trunk.AssertedOnly}
	extensions   = trunk.Numbering{Plan: tn.NANP, ShortCallerIsMissing: true}
)

var callingCases = []interworking{
	{"calling number", "asserted", &northAmerica, invite(func(*trunk.Signalling) {}), callingNumber(nai(isup.National, "2155550121")), ordinary},
	{"calling number", "From where nothing is asserted", &northAmerica, asserting(), nil, by("12155550199")},
	{"calling number", "tel URI before sip URI", &northAmerica, asserting("<sip:+12155550122@h>", "<tel:+12155550121>"), nil, ordinary},
	{"calling number", "in one header field", &northAmerica, asserting(`"Smith, \"J\" <x>" <sip:+12155550122@h>, <tel:+12155550121>`), nil, ordinary},
	{"calling number", "From first", &fromFirst, invite(func(*trunk.Signalling) {}), iam(func(m *isup.IAM) {
		m.Generic = []isup.Generic{gap(isup.GenericAdditionalCalling, nai(isup.National, "2155550199"))}
	}), by("12155550199")},
	{"calling number", "From first, and it has none", &fromFirst, invite(func(s *trunk.Signalling) { s.From = "<sip:alice@h>" }), iam(func(*isup.IAM) {}), ordinary},
	{"calling number", "From only", &fromOnly, invite(func(*trunk.Signalling) {}), iam(func(m *isup.IAM) {
		m.Generic = []isup.Generic{gap(isup.GenericUserNotScreened, nai(isup.National, "2155550199"))}
	}), by("12155550199")},
	{"calling number", "From only, and there is none", &fromOnly, invite(func(s *trunk.Signalling) { s.From = "" }), iam(func(*isup.IAM) {}), notBy(trunk.NoCallingNumber)},
	{"calling number", "asserted only, and there is none", &assertedOnly, asserting(), iam(func(m *isup.IAM) {
		m.Calling, m.Generic = nil, []isup.Generic{gap(isup.GenericAdditionalCalling, nai(isup.National, "2155550199"))}
	}), notBy(trunk.NoCallingNumber)},
	{"calling number", "asserted decides though it is unusable", &northAmerica, asserting("<tel:5550121>"), callingNumber(nai(isup.Subscriber, "5550121")), notBy(trunk.CallingNumberUnusable)},
	{"calling number", "URI", &northAmerica, asserting("<sip:alice@example.com>"), nil,
		ordinary.with(func(f *found) { f.orig, f.unusable = "sip:alice@example.com", trunk.CallingPartyIsURI })},
	{"calling number", "who pays is not who calls", &northAmerica, invite(func(s *trunk.Signalling) {
		s.Asserted, s.From, s.ChargeInfo = nil, "", []string{"<sip:+12155550000@h>;npi=ISDN;noa=3"}
	}), iam(func(m *isup.IAM) {
		charge := nai(isup.National, "2155550000")
		m.Calling, m.Charge, m.Jurisdiction = nil, &charge, "215555"
	}), notBy(trunk.NoCallingNumber)},
	{"calling number", "private numbering plan", &northAmerica, nil, callingNumber(isup.Number{Nature: isup.National, Plan: 5, Digits: "2155550121"}), notBy(trunk.CallingNumberUnusable)},
	{"calling number", "of a private exchange", &northAmerica, nil, callingNumber(nai(0x73, "2155550121")), ordinary},
	{"restricted", "APRI 1", &northAmerica, invite(func(s *trunk.Signalling) {
		s.From, s.Privacy = `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1`, []string{"id;critical"}
	}), callingNumber(isup.Number{Nature: isup.National, Plan: 1, Digits: "2155550121", Presentation: isup.PresentationRestricted}),
		ordinary.with(func(f *found) { f.restricted = true })},
	{"restricted", "by the network", &northAmerica, invite(func(s *trunk.Signalling) { s.Privacy = []string{"header, user"} }),
		callingNumber(isup.Number{Nature: isup.National, Plan: 1, Digits: "2155550121", Presentation: isup.PresentationByNetwork}),
		ordinary.with(func(f *found) { f.restricted = true })},
	{"restricted", "From alone", &northAmerica, invite(func(s *trunk.Signalling) { s.From = "<sip:Anonymous@pbx.example.com>" }), nil,
		ordinary.with(func(f *found) { f.restricted = true })},
	{"restricted", "and nothing asserted", &northAmerica, invite(func(s *trunk.Signalling) { s.Asserted, s.From = nil, "sip:anonymous@anonymous.invalid" }), nil,
		notBy(trunk.NoCallingNumber).with(func(f *found) { f.restricted = true })},
	{"restricted", "no privacy asked for", &northAmerica, invite(func(s *trunk.Signalling) { s.Privacy = []string{"none", "session"} }), nil, ordinary},
	{"no calling number", "absent", &northAmerica, invite(func(s *trunk.Signalling) { s.Asserted, s.From = nil, "" }), iam(func(m *isup.IAM) { m.Calling = nil }), notBy(trunk.NoCallingNumber)},
	{"no calling number", "no digits", &northAmerica, nil, callingNumber(isup.Number{}), notBy(trunk.NoCallingNumber)},
	{"no calling number", "address not available", &northAmerica, nil, callingNumber(isup.Number{Presentation: isup.PresentationUnavailable}), notBy(trunk.NoCallingNumber)},
	{"no calling number", "an extension counts as none", &extensions, asserting("<sip:1234@pbx>"), nil, by("12155550199")},
	{"no calling number", "an extension counts as none over TDM", &extensions, nil, callingNumber(nai(isup.Unknown, "1234")), notBy(trunk.NoCallingNumber)},
	{"no calling number", "an extension is unusable", &northAmerica, asserting("<sip:1234@pbx>"), callingNumber(nai(isup.Unknown, "1234")), notBy(trunk.CallingNumberUnusable)},
	{"truncation", "foreign number that lost its country code", &northAmerica, nil, callingNumber(nai(isup.National, "79460000")), notBy(trunk.CallingNumberTruncated)},
	{"truncation", "foreign number cut to ten digits", &northAmerica, asserting("<tel:+14420794600>"), callingNumber(nai(isup.National, "4420794600")), notBy(trunk.CallingNumberTruncated)},
	{"truncation", "home number cut short", &northAmerica, asserting("<tel:+121555501>"), callingNumber(nai(isup.International, "121555501")), notBy(trunk.CallingNumberTruncated)},
	{"truncation", "marked as incomplete", &northAmerica, nil, callingNumber(isup.Number{Nature: isup.National, Plan: 1, Digits: "2155550121", Flag: true}), notBy(trunk.CallingNumberTruncated)},
	{"truncation", "not detectable", &northAmerica, nil, callingNumber(nai(isup.National, "4722123456")), by("14722123456")},
	{"screening", "not verified", &northAmerica, nil, callingNumber(isup.Number{Nature: isup.National, Plan: 1, Digits: "2155550121", Screening: isup.UserNotVerified}), ordinary},
	{"screening", "failed", &northAmerica, nil, callingNumber(isup.Number{Nature: isup.National, Plan: 1, Digits: "2155550121", Screening: isup.UserFailed}), ordinary},
	{"screening", "network provided", &northAmerica, nil, callingNumber(isup.Number{Nature: isup.National, Plan: 1, Digits: "2155550121", Screening: isup.NetworkProvided}), ordinary},
}

// diverted is a call that came to 12155550131 first, and then by way of 12155550132.
func diverted(second string) found {
	return ordinary.with(func(f *found) { f.diverted, f.from, f.second = true, "12155550132", second })
}

func divertedIAM() *isup.IAM {
	return iam(func(m *isup.IAM) {
		original, redirecting := nai(isup.National, "2155550131"), nai(isup.National, "2155550132")
		m.OriginalCalled, m.Redirecting, m.Redirection = &original, &redirecting, &isup.Redirection{Indicator: 3, Counter: 2, Reason: 2}
	})
}

var wayCases = []interworking{
	{"forwarding", "Diversion", &philadelphia, invite(func(s *trunk.Signalling) {
		s.Diversion = []string{"<tel:+12155550132>;reason=no-answer;counter=1, <sip:+12155550131@h>;reason=unconditional"}
	}), divertedIAM(), diverted("12155550131")},
	{"forwarding", "History-Info", &philadelphia, invite(func(s *trunk.Signalling) {
		s.HistoryInfo = []string{
			"<sip:+12155550131@h>;index=1, <sip:+12155550132@h;cause=302>;index=1.1;mp=1",
			"<sip:+12155550132@gateway?Reason=SIP%3Bcause%3D408>;index=1.1.1;rc=1.1", "<sip:+19032469103@h;cause=408>;index=1.2;mp=1.1",
		}
	}), divertedIAM(), diverted("12155550131").with(func(f *found) { f.hi = "1.1" })},
	{"forwarding", "History-Info of older networks", &philadelphia, invite(func(s *trunk.Signalling) {
		s.HistoryInfo = []string{"<sip:+12155550131@h>;index=1", "<sip:+12155550132@h;cause=486>;index=1.1", "<sip:+19032469103@h;cause=408>;index=1.2"}
	}), nil, diverted("12155550131").with(func(f *found) { f.hi = "1.1" })},
	{"forwarding", "no second look here", &northAmerica, invite(func(s *trunk.Signalling) {
		s.Diversion = []string{"<tel:+12155550132>", "<tel:+12155550131>"}
	}), divertedIAM(), diverted("")},
	{"forwarding", "History-Info without diversion", &philadelphia, invite(func(s *trunk.Signalling) {
		s.HistoryInfo = []string{"<sip:+19032469103@h>;index=1", "<sip:+19032469103@gateway>;index=1.1;rc=1"}
	}), nil, ordinary},
	{"forwarding", "broken index", &philadelphia, invite(func(s *trunk.Signalling) {
		s.HistoryInfo = []string{"<sip:+12155550132@h>;index=1\r\nX: y", "<sip:+19032469103@h>;index=1.1;mp=1"}
	}), nil, diverted("12155550132")},
	{"forwarding", "by a counter alone", &northAmerica, nil, iam(func(m *isup.IAM) { m.Redirection = &isup.Redirection{Counter: 1} }),
		ordinary.with(func(f *found) { f.diverted = true })},
	{"forwarding", "by a URI", &philadelphia, invite(func(s *trunk.Signalling) { s.Diversion = []string{"<sip:Desk@example.com>;reason=away"} }), nil,
		ordinary.with(func(f *found) { f.diverted, f.from = true, "sip:desk@example.com" })},
	{"forwarding", "back to the same number", &philadelphia, invite(func(s *trunk.Signalling) { s.Diversion = []string{"<tel:+19032469103>"} }), nil,
		ordinary.with(func(f *found) { f.diverted, f.from = true, "19032469103" })},
	{"forwarding", "by nobody that can be read", &philadelphia, invite(func(s *trunk.Signalling) { s.Diversion = []string{"<tel:555>"} }), nil,
		ordinary.with(func(f *found) { f.diverted = true })},
	{"forwarding", "restricted number of who diverted", &philadelphia, nil, iam(func(m *isup.IAM) {
		m.Redirecting = &isup.Number{Nature: isup.National, Plan: 1, Digits: "2155550132", Presentation: isup.PresentationRestricted}
	}), diverted("")},
}
