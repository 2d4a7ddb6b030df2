package identity_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/identity"
)

func TestRFC8224_S4_FieldNames(t *testing.T) {
	want := identity.Header{Token: "a.b.c", Info: "https://cert.example.org/c", PPT: "shaken"}
	value := "a.b.c;info=<https://cert.example.org/c>;ppt=shaken"
	for _, line := range []string{
		"Identity: " + value, "identity:" + value, "IDENTITY \t:  " + value + "\r\n", "y: " + value, "Y:" + value,
		"Identity:\r\n " + value, "y :\r\n\t" + strings.ReplaceAll(value, ";", "\r\n ;") + "\r\n", value,
	} {
		if h, err := identity.ParseField(line); err != nil || !reflect.DeepEqual(h, want) {
			t.Errorf("ParseField(%q) = %+v, %v", line, h, err)
		}
	}
	for _, line := range []string{"Identity-Info: " + value, "x: " + value, "Identity", "Identity:", ": " + value, "Identity: y: " + value} {
		h, err := identity.ParseField(line)
		if line == "Identity" { // a bare word is a token by its characters; that it is no PASSporT is not seen here
			if err != nil || h.Token != "Identity" {
				t.Errorf("ParseField(%q) = %+v, %v", line, h, err)
			}
			continue
		}
		if err == nil || !reflect.DeepEqual(h, identity.Header{}) {
			t.Errorf("ParseField(%q) = %+v, %v", line, h, err)
		}
	}
}

func TestSplit_OnlyWhereAPassportFollows(t *testing.T) {
	tests := []struct {
		name, value string
		want        []string
	}{
		{"one", "a.b.c;info=<u>", []string{"a.b.c;info=<u>"}},
		{"empty", "", []string{""}},
		{"two", "a.b.c;info=<u>,d.e.f;info=<v>", []string{"a.b.c;info=<u>", "d.e.f;info=<v>"}},
		{"two with spaces", "a.b.c;ppt=div , \r\n d.e.f ;ppt=shaken", []string{"a.b.c;ppt=div ", " \r\n d.e.f ;ppt=shaken"}},
		{"three bare", "a.b.c,d.e.f,..g", []string{"a.b.c", "d.e.f", "..g"}},
		{"comma in brackets", "a.b.c;info=<https://h/x,d.e.f>", []string{"a.b.c;info=<https://h/x,d.e.f>"}},
		{"comma in quotes", `a.b.c;x="\",d.e.f;"`, []string{`a.b.c;x="\",d.e.f;"`}},
		{"comma in a bare URI", "a.b.c;info=https://h/x,y", []string{"a.b.c;info=https://h/x,y"}},
		{"trailing comma", "a.b.c,", []string{"a.b.c,"}},
		{"what follows is no PASSporT", "a.b.c,d.e", []string{"a.b.c,d.e"}},
		{"brackets not closed", "a.b.c;info=<u,d.e.f", []string{"a.b.c;info=<u,d.e.f"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := identity.Split(test.value); !slices.Equal(got, test.want) {
				t.Errorf("Split(%q) = %q, want %q", test.value, got, test.want)
			}
		})
	}
}

func TestRFC8224_S6_2_ABadHeaderHidesNoGoodOne(t *testing.T) {
	var values []string
	var want []string
	for i, p := range passports(t)[:6] {
		value := forms[i].write(p.token, p.x5u, "shaken")
		values = append(values, value)
		want = append(want, p.token)
	}
	values = []string{values[0], "not a token", values[1] + "," + values[2], "", values[3] + ", " + values[4], values[5]}
	headers, errs := identity.ParseAll(values)
	var got []string
	for _, h := range headers {
		got = append(got, h.Token)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d headers in another order or number", len(got))
	}
	if len(errs) != 2 || !errors.Is(errs[0], identity.ErrTokenCharacters) || !errors.Is(errs[1], identity.ErrNoToken) {
		t.Errorf("errors are %v", errs)
	}
	if headers, errs := identity.ParseAll(nil); headers != nil || errs != nil {
		t.Errorf("of nothing: %v, %v", headers, errs)
	}
}

func TestParseAll_StopsAtHeadersMax(t *testing.T) {
	joined := strings.Repeat("a.b.c,", identity.HeadersMax-1) + "a.b.c"
	headers, errs := identity.ParseAll([]string{joined})
	if len(headers) != identity.HeadersMax || errs != nil {
		t.Errorf("%d headers, errors %v", len(headers), errs)
	}
	headers, errs = identity.ParseAll([]string{joined, "d.e.f"})
	if len(headers) != identity.HeadersMax || len(errs) != 1 || !errors.Is(errs[0], identity.ErrTooMany) {
		t.Errorf("%d headers, errors %v", len(headers), errs)
	}
}

// FuzzSplit holds that nothing is lost but the commas, and that a header joined to another is read as alone.
func FuzzSplit(f *testing.F) {
	f.Add("a.b.c;info=<u>,d.e.f;info=<v>")
	f.Add(`a.b.c;x="\",d.e.f;"`)
	f.Add("a.b.c;info=https://h/x,y")
	f.Add("..;o=,d.e.f;infb.o=<v>")
	f.Fuzz(func(t *testing.T, value string) {
		if joined := strings.Join(identity.Split(value), ","); joined != value {
			t.Fatalf("Split and join of %q give %q", value, joined)
		}
		h, err := identity.Parse(value)
		if err != nil || strings.Count(h.Token, ".") != 2 {
			return
		}
		text := h.String()
		headers, errs := identity.ParseAll([]string{text + "," + text})
		if len(errs) != 0 || len(headers) != 2 || !reflect.DeepEqual(headers[0], h) || !reflect.DeepEqual(headers[1], h) {
			t.Fatalf("joined with itself, %q gives %+v, %v", text, headers, errs)
		}
	})
}
