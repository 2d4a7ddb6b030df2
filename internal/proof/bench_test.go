package proof_test

import (
	"crypto/x509"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
)

func benchVerifier(b *testing.B) (*oobtest.PKI, *trust.Verifier) {
	b.Helper()
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		b.Fatal(err)
	}
	anchors, err := trust.NewAnchors(pki.Root.Certificate)
	if err != nil {
		b.Fatal(err)
	}
	verifier, err := trust.New(trust.Config{Anchors: anchors})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(verifier.Close)
	return pki, verifier
}

// BenchmarkOfConnection_Kept is what a request on a kept connection pays for its proof.
func BenchmarkOfConnection_Kept(b *testing.B) {
	pki, verifier := benchVerifier(b)
	number := delegate(b, pki, oobtest.IssueConfig{SPC: "x", IssuedByRoot: true, TNAuthList: blockOf(b, "12155550100-12155550199")})
	for _, c := range []struct {
		name   string
		issuer *oobtest.PKI
		cfg    oobtest.IssueConfig
	}{
		{"provider", pki, oobtest.IssueConfig{SPC: "1234"}},
		{"delegate", number, oobtest.IssueConfig{SPC: "y", TNAuthList: blockOf(b, "12155550120")}},
	} {
		b.Run(c.name, func(b *testing.B) {
			id := issueWith(b, c.issuer, c.cfg)
			ctx, state := handshake(id.Certificate.X509(), c.issuer.Intermediate.Certificate)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := proof.OfConnection(ctx, state, verifier); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOfConnection_New is what the first request of a connection pays, when the chain was seen on another.
func BenchmarkOfConnection_New(b *testing.B) {
	pki, verifier := benchVerifier(b)
	id := issueWith(b, pki, oobtest.IssueConfig{SPC: "1234"})
	certs := []*x509.Certificate{id.Certificate.X509(), pki.Intermediate.Certificate}
	b.ReportAllocs()
	for b.Loop() {
		ctx, state := handshake(certs...)
		if _, err := proof.OfConnection(ctx, state, verifier); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkToken_X5C is reading and proving a token that brings its chain along, its one signature check included.
func BenchmarkToken_X5C(b *testing.B) {
	pki, verifier := benchVerifier(b)
	id := issueWith(b, pki, oobtest.IssueConfig{SPC: "1234"})
	authorization := bearer(b, id.Key, header(b, nil, id.TLS().Certificate...))
	b.ReportAllocs()
	for b.Loop() {
		token, err := proof.Read(authorization, proof.RFC9888)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := token.Prove(b.Context(), verifier, "1234"); err != nil {
			b.Fatal(err)
		}
	}
}
