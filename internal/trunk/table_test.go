package trunk_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

func from(prefixes ...string) trunk.Match {
	var m trunk.Match
	for _, p := range prefixes {
		m.Sources = append(m.Sources, netip.MustParsePrefix(p))
	}
	return m
}

// row is one that signs, with a match.
func row(name string, m trunk.Match) trunk.Row {
	return trunk.Row{Name: name, Match: m, Mode: trunk.Sign, Numbering: northAmerica}
}

func table(t *testing.T, rows ...trunk.Row) *trunk.Table {
	t.Helper()
	made, err := trunk.New(rows)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func and(m trunk.Match, change func(*trunk.Match)) trunk.Match { change(&m); return m }

func TestMatch_TheMostSpecificRowWins(t *testing.T) {
	made := table(t,
		row("anywhere", trunk.Match{Client: "switch.example.com"}),
		row("network", from("10.0.0.0/8", "2001:db8::/32")),
		row("subnet", from("10.1.0.0/16")),
		row("group", and(from("10.0.0.0/8"), func(m *trunk.Match) { m.TGRP = "TG-1" })),
		row("group in context", and(from("10.0.0.0/8"), func(m *trunk.Match) { m.TGRP, m.TrunkContext = "tg-1", "example.com" })),
		row("label", and(from("10.0.0.0/8"), func(m *trunk.Match) { m.Label = "tdm-out" })),
		row("label in subnet", and(from("10.1.0.0/16"), func(m *trunk.Match) { m.Label = "tdm-out" })),
		row("otg", and(from("10.0.0.0/8"), func(m *trunk.Match) { m.OTG = "7" })),
		row("header", and(from("10.0.0.0/8"), func(m *trunk.Match) { m.Header, m.HeaderValue = "X-Trunk", "A" })),
		row("client from there", and(from("10.0.0.0/8"), func(m *trunk.Match) { m.Client = "switch.example.com" })),
		row("all of IPv4", from("0.0.0.0/0")),
		row("two networks", from("192.0.2.0/24", "198.51.100.7/32")),
	)
	header := func(value string) func(string) string {
		return func(name string) string {
			if name == "X-Trunk" {
				return value
			}
			return ""
		}
	}
	for _, c := range []struct {
		name, source string
		signs        trunk.Signs
		want         string // empty: none
	}{
		{"network", "10.2.0.1", trunk.Signs{}, "network"},
		{"longer prefix", "10.1.0.1", trunk.Signs{}, "subnet"},
		{"IPv4 mapped into IPv6", "::ffff:10.1.0.1", trunk.Signs{}, "subnet"},
		{"IPv6", "2001:db8::1", trunk.Signs{}, "network"},
		{"IPv6 elsewhere", "2001:db9::1", trunk.Signs{}, ""},
		{"with a zone", "fe80::1%eth0", trunk.Signs{}, ""},
		{"more conditions before a longer prefix", "10.1.0.1", trunk.Signs{TGRP: "tg-1"}, "group"},
		{"names in any case", "10.2.0.1", trunk.Signs{TGRP: "Tg-1", TrunkContext: "EXAMPLE.com"}, "group in context"},
		{"another context", "10.2.0.1", trunk.Signs{TGRP: "tg-1", TrunkContext: "example.org"}, "group"},
		{"another group", "10.2.0.1", trunk.Signs{TGRP: "tg-2"}, "network"},
		{"the first of equals", "10.2.0.1", trunk.Signs{OTG: "7", Label: "tdm-out"}, "label"},
		{"the longer prefix of equals", "10.1.0.1", trunk.Signs{OTG: "7", Label: "TDM-OUT"}, "label in subnet"},
		{"header", "10.2.0.1", trunk.Signs{Header: header(" A ")}, "header"},
		{"header of another value", "10.2.0.1", trunk.Signs{Header: header("a")}, "network"},
		{"client", "203.0.113.1", trunk.Signs{Client: "switch.example.com"}, "all of IPv4"},
		{"client over IPv6", "2001:db9::1", trunk.Signs{Client: "switch.example.com"}, "anywhere"},
		{"client from there", "10.2.0.1", trunk.Signs{Client: "switch.example.com"}, "client from there"},
		{"client in another case", "2001:db9::1", trunk.Signs{Client: "Switch.example.com"}, ""},
		{"second network", "198.51.100.7", trunk.Signs{}, "two networks"},
		{"no source", "", trunk.Signs{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			signs := c.signs
			if c.source != "" {
				signs.Source = netip.MustParseAddr(c.source)
			}
			r, ok := made.Match(signs)
			if ok != (c.want != "") || ok && r.Name != c.want || !ok && r != nil {
				t.Errorf("Match = %+v, %v, want %q", r, ok, c.want)
			}
		})
	}
}

func TestKnows(t *testing.T) {
	closed := table(t, row("a", from("10.0.0.0/8", "2001:db8::/32")), row("b", from("192.0.2.1/32")))
	for addr, want := range map[string]bool{
		"10.9.9.9": true, "::ffff:10.9.9.9": true, "192.0.2.1": true, "192.0.2.2": false, "2001:db8::7": true, "2001:db9::": false,
	} {
		for _, proven := range []bool{false, true} {
			if got := closed.Knows(netip.MustParseAddr(addr), proven); got != want {
				t.Errorf("Knows(%s, %v) = %v", addr, proven, got)
			}
		}
	}
	if closed.Knows(netip.Addr{}, true) {
		t.Error("nowhere is known")
	}
	stranger := netip.MustParseAddr("203.0.113.1")
	open := table(t, row("a", trunk.Match{Client: "x"}))
	if !open.Knows(stranger, true) {
		t.Error("a client may come from anywhere")
	}
	if open.Knows(stranger, false) {
		t.Error("who has not proven itself is known by its source alone")
	}
	if http := table(t, row("a", trunk.Match{Client: "x", Asks: trunk.AskSigning})); http.Knows(stranger, true) {
		t.Error("a row for HTTP lets SIP in")
	}
	if empty := table(t); empty.Knows(netip.MustParseAddr("10.0.0.1"), true) || len(empty.Rows()) != 0 {
		t.Error("the empty table knows somebody")
	}
}

func TestRows_HaveDefaults(t *testing.T) {
	rows := []trunk.Row{
		row("sign", from("10.0.0.0/8")),
		{Name: "verify", Match: from("11.0.0.0/8"), Mode: trunk.Verify, Numbering: northAmerica, Nothing: 503, Budget: time.Second / 2},
		{Name: "in band", Match: from("12.0.0.0/8"), Mode: trunk.Verify, Numbering: northAmerica},
	}
	made := table(t, rows...).Rows()
	if made[0].Nothing != 404 || made[0].Budget != trunk.SignBudgetDefault || made[1].Nothing != 503 || made[1].Budget != time.Second/2 ||
		made[2].Budget != trunk.RetrieveBudgetDefault {
		t.Errorf("%+v", made)
	}
	if rows[0].Budget != 0 {
		t.Error("the caller's rows are changed")
	}
}

func TestNew_Faults(t *testing.T) {
	agreed := func(r *trunk.Row) { r.CPS, r.Profile = []string{"a"}, oob.Agreed }
	for _, c := range []struct {
		name   string
		change func(*trunk.Row)
		field  string // empty: good
	}{
		{"good", func(*trunk.Row) {}, ""},
		{"no name", func(r *trunk.Row) { r.Name = "" }, "name"},
		{"long name", func(r *trunk.Row) { r.Name = strings.Repeat("x", 65) }, "name"},
		{"name with a line break", func(r *trunk.Row) { r.Name = "a\nb" }, "name"},
		{"open to anybody", func(r *trunk.Row) { r.Match = trunk.Match{TGRP: "x"} }, "match"},
		{"no prefix", func(r *trunk.Row) { r.Match.Sources = []netip.Prefix{{}} }, "match.sources[0]"},
		{"bits behind the prefix", func(r *trunk.Row) { r.Match = from("10.0.0.1/8") }, "match.sources[0]"},
		{"IPv4 in IPv6", func(r *trunk.Row) { r.Match = from("::ffff:10.0.0.0/104") }, "match.sources[0]"},
		{"twice", func(r *trunk.Row) { r.Match = from("10.0.0.0/8", "10.0.0.0/8") }, "match.sources[1]"},
		{"too many sources", func(r *trunk.Row) {
			for i := range trunk.SourcesMax {
				r.Match.Sources = append(r.Match.Sources, netip.PrefixFrom(netip.AddrFrom4([4]byte{11, 0, byte(i >> 8), byte(i)}), 32))
			}
		}, "match.sources"},
		{"context alone", func(r *trunk.Row) { r.Match.TrunkContext = "x" }, "match.trunk_context"},
		{"label with a dot", func(r *trunk.Row) { r.Match.Label = "a.b" }, "match.label"},
		{"header without value", func(r *trunk.Row) { r.Match.Header = "X-Trunk" }, "match.header"},
		{"header name with a colon", func(r *trunk.Row) { r.Match.Header, r.Match.HeaderValue = "X: y", "z" }, "match.header"},
		{"control character", func(r *trunk.Row) { r.Match.OTG = "a\x00" }, "match.otg"},
		{"no such mode", func(r *trunk.Row) { r.Mode = 99 }, "mode"},
		{"off, whatever else", func(r *trunk.Row) {
			r.Mode, r.CPS, r.PeerSPC, r.Numbering = trunk.Off, []string{"a"}, "505J", trunk.Numbering{}
		}, ""},
		{"publish", func(r *trunk.Row) { r.Mode = trunk.Publish; agreed(r) }, ""},
		{"publish nowhere", func(r *trunk.Row) { r.Mode = trunk.Publish }, "cps"},
		{"publish in no form", func(r *trunk.Row) { r.Mode, r.CPS = trunk.SignPublish, []string{"a"} }, "profile"},
		{"no such profile", func(r *trunk.Row) { r.Mode, r.CPS, r.Profile = trunk.SignPublish, []string{"a"}, 99 }, "profile"},
		{"publish for the peer", func(r *trunk.Row) { r.Mode, r.PeerSPC = trunk.Publish, "505J"; agreed(r) }, "peer_spc"},
		{"publish and sign with", func(r *trunk.Row) { r.Mode, r.Signing.Gateway = trunk.Publish, true; agreed(r) }, "gateway"},
		{"sign with a CPS", agreed, "cps"},
		{"sign with what level", func(r *trunk.Row) { r.Signing.Attest = "D" }, "attest"},
		{"sign with a level", func(r *trunk.Row) { r.Signing = trunk.Signing{Customer: "x", Attest: passport.AttestPartial} }, ""},
		{"retrieve", func(r *trunk.Row) { r.Mode, r.PeerSPC = trunk.Retrieve, "505J"; agreed(r) }, ""},
		{"retrieve from nowhere", func(r *trunk.Row) { r.Mode = trunk.Retrieve }, "cps"},
		{"retrieve of whom", func(r *trunk.Row) { r.Mode = trunk.Retrieve; agreed(r) }, "peer_spc"},
		{"verify of whom", func(r *trunk.Row) { r.Mode = trunk.Verify; agreed(r) }, "peer_spc"},
		{"verify from nowhere", func(r *trunk.Row) { r.Mode, r.Profile = trunk.Verify, oob.Mesh }, "cps"},
		{"verify in band", func(r *trunk.Row) { r.Mode = trunk.Verify }, ""},
		{"mesh needs no peer", func(r *trunk.Row) { r.Mode, r.CPS, r.Profile = trunk.Verify, []string{"a", "b"}, oob.Mesh }, ""},
		{"mesh uses no peer", func(r *trunk.Row) {
			r.Mode, r.CPS, r.Profile, r.PeerSPC = trunk.Verify, []string{"a"}, oob.Mesh, "505J"
		}, "peer_spc"},
		{"bad peer", func(r *trunk.Row) { r.Mode, r.PeerSPC = trunk.Verify, "5 5J"; agreed(r) }, "peer_spc"},
		{"the same CPS twice", func(r *trunk.Row) { r.Mode, r.CPS, r.Profile = trunk.Publish, []string{"a", "a"}, oob.Mesh }, "cps[1]"},
		{"too many CPSs", func(r *trunk.Row) {
			r.Mode, r.CPS, r.Profile = trunk.Publish, []string{"a", "b", "c", "d", "e"}, oob.Mesh
		}, "cps"},
		{"peer where the form does not say who reads", func(r *trunk.Row) {
			r.Mode, r.CPS, r.Profile, r.PeerSPC = trunk.Publish, []string{"a"}, oob.RFC9888, "505J"
		}, "peer_spc"},
		{"provider for whom is published", func(r *trunk.Row) {
			r.Mode, r.CPS, r.Profile, r.PeerSPC = trunk.Publish, []string{"a"}, oob.Company, "505J"
		}, ""},
		{"provider found out for each number", func(r *trunk.Row) { r.Mode, r.CPS, r.Profile = trunk.SignPublish, []string{"a"}, oob.Company }, ""},
		{"peer of who reads", func(r *trunk.Row) {
			r.Mode, r.CPS, r.Profile, r.PeerSPC = trunk.Verify, []string{"a"}, oob.Company, "505J"
		}, "peer_spc"},
		{"held already", func(r *trunk.Row) {
			r.Mode, r.CPS, r.Profile, r.UnlessHeld = trunk.Publish, []string{"a"}, oob.RFC9888, true
		}, ""},
		{"held, and nothing to publish", func(r *trunk.Row) { r.UnlessHeld = true }, "unless_held"},
		{"held where others may not read", func(r *trunk.Row) {
			r.Mode, r.CPS, r.Profile, r.UnlessHeld = trunk.Publish, []string{"a"}, oob.Company, true
		}, "unless_held"},
		{"date", func(r *trunk.Row) { r.Answer.Date = 9 }, "answer.date"},
		{"date of what a signer says", func(r *trunk.Row) { r.Answer.Date = trunk.DateNone }, "answer.date"},
		{"no date", func(r *trunk.Row) {
			r.Mode, r.CPS, r.Profile, r.Answer.Date = trunk.Retrieve, []string{"a"}, oob.RFC9888, trunk.DateNone
		}, ""},
		{"no time", func(r *trunk.Row) { r.Budget = time.Millisecond }, "budget"},
		{"all day", func(r *trunk.Row) { r.Budget = time.Hour }, "budget"},
		{"status", func(r *trunk.Row) { r.Nothing = 200 }, "nothing"},
		{"customer of nobody", func(r *trunk.Row) { r.Mode, r.Signing.Customer = trunk.Verify, "x" }, "customer"},
		{"level of nothing", func(r *trunk.Row) { r.Mode, r.Signing.Attest = trunk.Verify, passport.AttestPartial }, "attest"},
		{"origid of nothing", func(r *trunk.Row) { r.Mode, r.Signing.TakeOrigID = trunk.Verify, true }, "take_origid"},
		{"gateway with A", func(r *trunk.Row) { r.Signing = trunk.Signing{Gateway: true, Attest: passport.AttestFull} }, "attest"},
		{"gateway with B", func(r *trunk.Row) { r.Signing = trunk.Signing{Gateway: true, Attest: passport.AttestPartial} }, "attest"},
		{"gateway with C", func(r *trunk.Row) { r.Signing = trunk.Signing{Gateway: true, Attest: passport.AttestGateway} }, ""},
		{"asked by nobody", func(r *trunk.Row) { r.Match.Asks = trunk.AskSigning }, "match.asks"},
		{"place", func(r *trunk.Row) { r.Answer.Identity = 9 }, "answer.identity"},
		{"spelling", func(r *trunk.Row) { r.Mode, r.Answer.Verstat = trunk.Verify, 9 }, "answer.verstat"},
		{"mark of a signer", func(r *trunk.Row) { r.Answer.DisplayMark = true }, "answer.display_mark"},
		{"reason of a signer", func(r *trunk.Row) { r.Answer.Reason = trunk.ReasonSIP }, "answer.reason"},
		{"verdict", func(r *trunk.Row) {
			r.Mode, r.Answer = trunk.Verify, trunk.AnswerStyle{DisplayMark: true, Reason: trunk.ReasonSIP}
		}, ""},
		{"proxy", func(r *trunk.Row) { r.NextHop = "sip:192.0.2.1:5060;transport=tcp" }, ""},
		{"proxy to nowhere", func(r *trunk.Row) { r.NextHop = "192.0.2.1" }, "next_hop"},
		{"proxy to another scheme", func(r *trunk.Row) { r.NextHop = "https://192.0.2.1" }, "next_hop"},
		{"proxy that redirects", func(r *trunk.Row) { r.NextHop, r.Answer.Identity = "sip:192.0.2.1", trunk.InContact }, "answer.identity"},
		{"proxy that refuses", func(r *trunk.Row) { r.NextHop, r.Nothing = "sip:192.0.2.1", 404 }, "nothing"},
		{"no country", func(r *trunk.Row) { r.Numbering = trunk.Numbering{} }, "numbering.country_code"},
		{"no plan", func(r *trunk.Row) { r.Numbering.Plan.CountryCode = "+1" }, "numbering"},
		{"country alone", func(r *trunk.Row) { r.Numbering.Plan = tn.Plan{CountryCode: "44"} }, "numbering.national_max"},
		{"home area", func(r *trunk.Row) { r.Numbering.HomeNPA = "21A" }, "numbering.home_npa"},
		{"home area too long", func(r *trunk.Row) { r.Numbering.HomeNPA = "2155550121" }, "numbering.home_npa"},
		{"caller", func(r *trunk.Row) { r.Numbering.Caller = 9 }, "numbering.caller"},
		{"bare", func(r *trunk.Row) { r.Numbering.Bare = 9 }, "numbering.bare"},
		{"second look", func(r *trunk.Row) { r.Numbering.Second = 9 }, "second_look"},
		{"bypass", func(r *trunk.Row) { r.Numbering.Bypass = []string{"911", "+911"} }, "numbering.bypass[1]"},
		{"bypass twice", func(r *trunk.Row) { r.Numbering.Bypass = []string{"911", "911"} }, "numbering.bypass[1]"},
		{"prefix of letters", func(r *trunk.Row) { r.Numbering.StripPrefixes = []string{"101xxxx"} }, "numbering.strip_prefixes[0]"},
		{"prefix of the plan", func(r *trunk.Row) { r.Numbering.StripPrefixes = []string{"9", "01"} }, "numbering.strip_prefixes[1]"},
		{"toll-free", func(r *trunk.Row) { r.Numbering.TollFree = []string{""} }, "numbering.toll_free[0]"},
		{"long list", func(r *trunk.Row) { r.Numbering.TollFree = make([]string, 65) }, "numbering.toll_free"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := row("x", from("10.0.0.0/8"))
			c.change(&r)
			made, err := trunk.New([]trunk.Row{row("first", from("192.0.2.0/24")), r})
			if c.field == "" {
				if err != nil || made == nil {
					t.Fatal(err)
				}
				return
			}
			var faults trunk.Faults
			if !errors.As(err, &faults) || made != nil {
				t.Fatalf("New = %v, %v", made, err)
			}
			if !slices.ContainsFunc(faults, func(f trunk.Fault) bool { return f.Row == 1 && f.Field == c.field && f.Text != "" }) {
				t.Errorf("no fault of %s among\n%v", c.field, faults)
			}
		})
	}
}

func TestNew_RowsThatCannotBeReached(t *testing.T) {
	group := func(m *trunk.Match) { m.TGRP = "a" }
	for _, c := range []struct {
		name  string
		rows  []trunk.Match
		fault int // index of the row; -1: good
	}{
		{"the same source", []trunk.Match{from("10.0.0.0/8"), from("10.0.0.0/8")}, 1},
		{"one of the sources", []trunk.Match{from("10.0.0.0/8"), from("11.0.0.0/8", "10.0.0.0/8")}, 1},
		{"the same group, in another case", []trunk.Match{and(from("10.0.0.0/8"), group), and(from("10.0.0.0/8"), func(m *trunk.Match) { m.TGRP = "A" })}, 1},
		{"the same client", []trunk.Match{{Client: "x"}, {Client: "x"}}, 1},
		{"listed in parts", []trunk.Match{from("10.0.0.0/8"), from("10.0.0.0/9"), from("10.128.0.0/10", "10.192.0.0/10")}, 0},
		{"listed in parts, IPv6", []trunk.Match{from("2001:db8::/32"), from("2001:db8::/33", "2001:db8:8000::/33")}, 0},
		{"listed in parts by itself too", []trunk.Match{from("10.0.0.0/8", "10.128.0.0/9"), from("10.0.0.0/9")}, -1},
		{"all but one part", []trunk.Match{from("10.0.0.0/8"), from("10.0.0.0/9"), from("10.128.0.0/10")}, -1},
		{"longer prefix", []trunk.Match{from("10.0.0.0/8"), from("10.0.0.0/9")}, -1},
		{"another group", []trunk.Match{and(from("10.0.0.0/8"), group), and(from("10.0.0.0/8"), func(m *trunk.Match) { m.TGRP = "b" })}, -1},
		{"more conditions", []trunk.Match{and(from("10.0.0.0/8"), group), from("10.0.0.0/8")}, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rows []trunk.Row
			for i, m := range c.rows {
				rows = append(rows, row(fmt.Sprint("row ", i), m))
			}
			_, err := trunk.New(rows)
			var faults trunk.Faults
			if errors.As(err, &faults) != (c.fault >= 0) {
				t.Fatal(err)
			}
			if c.fault >= 0 && (len(faults) != 1 || faults[0].Row != c.fault || faults[0].Field != "match") {
				t.Errorf("%+v", faults)
			}
		})
	}
}

func TestNew_ListsAllFaults(t *testing.T) {
	bad := row("x", from("10.0.0.1/8"))
	bad.Nothing, bad.Budget, bad.NextHop = 200, time.Hour, "x"
	_, err := trunk.New([]trunk.Row{row("x", from("10.0.0.0/8")), bad})
	var faults trunk.Faults
	if !errors.As(err, &faults) || len(faults) < 5 || strings.Count(err.Error(), "row 2, ") != len(faults) {
		t.Errorf("%v", err)
	}
	if _, err := trunk.New(make([]trunk.Row, trunk.RowsMax+1)); !errors.As(err, &faults) || len(faults) != 1 {
		t.Errorf("too many rows: %v", err)
	}
}

func TestNumbering_Check(t *testing.T) {
	if faults := philadelphia.Check(); len(faults) != 0 {
		t.Errorf("%v", faults)
	}
	bad := trunk.Numbering{Plan: tn.NANP, Bypass: []string{""}}
	if faults := bad.Check(); len(faults) != 1 || faults[0].Field != "bypass[0]" {
		t.Errorf("%v", faults)
	}
}

func TestModes(t *testing.T) {
	for m := trunk.Off; m <= trunk.Verify; m++ {
		if again, ok := trunk.ModeNamed(m.String()); !ok || again != m || m.String() == "" {
			t.Errorf("%d is called %q, which is %d, %v", m, m, again, ok)
		}
	}
	if m, ok := trunk.ModeNamed(""); ok || m != trunk.Off || trunk.Mode(99).String() != "" {
		t.Error("a mode without name")
	}
}

// BenchmarkMatch finds a row among a thousand trunk groups of one switch.
func BenchmarkMatch(b *testing.B) {
	var rows []trunk.Row
	for i := range 1000 {
		rows = append(rows, row(fmt.Sprint("row ", i), and(from("10.0.0.0/8"), func(m *trunk.Match) { m.TGRP = fmt.Sprint("tg-", i) })))
	}
	made, err := trunk.New(rows)
	if err != nil {
		b.Fatal(err)
	}
	signs := trunk.Signs{Source: netip.MustParseAddr("10.1.2.3"), TGRP: "TG-999"}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := made.Match(signs); !ok {
			b.Fatal("no row")
		}
	}
}

func TestMatch_AllocatesNothing(t *testing.T) {
	made := table(t, row("a", from("10.0.0.0/8")), row("b", from("2001:db8::/32")))
	signs := trunk.Signs{Source: netip.MustParseAddr("::ffff:10.1.2.3"), Header: func(string) string { return "" }}
	if n := testing.AllocsPerRun(100, func() { made.Match(signs); made.Knows(signs.Source, true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A row for the addresses of a switch is none for every HTTP client that is let in from there.
func TestMatch_WhoAsksOverHTTPFitsRowsOfItsName(t *testing.T) {
	made := table(t, row("anybody there", from("10.0.0.0/8")), row("of the group", and(from("10.0.0.0/8"), func(m *trunk.Match) { m.TGRP = "a" })),
		row("the client there", and(from("10.0.0.0/8"), func(m *trunk.Match) { m.Client = "sbc" })))
	for _, c := range []struct {
		name  string
		signs trunk.Signs
		want  string // empty: none
	}{
		{"SIP", trunk.Signs{}, "anybody there"},
		{"SIP, proven", trunk.Signs{Client: "other"}, "anybody there"},
		{"HTTP", trunk.Signs{Client: "sbc", Asks: trunk.AskSigning}, "the client there"},
		{"HTTP, its name before a group", trunk.Signs{Client: "sbc", Asks: trunk.AskSigning, TGRP: "a"}, "the client there"},
		{"HTTP, another", trunk.Signs{Client: "other", Asks: trunk.AskSigning}, ""},
		{"HTTP, another with a group", trunk.Signs{Client: "other", Asks: trunk.AskSigning, TGRP: "a"}, ""},
		{"HTTP, nobody", trunk.Signs{Asks: trunk.AskVerification}, ""},
	} {
		c.signs.Source = netip.MustParseAddr("10.1.2.3")
		if got, found := made.Match(c.signs); found != (c.want != "") || found && got.Name != c.want {
			t.Errorf("%s: %+v, want %q", c.name, got, c.want)
		}
	}
}

// One HTTP client has a row for each thing that it asks for; what a SIP request asks for, it does not say.
func TestMatch_WhatIsAskedForIsACondition(t *testing.T) {
	asking := func(a trunk.Ask) trunk.Match { return trunk.Match{Client: "sbc", Asks: a} }
	verify := row("in", asking(trunk.AskVerification))
	verify.Mode = trunk.Verify
	made := table(t, row("out", asking(trunk.AskSigning)), verify)
	for ask, want := range map[trunk.Ask]string{trunk.AskSigning: "out", trunk.AskVerification: "in", trunk.AskAny: "", trunk.AskRetrieve: ""} {
		got, found := made.Match(trunk.Signs{Client: "sbc", Asks: ask})
		if found != (want != "") || found && got.Name != want {
			t.Errorf("%v is answered by %+v", ask, got)
		}
	}
	wrong := row("wrong", asking(trunk.AskVerification))
	if _, err := trunk.New([]trunk.Row{wrong}); err == nil || !strings.Contains(err.Error(), "match.asks") {
		t.Errorf("a row that signs is asked for verification: %v", err)
	}
	for _, name := range []string{"", "signing", "verification", "publish", "retrieve"} {
		if ask, ok := trunk.AskNamed(name); !ok || ask.String() != name {
			t.Errorf("%q is read as %q, %t", name, ask, ok)
		}
	}
	if _, ok := trunk.AskNamed("both"); ok {
		t.Error("both is read")
	}
}
