package tn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/tn"
)

// britain needs its national prefix; denmark has none; russia's prefix is also the first digit of foreign country codes.
var (
	britain = tn.Plan{CountryCode: "44", InternationalPrefix: "00", NationalPrefix: "0", NationalMin: 9, NationalMax: 10}
	denmark = tn.Plan{CountryCode: "45", InternationalPrefix: "00", NationalMin: 8, NationalMax: 8}
	russia  = tn.Plan{CountryCode: "7", InternationalPrefix: "810", NationalPrefix: "8", NationalMin: 10, NationalMax: 10}
)

func TestRFC8224_S8_3_NumbersAsPeopleAndSwitchesWriteThem(t *testing.T) {
	tests := []struct {
		name string
		plan tn.Plan
		text string
		want string
	}{
		{"international", tn.NANP, "+1 (215) 555-0121", "12155550121"},
		{"national with prefix", tn.NANP, "1-215-555-0121", "12155550121"},
		{"national", tn.NANP, "2155550121", "12155550121"},
		{"national with dots", tn.NANP, "215.555.0121", "12155550121"},
		{"national with slash", tn.NANP, " 215/555-0121 ", "12155550121"},
		{"canonical", tn.NANP, "12155550121", "12155550121"},
		{"dialled abroad", tn.NANP, "011 44 20 7946 0000", "442079460000"},
		{"dialled at home by way of abroad", tn.NANP, "011 1 215 555 0121", "12155550121"},
		{"foreign", tn.NANP, "+44 20 7946 0000", "442079460000"},
		{"foreign, as long as a national one", tn.NANP, "+47 22 12 34 56", "4722123456"},
		{"parenthesis before the plus", tn.NANP, "(+1) 215 555 0121", "12155550121"},
		{"longest", tn.NANP, "+123456789012345", "123456789012345"},
		{"911", tn.NANP, "911", "911"},
		{"+911", tn.NANP, "+911", "911"},
		{"112", tn.NANP, "112", "112"},
		{"N11", tn.NANP, "411", "411"},
		{"988", tn.NANP, "988", "988"},
		{"service code", tn.NANP, "*67", "*67"},
		{"service code and number", tn.NANP, "*67 215 555 0121", "*672155550121"},
		{"hash code", tn.NANP, "#31#", "#31#"},
		{"subscriber number", tn.NANP, "555-0121", "5550121"},
		{"international prefix alone", tn.NANP, "011", "011"},
		{"international prefix twice", tn.NANP, "011 011 44", "01101144"},
		{"one digit short", tn.NANP, "121555501", "121555501"},

		{"ported", tn.NANP, "+12155550121;npdi;rn=+12155550000", "12155550121"},
		{"calling party's category", tn.NANP, "2155550121;cpc=ordinary;x=9", "12155550121"},
		{"extension", tn.NANP, "+12155550121;ext=1234", "12155550121"},
		{"ISDN subaddress", tn.NANP, "+12155550121;isub=99", "12155550121"},
		{"verstat", tn.NANP, "+12155550121;verstat=TN-Validation-Passed", "12155550121"},
		{"trunk group", tn.NANP, "2155550121;tgrp=tg55;trunk-context=+1-215", "12155550121"},
		{"context of this country", tn.NANP, "2155550121;phone-context=+1", "12155550121"},
		{"context of this country, spelt out", tn.NANP, "2155550121;Phone-Context=%2B1-215", "12155550121"},
		{"context that is a domain", tn.NANP, "2155550121;phone-context=example.com", "12155550121"},
		{"context of an international number", tn.NANP, "+442079460000;phone-context=+44", "442079460000"},

		{"Britain, national", britain, "020 7946 0000", "442079460000"},
		{"Britain, abroad", britain, "00 1 215 555 0121", "12155550121"},
		{"Britain, canonical", britain, "442079460000", "442079460000"},
		{"Britain, without prefix", britain, "2079460000", "2079460000"},
		{"Britain, short code", britain, "999", "999"},
		{"Britain, too short", britain, "0123", "0123"},
		{"Denmark, national", denmark, "32 12 34 56", "4532123456"},
		{"Denmark, canonical", denmark, "4532123456", "4532123456"},
		{"Russia, national", russia, "8 495 123-45-67", "74951234567"},
		{"Russia, abroad", russia, "8 10 81 3 1234 5678", "81312345678"},

		{"no policy, national", tn.Plan{}, "(215) 555-0121", "2155550121"},
		{"no policy, international", tn.Plan{}, "+1 215 555 0121", "12155550121"},
		{"no policy, abroad", tn.Plan{}, "011442079460000", "011442079460000"},
		{"no policy, context", tn.Plan{}, "5550121;phone-context=+44", "5550121"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			n, err := test.plan.Number(test.text)
			if err != nil || n.String() != test.want {
				t.Errorf("Number(%q) = %q, %v, want %q", test.text, n, err, test.want)
			}
		})
	}
}

func TestPlanNumber_Bad(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "separators": " ()-.", "plus": "+", "plus and separators": "+ ()", "two pluses": "++1215", "plus inside": "1+215",
		"plus behind zeros": "00+44", "no country code": "+0215", "plus and star": "+*67", "plus and hash": "+1#2",
		"vanity": "1-800-FLOWERS", "hexadecimal filler": "2155550121F", "full-width digits": "\uff12\uff11\uff155550121", "Arabic digits": "٢١٥",
		"no-break space": "215\u00a05550121", "en dash": "215–5550121", "underscore": "215_555", "line break": "215\n5550121",
		"NUL": "215\x00", "percent": "%2B1215", "too long": "+1234567890123456", "too long with prefix": "011 1234567890123456",
		"national too long": "33" + strings.Repeat("1", 14), "endless": strings.Repeat("1", 1<<12), "endless separators": strings.Repeat("-", 1<<13),
		"zero in parentheses": "+44 (0)20 7946 0000", "parameters only": ";ext=12", "address": "2155550121@example.com",
		"scheme": "tel:2155550121", "foreign context": "2079460000;phone-context=+44", "context of no country": "5550121;npdi;phone-context=+",
	} {
		n, err := tn.NANP.Number(text)
		if !errors.Is(err, tn.ErrNotNumber) || !n.IsZero() {
			t.Errorf("%s: Number = %q, %v", name, n, err)
		}
	}
}

func TestPlan_Check(t *testing.T) {
	for name, plan := range map[string]tn.Plan{
		"zero": {}, "NANP": tn.NANP, "britain": britain, "denmark": denmark, "russia": russia, "prefix only": {InternationalPrefix: "00"},
	} {
		if err := plan.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, plan := range map[string]tn.Plan{
		"plus":                {CountryCode: "+1"},
		"zero first":          {CountryCode: "01"},
		"star":                {NationalPrefix: "*"},
		"letters":             {InternationalPrefix: "0ll"},
		"backwards":           {CountryCode: "1", NationalMin: 10, NationalMax: 9},
		"negative":            {CountryCode: "1", NationalMin: -1, NationalMax: 9},
		"longer than E.164":   {CountryCode: "44", NationalMin: 9, NationalMax: 14},
		"of no country":       {NationalMin: 9, NationalMax: 10},
		"lower bound, no top": {CountryCode: "1", NationalMin: 10},
	} {
		if err := plan.Check(); !errors.Is(err, tn.ErrNotNumber) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzPlanNumber holds that canonicalisation is idempotent (RFC 8224 §8.3): always for the international form, and for
// the bare text wherever the plan takes no bare number for a national one.
func FuzzPlanNumber(f *testing.F) {
	for _, seed := range []string{
		"+1 (215) 555-0121", "2155550121", "011 44 20 7946 0000", "+4722123456", "020 7946 0000", "*67", "#31#", "911",
		"2155550121;phone-context=+44", "8108131234567", "+44 (0)20", "00001", "1+1",
	} {
		f.Add(seed)
	}
	plans := []tn.Plan{{}, tn.NANP, britain, denmark, russia}
	f.Fuzz(func(t *testing.T, s string) {
		for _, plan := range plans {
			n, err := plan.Number(s)
			if err != nil {
				if !n.IsZero() || !errors.Is(err, tn.ErrNotNumber) {
					t.Fatalf("a refusal comes with %q and %v", n, err)
				}
				continue
			}
			text := n.String()
			if text == "" || len(text) > tn.NumberLengthMax || strings.Trim(text, "0123456789*#") != "" {
				t.Fatalf("%q is not canonical", text)
			}
			if text[0] != '0' && !strings.ContainsAny(text, "*#") {
				if again, err := plan.Number("+" + text); err != nil || again != n {
					t.Fatalf("Number(+%s) = %q, %v", text, again, err)
				}
			}
			if again, err := plan.Number(text); (err != nil || again != n) && !readsAsNational(plan, text) {
				t.Fatalf("%+v: Number(%s) = %q, %v", plan, text, again, err)
			}
		}
	})
}

// readsAsNational reports whether a plan cannot tell a canonical number from a national or a dialled one.
func readsAsNational(plan tn.Plan, text string) bool {
	switch plan {
	case tn.NANP:
		return len(text) == 10
	case denmark:
		return len(text) == 8
	case russia:
		return text[0] == '8'
	}
	return false
}
