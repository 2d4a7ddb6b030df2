package store

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTextsAreAsAMapWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var kept texts
		want := map[uint32]string{}
		most, now := 0, 0 // blocks
		blocks := func(text string) int { return (len(text) + blockBytes - 1) / blockBytes }
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "drop") && len(want) > 0 {
				for ref, text := range want { // any
					kept.drop(ref)
					delete(want, ref)
					now -= blocks(text)
					break
				}
			} else {
				length := rapid.SampledFrom([]int{0, 1, 59, 60, 61, 119, 120, 121, 900, 8192}).Draw(t, "length")
				text := strings.Repeat(rapid.StringMatching(`[a-z]{7}`).Draw(t, "text"), length/7+1)[:length]
				ref := kept.put(text)
				if _, taken := want[ref]; taken && ref != 0 || (ref == 0) != (text == "") {
					t.Fatalf("%d bytes are at %d", length, ref)
				}
				if ref != 0 {
					want[ref] = text
				}
				now += blocks(text)
				most = max(most, now)
			}
			for ref, text := range want {
				got := make([]byte, len(text))
				if kept.read(got, ref); string(got) != text {
					t.Fatalf("got %q, want %q", got, text)
				}
				other := text[:len(text)-1] + "#"
				if !kept.is(ref, len(text), text) || kept.is(ref, len(text), other) || kept.is(ref, len(text), text[1:]) {
					t.Fatal("is not what it is")
				}
			}
			if int(kept.made) != most {
				t.Fatalf("%d blocks were made, never more than %d were in use", kept.made, most)
			}
		}
	})
}

// TestTextsTakeFewChunks: the garbage collector marks and sweeps each chunk, and one who allocates meanwhile has to help it.
func TestTextsTakeFewChunks(t *testing.T) {
	const records = 1000
	var kept texts
	for range records {
		kept.put(strings.Repeat("x", 15*blockBytes))
	}
	if most := records*15*64/(256<<10) + 1; len(kept.chunks) > most {
		t.Errorf("a thousand texts of 900 bytes are in %d chunks, not in %d", len(kept.chunks), most)
	}
}

// TestNoPointerLiesOnTheShelf: the garbage collector is not to look at what there are millions of.
func TestNoPointerLiesOnTheShelf(t *testing.T) {
	for _, of := range []any{node[record]{}, node[use]{}, node[tomb]{}, block{}, called{}} {
		if kind, found := pointerIn(reflect.TypeOf(of)); found {
			t.Errorf("%T has a %v", of, kind)
		}
	}
}

func pointerIn(of reflect.Type) (kind reflect.Kind, found bool) {
	switch of.Kind() {
	case reflect.Struct:
		for i := range of.NumField() {
			if kind, found = pointerIn(of.Field(i).Type); found {
				return kind, true
			}
		}
		return 0, false
	case reflect.Array:
		return pointerIn(of.Elem())
	case reflect.Bool, reflect.Int64, reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return 0, false
	}
	return of.Kind(), true
}
