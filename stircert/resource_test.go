package stircert_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// goodResources and badResources are also the seeds of FuzzParseResource.
var (
	goodResources = []string{
		"0-567A", "1-19035550100-50", "2-12015550199", // RFC 9888 §4
		"0-567a", "0-a-b", "0--", "2-1", "2-*67", "2-#31#", "1-0-10", "1-12155550000-10000", "1-999999999999990-10", "1-12155550100-1000000000",
	}
	badResources = []string{
		"", "0", "0-", "1-", "2-", "3-567A", "567A", "-567A", "00-567A", "0 -567A", " 0-567A", "0-567 A", "0-\x00", "0-ä", "0-" + strings.Repeat("5", 33),
		"1-19035550100", "1-19035550100-", "1-19035550100-0", "1-19035550100-1", "1-19035550100-050", "1-19035550100-+5", "1-19035550100-50-50",
		"1-19035550100--5", "1-*67-2", "1-19035550199-99999999999", "1-12155550100-12155550199", "1-2155550100-2155550199", "1-12155550100-1000000001", "1-1-18446744073709551616", "1-1-18446744073709551615", "1-+19035550100-50",
		"2-+12015550199", "2-12015550199-1", "2-1201555019912015", "2-a", "2-1 2", "2-١",
	}
)

// TestRFC9888_S4_Resources: one text for each, and a way back.
func TestRFC9888_S4_Resources(t *testing.T) {
	for _, text := range goodResources {
		r, err := stircert.ParseResource(text)
		if err != nil || r.String() != text || r.IsZero() || (r.SPC() == "") == r.Numbers().IsZero() {
			t.Errorf("%q: %q, %v", text, r, err)
		}
		var again stircert.Resource
		if marshalled, err := r.MarshalText(); err != nil || again.UnmarshalText(marshalled) != nil || again != r {
			t.Errorf("%q: %q", text, again)
		}
	}
	for _, text := range badResources {
		if r, err := stircert.ParseResource(text); !errors.Is(err, stircert.ErrResource) || !r.IsZero() {
			t.Errorf("%q: %q, %v", text, r, err)
		}
	}
	var none stircert.Resource
	if err := none.UnmarshalText(nil); err != nil || none.String() != "" || !none.IsZero() {
		t.Errorf("none: %q, %v", none, err)
	}
}

// TestRFC9888_S4_CoveredResources: what is advertised or subscribed to lies within the certificate.
func TestRFC9888_S4_CoveredResources(t *testing.T) {
	data, err := stircert.ParseNumberData(strings.NewReader("567A,19035550000,1000\n890C,19035552000,1000\n"))
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := tn.ParseRange("12015550100-12015550199")
	if err != nil {
		t.Fatal(err)
	}
	list := stircert.TNAuthList{SPCs: []string{"567A"}, Ranges: []tn.Range{numbers}}
	for _, c := range []struct {
		resource string
		data     *stircert.NumberData
		want     bool
	}{
		{"0-567A", nil, true},
		{"0-567a", nil, false},
		{"0-890C", data, false},
		{"2-12015550150", nil, true},
		{"2-12015550200", data, false},
		{"1-12015550100-100", nil, true},
		{"1-12015550100-101", nil, false},
		{"1-12015550199-2", nil, false},
		{"2-19035550123", nil, false}, // nobody says whose it is
		{"2-19035550123", data, true},
		{"1-19035550000-1000", data, true},
		{"1-19035550000-1001", data, false},
		{"2-19035552000", data, false},
		{"1-10000000000-1000000000", data, false}, // a greedy one
		{"2-*67", data, false},
	} {
		r, err := stircert.ParseResource(c.resource)
		if err != nil {
			t.Fatal(err)
		}
		if got := list.CoversResource(r, c.data); got != c.want {
			t.Errorf("%s: %t, with data %t", c.resource, got, c.data != nil)
		}
	}
	if list.CoversResource(stircert.Resource{}, data) || (stircert.TNAuthList{}).CoversResource(stircert.ResourceOf(numbers), data) {
		t.Error("nothing is covered, or covers")
	}
}

// FuzzParseResource: a text that is read is the one that is written.
func FuzzParseResource(f *testing.F) {
	for _, text := range append(goodResources, badResources...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := stircert.ParseResource(text)
		if err != nil {
			if !r.IsZero() || !errors.Is(err, stircert.ErrResource) {
				t.Fatalf("%q, %v", r, err)
			}
			return
		}
		if r.String() != text {
			t.Fatalf("%q read as %q", text, r)
		}
	})
}
