package tn_test

import (
	"errors"
	"testing"

	"github.com/viaduct-oob/viaduct/tn"
)

func TestReadAddress(t *testing.T) {
	for _, c := range []struct {
		text, digits  string
		global, phone bool
	}{
		{"sip:+12155550121@example.com", "12155550121", true, true},
		{`"A" <sip:%2B1-215-555-0121;npdi@example.com;user=phone>;tag=1`, "12155550121", true, true},
		{"sip:2155550121@example.com", "2155550121", false, false},
		{"sip:2155550121@example.com;user=phone", "2155550121", false, true},
		{"tel:555-0121;phone-context=+1215", "5550121", false, true},
		{"2155550121;ext=5", "2155550121", false, true},
		{"sip:*67@example.com", "*67", false, false},
		{"sip:alice@example.com", "", false, false},
		{"sip:alice@example.com;user=phone", "", false, true},
		{"sip:+alice@example.com", "", false, true},
		{"sip:()@example.com;user=phone", "", false, true},
		{"sip:example.com", "", false, false},
		{"urn:service:sos", "", false, false},
		{"sip:12345678901234567890@example.com", "12345678901234567890", false, false}, // too long for a Number
	} {
		a, err := tn.ReadAddress(c.text)
		if err != nil || a.Digits != c.digits || a.Global != c.global || a.Phone != c.phone {
			t.Errorf("ReadAddress(%q) = %+v, %v", c.text, a, err)
		}
	}
	for _, text := range []string{"", "tel:", "tel:alice", "tel:()", "alice", "<sip:a@b", "sip:@b", "sip:a@b@c", "sip:a@b;x,y", "+0215"} {
		if a, err := tn.ReadAddress(text); !errors.Is(err, tn.ErrNotIdentity) || a != (tn.Address{}) {
			t.Errorf("ReadAddress(%q) = %+v, %v", text, a, err)
		}
	}
}

func TestAddress_Parameter(t *testing.T) {
	for _, c := range []struct {
		text, name, value string
		ok                bool
	}{
		{"sip:+12155550121;tgrp=TG%2D1;trunk-context=example.com@gw;transport=tcp", "tgrp", "TG-1", true},
		{"sip:+12155550121;tgrp=TG-1;Trunk-Context=example.com@gw", "trunk-context", "example.com", true},
		{"sip:+12155550121;tgrp=a@gw;tgrp=b", "tgrp", "a", true},
		{"sip:alice;tgrp=a@gw", "tgrp", "a", true},
		{"sip:gw.example.com;otg=7", "otg", "7", true},
		{"<sip:alice@gw;cause=302?Reason=x;cause=9>;index=1", "cause", "302", true},
		{"sip:alice@gw?Reason=x;cause=9", "cause", "", false},
		{"tel:5550121;npdi", "npdi", "", true},
		{"tel:5550121;phone-context=%zz", "phone-context", "", false},
		{"tel:5550121", "ext", "", false},
	} {
		a, err := tn.ReadAddress(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if value, ok := a.Parameter(c.name); value != c.value || ok != c.ok {
			t.Errorf("%s of %q = %q, %v", c.name, c.text, value, ok)
		}
	}
}
