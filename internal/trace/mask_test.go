package trace_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// filling fills every field of a record, whatever will be added to it.
type filling struct {
	text  func(field string) string
	party tn.Identity
}

func (f filling) record(t testing.TB) *trace.Record {
	r := &trace.Record{}
	f.fill(t, "Record", reflect.ValueOf(r).Elem())
	return r
}

func (f filling) fill(t testing.TB, field string, v reflect.Value) {
	switch v.Interface().(type) {
	case tn.Identity:
		v.Set(reflect.ValueOf(f.party))
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 7, 1, 12, 0, 0, 987654321, time.UTC)))
		return
	case netip.AddrPort:
		v.Set(reflect.ValueOf(netip.MustParseAddrPort("[2001:db8::1]:5061")))
		return
	case []byte:
		v.SetBytes([]byte(f.text(field)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text(field))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-17)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			f.fill(t, field, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(t, v.Type().Field(i).Name, v.Field(i))
		}
	default:
		t.Fatalf("%s has a kind of field that this test does not know: %s", field, v.Type())
	}
}

func identity(t testing.TB, text string) tn.Identity {
	t.Helper()
	id, err := tn.ParseIdentity(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func viewJSON(t testing.TB, r *trace.Record, role trace.Role) string {
	t.Helper()
	text, err := json.Marshal(r.View(role))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMaskedShowsTheNumberOfNoField(t *testing.T) {
	const marker = "12155550123"
	identifiers := []string{"ID", "CallID", "OrigID", "X5U"}
	for _, c := range []struct {
		name, text, party string
		spared            []string // fields that do not get the text
		never             []string
	}{
		{"the party itself", marker, marker, nil, []string{"5550123", "0123"}},
		{"a party in its national form", "2155550123", marker, nil, []string{"5550123", "0123"}},
		{"within a text", "from <sip:+" + marker + "@h>;tag=1 and tel:+1-215-555-0123", marker, nil, []string{"5550123", "0123"}},
		{"a number that is no party", marker, "49891112222", identifiers, []string{"5550123", "0123"}},
		{"with visual separators", "+1 (215) 555-01.23", "49891112222", identifiers, []string{"01.23", "0123"}},
		{"a token", "x eyJhbGciOiJFUzI1NiJ9.eyJkZXN0Ijp7InRuIjpbIjEyMTU1NTUwMTIzIl19fQ.c2ln-_ y", marker, identifiers, []string{"eyJ", "MjE1NTU1MDEy"}},
		{"a URI", "sip:alice@atlanta.example", "sip:alice@atlanta.example", nil, []string{"alice"}},
		{"a URI without its scheme", "to alice@atlanta.example>", "sip:alice@atlanta.example", nil, []string{"alice"}},
		{"a number in a URI", "12155550123@a", "sip:12155550123@a", nil, []string{"0123"}},
		{"a short number", "to 78225", "78225", nil, []string{"78225", "225"}},
		{"digits of another script", "١٢١٥٥٥٥٠١٢٣", marker, identifiers, []string{"٠١٢٣"}},
		{"separators nobody sees", "1\u200b2155\u00ad550\u20110123", "49891112222", identifiers, []string{"0123"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := filling{party: identity(t, c.party), text: func(field string) string {
				for _, spared := range c.spared {
					if spared == field {
						return "spared"
					}
				}
				return c.text
			}}
			text := viewJSON(t, f.record(t), trace.Masked)
			for _, never := range c.never {
				if at := strings.Index(text, never); at >= 0 {
					t.Errorf("%q in …%s…", never, text[max(0, at-60):min(len(text), at+60)])
				}
			}
			if !strings.Contains(viewJSON(t, f.record(t), trace.Full), c.text[:5]) {
				t.Error("the full view shows it nowhere: this test shows nothing")
			}
		})
	}
}

func TestMaskedKeepsWhatIsOfUse(t *testing.T) {
	r := &trace.Record{
		ID: "7d444840-9dc0-11d1-b245-5ffdce74fad2", Began: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC),
		Peer: netip.MustParseAddrPort("192.0.2.200:5060"), CallID: "1767225600.48213@192.0.2.200", Trunk: "pstn-a",
		Orig: identity(t, "12155550123"), Dest: identity(t, "sip:bob@biloxi.example"), KeyDest: identity(t, "911"),
		OrigID: "123e4567-e89b-12d3-a456-426655440000", X5U: "https://cr.example/20260701/7654321.pem",
		IAT: time.Unix(1782907200, 0), Verstat: "TN-Validation-Passed", FailOpen: "peer-timeout",
		Publish: []trace.Attempt{{CPS: "https://cps-1.example:8443", Status: "ok"}},
		Steps:   []trace.Step{{Name: "key", Detail: "NAI 3, 10 digits 2155550123, read as +12155550123"}},
		Checks:  []oob.Check{{Name: "freshness", Section: "RFC 8224 §6.2", Outcome: oob.CheckPassed, Detail: "3 s old, at most 60 s"}},
	}
	v := r.View(trace.Masked)
	for _, c := range []struct{ name, got, want string }{
		{"caller", v.Orig, "1215555xxxx"},
		{"called URI", v.Dest, "sip:xxxx@biloxi.example"},
		{"short number", v.KeyDest, "xxxx"},
		{"nobody", v.RedirectedFrom, ""},
		{"Call-ID", v.CallID, r.CallID},
		{"origid", v.OrigID, r.OrigID},
		{"certificate", v.X5U, r.X5U},
		{"peer", v.Peer.String(), "192.0.2.200:5060"},
		{"CPS", v.Publish[0].CPS, r.Publish[0].CPS},
		{"step", v.Steps[0].Detail, "NAI 3, 10 digits 215555xxxx, read as +1215555xxxx"},
		{"check", v.Checks[0].Detail, r.Checks[0].Detail},
		{"verstat", v.Verstat, r.Verstat},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
	if !v.Masked || r.Orig.String() != "12155550123" || r.Steps[0].Detail != "NAI 3, 10 digits 2155550123, read as +12155550123" {
		t.Error("the record itself was altered, or the view does not say that it is masked")
	}
	if masked := r.View(trace.Role(7)); !masked.Masked {
		t.Error("a role that is none sees everything")
	}
}

func TestNumbersInText(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"none", "no digits", "no digits"},
		{"few digits", "code 123456", "code 123456"},
		{"seven", "5550123", "555xxxx"},
		{"two numbers", "12155550123,12155550131", "1215555xxxx,1215555xxxx"},
		{"separators stay", "+1 (215) 555-0123 x", "+1 (21x) xxx-xxxx x"},
		{"digits behind it", "12155550123 486 5550123", "121xxxxxxxx xxx xxxxxxx"},
		{"at the end", "to +12155550123", "to +1215555xxxx"},
		{"broken text", "\xff12155550123\xfe", "\xff1215555xxxx\xfe"},
		{"an address", "192.0.2.200", "192.x.x.xxx"}, // it could be a number as well
		{"token", "got eyJhbGciOiJ9.e30.x-_9, good", "got (token), good"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := trace.MaskNumbers(c.text); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// FuzzMask: whatever stands around it, a number in one piece does not show its last four digits, and no other character
// is altered.
func FuzzMask(f *testing.F) {
	for _, seed := range []string{"", "12155550123", "+1 (215) 555-0123", "a1b2c3", "12155550123 486", "1\u200b2345\u00ad678", "\xff1234567\xfe"} {
		f.Add(seed)
	}
	number := regexp.MustCompile(`[0-9]{7,}`)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "eyJ") || !utf8.ValidString(text) {
			return
		}
		got := []rune(trace.MaskNumbers(text))
		if len(got) != utf8.RuneCountInString(text) {
			t.Fatalf("%d characters of %d", len(got), utf8.RuneCountInString(text))
		}
		for _, at := range number.FindAllStringIndex(text, -1) {
			if end := utf8.RuneCountInString(text[:at[1]]); string(got[end-4:end]) != "xxxx" {
				t.Errorf("%q shows the end of a number", string(got))
			}
		}
		for i, c := range []rune(text) {
			if got[i] != c && (got[i] != 'x' || !unicode.IsDigit(c)) {
				t.Errorf("%q: character %d was altered", string(got), i)
			}
		}
	})
}

// The name of a document reads as a number, and is none.
func TestMaskedLeavesTheNamesOfDocuments(t *testing.T) {
	for section, want := range map[string]string{
		"ATIS-1000082": "ATIS-1000082", "ATIS-1000096 §7": "ATIS-1000096 §7", "RFC 8224 §6.2": "RFC 8224 §6.2", "ATIS" + "-2155550123": "ATIS" + "-215555xxxx",
	} {
		v := (&trace.Record{Checks: []oob.Check{{Name: "a", Section: section}}}).View(trace.Masked)
		if got := v.Checks[0].Section; got != want {
			t.Errorf("%s is shown as %s, want %s", section, got, want)
		}
	}
}
