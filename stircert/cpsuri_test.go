package stircert_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// oidTest is under the arc for examples (2.999).
var oidTest = asn1.ObjectIdentifier{2, 999, 1}

// The DER values are worked out by hand from the modules of draft-sliwa-stir-cert-cps-ext-02 and its successor.
const (
	derOneURI     = "3020161e68747470733a2f2f6370732e6578616d706c652e6e65742f6f6f622f7631"
	derTwoURIs    = "3026161168747470733a2f2f612e6578616d706c65161168747470733a2f2f622e6578616d706c65"
	derAttributes = "303a301e0201013019161768747470733a2f2f7070732e6578616d706c652e6e6574300502010205003011020104300c160431323334160435363741"
)

func ia5(texts ...string) string {
	var b strings.Builder
	for _, text := range texts {
		b.WriteString(hex.EncodeToString(append([]byte{0x16, byte(len(text))}, text...)))
	}
	return b.String()
}

func sequence(content string) string {
	if n := len(content) / 2; n > 127 {
		return "3081" + hex.EncodeToString([]byte{byte(n)}) + content
	}
	return "30" + hex.EncodeToString([]byte{byte(len(content) / 2)}) + content
}

func TestCPSForm_Parse(t *testing.T) {
	list := stircert.CPSForm{OID: oidTest}
	strict := stircert.CPSForm{OID: oidTest, Strict: true}
	attributes := stircert.CPSForm{OID: oidTest, Attributes: true}
	attribute := func(kind, value string) string { return sequence("0201" + kind + value) }
	const a, b = "https://a.example", "https://b.example"
	for _, c := range []struct {
		name string
		form stircert.CPSForm
		der  string
		want []string // nil with bad for a refusal
		bad  bool
	}{
		{"one", list, derOneURI, []string{"https://cps.example.net/oob/v1"}, false},
		{"two", list, derTwoURIs, []string{a, b}, false},
		{"attributes", attributes, derAttributes, []string{"https://pps.example.net"}, false},
		{"a bad one is passed over", list, sequence(ia5("http://a.example", b)), []string{b}, false},
		{"or spoils all", strict, sequence(ia5("http://a.example", b)), nil, true},
		{"relative", strict, sequence(ia5("/a")), nil, true},
		{"no host", strict, sequence(ia5("https:///a")), nil, true},
		{"user", strict, sequence(ia5("https://u@a.example")), nil, true},
		{"all bad", list, sequence(ia5("http://a.example")), nil, false},
		{"empty list", list, "3000", nil, true},
		{"not a list", list, ia5(a), nil, true},
		{"bytes behind", list, derOneURI + "00", nil, true},
		{"another string", list, sequence("0c01" + "61"), nil, true},
		{"cut off", list, derOneURI[:len(derOneURI)-2], nil, true},
		{"nothing", list, "", nil, true},
		{"too many", list, sequence(strings.Repeat(ia5("a"), stircert.CPSURIsMax+1)), nil, true},
		{"attributes read as a list", list, derAttributes, nil, true},
		{"a list read as attributes", attributes, derTwoURIs, nil, true},
		{"no attribute of URIs", attributes, sequence(attribute("02", "0500")), nil, false},
		{"unknown attribute", attributes, sequence(attribute("63", "0500") + attribute("01", sequence(ia5(a)))), []string{a}, false},
		{"twice counts as absent", attributes, sequence(attribute("01", sequence(ia5(a))) + attribute("01", sequence(ia5(b)))), nil, false},
		{"attribute of something else", attributes, sequence(attribute("01", "0500")), nil, true},
		{"attribute with two values", attributes, sequence(attribute("01", sequence(ia5(a))+"0500")), nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.form.Parse(unhex(t, c.der))
			if !slices.Equal(got, c.want) || (err != nil) != c.bad || err != nil && !errors.Is(err, stircert.ErrCPSURI) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestCPSForm_ExtensionIsReadBack(t *testing.T) {
	for _, form := range []stircert.CPSForm{{OID: oidTest}, {OID: oidTest, Attributes: true}} {
		ext, err := form.Extension([]string{"https://cps.example.net/oob/v1"})
		if err != nil || ext.Critical || !form.Attributes && hex.EncodeToString(ext.Value) != derOneURI {
			t.Errorf("%x, %v", ext.Value, err)
		}
		if _, err := form.Extension([]string{"http://cps.example.net"}); err == nil {
			t.Error("a URI was written that is not read back")
		}
	}
	if (stircert.CPSForm{}).Check() == nil || (stircert.CPSForm{OID: oidTest}).Check() != nil {
		t.Error("a form is good if it has an object identifier")
	}
}

func TestCPSForm_URIsOfCertificates(t *testing.T) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := tn.ParseRange("12155550100-12155550199")
	if err != nil {
		t.Fatal(err)
	}
	numbers := stircert.TNAuthList{Ranges: []tn.Range{n}}
	list, attributes := stircert.CPSForm{OID: oidTest}, stircert.CPSForm{OID: oidTest, Attributes: true}
	for _, c := range []struct {
		name     string
		form     stircert.CPSForm
		der      string
		numbers  bool
		critical bool
		want     int
		bad      bool
	}{
		{"provider", list, derTwoURIs, false, false, 2, false},
		{"numbers", list, derTwoURIs, true, false, 2, false},
		{"attributes of numbers", attributes, derAttributes, true, false, 1, false},
		{"attributes have no effect on a provider", attributes, derAttributes, false, false, 0, false},
		{"critical", list, derTwoURIs, false, true, 0, true},
		{"no extension", list, "", false, false, 0, false},
		{"no form", stircert.CPSForm{}, derTwoURIs, false, false, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			issue := oobtest.IssueConfig{SPC: "1234", Modify: func(cert *x509.Certificate) {
				if c.der != "" {
					cert.ExtraExtensions = append(cert.ExtraExtensions, pkix.Extension{Id: oidTest, Critical: c.critical, Value: unhex(t, c.der)})
				}
			}}
			if c.numbers {
				issue.TNAuthList = numbers
			}
			id, err := pki.Issue(issue)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.form.URIs(id.Certificate)
			if len(got) != c.want || (err != nil) != c.bad {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func FuzzCPSForm(f *testing.F) {
	for _, seed := range []string{derOneURI, derTwoURIs, derAttributes} {
		f.Add(unhex(f, seed), false)
		f.Add(unhex(f, seed), true)
	}
	f.Fuzz(func(t *testing.T, der []byte, attributes bool) {
		form := stircert.CPSForm{OID: oidTest, Attributes: attributes}
		uris, err := form.Parse(der)
		if err != nil {
			if uris != nil || !errors.Is(err, stircert.ErrCPSURI) {
				t.Fatal("an error that is none, or URIs beside it")
			}
			return
		}
		if len(uris) == 0 {
			return
		}
		ext, err := form.Extension(uris)
		if err != nil {
			t.Fatalf("what was read is not written: %v", err)
		}
		if again, err := form.Parse(ext.Value); err != nil || !slices.Equal(again, uris) {
			t.Fatalf("%q is read back as %q, %v", uris, again, err)
		}
	})
}

func TestTNAuthList_CoversEach(t *testing.T) {
	data := numberData(t, "1234,12155550100,100\n")
	resource := func(text string) stircert.Resource {
		r, err := stircert.ParseResource(text)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	n, err := tn.ParseRange("13015550100-13015550109")
	if err != nil {
		t.Fatal(err)
	}
	list := stircert.TNAuthList{SPCs: []string{"1234"}, Ranges: []tn.Range{n}}
	asked := []stircert.Resource{
		resource("0-1234"), resource("0-5678"), resource("1-12155550100-100"), resource("1-12155550100-101"), resource("2-12155550150"),
		resource("2-12155550200"), resource("1-13015550100-10"), resource("2-13015550110"), resource("2-*67"), {},
	}
	with := []bool{true, false, true, false, true, false, true, false, false, false}
	without := []bool{true, false, false, false, false, false, true, false, false, false}
	if got := list.CoversEach(asked, data); !slices.Equal(got, with) {
		t.Errorf("with data: %v", got)
	}
	if got := list.CoversEach(asked, nil); !slices.Equal(got, without) {
		t.Errorf("without data: %v", got)
	}
	for i, r := range asked {
		if list.CoversResource(r, data) != with[i] {
			t.Errorf("resource %d alone is judged otherwise", i+1)
		}
	}
}
