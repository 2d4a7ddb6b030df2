package oobtest_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
)

func newPKI(t *testing.T, cfg oobtest.PKIConfig) *oobtest.PKI {
	t.Helper()
	pki, err := oobtest.NewPKI(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return pki
}

func issue(t *testing.T, pki *oobtest.PKI, cfg oobtest.IssueConfig) *oobtest.Identity {
	t.Helper()
	id, err := pki.Issue(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestATIS1000080_S6_4_1_IssuedCertificateFollowsProfile(t *testing.T) {
	id := issue(t, newPKI(t, oobtest.PKIConfig{}), oobtest.IssueConfig{SPC: "1234"})
	cert := id.Certificate.X509()
	if err := id.Certificate.CheckEndEntity(); err != nil {
		t.Errorf("end entity: %v", err)
	}
	if got := cert.Subject.String(); got != "CN=SHAKEN 1234,O=Viaduct Laboratory,C=US" {
		t.Errorf("subject %q", got)
	}
	if cert.KeyUsage != x509.KeyUsageDigitalSignature || len(cert.SubjectKeyId) != 20 || len(cert.AuthorityKeyId) != 20 {
		t.Errorf("key usage %v, SKI %x, AKI %x", cert.KeyUsage, cert.SubjectKeyId, cert.AuthorityKeyId)
	}
	if got := cert.Policies; len(got) != 1 || got[0].String() != "2.16.840.1.114569.1.1.4" {
		t.Errorf("policies %v", got)
	}
	if cert.SerialNumber.BitLen() < 64 {
		t.Errorf("serial of %d bits", cert.SerialNumber.BitLen())
	}
	for _, ext := range cert.Extensions {
		name := ext.Id.String()
		if critical := name == "2.5.29.15" || name == "2.5.29.19"; ext.Critical != critical {
			t.Errorf("extension %s: critical %v", name, ext.Critical)
		}
	}
}

func TestPKI_DeviationsAreAsAsked(t *testing.T) {
	pki := newPKI(t, oobtest.PKIConfig{})
	for _, c := range []struct {
		name string
		cfg  oobtest.IssueConfig
		want error
	}{
		{"none", oobtest.IssueConfig{SPC: "1234"}, nil},
		{"P-384", oobtest.IssueConfig{SPC: "1234", Curve: elliptic.P384()}, stircert.WrongKey},
		{"no TNAuthList", oobtest.IssueConfig{SPC: "1234", WithoutTNAuthList: true}, stircert.NoTNAuthList},
		{"bad TNAuthList", oobtest.IssueConfig{SPC: "1234", TNAuthListDER: []byte{0x30, 0}}, stircert.BadTNAuthList},
		{"a CA", oobtest.IssueConfig{SPC: "1234", Modify: func(c *x509.Certificate) { c.IsCA = true }}, stircert.IsCA},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := issue(t, pki, c.cfg).Certificate.CheckEndEntity(); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestIdentity_TLSShowsTheChain(t *testing.T) {
	pki := newPKI(t, oobtest.PKIConfig{})
	for _, byRoot := range []bool{false, true} {
		id := issue(t, pki, oobtest.IssueConfig{SPC: "1234", IssuedByRoot: byRoot})
		want := [][]byte{id.Certificate.Raw}
		if !byRoot {
			want = append(want, pki.Intermediate.Certificate.Raw)
		}
		if got := id.TLS(); !reflect.DeepEqual(got.Certificate, want) || got.PrivateKey != id.Key {
			t.Errorf("%d certificates, want %d", len(got.Certificate), len(want))
		}
	}
}

func TestPKI_GoesOnFromFiles(t *testing.T) {
	first := newPKI(t, oobtest.PKIConfig{})
	reload := func(a *oobtest.Authority) *oobtest.Authority {
		key, err := a.KeyPEM()
		if err != nil {
			t.Fatal(err)
		}
		again, err := oobtest.LoadAuthority(a.CertificatePEM(), key)
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	second := newPKI(t, oobtest.PKIConfig{
		Root: reload(first.Root), Intermediate: reload(first.Intermediate), TLSRoot: reload(first.TLSRoot),
	})
	if !bytes.Equal(first.RootPEM(), second.RootPEM()) || !bytes.Equal(first.TLSRootPEM(), second.TLSRootPEM()) {
		t.Error("other anchors than before")
	}
	cert := issue(t, second, oobtest.IssueConfig{SPC: "1234"}).Certificate.X509()
	if err := cert.CheckSignatureFrom(first.Intermediate.Certificate); err != nil {
		t.Error(err)
	}
}

func TestRepository_ServesEveryChainAtItsX5U(t *testing.T) {
	pki := newPKI(t, oobtest.PKIConfig{})
	repository, err := pki.StartRepository()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repository.Close() })
	id := issue(t, pki, oobtest.IssueConfig{SPC: "1234"})
	if !strings.HasPrefix(id.X5U, repository.URL+"/1234-") {
		t.Errorf("x5u %q", id.X5U)
	}
	client := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pki.TLSRoots()}},
	}
	defer client.CloseIdleConnections()
	res, err := client.Get(id.X5U)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(body, id.ChainPEM) {
		t.Errorf("got %d bytes, %v; want the chain", len(body), err)
	}
	if got := res.Header.Get("Content-Type"); got != "application/pem-certificate-chain" {
		t.Errorf("content type %q", got)
	}
}
