package tn_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/tn"
)

// number makes a number that the test knows to be canonical.
func number(tb testing.TB, s string) tn.Number {
	tb.Helper()
	n, err := tn.ParseNumber(s)
	if err != nil {
		tb.Fatalf("ParseNumber(%q): %v", s, err)
	}
	return n
}

func TestRFC8224_S8_3_CanonicalFormOnly(t *testing.T) {
	for _, good := range []string{"1", "911", "*67", "#31#", "0", "12155550121", "123456789012345"} {
		if n, err := tn.ParseNumber(good); err != nil || n.String() != good || n.IsZero() {
			t.Errorf("ParseNumber(%q) = %v, %v", good, n, err)
		}
	}
	for name, bad := range map[string]string{
		"empty": "", "plus": "+12155550121", "separator": "1-215", "space": " 1", "letter": "1800FLOWERS",
		"other digits": "１２", "NUL": "1\x00", "sixteen characters": "1234567890123456", "decimal": "1.2",
	} {
		n, err := tn.ParseNumber(bad)
		if !errors.Is(err, tn.ErrNotNumber) || !n.IsZero() {
			t.Errorf("%s: ParseNumber = %q, %v", name, n, err)
		}
	}
}

func TestNumber_ErrorsDoNotRepeatTheNumber(t *testing.T) {
	const secret = "2155550121"
	_, err1 := tn.ParseNumber("+" + secret)
	_, err2 := tn.NANP.Number("x" + secret)
	_, err3 := tn.NANP.Identity("tel:x" + secret)
	_, err4 := tn.ParseIdentity("sip:" + secret + "@#")
	_, err5 := tn.ParseRange(secret + "-" + secret + "0")
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if err == nil || strings.Contains(err.Error(), secret[:4]) {
			t.Errorf("error %d is %v", i+1, err)
		}
	}
}

func TestText_NumbersRangesIdentities(t *testing.T) {
	type list struct {
		Number   tn.Number
		Range    tn.Range
		Block    tn.Range
		Party    tn.Identity
		URI      tn.Identity
		Nobody   tn.Identity
		ByNumber map[tn.Number]int
	}
	const text = `{"Number":"12155550121","Range":"911","Block":"12155550100-12155550199","Party":"*67",` +
		`"URI":"urn:service:sos","Nobody":"","ByNumber":{"12155550121":1}}`
	var l list
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(l); err != nil || string(again) != text {
		t.Errorf("Marshal = %s, %v", again, err)
	}
	if !l.Nobody.IsZero() || !l.URI.IsURI() || l.Block.Count() != 100 {
		t.Errorf("Unmarshal = %+v", l)
	}
	for _, bad := range []string{`{"Number":""}`, `{"Number":"+1"}`, `{"Range":""}`, `{"Range":"1-22"}`, `{"Party":"alice"}`} {
		l := list{Number: number(t, "1"), Party: tn.Of(number(t, "1"))}
		if err := json.Unmarshal([]byte(bad), &l); err == nil {
			t.Errorf("%s is accepted: %+v", bad, l)
		}
	}
	n := number(t, "1")
	if err := n.UnmarshalText([]byte("x")); err == nil || !n.IsZero() {
		t.Errorf("a refused text leaves %q", n)
	}
}
