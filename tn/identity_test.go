package tn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/tn"
)

func TestRFC8224_S8_5_NormalFormOfURIs(t *testing.T) {
	tests := []struct{ name, uri, want string }{
		{"as it is", "sip:alice@example.com", "sip:alice@example.com"},
		{"case", "SIP:Alice@Example.COM", "sip:alice@example.com"},
		{"sips stays sips", "SIPS:alice@example.com", "sips:alice@example.com"},
		{"port", "sip:alice@example.com:5061", "sip:alice@example.com"},
		{"empty port", "sip:alice@example.com:", "sip:alice@example.com"},
		{"password", "sip:alice:s%20x@example.com", "sip:alice@example.com"},
		{"parameters", "sip:alice@example.com;transport=tcp;lr", "sip:alice@example.com"},
		{"headers", "sip:alice@example.com?Subject=x&Priority=urgent", "sip:alice@example.com"},
		{"everything", "sIp:%41lice:pw@EXAMPLE.com:5060;user=ip?a=b", "sip:alice@example.com"},
		{"unreserved decoded", "sip:%61%2Dl%5fi%7E@example.com", "sip:a-l_i~@example.com"},
		{"reserved kept, upper case", "sip:a%40b%2fc%25@example.com", "sip:a%40b%2Fc%25@example.com"},
		{"encoded percent is not decoded twice", "sip:a%2541@example.com", "sip:a%2541@example.com"},
		{"user parameters belong to the user", "sip:alice;x=Y@example.com", "sip:alice;x=y@example.com"},
		{"user with question mark", "sip:a?b/c@example.com", "sip:a?b/c@example.com"},
		{"no user", "sip:Example.com:5060;lr", "sip:example.com"},
		{"IPv4", "sip:alice@192.0.2.1:5060", "sip:alice@192.0.2.1"},
		{"IPv6", "sip:alice@[2001:DB8::1]:5060;lr", "sip:alice@[2001:db8::1]"},
		{"IPv6 without port", "sip:[2001:db8::1]", "sip:[2001:db8::1]"},
		{"anonymous", "sip:anonymous@anonymous.invalid", "sip:anonymous@anonymous.invalid"},
		{"emergency", "URN:service:sos.police", "urn:service:sos.police"},
		{"other schemes keep their case", "https://Example.com/A%2f?q", "https://Example.com/A%2f?q"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			id, err := tn.ParseURI(test.uri)
			if err != nil || id.String() != test.want || !id.IsURI() || id.IsZero() {
				t.Fatalf("ParseURI(%q) = %q, %v, want %q", test.uri, id, err, test.want)
			}
			if _, isNumber := id.Number(); isNumber {
				t.Error("a URI gives a number")
			}
			if again, err := tn.ParseIdentity(id.String()); err != nil || again != id {
				t.Errorf("ParseIdentity(%q) = %q, %v", id, again, err)
			}
		})
	}
}

func TestParseURI_Bad(t *testing.T) {
	for name, uri := range map[string]string{
		"empty": "", "number": "12155550121", "relative": "/a", "no scheme": ":a", "digit as scheme": "1a:b",
		"space in the scheme": "a b:c", "nothing behind the scheme": "urn:", "tel": "tel:+12155550121", "TEL": "TEL:911",
		"empty user": "sip:@example.com", "empty user with password": "sip::pw@example.com", "no host": "sip:alice@",
		"port only": "sip:alice@:5060", "two @": "sip:a@b@c", "@ in a parameter": "sip:a@b;x=y@c", "comma": "sip:a@b;x=y,z",
		"port not a number": "sip:a@b:5o60", "long port": "sip:a@b:506000", "space": "sip:a b@c", "tab": "sip:a\tb@c",
		"control": "sip:a@b\x00", "line break": "sip:a@b\r\nVia: x", "not ASCII": "sip:é@c", "host not ASCII": "sip:a@é",
		"half an escape": "sip:a%4@c", "escape of nothing": "sip:a%zz@c", "percent at the end": "urn:a%", "host escaped": "sip:a@%41",
		"IPv6 not closed": "sip:a@[::1", "IPv6 with text": "sip:a@[::1]x", "port glued to IPv6": "sip:a@[::1]5060",
		"IPv6 with letters": "sip:a@[::g]", "empty IPv6": "sip:a@[]", "bracket in the user": "sip:[a@b", "fragment": "urn:a#b",
		"angle brackets": "<sip:a@b>", "quote": `sip:"a"@b`, "too long": "urn:" + strings.Repeat("a", tn.URILengthMax),
		"far too long": "sip:a@b;" + strings.Repeat("x", 1<<16),
	} {
		id, err := tn.ParseURI(uri)
		if !errors.Is(err, tn.ErrNotIdentity) || id != (tn.Identity{}) {
			t.Errorf("%s: ParseURI = %q, %v", name, id, err)
		}
	}
	longest := "urn:" + strings.Repeat("a", tn.URILengthMax-len("urn:"))
	if id, err := tn.ParseURI(longest); err != nil || id.String() != longest {
		t.Errorf("the longest URI: %v", err)
	}
}

func TestATIS1000096_S7_ParseIdentityOfAPathSegment(t *testing.T) {
	n := number(t, "12155550121")
	id, err := tn.ParseIdentity("12155550121")
	if got, ok := id.Number(); err != nil || !ok || got != n || id != tn.Of(n) || id.IsURI() {
		t.Errorf("ParseIdentity = %q, %v", id, err)
	}
	if id, err := tn.ParseIdentity("sip:12155550121@example.com"); err != nil || !id.IsURI() || id == tn.Of(n) {
		t.Errorf("ParseIdentity = %q, %v", id, err)
	}
	for _, bad := range []string{"", "alice", "+12155550121", "1-2", "tel:12155550121", "alice@example.com", "sip:", "%2B1"} {
		if id, err := tn.ParseIdentity(bad); !errors.Is(err, tn.ErrNotIdentity) || !id.IsZero() {
			t.Errorf("ParseIdentity(%q) = %q, %v", bad, id, err)
		}
	}
	var nobody tn.Identity
	if _, ok := nobody.Number(); ok || !nobody.IsZero() || nobody.IsURI() || nobody != tn.Of(tn.Number{}) {
		t.Error("the zero Identity is somebody")
	}
}

// FuzzParseIdentity holds that what was read is in its normal form.
func FuzzParseIdentity(f *testing.F) {
	for _, seed := range []string{
		"12155550121", "*67", "sip:%41lice:pw@EXAMPLE.com:5060;user=ip?a=b", "sips:[2001:db8::1]:5061", "urn:service:sos",
		"sip:a%2541@x", "sip:a;b=c@x", "tel:911", "sip:a@b@c",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := tn.ParseIdentity(s)
		if err != nil {
			if !id.IsZero() || !errors.Is(err, tn.ErrNotIdentity) {
				t.Fatalf("a refusal comes with %q and %v", id, err)
			}
			return
		}
		if again, err := tn.ParseIdentity(id.String()); err != nil || again != id {
			t.Fatalf("ParseIdentity(%q) = %q, %v", id, again, err)
		}
		if len(id.String()) > tn.URILengthMax || strings.ContainsFunc(id.String(), func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("%q is not in normal form", id)
		}
	})
}
