package stias_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/tn"
)

var (
	acmeNumber = number("13035550111") // listed for acme
	pbxNumber  = number("12155550777") // listed for the trunk pbx
	foreign    = number("13175550100") // listed for nobody
	london     = number("442079460000")
)

// table is the policy of a provider with an enterprise that has numbers of its own, a trunk of another with listed
// numbers, a trunk from a TDM network, and a trunk that it shares with a foreign network.
func table(t testing.TB) stias.Policy {
	return stias.Policy{
		Home: []string{"1"},
		Rows: []stias.Row{
			{Name: "TDM", Trunks: []string{"tdm"}, Attest: "C"},
			{Name: "abroad on the shared trunk", Trunks: []string{"shared"}, International: true, Attest: stias.Unsigned},
			{Name: "listed for pbx", Trunks: []string{"pbx"}, Numbers: ranges(t, "12155550700-12155550799"), Attest: "A"},
			{Name: "pbx", Trunks: []string{"pbx"}, Attest: "B"},
			{Name: "listed for acme", Customers: []string{"acme"}, Numbers: ranges(t, "13035550100-13035550199", "911"), Attest: "A"},
			{Name: "acme", Customers: []string{"acme", "acme west"}, Attest: "B"},
			{Name: "nobody's number", Customers: []string{"hotel"}, Attest: stias.Unsigned},
		},
		Own:       ranges(t, "12155550100-12155550199"),
		Customers: []string{"enterprise"},
	}
}

func TestPolicy_FirstRowThatFitsDecides(t *testing.T) {
	cfg := config(t, credential(t, oobtest.IssueConfig{SPC: "1234"}))
	cfg.Policy = table(t)
	s := service(t, cfg)
	uri, err := tn.ParseURI("sip:alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		call stias.Call
		want passport.Attestation
		row  string
	}{
		{"customer with its number", stias.Call{Orig: acmeNumber, Customer: "acme"}, "A", "listed for acme"},
		{"customer with its short number", stias.Call{Orig: number("911"), Customer: "acme"}, "A", "listed for acme"},
		{"customer with a number of nobody", stias.Call{Orig: foreign, Customer: "acme"}, "B", "acme"},
		{"customer with a number of the provider", stias.Call{Orig: caller, Customer: "acme"}, "B", "acme"},
		{"customer without a number", stias.Call{Orig: uri, Customer: "acme"}, "B", "acme"},
		{"second name of a row", stias.Call{Orig: foreign, Customer: "acme west"}, "B", "acme"},
		{"another customer with its number", stias.Call{Orig: acmeNumber, Customer: "enterprise"}, "B", "known customers"},
		{"nobody with its number", stias.Call{Orig: acmeNumber}, "C", "anything else"},
		{"trunk with its number", stias.Call{Orig: pbxNumber, Trunk: "pbx"}, "A", "listed for pbx"},
		{"trunk with a number of the provider", stias.Call{Orig: caller, Trunk: "pbx"}, "B", "pbx"},
		{"trunk with the number of a customer", stias.Call{Orig: acmeNumber, Trunk: "pbx"}, "B", "pbx"},
		{"trunk before customer, as in the table", stias.Call{Orig: acmeNumber, Trunk: "pbx", Customer: "acme"}, "B", "pbx"},
		{"TDM trunk, whoever calls", stias.Call{Orig: acmeNumber, Trunk: "tdm", Customer: "acme"}, "C", "TDM"},
		{"TDM trunk, own number", stias.Call{Orig: caller, Trunk: "tdm"}, "C", "TDM"},
		{"shared trunk, to home", stias.Call{Orig: caller, Dest: []tn.Identity{called}, Trunk: "shared"}, "A", "own numbers"},
		{"shared trunk, abroad", stias.Call{Orig: caller, Dest: []tn.Identity{london}, Trunk: "shared"}, stias.Unsigned, "abroad on the shared trunk"},
		{"shared trunk, also abroad", stias.Call{Orig: caller, Dest: []tn.Identity{called, london}, Trunk: "shared"}, stias.Unsigned, "abroad on the shared trunk"},
		{"shared trunk, emergency", stias.Call{Orig: caller, Dest: []tn.Identity{number("911")}, Trunk: "shared"}, "A", "own numbers"},
		{"shared trunk, star code", stias.Call{Orig: caller, Dest: []tn.Identity{number("*6712345678")}, Trunk: "shared"}, "A", "own numbers"},
		{"shared trunk, to a URI", stias.Call{Orig: caller, Dest: []tn.Identity{uri}, Trunk: "shared"}, "A", "own numbers"},
		{"abroad on another trunk", stias.Call{Orig: caller, Dest: []tn.Identity{london}, Trunk: "other"}, "A", "own numbers"},
		{"customer that is left unsigned", stias.Call{Orig: caller, Customer: "hotel"}, stias.Unsigned, "nobody's number"},
		{"own number", stias.Call{Orig: caller}, "A", "own numbers"},
		{"known customer", stias.Call{Orig: foreign, Customer: "enterprise"}, "B", "known customers"},
		{"unknown customer and trunk", stias.Call{Orig: foreign, Customer: "x", Trunk: "y"}, "C", "anything else"},
		{"customer's number from another network", stias.Call{Orig: acmeNumber, Customer: "acme", Gateway: true}, "C", "listed for acme"},
		{"left unsigned from another network", stias.Call{Orig: caller, Customer: "hotel", Gateway: true}, stias.Unsigned, "nobody's number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.Attest(c.call)
			if got.Attest != c.want || got.Row != c.row || got.Reason == "" || strings.ContainsAny(got.Reason, "0123456789") {
				t.Errorf("%+v, want %q by %q", got, c.want, c.row)
			}
			if len(c.call.Dest) == 0 {
				c.call.Dest = []tn.Identity{called}
			}
			signed, err := s.Sign(c.call)
			if c.want == stias.Unsigned {
				if !errors.Is(err, stias.LeftUnsigned) || signed.Passport != "" {
					t.Errorf("signed: %+v, %v", signed, err)
				}
			} else if err != nil || signed.Attest != c.want || signed.Row != c.row {
				t.Errorf("signed: %+v, %v", signed, err)
			}
		})
	}
}

// What becomes of numbers that nobody knows is one last row.
func TestPolicy_LastRowIsForWhatNobodyKnows(t *testing.T) {
	for _, want := range []passport.Attestation{"B", "C", stias.Unsigned} {
		cfg := config(t, credential(t, oobtest.IssueConfig{SPC: "1234"}))
		cfg.Policy = stias.Policy{Rows: []stias.Row{{Numbers: ranges(t, "12155550100-12155550199"), Attest: "A"}, {Attest: want}}}
		s := service(t, cfg)
		if got := s.Attest(stias.Call{Orig: foreign}); got.Attest != want || got.Row != "row 2" {
			t.Errorf("%+v, want %s", got, want)
		}
		if got := s.Attest(stias.Call{Orig: caller}); got.Attest != "A" || got.Row != "row 1" {
			t.Errorf("%+v, want A", got)
		}
	}
}

func TestPolicy_RowsThatCannotBeMeantAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy stias.Policy
		want   string
	}{
		{"no level", stias.Policy{Rows: []stias.Row{{}}}, "none of A, B, C"},
		{"level in lower case", stias.Policy{Rows: []stias.Row{{Attest: "b"}}}, "none of A, B, C"},
		{"A for any number", stias.Policy{Rows: []stias.Row{{Name: "acme", Customers: []string{"acme"}, Attest: "A"}}}, "acme: attestation A is for listed numbers"},
		{"nobody as customer", stias.Policy{Rows: []stias.Row{{Customers: []string{"a", ""}, Attest: "B"}}}, "neither a customer nor a trunk"},
		{"nothing as trunk", stias.Policy{Rows: []stias.Row{{Trunks: []string{""}, Attest: "B"}}}, "neither a customer nor a trunk"},
		{"origid that is no UUID", stias.Policy{Rows: []stias.Row{{Attest: "B", OrigID: "east"}}}, "row 1: the origid is not a UUID"},
		{"abroad without a home", stias.Policy{Rows: []stias.Row{{Attest: "C"}, {Attest: "B", International: true}}}, "row 2: without country codes"},
		{"home that is no code", stias.Policy{Home: []string{"+1"}}, "country code"},
		{"home that is everywhere", stias.Policy{Home: []string{""}}, "country code"},
		{"origids derived from nothing", stias.Policy{Rows: []stias.Row{{Attest: "B", OrigID: stias.DerivedOrigID}}}, "secret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t, credential(t, oobtest.IssueConfig{SPC: "1234"}))
			cfg.Policy = c.policy
			if s, err := stias.New(cfg); s != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want a word of %q", err, c.want)
			}
		})
	}
}

func TestATIS1000092_DelegateRaisesBToA(t *testing.T) {
	cfg := config(t, credential(t, oobtest.IssueConfig{SPC: "1234"}))
	cfg.Policy = table(t)
	s := service(t, cfg)
	for _, c := range []struct {
		name string
		call stias.Call
		want passport.Attestation
	}{
		{"known customer", stias.Call{Orig: foreign, Customer: "enterprise"}, "A"},
		{"known trunk", stias.Call{Orig: foreign, Trunk: "pbx"}, "A"},
		{"nobody knows who calls", stias.Call{Orig: foreign}, "C"},
		{"TDM trunk", stias.Call{Orig: foreign, Trunk: "tdm"}, "C"},
		{"from another network", stias.Call{Orig: foreign, Customer: "enterprise", Gateway: true}, "C"},
		{"left unsigned", stias.Call{Orig: foreign, Customer: "hotel"}, stias.Unsigned},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.call.Vouched = true
			if got := s.Attest(c.call); got.Attest != c.want || got.Reason == "" {
				t.Errorf("%+v, want %q", got, c.want)
			}
		})
	}
}

func TestSign_GivesNoMoreThanThePolicy(t *testing.T) {
	s := service(t, config(t, credential(t, oobtest.IssueConfig{SPC: "1234"})))
	for _, c := range []struct {
		customer string
		orig     tn.Identity
		asked    passport.Attestation
		want     passport.Attestation
		err      error
	}{
		{"", caller, "A", "A", nil},
		{"", caller, "B", "B", nil},
		{"", caller, "C", "C", nil},
		{"enterprise", foreign, "A", "", stias.NotEntitled},
		{"enterprise", foreign, "B", "B", nil},
		{"", foreign, "B", "", stias.NotEntitled},
		{"", foreign, "C", "C", nil},
		{"", caller, "a", "", passport.AttestInvalid},
		{"", caller, stias.Unsigned, "", passport.AttestInvalid},
	} {
		t.Run(fmt.Sprintf("%s for %q", c.asked, c.want), func(t *testing.T) {
			signed, err := s.Sign(stias.Call{Orig: c.orig, Dest: []tn.Identity{called}, Customer: c.customer, Attest: c.asked})
			if !errors.Is(err, c.err) || signed.Attest != c.want || (err == nil) != (signed.Passport != "") {
				t.Errorf("%+v, %v", signed, err)
			}
		})
	}
}

func TestRFC8588_S5_OrigIDAsThePolicySays(t *testing.T) {
	const east, other = "aaaaaaaa-e89b-42d3-a456-426655440000", "bbbbbbbb-e89b-42d3-a456-426655440000"
	cfg := config(t, credential(t, oobtest.IssueConfig{SPC: "1234"}))
	cfg.OrigIDSecret = []byte("sixteen letters!")
	cfg.Policy.Rows = []stias.Row{
		{Trunks: []string{"east"}, Attest: "C", OrigID: east},
		{Customers: []string{"enterprise", "enterprise two"}, Attest: "B", OrigID: stias.DerivedOrigID},
	}
	s := service(t, cfg)
	origID := func(s *stias.Service, call stias.Call) string {
		t.Helper()
		call.Orig, call.Dest = caller, []tn.Identity{called}
		signed, err := s.Sign(call)
		if err != nil || !uuid.Is(signed.OrigID) {
			t.Fatalf("%q, %v", signed.OrigID, err)
		}
		return signed.OrigID
	}
	if got := origID(s, stias.Call{Trunk: "east"}); got != east {
		t.Errorf("fixed: %s", got)
	}
	if got := origID(s, stias.Call{Trunk: "east", OrigID: other}); got != other {
		t.Errorf("given with the call: %s", got)
	}
	if first, second := origID(s, stias.Call{}), origID(s, stias.Call{}); first == second {
		t.Error("two calls with the same random one")
	}
	derived := origID(s, stias.Call{Customer: "enterprise"})
	if derived != origID(s, stias.Call{Customer: "enterprise"}) || derived[14] != '8' || strings.IndexByte("89ab", derived[19]) < 0 {
		t.Errorf("derived: %s", derived)
	}
	for name, call := range map[string]stias.Call{
		"customer": {Customer: "enterprise two"}, "trunk": {Customer: "enterprise", Trunk: "west"},
	} {
		if origID(s, call) == derived {
			t.Errorf("derived: the same for another %s", name)
		}
	}
	cfg.OrigIDSecret = []byte("sixteen letters?")
	if origID(service(t, cfg), stias.Call{Customer: "enterprise"}) == derived {
		t.Error("derived: the same for another secret")
	}
}

func BenchmarkAttest(b *testing.B) {
	cfg := config(b, credential(b, oobtest.IssueConfig{SPC: "1234"}))
	for i := range 10_000 {
		name := fmt.Sprint("customer ", i)
		cfg.Policy.Rows = append(cfg.Policy.Rows,
			stias.Row{Customers: []string{name}, Numbers: ranges(b, "13035550100-13035550199"), Attest: "A"},
			stias.Row{Customers: []string{name}, Attest: "B"})
	}
	s := service(b, cfg)
	call := stias.Call{Orig: acmeNumber, Dest: []tn.Identity{called}, Customer: "customer 9999", Trunk: "east"}
	b.ReportAllocs()
	for b.Loop() {
		if s.Attest(call).Attest != "A" {
			b.Fatal("not A")
		}
	}
}
