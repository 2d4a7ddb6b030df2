package trace_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/trace"
)

func TestPackedRecordIsTheSame(t *testing.T) {
	n := 0
	f := filling{party: identity(t, "sip:alice@atlanta.example"), text: func(field string) string { n++; return fmt.Sprint(field, n) }}
	full := f.record(t)
	for _, c := range []struct {
		name   string
		record *trace.Record
	}{{"every field", full}, {"no field", &trace.Record{}}} {
		t.Run(c.name, func(t *testing.T) {
			got := trace.Unpack(trace.Pack(c.record))
			if !reflect.DeepEqual(got, c.record) {
				t.Errorf("%+v\nwant %+v", got, c.record)
			}
		})
	}
}

func TestPackedTextIsCutAtItsBound(t *testing.T) {
	long := strings.Repeat("ü", trace.TextBytesMax)
	got := trace.Unpack(trace.Pack(&trace.Record{CallID: "x" + long, Passports: []string{long}, Steps: []trace.Step{{Detail: long}}}))
	if want := "x" + long[:trace.TextBytesMax-2]; got.CallID != want {
		t.Errorf("a Call-ID of %d bytes, want %d", len(got.CallID), len(want))
	}
	if len(got.Steps[0].Detail) != trace.TextBytesMax || got.Passports[0] != long {
		t.Errorf("detail %d bytes, PASSporT %d", len(got.Steps[0].Detail), len(got.Passports[0]))
	}
}
