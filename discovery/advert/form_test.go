package advert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/internal/jws"
)

const (
	goodHeader  = `{"alg":"ES256","typ":"cps-advertisement","x5u":"https://certs.example.net/a.pem"}`
	goodPayload = `{"iat":1700000000,"exp":1700086400,"seq":7,"cps":{"0-567A":"https://cps.example.net/","1-19035550100-50":"https://cps.example.net/","2-12015550199":"https://cps2.example.net/"}}`
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func compact(t testing.TB, key *ecdsa.PrivateKey, header, payload string) string {
	t.Helper()
	text, err := jws.Sign(key, []byte(header), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRFC9888_S4_TheObjectOfTheDocumentIsRead(t *testing.T) {
	signed, err := advert.Parse(compact(t, newKey(t), goodHeader, goodPayload))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range signed.Entries {
		got = append(got, e.Resource.String()+" "+e.URL)
	}
	want := []string{"0-567A https://cps.example.net", "1-19035550100-50 https://cps.example.net", "2-12015550199 https://cps2.example.net"}
	if !slices.Equal(got, want) || signed.Seq != 7 || signed.Expires.Sub(signed.Issued) != 24*time.Hour {
		t.Errorf("%q %+v", got, signed.Advertisement)
	}
}

func TestParse_Refused(t *testing.T) {
	key := newKey(t)
	with := func(from, to string) string { return strings.Replace(goodPayload, from, to, 1) }
	header := func(from, to string) string { return strings.Replace(goodHeader, from, to, 1) }
	var many strings.Builder
	for i := range advert.EntriesMax + 1 {
		fmt.Fprintf(&many, `"2-1%09d":"https://a.example",`, i)
	}
	for _, c := range []struct {
		name, header, payload string
		want                  advert.Problem
	}{
		{"another algorithm", header("ES256", "ES384"), goodPayload, advert.Malformed},
		{"none", header("ES256", "none"), goodPayload, advert.Malformed},
		{"another type", header("cps-advertisement", "passport"), goodPayload, advert.Malformed},
		{"no type", header(`"typ":"cps-advertisement",`, ""), goodPayload, advert.Malformed},
		{"no certificate", header(`,"x5u":"https://certs.example.net/a.pem"`, ""), goodPayload, advert.Malformed},
		{"both certificates", header(`"x5u"`, `"x5c":["AA=="],"x5u"`), goodPayload, advert.Malformed},
		{"crit", header(`"x5u"`, `"crit":["b64"],"x5u"`), goodPayload, advert.Malformed},
		{"no iat", goodHeader, with(`"iat":1700000000,`, ""), advert.Malformed},
		{"no exp", goodHeader, with(`"exp":1700086400,`, ""), advert.Malformed},
		{"no seq", goodHeader, with(`"seq":7,`, ""), advert.Malformed},
		{"no cps", goodHeader, `{"iat":1,"exp":2,"seq":3}`, advert.Malformed},
		{"no members", goodHeader, `{"iat":1,"exp":2,"seq":3,"cps":{}}`, advert.Malformed},
		{"cps is a list", goodHeader, `{"iat":1,"exp":2,"seq":3,"cps":["0-567A"]}`, advert.Malformed},
		{"seq is a text", goodHeader, with(`"seq":7`, `"seq":"7"`), advert.Malformed},
		{"seq below zero", goodHeader, with(`"seq":7`, `"seq":-7`), advert.Malformed},
		{"seq beyond 2^53", goodHeader, with(`"seq":7`, `"seq":9007199254740992`), advert.Malformed},
		{"iat twice", goodHeader, with(`"iat":1700000000`, `"iat":1700000000,"iat":1700000000`), advert.Malformed},
		{"resource twice", goodHeader, with(`"cps":{`, `"cps":{"0-567A":"https://other.example",`), advert.Malformed},
		{"resource twice, with an escape", goodHeader, with(`"cps":{`, `"cps":{"\u0030-567A":"https://other.example",`), advert.Malformed},
		{"resource in another form", goodHeader, with("2-12015550199", "1-12015550199-1"), advert.Malformed},
		{"resource of no kind", goodHeader, with("2-12015550199", "3-12015550199"), advert.Malformed},
		{"range beyond its length", goodHeader, with("1-19035550100-50", "1-9-50"), advert.Malformed},
		{"http", goodHeader, with("https://cps2", "http://cps2"), advert.Malformed},
		{"user", goodHeader, with("https://cps2", "https://user@cps2"), advert.Malformed},
		{"query", goodHeader, with("cps2.example.net/", "cps2.example.net/?a"), advert.Malformed},
		{"fragment", goodHeader, with("cps2.example.net/", "cps2.example.net/#a"), advert.Malformed},
		{"URL in a list", goodHeader, with(`"https://cps2.example.net/"`, `["https://cps2.example.net/"]`), advert.Malformed},
		{"deep", goodHeader, with(`"seq"`, `"more":[[[[[[]]]]]],"seq"`), advert.Malformed},
		{"ends before it begins", goodHeader, with("1700086400", "1700000000"), advert.BadTimes},
		{"too many members", goodHeader, with(`"cps":{`, `"cps":{`+many.String()), advert.TooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			signed, err := advert.Parse(compact(t, key, c.header, c.payload))
			if signed != nil || !errors.Is(err, c.want) {
				t.Errorf("%v, want %s", err, c.want.Name())
			}
			if err != nil && (strings.Contains(err.Error(), "1201555") || strings.Contains(err.Error(), "cps2")) {
				t.Errorf("the error repeats it: %v", err)
			}
		})
	}
	for name, text := range map[string]string{"nothing": "", "two segments": "e30.e30", "no base64": "*.*.*"} {
		if _, err := advert.Parse(text); !errors.Is(err, advert.Malformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := advert.Parse(strings.Repeat("a", advert.BytesMax+1)); !errors.Is(err, advert.TooLong) {
		t.Error(err)
	}
}

func TestSign_RefusesWhatNobodyWouldRead(t *testing.T) {
	l := newLaboratory(t)
	good := advert.Signer{Key: newKey(t), X5U: "https://certs.example.net/a.pem"}
	for _, c := range []struct {
		name   string
		signer advert.Signer
		edit   func(*advert.Advertisement)
	}{
		{"no key", advert.Signer{X5U: good.X5U}, func(*advert.Advertisement) {}},
		{"no certificate", advert.Signer{Key: good.Key}, func(*advert.Advertisement) {}},
		{"no members", good, func(a *advert.Advertisement) { a.Entries = nil }},
		{"too many", good, func(a *advert.Advertisement) { a.Entries = make([]advert.Entry, advert.EntriesMax+1) }},
		{"twice", good, func(a *advert.Advertisement) { a.Entries = append(a.Entries, a.Entries...) }},
		{"no resource", good, func(a *advert.Advertisement) { a.Entries = []advert.Entry{{URL: "https://a.example"}} }},
		{"no URL", good, func(a *advert.Advertisement) { a.Entries[0].URL = "http://a.example" }},
		{"no time", good, func(a *advert.Advertisement) { a.Expires = a.Issued }},
	} {
		a := l.advertisement(1, says{"0-567A": "https://cps.example.net"})
		c.edit(&a)
		if text, err := advert.Sign(c.signer, a); err == nil || text != "" {
			t.Errorf("%s was signed", c.name)
		}
	}
}

func TestLines_AreBounded(t *testing.T) {
	if lines, err := advert.Lines([]byte("a\r\n\n b \n")); err != nil || !slices.Equal(lines, []string{"a", "b"}) {
		t.Errorf("%q, %v", lines, err)
	}
	for name, document := range map[string]string{
		"lines": strings.Repeat("a\n", advert.LinesMax+1), "bytes": strings.Repeat("\n", advert.DocumentBytesMax+1),
	} {
		if lines, err := advert.Lines([]byte(document)); lines != nil || !errors.Is(err, advert.TooLong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProblems_EveryRowIsFull(t *testing.T) {
	names := map[string]bool{}
	for _, p := range advert.Problems() {
		if p.Name() == "" || p.Error() == "" || names[p.Name()] {
			t.Errorf("problem %d: %q", p, p.Name())
		}
		names[p.Name()] = true
	}
	if advert.Problem(0).Name() != "unknown" || advert.Problem(255).Name() != "unknown" {
		t.Error("an unknown problem has a name")
	}
}

func FuzzParse(f *testing.F) {
	key := newKey(f)
	f.Add(goodHeader, goodPayload)
	f.Add(`{"alg":"ES256","typ":"cps-advertisement","x5c":["AA=="]}`, `{"seq":0,"cps":{"2-*67":"https://a"},"iat":0,"exp":1,"b":[{}]}`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		encode := base64.RawURLEncoding.EncodeToString
		text := encode([]byte(header)) + "." + encode([]byte(payload)) + "." + encode(make([]byte, jws.SignatureBytes))
		signed, err := advert.Parse(text)
		if err != nil {
			if _, typed := errors.AsType[advert.Problem](err); signed != nil || !typed {
				t.Fatal("an error that is none, or an advertisement beside it")
			}
			return
		}
		again, err := advert.Sign(advert.Signer{Key: key, X5U: "https://a.example/b"}, signed.Advertisement)
		if err != nil {
			t.Fatalf("what was read is not written: %v", err)
		}
		back, err := advert.Parse(again)
		if err != nil || len(back.Entries) != len(signed.Entries) || back.Seq != signed.Seq || !back.Expires.Equal(signed.Expires) {
			t.Fatalf("%+v is read back as %+v, %v", signed.Advertisement, back, err)
		}
	})
}
