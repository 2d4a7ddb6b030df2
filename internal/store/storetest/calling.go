package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// from is a key of a call to the called party of most tests, by the i-th caller.
func from(i int) oob.Key { return mesh("12155550113", fmt.Sprint(13125550000+i)) }

var calling = []contract{
	{"CalledIsFoundWhoeverCalls", store.Config{}, func(b *bench) {
		for i := range 200 {
			b.publish(b.publication(from(i), "1234", fmt.Sprintf("%03d", i)))
			b.pass(time.Millisecond)
		}
		b.publish(b.publication(mesh("12155550114", "12025550141"), "1234", "another called party"))
		held := b.called(oob.Mesh, "12155550113", 1000)
		if len(held) != 200 {
			b.Fatalf("found %d", len(held))
		}
		for i, one := range held { // newest first
			n := 199 - i
			want := oob.Record{
				Passports: []string{fmt.Sprintf("%03d", n)}, Publisher: "1234",
				Received: start.Add(time.Duration(n) * time.Millisecond), Expires: start.Add(time.Duration(n)*time.Millisecond + life),
			}
			if one.Key != from(n) || fmt.Sprint(one.Record) != fmt.Sprint(want) {
				b.Fatalf("the %d-th is %+v, want %+v under %v", i, one, want, from(n))
			}
		}
	}},
	{"CalledComesWithTheWholeKey", store.Config{}, func(b *bench) {
		dest := number("12155550113")
		keys := []oob.Key{
			{Profile: oob.Agreed, SPC: "1234", Dest: dest, Orig: number("12025550141")},
			{Profile: oob.Agreed, SPC: "1234567", Dest: dest, Orig: number("*67")},
			{Profile: oob.Agreed, SPC: "12345678", Dest: dest, Orig: number("0")},
			{Profile: oob.Agreed, SPC: "with space", Dest: dest, Orig: uri("sip:alice@example.com")},
			{Profile: oob.Agreed, SPC: "A\x00", Dest: dest, Orig: uri("urn:service:sos")},
			{Profile: oob.Agreed, SPC: "", Dest: dest},
		}
		for _, k := range keys {
			b.publish(b.publication(k, "1234", k.SPC+"/"+k.Orig.String()))
		}
		found := map[oob.Key]string{}
		for _, one := range b.called(oob.Agreed, "12155550113", 100) {
			found[one.Key] = strings.Join(one.Passports, " ")
		}
		for _, k := range keys {
			if want := k.SPC + "/" + k.Orig.String(); found[k] != want {
				b.Errorf("under %+v: %q, want %q", k, found[k], want)
			}
		}
		if len(found) != len(keys) {
			b.Errorf("found %d keys", len(found))
		}
	}},
	{"CalledIsOfOneProfile", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.calls(oob.Mesh, "12155550113", 10, "a")
		b.calls(oob.Agreed, "12155550113", 10)
		b.calls(oob.RFC9888, "12155550113", 10)
	}},
	{"CalledUntilExpiresAndNotAtIt", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.passSilently(life - 1)
		b.calls(oob.Mesh, "12155550113", 10, "a")
		b.passSilently(1)
		b.calls(oob.Mesh, "12155550113", 10)
	}},
	{"CalledInVainIsNoError", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		for _, dest := range []string{"1215555011", "121555501130", "12025550141", "#"} {
			b.calls(oob.Mesh, dest, 10)
		}
		b.calls(oob.Mesh, "12155550113", 0)
		b.calls(oob.Mesh, "12155550113", -1)
		if held, err := b.shelf.RetrieveCalled(b.Context(), oob.Mesh, tn.Number{}, 10); len(held) != 0 || err != nil {
			b.Errorf("nobody is called: %v, %v", held, err)
		}
	}},
	{"CalledLimitKeepsTheNewest", store.Config{}, func(b *bench) {
		for i := range 5 {
			b.publish(b.publication(from(i), "1234", fmt.Sprint(i)))
			b.pass(time.Second)
		}
		b.calls(oob.Mesh, "12155550113", 3, "4", "3", "2")
		b.calls(oob.Mesh, "12155550113", 5, "4", "3", "2", "1", "0")
	}},
	{"CalledGivesEachPASSporTOnceUnderOneKey", store.Config{}, func(b *bench) {
		b.publish(b.publication(from(1), "1234", "a", "b"))
		b.pass(time.Second)
		b.publish(b.publication(from(1), "567B", "b"))
		b.publish(b.publication(from(1), "9999", "b"))
		b.pass(time.Second)
		b.publish(b.publication(from(2), "567B", "b"))
		b.calls(oob.Mesh, "12155550113", 10, "b", "b", "a")
	}},
	{"NobodyIsPushedOutByOneWhoPublishesMore", store.Config{}, func(b *bench) {
		b.publish(b.publication(from(0), "567B", "early"))
		b.pass(time.Millisecond)
		b.publish(b.publication(from(0), "9999", "also early"))
		for i := range 3000 {
			b.now.Add(1)
			b.publish(b.publication(from(i), "1234", fmt.Sprintf("flood %d", i)))
		}
		b.calls(oob.Mesh, "12155550113", 4, "flood 2999", "flood 2998", "also early", "early")
		b.calls(oob.Mesh, "12155550113", 3, "flood 2999", "also early", "early")
		b.calls(oob.Mesh, "12155550113", 2, "flood 2999", "also early")
		if n := len(b.called(oob.Mesh, "12155550113", 5000)); n != 3002 {
			b.Errorf("found %d", n)
		}
	}},
}

// called wants an answer, and that it is newest first.
func (b *bench) called(p oob.Profile, dest string, limit int) []oob.Held {
	b.Helper()
	n, _ := number(dest).Number()
	held, err := b.shelf.RetrieveCalled(b.Context(), p, n, limit)
	if err != nil || len(held) > max(limit, 0) {
		b.Fatalf("RetrieveCalled with limit %d: %d records, %v", limit, len(held), err)
	}
	if !slices.IsSortedFunc(held, func(x, y oob.Held) int { return y.Received.Compare(x.Received) }) {
		b.Errorf("not newest first")
	}
	return held
}

// calls wants exactly these PASSporTs for a called number, in this order, all records together.
func (b *bench) calls(p oob.Profile, dest string, limit int, want ...string) {
	b.Helper()
	var got []string
	for _, one := range b.called(p, dest, limit) {
		got = append(got, one.Passports...)
	}
	if !slices.Equal(got, want) {
		b.Fatalf("for %s, at most %d: found %q, want %q", dest, limit, got, want)
	}
}
