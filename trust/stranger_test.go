package trust_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
)

// A stranger signs tokens with keys of his own, and x5u's of his choice. What he can do is here.

func forged(*ecdsa.PublicKey) error { return errSignature }

// at gives the same repository another name, and so another owner.
func (l *laboratory) at(host, path string) string {
	return strings.Replace(l.host.URL, "127.0.0.1", host, 1) + path
}

// padded is a chain with certificates of strangers before and after its intermediate.
func padded(t testing.TB, l *laboratory, id *oobtest.Identity) []byte {
	t.Helper()
	junk := make([]byte, 0, 64<<10)
	for i := range 3 {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: "stranger"}, IsCA: true, BasicConstraintsValid: true,
			NotBefore: l.clock(), NotAfter: l.clock().Add(time.Hour),
			ExtraExtensions: []pkix.Extension{{Id: []int{1, 2, 3}, Value: make([]byte, 4000)}},
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, id.Key.Public(), id.Key)
		if err != nil {
			t.Fatal(err)
		}
		junk = append(junk, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return append(append(junk, id.ChainPEM...), junk...)
}

func TestVerify_StrangersPutNothingIntoTheCache(t *testing.T) {
	l, directory := newDiskLaboratory(t, func(c *trust.Config) { c.CertificatesMax = 3 })
	victim := l.issue(oobtest.IssueConfig{SPC: "1234"})
	l.mustVerify(victim)
	pad := padded(t, l, victim)
	for i := range 20 {
		l.advance(time.Second)
		x5u := l.pki.Serve(fmt.Sprintf("/evil/%d.pem", i), pad)
		x5u = l.at("localhost", x5u[strings.Index(x5u, "/evil"):])
		if _, err := l.verifier.Verify(t.Context(), x5u, forged); err != errSignature {
			t.Fatal(err)
		}
	}
	l.wantRequests(21)
	l.mustVerify(victim)
	l.wantRequests(21)
	if s := l.verifier.Stats(); s.Certificates != 1 || s.Evictions != 0 || s.Unproven != 20 || s.ChainBuilds != 21 {
		t.Errorf("%+v", s)
	}
	if files, err := os.ReadDir(directory); err != nil || len(files) != 1 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// Of a chain is kept what leads to the anchor, however it was served.
func TestVerify_KeepsTheVerifiedPathAlone(t *testing.T) {
	l, directory := newDiskLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234", Path: "/sp.pem"})
	l.pki.Serve("/sp.pem", padded(t, l, id))
	l.mustVerify(id)
	file := string(read(t, filepath.Join(directory, trust.FileName(id.X5U))))
	if _, chain, _ := strings.Cut(file, "\n\n"); chain != string(id.ChainPEM) {
		t.Errorf("%d bytes are kept of a chain of %d", len(chain), len(id.ChainPEM))
	}
	l.mustVerify(id)
	if n := l.verifier.Stats().ChainBuilds; n != 1 {
		t.Errorf("%d chain builds", n)
	}
}

func TestVerify_WhatIsNotProvenIsOnProbation(t *testing.T) {
	l, directory := newDiskLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	ask := func() {
		t.Helper()
		if _, err := l.verifier.Credential(t.Context(), id.X5U); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	l.advance(time.Minute - time.Second)
	ask()
	l.wantRequests(1)
	l.advance(time.Second)
	ask()
	l.wantRequests(2)
	if l.verifier.Cached(id.X5U) {
		t.Error("cached, and nothing was proven")
	}
	l.mustVerify(id)
	l.advance(23 * time.Hour)
	l.mustVerify(id)
	l.wantRequests(2)
	if s := l.verifier.Stats(); !l.verifier.Cached(id.X5U) || s.Certificates != 1 || s.Unproven != 0 {
		t.Errorf("%+v", s)
	}
	if files, err := os.ReadDir(directory); err != nil || len(files) != 1 {
		t.Errorf("%d files, %v", len(files), err)
	}
	l.verifier.SetAnchors(nil)
	if l.verifier.Cached(id.X5U) {
		t.Error("cached, and nobody believes it")
	}
}

func TestVerify_LargestHostMakesRoomOutOfItsOwn(t *testing.T) {
	l := newLaboratory(t, func(c *trust.Config) { c.CertificatesMax = 8 })
	var small []*oobtest.Identity
	for range 2 {
		id := l.issue(oobtest.IssueConfig{SPC: "1234"})
		id.X5U = strings.Replace(id.X5U, "127.0.0.1", "localhost", 1)
		l.mustVerify(id)
		small = append(small, id)
	}
	for range 20 {
		l.advance(time.Second)
		l.mustVerify(l.issue(oobtest.IssueConfig{SPC: "567B"}))
	}
	requests := l.requests.Load()
	for _, id := range small {
		l.mustVerify(id)
	}
	l.wantRequests(requests)
}

// The refresh of a certificate that is no longer fresh brings another key: it replaces the old one when it has verified
// a signature, and until then the host is not asked again and again.
func TestVerify_RefreshedKeyWaitsForASignature(t *testing.T) {
	l := newLaboratory(t, nil)
	old := l.issue(oobtest.IssueConfig{SPC: "1234", Path: "/sp.pem"})
	l.mustVerify(old)
	renewed := l.issue(oobtest.IssueConfig{SPC: "1234", Path: "/sp.pem"})
	l.advance(24 * time.Hour)
	for range 59 {
		l.mustVerify(old)
		l.verifier.Settle(old.X5U)
		l.advance(time.Second)
	}
	l.wantRequests(2)
	l.mustVerify(renewed)
	l.wantRequests(2)
	l.mustVerify(renewed)
	if s := l.verifier.Stats(); s.Unproven != 0 || s.Certificates != 1 {
		t.Errorf("%+v", s)
	}
}

func TestVerify_StrangersHostIsNotAskedInVainForLong(t *testing.T) {
	l := newLaboratory(t, nil)
	l.answers(http.NotFound)
	n := 0
	burst := func(want int64) {
		t.Helper()
		before := l.requests.Load()
		for range 300 {
			n++
			_, err := l.verifier.Credential(t.Context(), l.at("localhost", fmt.Sprintf("/%d", n)))
			kind := oob.CredentialUnreachable
			if l.requests.Load()-before == want && oob.FaultOf(err).Kind != kind {
				kind = oob.Overloaded
			}
			wants(t, err, kind, nil)
		}
		l.wantRequests(before + want)
	}
	burst(10)
	burst(0)
	l.advance(time.Second)
	burst(10)
	l.answers(nil)
	l.advance(time.Second)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	id.X5U = strings.Replace(id.X5U, "127.0.0.1", "localhost", 1)
	l.mustVerify(id)
	l.answers(http.NotFound)
	l.advance(time.Minute)
	burst(200)
}

// An empty cache fills as fast as its hosts answer.
func TestVerify_ColdStartIsNotHeldUp(t *testing.T) {
	l := newLaboratory(t, nil)
	for range 250 {
		l.mustVerify(l.issue(oobtest.IssueConfig{SPC: "1234"}))
	}
	if s := l.verifier.Stats(); s.Certificates != 250 || s.Busy != 0 {
		t.Errorf("%+v", s)
	}
}

func TestVerify_StrangersHostsLeaveTurnsToKnownOnes(t *testing.T) {
	l := newLaboratory(t, func(c *trust.Config) { c.FetchesMax = 2 })
	l.mustVerify(l.issue(oobtest.IssueConfig{SPC: "1234"}))
	own, asked, release := l.pki.Handler(), make(chan struct{}), make(chan struct{})
	l.answers(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Host, "localhost") {
			asked <- struct{}{}
			<-release
		}
		own.ServeHTTP(w, r)
	})
	results := make(chan error)
	ask := func(ctx context.Context, path string) {
		_, err := l.verifier.Credential(ctx, l.at("localhost", path))
		results <- err
	}
	go ask(t.Context(), "/first")
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	go ask(ctx, "/second") // waits for the turn of the first
	for !l.verifier.Waits(l.at("localhost", "/second")) {
		runtime.Gosched()
	}
	l.mustVerify(l.issue(oobtest.IssueConfig{SPC: "567B"}))
	cancel()
	wants(t, <-results, oob.Overloaded, trust.ErrBusy) // it was never its turn: our limit, not the host's fault
	close(release)
	wants(t, <-results, oob.CredentialUnreachable, trust.ErrAnswer)
	<-asked
}

// Whatever number of hosts strangers name, they get half of the turns and half of the places to wait in.
func TestSlots_EndlessHostsGetHalf(t *testing.T) {
	s := trust.NewSlots(8, 4, 8)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	enter := func(ctx context.Context, host int, known bool) error {
		_, err := s.Enter(ctx, fmt.Sprint(host), fmt.Sprint(known, host), known)
		return err
	}
	for host := range 4 {
		if err := enter(t.Context(), host, false); err != nil {
			t.Fatal(err)
		}
	}
	if enter(over, 5, false) != trust.ErrBusy {
		t.Error("a fifth stranger has a turn")
	}
	for host := range 4 {
		if err := enter(t.Context(), host, true); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSlots_StrangersHostGetsAQuarterOfAKnownOnes(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for known, want := range map[bool]int{false: 4, true: 16} {
		s, got := trust.NewSlots(64, 16, 1024), 0
		for got < 64 {
			ctx := t.Context()
			if got == want {
				ctx = over
			}
			if _, err := s.Enter(ctx, "host", fmt.Sprint(got), known); err != nil {
				break
			}
			got++
		}
		if got != want {
			t.Errorf("known %v: %d at a time", known, got)
		}
	}
}

func TestOwnerOf_WildcardNamesAreOne(t *testing.T) {
	for host, want := range map[string]string{
		"cr.example.com":       "example.com",
		"a.b.c.example.com":    "example.com",
		"example.com":          "example.com",
		"example.com.":         "example.com",
		"x.example.co.uk":      "example.co.uk",
		"one.github.io":        "one.github.io", // everybody may have one
		"localhost":            "localhost",
		"8.8.8.8":              "8.8.8.0/24",
		"::ffff:8.8.8.8":       "8.8.8.0/24",
		"2600:1:2:3::4":        "2600:1:2::/48",
		"certificates.invalid": "certificates.invalid",
	} {
		if got := trust.OwnerOf(host); got != want {
			t.Errorf("%s belongs to %s, want %s", host, got, want)
		}
	}
}

// A printed fault says each thing once, and nothing that a stranger has written.
func TestFaults_SayItOnce(t *testing.T) {
	l := newLaboratory(t, nil)
	stranger, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock, Name: "Stranger"})
	if err != nil {
		t.Fatal(err)
	}
	foreign := issueFrom(t, stranger, l.host.URL, oobtest.IssueConfig{SPC: "1234", Path: "/stranger.pem"})
	l.pki.Serve("/stranger.pem", foreign.ChainPEM)
	expired := l.issue(oobtest.IssueConfig{SPC: "1234", NotAfter: l.clock().Add(-time.Second)})
	for x5u, want := range map[string]string{
		"http://127.0.0.1/":      "credential-unreachable: no certificate could be fetched: the x5u is not acceptable: not https",
		l.host.URL + "/none.pem": "credential-unreachable: no certificate could be fetched: the repository did not answer with certificates: status 404",
		expired.X5U:              "credential-untrusted: the certificate is not trusted: the certificate has expired",
		foreign.X5U:              "credential-untrusted: the certificate is not trusted: no path leads from the certificate to a trust anchor: unknown authority",
		"https://[::1]:8443/":    "credential-unreachable: no certificate could be fetched: dial tcp [::1]:8443: the host has an address that is not public",
	} {
		if _, err := l.verifier.Credential(t.Context(), x5u); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}
