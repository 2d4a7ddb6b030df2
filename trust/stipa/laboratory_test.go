package stipa_test

import (
	"crypto/x509"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// epoch is when every bubble of testing/synctest begins; the laboratory is made for that time.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// laboratory is a PKI with an STI-PA that serves what serve was last given, over TLS. It lives outside of bubbles, so that
// its waiting for connections does not hold their time.
type laboratory struct {
	t    testing.TB
	pki  *oobtest.PKI
	pa   *oobtest.PolicyAdministrator
	host *oobtest.Repository

	mu       sync.Mutex
	answer   http.HandlerFunc // guarded by mu
	requests int              // guarded by mu
	last     *http.Request    // guarded by mu
}

func newLaboratory(t testing.TB) *laboratory {
	t.Helper()
	return newLaboratoryAt(t, epoch)
}

// newLaboratoryAt makes it for tests outside of bubbles.
func newLaboratoryAt(t testing.TB, now time.Time) *laboratory {
	t.Helper()
	l := &laboratory{t: t, answer: http.NotFound}
	var err error
	if l.pki, err = oobtest.NewPKI(oobtest.PKIConfig{Now: func() time.Time { return now }}); err != nil {
		t.Fatal(err)
	}
	certificates := l.pki.Handler()
	if l.host, err = l.pki.StartHost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sti-pa.crt" {
			certificates.ServeHTTP(w, r)
			return
		}
		l.mu.Lock()
		answer := l.answer
		l.requests++
		l.last = r
		l.mu.Unlock()
		answer(w, r)
	})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.host.Close() })
	if l.pa, err = l.pki.NewPolicyAdministrator(); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *laboratory) serve(answer http.HandlerFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = answer
}

func (l *laboratory) serveText(body string) {
	l.serve(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
}

func (l *laboratory) asked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

// list signs a trust list.
func (l *laboratory) list(cfg oobtest.TrustListConfig) string {
	l.t.Helper()
	text, err := l.pa.TrustList(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	return text
}

// pinned are Signers with the STI-PA's certificate pinned.
func (l *laboratory) pinned() *stipa.Signers {
	return l.signers(stipa.SignersConfig{Pinned: []*x509.Certificate{l.pa.Signer.Certificate}})
}

func (l *laboratory) signers(cfg stipa.SignersConfig) *stipa.Signers {
	l.t.Helper()
	s, err := stipa.NewSigners(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// repository fetches from the laboratory's host.
func (l *laboratory) repository() *trust.Repository {
	return trust.NewRepository(trust.RepositoryConfig{
		Deadline: time.Minute, Laboratory: trust.Laboratory{Hosts: []string{l.host.Host}, Roots: l.pki.TLSRoots()},
	})
}

func pool(certs ...*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, cert := range certs {
		p.AddCert(cert)
	}
	return p
}
