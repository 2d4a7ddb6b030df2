package stircert_test

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/stircert"
)

func TestRFC5280_S4_2_1_13_PointsAndTheirIssuers(t *testing.T) {
	const stipa = "https://authenticate-api.iconectiv.com/download/v1/crl"
	key := func(der string) string {
		k, err := stircert.NameKey(unhex(t, der))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for _, c := range []struct {
		file string
		want []stircert.CRLPoint // but RawIssuer
	}{
		{"leaf/comcast-shaken-intermediate-ca-202508-4450507e.pem", []stircert.CRLPoint{{URLs: []string{stipa}}}},
		{"ca/intermediate-martini-security-shaken-g2-bf818ddb.pem", []stircert.CRLPoint{{URLs: []string{stipa}, Issuer: key(crlIssuerFromAbove)}}},
		{"odd/crldp-https-sti-pa-com-shaken-crl-436ab7f1.pem", []stircert.CRLPoint{{URLs: []string{"https://sti-pa.com/shaken/crl"}, Issuer: key(crlIssuerOther)}}},
		{"odd/no-crldp-0541bcf0.pem", nil},
	} {
		cert := readCertificate(t, c.file)
		got, err := cert.CRLPoints()
		for i := range got {
			if again, err := stircert.NameKey(got[i].RawIssuer); got[i].Issuer != "" && (err != nil || again != got[i].Issuer) {
				t.Errorf("%s: the raw issuer is %q, %v", c.file, again, err)
			}
			got[i].RawIssuer = nil
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.file, got, err, c.want)
		}
	}
}

// readCertificate reads the first certificate of a file in testdata.
func readCertificate(t testing.TB, path string) *stircert.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s: no PEM", path)
	}
	cert, err := stircert.Parse(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

const pointNamed = "3009 A007 A005 8603 783A79" // one point with the URL x:y

func TestRFC5280_S4_2_1_13_PointsAsAreAllowed(t *testing.T) {
	for _, c := range []struct {
		name, der string
		want      []stircert.CRLPoint
	}{
		{"a URL", "300B" + pointNamed, []stircert.CRLPoint{{URLs: []string{"x:y"}}}},
		{"two points", "3016" + pointNamed + pointNamed, []stircert.CRLPoint{{URLs: []string{"x:y"}}, {URLs: []string{"x:y"}}}},
		{"two names, one of them no URL", "3010 300E A00C A00A 8203 612E62 8603 783A79", []stircert.CRLPoint{{URLs: []string{"x:y"}}}},
		{"some reasons", "300F 300D A007 A005 8603 783A79 81020640", []stircert.CRLPoint{{URLs: []string{"x:y"}, Partial: true}}},
		{"a name relative to the issuer", "3012 3010 A00E A10C 300A 06035504030C03616263", []stircert.CRLPoint{{}}},
	} {
		got, err := stircert.ParseCRLPoints(unhex(t, c.der))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

func TestRFC5280_S4_2_1_13_PointsRefused(t *testing.T) {
	for _, c := range []struct{ name, der string }{
		{"nothing", ""},
		{"no points", "3000"},
		{"bytes after them", "300B" + pointNamed + "00"},
		{"a point that is none", "30020500"},
		{"a point of nothing", "30023000"},
		{"a point of reasons alone", "3006 3004 81020640"},
		{"an unknown member", "300D 300B A007 A005 8603 783A79 0500"},
		{"a name of a third kind", "3007 3005 A003 A20100"},
		{"no names", "3006 3004 A002 A000"},
		{"a URL with a space", "300B 3009 A007 A005 8603 782079"},
		{"an empty URL", "3008 3006 A004 A002 8600"},
		{"an issuer that is no distinguished name", "3007 3005 A203 820161"},
		{"two issuers", "3009 3007 A205 A4023000 00"},
		{"an empty issuer", "3008 3006 A204 A4023000"},
		{"17 points", "3081BB" + strings.Repeat(pointNamed, 17)},
		{"17 URLs of a point", "305B 3059 A057 A055" + strings.Repeat("8603783A79", 17)},
	} {
		if got, err := stircert.ParseCRLPoints(unhex(t, c.der)); !errors.Is(err, stircert.BadCRLPoints) || got != nil {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

// FuzzCRLPoints: an error is a BadCRLPoints without points; what is read is within the limits and holds nothing that a
// terminal obeys.
func FuzzCRLPoints(f *testing.F) {
	f.Add(unhex(f, "300B"+pointNamed))
	f.Add(unhex(f, "300F 300D A007 A005 8603 783A79 81020640"))
	for _, file := range []string{
		"leaf/comcast-shaken-intermediate-ca-202508-4450507e.pem", "odd/crldp-https-sti-pa-com-shaken-crl-436ab7f1.pem",
	} {
		for _, ext := range readCertificate(f, file).X509().Extensions {
			if ext.Id.String() == "2.5.29.31" {
				if _, err := stircert.ParseCRLPoints(ext.Value); err != nil {
					f.Errorf("seed: %v", err)
				}
				f.Add(ext.Value)
			}
		}
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		points, err := stircert.ParseCRLPoints(der)
		if err != nil {
			if !errors.Is(err, stircert.BadCRLPoints) || points != nil {
				t.Fatalf("%+v, %v", points, err)
			}
			return
		}
		if len(points) == 0 || len(points) > stircert.CRLPointsMax {
			t.Fatalf("%d points", len(points))
		}
		for _, p := range points {
			if len(p.URLs) > stircert.CRLPointURLsMax || (p.Issuer == "") != (p.RawIssuer == nil) {
				t.Fatalf("%+v", p)
			}
			for _, url := range p.URLs {
				if strings.ContainsFunc(url, func(r rune) bool { return r <= ' ' || r > '~' }) {
					t.Fatalf("URL %q", url)
				}
			}
		}
	})
}
