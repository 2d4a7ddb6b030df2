package trust_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

func TestVerify_WarmRequestFetchesAndBuildsNothing(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	for range 10 {
		l.mustVerify(id)
	}
	l.wantRequests(1)
	if s := l.verifier.Stats(); s.ChainBuilds != 1 || s.Hits != 9 || s.Misses != 1 || s.Fetches != 1 || s.Certificates != 1 {
		t.Errorf("%+v", s)
	}
	credential, err := l.verifier.Credential(t.Context(), id.X5U)
	if err != nil || credential.X5U != id.X5U || !credential.Certificate.TNAuthList.HasSPC("1234") || !credential.Fetched.Equal(l.clock()) {
		t.Errorf("%+v, %v", credential, err)
	}
}

func TestVerify_SameChainAtTwoURLsIsBuiltOnce(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	l.mustVerify(id)
	l.pki.Serve("/again.pem", id.ChainPEM)
	id.X5U = l.host.URL + "/again.pem"
	l.mustVerify(id)
	l.wantRequests(2)
	if n := l.verifier.Stats().ChainBuilds; n != 1 {
		t.Errorf("%d chain builds", n)
	}
	l.advance(trust.TrustedLifetimeMax)
	l.mustVerify(id)
	if n := l.verifier.Stats().ChainBuilds; n != 2 {
		t.Errorf("%d chain builds after the verdict's time", n)
	}
}

// Whatever is wrong with a certificate is a fault of its own kind that names the problem.
func TestVerify_UntrustedCertificates(t *testing.T) {
	l := newLaboratory(t, nil)
	stranger, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
	if err != nil {
		t.Fatal(err)
	}
	now := l.clock()
	for _, c := range []struct {
		name string
		cfg  oobtest.IssueConfig
		want stircert.Problem
	}{
		{"expired", oobtest.IssueConfig{NotAfter: now.Add(-time.Second)}, stircert.Expired},
		{"not valid yet", oobtest.IssueConfig{NotBefore: now.Add(2 * time.Second)}, stircert.NotYetValid},
		{"P-384", oobtest.IssueConfig{Curve: elliptic.P384()}, stircert.WrongKey},
		{"no TNAuthList", oobtest.IssueConfig{WithoutTNAuthList: true}, stircert.NoTNAuthList},
		{"empty TNAuthList", oobtest.IssueConfig{TNAuthListDER: []byte{0x30, 0}}, stircert.BadTNAuthList},
		{"CA", oobtest.IssueConfig{Modify: func(c *x509.Certificate) { c.IsCA = true }}, stircert.IsCA},
		{"no digitalSignature", oobtest.IssueConfig{Modify: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }}, stircert.NoDigitalSignature},
		{"no KeyUsage", oobtest.IssueConfig{Modify: func(c *x509.Certificate) { c.KeyUsage = 0 }}, stircert.NoDigitalSignature},
		{"unknown critical extension", oobtest.IssueConfig{Modify: func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, criticalExtension)
		}}, stircert.NotTrusted},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.SPC = "1234"
			l.advance(100 * time.Millisecond) // a stranger may be asked ten times a second in vain
			wants(t, l.verify(l.issue(c.cfg)), oob.CredentialUntrusted, c.want)
		})
	}
	l.advance(time.Second)
	t.Run("another CA", func(t *testing.T) {
		id := issueFrom(t, stranger, l.host.URL, oobtest.IssueConfig{SPC: "1234", Path: "/stranger.pem"})
		l.pki.Serve("/stranger.pem", id.ChainPEM)
		wants(t, l.verify(id), oob.CredentialUntrusted, stircert.NotTrusted)
	})
	t.Run("no intermediate", func(t *testing.T) {
		id := l.issue(oobtest.IssueConfig{SPC: "1234", Path: "/alone.pem"})
		l.pki.Serve("/alone.pem", id.ChainPEM[:strings.Index(string(id.ChainPEM), "-----END")+len("-----END CERTIFICATE-----\n")])
		wants(t, l.verify(id), oob.CredentialUntrusted, stircert.NotTrusted)
	})
	if s := l.verifier.Stats(); s.Certificates != 0 {
		t.Errorf("%d untrusted certificates are cached", s.Certificates)
	}
}

// What the network uses must pass.
func TestCore_S6_3_DeviationsThatPass(t *testing.T) {
	l := newLaboratory(t, nil)
	for name, cfg := range map[string]oobtest.IssueConfig{
		"issued by the root":        {IssuedByRoot: true},
		"other CN":                  {Modify: func(c *x509.Certificate) { c.Subject.CommonName = "voice" }},
		"no policy":                 {Modify: func(c *x509.Certificate) { c.Policies = nil }},
		"no SKI":                    {Modify: func(c *x509.Certificate) { c.SubjectKeyId = nil }},
		"no BasicConstraints":       {Modify: func(c *x509.Certificate) { c.BasicConstraintsValid = false }},
		"two key usages":            {Modify: func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageContentCommitment }},
		"an extended key usage":     {Modify: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }},
		"two SPCs":                  {TNAuthList: stircert.TNAuthList{SPCs: []string{"1234", "567B"}}},
		"validity of thirty years":  {NotAfter: l.clock().AddDate(30, 0, 0)},
		"SPC in lower case letters": {TNAuthList: stircert.TNAuthList{SPCs: []string{"583j"}}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.SPC = "1234"
			l.mustVerify(l.issue(cfg))
		})
	}
}

func TestVerify_ChecksErrorComesBackUnchanged(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	l.mustVerify(id)
	credential, err := l.verifier.Verify(t.Context(), id.X5U, func(*ecdsa.PublicKey) error { return errSignature })
	if err != errSignature || credential != nil {
		t.Errorf("got %v, %v", credential, err)
	}
}

func TestCore_S4_1_KeyChangedAtTheSameURL(t *testing.T) {
	l := newLaboratory(t, nil)
	old := l.issue(oobtest.IssueConfig{SPC: "1234", Path: "/sp.pem"})
	l.mustVerify(old)
	renewed := l.issue(oobtest.IssueConfig{SPC: "1234", Path: "/sp.pem"})

	if err := l.verify(renewed); err != errSignature {
		t.Errorf("a copy that was just fetched is fetched again: %v", err)
	}
	l.wantRequests(1)
	l.advance(trust.RefetchAge)
	l.mustVerify(renewed)
	l.mustVerify(renewed)
	l.wantRequests(2)

	// From here on each signature is garbage: one request a minute, whatever comes.
	for range 10 {
		l.advance(trust.RefetchInterval / 10)
		if err := l.verify(old); err != errSignature {
			t.Errorf("got %v", err)
		}
	}
	l.wantRequests(3)
	l.mustVerify(renewed)
	if s := l.verifier.Stats(); s.Refetches != 2 {
		t.Errorf("%+v", s)
	}
}

func TestVerify_KeyChangeIsFetchedOnceForAllCallers(t *testing.T) {
	l := newLaboratory(t, nil)
	l.mustVerify(l.issue(oobtest.IssueConfig{SPC: "1234", Path: "/sp.pem"}))
	renewed := l.issue(oobtest.IssueConfig{SPC: "1234", Path: "/sp.pem"})
	l.advance(trust.RefetchAge)
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			if err := l.verify(renewed); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	l.wantRequests(2)
}

// A host that begins to lie, or is dead, takes nothing away.
func TestVerify_RefetchThatFailsKeepsWhatIsCached(t *testing.T) {
	for name, lie := range map[string]func(l *laboratory){
		"certificate of another CA": func(l *laboratory) {
			stranger, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
			if err != nil {
				t.Fatal(err)
			}
			l.pki.Serve("/sp.pem", issueFrom(t, stranger, l.host.URL, oobtest.IssueConfig{SPC: "1234"}).ChainPEM)
		},
		"404":       func(l *laboratory) { l.answers(http.NotFound) },
		"dead host": func(l *laboratory) { l.host.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLaboratory(t, nil)
			id := l.issue(oobtest.IssueConfig{SPC: "1234", Path: "/sp.pem"})
			l.mustVerify(id)
			lie(l)
			l.advance(time.Hour)
			for range 20 {
				if err := l.verify(&oobtest.Identity{X5U: id.X5U, Key: l.pki.Root.Key}); err != errSignature {
					t.Errorf("got %v", err)
				}
				l.mustVerify(id)
				l.advance(time.Second)
			}
			if s := l.verifier.Stats(); s.Refetches != 1 || s.FetchFailures != 1 {
				t.Errorf("refetched more than once a minute: %+v", s)
			}
		})
	}
}

// Another provider's certificate at the URL is what the URL says: the signature decides, and the SPC is the other's.
func TestVerify_RepositoryThatServesAnotherProvidersCertificate(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234", Path: "/sp.pem"})
	l.issue(oobtest.IssueConfig{SPC: "567B", Path: "/sp.pem"})
	if err := l.verify(id); err != errSignature {
		t.Errorf("got %v", err)
	}
}

func TestCore_S4_1_CachedForADayAtLeast(t *testing.T) {
	for _, c := range []struct {
		header string
		fresh  time.Duration
	}{
		{"", 24 * time.Hour},
		{"no-store", 24 * time.Hour},
		{"max-age=60", 24 * time.Hour},
		{"max-age=172800", 48 * time.Hour},
		{"max-age=31536000", 7 * 24 * time.Hour},
	} {
		t.Run(c.header, func(t *testing.T) {
			l := newLaboratory(t, nil)
			id := l.issue(oobtest.IssueConfig{SPC: "1234"})
			l.answers(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", c.header)
				w.Write(id.ChainPEM)
			})
			l.mustVerify(id)
			l.advance(c.fresh - time.Second)
			l.mustVerify(id)
			l.verifier.Settle(id.X5U)
			l.wantRequests(1)
			l.advance(time.Second)
			l.mustVerify(id) // from the cache, while it is fetched anew
			l.verifier.Settle(id.X5U)
			l.wantRequests(2)
			l.advance(time.Hour)
			l.mustVerify(id)
			l.verifier.Settle(id.X5U)
			l.wantRequests(2)
		})
	}
}

func TestVerify_DeadHostNeverFailsACachedCertificate(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234", NotAfter: l.clock().Add(48 * time.Hour)})
	l.mustVerify(id)
	l.host.Close()
	l.advance(24 * time.Hour)
	for range 23 {
		l.mustVerify(id)
		l.verifier.Settle(id.X5U)
		l.mustVerify(id) // within the back-off: not even tried
		l.advance(time.Hour)
	}
	s := l.verifier.Stats()
	if s.FetchFailures != 23 || s.StaleServed != 46 {
		t.Errorf("%+v", s)
	}
	l.advance(2 * time.Hour)
	wants(t, l.verify(id), oob.CredentialUnreachable, nil)
}

func TestCore_S4_1_NeverCachedPastNotAfter(t *testing.T) {
	l := newLaboratory(t, nil)
	old := l.issue(oobtest.IssueConfig{SPC: "1234", Path: "/sp.pem", NotAfter: l.clock().Truncate(time.Second).Add(time.Hour)})
	l.mustVerify(old)
	l.advance(59 * time.Minute)
	l.mustVerify(old)
	l.wantRequests(1)
	l.advance(2 * time.Minute)
	wants(t, l.verify(old), oob.CredentialUntrusted, stircert.Expired)
	l.wantRequests(2)
	renewed := l.issue(oobtest.IssueConfig{SPC: "1234", Path: "/sp.pem"})
	wants(t, l.verify(renewed), oob.CredentialUntrusted, stircert.Expired) // remembered for a second
	l.advance(trust.BackoffMin)
	l.mustVerify(renewed)
	l.wantRequests(3)
}

func TestVerify_VerdictEndsWithItsIntermediate(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234", NotAfter: l.clock().AddDate(30, 0, 0)})
	l.advance(l.pki.Intermediate.Certificate.NotAfter.Sub(l.clock()) - time.Minute)
	l.mustVerify(id)
	l.advance(2 * time.Minute)
	wants(t, l.verify(id), oob.CredentialUntrusted, stircert.Expired)
}

func TestVerify_NewAnchorsCountAtOnce(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	l.mustVerify(id)
	l.verifier.SetAnchors(nil)
	wants(t, l.verify(id), oob.CredentialUntrusted, stircert.NotTrusted)
	l.verifier.SetAnchors(l.config.Anchors)
	l.mustVerify(id)
}

func TestVerify_IntermediateMayBeTheAnchor(t *testing.T) {
	l := newLaboratory(t, nil)
	anchors, err := trust.NewAnchors(l.pki.Intermediate.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	l.verifier.SetAnchors(anchors)
	l.mustVerify(l.issue(oobtest.IssueConfig{SPC: "1234"}))
	wants(t, l.verify(l.issue(oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true})), oob.CredentialUntrusted, stircert.NotTrusted)
}
