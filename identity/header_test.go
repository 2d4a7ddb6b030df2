package identity_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/identity"
)

// passport is a row of testdata/passports.tsv.
type passport struct{ ppt, x5u, token string }

func passports(tb testing.TB) []passport {
	tb.Helper()
	data, err := os.ReadFile("testdata/passports.tsv")
	if err != nil {
		tb.Fatal(err)
	}
	var all []passport
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		fields := strings.Split(line, "\t")
		if len(fields) != 4 {
			tb.Fatalf("line %d has %d fields", i+1, len(fields))
		}
		if i > 0 {
			all = append(all, passport{ppt: strings.TrimPrefix(fields[0], "-"), x5u: fields[1], token: fields[3]})
		}
	}
	if len(all) < 40 {
		tb.Fatalf("%d tokens in testdata, want at least 40", len(all))
	}
	return all
}

// forms are the ways in which one and the same value is written in the field.
var forms = []struct {
	name  string
	write func(token, x5u, ppt string) string
}{
	{"carriers", func(t, u, p string) string { return t + ";info=<" + u + ">;alg=ES256;ppt=" + p }},
	{"quoted ppt", func(t, u, p string) string { return t + ";info=<" + u + ">;alg=ES256;ppt=\"" + p + "\"" }},
	{"quoted alg", func(t, u, p string) string { return t + ";info=<" + u + ">;alg=\"ES256\";ppt=" + p }},
	{"quoted with escapes", func(t, u, p string) string {
		return t + ";info=<" + u + ">;alg=\"E\\S256\";ppt=\"" + p + "\""
	}},
	{"other order", func(t, u, p string) string { return t + ";ppt=" + p + ";alg=ES256;info=<" + u + ">" }},
	{"spaces", func(t, u, p string) string {
		return "  " + t + " ; info = <" + u + "> ;\talg= ES256 ; ppt =\t\"" + p + "\"  "
	}},
	{"capitals", func(t, u, p string) string { return t + ";INFO=<" + u + ">;Alg=ES256;PPT=" + p }},
	{"info without brackets", func(t, u, p string) string { return t + ";info=" + u + ";alg=ES256;ppt=" + p }},
	{"info in quotes", func(t, u, p string) string { return t + ";info=\"" + u + "\";alg=ES256;ppt=" + p }},
	{"info in quotes and brackets", func(t, u, p string) string { return t + ";info=\"<" + u + ">\";alg=ES256;ppt=" + p }},
	{"empty parameters", func(t, u, p string) string { return t + ";;info=<" + u + ">;alg=ES256; ;ppt=" + p + ";" }},
	{"folded", func(t, u, p string) string {
		return t + "\r\n ;info=<" + u + ">\r\n\t;alg=ES256;\r\n  ppt=" + p + "\r\n"
	}},
	{"folded with bare newlines", func(t, u, p string) string { return t + ";\n info=<" + u + ">;alg=ES256;ppt=" + p + "\n" }},
}

func TestRFC8224_S4_EveryFormInTheFieldReadsAlike(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			for _, p := range passports(t) {
				ppt := p.ppt
				if ppt == "" {
					ppt = "shaken"
				}
				want := identity.Header{Token: p.token, Info: p.x5u, Alg: "ES256", PPT: ppt}
				value := form.write(p.token, p.x5u, ppt)
				got, err := identity.Parse(value)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("Parse(%q) = %+v, %v", value, got, err)
				}
				if canonical := forms[0].write(p.token, p.x5u, ppt); got.String() != canonical {
					t.Fatalf("String() = %q, want %q", got.String(), canonical)
				}
			}
		})
	}
}

func TestRFC8224_S4_1_CompactForm(t *testing.T) {
	for _, p := range passports(t) {
		compact := ".." + p.token[strings.LastIndexByte(p.token, '.')+1:]
		h, err := identity.Parse(compact + ";info=<" + p.x5u + ">")
		if err != nil || !h.IsCompact() || h.Token != compact {
			t.Fatalf("Parse = %+v, %v", h, err)
		}
		if full, err := identity.Parse(p.token); err != nil || full.IsCompact() {
			t.Fatalf("a full form is taken for a compact one, or refused: %v", err)
		}
	}
}

func TestParse_Good(t *testing.T) {
	tests := []struct {
		name, value string
		want        identity.Header
	}{
		{"token alone", "a.b.c", identity.Header{Token: "a.b.c"}},
		{"no info", "a.b.c;alg=ES256", identity.Header{Token: "a.b.c", Alg: "ES256"}},
		{"base64 with padding", "a+/=.b==.c;info=<u>", identity.Header{Token: "a+/=.b==.c", Info: "u"}},
		{"one segment", "abc;info=<u>", identity.Header{Token: "abc", Info: "u"}},
		{"equals sign and semicolon in info", "a.b.c;info=<https://h/c?x=y;z>", identity.Header{Token: "a.b.c", Info: "https://h/c?x=y;z"}},
		{"comma in bare info", "a.b.c;info=https://h/a,b;ppt=div", identity.Header{Token: "a.b.c", Info: "https://h/a,b", PPT: "div"}},
		{"info that is no URI", "a.b.c;info=x", identity.Header{Token: "a.b.c", Info: "x"}},
		{"div-o", "a.b.c;ppt=div-o", identity.Header{Token: "a.b.c", PPT: "div-o"}},
		{
			"unknown parameters keep their order and form", `a.b.c;z;info=<u>;y="q;,\"<";X=[2001:db8::1];w=<a;b>;ppt=div`,
			identity.Header{Token: "a.b.c", Info: "u", PPT: "div", Params: []identity.Param{
				{Name: "z"}, {Name: "y", Value: `"q;,\"<"`}, {Name: "X", Value: "[2001:db8::1]"}, {Name: "w", Value: "<a;b>"},
			}},
		},
		{"unknown parameter in empty quotes", `a.b.c;z=""`, identity.Header{Token: "a.b.c", Params: []identity.Param{{Name: "z", Value: `""`}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := identity.Parse(test.value)
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Fatalf("Parse(%q) = %+v, %v, want %+v", test.value, got, err, test.want)
			}
			again, err := identity.Parse(got.String())
			if err != nil || !reflect.DeepEqual(again, got) {
				t.Fatalf("Parse(%q) = %+v, %v, want %+v", got.String(), again, err, got)
			}
		})
	}
}

func TestParse_Bad(t *testing.T) {
	unknown := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(";x" + strings.Repeat("x", i))
		}
		return b.String()
	}
	tests := []struct {
		name, value string
		want        error
	}{
		{"empty", "", identity.ErrNoToken},
		{"spaces", " \t ", identity.ErrNoToken},
		{"parameters only", ";info=<https://h/c>;alg=ES256", identity.ErrNoToken},
		{"space in the token", "a.b c;info=<u>", identity.ErrTokenCharacters},
		{"quoted token", `"a.b.c";info=<u>`, identity.ErrTokenCharacters},
		{"token not in ASCII", "a.b.é;info=<u>", identity.ErrTokenCharacters},
		{"NUL in the token", "a.b\x00.c", identity.ErrTokenCharacters},
		{"line break in the token", "a.b.c\r\nVia: x", identity.ErrTokenCharacters},
		{"fold in the token", "a.b.c\r\n d", identity.ErrTokenCharacters},
		{"two tokens", "a.b.c,d.e.f", identity.ErrTokenCharacters},
		{"another header field", "Date: Fri, 25 Sep 2015 19:12:25 GMT", identity.ErrTokenCharacters},
		{"name without value", "a.b.c;alg=", identity.ErrParameter},
		{"value without name", "a.b.c;=ES256", identity.ErrParameter},
		{"two values", "a.b.c;alg=ES256 ES384", identity.ErrParameter},
		{"second header value", "a.b.c;ppt=shaken,d.e.f;x=y", identity.ErrParameter},
		{"known parameter without value", "a.b.c;ppt", identity.ErrParameter},
		{"empty quotes", `a.b.c;ppt=""`, identity.ErrParameter},
		{"space in a token value", `a.b.c;alg="ES 256"`, identity.ErrParameter},
		{"semicolon in a token value", `a.b.c;alg="ES256;x"`, identity.ErrParameter},
		{"brackets round alg", `a.b.c;alg=<ES256>`, identity.ErrParameter},
		{"quotes not closed", `a.b.c;x="y`, identity.ErrParameter},
		{"quotes closed by an escape", `a.b.c;x="y\"`, identity.ErrParameter},
		{"escape at the end", `a.b.c;x="y\`, identity.ErrParameter},
		{"control in quotes", "a.b.c;x=\"\x01\"", identity.ErrParameter},
		{"line break in quotes", "a.b.c;x=\"\r\nVia: y\"", identity.ErrParameter},
		{"text behind quotes", `a.b.c;x="y"z`, identity.ErrParameter},
		{"too many parameters", "a.b.c" + unknown(identity.ParamsMax+1), identity.ErrParameter},
		{"info without value", "a.b.c;info=;alg=ES256", identity.ErrInfo},
		{"info as a flag", "a.b.c;info;alg=ES256", identity.ErrInfo},
		{"info with empty brackets", "a.b.c;info=<>", identity.ErrInfo},
		{"info with a space", "a.b.c;info=<https://h/a b>", identity.ErrInfo},
		{"info not closed", "a.b.c;info=<https://h/c;alg=ES256", identity.ErrInfo},
		{"info with text behind", "a.b.c;info=<https://h/c>x", identity.ErrInfo},
		{"info with quotes inside", `a.b.c;info=<https://h/"c">`, identity.ErrInfo},
		{"info with brackets inside", `a.b.c;info=<https://h/<c>>`, identity.ErrInfo},
		{"info not in ASCII", "a.b.c;info=<https://é/c>", identity.ErrInfo},
		{"info twice", "a.b.c;info=<u>;info=<v>", identity.ErrDuplicate},
		{"info twice alike", "a.b.c;info=<u>;INFO=<u>", identity.ErrDuplicate},
		{"ppt twice", "a.b.c;ppt=shaken;info=<u>;ppt=div", identity.ErrDuplicate},
		{"unknown parameter twice", "a.b.c;x;X=1", identity.ErrDuplicate},
		{"too long", strings.Repeat("a", identity.BytesMax+1), identity.ErrTooLong},
		{"too long by folding", "a.b.c" + strings.Repeat("\r\n ", identity.BytesMax/3), identity.ErrTooLong},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h, err := identity.Parse(test.value)
			if !errors.Is(err, test.want) {
				t.Errorf("error is %v, want %v", err, test.want)
			}
			if !reflect.DeepEqual(h, identity.Header{}) {
				t.Errorf("a refusal comes with %+v", h)
			}
		})
	}
	for name, value := range map[string]string{
		"longest":             strings.Repeat("a", identity.BytesMax),
		"greatest parameters": "a.b.c" + unknown(identity.ParamsMax),
	} {
		if _, err := identity.Parse(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMarshalText_RefusesWhatWouldNotBeReadBack(t *testing.T) {
	good := identity.Header{Token: "a.b.c", Info: "https://cert.example.org/c", Alg: "ES256", PPT: "shaken"}
	if text, err := json.Marshal(good); err != nil || !strings.Contains(string(text), "a.b.c;info=") {
		t.Fatalf("Marshal = %s, %v", text, err)
	}
	tests := map[string]func(h *identity.Header){
		"no token":                    func(h *identity.Header) { h.Token = "" },
		"line break in the token":     func(h *identity.Header) { h.Token = "a.b.c\r\nVia: x" },
		"parameter in the token":      func(h *identity.Header) { h.Token = "a.b.c;ppt=div" },
		"second value in the token":   func(h *identity.Header) { h.Token = "a.b.c,d.e.f" },
		"spaces round the token":      func(h *identity.Header) { h.Token = " a.b.c" },
		"bracket in info":             func(h *identity.Header) { h.Info = "https://h/>;x=<" },
		"parameter in ppt":            func(h *identity.Header) { h.PPT = "shaken;x=y" },
		"known name among parameters": func(h *identity.Header) { h.Params = []identity.Param{{Name: "alg", Value: "none"}} },
		"nameless parameter":          func(h *identity.Header) { h.Params = []identity.Param{{}} },
		"too long":                    func(h *identity.Header) { h.Token = strings.Repeat("a", identity.BytesMax) },
	}
	for name, spoil := range tests {
		h := good
		spoil(&h)
		if text, err := h.MarshalText(); !errors.Is(err, identity.ErrUnwritable) || text != nil {
			t.Errorf("%s: MarshalText = %q, %v", name, text, err)
		}
	}
	var back identity.Header
	if err := back.UnmarshalText([]byte(good.String())); err != nil || !reflect.DeepEqual(back, good) {
		t.Errorf("UnmarshalText = %+v, %v", back, err)
	}
	if err := back.UnmarshalText([]byte(";")); err == nil || !reflect.DeepEqual(back, identity.Header{}) {
		t.Errorf("UnmarshalText = %+v, %v", back, err)
	}
}

func FuzzParse(f *testing.F) {
	all := passports(f)
	for i, form := range forms {
		p := all[i]
		f.Add(form.write(p.token, p.x5u, "shaken"))
	}
	for _, seed := range []string{"", "a.b.c", `a.b.c;z;y="q;,\"<";X=[::1];w=<a;b>`, "..c;info=x", "a;info=\"<\\>\"", "a;x=\"\\", "a\r\n ;b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		h, err := identity.Parse(value)
		if err != nil {
			if !reflect.DeepEqual(h, identity.Header{}) {
				t.Fatalf("a refusal comes with %+v", h)
			}
			return
		}
		again, err := identity.Parse(h.String())
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Fatalf("Parse(%q) = %+v, %v, want %+v", h.String(), again, err, h)
		}
		if _, err := h.MarshalText(); err != nil {
			t.Fatalf("what was parsed cannot be written: %v", err)
		}
		if strings.ContainsAny(h.String(), "\r\n\x00") {
			t.Fatalf("line break in %q", h.String())
		}
	})
}

func BenchmarkParse(b *testing.B) {
	p := passports(b)[20]
	value := forms[0].write(p.token, p.x5u, "shaken")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := identity.Parse(value); err != nil {
			b.Fatal(err)
		}
	}
}
