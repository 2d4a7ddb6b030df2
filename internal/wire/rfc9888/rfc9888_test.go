package rfc9888_test

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

func number(t testing.TB, text string) tn.Number {
	t.Helper()
	n, err := tn.ParseNumber(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRFC8816_S9_CalledNumberInThePath: the canonical form, and what people write.
func TestRFC8816_S9_CalledNumberInThePath(t *testing.T) {
	for _, c := range []struct{ segment, want string }{
		{"19035550123", "19035550123"},
		{"1.903.555.0123", "19035550123"}, // the form of RFC 8816 §9
		{"+19035550123", "19035550123"},
		{"+1 (903) 555-0123", "19035550123"},
		{"*67", "*67"},
		{"#31#", "#31#"},
		{"1", "1"},
		{"123456789012345", "123456789012345"},
		{"1234567890123456", ""},
		{"", ""}, {"+", ""}, {"-", ""}, {"++1", ""}, {"1+", ""}, {"1/2", ""}, {"a", ""}, {"sip:a@b.example", ""}, {"tel:+1", ""}, {"١", ""}, {"1\x00", ""}, {"1\t2", ""},
		{strings.Repeat("-", 64) + "1", ""},
	} {
		got, err := rfc9888.ReadDest(c.segment)
		if got.String() != c.want || c.want == "" && !errors.Is(err, oob.Malformed) || c.want != "" && err != nil {
			t.Errorf("%q: %q, %v", c.segment, got, err)
		}
	}
}

// TestRFC8816_S9_PathIsReadAsItWasWritten by the patterns of the endpoints.
func TestRFC8816_S9_PathIsReadAsItWasWritten(t *testing.T) {
	for _, dest := range []string{"19035550123", "*67", "#31#"} {
		for pattern, written := range map[string]string{
			rfc9888.CollectionPattern: rfc9888.CollectionPath(number(t, dest)),
			rfc9888.ItemPattern:       rfc9888.ItemPath(number(t, dest), oob.PassportID("a.b.c")),
		} {
			read := false
			mux := http.NewServeMux()
			mux.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) {
				got, err := rfc9888.ReadDest(r.PathValue("dest"))
				read = err == nil && got == number(t, dest)
			})
			u, err := url.ParseRequestURI(written)
			if err != nil || path.Clean(u.EscapedPath()) != written {
				t.Fatalf("%s: %v", written, err)
			}
			mux.ServeHTTP(nil, &http.Request{Method: http.MethodGet, URL: u, RequestURI: written})
			if !read {
				t.Errorf("%s is not read as it was written", written)
			}
		}
	}
}

func TestOrigNarrows(t *testing.T) {
	dest := number(t, "19035550123")
	for _, text := range []string{"", "12013776051", "#31#", "sip:a+b@b.example", "urn:x:a&b=c%2F"} {
		want := tn.Identity{}
		if text != "" {
			var err error
			if want, err = tn.ParseIdentity(text); err != nil {
				t.Fatal(err)
			}
		}
		u, err := url.Parse(rfc9888.NarrowedPath(dest, want))
		if err != nil {
			t.Fatal(err)
		}
		got, err := rfc9888.ReadOrig(u.Query())
		if err != nil || got != want || (text == "") != (u.RawQuery == "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, query := range []string{"orig=", "orig=%2B1", "orig=1&orig=1", "orig=a", "orig=1+2"} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := rfc9888.ReadOrig(values); !errors.Is(err, oob.Malformed) || !got.IsZero() {
			t.Errorf("%s: %q, %v", query, got, err)
		}
	}
}

// TestRFC7240_S2_Preferences: what is not understood does not matter.
func TestRFC7240_S2_Preferences(t *testing.T) {
	rep, wait := rfc9888.Preferences{Representation: true}, func(d time.Duration) rfc9888.Preferences { return rfc9888.Preferences{Wait: d} }
	for _, c := range []struct {
		fields []string
		want   rfc9888.Preferences
	}{
		{nil, rfc9888.Preferences{}},
		{[]string{"return=representation"}, rep},
		{[]string{`Return = "representation" ; x=y`}, rep},
		{[]string{"return=minimal, return=representation"}, rfc9888.Preferences{}},
		{[]string{"wait=5"}, wait(5 * time.Second)},
		{[]string{"wait=3600"}, wait(rfc9888.WaitMax)},
		{[]string{"wait=0"}, wait(0)},
		{[]string{"wait=-1"}, wait(0)},
		{[]string{"wait=99999999999999999999"}, wait(rfc9888.WaitMax)},
		{[]string{"wait=1.5"}, wait(0)},
		{[]string{"wait"}, wait(0)},
		{[]string{"respond-async, wait=7", "return=representation"}, rfc9888.Preferences{Representation: true, Wait: 7 * time.Second}},
		{[]string{"handling=lenient", "wait=7"}, wait(7 * time.Second)},
		{[]string{",,;=,\x00", "wait=7"}, wait(7 * time.Second)},
		{[]string{strings.Repeat("x,", 512), "wait=7"}, wait(0)},
	} {
		if got := rfc9888.ReadPrefer(http.Header{"Prefer": c.fields}); got != c.want {
			t.Errorf("%q: %+v", c.fields, got)
		}
	}
	for _, want := range []rfc9888.Preferences{{}, rep, wait(time.Second), {Representation: true, Wait: rfc9888.WaitMax}} {
		h := http.Header{}
		want.SetApplied(h)
		if got := rfc9888.ReadPrefer(http.Header{"Prefer": h["Preference-Applied"]}); got != want || len(h) > 1 {
			t.Errorf("%+v: %+v from %v", want, got, h)
		}
		want.SetPrefer(h)
		if got := rfc9888.ReadPrefer(h); got != want {
			t.Errorf("%+v: %+v", want, got)
		}
	}
}

func TestList(t *testing.T) {
	dest := number(t, "19035550123")
	home := &url.URL{Scheme: "https", Host: "cps.example:8443", Path: "/base" + rfc9888.CollectionPath(dest), RawQuery: "orig=1"}
	records := []oob.Record{{Passports: []string{"a.b.c", "d.e.f"}}, {Passports: []string{"g.h.i"}}, {}, {Passports: []string{"a.b.c"}}}
	body := rfc9888.WriteList("/base", dest, records)
	got, err := rfc9888.ReadList(home, body)
	item := func(passport string) string {
		return "https://cps.example:8443/base" + rfc9888.ItemPath(dest, oob.PassportID(passport))
	}
	if want := []string{item("a.b.c"), item("g.h.i")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v from %s", got, err, body)
	}
	if body := rfc9888.WriteList("", dest, nil); string(body) != "[]" {
		t.Errorf("nothing there: %s", body)
	}
	many := make([]oob.Record, 2000)
	for i := range many {
		many[i].Passports = []string{strings.Repeat("a", i) + ".b.c"}
	}
	if got, err := rfc9888.ReadList(home, rfc9888.WriteList("/base", dest, many)); err != nil || len(got) != rfc9888.ListMax {
		t.Errorf("%d, %v", len(got), err)
	}
}

// lists are what CPSs may answer; they are also the seeds of FuzzReadList.
var lists = []struct {
	name string
	body string
	want int      // elements
	kind oob.Kind // of the refusal, where it is not 0
}{
	{"nothing", `[]`, 0, 0},
	{"of another way of naming", `["/cps/19035550123/ppts/1", "/cps/19035550123/ppts/2/"]`, 2, 0},
	{"absolute", `["https://cps.example/cps/19035550123/ppts/1"]`, 1, 0},
	{"relative", `["ppts/1"]`, 1, 0},
	{"twice", `["/cps/19035550123/ppts/1","ppts/1"]`, 1, 0},
	{"of another number", `["/cps/19035550124/ppts/1"]`, 0, oob.Malformed},
	{"on another host", `["https://evil.example/cps/19035550123/ppts/1"]`, 0, oob.Malformed},
	{"on another host, without scheme", `["//evil.example/cps/19035550123/ppts/1"]`, 0, oob.Malformed},
	{"on another port", `["https://cps.example:444/cps/19035550123/ppts/1"]`, 0, oob.Malformed},
	{"in clear", `["http://cps.example/cps/19035550123/ppts/1"]`, 0, oob.Malformed},
	{"a user", `["https://a:b@cps.example/cps/19035550123/ppts/1"]`, 0, oob.Malformed},
	{"climbing", `["/cps/19035550123/ppts/../../x"]`, 0, oob.Malformed},
	{"climbing, encoded", `["/cps/19035550123/ppts/%2e%2e"]`, 0, oob.Malformed},
	{"deeper", `["/cps/19035550123/ppts/1/2"]`, 0, oob.Malformed},
	{"itself", `["/cps/19035550123/ppts/"]`, 0, oob.Malformed},
	{"a query", `["/cps/19035550123/ppts/1?x=y"]`, 0, oob.Malformed},
	{"a fragment", `["/cps/19035550123/ppts/1#x"]`, 0, oob.Malformed},
	{"no reference", `[":"]`, 0, oob.Malformed},
	{"control characters", `["/cps/19035550123/ppts/\u0000\r\n"]`, 0, oob.Malformed},
	{"numbers", `[1]`, 0, oob.Malformed},
	{"an object", `{"passports":[]}`, 0, oob.Malformed},
	{"text behind", `[] []`, 0, oob.Malformed},
	{"too many", `["a"` + strings.Repeat(`,"a"`, rfc9888.ListMax) + `]`, 0, oob.TooLarge},
	{"deep", strings.Repeat("[", 100_000), 0, oob.Malformed},
	{"not JSON", `<html>`, 0, oob.Malformed},
}

func home(t testing.TB) *url.URL {
	u, err := url.Parse("https://cps.example" + rfc9888.CollectionPath(number(t, "19035550123")))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestReadListOfOthers(t *testing.T) {
	for _, c := range lists {
		got, err := rfc9888.ReadList(home(t), []byte(c.body))
		if len(got) != c.want || c.kind != 0 && !errors.Is(err, c.kind) || c.kind == 0 && err != nil || err != nil && got != nil {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

// FuzzReadList: nothing that is read leads anywhere but below the collection, and it is read again as it is.
func FuzzReadList(f *testing.F) {
	for _, c := range lists {
		f.Add([]byte(c.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		items, err := rfc9888.ReadList(home(t), body)
		if err != nil {
			if items != nil || !errors.Is(err, oob.Malformed) && !errors.Is(err, oob.TooLarge) {
				t.Fatalf("%q, %v", items, err)
			}
			return
		}
		for _, item := range items {
			u, err := url.Parse(item)
			if err != nil || u.Host != "cps.example" || u.Scheme != "https" || path.Dir(strings.TrimSuffix(u.EscapedPath(), "/")) != "/cps/19035550123/ppts" {
				t.Fatalf("%q, %v", item, err)
			}
		}
	})
}

// TestRFC9457_S3_EveryKindComesBack through the problem that stands for it; nothing but what may be told is in it.
func TestRFC9457_S3_EveryKindComesBack(t *testing.T) {
	for _, kind := range oob.Kinds() {
		f := oob.Faultf(kind, "some \"detail\"\xff").Because(errors.New("secret"))
		body := rfc9888.WriteProblem(f)
		if strings.Contains(string(body), "secret") {
			t.Errorf("%s tells the cause: %s", kind, body)
		}
		got := rfc9888.ReadProblem(kind.Row().HTTP, body)
		if got.Kind != kind || got.Err == nil || got.Err.Error() != `some "detail"?` {
			t.Errorf("%s: %v", kind, got)
		}
		got = rfc9888.ReadProblem(kind.Row().HTTP, rfc9888.WriteProblem(&oob.Fault{Kind: kind}))
		if got.Kind != kind || got.Err == nil || got.Err.Error() != kind.Row().Title {
			t.Errorf("%s without detail: %v", kind, got)
		}
	}
}

// problems are those of others; they are also the seeds of FuzzReadProblem.
var problems = []struct {
	status int
	body   string
	kind   oob.Kind
	cause  string
}{
	{404, `{"type":"about:blank","title":"Not Found","status":404}`, oob.NotFound, "Not Found"},
	{404, `{"type":"urn:viaduct:fault:wrong-path","detail":"x"}`, oob.WrongPath, "x"},
	{403, `{"type":"urn:viaduct:fault:not-found"}`, oob.Refused, ""},
	{403, `{"type":"not-found"}`, oob.Refused, ""},
	{429, `{"detail":"a\r\nb\u0007"}`, oob.RateLimited, "a??b?"},
	{503, ``, oob.Overloaded, ""},
	{500, `{"detail":{}}`, oob.PeerFailed, ""},
	{400, `{"detail":"x","detail":"y"}`, oob.Malformed, "x"},
	{302, `{}`, oob.PeerFailed, ""},
}

func TestReadProblemOfOthers(t *testing.T) {
	for _, c := range problems {
		got := rfc9888.ReadProblem(c.status, []byte(c.body))
		cause := ""
		if got.Err != nil {
			cause = got.Err.Error()
		}
		if got.Kind != c.kind || cause != c.cause {
			t.Errorf("%d %s: %s, %q", c.status, c.body, got.Kind, cause)
		}
	}
}

// FuzzReadProblem: whatever is answered is a Fault of the same status, or of none, and short.
func FuzzReadProblem(f *testing.F) {
	for _, c := range problems {
		f.Add(c.status, []byte(c.body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		got := rfc9888.ReadProblem(status, body)
		if got.Kind != oob.PeerFailed && got.Kind.Row().HTTP != status || got.Err != nil && len(got.Err.Error()) > 3*200 {
			t.Fatalf("%d: %+v", status, got)
		}
		if again := rfc9888.ReadProblem(status, rfc9888.WriteProblem(got)); got.Kind.Row().HTTP == status && again.Kind != got.Kind {
			t.Fatalf("%v, then %v", got, again)
		}
	})
}

// TestEndpointsAreReachable: one operation each, no pattern in the way of another.
func TestEndpointsAreReachable(t *testing.T) {
	mux := http.NewServeMux()
	for _, e := range rfc9888.Endpoints {
		mux.HandleFunc(e.Method+" "+e.Pattern, func(http.ResponseWriter, *http.Request) {})
		if e.Section == "" || e.Action == "" {
			t.Errorf("%+v has a gap", e)
		}
	}
	for path, want := range map[string]string{
		"/cps/1/ppts": rfc9888.CollectionPattern, "/cps/ppts": rfc9888.SubscribePattern, "/cps/1/ppts/x": rfc9888.ItemPattern, "/cps/1": "",
	} {
		_, pattern := mux.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}})
		if got := strings.TrimPrefix(pattern, "GET "); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
	if got := rfc9888.Link("/cps/1/ppts", "self"); got != `</cps/1/ppts>; rel="self"` {
		t.Error(got)
	}
}
