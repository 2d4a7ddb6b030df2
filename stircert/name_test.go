package stircert_test

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/stircert"
)

// The issuer of the STI-PA's CRL as the network writes it, and another one that some certificates name.
const (
	crlIssuerFromBelow = "3056311430120603550407 0c0b4272696467657761746572 310b300906035504080c024e4a 3113301106035504030c0a5354492d50412043524c 310b3009060355040613025553 310f300d060355040a0c065354492d5041"
	crlIssuerPrintable = "3056311430120603550407 130b4272696467657761746572 310b300906035504081302 4e4a 311330110603550403130a5354492d50412043524c 310b3009060355040613025553 310f300d060355040a13065354492d5041"
	crlIssuerFromAbove = "3056310b3009060355040613025553 310b300906035504080c024e4a 3114301206035504070c0b4272696467657761746572 310f300d060355040a0c065354492d5041 3113301106035504030c0a5354492d50412043524c"
	crlIssuerOther     = "3033310b3009060355040613025553 310f300d060355040a0c065354492d5041 3113301106035504030c0a5354492d50412043524c"
)

func TestRFC5280_S7_1_NamesCompareWhateverTheirEncoding(t *testing.T) {
	cn := func(value string) string { // one CN: type 2.5.4.3 and the value in hexadecimal, with its tag and length
		der := unhex(t, "0603550403"+value)
		return string(wrap(0x30, wrap(0x31, wrap(0x30, der))))
	}
	whole := func(text string) string { return string(unhex(t, text)) }
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"UTF8String and PrintableString", whole(crlIssuerFromBelow), whole(crlIssuerPrintable), true},
		{"from the locality up and from the country down", whole(crlIssuerFromBelow), whole(crlIssuerFromAbove), true},
		{"with and without a locality", whole(crlIssuerFromBelow), whole(crlIssuerOther), false},
		{"other case", cn("0c036f6e65"), cn("0c034f4e45"), true},
		{"other case beyond ASCII", cn("0c04c3a4c3b6"), cn("0c04c384c396"), true},
		{"space around", cn("0c036f6e65"), cn("0c05206f6e6520"), true},
		{"spaces inside", cn("0c056f6e652032"), cn("0c076f6e6520202032"), true},
		{"no space inside", cn("0c056f6e652032"), cn("0c046f6e6532"), false},
		{"BMPString", cn("0c036f6e65"), cn("1e06006f006e0065"), true},
		{"UniversalString", cn("0c036f6e65"), cn("1c0c0000006f0000006e00000065"), true},
		{"T61String in Latin-1", cn("0c02c3a4"), cn("1401e4"), true},
		{"IA5String", cn("0c036f6e65"), cn("16036f6e65"), true},
		{"NumericString", cn("0c03313233"), cn("1203313233"), true},
		{"VisibleString", cn("0c036f6e65"), cn("1a036f6e65"), true},
		{"another value", cn("0c036f6e65"), cn("0c0374776f"), false},
		{"bytes of no string type", cn("04036f6e65"), cn("0c036f6e65"), false},
		{"a value that looks like two attributes", cn("0c0d61222c322e352e342e333d2262"), cn("0c0161"), false},
	} {
		a, errA := stircert.NameKey([]byte(c.a))
		b, errB := stircert.NameKey([]byte(c.b))
		if errA != nil || errB != nil || (a == b) != c.same {
			t.Errorf("%s: %q and %q, %v, %v; the same: want %v", c.name, a, b, errA, errB, c.same)
		}
	}
}

// wrap is DER of up to 255 bytes.
func wrap(tag byte, body []byte) []byte {
	if len(body) < 128 {
		return append([]byte{tag, byte(len(body))}, body...)
	}
	return append([]byte{tag, 0x81, byte(len(body))}, body...)
}

func TestRFC5280_S7_1_MultivaluedNamesAreNotSeveral(t *testing.T) {
	one := pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "a"}}
	two := pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "b"}}
	key := func(sequence pkix.RDNSequence) string {
		der, err := asn1.Marshal(sequence)
		if err != nil {
			t.Fatal(err)
		}
		key, err := stircert.NameKey(der)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	apart := key(pkix.RDNSequence{one, two})
	together := key(pkix.RDNSequence{append(one[:1:1], two...)})
	if apart == together || apart != key(pkix.RDNSequence{two, one}) {
		t.Errorf("apart %q, together %q", apart, together)
	}
}

func TestNameKey_Refused(t *testing.T) {
	many := bytes.Repeat(unhex(t, "3108300606035504031300"), stircert.NameAttributesMax+1)
	for _, c := range []struct {
		name string
		der  []byte
	}{
		{"nothing", nil},
		{"an empty name", unhex(t, "3000")},
		{"a SET", unhex(t, "3100")},
		{"bytes after it", append(unhex(t, crlIssuerOther), 0)},
		{"cut short", unhex(t, crlIssuerOther)[:20]},
		{"an empty relative name", unhex(t, "30023100")},
		{"an attribute without a value", unhex(t, "3009310730050603550403")},
		{"an attribute with two values", unhex(t, "300d310b30090603550403 0c00 0c00")},
		{"UTF8String that is not", unhex(t, "300c310a30080603550403 0c01ff")},
		{"PrintableString beyond ASCII", unhex(t, "300c310a30080603550403 1301e4")},
		{"BMPString of half a character", unhex(t, "300c310a30080603550403 1e0141")},
		{"BMPString with a surrogate", unhex(t, "300d310b30090603550403 1e02d800")},
		{"UniversalString beyond Unicode", unhex(t, "300f310d300b0603550403 1c0400110000")},
		{"33 attributes", append([]byte{0x30, 0x82, byte(len(many) >> 8), byte(len(many))}, many...)},
		{"more than 4096 bytes", make([]byte, stircert.NameBytesMax+1)},
	} {
		if key, err := stircert.NameKey(c.der); !errors.Is(err, stircert.BadName) || key != "" {
			t.Errorf("%s: %q, %v", c.name, key, err)
		}
	}
}

// FuzzNameKey: an error is a BadName without a key. The key is printable, and survives that the name is written in upper
// case or with its relative names in another order.
func FuzzNameKey(f *testing.F) {
	for _, seed := range []string{crlIssuerFromBelow, crlIssuerPrintable, crlIssuerFromAbove, crlIssuerOther} {
		if _, err := stircert.NameKey(unhex(f, seed)); err != nil {
			f.Errorf("seed: %v", err)
		}
		f.Add(unhex(f, seed))
	}
	f.Add(unhex(f, "30023100"))
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := stircert.NameKey(der)
		if err != nil {
			if !errors.Is(err, stircert.BadName) || key != "" {
				t.Fatalf("%q, %v", key, err)
			}
			return
		}
		if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' }) {
			t.Fatalf("key %q", key)
		}
		var sequence []asn1.RawValue
		if _, err := asn1.Unmarshal(der, &sequence); err != nil {
			t.Fatalf("encoding/asn1: %v", err)
		}
		for i, j := 0, len(sequence)-1; i < j; i, j = i+1, j-1 {
			sequence[i], sequence[j] = sequence[j], sequence[i]
		}
		turned, err := asn1.Marshal(sequence)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := stircert.NameKey(turned); err != nil || again != key {
			t.Fatalf("turned: %q, %v; first %q", again, err, key)
		}
	})
}
