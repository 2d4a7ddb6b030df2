package discovery_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/discovery"
)

func TestRFC9888_S4_CPSsAreHTTPS(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"as in the document", "https://cps.example.net/", "https://cps.example.net"},
		{"with a path", "https://cps.example.net/oob/v1/", "https://cps.example.net/oob/v1"},
		{"upper case", "HTTPS://CPS.Example.NET/A", "https://cps.example.net/A"},
		{"default port", "https://cps.example.net:443/", "https://cps.example.net"},
		{"another port", "https://cps.example.net:8443", "https://cps.example.net:8443"},
		{"an address", "https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443"},
		{"http", "http://cps.example.net/", ""},
		{"another scheme", "ftp://cps.example.net/", ""},
		{"no scheme", "cps.example.net", ""},
		{"no host", "https:///path", ""},
		{"opaque", "https:cps.example.net", ""},
		{"user", "https://user@cps.example.net/", ""},
		{"user and password", "https://user:word@cps.example.net/", ""},
		{"query", "https://cps.example.net/?a=b", ""},
		{"empty query", "https://cps.example.net/?", ""},
		{"fragment", "https://cps.example.net/#a", ""},
		{"empty fragment", "https://cps.example.net/#", ""},
		{"percent in the host", "https://cps%2eexample.net/", ""},
		{"back slash", `https://cps.example.net\@other.example/`, ""},
		{"space", "https://cps.example.net/ a", ""},
		{"line feed", "https://cps.example.net/\na", ""},
		{"empty port", "https://cps.example.net:/", ""},
		{"port zero", "https://cps.example.net:0/", ""},
		{"port beyond", "https://cps.example.net:65536/", ""},
		{"steps back", "https://cps.example.net/a/../b", ""},
		{"not ASCII", "https://cps.exämple.net/", ""},
		{"empty", "", ""},
		{"too long", "https://cps.example.net/" + strings.Repeat("a", discovery.URLBytesMax), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := discovery.BaseURL(c.text)
			if got != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, discovery.ErrURL) {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func FuzzBaseURL(f *testing.F) {
	for _, seed := range []string{"https://cps.example.net/", "https://[::1]:1/a%20b//", "https://a//", "HTTPS://A.b:443"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		url, err := discovery.BaseURL(text)
		if err != nil {
			if url != "" {
				t.Fatal("an error, and a URL")
			}
			return
		}
		if again, err := discovery.BaseURL(url); err != nil || again != url {
			t.Fatalf("%q is read back as %q, %v", url, again, err)
		}
	})
}
