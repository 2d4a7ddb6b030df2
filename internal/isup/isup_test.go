package isup_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/isup"
)

func e164(nature isup.Nature, digits string) isup.Number {
	return isup.Number{Nature: nature, Plan: 1, Digits: digits}
}

func at[T any](v T) *T { return &v }

// threeKHz is user service information for 3.1 kHz audio, µ-law: what a North American IAM carries.
var threeKHz = []byte{0x90, 0x90, 0xa2}

// cases are messages as exchanges send them.
var cases = []struct {
	name    string
	variant isup.Variant
	iam     isup.IAM
}{
	{"least ITU", isup.ITU, isup.IAM{Category: 10, Called: e164(isup.National, "9032469103")}},
	{"least ANSI", isup.ANSI, isup.IAM{Category: 10, UserService: threeKHz, Called: e164(isup.National, "9032469103")}},
	{"ITU call", isup.ITU, isup.IAM{
		NatureOfConnection: 0x10, Forward: 0x0160, Category: 10, Medium: 3,
		Called:     isup.Number{Nature: isup.International, Plan: 1, Digits: "442079460000F", Flag: true},
		Calling:    &isup.Number{Nature: isup.National, Plan: 1, Digits: "2155550121", Screening: isup.NetworkProvided},
		HopCounter: at(uint8(20)), UserService: threeKHz,
	}},
	{"restricted, odd digits", isup.ITU, isup.IAM{
		Category: 10, Called: e164(isup.Subscriber, "5550121"),
		Calling: &isup.Number{Nature: isup.International, Plan: 1, Digits: "4722123456123", Presentation: isup.PresentationRestricted, Screening: isup.UserVerified},
	}},
	{"ported, ANSI", isup.ANSI, isup.IAM{
		Forward: isup.NumberTranslated | 0x20, Category: 10, UserService: threeKHz,
		Called:       e164(isup.National, "2155550000"),
		Calling:      &isup.Number{Nature: isup.National, Plan: 1, Digits: "2013776051", Screening: isup.UserVerified},
		Generic:      []isup.Generic{{Type: isup.GenericPorted, Number: e164(isup.National, "9032469103")}},
		Jurisdiction: "201377",
		Charge:       at(e164(isup.National, "2013776000")),
		HopCounter:   at(uint8(0)),
	}},
	{"diverted twice", isup.ITU, isup.IAM{
		Category: 10, Medium: 3, Called: e164(isup.National, "9032469103"),
		OriginalCalled: &isup.Number{Nature: isup.National, Plan: 1, Digits: "8005551212"},
		Redirecting:    &isup.Number{Nature: isup.National, Plan: 1, Digits: "8005551213", Presentation: isup.PresentationRestricted},
		Redirection:    &isup.Redirection{Indicator: 3, OriginalReason: 1, Counter: 2, Reason: 15},
	}},
	{"caller without address", isup.ITU, isup.IAM{
		Category: 10, Called: e164(isup.National, "9032469103"), Calling: &isup.Number{Presentation: isup.PresentationUnavailable},
	}},
	{"ported, ITU", isup.ITU, isup.IAM{
		Category: 10, Called: e164(isup.RoutingNational, "0001"), CalledDirectory: at(e164(isup.National, "32123456")),
		Generic: []isup.Generic{{Type: isup.GenericAdditionalCalling, Number: e164(isup.National, "32123457")}},
	}},
	{"others", isup.ITU, isup.IAM{
		Category: 10, Called: e164(isup.Unknown, "B12C"),
		Others: []isup.Parameter{{Code: 0x39, Value: []byte{1, 0xc0}}, {Code: 0x39, Value: []byte{2, 0xc0}}, {Code: 0xc4, Value: []byte{1}}},
	}},
}

func TestQ763_RoundTrip(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			written, err := c.iam.Append(c.variant, []byte("before"))
			if err != nil {
				t.Fatal(err)
			}
			message, found := bytes.CutPrefix(written, []byte("before"))
			if !found {
				t.Fatal("what stood before is gone")
			}
			read, err := isup.Decode(c.variant, message)
			if err != nil || !reflect.DeepEqual(read, c.iam) {
				t.Fatalf("% x is read as\n%+v, %v, want\n%+v", message, read, err, c.iam)
			}
			for length := range len(message) { // cut short anywhere
				if cut, err := isup.Decode(c.variant, message[:length]); err == nil || !reflect.DeepEqual(cut, isup.IAM{}) {
					t.Errorf("%d of %d bytes are read as %+v", length, len(message), cut)
				}
			}
			if long, err := isup.Decode(c.variant, append(message, 0)); !errors.Is(err, isup.ErrMalformed) || !reflect.DeepEqual(long, isup.IAM{}) {
				t.Errorf("a byte too many: %v", err)
			}
		})
	}
}

func TestDecode_Bad(t *testing.T) {
	for _, c := range []struct {
		name, message string
		variant       isup.Variant
		want          error
	}{
		{"empty", "", isup.ITU, isup.ErrNotIAM},
		{"address complete", "06 00 00 00", isup.ITU, isup.ErrNotIAM},
		{"pointer to itself", "01 00 0000 0a 00 00 00 02 03 10", isup.ITU, isup.ErrMalformed},
		{"pointer to a pointer", "01 00 0000 0a 00 01 00 02 03 10", isup.ITU, isup.ErrMalformed},
		{"pointer beyond the end", "01 00 0000 0a 00 ff 00 02 03 10", isup.ITU, isup.ErrMalformed},
		{"number without indicators", "01 00 0000 0a 00 02 00 01 03", isup.ITU, isup.ErrMalformed},
		{"odd number of no digits", "01 00 0000 0a 00 02 00 02 83 10", isup.ITU, isup.ErrMalformed},
		{"too many digits", "01 00 0000 0a 00 02 00 13 03 10 " + strings.Repeat("11", 17), isup.ITU, isup.ErrMalformed},
		{"optional part before the called number", "01 00 0000 0a 00 02 01 02 03 10", isup.ITU, isup.ErrMalformed},
		{"optional part without end", "01 00 0000 0a 00 02 04 02 03 10 3d 01 05", isup.ITU, isup.ErrMalformed},
		{"optional part far away", "01 00 0000 0a 00 02 f0 02 03 10 00", isup.ITU, isup.ErrMalformed},
		{"repeated", "01 00 0000 0a 00 02 04 02 03 10 3d 01 05 3d 01 05 00", isup.ITU, isup.ErrMalformed},
		{"hop counter of six bits", "01 00 0000 0a 00 02 04 02 03 10 3d 01 20 00", isup.ITU, isup.ErrMalformed},
		{"redirection information of three bytes", "01 00 0000 0a 00 02 04 02 03 10 13 03 00 00 00 00", isup.ITU, isup.ErrMalformed},
		{"generic number of nothing", "01 00 0000 0a 00 02 04 02 03 10 c0 00 00", isup.ITU, isup.ErrMalformed},
		{"nine generic numbers", "01 00 0000 0a 00 02 04 02 03 10 " + strings.Repeat("c0 03 00 03 10", 9) + "00", isup.ITU, isup.ErrMalformed},
		{"too many others", "01 00 0000 0a 00 02 04 02 03 10 " + strings.Repeat("39 00", 33) + "00", isup.ITU, isup.ErrMalformed},
		{"empty user service information", "01 00 0000 0a 03 03 00 00 02 03 10", isup.ANSI, isup.ErrMalformed},
		{"jurisdiction of four bytes", "01 00 0000 0a 03 04 06 01 90 02 03 10 c4 04 12 34 56 78 00", isup.ANSI, isup.ErrMalformed},
		{"ITU read as ANSI", "01 00 0000 0a 03 02 00 02 03 10", isup.ANSI, isup.ErrMalformed},
		{"too long", "01" + strings.Repeat("00", isup.MessageBytesMax), isup.ITU, isup.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			message, err := isup.ParseHex(c.message)
			if err != nil && c.message != "" {
				t.Fatal(err)
			}
			iam, err := isup.Decode(c.variant, message)
			if !errors.Is(err, c.want) || !reflect.DeepEqual(iam, isup.IAM{}) {
				t.Errorf("Decode = %+v, %v", iam, err)
			}
		})
	}
}

func TestQ763_RedirectionInformationOfOneByte(t *testing.T) {
	message, err := isup.ParseHex("01 00 0000 0a 00 02 04 02 03 10 13 01 23 00")
	if err != nil {
		t.Fatal(err)
	}
	iam, err := isup.Decode(isup.ITU, message)
	if want := (isup.Redirection{Indicator: 3, OriginalReason: 2}); err != nil || iam.Redirection == nil || *iam.Redirection != want {
		t.Errorf("Decode = %+v, %v", iam.Redirection, err)
	}
}

func TestAppend_Bad(t *testing.T) {
	good := isup.IAM{UserService: threeKHz, Called: e164(isup.National, "9032469103")}
	for _, c := range []struct {
		name    string
		variant isup.Variant
		spoil   func(*isup.IAM)
	}{
		{"no such variant", 2, func(*isup.IAM) {}},
		{"charge number in ITU", isup.ITU, func(m *isup.IAM) { m.Charge = &m.Called }},
		{"jurisdiction in ITU", isup.ITU, func(m *isup.IAM) { m.Jurisdiction = "215555" }},
		{"medium in ANSI", isup.ANSI, func(m *isup.IAM) { m.Medium = 3 }},
		{"directory number in ANSI", isup.ANSI, func(m *isup.IAM) { m.CalledDirectory = &m.Called }},
		{"no user service information", isup.ANSI, func(m *isup.IAM) { m.UserService = nil }},
		{"endless user service information", isup.ITU, func(m *isup.IAM) { m.UserService = make([]byte, 65) }},
		{"odd jurisdiction", isup.ANSI, func(m *isup.IAM) { m.Jurisdiction = "21555" }},
		{"letters", isup.ITU, func(m *isup.IAM) { m.Called.Digits = "21a" }},
		{"too many digits", isup.ITU, func(m *isup.IAM) { m.Called.Digits = strings.Repeat("1", isup.DigitsMax+1) }},
		{"nature", isup.ITU, func(m *isup.IAM) { m.Called.Nature = 0x80 }},
		{"plan", isup.ITU, func(m *isup.IAM) { m.Calling = &isup.Number{Plan: 8} }},
		{"presentation", isup.ITU, func(m *isup.IAM) { m.Redirecting = &isup.Number{Presentation: 4} }},
		{"screening", isup.ITU, func(m *isup.IAM) { m.Generic = []isup.Generic{{Number: isup.Number{Screening: 4}}} }},
		{"hops", isup.ITU, func(m *isup.IAM) { m.HopCounter = at(uint8(32)) }},
		{"redirection", isup.ITU, func(m *isup.IAM) { m.Redirection = &isup.Redirection{Counter: 8} }},
		{"generic numbers", isup.ITU, func(m *isup.IAM) { m.Generic = make([]isup.Generic, isup.GenericMax+1) }},
		{"a known one among the others", isup.ITU, func(m *isup.IAM) { m.Others = []isup.Parameter{{Code: 0x0a}} }},
		{"the end among the others", isup.ITU, func(m *isup.IAM) { m.Others = []isup.Parameter{{}} }},
		{"longer than a byte tells", isup.ITU, func(m *isup.IAM) { m.Others = []isup.Parameter{{Code: 3, Value: make([]byte, 256)}} }},
		{"longer than MTP carries", isup.ITU, func(m *isup.IAM) { m.Others = []isup.Parameter{{Code: 3, Value: make([]byte, 255)}} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := good
			c.spoil(&m)
			if b, err := m.Append(c.variant, nil); !errors.Is(err, isup.ErrMalformed) || b != nil {
				t.Errorf("Append = % x, %v", b, err)
			}
		})
	}
}

func TestFrames(t *testing.T) {
	message, err := isup.ParseHex("0100000A 00:02:00:02:03:10 11")
	if err != nil || len(message) != 11 {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, ahead string
		variant     isup.Variant
	}{
		{"message", "", isup.ITU},
		{"circuit", "0100", isup.ITU},
		{"mtp3", "85 01020304 0100", isup.ITU},
		{"mtp2", "ffffff 85 01020304 0100", isup.ITU},
		{"mtp3", "85 01020304050607 0100", isup.ANSI},
		{"mtp2", "ff ff 3f 95 01020304050607 0100", isup.ANSI},
	} {
		frame, ok := isup.FrameNamed(c.name)
		if !ok {
			t.Fatal(c.name)
		}
		var ahead []byte
		if c.ahead != "" {
			if ahead, err = isup.ParseHex(c.ahead); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := frame.Cut(c.variant, append(ahead, message...)); err != nil || !bytes.Equal(got, message) {
			t.Errorf("%s: Cut = % x, %v", c.name, got, err)
		}
		if got, err := frame.Cut(c.variant, ahead); !errors.Is(err, isup.ErrNotIAM) || got != nil {
			t.Errorf("%s alone: Cut = % x, %v", c.name, got, err)
		}
	}
	sccp, _ := isup.ParseHex("83 01020304 0100 01")
	if _, err := isup.FromMTP3.Cut(isup.ITU, sccp); !errors.Is(err, isup.ErrNotIAM) {
		t.Errorf("SCCP: %v", err)
	}
	if _, ok := isup.FrameNamed("m3ua"); ok {
		t.Error("a frame of no name")
	}
}

func TestParseHex(t *testing.T) {
	want := []byte{0x01, 0xab}
	for _, text := range []string{"01ab", "01 AB", "0x01,0xab", "01:ab", " 01-AB\r\n", "0x01ab"} {
		if b, err := isup.ParseHex(text); err != nil || !bytes.Equal(b, want) {
			t.Errorf("ParseHex(%q) = % x, %v", text, b, err)
		}
	}
	for _, text := range []string{"", " ", "1", "1 23", "0g", "01;02", "é1", strings.Repeat("01", 4<<10)} {
		if b, err := isup.ParseHex(text); !errors.Is(err, isup.ErrMalformed) || b != nil {
			t.Errorf("ParseHex of %d characters = % x, %v", len(text), b, err)
		}
	}
}

// FuzzDecode holds that what was read can be written, and is then read as the same.
func FuzzDecode(f *testing.F) {
	seeds := 0
	for _, c := range cases {
		message, err := c.iam.Append(c.variant, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(c.variant == isup.ANSI, message)
		seeds++
	}
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, ansi bool, message []byte) {
		variant := isup.ITU
		if ansi {
			variant = isup.ANSI
		}
		m, err := isup.Decode(variant, message)
		if err != nil {
			if !reflect.DeepEqual(m, isup.IAM{}) || !errors.Is(err, isup.ErrMalformed) && !errors.Is(err, isup.ErrNotIAM) {
				t.Fatalf("a refusal comes with %+v and %v", m, err)
			}
			return
		}
		if len(message) == isup.MessageBytesMax {
			return // redirection information of one byte is written as two, which may be one too many
		}
		written, err := m.Append(variant, nil)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", m, err)
		}
		if again, err := isup.Decode(variant, written); err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("% x is read as\n%+v, %v, want\n%+v", written, again, err, m)
		}
	})
}
