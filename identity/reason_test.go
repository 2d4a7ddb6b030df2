package identity_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/identity"
)

// TestRFC9410_S5_BothForms: the form of ATIS-1000074 and the two of RFC 9410.
func TestRFC9410_S5_BothForms(t *testing.T) {
	p := passports(t)[0]
	compact := identity.CompactForm(p.token)
	if !strings.HasPrefix(compact, "..") || !strings.HasSuffix(p.token, compact[1:]) {
		t.Fatalf("CompactForm = %q", compact)
	}
	for name, c := range map[string]struct {
		reason identity.Reason
		text   string
	}{
		"SIP": {
			identity.Reason{Protocol: identity.ReasonSIP, Cause: 436, Text: "Bad Identity Info"},
			`SIP ;cause=436 ;text="Bad Identity Info"`,
		},
		"STIR": {
			identity.Reason{Protocol: identity.ReasonSTIR, Cause: 436, Text: "Bad Identity Info"},
			`STIR ;cause=436 ;text="Bad Identity Info"`,
		},
		"STIR, compact": {
			identity.Reason{Protocol: identity.ReasonSTIR, Cause: 438, Text: "Invalid Identity Header", PPI: compact},
			`STIR ;cause=438 ;text="Invalid Identity Header" ;ppi="` + compact + `"`,
		},
		"STIR, full": {
			identity.Reason{Protocol: identity.ReasonSTIR, Cause: 403, Text: "Stale Date", PPI: p.token},
			`STIR ;cause=403 ;text="Stale Date" ;ppi="` + p.token + `"`,
		},
	} {
		text, err := c.reason.MarshalText()
		if err != nil || string(text) != c.text {
			t.Errorf("%s: %s, %v, want %s", name, text, err, c.text)
		}
		if got, errs := identity.ParseReasons([]string{c.text}); errs != nil || len(got) != 1 || !reflect.DeepEqual(got[0], c.reason) {
			t.Errorf("%s: %+v, %v", name, got, errs)
		}
	}
}

func TestRFC3326_S2_Forms(t *testing.T) {
	tests := []struct {
		name, value string
		want        []identity.Reason
	}{
		{"protocol alone", "SIP", []identity.Reason{{Protocol: "SIP"}}},
		{"tight", `SIP;cause=200;text="Call completed elsewhere"`, []identity.Reason{{Protocol: "SIP", Cause: 200, Text: "Call completed elsewhere"}}},
		{"two protocols", `Q.850;cause=16;text="Terminated",SIP;cause=600`, []identity.Reason{{Protocol: "Q.850", Cause: 16, Text: "Terminated"}, {Protocol: "SIP", Cause: 600}}},
		{"any order, any case", `stir ; PPI="..c" ; TEXT="x" ; Cause=438`, []identity.Reason{{Protocol: "STIR", Cause: 438, Text: "x", PPI: "..c"}}},
		{"folded", "SIP\r\n ;cause=436\r\n\t;text=\"Bad\r\n Identity\tInfo\"\r\n", []identity.Reason{{Protocol: "SIP", Cause: 436, Text: "Bad Identity Info"}}},
		{"comma, semicolon and escapes in text", `SIP;text="a,b;\"c\\",SIP`, []identity.Reason{{Protocol: "SIP", Text: `a,b;"c\`}, {Protocol: "SIP"}}},
		{"text without quotes", "SIP;text=gone", []identity.Reason{{Protocol: "SIP", Text: "gone"}}},
		{"empty text", `SIP;text=""`, []identity.Reason{{Protocol: "SIP"}}},
		{"text beyond ASCII", "Q.850;text=\"Besetzt: Ł\xff\"", []identity.Reason{{Protocol: "Q.850", Text: "Besetzt: ??"}}},
		{"cause in quotes", `SIP;cause="0436"`, []identity.Reason{{Protocol: "SIP", Cause: 436}}},
		{"further parameters", `Q.850;cause=16;location=U;x="y,\"z";flag`, []identity.Reason{{Protocol: "Q.850", Cause: 16, Params: []identity.Param{
			{Name: "location", Value: "U"}, {Name: "x", Value: `"y,\"z"`}, {Name: "flag"},
		}}}},
		{"empty parameters", "SIP;;cause=1; ", []identity.Reason{{Protocol: "SIP", Cause: 1}}},
		{"unknown protocol", "x-own;cause=7", []identity.Reason{{Protocol: "x-own", Cause: 7}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, errs := identity.ParseReasons([]string{test.value})
			if errs != nil || !reflect.DeepEqual(got, test.want) {
				t.Fatalf("ParseReasons(%q) = %+v, %v, want %+v", test.value, got, errs, test.want)
			}
			for _, r := range got {
				if _, err := r.MarshalText(); err != nil {
					t.Errorf("%+v is not written: %v", r, err)
				}
			}
		})
	}
}

// TestRFC9366_S3_SeveralValuesOfOneProtocol, in one field or in several; a bad one hides no good one.
func TestRFC9366_S3_SeveralValuesOfOneProtocol(t *testing.T) {
	good := `STIR;cause=436;ppi="..a", STIR;cause=438;ppi="..b"`
	got, errs := identity.ParseReasons([]string{good, "not one", `STIR;cause=403;ppi="..c",;cause=1`, "SIP;cause=486"})
	var causes []int
	for _, r := range got {
		causes = append(causes, r.Cause)
	}
	if !slices.Equal(causes, []int{436, 438, 403, 486}) || len(errs) != 2 {
		t.Errorf("%v, %v", causes, errs)
	}
}

func TestParseReasons_Bad(t *testing.T) {
	var tooMany strings.Builder
	for i := range identity.ParamsMax + 1 {
		tooMany.WriteString(";x" + strings.Repeat("x", i))
	}
	for name, value := range map[string]string{
		"empty":                      "",
		"no protocol":                ";cause=436",
		"space in the protocol":      "S IP;cause=436",
		"protocol in quotes":         `"SIP";cause=436`,
		"protocol beyond ASCII":      "SÍP",
		"name without value":         "SIP;cause=",
		"cause as a flag":            "SIP;cause",
		"cause in words":             "SIP;cause=gone",
		"negative cause":             "SIP;cause=-1",
		"fraction":                   "SIP;cause=4.5",
		"huge cause":                 "SIP;cause=4294967296",
		"long cause":                 "SIP;cause=0000000436",
		"cause twice":                "SIP;cause=436;Cause=436",
		"text twice":                 `SIP;text="a";text="b"`,
		"ppi twice":                  `STIR;ppi="..a";ppi="..a"`,
		"unknown parameter twice":    "SIP;x;X",
		"text as a flag":             "SIP;text",
		"text not closed":            `SIP;text="a`,
		"line break in text":         "SIP;text=\"a\r\nVia: x\"",
		"line break":                 "SIP;cause=1\r\nVia: x",
		"control in text":            "SIP;text=\"\x01\"",
		"empty ppi":                  `STIR;ppi=""`,
		"ppi as a flag":              "STIR;ppi",
		"ppi with a line break":      "STIR;ppi=\"..a\r\nVia: x\"",
		"ppi with quotes":            `STIR;ppi="..\"a"`,
		"ppi beyond ASCII":           `STIR;ppi="..é"`,
		"ppi with spaces":            `STIR;ppi="..a b"`,
		"too many parameters":        "SIP" + tooMany.String(),
		"text behind quotes":         `SIP;text="a"b`,
		"too long":                   `SIP;text="` + strings.Repeat("a", identity.BytesMax) + `"`,
		"too long before it is read": strings.Repeat("SIP,", identity.BytesMax/4+1),
	} {
		got, errs := identity.ParseReasons([]string{value})
		if got != nil || len(errs) != 1 || !errors.Is(errs[0], identity.ErrReason) {
			t.Errorf("%s: %+v, %v", name, got, errs)
		}
	}
}

func TestParseReasons_StopsAtReasonsMax(t *testing.T) {
	joined := strings.Repeat("SIP,", identity.ReasonsMax-1) + "SIP"
	if got, errs := identity.ParseReasons([]string{joined}); len(got) != identity.ReasonsMax || errs != nil {
		t.Errorf("%d reasons, %v", len(got), errs)
	}
	got, errs := identity.ParseReasons([]string{joined, "STIR"})
	if len(got) != identity.ReasonsMax || len(errs) != 1 || !errors.Is(errs[0], identity.ErrReason) {
		t.Errorf("%d reasons, %v", len(got), errs)
	}
}

func TestReasonMarshalText_RefusesWhatWouldNotBeReadBack(t *testing.T) {
	for name, r := range map[string]identity.Reason{
		"no protocol":                 {Cause: 436},
		"second value in protocol":    {Protocol: "SIP,STIR"},
		"parameter in the protocol":   {Protocol: "SIP;cause=1"},
		"negative cause":              {Protocol: "SIP", Cause: -1},
		"huge cause":                  {Protocol: "SIP", Cause: 1 << 40},
		"line break in text":          {Protocol: "SIP", Text: "a\r\nVia: x"},
		"text beyond ASCII":           {Protocol: "SIP", Text: "é"},
		"quote in ppi":                {Protocol: "STIR", PPI: `..a";x="`},
		"known name among parameters": {Protocol: "SIP", Params: []identity.Param{{Name: "cause", Value: "1"}}},
		"comma in a parameter":        {Protocol: "SIP", Params: []identity.Param{{Name: "x", Value: "a,STIR"}}},
	} {
		if text, err := r.MarshalText(); !errors.Is(err, identity.ErrUnwritable) || text != nil {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestCompactForm(t *testing.T) {
	for token, want := range map[string]string{
		"a.b.c": "..c", "..c": "..c", "": "", "a.b": "", "a.b.c.d": "", "a.b.": "", "..": "", "a.b.c d": "", "a.b.c\r\n": "", "a.b.é": "",
		"a.b." + strings.Repeat("c", 126): ".." + strings.Repeat("c", 126), "a.b." + strings.Repeat("c", 127): "",
	} {
		if got := identity.CompactForm(token); got != want {
			t.Errorf("CompactForm(%q) = %q, want %q", token, got, want)
		}
	}
}

// TestRFC9410_S7_OwnReasonsAreRemoved, however they quote the PASSporT, and no others.
func TestRFC9410_S7_OwnReasonsAreRemoved(t *testing.T) {
	all := passports(t)
	mine, theirs := all[0].token, all[1].token
	other := identity.Reason{Protocol: identity.ReasonSTIR, Cause: 438, PPI: identity.CompactForm(theirs), Params: []identity.Param{{Name: "x"}}}
	silent := identity.Reason{Protocol: identity.ReasonSTIR, Cause: 438}
	q850 := identity.Reason{Protocol: "Q.850", Cause: 16}
	full := identity.Reason{Protocol: identity.ReasonSTIR, Cause: 436, PPI: mine}
	compact := identity.Reason{Protocol: identity.ReasonSTIR, Cause: 403, PPI: identity.CompactForm(mine)}
	resigned := identity.Reason{Protocol: identity.ReasonSTIR, PPI: mine[:strings.LastIndex(mine, ".")] + ".AAAA"}
	elsewhere := identity.Reason{Protocol: "SIP", Cause: 436, PPI: mine}
	for name, c := range map[string]struct {
		reasons []identity.Reason
		own     []string
		want    []identity.Reason
	}{
		"full":                         {[]identity.Reason{other, full, q850}, []string{theirs + "x", mine}, []identity.Reason{other, q850}},
		"compact":                      {[]identity.Reason{compact, other}, []string{mine}, []identity.Reason{other}},
		"own in compact form":          {[]identity.Reason{compact, full, other}, []string{identity.CompactForm(mine)}, []identity.Reason{other}},
		"same claims, other signature": {[]identity.Reason{resigned, other}, []string{mine}, []identity.Reason{other}},
		"of another protocol":          {[]identity.Reason{elsewhere, other}, []string{mine}, []identity.Reason{other}},
		"all":                          {[]identity.Reason{full, compact}, []string{mine}, nil},
		"without ppi":                  {[]identity.Reason{silent, q850}, []string{mine}, []identity.Reason{silent, q850}},
		"nothing is own":               {[]identity.Reason{full, other, silent}, nil, []identity.Reason{full, other, silent}},
		"own is no PASSporT":           {[]identity.Reason{full, silent}, []string{"", "..", "x"}, []identity.Reason{full, silent}},
	} {
		if got := identity.WithoutOwn(c.reasons, c.own); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// FuzzParseReasons: a refusal comes with no reason; what is read can be written, and is read the same, alone and among
// others; nothing breaks the line.
func FuzzParseReasons(f *testing.F) {
	for _, seed := range []string{
		`SIP ;cause=436 ;text="Bad Identity Info"`, `STIR ;cause=436 ;text="Bad Identity Info" ;ppi="..c2ln"`,
		`Q.850;cause=16;text="Terminated",SIP;cause=600;x=[::1]`, `STIR;ppi="a.b.c";text="\"\\,;",STIR`, "SIP\r\n ;cause=1;y=<a,b>", `"`, ",", "SIP;text=\"\xc5\"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		reasons, errs := identity.ParseReasons([]string{value})
		for _, err := range errs {
			if !errors.Is(err, identity.ErrReason) {
				t.Fatalf("%v", err)
			}
		}
		if len(reasons) > identity.ReasonsMax || len(reasons)+len(errs) == 0 {
			t.Fatalf("%d reasons, %d errors", len(reasons), len(errs))
		}
		var texts []string
		for _, r := range reasons {
			text, err := r.MarshalText()
			if err != nil {
				if len(r.String()) <= identity.BytesMax { // escapes and spaces may make it longer than what was read
					t.Fatalf("%+v is not written: %v", r, err)
				}
				return
			}
			if strings.ContainsAny(string(text), "\r\n\x00") {
				t.Fatalf("%q breaks the line", text)
			}
			texts = append(texts, string(text))
		}
		if joined := strings.Join(texts, ", "); len(texts) > 0 && len(joined) <= identity.BytesMax {
			if again, errs := identity.ParseReasons([]string{joined}); errs != nil || !reflect.DeepEqual(again, reasons) {
				t.Fatalf("%q gives %+v, %v, want %+v", joined, again, errs, reasons)
			}
		}
		if rest := identity.WithoutOwn(reasons, nil); !reflect.DeepEqual(rest, reasons) {
			t.Fatalf("%+v, want %+v", rest, reasons)
		}
	})
}
