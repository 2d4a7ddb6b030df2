package e2e

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// difference is an Identity header value that is not quite right, or not quite usual, what others say of it and what we say.
type difference struct {
	name            string
	header, payload edit                // of the JSON, before it is signed
	value           func(string) string // changes the Identity header value, before X5U is filled in
	age             time.Duration       // of iat
	key, path       string              // of the signer and of its certificate; those of provider 1234 when empty
	dest            string              // whom the call goes to, when it is not the called party
	stranger        bool                // we verify outside the laboratory, and have its roots alone

	theirs    int    // Kamailio's code; 0 is "believed". secsipidx has it as its exit status, cut to 8 bits
	secsipidx int    // its code where it is another one, because it looks in another order
	ours      string // the case, or the verdict if there is none
}

// edit replaces a text by another.
type edit struct{ old, text string }

// Codes of libsecsipid 1.2.0, on which both stand.
const (
	theirCertificateUntrusted = -101
	theirAlg                  = -202
	theirTyp                  = -204
	theirX5U                  = -205
	theirPayload              = -231
	theirExpired              = -232
	theirSignature            = -251
	theirParts                = -301
	theirFieldAlg             = -302
	theirField                = -303
	theirFetch                = -403
)

// differences are judged by all three with what they can be given: 60 s of freshness, the same roots, and the certificate
// at its URL. None of them is told the numbers of the call but we: the others have no place for them.
// docs/interoperability.md tells the same for people: change both.
var differences = []difference{
	// All believe.
	{name: "good", ours: passed},
	{name: "quotes around ppt", value: replace("=shaken", `="shaken"`), ours: passed},
	{name: "info without brackets", value: replace("<X5U>", "X5U"), ours: passed},
	{name: "spaces around semicolons", value: replace(";", " ; "), ours: passed},
	{name: "parameters in another order", value: replace(";info=<X5U>;alg=ES256;ppt=shaken", ";ppt=shaken;alg=ES256;info=<X5U>"), ours: passed},
	{name: "empty parameter", value: replace(";alg", ";;alg"), ours: passed},
	{name: "no ppt parameter", value: replace(";ppt=shaken", ""), ours: passed},
	{name: "no alg parameter", value: replace(";alg=ES256", ""), ours: passed},
	{name: "unknown parameter", value: replace(";ppt", ";x=y;ppt"), ours: passed},
	{name: "JSON with spaces, unsorted", header: edit{`{"alg":"ES256",`, `{ "x" : 1, "alg" : "ES256",`}, ours: passed},
	{name: "unknown claim", payload: edit{`{`, `{"x":1,`}, ours: passed},
	{name: "several called numbers", payload: edit{`["12155550131"]`, `["12155550132","12155550131"]`}, ours: passed},
	{name: "called URI beside the number", payload: edit{`"dest":{`, `"dest":{"uri":["sip:a@example.org"],`}, ours: passed},
	{name: "origid not a UUID", payload: edit{`123e4567-e89b-12d3-a456-426655440000`, `7`}, ours: passed},

	// None believes.
	{name: "key of another provider", key: "567B", theirs: theirSignature, ours: "E18"},
	{name: "stale", age: 2 * time.Minute, theirs: theirExpired, ours: "E15"},
	{name: "no iat", payload: edit{`"iat":IAT,`, ``}, theirs: theirExpired, ours: "E14"},
	{name: "iat a string", payload: edit{`IAT`, `"IAT"`}, theirs: theirPayload, ours: "E14"},
	{name: "iat with a fraction", payload: edit{`IAT`, `IAT.5`}, theirs: theirPayload, ours: "E14"},
	{name: "one called number, not in an array", payload: edit{`["12155550131"]`, `"12155550131"`}, theirs: theirPayload, ours: "E14"},
	{name: "alg ES384", header: edit{`ES256`, `ES384`}, theirs: theirAlg, ours: "E12"},
	{name: "typ JWT", header: edit{`"passport"`, `"JWT"`}, theirs: theirTyp, ours: "E11"},
	{name: "info is not x5u", value: replace("<X5U>", "<X5U/>"), theirs: theirX5U, ours: "E10"},
	{name: "no info", value: replace(";info=<X5U>", ""), theirs: theirField, ours: "E6"},
	{name: "compact form", value: compact, theirs: theirParts, secsipidx: theirPayload, ours: "E4"},
	{name: "ppt of another kind", header: edit{`shaken`, `other`}, value: replace("=shaken", "=other"), theirs: theirField, ours: "E5"},
	{name: "certificate of another root", key: "stranger", path: "/stranger.pem", theirs: theirCertificateUntrusted, ours: "E17"},
	{name: "certificate that is not there", path: "/none.pem", theirs: theirFetch, ours: "E8"},

	// They believe, we do not.
	{name: "call to another number", dest: "12155550139", ours: "E16"},
	{name: "iat a day in the future", age: -24 * time.Hour, ours: "E15"},
	{name: "attest Z", payload: edit{`"attest":"A"`, `"attest":"Z"`}, ours: "E19"},
	{name: "no attest", payload: edit{`"attest":"A",`, ``}, ours: "E14"},
	{name: "no origid", payload: edit{`,"origid":"123e4567-e89b-12d3-a456-426655440000"`, ``}, ours: "E14"},
	{name: "no dest", payload: edit{`"dest":{"tn":["12155550131"]},`, ``}, ours: "E14"},
	{name: "orig no number", payload: edit{`12155550121`, `x`}, ours: "E14"},
	{name: "plus sign in orig", payload: edit{`12155550121`, `+12155550121`}, ours: "E14"},
	{name: "claim that stands twice", payload: edit{`"orig":`, `"orig":{"tn":"12155550199"},"orig":`}, ours: "E14"},
	{name: "no alg", header: edit{`"alg":"ES256",`, ``}, ours: "E9"},
	{name: "no ppt", header: edit{`"ppt":"shaken",`, ``}, ours: "E9"},
	{name: "no typ", header: edit{`"typ":"passport",`, ``}, ours: "E9"},
	{name: "no x5u", header: edit{`,"x5u":"X5U"`, ``}, ours: "E9"},
	{name: "crit", header: edit{`{`, `{"crit":["x"],"x":1,`}, ours: "E13"},
	{name: "info that stands twice", value: replace(";info", ";info=<https://example.org/>;info"), ours: "E4"},
	{name: "padded signature", value: replace(";info", "==;info"), ours: "E4"},
	{name: "signature with stray bits", value: strayBits, ours: "E4"},
	{name: "20,000 bytes", payload: edit{`{`, `{"x":"` + strings.Repeat("x", 20_000) + `",`}, ours: "E4"},
	{name: "certificate without TNAuthList", key: "tls", path: "/tls.pem", ours: "E17"},
	{name: "certificate over plain http", path: "plain:/1234.pem", ours: "E7"},
	{name: "certificate behind a redirect", path: "moved:/1234.pem", ours: "E8"},
	{name: "certificate on a private address", stranger: true, ours: "E7"},

	// We believe, they do not.
	{name: "capitals in names of parameters", value: replace(";info", ";INFO"), theirs: theirField, ours: passed},
	{name: "quotes around alg", value: replace("=ES256", `="ES256"`), theirs: theirFieldAlg, ours: passed},
	{name: "equals sign in x5u", path: "/a=b.pem", theirs: theirField, ours: passed},
	{name: "token alone, out of band", value: tokenOf, theirs: theirParts, ours: passed},
}

func replace(old, text string) func(string) string {
	return func(value string) string { return strings.Replace(value, old, text, 1) }
}

func tokenOf(value string) string {
	token, _, _ := strings.Cut(value, ";")
	return token
}

// compact leaves out header and payload, which a receiver could rebuild (RFC 8225 §7).
func compact(value string) string { return ".." + value[strings.LastIndexByte(tokenOf(value), '.')+1:] }

// strayBits sets a bit that decodes to nothing: 64 bytes of signature leave four over in the last of 86 characters.
func strayBits(value string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(tokenOf(value)) - 1
	return value[:last] + string(alphabet[strings.IndexByte(alphabet, value[last])+1]) + value[last+1:]
}

// gallery is the laboratory in which the differences are made and judged.
type gallery struct {
	*laboratory
	secsipidx secsipidx
	roots     string            // the file
	keys      map[string]string // the file of each signer's key
	hosts     map[string]string // the URL with which the x5u begins
}

func newGallery(t *testing.T) *gallery {
	t.Helper()
	g := &gallery{secsipidx: findSecsipidx(t), laboratory: newLaboratory(t)}
	stranger := initLaboratory(t, "127.0.0.1:1")
	g.publish(t, "stranger.pem", stranger.path("repository", "1234.pem"))
	g.publish(t, "tls.pem", g.path("tls", "cps.pem"))
	g.publish(t, "a=b.pem", g.path("repository", "1234.pem"))
	g.keys = map[string]string{
		"": g.key("1234"), "567B": g.key("567B"), "stranger": stranger.key("1234"), "tls": g.path("tls", "cps-key.pem"),
	}
	plain, moved := g.wayward(t)
	g.hosts = map[string]string{"": g.repository, "plain": plain, "moved": moved}
	g.roots = g.path("roots.pem") // the TLS root, too: it has no certificates with a TNAuthList, but is trusted
	var roots []byte
	for _, name := range []string{"sti-root.pem", "tls-root.pem"} {
		text, err := os.ReadFile(g.path(name))
		check(t, err)
		roots = append(roots, text...)
	}
	check(t, os.WriteFile(g.roots, roots, 0o600))
	return g
}

// compose has secsipidx sign the JSON of a row as it is, and makes the Identity header value.
func (g *gallery) compose(t *testing.T, d difference) (value, x5u string) {
	t.Helper()
	host, path, named := strings.Cut(d.path, ":")
	if !named {
		host, path = "", d.path
	}
	if path == "" {
		path = "/1234.pem"
	}
	x5u = g.hosts[host] + path
	fill := strings.NewReplacer("X5U", x5u, "IAT", strconv.FormatInt(time.Now().Add(-d.age).Unix(), 10))
	header := swap(t, `{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"X5U"}`, d.header.old, d.header.text)
	payload := swap(t, `{"attest":"A","dest":{"tn":["12155550131"]},"iat":IAT,"orig":{"tn":"12155550121"},`+
		`"origid":"123e4567-e89b-12d3-a456-426655440000"}`, d.payload.old, d.payload.text)
	token := g.secsipidx.sign(t, g.keys[d.key], "-sign", "-header", fill.Replace(header), "-payload", fill.Replace(payload))
	value = token + ";info=<X5U>;alg=ES256;ppt=shaken"
	if d.value != nil {
		before := value
		if value = d.value(value); value == before {
			t.Fatal("nothing is different")
		}
	}
	// Only behind the token: one signature in some thousand has "IAT" or "X5U" within it by chance.
	token, parameters, more := strings.Cut(value, ";")
	if !more {
		return token, x5u
	}
	return token + ";" + fill.Replace(parameters), x5u
}

func TestDifferencesFromSecsipidx(t *testing.T) {
	g := newGallery(t)
	for _, d := range differences {
		t.Run(d.name, func(t *testing.T) {
			value, x5u := g.compose(t, d)
			want := d.theirs
			if d.secsipidx != 0 {
				want = d.secsipidx
			}
			if got := g.secsipidx.check(t, g.laboratory, value, x5u, g.roots); got != int(byte(want)) {
				t.Errorf("secsipidx exits with %d, want %d", got, byte(want))
			}
			args := []string{"--anchor", g.roots}
			if !d.stranger {
				args = slices.Concat(args, []string{"--lab", g.dir}, g.exempted())
			}
			if d.dest != "" {
				args = append(args, "--dest", d.dest)
			}
			if got := verify(t, value, args...); got != d.ours {
				t.Errorf("viaduct says %s, want %s", got, d.ours)
			}
		})
	}
}

// exempted are the flags that let certificates be fetched from the hosts that answer as no repository should.
func (g *gallery) exempted() []string {
	_, plain, _ := strings.Cut(g.hosts["plain"], "://")
	_, moved, _ := strings.Cut(g.hosts["moved"], "://")
	return []string{"--lab-host", plain, "--lab-host", moved}
}

func TestDifferencesFromKamailio(t *testing.T) {
	g := newGallery(t)
	k := startKamailio(t, g.laboratory, g.roots)
	for _, d := range differences {
		t.Run(d.name, func(t *testing.T) {
			value, _ := g.compose(t, d)
			if got := k.check(t, value); got != d.theirs {
				t.Errorf("kamailio says %d, want %d", got, d.theirs)
			}
		})
	}
}
