package stias_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/tn"
)

func priorities() []stias.PriorityRow {
	return []stias.PriorityRow{
		{Customers: []string{"ministry"}, Values: []string{"ets.0", "WPS.1"}},
		{Customers: []string{"rescue"}, Trunks: []string{"psap"}, Values: []string{"esnet.1"}, Callback: true},
		{Trunks: []string{"psap"}, Values: []string{"esnet.0"}},
	}
}

func TestRFC8443_S4_1_OnlyWhatTheCustomerMayAssertIsSigned(t *testing.T) {
	id := credential(t, oobtest.IssueConfig{SPC: "1234"})
	cfg := config(t, id)
	cfg.Policy.Priorities = priorities()
	s := service(t, cfg)
	for _, c := range []struct {
		name            string
		customer, trunk string
		values          []string
		sph             string
		date            time.Time
		want            error
	}{
		{"its own", "ministry", "", []string{"ets.0"}, "", time.Time{}, nil},
		{"on whatever trunk", "ministry", "x", []string{"ets.0", "wps.1"}, "", now.Add(-30 * time.Second), nil},
		{"in another case", "ministry", "", []string{"ETS.0"}, "", time.Time{}, nil},
		{"one that is not its own", "ministry", "", []string{"ets.1"}, "", time.Time{}, stias.PriorityNotEntitled},
		{"one of two that is not its own", "ministry", "", []string{"ets.0", "ets.1"}, "", time.Time{}, stias.PriorityNotEntitled},
		{"another customer", "bank", "", []string{"ets.0"}, "", time.Time{}, stias.PriorityNotEntitled},
		{"nobody", "", "", []string{"ets.0"}, "", time.Time{}, stias.PriorityNotEntitled},
		{"none", "ministry", "", nil, "", time.Time{}, stias.PriorityNotEntitled},
		{"customer on its trunk", "rescue", "psap", []string{"esnet.1"}, "", time.Time{}, nil},
		{"customer on another trunk", "rescue", "x", []string{"esnet.1"}, "", time.Time{}, stias.PriorityNotEntitled},
		{"another customer on the trunk", "bank", "psap", []string{"esnet.1"}, "", time.Time{}, stias.PriorityNotEntitled},
		{"whoever is on the trunk", "bank", "psap", []string{"esnet.0"}, "", time.Time{}, nil},
		{"values of two rows", "rescue", "psap", []string{"esnet.0", "esnet.1"}, "", time.Time{}, nil},
		{"callback", "rescue", "psap", []string{"esnet.1"}, "psap-callback", time.Time{}, nil},
		{"callback where none is", "bank", "psap", []string{"esnet.0"}, "psap-callback", time.Time{}, stias.PriorityNotEntitled},
		{"another sph", "rescue", "psap", []string{"esnet.1"}, "else", time.Time{}, passport.SPHForm},
		{"stale", "ministry", "", []string{"ets.0"}, "", now.Add(-2 * time.Minute), stias.StaleDate},
		{"early", "ministry", "", []string{"ets.0"}, "", now.Add(2 * time.Minute), stias.StaleDate},
	} {
		t.Run(c.name, func(t *testing.T) {
			signed, err := s.Prioritise(stias.Prioritised{
				Orig: caller, Dest: []tn.Identity{called}, Customer: c.customer, Trunk: c.trunk, Values: c.values, SPH: c.sph, Date: c.date,
			})
			if c.want != nil {
				if !errors.Is(err, c.want) || signed.Passport != "" {
					t.Errorf("%+v, %v", signed, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			token, err := passport.Parse(signed.Passport)
			if err != nil || token.Verify(&id.Key.PublicKey) != nil {
				t.Fatal(err)
			}
			if got := token.Claims; token.Header.PPT != passport.RPH || got.Orig != caller || !slices.Equal(got.RPH, c.values) || got.SPH != c.sph || got.Attest != "" ||
				!got.IAT.Equal(signed.IAT) || signed.Identity.PPT != "rph" || signed.Identity.Token != signed.Passport {
				t.Errorf("%+v, %+v", got, signed)
			}
		})
	}
}

func TestPolicy_PrioritiesThatCannotBeMeant(t *testing.T) {
	for name, row := range map[string]stias.PriorityRow{
		"everybody":      {Values: []string{"ets.0"}},
		"nobody's name":  {Customers: []string{""}, Values: []string{"ets.0"}},
		"no value":       {Customers: []string{"a"}},
		"no priority":    {Customers: []string{"a"}, Values: []string{"ets"}},
		"a whole header": {Customers: []string{"a"}, Values: []string{"ets.0, wps.0"}},
	} {
		if err := (stias.Policy{Priorities: []stias.PriorityRow{row}}).Check(nil); err == nil {
			t.Error(name)
		}
	}
	if err := (stias.Policy{Priorities: priorities()}).Check(nil); err != nil {
		t.Error(err)
	}
}

func TestRFC8946_S3_RetargetIsForOwnNumbersAlone(t *testing.T) {
	id := credential(t, oobtest.IssueConfig{SPC: "1234"})
	s := service(t, config(t, id))
	signed, err := s.Retarget(stias.Retargeting{Orig: foreign, From: caller, To: []tn.Identity{called}, HI: "1.1", Date: now.Add(-time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	token, err := passport.Parse(signed.Passport)
	if err != nil || token.Verify(&id.Key.PublicKey) != nil {
		t.Fatal(err)
	}
	if c := token.Claims; token.Header.PPT != passport.Div || c.Orig != foreign || c.Div != caller || c.DivHI != "1.1" || !c.Names(called) || c.IAT.Unix() != now.Unix()-1 || signed.Identity.PPT != "div" {
		t.Errorf("%+v", c)
	}
	for name, c := range map[string]struct {
		to   tn.Identity
		from tn.Identity
		date time.Time
		want error
	}{
		"to itself":                 {caller, caller, time.Time{}, stias.NotRetargeted},
		"from a number of nobody's": {called, foreign, time.Time{}, stias.NoAuthority},
		"of an hour ago":            {called, caller, now.Add(-time.Hour), stias.StaleDate},
		"of a PASSporT yet to come": {called, caller, now.Add(time.Hour), stias.StaleDate},
	} {
		signed, err := s.Retarget(stias.Retargeting{Orig: foreign, From: c.from, To: []tn.Identity{c.to}, Date: c.date})
		if !errors.Is(err, c.want) || signed.Passport != "" {
			t.Errorf("%s: %+v, %v", name, signed, err)
		}
	}
}
