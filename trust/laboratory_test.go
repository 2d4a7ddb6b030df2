package trust_test

import (
	"crypto/ecdsa"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
)

var errSignature = errors.New("signature does not verify")

// laboratory is a PKI with an https repository, a clock, and a verifier that believes the one and uses the other.
type laboratory struct {
	t        testing.TB
	pki      *oobtest.PKI
	host     *oobtest.Repository
	config   trust.Config
	verifier *trust.Verifier
	requests atomic.Int64 // that reached the repository

	mu     sync.Mutex
	now    time.Time        // guarded by mu
	answer http.HandlerFunc // instead of the repository's own, when not nil; guarded by mu
}

func newLaboratory(t testing.TB, edit func(*trust.Config)) *laboratory {
	t.Helper()
	l := &laboratory{t: t, now: time.Now()}
	var err error
	if l.pki, err = oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock}); err != nil {
		t.Fatal(err)
	}
	l.startRepository()
	anchors, err := trust.NewAnchors(l.pki.Root.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	l.config = trust.Config{Anchors: anchors, Now: l.clock}
	l.config.Repository.Deadline = 30 * time.Second // nothing may depend on the speed of this machine
	l.config.Repository.Laboratory = trust.Laboratory{Hosts: []string{"127.0.0.1", "localhost"}, Roots: l.pki.TLSRoots()}
	if edit != nil {
		edit(&l.config)
	}
	l.restart()
	return l
}

// startRepository starts a host whose answers are those of the PKI, unless l.answer says otherwise.
func (l *laboratory) startRepository() {
	l.t.Helper()
	own := l.pki.Handler()
	host, err := l.pki.StartHost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.requests.Add(1)
		l.mu.Lock()
		answer := l.answer
		l.mu.Unlock()
		if answer == nil {
			answer = own.ServeHTTP
		}
		answer(w, r)
	}))
	if err != nil {
		l.t.Fatal(err)
	}
	l.host = host
	l.t.Cleanup(func() { host.Close() })
}

// restart makes a new verifier of the same configuration.
func (l *laboratory) restart() {
	l.t.Helper()
	if l.verifier != nil {
		l.verifier.Close()
	}
	v, err := trust.New(l.config)
	if err != nil {
		l.t.Fatal(err)
	}
	l.verifier = v
	l.t.Cleanup(v.Close)
}

func (l *laboratory) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *laboratory) advance(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

func (l *laboratory) answers(h http.HandlerFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = h
}

// issue issues a certificate and gives it an x5u on the laboratory's host.
func (l *laboratory) issue(cfg oobtest.IssueConfig) *oobtest.Identity {
	l.t.Helper()
	return issueFrom(l.t, l.pki, l.host.URL, cfg)
}

func issueFrom(t testing.TB, pki *oobtest.PKI, base string, cfg oobtest.IssueConfig) *oobtest.Identity {
	t.Helper()
	id, err := pki.Issue(cfg)
	if err != nil {
		t.Fatal(err)
	}
	const before = "https://certs.laboratory.example"
	id.X5U = base + id.X5U[len(before):]
	return id
}

// signedBy checks as if a token had been signed with the key of id.
func signedBy(id *oobtest.Identity) func(*ecdsa.PublicKey) error {
	return func(key *ecdsa.PublicKey) error {
		if !key.Equal(id.Key.Public()) {
			return errSignature
		}
		return nil
	}
}

func (l *laboratory) verify(id *oobtest.Identity) error {
	l.t.Helper()
	credential, err := l.verifier.Verify(l.t.Context(), id.X5U, signedBy(id))
	if (credential == nil) == (err == nil) {
		l.t.Errorf("credential %v beside error %v", credential, err)
	}
	if err == nil && credential.Certificate.Hash != id.Certificate.Hash {
		l.t.Error("verified with another certificate")
	}
	return err
}

func (l *laboratory) mustVerify(id *oobtest.Identity) {
	l.t.Helper()
	if err := l.verify(id); err != nil {
		l.t.Fatalf("must verify: %v", err)
	}
}

// wants says which kind of fault an error must be, and what it must wrap (nil for nothing).
func wants(t testing.TB, err error, kind oob.Kind, cause error) {
	t.Helper()
	fault, ok := errors.AsType[*oob.Fault](err)
	if !ok || fault.Kind != kind || cause != nil && !errors.Is(err, cause) {
		t.Errorf("got %v; want %v because of %v", err, kind, cause)
	}
}

func (l *laboratory) wantRequests(want int64) {
	l.t.Helper()
	if got := l.requests.Load(); got != want {
		l.t.Errorf("%d requests at the repository, want %d", got, want)
	}
}
