package atis_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// TestATIS1000096_S7_DigestVectors are values computed apart from this code, with another program.
func TestATIS1000096_S7_DigestVectors(t *testing.T) {
	for want, list := range map[string][]string{
		"sha256-zKgfrcdamkcRrtGElNTkO0yj8dx4P9Vg6oFH0sKSGlA=": {"AAA.BBB.CCC"},
		"sha256-D5hlTCDy/ZZUl3ySAchyMlcLSw5K+bviM68tx7Qog0A=": {"AAA.BBB.CCC", "DDD.EEE.FFF"},
		"sha256-GfBFwCnQ8YqzHhsdSyf50a8wfYjsoxNxkb0AIukdjM0=": {"DDD.EEE.FFF", "AAA.BBB.CCC"},
		"sha256-T1PNoYwrqgwDVLtfmj7L5e0Sq02OEbqHPC8RFhICuUU=": {},
	} {
		if got := atis.Digest(list); got != want {
			t.Errorf("%q: %s, want %s", list, got, want)
		}
	}
}

// TestATIS1000096_S7_DigestIsOverTheParsedList: how the body writes the list does not matter.
func TestATIS1000096_S7_DigestIsOverTheParsedList(t *testing.T) {
	const want = "sha256-D5hlTCDy/ZZUl3ySAchyMlcLSw5K+bviM68tx7Qog0A="
	for _, body := range []string{
		`{"passports":["AAA.BBB.CCC","DDD.EEE.FFF"]}`,
		" {\r\n\t\"passports\" : [ \"AAA.BBB.CCC\" ,\n\"DDD.EEE.FFF\" ] }\n",
		`{"passports":["\u0041AA.BBB.CCC","DDD\u002eEEE.FFF"]}`,
		`{"p\u0061ssports":["AAA.BBB.CCC","DDD.EEE.FFF"]}`,
		`{"token":"GGG.HHH.III","passports":["AAA.BBB.CCC","DDD.EEE.FFF"],"more":{"passports":[]}}`,
	} {
		list, err := atis.ReadPublish([]byte(body))
		if err != nil || atis.Digest(list) != want {
			t.Errorf("%s: %q, %v", body, list, err)
		}
	}
}

func TestReadPublishRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		kind oob.Kind
	}{
		"nothing":             {``, oob.Malformed},
		"no object":           {`[]`, oob.Malformed},
		"null":                {`{"passports":null}`, oob.Malformed},
		"a list in the list":  {`{"passports":[["a.b.c"]]}`, oob.Malformed},
		"empty text":          {`{"passports":[""]}`, oob.Malformed},
		"line break":          {`{"passports":["a.b.c\n"]}`, oob.Malformed},
		"not ASCII":           {`{"passports":["a.b.ć"]}`, oob.Malformed},
		"four segments":       {`{"passports":["a.b.c.d"]}`, oob.Malformed},
		"byte order mark":     {"\ufeff" + `{"passports":["a.b.c"]}`, oob.Malformed},
		"lone surrogate":      {`{"passports":["a.b.\ud800"]}`, oob.Malformed},
		"very many":           {`{"passports":[` + strings.Repeat(`"",`, 20_000) + `""]}`, oob.TooLarge},
		"very many of others": {`{"passports":[` + strings.Repeat(`"",`, 20_000) + `1]}`, oob.Malformed},
		"one long":            {`{"passports":["a.b.` + strings.Repeat("c", oob.PassportBytesMax) + `"]}`, oob.TooLarge},
	} {
		list, err := atis.ReadPublish([]byte(c.body))
		if !errors.Is(err, c.kind) || list != nil {
			t.Errorf("%s: %v, %v; want %v and nothing", name, list, err, c.kind)
		}
	}
}

// TestWriteRetrievedStaysReadable: however much lies under a key, a client can read the answer, and it is the newest.
func TestWriteRetrievedStaysReadable(t *testing.T) {
	long := "a.b." + strings.Repeat("c", oob.PassportBytesMax-4)
	for name, records := range map[string][]oob.Record{
		"large": slices.Repeat([]oob.Record{{Passports: slices.Repeat([]string{long}, 7)}}, 64),
		"many":  slices.Repeat([]oob.Record{{Passports: slices.Repeat([]string{"a.b.c"}, 16)}}, 200),
	} {
		records[0].Passports[0] = "first.x.y"
		answer := atis.WriteRetrieved(records)
		list, err := atis.ReadRetrieved(answer)
		if err != nil || len(answer) > oob.RetrievedBytesMax || len(list) == 0 || list[0] != "first.x.y" {
			t.Errorf("%s: %d bytes, %d PASSporTs, %v", name, len(answer), len(list), err)
		}
		if name == "large" && len(answer) < oob.RetrievedBytesMax-oob.PassportBytesMax || name == "many" && len(list) != 1024 {
			t.Errorf("%s: %d bytes, %d PASSporTs: less than would fit", name, len(answer), len(list))
		}
	}
}

var bodySeeds = []string{
	`{"passports":["AAA.BBB.CCC"]}`, `{"passports":[]}`, `{"token":"a.b.c","passports":["a.b.c","d.e.f"]}`, `{"passports":["a.b.c\u0000"]}`,
	`{"passports":["a.b.c"],"passports":["a.b.c"]}`, `[`, `{}`, ` { "passports" : [ "\u0061.b.c" ] } `,
}

// FuzzReadPublish: what is read can be written and is read the same; its digest is that of another implementation; what
// is refused is a Fault with no trace of the input.
func FuzzReadPublish(f *testing.F) {
	for _, seed := range bodySeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := atis.ReadPublish(body)
		if err != nil {
			if !errors.Is(err, oob.Malformed) && !errors.Is(err, oob.TooLarge) || list != nil {
				t.Fatalf("%v, %v", list, err)
			}
			return
		}
		if len(list) == 0 || len(list) > oob.PassportsMax {
			t.Fatalf("%d PASSporTs", len(list))
		}
		again, err := atis.ReadPublish(atis.WritePublish(list))
		if err != nil || !slices.Equal(again, list) {
			t.Fatalf("%q, then %q, %v", list, again, err)
		}
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text) // nothing in the list needs an escape, so that this is RFC 8785 too
		if want := "sha256-" + base64.StdEncoding.EncodeToString(sum[:]); atis.Digest(list) != want {
			t.Fatalf("%q: %s, want %s", list, atis.Digest(list), want)
		}
	})
}
