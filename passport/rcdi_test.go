package passport_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
)

func digest(content string) string {
	return "sha256-" + base64.RawStdEncoding.EncodeToString(sha256Of(content))
}

// The three digests of RFC 9795 whose input the document prints, recomputed.
func TestRFC9795_S6_1_PrintedDigestsAreRight(t *testing.T) {
	var file struct {
		Claims []struct {
			ID   string
			Card string `json:"jcl_body_minified"`
		}
		Checked []struct{ Digest string } `json:"rcdi_digests_checked"`
	}
	data, err := os.ReadFile("testdata/rfc-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(qBranch, "photos/q-256x256.png", "photos/quartermaster-256x256.png", 1)
	for i, want := range []string{namDigest, cardDigest, otherDigest} {
		if file.Checked[i].Digest != want {
			t.Errorf("digest %d of the file is %s", i, file.Checked[i].Digest)
		}
	}
	for _, c := range file.Claims {
		if c.Card != "" && c.Card != qBranch {
			t.Errorf("%s has another jCard", c.ID)
		}
	}
	nam := readRich(t, rich(`{"nam":"Q Branch Spy Gadgets"}`, "/nam", namDigest))
	jcl := passport.RichLink{Pointer: "/jcl", URI: "https://example.com/qbranch.json", Digest: cardDigest}
	jcd := readRich(t, rich(`{"nam":"","jcd":`+strings.ReplaceAll(other, ":", "\\u003a")+`}`, "/jcd", otherDigest, "/jcd/1/3/3",
		photoDigest, "/jcd/1/4/3", logoDigest, "/jcd/1/5/3", smallDigest))
	for name, err := range map[string]error{
		"nam": nam.CheckInline(), "jcl": jcl.Check([]byte(qBranch)), "jcd": jcd.CheckInline(),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := jcl.Check([]byte(other)); !errors.Is(err, passport.DigestMismatch) {
		t.Errorf("jcl with another body: %v", err)
	}
}

func TestRFC9795_S6_InlineDigests(t *testing.T) {
	card := `["vcard",[["fn",{"x/y":"~"},"text","Q"],["photo",{},"uri","https://a.example/p","https://a.example/q"]]]`
	p, q := hi256, hi512 // of what is fetched, which is not known here
	for _, c := range []partCase{
		{"nam", rich(`{"nam":"Q"}`, "/nam", digest(`"Q"`)), 0},
		{"nam, escaped in the token", rich(`{"nam":"\u0051 \u0026"}`, "/nam", digest(`"Q &"`)), 0},
		{"empty nam", rich(`{"nam":""}`, "/nam", digest(`""`)), 0},
		{"nam without quotation marks, as one vendor had it", rich(`{"nam":"Q"}`, "/nam", digest(`Q`)), passport.DigestMismatch},
		{"another nam", rich(`{"nam":"R"}`, "/nam", digest(`"Q"`)), passport.DigestMismatch},
		{"apn", rich(`{"nam":"","apn":"12025559990"}`, "/apn", digest(`"12025559990"`)), 0},
		{"another apn", rich(`{"nam":"","apn":"12025559991"}`, "/apn", digest(`"12025559990"`)), passport.DigestMismatch},
		{"no apn", rich(`{"nam":""}`, "/apn", digest(`""`)), passport.RCDIForm},
		{"icn", rich(`{"nam":"","icn":"https://a.example/i"}`, "/icn", p), 0},
		{"icn without digest", rich(`{"nam":"","icn":"https://a.example/i"}`, "/nam", digest(`""`)), passport.RCDIForm},
		{"no icn", rich(`{"nam":""}`, "/icn", p), passport.RCDIForm},
		{"jcl", rich(`{"nam":"","jcl":"https://a.example/j"}`, "/jcl", p, "/jcl/1/3/3", q), 0},
		{"jcl without its own digest", rich(`{"nam":"","jcl":"https://a.example/j"}`, "/jcl/1/3/3", q), passport.RCDIForm},
		{"no jcl", rich(`{"nam":""}`, "/jcl/1/3/3", q), passport.RCDIForm},
		{"a member that nobody knows", rich(`{"nam":"","new":1}`, "/new", digest(`1`)), passport.RCDIForm},
		{"inside of nam", rich(`{"nam":""}`, "/nam/0", digest(`""`)), passport.RCDIForm},
		{"jcd", rich(`{"nam":"","jcd":`+card+`}`, "/jcd/1/1/3", p, "/jcd/1/1/4", q), 0},
		{"jcd with a digest of the whole", rich(`{"nam":"","jcd":`+card+`}`, "/jcd", digest(card), "/jcd/1/1/3", p, "/jcd/1/1/4", q), 0},
		{"jcd with white space", rich(`{"nam":"","jcd":`+strings.ReplaceAll(card, ",", " , ")+`}`, "/jcd", digest(card), "/jcd/1/1/3", p, "/jcd/1/1/4", q), 0},
		{"jcd with digests of values", rich(`{"nam":"","jcd":`+card+`}`, "/jcd/0", digest(`"vcard"`), "/jcd/1/0", digest(`["fn",{"x/y":"~"},"text","Q"]`),
			"/jcd/1/0/1/x~1y", digest(`"~"`), "/jcd/1/0/3", digest(`"Q"`), "/jcd/1/1/3", p, "/jcd/1/1/4", q), 0},
		{"another jcd", rich(`{"nam":"","jcd":`+strings.Replace(card, `"Q"`, `"R"`, 1)+`}`, "/jcd", digest(card), "/jcd/1/1/3", p, "/jcd/1/1/4", q), passport.DigestMismatch},
		{"another value in jcd", rich(`{"nam":"","jcd":`+card+`}`, "/jcd/1/0/3", digest(`"R"`), "/jcd/1/1/3", p, "/jcd/1/1/4", q), passport.DigestMismatch},
		{"a URI in jcd without digest", rich(`{"nam":"","jcd":`+card+`}`, "/jcd/1/1/3", p), passport.RCDIForm},
		{"beyond the end of jcd", rich(`{"nam":"","jcd":`+card+`}`, "/jcd/1/1/3", p, "/jcd/1/1/4", q, "/jcd/1/2", p), passport.RCDIForm},
		{"an index with a zero in front", rich(`{"nam":"","jcd":`+card+`}`, "/jcd/1/1/3", p, "/jcd/1/1/4", q, "/jcd/1/00", p), passport.RCDIForm},
		{"an empty token", rich(`{"nam":"","jcd":`+card+`}`, "/jcd/1/1/3", p, "/jcd/1/1/4", q, "/jcd/", p), passport.RCDIForm},
		{"a name that only begins like jcd", rich(`{"nam":"","jcd":`+card+`}`, "/jcd/1/1/3", p, "/jcd/1/1/4", q, "/jcdx", p), passport.RCDIForm},
		{"jcd that is no jCard", rich(`{"nam":"","jcd":["vcard",7]}`), passport.RCDForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := readRich(t, c.part)
			if err := r.CheckInline(); c.want == 0 && err != nil || c.want != 0 && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestRFC9795_S6_LinksAreWhatMustBeFetched(t *testing.T) {
	r := readRich(t, rich(`{"nam":"","icn":"https://a.example/i","jcl":"https://a.example/j"}`, "/icn", hi256, "/jcl", hi384))
	want := []passport.RichLink{{"/icn", "https://a.example/i", hi256}, {"/jcl", "https://a.example/j", hi384}}
	if got := r.Links(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	r = readRich(t, rich(`{"nam":"","jcd":["vcard",[["logo",{},"uri","https://a.example/l"]]]}`, "/jcd/1/0/3", hi512))
	if got, want := r.Links(), []passport.RichLink{{"/jcd/1/0/3", "https://a.example/l", hi512}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if r := readRich(t, rich(`{"nam":"x"}`)); r.Links() != nil || r.CheckInline() != nil {
		t.Errorf("nam alone: %v, %v", r.Links(), r.CheckInline())
	}
	// What cannot be checked is no way around the check.
	link := readRich(t, rich(`{"nam":"","icn":"https://a.example/i"}`)).Links()[0]
	if err := link.Check(nil); link.Digest != "" || !errors.Is(err, passport.RCDIForm) {
		t.Errorf("%v: %v", link, err)
	}
}

func TestRFC9795_S6_1_ContentHasItsDigest(t *testing.T) {
	for _, digest := range []string{hi256, hi384, hi512, hi256 + "="} {
		link := passport.RichLink{Pointer: "/icn", URI: "https://a.example/i", Digest: digest}
		if err := link.Check(hi); err != nil {
			t.Errorf("%s: %v", digest, err)
		}
		for _, body := range []string{"", "hi\n", "ho"} {
			if err := link.Check([]byte(body)); !errors.Is(err, passport.DigestMismatch) {
				t.Errorf("%s of %q: %v", digest, body, err)
			}
		}
	}
}

func TestRFC9795_S6_1_4_LinksOfAFetchedCard(t *testing.T) {
	r := readRich(t, rich(`{"nam":"","jcl":"https://example.com/qbranch.json"}`, "/jcl", cardDigest, "/jcl/1/3/3", photoDigest,
		"/jcl/1/4/3", logoDigest, "/jcl/1/5/3", smallDigest))
	want := []passport.RichLink{
		{"/jcl/1/3/3", "https://example.com/photos/q-256x256.png", photoDigest},
		{"/jcl/1/4/3", "https://example.com/logos/mi6-256x256.jpg", logoDigest},
		{"/jcl/1/5/3", "https://example.com/logos/mi6-64x64.jpg", smallDigest},
	}
	for _, body := range []string{qBranch, strings.ReplaceAll(qBranch, ",", "\n, ")} { // the body's own digest is Check's affair
		if got, err := r.LinksIn([]byte(body)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v, %v", got, err)
		}
	}
	for _, c := range []struct {
		name, card string
		want       passport.Problem
	}{
		{"one more URI", strings.Replace(qBranch, `]]]`, `],["sound",{},"uri","https://example.com/s"]]]`, 1), passport.RCDIForm},
		{"one URI less", strings.Replace(qBranch, `,["logo",{},"uri","https://example.com/logos/mi6-64x64.jpg"]`, "", 1), passport.RCDIForm},
		{"a value where a URI was", strings.Replace(qBranch, `"uri","https://example.com/photos`, `"text","https://example.com/photos`, 1), passport.DigestMismatch},
		{"no jCard", `{}`, passport.RCDForm},
		{"nothing", ``, passport.RCDForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			if links, err := r.LinksIn([]byte(c.card)); !errors.Is(err, c.want) || links != nil {
				t.Errorf("%v, %v, want %q", links, err, c.want)
			}
		})
	}
}

// cardOf is a jCard of the given properties.
func cardOf(properties ...string) string { return `["vcard",[` + strings.Join(properties, ",") + `]]` }

// filled is a jCard of so many bytes.
func filled(bytes int) string {
	short := cardOf(`["note",{},"text",""]`)
	return strings.Replace(short, `""`, `"`+strings.Repeat("a", bytes-len(short))+`"`, 1)
}

func TestRFC7095_S3_JCardIsReadStrictly(t *testing.T) {
	many := func(n int, property string) []string {
		var all []string
		for i := range n {
			all = append(all, strings.Replace(property, "%", fmt.Sprint(i), 1))
		}
		return all
	}
	const text, photo = `["note",{},"text","%"]`, `["photo",{},"uri","https://a.example/%"]`
	for _, c := range []struct {
		name, card string
		want       passport.Problem
	}{
		{"no properties", cardOf(), 0},
		{"parameters", cardOf(`["tel",{"type":["voice","cell"],"pref":"1"},"text","1"]`), 0},
		{"several values", cardOf(`["nickname",{},"text","a","b"]`), 0},
		{"a structured value", cardOf(`["n",{},"text",["a",["b","c"]]]`), 0},
		{"a number", cardOf(`["x-n",{},"integer",7]`), 0},
		{"URIs that have no content", cardOf(`["tel",{},"uri","tel:+12025551000"]`, `["photo",{},"uri","data:image/png;base64,AA=="]`, `["uid",{},"uri","URN:uuid:1"]`), 0},
		{"a URI of another scheme", cardOf(`["photo",{},"uri","ftp://a.example/p"]`), passport.RCDIForm},
		{"a scheme in upper case", cardOf(`["photo",{},"uri","HTTPS://a.example/p"]`), passport.RCDIForm},
		{"a URI inside of an array", cardOf(`["photo",{},"uri",["tel:1",["https://a.example/p"]]]`), passport.RCDIForm},
		{"a second URI", cardOf(`["photo",{},"uri","tel:1","https://a.example/p"]`), passport.RCDIForm},
		{"a type in upper case", cardOf(`["photo",{},"URI","https://a.example/p"]`), passport.RCDForm},
		{"a name in upper case", cardOf(`["PHOTO",{},"uri","tel:1"]`), passport.RCDForm},
		{"a relative URI", cardOf(`["photo",{},"uri","//a.example/p"]`), passport.RCDForm},
		{"a URI with a space before it", cardOf(`["photo",{},"uri"," https://a.example/p"]`), passport.RCDForm},
		{"a URI with a line break", cardOf(`["photo",{},"uri","https://a.example/\n"]`), passport.RCDForm},
		{"a URI that is a number", cardOf(`["photo",{},"uri",7]`), passport.RCDForm},
		{"a URI that is an object", cardOf(`["photo",{},"uri",{"a":"https://a.example/p"}]`), passport.RCDForm},
		{"128 properties", cardOf(many(128, text)...), 0},
		{"129 properties", cardOf(many(129, text)...), passport.RCDForm},
		{"17 URIs", cardOf(many(17, photo)...), passport.RCDForm},
		{"16 KiB", filled(16 << 10), 0},
		{"one byte more", filled(16<<10 + 1), passport.RCDForm},
		{"deep", cardOf(`["n",{},"text",` + strings.Repeat("[", 5) + strings.Repeat("]", 5) + `]`), 0},
		{"too deep", cardOf(`["n",{},"text",` + strings.Repeat("[", 6) + strings.Repeat("]", 6) + `]`), passport.RCDForm},
		{"another name", `["icalendar",[]]`, passport.RCDForm},
		{"no property array", `["vcard"]`, passport.RCDForm},
		{"three elements", `["vcard",[],[]]`, passport.RCDForm},
		{"properties that are an object", `["vcard",{}]`, passport.RCDForm},
		{"an object", `{"vcard":[]}`, passport.RCDForm},
		{"a property that is a string", `["vcard",["version"]]`, passport.RCDForm},
		{"a property without value", cardOf(`["fn",{},"text"]`), passport.RCDForm},
		{"a property without name", cardOf(`["",{},"text","a"]`), passport.RCDForm},
		{"parameters that are an array", cardOf(`["fn",[],"text","a"]`), passport.RCDForm},
		{"a type that is null", cardOf(`["fn",{},null,"a"]`), passport.RCDForm},
		{"a parameter twice", cardOf(`["fn",{"a":1,"a":2},"text","a"]`), passport.RCDForm},
		{"not UTF-8", cardOf("[\"fn\",{},\"text\",\"\xff\"]"), passport.RCDForm},
		{"a byte order mark", "\ufeff" + cardOf(), passport.RCDForm},
		{"a second card behind", cardOf() + cardOf(), passport.RCDForm},
		{"cut off", `["vcard",[["fn"`, passport.RCDForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &passport.RichCallData{HasRCD: true, JCL: "https://a.example/j", Digests: []passport.RichDigest{{"/jcl", digest(c.card)}}}
			links, err := r.LinksIn([]byte(c.card))
			if c.want == 0 && (err != nil || len(links) > 0) || c.want != 0 && (!errors.Is(err, c.want) || links != nil) {
				t.Errorf("%v, %v, want %q", links, err, c.want)
			}
		})
	}
}
