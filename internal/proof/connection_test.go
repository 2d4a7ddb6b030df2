package proof_test

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
	"github.com/viaduct-oob/viaduct/trust/crl"
)

func unprovenBecause(err error, cause error) bool {
	return errors.Is(err, oob.Unproven) && (cause == nil || errors.Is(err, cause))
}

// accountOf is the account of those for whom pki issues, which is that of a delegate.
func accountOf(pki *oobtest.PKI) string {
	hash := sha256.Sum256(pki.Intermediate.Certificate.Raw)
	return hex.EncodeToString(hash[:8])
}

func TestRFC9888_S5_TheCertificateOfTheHandshakeSaysWhoAsks(t *testing.T) {
	d := openDoor(t)
	stranger, err := oobtest.NewPKI(oobtest.PKIConfig{Name: "Stranger"})
	if err != nil {
		t.Fatal(err)
	}
	block := blockOf(t, "12155550100-12155550199")
	numbers := delegate(t, d.pki, oobtest.IssueConfig{SPC: "enterprise", IssuedByRoot: true, TNAuthList: block})
	below := delegate(t, numbers, oobtest.IssueConfig{SPC: "branch", TNAuthList: blockOf(t, "12155550150-12155550159")})
	provider := d.issue(oobtest.IssueConfig{SPC: "1234"})
	several := d.issue(oobtest.IssueConfig{SPC: "both", TNAuthList: stircert.TNAuthList{SPCs: []string{"1234", "567B"}}})
	number := issueWith(t, below, oobtest.IssueConfig{SPC: "desk", TNAuthList: blockOf(t, "12155550151")})
	short := func(id *oobtest.Identity) string { return hex.EncodeToString(id.Certificate.Hash[:8]) }
	customer := accountOf(numbers) // whoever may delegate is one customer, however many certificates there are below

	for _, c := range []struct {
		name         string
		shown        *tls.Certificate
		spc, account string
	}{
		{"a provider", showing(provider), "1234", "1234"},
		{"with the anchor", showing(provider, d.pki.Root.Certificate), "1234", "1234"},
		{"by the anchor, alone", showing(d.issue(oobtest.IssueConfig{SPC: "890C", IssuedByRoot: true})), "890C", "890C"},
		{"with certificates that have no part in it", showing(provider, stranger.Root.Certificate, stranger.TLSRoot.Certificate), "1234", "1234"},
		{"with itself twice", showing(provider, provider.Certificate.X509()), "1234", "1234"},
		{"several providers", showing(several), "", short(several)},
		{"a delegate of a delegate", showing(number, numbers.Intermediate.Certificate), "", customer},
		{"certificates in another order", &tls.Certificate{PrivateKey: number.Key, Certificate: [][]byte{
			number.Certificate.Raw, numbers.Intermediate.Certificate.Raw, below.Intermediate.Certificate.Raw,
		}}, "", customer},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := d.ask(d.client(c.shown, nil))
			leaf, err := stircert.Parse(c.shown.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			p := got.principal
			if got.err != nil || p.SPC != c.spc || p.Account != c.account || p.X5U != "" || p.Cert != leaf.Hash || p.Scope.Empty() {
				t.Errorf("%+v, %v", p, got.err)
			}
		})
	}
}

func TestRFC9888_S5_CertificatesThatProveNothing(t *testing.T) {
	d := openDoor(t)
	stranger, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	numbers := delegate(t, d.pki, oobtest.IssueConfig{SPC: "enterprise", IssuedByRoot: true, TNAuthList: blockOf(t, "12155550100-12155550199")})
	part := delegate(t, numbers, oobtest.IssueConfig{SPC: "branch", TNAuthList: blockOf(t, "12155550150-12155550159")})
	web, err := d.pki.IssueTLS("client.example")
	if err != nil {
		t.Fatal(err)
	}
	ofWeb, err := web.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	past, future := time.Now().Add(-2*time.Hour), time.Now().Add(2*time.Hour)
	alone := d.issue(oobtest.IssueConfig{SPC: "1234"}).TLS()
	alone.Certificate = alone.Certificate[:1]
	expired := delegate(t, d.pki, oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, NotBefore: past, NotAfter: past.Add(time.Hour)})

	for _, c := range []struct {
		name  string
		shown *tls.Certificate
		want  error
	}{
		{"none", nil, nil},
		{"of the web", &ofWeb, stircert.NoTNAuthList},
		{"of another STI", showing(issueWith(t, stranger, oobtest.IssueConfig{SPC: "1234"}), stranger.Root.Certificate), stircert.NotTrusted},
		{"of another STI, with our anchor", showing(issueWith(t, stranger, oobtest.IssueConfig{SPC: "1234"}), d.pki.Root.Certificate), stircert.NotTrusted},
		{"without the intermediate", &alone, stircert.NotTrusted},
		{"expired", showing(d.issue(oobtest.IssueConfig{SPC: "1234", NotBefore: past, NotAfter: past.Add(time.Hour)})), stircert.Expired},
		{"not valid yet", showing(d.issue(oobtest.IssueConfig{SPC: "1234", NotBefore: future, NotAfter: future.Add(time.Hour)})), stircert.NotYetValid},
		{"by a CA that has expired", showing(issueWith(t, expired, oobtest.IssueConfig{SPC: "1234"})), stircert.Expired},
		{"without a TNAuthList", showing(d.issue(oobtest.IssueConfig{SPC: "1234", WithoutTNAuthList: true})), stircert.NoTNAuthList},
		{"with a TNAuthList that is none", showing(d.issue(oobtest.IssueConfig{SPC: "1234", TNAuthListDER: []byte{0x30, 0}})), stircert.BadTNAuthList},
		{"with its TNAuthList elsewhere", showing(d.issue(referring(t, "https://lists.example/1234"))), stircert.TNAuthListNotFetched},
		{"of a CA", showing(d.issue(oobtest.IssueConfig{SPC: "1234", Modify: func(c *x509.Certificate) { c.IsCA = true }})), stircert.IsCA},
		{"of a key for other things", showing(d.issue(oobtest.IssueConfig{SPC: "1234", Modify: func(c *x509.Certificate) {
			c.KeyUsage = x509.KeyUsageKeyAgreement
		}})), stircert.NoDigitalSignature},
		{"on P-384", showing(d.issue(oobtest.IssueConfig{SPC: "1234", Curve: elliptic.P384()})), stircert.WrongKey},
		{"with an RSA key", ofRSA(t, d.pki), stircert.WrongKey},
		{"of a delegate for a number outside", showing(issueWith(t, numbers, oobtest.IssueConfig{SPC: "x", TNAuthList: blockOf(t, "12025550100")})), stircert.BeyondIssuer},
		{"of a delegate for a provider", showing(issueWith(t, numbers, oobtest.IssueConfig{SPC: "1234"})), stircert.BeyondIssuer},
		{"of a delegate for more than the CA above has", showing(
			issueWith(t, part, oobtest.IssueConfig{SPC: "x", TNAuthList: blockOf(t, "12155550100")}), numbers.Intermediate.Certificate), stircert.BeyondIssuer},
		{"of a delegate without the CA above", showing(
			issueWith(t, part, oobtest.IssueConfig{SPC: "x", TNAuthList: blockOf(t, "12155550150")})), stircert.NotTrusted},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := d.client(c.shown, nil)
			d.ahead.Add(int64(time.Second)) // which forgives what was asked in vain
			for range 2 {                   // what was found out is remembered, and is the same
				got := d.ask(client)
				if !unprovenBecause(got.err, c.want) || got.principal.Account != "" || got.principal.SPC != "" {
					t.Errorf("%+v, %v; want %v", got.principal, got.err, c.want)
				}
				if got.err != nil && strings.Contains(got.err.Error(), "1215555") {
					t.Errorf("a number in %v", got.err)
				}
			}
		})
	}
}

// ofRSA is a certificate with a TNAuthList over an RSA key.
func ofRSA(t *testing.T, pki *oobtest.PKI) *tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	list, err := stircert.TNAuthList{SPCs: []string{"1234"}}.Extension()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "SHAKEN 1234"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, ExtraExtensions: []pkix.Extension{list},
	}, pki.Intermediate.Certificate, key.Public(), pki.Intermediate.Key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, pki.Intermediate.Certificate.Raw}, PrivateKey: key}
}

// A kept connection, and a session that is resumed, prove no longer what their certificate does not: not after it has
// expired, lost its anchor or was revoked.
func TestRFC9325_S3_4_NothingOutlivesTheCertificate(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
			for name, end := range map[string]struct {
				do   func(*door, *oobtest.Identity)
				want error
			}{
				"expired": {func(d *door, id *oobtest.Identity) { d.ahead.Store(int64(91 * 24 * time.Hour)) }, stircert.Expired},
				"anchor":  {func(d *door, id *oobtest.Identity) { d.verifier.SetAnchors(nil) }, stircert.NotTrusted},
				"revoked": {func(d *door, id *oobtest.Identity) { d.revoke(id) }, stircert.Revoked},
			} {
				t.Run(tls.VersionName(version)+", "+protocol+", "+name, func(t *testing.T) {
					d := openDoor(t)
					id := d.issue(oobtest.IssueConfig{SPC: "1234"})
					client := d.client(showing(id), func(transport *http.Transport) {
						transport.TLSClientConfig.MinVersion, transport.TLSClientConfig.MaxVersion = version, version
						transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
						transport.Protocols = new(http.Protocols)
						transport.Protocols.SetHTTP1(protocol == "HTTP/1.1")
						transport.Protocols.SetHTTP2(protocol == "HTTP/2.0")
					})
					first, second := d.ask(client), d.ask(client)
					if first.err != nil || second.err != nil || first.state != second.state || first.state.DidResume {
						t.Fatalf("%v, %v, one connection: %t", first.err, second.err, first.state == second.state)
					}
					client.CloseIdleConnections()
					resumed := d.ask(client)
					if resumed.err != nil || !resumed.state.DidResume || resumed.principal.Cert != id.Certificate.Hash || resumed.principal.SPC != "1234" {
						t.Fatalf("resumed %t: %+v, %v", resumed.state.DidResume, resumed.principal, resumed.err)
					}
					end.do(d, id)
					kept := d.ask(client)
					if kept.state != resumed.state || !unprovenBecause(kept.err, end.want) || kept.principal.Account != "" {
						t.Errorf("kept: %+v, %v", kept.principal, kept.err)
					}
					client.CloseIdleConnections()
					again := d.ask(client)
					if !again.state.DidResume || !unprovenBecause(again.err, end.want) || again.principal.Account != "" {
						t.Errorf("resumed %t: %+v, %v", again.state.DidResume, again.principal, again.err)
					}
				})
			}
		}
	}
}

// revoke lets the verifier know of a list that has the certificate of id.
func (d *door) revoke(id *oobtest.Identity) {
	d.Helper()
	administrator, err := d.pki.NewPolicyAdministrator()
	if err != nil {
		d.Fatal(err)
	}
	der, err := administrator.RevocationList(oobtest.RevocationListConfig{Revoked: []oobtest.Revoked{oobtest.Revoke(id.Certificate.X509())}})
	if err != nil {
		d.Fatal(err)
	}
	list, err := crl.Parse(der)
	if err != nil {
		d.Fatal(err)
	}
	revocations, err := trust.NewRevocations(trust.RevocationPolicy{}, trust.RevocationSource{List: list})
	if err != nil {
		d.Fatal(err)
	}
	d.verifier.SetRevocations(revocations)
}

// Whoever shows more than anybody reads gets no connection; whatever else is shown, TLS lets in.
func TestRFC9888_S5_WhatAClientMayShowIsBounded(t *testing.T) {
	d := openDoor(t)
	id := d.issue(oobtest.IssueConfig{SPC: "1234"})
	root, intermediate := d.pki.Root.Certificate, d.pki.Intermediate.Certificate
	large := d.issue(oobtest.IssueConfig{SPC: "1234", Modify: func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{1, 2, 3}, Value: make([]byte, proof.ChainBytesMax)})
	}})
	most := showing(id, root, root, root, root, root, root)
	if got := d.ask(d.client(most, nil)); got.err != nil {
		t.Errorf("%d certificates: %v", len(most.Certificate), got.err)
	}
	for name, shown := range map[string]*tls.Certificate{
		"one too many": showing(id, root, root, root, root, root, root, root), "too large": showing(large),
	} {
		if response, err := d.client(shown, nil).Get("https://" + d.host + "/"); err == nil {
			response.Body.Close()
			<-d.asked
			t.Errorf("%s: was let in", name)
		}
	}
	// Behind another server it proves nothing either.
	for name, certs := range map[string][]*x509.Certificate{
		"one too many": {id.Certificate.X509(), intermediate, root, root, root, root, root, root, root},
		"too large":    {large.Certificate.X509(), intermediate},
	} {
		ctx, state := handshake(certs...)
		if p, err := proof.OfConnection(ctx, state, d.verifier); !unprovenBecause(err, nil) || p.Account != "" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if p, err := proof.OfConnection(t.Context(), nil, d.verifier); !unprovenBecause(err, nil) || p.Account != "" {
		t.Errorf("without TLS: %+v, %v", p, err)
	}
	ctx, state := handshake(id.Certificate.X509(), intermediate)
	if p, err := proof.OfConnection(ctx, state, d.verifier); err != nil || p.SPC != "1234" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := proof.OfConnection(t.Context(), state, d.verifier); err != nil || p.SPC != "1234" {
		t.Errorf("where nothing is remembered: %+v, %v", p, err)
	}
	// Should a context ever belong to another connection, what it remembers does not count.
	_, another := handshake(issueWith(t, d.pki, oobtest.IssueConfig{SPC: "567B"}).Certificate.X509(), intermediate)
	if p, err := proof.OfConnection(ctx, another, d.verifier); err != nil || p.SPC != "567B" {
		t.Errorf("another connection: %+v, %v", p, err)
	}
}

// What is shown makes us fetch nothing and is built into a path once, though others pad it.
func TestShownChainsAreBuiltOnce(t *testing.T) {
	d := openDoor(t)
	id := d.issue(oobtest.IssueConfig{SPC: "1234"})
	client := d.client(showing(id, d.pki.TLSRoot.Certificate), nil)
	for range 5 {
		if got := d.ask(client); got.err != nil {
			t.Fatal(got.err)
		}
	}
	if s := d.verifier.Stats(); s.ChainBuilds != 1 || s.Fetches != 0 || s.Certificates != 0 {
		t.Errorf("%+v", s)
	}
}
