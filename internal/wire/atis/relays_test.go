package atis_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

func writeRelays(all ...atis.OneOfRelays) []byte {
	body := atis.BeginRelays(100)
	for _, one := range all {
		body = atis.AppendOneOfRelays(body, one.Key, atis.WriteRelay(one.Passports, one.Token))
	}
	return atis.EndRelays(body)
}

func TestRelays_AreReadAsTheyWereWritten(t *testing.T) {
	all := []atis.OneOfRelays{
		{Key: oob.Key{Profile: oob.Mesh, Dest: identity(t, "12155550131"), Orig: identity(t, "12155550121")}, Passports: []string{"a.b.c", "d.e.f"}, Token: "t.t.t"},
		{Key: oob.Key{Profile: oob.Mesh, Dest: identity(t, "urn:service:sos"), Orig: identity(t, "12155550121")}, Passports: []string{"g.h.i"}, Token: "u.u.u"},
	}
	got, err := atis.ReadRelays(writeRelays(all...))
	if err != nil || !reflect.DeepEqual(got, all) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRelays_AreRefused(t *testing.T) {
	const good = `{"dest":"12155550131","orig":"12155550121","passports":["a.b.c"],"token":"t.t.t"}`
	many := strings.TrimSuffix(strings.Repeat(good+",", atis.RelaysMax+1), ",")
	for name, c := range map[string]struct {
		body string
		kind oob.Kind
	}{
		"no JSON":                 {`{"relays":[`, oob.Malformed},
		"no object":               {`[` + good + `]`, oob.Malformed},
		"no array":                {`{"relays":` + good + `}`, oob.Malformed},
		"twice":                   {`{"relays":[` + good + `],"relays":[]}`, oob.Malformed},
		"none":                    {`{"relays":[]}`, oob.Malformed},
		"nothing":                 {`{}`, oob.Malformed},
		"too many":                {`{"relays":[` + many + `]}`, oob.TooLarge},
		"without dest":            {`{"relays":[` + strings.Replace(good, "dest", "x", 1) + `]}`, oob.Malformed},
		"without orig":            {`{"relays":[` + strings.Replace(good, "orig", "x", 1) + `]}`, oob.Malformed},
		"a number with a plus":    {`{"relays":[` + strings.Replace(good, "12155550131", "+12155550131", 1) + `]}`, oob.Malformed},
		"a number of no string":   {`{"relays":[` + strings.Replace(good, `"12155550131"`, "12155550131", 1) + `]}`, oob.Malformed},
		"no PASSporTs":            {`{"relays":[` + strings.Replace(good, `"a.b.c"`, "", 1) + `]}`, oob.Malformed},
		"too long a token":        {`{"relays":[` + strings.Replace(good, "t.t.t", strings.Repeat("t", atis.RelayTokenBytesMax+1), 1) + `]}`, oob.TooLarge},
		"good and then one wrong": {`{"relays":[` + good + `,7]}`, oob.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := atis.ReadRelays([]byte(c.body))
			if fault, ok := errors.AsType[*oob.Fault](err); !ok || fault.Kind != c.kind || all != nil {
				t.Errorf("%v, %v", all, err)
			}
		})
	}
}

func TestRelays_AnswersAreRead(t *testing.T) {
	created, busy := atis.WriteStatus(201, "Created", ""), atis.WriteStatus(503, "x", "overloaded")
	two := atis.WriteRelaysAnswer([][]byte{created, busy})
	got, ok := atis.ReadRelaysAnswer(two, 2)
	if !ok || got[0].Status != 201 || got[1].Status != 503 || string(got[1].Body) != string(busy) {
		t.Errorf("%+v", got)
	}
	for name, c := range map[string]struct {
		body  string
		count int
	}{
		"one too few":    {string(two), 3},
		"one too many":   {string(two), 1},
		"no JSON":        {`{"relays":[`, 0},
		"no object":      {`{"relays":[201]}`, 1},
		"no status":      {`{"relays":[{"status":"x"}]}`, 1},
		"another answer": {`{"status":201}`, 1},
	} {
		if got, ok := atis.ReadRelaysAnswer([]byte(c.body), c.count); ok || got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRelays_HowManyAreTaken(t *testing.T) {
	for text, want := range map[string]int{"": 0, "x": 0, "-5": 0, "1": 0, "2": 2, "64": 64, "100000": atis.RelaysMax} {
		if got := atis.ReadRelaysHeader(text); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestRelays_AFullBodyFits(t *testing.T) {
	// What CPSs of ours send is full at half of what is taken; the last of it may be as long as any alone.
	if atis.RelaysBytesMax/2+atis.RelayBytesMax+RelayNamesMax > atis.RelaysBytesMax {
		t.Error("the last may not fit")
	}
}

// RelayNamesMax is what the names in a body with several take at most.
const RelayNamesMax = atis.RelaysMax * 700

func FuzzReadRelays(f *testing.F) {
	k := oob.Key{Profile: oob.Mesh, Dest: identity(f, "12155550131"), Orig: identity(f, "12155550121")}
	f.Add(writeRelays(atis.OneOfRelays{Key: k, Passports: []string{"a.b.c"}, Token: "t.t.t"}))
	f.Add([]byte(`{"relays":[{"dest":"urn:service:sos","orig":"12155550121","passports":["a.b.c"]}]}`))
	f.Add([]byte(`{"relays":[{"dest":{}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		all, err := atis.ReadRelays(body)
		if err != nil {
			if all != nil {
				t.Fatal("relays beside an error")
			}
			return
		}
		again, err := atis.ReadRelays(writeRelays(all...))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(all) {
			t.Fatalf("%v, %v, then %v", err, all, again)
		}
	})
}
