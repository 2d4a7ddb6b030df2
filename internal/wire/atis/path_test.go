package atis_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"testing"

	"pgregory.net/rapid"

	_ "github.com/viaduct-oob/viaduct/internal/seedtest"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// route reads a path as a door does: by the patterns of the endpoints.
func route(escaped string) (k oob.Key, err error, found bool) {
	mux := http.NewServeMux()
	for _, e := range atis.Endpoints {
		mux.HandleFunc(e.Pattern, func(_ http.ResponseWriter, r *http.Request) {
			found = true
			k, err = atis.ReadKey(e.Profile, r.PathValue)
		})
	}
	u, parseErr := url.ParseRequestURI(escaped)
	if parseErr != nil || path.Clean(u.EscapedPath()) != u.EscapedPath() {
		return oob.Key{}, nil, false
	}
	mux.ServeHTTP(httptest.NewRecorder(), &http.Request{Method: "GET", URL: u, RequestURI: escaped})
	return k, err, found
}

// TestATIS1000096_S7_PathIsReadAsItWasWritten, for both forms, numbers and URIs.
func TestATIS1000096_S7_PathIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := oob.Key{Profile: oob.Mesh, Dest: parties.Draw(t, "dest"), Orig: parties.Draw(t, "orig")}
		if rapid.Bool().Draw(t, "agreed") {
			want.Profile, want.SPC = oob.Agreed, spcs.Draw(t, "spc")
		}
		got, err, found := route(atis.Path(want))
		if !found || err != nil || got != want {
			t.Fatalf("%s: %+v, %v, found %v; want %+v", atis.Path(want), got, err, found, want)
		}
	})
}

func TestReadKeyRefuses(t *testing.T) {
	for _, escaped := range []string{
		"/passports/+12155550131/12155550121", "/passports/12155550131/%2B12155550121", "/passports/a/1", "/passports/1/a",
		"/passports/12-34/1/2", "/passports/%20/1/2", "/passports/1234567890123456789012345678901234/1/2", "/passports/1234/1/tel:+12155550121",
		"/passports/1%2F2/1", "/passports/1/1%00", "/passports/%31%32:/1",
	} {
		k, err, found := route(escaped)
		if !found || !errors.Is(err, oob.Malformed) || k != (oob.Key{}) {
			t.Errorf("%s: %+v, %v, found %v", escaped, k, err, found)
		}
	}
}

// FuzzReadKey: what is read from a path has a path of its own, which is read the same.
func FuzzReadKey(f *testing.F) {
	for _, seed := range []string{
		"/passports/19032469103/12013776051", "/passports/567B/19032469103/12013776051", "/passports/urn%3Aservice%3Asos/1", "/passports/1/sip:a@b.example",
		"/passports//1", "/passports/%2F/1", "/passports/1/urn:x:%2F", "/passports/1/urn:x:%252F", "/health", "*",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		k, err, found := route(escaped)
		if !found {
			return
		}
		if err != nil {
			if !errors.Is(err, oob.Malformed) || k != (oob.Key{}) {
				t.Fatalf("%+v, %v", k, err)
			}
			return
		}
		again, err, found := route(atis.Path(k))
		if !found || err != nil || again != k {
			t.Fatalf("%+v, then %+v, %v", k, again, err)
		}
	})
}
