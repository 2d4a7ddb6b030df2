package stircert_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func number(t testing.TB, s string) tn.Number {
	t.Helper()
	n, err := tn.ParseNumber(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func block(t testing.TB, start string, count uint64) tn.Range {
	t.Helper()
	r, err := tn.NewRange(number(t, start), count)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	spc1234 = "A006 1604 31323334"
	spc567B = "A006 1604 35363742"
	one9    = "A203 1601 39"
)

func TestRFC8226_S9_TNAuthListEntries(t *testing.T) {
	for _, c := range []struct {
		name, der string
		want      stircert.TNAuthList
	}{
		{"one SPC", "3008" + spc1234, stircert.TNAuthList{SPCs: []string{"1234"}}},
		{"two SPCs keep their order", "3010" + spc567B + spc1234, stircert.TNAuthList{SPCs: []string{"567B", "1234"}}},
		{"a number", "3005" + one9, stircert.TNAuthList{Ranges: []tn.Range{block(t, "9", 1)}}},
		{"a number with *", "3007 A205 1603 2A3637", stircert.TNAuthList{Ranges: []tn.Range{block(t, "*67", 1)}}},
		{"a range", "300D A10B 3009 1604 32313030 020119", stircert.TNAuthList{Ranges: []tn.Range{block(t, "2100", 25)}}},
		{"a range of two", "300A A108 3006 1601 30 020102", stircert.TNAuthList{Ranges: []tn.Range{block(t, "0", 2)}}},
		{"a whole block of ten", "300A A108 3006 1601 30 02010A", stircert.TNAuthList{Ranges: []tn.Range{block(t, "0", 10)}}},
		{"a range with an extension", "300C A10A 3008 1601 30 020102 0500", stircert.TNAuthList{Ranges: []tn.Range{block(t, "0", 2)}}},
		{"all three kinds", "3017" + spc1234 + one9 + "A108 3006 1601 30 020102", stircert.TNAuthList{
			SPCs: []string{"1234"}, Ranges: []tn.Range{block(t, "9", 1), block(t, "0", 2)},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := stircert.ParseTNAuthList(unhex(t, c.der))
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestRFC8226_S9_TNAuthListRefused(t *testing.T) {
	for _, c := range []struct{ name, der string }{
		{"nothing", ""},
		{"SIZE (1..MAX): no entries", "3000"},
		{"not a SEQUENCE", "3108" + spc1234},
		{"bytes after the list", "3008" + spc1234 + "00"},
		{"list cut short", "3008" + spc1234[:14]},
		{"length that is not DER", "308108" + spc1234},
		{"untagged PrintableString, as one CA issued", "3006 1304 3735354A"},
		{"entry longer than the list, as one CA issued", "3008 A006 16 3535384A"},
		{"IMPLICIT tag", "3006 8004 31323334"},
		{"unknown alternative", "3008 A306 1604 31323334"},
		{"SPC of another string type", "3008 A006 0C04 31323334"},
		{"empty SPC", "3004 A002 1600"},
		{"SPC with a space", "3008 A006 1604 31203334"},
		{"SPC with a control character", "3008 A006 1604 31003334"},
		{"SPC that is not ASCII", "3008 A006 1604 31FF3334"},
		{"SPC of 33 bytes", "3025 A023 1621" + strings.Repeat("41", 33)},
		{"two strings in an SPC", "300A A008 1604 31323334 1600"},
		{"empty number", "3004 A202 1600"},
		{"number of 16 digits", "3014 A212 1610" + strings.Repeat("31", 16)},
		{"number with +", "3006 A204 1602 2B31"},
		{"bytes after a number", "3007 A205 1601 39 0500"},
		{"range without a count", "3007 A105 3003 1601 30"},
		{"range of none", "300A A108 3006 1601 30 020100"},
		{"range of one", "300A A108 3006 1601 30 020101"},
		{"range of minus two", "300A A108 3006 1601 30 0201FE"},
		{"range of 2^64", "3012 A110 300E 1601 30 0209 010000000000000000"},
		{"count that is not minimal", "300B A109 3007 1601 30 02020002"},
		{"range beyond the length of its start", "300A A108 3006 1601 31 02010A"},
		{"range that starts with #", "300A A108 3006 1601 23 020102"},
		{"extension of a range that is not DER", "300B A109 3007 1601 30 020102 05"},
		{"bytes after a range", "300C A10A 3006 1601 30 020102 0500"},
		{"good entry, then a bad one", "300C" + spc1234 + "A002 1600"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := stircert.ParseTNAuthList(unhex(t, c.der))
			if !errors.Is(err, stircert.BadTNAuthList) || !got.Empty() {
				t.Errorf("got %+v, %v; want BadTNAuthList and nothing", got, err)
			}
		})
	}
}

func TestTNAuthList_EntriesAreBounded(t *testing.T) {
	var list stircert.TNAuthList
	for range stircert.TNAuthListEntriesMax {
		list.SPCs = append(list.SPCs, "1234")
	}
	der, err := list.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := stircert.ParseTNAuthList(der); err != nil || len(got.SPCs) != len(list.SPCs) {
		t.Errorf("at the limit: %d entries, %v", len(got.SPCs), err)
	}
	list.SPCs = append(list.SPCs, "1234")
	if _, err := list.Marshal(); !errors.Is(err, stircert.BadTNAuthList) {
		t.Errorf("beyond the limit: %v", err)
	}
	body := append(der[4:len(der):len(der)], unhex(t, spc1234)...)
	beyond := append([]byte{0x30, 0x83, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	if _, err := stircert.ParseTNAuthList(beyond); !errors.Is(err, stircert.BadTNAuthList) {
		t.Errorf("beyond the limit: %v", err)
	}
}

func TestTNAuthList_MarshalRefusesWhatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		name string
		list stircert.TNAuthList
	}{
		{"nothing", stircert.TNAuthList{}},
		{"empty SPC", stircert.TNAuthList{SPCs: []string{""}}},
		{"SPC with a slash is fine, with a space not", stircert.TNAuthList{SPCs: []string{"1/ 2"}}},
		{"empty range", stircert.TNAuthList{Ranges: []tn.Range{{}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if der, err := c.list.Marshal(); !errors.Is(err, stircert.BadTNAuthList) || der != nil {
				t.Errorf("got %x, %v", der, err)
			}
		})
	}
}

func TestTNAuthList_AnswersForWhatItLists(t *testing.T) {
	list := stircert.TNAuthList{
		SPCs:   []string{"1234", "583j"},
		Ranges: []tn.Range{block(t, "12155550000", 100), block(t, "911", 1)},
	}
	for spc, want := range map[string]bool{"1234": true, "583j": true, "583J": false, "": false, "123": false} {
		if list.HasSPC(spc) != want {
			t.Errorf("HasSPC(%q) = %v", spc, !want)
		}
	}
	for text, want := range map[string]bool{
		"12155550000": true, "12155550099": true, "12155550100": false, "12155549999": false, "911": true, "9110": false,
	} {
		if list.HasNumber(number(t, text)) != want {
			t.Errorf("HasNumber(%s) = %v", text, !want)
		}
	}
	if list.HasNumber(tn.Number{}) {
		t.Error("has no number at all")
	}
}

// FuzzTNAuthList: an error is a BadTNAuthList with the zero list; what is read can be written and read again, the same.
func FuzzTNAuthList(f *testing.F) {
	for seed, good := range map[string]bool{
		"3008" + spc1234: true, "3005" + one9: true, "300A A108 3006 1601 30 020102": true,
		"300C A10A 3008 1601 30 020102 0500": true, "3000": false, "3008 A006 16 3535384A": false,
	} {
		if _, err := stircert.ParseTNAuthList(unhex(f, seed)); (err == nil) != good {
			f.Errorf("seed %s: %v", seed, err)
		}
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		list, err := stircert.ParseTNAuthList(der)
		if err != nil {
			if !errors.Is(err, stircert.BadTNAuthList) || !list.Empty() {
				t.Fatalf("error %v with %+v", err, list)
			}
			return
		}
		once, err := list.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := stircert.ParseTNAuthList(once)
		if err != nil || !reflect.DeepEqual(again, list) {
			t.Fatalf("again: %+v, %v; first: %+v", again, err, list)
		}
		if twice, err := again.Marshal(); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("written twice: %x and %x, %v", once, twice, err)
		}
	})
}
