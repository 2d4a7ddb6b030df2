package storetest

import (
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
)

var retrieving = []contract{
	{"NothingIsNoError", store.Config{}, func(b *bench) {
		if records := b.retrieve(call); len(records) != 0 {
			b.Fatalf("found %+v", records)
		}
	}},
	{"NewestFirst", store.Config{}, func(b *bench) {
		for _, passport := range []string{"a", "b", "c"} {
			b.publish(b.publication(call, "1234", passport))
			b.pass(time.Second)
		}
		b.finds(call, "c", "b", "a")
	}},
	{"NewestFirstByReceivedWhateverTheOrderOfLaying", store.Config{}, func(b *bench) {
		early, late := b.publication(call, "1234", "early"), b.publication(call, "1234", "late")
		late.Received = late.Received.Add(time.Millisecond)
		b.publish(late)
		b.publish(early)
		b.finds(call, "late", "early")
	}},
	{"OfTheSameInstantTheLastLaidFirst", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.publish(b.publication(call, "1234", "b"))
		b.finds(call, "b", "a")
	}},
	{"EachPASSporTOnceInTheNewestRecord", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a", "b", "a"))
		b.pass(time.Second)
		b.publish(b.publication(call, "1234", "b", "c"))
		b.finds(call, "b", "c", "a")
		b.pass(time.Second)
		b.publish(b.publication(call, "567B", "a"))
		if records := b.retrieve(call); len(records) != 2 {
			b.Fatalf("a record with nothing of its own is given: %+v", records)
		}
	}},
	{"OlderRecordComesBackWhenTheNewerExpires", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a", "b"))
		b.pass(time.Second)
		p := b.publication(call, "1234", "a")
		p.Expires = b.clock().Add(time.Second)
		b.publish(p)
		b.finds(call, "a", "b")
		b.pass(time.Second)
		if records := b.retrieve(call); len(records) != 1 || len(records[0].Passports) != 2 {
			b.Fatalf("found %+v", records)
		}
	}},
	{"ServedUntilExpiresAndNotAtIt", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.passSilently(life - 1)
		b.finds(call, "a")
		b.passSilently(1)
		b.finds(call)
	}},
	{"ServedUntilExpiresHoweverOftenSwept", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		p.Expires = b.clock().Add(3*time.Second + 1)
		b.publish(p)
		for range 300 {
			b.pass(10 * time.Millisecond)
			b.finds(call, "a")
		}
		b.pass(1)
		b.finds(call)
	}},
	{"ServedForLongerThanAMinute", store.Config{}, func(b *bench) {
		p := b.publication(call, "1234", "a")
		p.Expires = b.clock().Add(time.Hour)
		b.publish(p)
		b.pass(30 * time.Minute)
		b.finds(call, "a")
		b.pass(30*time.Minute - 1)
		b.finds(call, "a")
		b.pass(1)
		b.finds(call)
	}},
	{"ExpiredLooksLikeUnknown", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		b.passSilently(life)
		expired, unknown := b.retrieve(call), b.retrieve(mesh("1", "2"))
		if (expired == nil) != (unknown == nil) || len(expired) != len(unknown) {
			b.Fatalf("expired gives %#v, unknown %#v", expired, unknown)
		}
	}},
	{"ReadingNeverDeletes", store.Config{}, func(b *bench) {
		b.publish(b.publication(call, "1234", "a"))
		for range 5 {
			b.finds(call, "a")
		}
	}},
	{"ExpiredLeavesNoTrace", store.Config{}, func(b *bench) {
		empty := b.shelf.Stats()
		odd := oob.Key{Profile: oob.Agreed, SPC: "an unusual SPC", Dest: uri("urn:service:sos"), Orig: number("1202")}
		for i := range 100 {
			b.publish(b.publication(odd, "1234", strings.Repeat("x", i+1)))
			b.pass(time.Second)
		}
		b.pass(2 * time.Minute)
		if after := b.shelf.Stats(); after != empty {
			b.Fatalf("%+v is left", after)
		}
	}},
	{"KeysAreApart", store.Config{}, func(b *bench) {
		agreed := func(spc string) oob.Key {
			k := call
			k.Profile, k.SPC = oob.Agreed, spc
			return k
		}
		swapped := call
		swapped.Dest, swapped.Orig = call.Orig, call.Dest
		withURI := func(text string) oob.Key {
			k := call
			k.Dest = uri(text)
			return k
		}
		origURI := call
		origURI.Orig = uri("sip:alice@example.com")
		keys := []oob.Key{
			call, swapped, agreed("1234"), agreed("1235"), agreed("123"), agreed("0123"), agreed(""),
			agreed("1234 and more"), agreed("1234 and less"), agreed("A\x00"), agreed("A"),
			mesh("12155550113", "1202555014"), mesh("1215555011", "12025550141"), mesh("012155550113", "12025550141"),
			mesh("*67", "#"), mesh("#67", "*"), mesh("67", "0"), mesh("067", "00"),
			withURI("urn:service:sos"), withURI("sip:bob@example.com"), withURI("sip:carol@example.com"), origURI,
			{Profile: oob.Mesh, Dest: call.Dest},
		}
		for _, k := range keys {
			b.publish(b.publication(k, "1234", k.Profile.String()+k.SPC+"/"+k.Dest.String()+"/"+k.Orig.String()))
		}
		for _, k := range keys {
			b.finds(k, k.Profile.String()+k.SPC+"/"+k.Dest.String()+"/"+k.Orig.String())
		}
	}},
}
