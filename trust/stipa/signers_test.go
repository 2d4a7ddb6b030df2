package stipa_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// TestSigners_WhoMaySign: a pinned certificate, or one whose chain, in x5c or at a host that may be asked, ends at a root.
func TestSigners_WhoMaySign(t *testing.T) {
	l := newLaboratoryAt(t, time.Now())
	stranger, err := l.pki.NewPolicyAdministrator()
	if err != nil {
		t.Fatal(err)
	}
	pa, host := l.pa, l.host.Host
	x5u := l.host.URL + "/sti-pa.crt" // serves the stranger's from now on, as the last one made
	l.pki.Serve("/sti-pa.crt", pa.Signer.CertificatePEM())
	bySTI := &oobtest.Authority{Certificate: l.pki.Root.Certificate, Key: l.pki.Root.Key}
	x5c := func(certs ...*x509.Certificate) map[string]any {
		var chain []string
		for _, cert := range certs {
			chain = append(chain, base64Of(cert.Raw))
		}
		return map[string]any{"x5c": chain}
	}
	at := func(x5u string) map[string]any { return map[string]any{"x5u": x5u} }
	pinned := stipa.SignersConfig{Pinned: []*x509.Certificate{pa.Signer.Certificate}}
	two := stipa.SignersConfig{Pinned: []*x509.Certificate{stranger.Signer.Certificate, pa.Signer.Certificate}}
	rooted := stipa.SignersConfig{Roots: pool(pa.Root.Certificate)}
	fetched := stipa.SignersConfig{Roots: rooted.Roots, X5UHosts: []string{host}, Repository: l.repository()}
	both := stipa.SignersConfig{Pinned: []*x509.Certificate{stranger.Signer.Certificate}, Roots: rooted.Roots}
	good := stipa.Problem(0)
	for _, c := range []struct {
		name   string
		who    stipa.SignersConfig
		signer *oobtest.Authority
		header map[string]any
		want   stipa.Problem
	}{
		{"pinned", pinned, pa.Signer, nil, good},
		{"pinned as the second of two", two, pa.Signer, nil, good},
		{"pinned, whatever x5u says", pinned, pa.Signer, at("http://nobody.example/"), good},
		{"pinned, and no x5u", pinned, pa.Signer, map[string]any{"x5u": nil}, good},
		{"pinned, signed by a stranger", pinned, stranger.Signer, nil, stipa.WrongSignature},
		{"pinned, signed by an STI-CA", pinned, bySTI, nil, stipa.WrongSignature},
		{"pinned, a stranger with the pinned one in x5c", pinned, stranger.Signer, x5c(pa.Signer.Certificate), stipa.WrongSignature},
		{"x5c under the root", rooted, pa.Signer, x5c(pa.Signer.Certificate), good},
		{"x5c with the root", rooted, pa.Signer, x5c(pa.Signer.Certificate, pa.Root.Certificate), good},
		{"x5c under the root beside a pin", both, pa.Signer, x5c(pa.Signer.Certificate), good},
		{"pinned beside a root", both, stranger.Signer, nil, good},
		{"x5c of a stranger", rooted, stranger.Signer, x5c(stranger.Signer.Certificate, stranger.Root.Certificate), stipa.WrongSigner},
		{"x5c of the right one, signed by a stranger", rooted, stranger.Signer, x5c(pa.Signer.Certificate), stipa.WrongSignature},
		{"x5c with the right one in second place", rooted, stranger.Signer, x5c(stranger.Signer.Certificate, pa.Signer.Certificate), stipa.WrongSigner},
		{"x5c of the signer of CRLs", rooted, pa.CRLIssuer, x5c(pa.CRLIssuer.Certificate), stipa.WrongSigner},
		{"x5c of an STI-CA", rooted, bySTI, x5c(bySTI.Certificate), stipa.WrongSigner},
		{"x5c that is none", rooted, pa.Signer, map[string]any{"x5c": []string{"x"}}, stipa.Malformed},
		{"x5c that is empty", rooted, pa.Signer, map[string]any{"x5c": []string{}}, stipa.WrongSigner},
		{"x5u and no host that may be asked", rooted, pa.Signer, at(x5u), stipa.WrongSigner},
		{"x5u", fetched, pa.Signer, at(x5u), good},
		{"x5u, signed by a stranger", fetched, stranger.Signer, at(x5u), stipa.WrongSignature},
		{"x5u at another host", fetched, pa.Signer, at("https://other.example/sti-pa.crt"), stipa.WrongSigner},
		{"x5u with the host as user", fetched, pa.Signer, at("https://" + host + "@other.example/sti-pa.crt"), stipa.WrongSigner},
		{"x5u without TLS", fetched, pa.Signer, at(strings.Replace(x5u, "https", "http", 1)), stipa.Unreachable},
		{"x5u with a query", fetched, pa.Signer, at(x5u + "?"), stipa.Unreachable},
		{"x5u that serves nothing", fetched, pa.Signer, at(l.host.URL + "/nothing"), stipa.Unreachable},
		{"no x5u", fetched, pa.Signer, map[string]any{"x5u": nil}, stipa.WrongSigner},
	} {
		t.Run(c.name, func(t *testing.T) {
			signers := l.signers(c.who)
			body := l.list(oobtest.TrustListConfig{Signer: c.signer, Header: c.header})
			doc, err := signers.Check(t.Context(), stipa.Offer{Body: []byte(body), Now: time.Now()})
			if c.want != good {
				if !errors.Is(err, c.want) || doc != nil {
					t.Fatalf("got %v, want %v", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			// What is kept is good again, without anybody to ask.
			l.serve(nil)
			offline := c.who
			offline.X5UHosts = nil
			again, err := l.signers(offline).Check(t.Context(), stipa.Offer{Body: doc.Kept, Kept: true, Now: time.Now()})
			if err != nil || again.Content != doc.Content || again.Number.Cmp(doc.Number) != 0 || string(again.Kept) != string(doc.Kept) {
				t.Errorf("kept: %v", err)
			}
		})
	}
}

func TestSigners_ACertificateThatExpiredSignsNothing_APinnedOneDoes(t *testing.T) {
	l := newLaboratory(t)
	late := l.pa.Signer.Certificate.NotAfter.Add(time.Second)
	body := []byte(l.list(oobtest.TrustListConfig{Header: map[string]any{"x5c": []string{base64Of(l.pa.Signer.Certificate.Raw)}}}))
	rooted := l.signers(stipa.SignersConfig{Roots: pool(l.pa.Root.Certificate)})
	if _, err := rooted.Check(t.Context(), stipa.Offer{Body: body, Now: late}); !errors.Is(err, stipa.WrongSigner) {
		t.Errorf("under a root: %v", err)
	}
	if _, err := l.pinned().Check(t.Context(), stipa.Offer{Body: body, Now: late}); err != nil {
		t.Errorf("pinned: %v", err)
	}
}

func TestNewSigners_Refused(t *testing.T) {
	l := newLaboratory(t)
	p384, err := l.pki.Issue(oobtest.IssueConfig{SPC: "1234", Curve: elliptic.P384()})
	if err != nil {
		t.Fatal(err)
	}
	pin := l.pa.Signer.Certificate
	many := make([]*x509.Certificate, stipa.SignersMax+1)
	for i := range many {
		many[i] = pin
	}
	for _, c := range []struct {
		name string
		cfg  stipa.SignersConfig
	}{
		{"nobody", stipa.SignersConfig{}},
		{"a key that ES256 does not know", stipa.SignersConfig{Pinned: []*x509.Certificate{p384.Certificate.X509()}}},
		{"too many", stipa.SignersConfig{Pinned: many}},
		{"hosts without a root", stipa.SignersConfig{Pinned: []*x509.Certificate{pin}, X5UHosts: []string{"a"}, Repository: &trust.Repository{}}},
		{"hosts and nothing to fetch with", stipa.SignersConfig{Roots: pool(pin), X5UHosts: []string{"a"}}},
	} {
		if signers, err := stipa.NewSigners(c.cfg); err == nil || signers != nil {
			t.Errorf("%s: accepted", c.name)
		}
	}
}

func TestRFC5280_S5_RevocationListIsThatOfThePinnedSigner(t *testing.T) {
	l := newLaboratory(t)
	stranger, err := l.pki.NewPolicyAdministrator()
	if err != nil {
		t.Fatal(err)
	}
	pinned := stipa.CRLSigners{l.pa.Signer.Certificate, l.pa.CRLIssuer.Certificate}
	make := func(cfg oobtest.RevocationListConfig) []byte {
		body, err := l.pa.RevocationList(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	revoked := []oobtest.Revoked{oobtest.Revoke(l.pki.Intermediate.Certificate)}
	good := make(oobtest.RevocationListConfig{Revoked: revoked})
	doc, err := pinned.Check(t.Context(), stipa.Offer{Body: good})
	if err != nil {
		t.Fatal(err)
	}
	if doc.Entries != 1 || doc.Number.Int64() != 1 || !doc.Issued.Before(epoch) || !doc.Expires.After(epoch) || string(doc.Kept) != string(good) {
		t.Errorf("got %+v", doc)
	}
	again, err := pinned.Check(t.Context(), stipa.Offer{Body: make(oobtest.RevocationListConfig{Revoked: revoked})})
	if err != nil || again.Content != doc.Content {
		t.Errorf("signed anew: %v, same content %t", err, err == nil && again.Content == doc.Content)
	}
	armored := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: good})
	if again, err = pinned.Check(t.Context(), stipa.Offer{Body: armored}); err != nil || again.Content != doc.Content {
		t.Errorf("in PEM: %v", err)
	}
	for _, c := range []struct {
		name string
		body []byte
		want stipa.Problem
	}{
		{"nothing", nil, stipa.Malformed},
		{"cut short", good[:len(good)-1], stipa.Malformed},
		{"a bit of the signature", append(good[:len(good)-1:len(good)-1], good[len(good)-1]^1), stipa.WrongSignature},
		{"a stranger of the same name", make(oobtest.RevocationListConfig{Signer: stranger.CRLIssuer}), stipa.WrongSignature},
		{"another name", make(oobtest.RevocationListConfig{Signer: &oobtest.Authority{
			Certificate: renamed(l.pa.CRLIssuer.Certificate, l.pki.Root.Certificate.RawSubject), Key: l.pa.CRLIssuer.Key,
		}}), stipa.WrongSigner},
	} {
		if doc, err := pinned.Check(t.Context(), stipa.Offer{Body: c.body}); !errors.Is(err, c.want) || doc != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func renamed(cert *x509.Certificate, subject []byte) *x509.Certificate {
	other := *cert
	other.RawSubject = subject
	return &other
}
