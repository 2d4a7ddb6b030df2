package atis_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"testing"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// routeCompany reads a path as a door does; id is empty but for what is taken away.
func routeCompany(method, escaped string) (k oob.Key, id string, err error, found bool) {
	mux := http.NewServeMux()
	for _, e := range atis.CompanyEndpoints {
		mux.HandleFunc(e.Method+" "+e.Pattern, func(_ http.ResponseWriter, r *http.Request) {
			found = true
			if e.Action == oob.ActionPublish {
				k.SPC, err = atis.ReadCompany(r.PathValue("spc"))
				return
			}
			k, err = atis.ReadKey(oob.Company, r.PathValue)
			id = r.PathValue("id")
		})
	}
	u, parseErr := url.ParseRequestURI(escaped)
	if parseErr != nil || path.Clean(u.EscapedPath()) != u.EscapedPath() {
		return oob.Key{}, "", nil, false
	}
	mux.ServeHTTP(httptest.NewRecorder(), &http.Request{Method: method, URL: u, RequestURI: escaped})
	return k, id, err, found
}

// TestCompanyPathIsReadAsItWasWritten, for numbers and URIs.
func TestCompanyPathIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := oob.Key{Profile: oob.Company, SPC: spcs.Draw(t, "spc"), Dest: parties.Draw(t, "dest"), Orig: parties.Draw(t, "orig")}
		wantID := oob.PassportID(rapid.String().Draw(t, "passport"))
		got, _, err, found := routeCompany(http.MethodGet, atis.Path(want))
		if !found || err != nil || got != want {
			t.Fatalf("%s: %+v, %v, found %v; want %+v", atis.Path(want), got, err, found, want)
		}
		got, id, err, found := routeCompany(http.MethodDelete, atis.ConsumePath(want, wantID))
		if !found || err != nil || got != want || id != wantID {
			t.Fatalf("%+v, %q, %v, found %v; want %+v", got, id, err, found, want)
		}
		got, _, err, found = routeCompany(http.MethodPost, atis.CompanyPath(want.SPC))
		if !found || err != nil || got.SPC != want.SPC {
			t.Fatalf("%s: %+v, %v, found %v", atis.CompanyPath(want.SPC), got, err, found)
		}
	})
}

func TestReadCompanyRefuses(t *testing.T) {
	for _, c := range []struct{ method, path string }{
		{http.MethodPost, "/cps/company/56-7B"}, {http.MethodPost, "/cps/company/123456789012345678901234567890123"},
		{http.MethodGet, "/cps/company/567B/a/1"}, {http.MethodGet, "/cps/company/567B/1/+1"}, {http.MethodGet, "/cps/company/%00/1/1"},
		{http.MethodDelete, "/cps/company/567B/+1/1/x"},
	} {
		k, _, err, found := routeCompany(c.method, c.path)
		if !found || !errors.Is(err, oob.Malformed) || k != (oob.Key{}) {
			t.Errorf("%s: %+v, %v, found %v", c.path, k, err, found)
		}
	}
}

// TestAccessWithoutParties: a subscription names nobody, and a pull of RFC 9888 nobody who calls.
func TestAccessWithoutParties(t *testing.T) {
	for _, payload := range []string{
		`{"iat":1795316200,"action":"subscribe","iss":"567B","aud":"cps.example.net","jti":"x"}`,
		`{"iat":1795316200,"action":"retrieve","iss":"12013776051","aud":"cps.example.net","jti":"x","dest":{"tn":["12013776051"]}}`,
		`{"iat":1795316200,"action":"consume","spc":"567B","iss":"567B","aud":"cps.example.net","jti":"x","dest":{"tn":["12013776051"]},"orig":{"tn":"19032469103"}}`,
	} {
		a, err := atis.ReadAccess([]byte(payload))
		if got := string(atis.WriteAccess(a)); err != nil || got != payload {
			t.Errorf("%s, %v", got, err)
		}
	}
}
