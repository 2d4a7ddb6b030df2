package tn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/tn"
)

func TestRFC8224_S8_1_PartiesAsSignallingNamesThem(t *testing.T) {
	const caller = "12155550121"
	tests := []struct{ name, text, want string }{
		{"tel", "tel:+12155550121", caller},
		{"tel, ported", "tel:+12155550121;npdi;rn=+12155550000", caller},
		{"tel with separators", "TEL:+1-(215)-555.0121", caller},
		{"tel, local", "tel:2155550121;phone-context=+1", caller},
		{"tel, emergency", "tel:911", "911"},
		{"tel, escaped hash", "tel:%2331%23", "#31#"},
		{"sip, user=phone", "sip:+12155550121;cpc=ordinary@h;user=phone", caller},
		{"sip, user=phone without plus", "sip:1-215-555-0121@example.com;transport=tcp;User=Phone", caller},
		{"sip, plus", "sip:+12155550121@example.com", caller},
		{"sip, plus escaped", "sip:%2b12155550121@example.com", caller},
		{"sip, plus and separators", "sip:+1(215)555-0121@example.com", caller},
		{"sip, digits", "sip:2155550121@192.0.2.1:5060", caller},
		{"sips, digits", "sips:12155550121@[2001:db8::1]:5061;transport=tls", caller},
		{"sip, service code", "sip:*67@example.com", "*67"},
		{"sip, bare hash", "sip:#31#@example.com", "#31#"},
		{"sip, trunk group", "sip:+12155550121;tgrp=tg55;trunk-context=tdm.example.com@example.com", caller},
		{"sip, ported", "sip:+12155550121;npdi;rn=+12155550000@example.com;user=phone", caller},
		{"sip, verstat", "sip:+12155550121;verstat=TN-Validation-Passed@example.com;user=phone", caller},
		{"sip, password", "sip:+12155550121:secret@example.com", caller},
		{"bare", "2155550121", caller},
		{"bare, international", "+1 215 555 0121", caller},
		{"bare with a colon in a parameter", "+12155550121;x=a:b", caller},
		{"name-addr", `"Alice" <sip:+12155550121@example.com;user=phone>;tag=x`, caller},
		{"name-addr, escapes", `"A \"<sip:1@x>\" \\" <tel:+12155550121>`, caller},
		{"name-addr, unquoted", "Alice Smith  < sip:2155550121@example.com > ; tag=88sja8x", caller},
		{"name-addr, no name", "<tel:+12155550121;npdi>", caller},
		{"name-addr, not ASCII", `"Алиса" <tel:+12155550121>`, caller},
		{"addr-spec with header parameter", "sip:+12155550121@example.com;tag=x", caller},

		{"alice", "sip:Alice@Example.com:5060;transport=tcp", "sip:alice@example.com"},
		{"alice in name-addr", `"Alice" <SIP:alice@example.com>;tag=x`, "sip:alice@example.com"},
		{"separators without user=phone", "sip:215-555-0121@example.com", "sip:215-555-0121@example.com"},
		{"vanity number", "sip:1800FLOWERS@example.com;user=phone", "sip:1800flowers@example.com"},
		{"not E.164: too long", "sip:+1234567890123456@example.com;user=phone", "sip:+1234567890123456@example.com"},
		{"not E.164: foreign context", "sip:2079460000;phone-context=+44@example.com;user=phone", "sip:2079460000;phone-context=+44@example.com"},
		{"encoded semicolon begins no parameter", "sip:215%3B5@example.com;user=phone", "sip:215%3B5@example.com"},
		{"user=phone among headers", "sip:215-5@example.com?a;user=phone", "sip:215-5@example.com"},
		{"user=phone behind the brackets", "<sip:215-5@example.com>;user=phone", "sip:215-5@example.com"},
		{"digits as a host", "sip:911", "sip:911"},
		{"anonymous", `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1`, "sip:anonymous@anonymous.invalid"},
		{"emergency service", "urn:service:sos", "urn:service:sos"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			id, err := tn.NANP.Identity(test.text)
			if err != nil || id.String() != test.want {
				t.Fatalf("Identity(%q) = %q, %v, want %q", test.text, id, err, test.want)
			}
			if id.IsURI() != strings.Contains(test.want, ":") {
				t.Errorf("%q is on the wrong side of number and URI", id)
			}
		})
	}
}

func TestPlanIdentity_Bad(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "brackets": "<>", "name only": `"Alice"`, "name not closed": `"Alice <tel:911>`, "not closed": "<tel:911",
		"tel with letters": "tel:1-800-FLOWERS", "tel of nothing": "tel:", "tel of parameters": "tel:;ext=1", "tel, broken escape": "tel:%2",
		"tel, not E.164": "tel:+1234567890123456", "tel, foreign context": "tel:2079460000;phone-context=+44",
		"two values": "<sip:a@h>, <tel:+12155550121>", "two values after parameters": "<sip:a@h>;x=y, <tel:911>",
		"two addresses": "<sip:a@h> <tel:911>", "brackets in an unquoted name": `a "<tel:911>" <tel:112>`, "two bare values": "sip:a@h,tel:911",
		"two bare values after parameters": "sip:a@h;x=y,tel:911", "text behind": "<tel:911> x", "address without scheme": "alice@example.com",
		"letters": "alice", "phone without host": "sip:+12155550121@", "host that is a number": "sip:+12155550121", "line break": "tel:911\r\nVia: x",
		"too long": `"` + strings.Repeat("a", 1<<12) + `" <tel:911>`,
	} {
		id, err := tn.NANP.Identity(text)
		if !errors.Is(err, tn.ErrNotIdentity) || !id.IsZero() {
			t.Errorf("%s: Identity = %q, %v", name, id, err)
		}
	}
}

// FuzzPlanIdentity holds that a URI is not read otherwise once it is in normal form, and that brackets change nothing.
func FuzzPlanIdentity(f *testing.F) {
	for _, seed := range []string{
		"tel:+12155550121;npdi", "sip:+12155550121;cpc=ordinary@h;user=phone", `"Alice" <sip:alice@example.com>;tag=x`, "2155550121",
		"sip:%31:x@h", "sip:1;phone-context=+44@h", "urn:service:sos", "sip:1%3b2@h;user=phone",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := tn.NANP.Identity(s)
		if err != nil {
			if !id.IsZero() || !errors.Is(err, tn.ErrNotIdentity) {
				t.Fatalf("a refusal comes with %q and %v", id, err)
			}
			return
		}
		if parsed, err := tn.ParseIdentity(id.String()); err != nil || parsed != id {
			t.Fatalf("ParseIdentity(%q) = %q, %v", id, parsed, err)
		}
		if id.IsURI() {
			if again, err := tn.NANP.Identity(`"x" <` + id.String() + ">;tag=1"); err != nil || again != id {
				t.Fatalf("Identity(%q) = %q, %v", id, again, err)
			}
		}
	})
}

func BenchmarkIdentity(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tn.NANP.Identity(`"Alice" <sip:+12155550121;npdi@example.com;user=phone>;tag=x`); err != nil {
			b.Fatal(err)
		}
	}
}
