package stircert_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

type accessDescription struct {
	Method   asn1.ObjectIdentifier
	Location asn1.RawValue
}

var (
	methodSTIRTNList = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 14}
	methodOCSP       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
)

func accessTo(method asn1.ObjectIdentifier, url string) accessDescription {
	return accessDescription{method, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(url)}}
}

// authorityAccess is the extension of those descriptions.
func authorityAccess(t testing.TB, descriptions ...accessDescription) pkix.Extension {
	t.Helper()
	der, err := asn1.Marshal(descriptions)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: oidAIA, Value: der}
}

// referenceTo is an authorityInfoAccess extension with one reference to a TNAuthList.
func referenceTo(t testing.TB, url string) pkix.Extension {
	t.Helper()
	return authorityAccess(t, accessTo(methodSTIRTNList, url))
}

func TestRFC8226_S10_1_TNAuthListByReference(t *testing.T) {
	const at = "https://tn.example/list?certificate=1"
	byName := accessDescription{methodSTIRTNList, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte("tn.example")}}
	list := stircert.TNAuthList{SPCs: []string{"1234"}}
	for _, c := range []struct {
		name      string
		withList  bool
		access    []accessDescription
		wantURL   string
		wantList  stircert.TNAuthList
		wantError error
	}{
		{"a reference", false, []accessDescription{accessTo(methodSTIRTNList, at)}, at, stircert.TNAuthList{}, stircert.TNAuthListNotFetched},
		{"a reference beside another method", false, []accessDescription{accessTo(methodOCSP, "http://ocsp.example"), accessTo(methodSTIRTNList, at)}, at, stircert.TNAuthList{}, stircert.TNAuthListNotFetched},
		{"another method alone", false, []accessDescription{accessTo(methodOCSP, "http://ocsp.example")}, "", stircert.TNAuthList{}, stircert.NoTNAuthList},
		{"a list and a reference: the list is it", true, []accessDescription{accessTo(methodSTIRTNList, at)}, "", list, nil},
		{"a list and a reference that is none", true, []accessDescription{accessTo(methodSTIRTNList, "ftp://tn.example")}, "", list, nil},
		{"two references", false, []accessDescription{accessTo(methodSTIRTNList, at), accessTo(methodSTIRTNList, at)}, "", stircert.TNAuthList{}, stircert.BadTNAuthList},
		{"http", false, []accessDescription{accessTo(methodSTIRTNList, "http://tn.example/list")}, "", stircert.TNAuthList{}, stircert.BadTNAuthList},
		{"no host", false, []accessDescription{accessTo(methodSTIRTNList, "https:///list")}, "", stircert.TNAuthList{}, stircert.BadTNAuthList},
		{"a user", false, []accessDescription{accessTo(methodSTIRTNList, "https://me@tn.example/list")}, "", stircert.TNAuthList{}, stircert.BadTNAuthList},
		{"a fragment", false, []accessDescription{accessTo(methodSTIRTNList, "https://tn.example/list#2")}, "", stircert.TNAuthList{}, stircert.BadTNAuthList},
		{"a space", false, []accessDescription{accessTo(methodSTIRTNList, "https://tn.example/a b")}, "", stircert.TNAuthList{}, stircert.BadTNAuthList},
		{"2049 characters", false, []accessDescription{accessTo(methodSTIRTNList, "https://tn.example/"+strings.Repeat("x", 2030))}, "", stircert.TNAuthList{}, stircert.BadTNAuthList},
		{"a name that is no URL", false, []accessDescription{byName}, "", stircert.TNAuthList{}, stircert.BadTNAuthList},
	} {
		t.Run(c.name, func(t *testing.T) {
			leaf := template(t, stircert.Leaf)
			if !c.withList {
				without(leaf, oidTNAuthList)
			}
			leaf.ExtraExtensions = append(leaf.ExtraExtensions, authorityAccess(t, c.access...))
			cert := made(t, leaf, nil)
			if cert.TNAuthListURL != c.wantURL || !reflect.DeepEqual(cert.TNAuthList, c.wantList) {
				t.Errorf("list %v, at %q", cert.TNAuthList, cert.TNAuthListURL)
			}
			if err := cert.CheckEndEntity(); !errors.Is(err, c.wantError) || c.wantError == nil && err != nil {
				t.Errorf("got %v, want %v", err, c.wantError)
			}
		})
	}
}

func TestRFC8226_S10_1_FetchedListIsThatOfTheCertificate(t *testing.T) {
	leaf := template(t, stircert.Leaf)
	without(leaf, oidTNAuthList)
	leaf.ExtraExtensions = append(leaf.ExtraExtensions, referenceTo(t, "https://tn.example/list"))
	before := made(t, leaf, nil)
	list := stircert.TNAuthList{Ranges: []tn.Range{rangeOf(t, "12155550100-12155550199")}}
	after, err := before.WithTNAuthList(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := after.CheckEndEntity(); err != nil || len(after.TNAuthList.Ranges) != 1 || after.Hash != before.Hash {
		t.Errorf("after: %v, %v", after.TNAuthList, err)
	}
	if err := before.CheckEndEntity(); !errors.Is(err, stircert.TNAuthListNotFetched) || !before.TNAuthList.Empty() {
		t.Errorf("before, which is shared: %v, %v", before.TNAuthList, err)
	}
	for _, c := range []struct {
		name string
		cert *stircert.Certificate
		list stircert.TNAuthList
		want stircert.Problem
	}{
		{"a provider code", before, stircert.TNAuthList{SPCs: []string{"1234"}, Ranges: list.Ranges}, stircert.BadTNAuthList},
		{"an empty list", before, stircert.TNAuthList{}, stircert.BadTNAuthList},
		{"a certificate that has a list", made(t, template(t, stircert.Leaf), nil), list, stircert.BadTNAuthList},
		{"a second time", after, list, stircert.BadTNAuthList},
	} {
		if with, err := c.cert.WithTNAuthList(c.list); !errors.Is(err, c.want) || with != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A fetched list is held to the issuers like any other, and an issuer whose list is elsewhere covers nothing.
func TestRFC9060_S4_ReferencesDoNotEscapeTheIssuer(t *testing.T) {
	delegate := template(t, stircert.Intermediate)
	list, err := stircert.TNAuthList{Ranges: []tn.Range{rangeOf(t, "12155550100-12155550199")}}.Extension()
	if err != nil {
		t.Fatal(err)
	}
	delegate.ExtraExtensions = append(delegate.ExtraExtensions, list)
	issuer := made(t, delegate, nil)
	elsewhere := template(t, stircert.Intermediate)
	elsewhere.ExtraExtensions = append(elsewhere.ExtraExtensions, referenceTo(t, "https://tn.example/ca"))

	leaf := template(t, stircert.Leaf)
	without(leaf, oidTNAuthList)
	leaf.ExtraExtensions = append(leaf.ExtraExtensions, referenceTo(t, "https://tn.example/list"))
	with := func(numbers string) *stircert.Certificate {
		cert, err := made(t, leaf, nil).WithTNAuthList(stircert.TNAuthList{Ranges: []tn.Range{rangeOf(t, numbers)}})
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	path := func(issuer *stircert.Certificate) []*x509.Certificate { return []*x509.Certificate{issuer.X509()} }
	if err := with("12155550121").CheckPath(path(issuer), nil); err != nil {
		t.Errorf("inside: %v", err)
	}
	if err := with("12155550200").CheckPath(path(issuer), nil); !errors.Is(err, stircert.BeyondIssuer) {
		t.Errorf("outside: %v", err)
	}
	if err := with("12155550121").CheckPath(path(made(t, elsewhere, nil)), nil); !errors.Is(err, stircert.BeyondIssuer) || !errors.Is(err, stircert.TNAuthListNotFetched) {
		t.Errorf("an issuer's list that is elsewhere: %v", err)
	}
}
