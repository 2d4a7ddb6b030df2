package wire_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/oob"
)

// lines are bodies, and what is read from them; they are also the seeds of FuzzReadLines.
var lines = []struct {
	name string
	body string
	want []string
	kind oob.Kind // of the refusal, where there is nothing to want
}{
	{name: "one", body: "a.b.c", want: []string{"a.b.c"}},
	{name: "one with its end", body: "a.b.c\n", want: []string{"a.b.c"}},
	{name: "a shaken and its div", body: "a.b.c\nd.e.f", want: []string{"a.b.c", "d.e.f"}},
	{name: "CRLF", body: "a.b.c\r\nd.e.f\r\n", want: []string{"a.b.c", "d.e.f"}},
	{name: "empty lines", body: "\n\r\na.b.c\n\n\nd.e.f\n\n", want: []string{"a.b.c", "d.e.f"}},
	{name: "as many as may be", body: strings.Repeat("a.b.c\n", oob.PassportsMax), want: slices.Repeat([]string{"a.b.c"}, oob.PassportsMax)},
	{name: "one too many", body: strings.Repeat("a.b.c\n", oob.PassportsMax+1), kind: oob.TooLarge},
	{name: "as long as may be", body: strings.Repeat("a", oob.PassportBytesMax-2) + "..", want: []string{strings.Repeat("a", oob.PassportBytesMax-2) + ".."}},
	{name: "too long", body: strings.Repeat("a", oob.PassportBytesMax-1) + "..", kind: oob.TooLarge},
	{name: "nothing", body: "", kind: oob.Malformed},
	{name: "nothing but lines", body: "\r\n\n", kind: oob.Malformed},
	{name: "JSON", body: `{"passports":["a.b.c"]}`, kind: oob.Malformed},
	{name: "a header field", body: "a.b.c;info=<https://a.example>", kind: oob.Malformed},
	{name: "a space behind", body: "a.b.c ", kind: oob.Malformed},
	{name: "CR alone", body: "a.b.c\rd.e.f", kind: oob.Malformed},
	{name: "two segments", body: "a.b", kind: oob.Malformed},
	{name: "a byte order mark", body: "\ufeffa.b.c", kind: oob.Malformed},
	{name: "NUL", body: "a.b.c\x00", kind: oob.Malformed},
}

func TestReadLines(t *testing.T) {
	for _, c := range lines {
		got, err := wire.ReadLines([]byte(c.body))
		if c.want == nil && !errors.Is(err, c.kind) || c.want != nil && err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %d, %v", c.name, len(got), err)
		}
	}
}

// FuzzReadLines: what is read is written and read the same; what is refused is nothing.
func FuzzReadLines(f *testing.F) {
	for _, c := range lines {
		f.Add([]byte(c.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		passports, err := wire.ReadLines(body)
		if err != nil {
			if passports != nil || !errors.Is(err, oob.Malformed) && !errors.Is(err, oob.TooLarge) {
				t.Fatalf("%q, %v", passports, err)
			}
			return
		}
		again, err := wire.ReadLines(wire.WriteLines(passports))
		if err != nil || !slices.Equal(again, passports) || len(passports) == 0 {
			t.Fatalf("%q, then %q, %v", passports, again, err)
		}
	})
}

func TestReadID(t *testing.T) {
	good := oob.PassportID("a.b.c")
	if got, err := wire.ReadID(good); err != nil || got != good {
		t.Errorf("%q, %v", got, err)
	}
	for _, text := range []string{"", good[1:], good + "A", good + "=", good[:21] + "/", good[:21] + "+", good[:21] + "B", " " + good[1:], "../" + good[3:]} {
		if got, err := wire.ReadID(text); !errors.Is(err, oob.Malformed) || got != "" {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestAnswersEndBeforeTheyAreTooLong: nobody makes an answer unreadable by publishing more.
func TestAnswersEndBeforeTheyAreTooLong(t *testing.T) {
	long := strings.Repeat("a", oob.PassportBytesMax-2) + ".."
	for _, c := range []struct {
		passport string
		records  int
		want     int
	}{{"a.b.c", 2000, wire.RetrievedMax}, {long, 100, oob.RetrievedBytesMax / (oob.PassportBytesMax + 3)}, {long, 1, 1}, {long, 0, 0}} {
		records := slices.Repeat([]oob.Record{{Passports: []string{c.passport}}}, c.records)
		body := wire.WriteRetrieved(records)
		got, err := wire.ReadPassports(body, wire.RetrievedMax)
		if err != nil || len(got) != c.want || len(body) > oob.RetrievedBytesMax {
			t.Errorf("%d PASSporTs of %d bytes: %d in %d bytes, %v", c.records, len(c.passport), len(got), len(body), err)
		}
	}
}

// TestFaultOf: the slug counts where its row has the status.
func TestFaultOf(t *testing.T) {
	for _, kind := range oob.Kinds() {
		if got := wire.FaultOf(kind.Row().HTTP, kind.String(), "said"); got.Kind != kind || got.Err.Error() != "said" {
			t.Errorf("%s: %v", kind, got)
		}
		if got := wire.FaultOf(499, kind.String(), ""); got.Kind != oob.PeerFailed || got.Err != nil {
			t.Errorf("%s with another status: %v", kind, got)
		}
	}
	for status, kind := range map[int]oob.Kind{400: oob.Malformed, 404: oob.NotFound, 405: oob.WrongMethod, 418: oob.PeerFailed, 500: oob.PeerFailed} {
		if got := wire.FaultOf(status, "x", "a\nb"+strings.Repeat("c", 500)); got.Kind != kind || len(got.Err.Error()) != 200 || fmt.Sprint(got.Err)[:3] != "a?b" {
			t.Errorf("%d: %v", status, got)
		}
	}
}
