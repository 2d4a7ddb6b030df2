package store

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

func number(t interface{ Fatal(...any) }, text string) tn.Number {
	n, err := tn.ParseNumber(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNumbersPackAndUnpack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[0-9*#]{1,15}`).Draw(t, "number")
		packed := packNumber(number(t, text))
		if back, err := unpackNumber(packed); err != nil || back.String() != text || !isNumber(packed) {
			t.Fatalf("%s became %v, %v", text, back, err)
		}
	})
}

func TestNumbersSortByLengthThenValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringMatching(`[0-9]{1,15}`), 2, 2).Draw(t, "numbers")
		a, b := packNumber(number(t, texts[0])), packNumber(number(t, texts[1]))
		before := len(texts[0]) < len(texts[1]) || len(texts[0]) == len(texts[1]) && texts[0] < texts[1]
		if (a < b) != before {
			t.Fatalf("%q", texts)
		}
	})
}

func TestIntervalOfARange(t *testing.T) {
	cases := []struct {
		start       string
		count       uint64
		first, last string
	}{
		{"5", 1, "5", "5"},
		{"12155550100", 100, "12155550100", "12155550199"},
		{"0000", 10000, "0000", "9999"},
		{"0999", 2, "0999", "1000"},
		{"000000000000000", 1e15, "000000000000000", "999999999999999"},
		{"*67", 1, "*67", "*67"},
	}
	for _, c := range cases {
		r, err := tn.NewRange(number(t, c.start), c.count)
		if err != nil {
			t.Fatal(err)
		}
		first, last := interval(r)
		if first != packNumber(number(t, c.first)) || last != packNumber(number(t, c.last)) {
			t.Errorf("%s and %d: %x to %x", c.start, c.count, first, last)
		}
	}
}

func TestKeysThatDifferPackDifferently(t *testing.T) {
	n := newNames()
	identity := rapid.Custom(func(t *rapid.T) tn.Identity {
		switch rapid.IntRange(0, 2).Draw(t, "sort") {
		case 0:
			return tn.Identity{}
		case 1:
			return tn.Of(number(t, rapid.StringMatching(`[0-3*#]{1,4}`).Draw(t, "number")))
		}
		u, err := tn.ParseURI("urn:service:" + rapid.StringMatching(`[ab]{1,4}`).Draw(t, "uri"))
		if err != nil {
			t.Fatal(err)
		}
		return u
	})
	draw := func(t *rapid.T) oob.Key {
		return oob.Key{
			Profile: rapid.SampledFrom(oob.Profiles()).Draw(t, "profile"),
			SPC:     rapid.StringMatching(`[01A\x00\x{ff}]{0,9}`).Draw(t, "spc"),
			Dest:    identity.Draw(t, "dest"),
			Orig:    identity.Draw(t, "orig"),
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t), draw(t)
		pa, pb := n.hold(a), n.hold(b)
		if (a == b) != (pa == pb) {
			t.Fatalf("%+v gives %x, %+v gives %x", a, pa, b, pb)
		}
		if found, ok := n.find(a); !ok || found != pa || found.profile() != a.Profile {
			t.Fatalf("%+v is held as %x and found as %x", a, pa, found)
		}
		if back, ok := n.unpack(pa); !ok || back != a {
			t.Fatalf("%+v became %+v, %v", a, back, ok)
		}
		n.release(pa)
		n.release(pb)
		if back, ok := n.unpack(pa); ok && back != a || !ok && back != (oob.Key{}) {
			t.Fatalf("when nobody has it, %+v became %+v, %v", a, back, ok)
		}
		if len(n.byID) != 0 || len(n.byText) != 0 {
			t.Fatalf("%d names are left", len(n.byID))
		}
	})
}

func TestNameIsNeverGivenTwice(t *testing.T) {
	n := newNames()
	held := n.hold(oob.Key{Profile: oob.Agreed, SPC: "longer than seven"})
	n.release(held)
	if again := n.hold(oob.Key{Profile: oob.Agreed, SPC: "another long one"}); again == held {
		t.Errorf("%x twice", held)
	}
}

func TestTokensPackAndUnpack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfN(rapid.String(), 0, 16).Draw(t, "tokens")
		packed := packTokens(tokens)
		if got := unpackTokens(nil, packed, len(tokens)); !slices.Equal(got, tokens) {
			t.Fatalf("got %q", got)
		}
		r := record{extent: extentOf(len(tokens), len(packed))}
		if r.size() != len(strings.Join(tokens, "")) {
			t.Fatalf("size is %d", r.size())
		}
	})
}

func TestNanosStayWithinRange(t *testing.T) {
	cases := []struct {
		t    time.Time
		want int64
	}{
		{time.Time{}, 0},
		{time.Unix(-1, 0), 0},
		{time.Unix(1, 5), 1_000_000_005},
		{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), math.MaxInt64},
	}
	for _, c := range cases {
		if got := nanos(c.t); got != c.want {
			t.Errorf("%v: %d", c.t, got)
		}
	}
}

// TestFeedBeyondFourBillion: a record keeps but half of its position.
func TestFeedBeyondFourBillion(t *testing.T) {
	noon := time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)
	v := NewView(Config{Now: func() time.Time { return noon }, FeedProfiles: []oob.Profile{oob.Mesh}, FeedRecords: 4})
	f, start := v.feed, uint64(1)<<32-5
	f.last = start
	into := make([]Entry, 9)
	for i := range byte(10) {
		v.Apply(Event{Act: Laid, At: noon, Publication: oob.Publication{
			Key: oob.Key{Profile: oob.Mesh, SPC: string('a' + rune(i))}, Passports: []string{"p"}, Received: noon, Expires: noon.Add(time.Minute),
			Use: oob.TokenUse{ID: [16]byte{i}, Until: noon.Add(time.Minute)},
		}})
		if n, lost, err := f.Next(t.Context(), f.Last()-1, into); n != 1 || lost || err != nil || into[0].Position != start+1+uint64(i) {
			t.Fatalf("%d: %d, %v, %v, at %d", i, n, lost, err, into[0].Position)
		}
		if i%2 == 0 {
			hash, _ := oob.PassportHash(oob.PassportID("p"))
			v.Apply(Event{Act: Consumed, At: noon, Publication: oob.Publication{Key: into[0].Held.Key, Use: oob.TokenUse{ID: hash}}})
			if left := f.ring[f.last%4]; left != (spot{}) {
				t.Fatalf("%d: the place of a consumed record is still %+v", i, left)
			}
		}
	}
	if n, lost, err := f.Next(t.Context(), start, into); n != 2 || !lost || err != nil || into[1].Position != start+10 {
		t.Fatalf("%d, %v, %v, at %d", n, lost, err, into[1].Position)
	}
}

// TestSizes holds the comments that count bytes to the truth.
func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(node[record]{}); n != 64 {
		t.Errorf("the node of a record has %d bytes", n)
	}
	if n := unsafe.Sizeof(node[tomb]{}); n != 64 {
		t.Errorf("the node of a tomb has %d bytes", n)
	}
	if n := unsafe.Sizeof(block{}); n != 64 {
		t.Errorf("a block has %d bytes", n)
	}
	if n := unsafe.Sizeof(node[use]{}); n != 40 {
		t.Errorf("the node of a token use has %d bytes", n)
	}
	if n := unsafe.Sizeof(called{}); n != 16 {
		t.Errorf("an entry of the index has %d bytes", n)
	}
}
