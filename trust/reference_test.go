package trust_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

// referring is a certificate whose TNAuthList is at a URL.
func referring(t testing.TB, url string) oobtest.IssueConfig {
	t.Helper()
	type description struct {
		Method   asn1.ObjectIdentifier
		Location asn1.RawValue
	}
	value, err := asn1.Marshal([]description{{
		asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 14},
		asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(url)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return oobtest.IssueConfig{SPC: "1234", WithoutTNAuthList: true, Modify: func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{1, 3, 6, 1, 5, 5, 7, 1, 1}, Value: value})
	}}
}

func tnAuthList(t testing.TB, list stircert.TNAuthList) []byte {
	t.Helper()
	der, err := list.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// servesList lets the repository serve a TNAuthList, and gives its URL.
func (l *laboratory) servesList(der []byte) string {
	l.pki.Serve("/list", der)
	return l.host.URL + "/list"
}

func TestRFC8226_S10_1_TNAuthListIsFetched(t *testing.T) {
	l, _ := newDiskLaboratory(t, nil)
	id := l.issue(referring(t, l.servesList(tnAuthList(t, blockOf(t, "12155550100-12155550199")))))
	for range 2 {
		credential, err := l.verifier.Verify(t.Context(), id.X5U, signedBy(id))
		if err != nil {
			t.Fatal(err)
		}
		if list := credential.Certificate.TNAuthList; len(list.Ranges) != 1 || list.Ranges[0].Start().String() != "12155550100" {
			t.Errorf("authority for %+v", list)
		}
	}
	l.wantRequests(2) // chain and list

	// What it says may change, and the repository is asked again when it is no longer fresh.
	l.servesList(tnAuthList(t, blockOf(t, "12155550200-12155550299")))
	l.advance(trust.CacheLifetimeMin)
	l.mustVerify(id)
	l.verifier.Settle(id.X5U)
	credential, err := l.verifier.Credential(t.Context(), id.X5U)
	if err != nil || credential.Certificate.TNAuthList.Ranges[0].Start().String() != "12155550200" {
		t.Errorf("%v", err)
	}

	// It is not on disk: nobody has signed it.
	l.wantRequests(4)
	l.restart()
	l.mustVerify(id)
	l.wantRequests(6)
}

func TestRFC8226_S10_1_TNAuthListLivesNoLongerThanThat(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(referring(t, l.servesList(tnAuthList(t, blockOf(t, "12155550100-12155550199")))))
	l.mustVerify(id)
	l.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	l.advance(trust.CacheLifetimeMax - 1)
	l.mustVerify(id)
	l.advance(1)
	wants(t, l.verify(id), oob.CredentialUnreachable, nil)
	if l.verifier.Cached(id.X5U) {
		t.Error("cached is what may no longer be used")
	}
}

func TestRFC8226_S10_1_TNAuthListThatCannotBeHad(t *testing.T) {
	good := tnAuthList(t, blockOf(t, "12155550100-12155550199"))
	for _, c := range []struct {
		name   string
		url    string // instead of that of the list
		body   []byte
		header http.Header
		status int
		want   error
	}{
		{name: "a provider code, which whoever has the host could write", body: tnAuthList(t, stircert.TNAuthList{SPCs: []string{"567B"}}), want: stircert.BadTNAuthList},
		{name: "not a list", body: []byte("567B"), want: stircert.BadTNAuthList},
		{name: "an empty list", body: []byte{0x30, 0}, want: stircert.BadTNAuthList},
		{name: "too long", body: append(good, make([]byte, trust.TNAuthListBytesMax)...), want: trust.ErrContent},
		{name: "not there", status: http.StatusNotFound, want: trust.ErrContent},
		{name: "elsewhere", status: http.StatusFound, header: http.Header{"Location": {"/list"}}, want: trust.ErrContent},
		{name: "at a private address", url: "https://10.0.0.1/list", want: trust.ErrAddress},
		{name: "at another port", url: "https://sp.example:22/list", want: trust.ErrURL},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLaboratory(t, nil)
			url := l.host.URL + "/list?of=567B"
			if c.url != "" {
				url = c.url
			}
			id := l.issue(referring(t, url))
			l.answers(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.URL.Path, "/list") {
					w.Write(id.ChainPEM)
					return
				}
				if r.Header.Get("Accept") != "application/tnauthlist" {
					t.Errorf("asked for %s", r.Header.Get("Accept"))
				}
				for name, values := range c.header {
					w.Header()[name] = values
				}
				if c.status != 0 {
					w.WriteHeader(c.status)
				}
				w.Write(c.body)
			})
			err := l.verify(id)
			wants(t, err, oob.CredentialUnreachable, c.want)
			if !errors.Is(err, stircert.TNAuthListNotFetched) {
				t.Errorf("%v", err)
			}
			if s := l.verifier.Stats(); s.Certificates+s.Unproven != 0 || s.Failures != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// What a certificate refers to is fetched for those that are believed, not for everybody who can make one.
func TestRFC8226_S10_1_StrangersSendUsAfterNoTNAuthList(t *testing.T) {
	l := newLaboratory(t, nil)
	stranger, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
	if err != nil {
		t.Fatal(err)
	}
	url := l.servesList(tnAuthList(t, blockOf(t, "12155550100-12155550199")))
	id := issueFrom(t, stranger, l.host.URL, referring(t, url))
	l.pki.Serve(strings.TrimPrefix(id.X5U, l.host.URL), id.ChainPEM)
	wants(t, l.verify(id), oob.CredentialUntrusted, stircert.NotTrusted)
	ended := referring(t, url)
	ended.NotAfter = l.clock().Add(-1)
	wants(t, l.verify(l.issue(ended)), oob.CredentialUntrusted, stircert.Expired)
	l.wantRequests(2)
}

func TestRFC9060_S4_FetchedTNAuthListIsHeldAgainstItsIssuer(t *testing.T) {
	l := newLaboratory(t, nil)
	under := delegate(t, l.pki, oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, TNAuthList: blockOf(t, "12155550100-12155550199")})
	for numbers, want := range map[string]error{"12155550121": nil, "12155550200": stircert.BeyondIssuer} {
		id := issueFrom(t, under, l.host.URL, referring(t, l.servesList(tnAuthList(t, blockOf(t, numbers)))))
		l.pki.Serve(strings.TrimPrefix(id.X5U, l.host.URL), id.ChainPEM)
		if err := l.verify(id); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", numbers, err, want)
		}
	}
}
