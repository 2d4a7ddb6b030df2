package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
)

// FuzzDirect wants that whatever is found without the mux is what the mux finds, with the same segments.
func FuzzDirect(f *testing.F) {
	for _, path := range []string{
		"/passports/1234/12155550131/12155550121", "/passports/12155550131/12155550121", "/passports/1", "/passports/", "/passports", "/passports/1/2/3/4", "/passports/1//2",
		"/passports/1/2/", "/passports/./2", "/passports/../2", "/passports/%31/2", "/passports/sip:a@b/2", "/passports/1/2%2F3", "/passports/*/2", "/passports/+1/2", "/passports/1/2?x=y", "/health", "*",
	} {
		f.Add("GET", path)
		f.Add("POST", path)
		f.Add("CONNECT", path)
	}
	var pattern string
	var want [3]string
	mux := http.NewServeMux()
	for _, e := range atis.Endpoints {
		mux.HandleFunc(e.Pattern, func(_ http.ResponseWriter, r *http.Request) {
			pattern, want = e.Pattern, [3]string{r.PathValue("spc"), r.PathValue("dest"), r.PathValue("orig")}
		})
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := &http.Request{Method: method, URL: u, Host: "cps.example", RequestURI: target, Header: http.Header{}}
		found, segments, ok := httpapi.FindDirect(r)
		if !ok {
			return
		}
		pattern, want = "", [3]string{}
		mux.ServeHTTP(httptest.NewRecorder(), r)
		if found != pattern || segments != want {
			t.Errorf("%s %q: %s %q, the mux finds %s %q", method, target, found, segments, pattern, want)
		}
	})
}

// TestDirectFindsWhatIsAsked: nearly all requests go this way.
func TestDirectFindsWhatIsAsked(t *testing.T) {
	for target, want := range map[string]string{
		"/passports/1234/12155550131/12155550121": "/passports/{spc}/{dest}/{orig}", "/passports/12155550131/12155550121": "/passports/{dest}/{orig}",
		"/passports/1": "", "/passports/sip:a@b/2": "", "/passports/1/2/": "", "/passports/1/2/3/4": "", "/health": "",
	} {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, _ := httpapi.FindDirect(&http.Request{Method: http.MethodPost, URL: u}); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}
