package trust_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
	"github.com/viaduct-oob/viaduct/trust/crl"
)

func TestRFC5280_S6_3_3_WhoTellsOfACertificate(t *testing.T) {
	a := newAdministration(t, nil)
	pa := a.pa.CRLIssuer.Certificate.RawSubject
	printable, err := oobtest.ReencodeName(pa, oobtest.PrintableString)
	if err != nil {
		t.Fatal(err)
	}
	root, err := stircert.NameKey(a.pki.Root.Certificate.RawSubject)
	if err != nil {
		t.Fatal(err)
	}
	foreign := a.pki.TLSRoot.Certificate.RawSubject
	list := a.revoking()
	own := &oobtest.Authority{Certificate: a.pki.Root.Certificate, Key: a.pki.Root.Key}
	own.Certificate = reissued(t, own, x509.KeyUsageCRLSign)
	direct := a.list(oobtest.RevocationListConfig{Direct: true, Signer: own})
	directPA := a.list(oobtest.RevocationListConfig{Direct: true})
	ended := a.list(oobtest.RevocationListConfig{ThisUpdate: a.clock().Add(-48 * time.Hour)})
	none := oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true}
	partial := oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Modify: func(c *x509.Certificate) {
		// DistributionPoint { distributionPoint fullName "x", reasons keyCompromise }
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{2, 5, 29, 31}, Value: []byte{
			0x30, 13, 0x30, 11, 0xa0, 5, 0xa0, 3, 0x86, 1, 'x', 0x81, 2, 6, 0x40,
		}})
	}}
	malformed := oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Modify: func(c *x509.Certificate) {
		// crypto/x509 asks no more than that its outside can be read
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{2, 5, 29, 31}, Value: []byte{0x30, 0}})
	}}
	byIssuer := trust.RevocationSource{Issuer: a.issuer, List: list}
	for _, c := range []struct {
		name   string
		cert   oobtest.IssueConfig
		source trust.RevocationSource
		want   string // why nothing is known; empty if the certificate is known to be good
	}{
		{"it names the issuer", a.pointing(crlURL, pa), byIssuer, ""},
		{"it names the issuer in other strings", a.pointing(crlURL, printable), byIssuer, ""},
		{"the issuer is that of the list", a.pointing(crlURL, pa), trust.RevocationSource{List: list}, ""},
		{"it names a URL that was configured", a.pointing(crlURL, nil), trust.RevocationSource{List: list, URLs: []string{"x", crlURL}}, ""},
		{"it names another issuer at a configured URL", a.pointing(crlURL, foreign), trust.RevocationSource{List: list, URLs: []string{crlURL}}, ""},
		{"it names a URL that was not configured", a.pointing(crlURL, nil), byIssuer, "foreign"},
		{"it names another issuer", a.pointing(crlURL, foreign), byIssuer, "foreign"},
		{"it names nobody", none, byIssuer, "no point"},
		{"it names some reasons alone", partial, trust.RevocationSource{List: list, URLs: []string{"x"}}, "foreign"},
		{"it cannot be read whom", malformed, byIssuer, "foreign"},
		{"no list yet", a.pointing(crlURL, pa), trust.RevocationSource{Issuer: a.issuer}, "no list"},
		{"no list yet at its URL", a.pointing(crlURL, nil), trust.RevocationSource{URLs: []string{crlURL}}, "no list"},
		{"the list has expired", a.pointing(crlURL, pa), trust.RevocationSource{List: ended}, "expired"},
		{"its own issuer's list", none, trust.RevocationSource{List: direct}, ""},
		{"its own issuer's list at a URL", a.pointing(crlURL, nil), trust.RevocationSource{List: direct, Issuer: root}, ""},
		{"a list of somebody else's certificates", a.pointing(crlURL, pa), trust.RevocationSource{List: directPA}, "foreign"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.restart()
			chain := chainOf(a.issue(c.cert))
			a.set(trust.RevocationPolicy{}, c.source)
			if err := a.verifier.Judge(chain); err != nil {
				t.Errorf("with the default policy: %v", err)
			}
			if s := a.verifier.Stats(); unknown(s) != c.want || s.RevocationChecks != 1 || s.Revoked != 0 {
				t.Errorf("unknown because of %q, want %q: %+v", unknown(s), c.want, s)
			}
			a.set(strict, c.source)
			err := a.verifier.Judge(chain)
			if c.want == "" && err != nil {
				t.Errorf("strictly: %v", err)
			}
			if c.want != "" {
				wants(t, err, oob.CredentialUntrusted, stircert.RevocationUnknown)
			}
			all := strict
			for reason, field := range map[string]*bool{
				"no list": &all.RefuseNoList, "expired": &all.RefuseListExpired,
				"no point": &all.RefuseNoPoint, "foreign": &all.RefuseForeignPoint,
			} {
				*field = reason != c.want
			}
			a.set(all, c.source)
			if err := a.verifier.Judge(chain); err != nil {
				t.Errorf("with all other reasons: %v", err)
			}
			if n := a.verifier.Stats().ChainBuilds; n != 1 {
				t.Errorf("%d chain builds", n)
			}
		})
	}
}

// Whom a certificate names does not matter when it is on a list: else whoever gets one without a point is never revoked.
func TestRevocations_WhoeverIsListedIsRevoked(t *testing.T) {
	a := newAdministration(t, nil)
	for name, cfg := range map[string]oobtest.IssueConfig{
		"listed": a.listed(), "no point": {SPC: "1234", IssuedByRoot: true}, "foreign": a.pointing("https://elsewhere.example/crl", nil),
	} {
		id := a.issue(cfg)
		a.set(trust.RevocationPolicy{}, trust.RevocationSource{List: a.revoking(id.Certificate.X509())})
		wants(t, a.verifier.Judge(chainOf(id)), oob.CredentialUntrusted, stircert.Revoked)

		ended := oobtest.RevocationListConfig{ThisUpdate: a.clock().Add(-48 * time.Hour), Revoked: []oobtest.Revoked{oobtest.Revoke(id.Certificate.X509())}}
		a.set(trust.RevocationPolicy{}, trust.RevocationSource{List: a.list(ended)})
		if err := a.verifier.Judge(chainOf(id)); !errors.Is(err, stircert.Revoked) {
			t.Errorf("%s, by a list that has expired: %v", name, err)
		}
	}
	twice := a.issue(oobtest.IssueConfig{SPC: "1234", Modify: func(c *x509.Certificate) { c.SerialNumber = big.NewInt(5) }})
	other := a.issue(oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Modify: func(c *x509.Certificate) { c.SerialNumber = big.NewInt(5) }})
	a.set(trust.RevocationPolicy{}, trust.RevocationSource{List: a.revoking(twice.Certificate.X509())})
	if err := a.verifier.Judge(chainOf(other)); err != nil {
		t.Errorf("the same serial of another issuer: %v", err)
	}
	wants(t, a.verifier.Judge(chainOf(twice, a.pki.Intermediate.Certificate)), oob.CredentialUntrusted, stircert.Revoked)
}

func TestSetRevocations_RevokedFromTheNextCall(t *testing.T) {
	a := newAdministration(t, nil)
	id, other := a.issue(a.listed()), a.issue(a.listed())
	a.set(strict, trust.RevocationSource{List: a.revoking()})
	a.mustVerify(id)
	a.mustVerify(other)
	builds := a.verifier.Stats().ChainBuilds

	a.set(strict, trust.RevocationSource{List: a.revoking(id.Certificate.X509())})
	if a.verifier.Cached(id.X5U) || !a.verifier.Cached(other.X5U) {
		t.Error("cached is who should not be")
	}
	wants(t, a.verify(id), oob.CredentialUntrusted, stircert.Revoked)
	a.mustVerify(other)

	// A signer who turns off his host, or has it hang, is no less revoked.
	a.answers(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	a.advance(trust.BackoffMax)
	wants(t, a.verify(id), oob.CredentialUntrusted, stircert.Revoked)
	wants(t, a.verify(id), oob.CredentialUntrusted, stircert.Revoked)

	// He was on hold.
	a.set(strict, trust.RevocationSource{List: a.revoking()})
	a.mustVerify(id)
	if n := a.verifier.Stats().ChainBuilds; n != builds {
		t.Errorf("%d chains were built, and none is new", n-builds)
	}
	a.verifier.SetRevocations(nil)
	a.mustVerify(id)
}

// Who was revoked gets a new certificate at the same URL.
func TestSetRevocations_NewCertificateOfARevokedSigner(t *testing.T) {
	a := newAdministration(t, nil)
	cfg := a.listed()
	cfg.Path = "/sp.pem"
	id := a.issue(cfg)
	a.mustVerify(id)
	a.set(strict, trust.RevocationSource{List: a.revoking(id.Certificate.X509())})
	next := a.issue(cfg)
	a.mustVerify(next)
	if err := a.verify(id); err == nil {
		t.Error("the key of the revoked certificate still verifies")
	}
}

func TestSetRevocations_ARevokedCATakesAllWithIt(t *testing.T) {
	a := newAdministration(t, nil)
	under := oobtest.IssueConfig{SPC: "1234"}
	id, other := a.issue(under), a.issue(a.listed())
	a.mustVerify(id)
	a.mustVerify(other)
	a.set(trust.RevocationPolicy{}, trust.RevocationSource{List: a.revoking(a.pki.Intermediate.Certificate)})
	wants(t, a.verify(id), oob.CredentialUntrusted, stircert.Revoked)
	wants(t, a.verify(a.issue(under)), oob.CredentialUntrusted, stircert.Revoked)
	a.mustVerify(other)

	// The anchor is believed as long as it is one.
	a.set(trust.RevocationPolicy{}, trust.RevocationSource{List: a.revoking(a.pki.Root.Certificate)})
	a.mustVerify(id)
}

// A CA with two certificates of which one is revoked is believed by the path with the other.
func TestJudge_TakesThePathThatIsNotRevoked(t *testing.T) {
	a := newAdministration(t, nil)
	old := a.pki.Intermediate
	crossed, err := a.pki.Issue(oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Key: old.Key, WithoutTNAuthList: true, Modify: func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
		c.Subject, c.RawSubject, c.SubjectKeyId = pkix.Name{}, old.Certificate.RawSubject, old.Certificate.SubjectKeyId
	}})
	if err != nil {
		t.Fatal(err)
	}
	leaf := a.issue(oobtest.IssueConfig{SPC: "1234"})
	a.set(trust.RevocationPolicy{}, trust.RevocationSource{List: a.revoking(old.Certificate)})
	wants(t, a.verifier.Judge(chainOf(leaf, old.Certificate)), oob.CredentialUntrusted, stircert.Revoked)
	for _, others := range [][]*x509.Certificate{{old.Certificate, crossed.Certificate.X509()}, {crossed.Certificate.X509(), old.Certificate}} {
		if err := a.verifier.Judge(chainOf(leaf, others...)); err != nil {
			t.Error(err)
		}
	}
}

// The fetch that a call waits for may have judged by older lists.
func TestSetRevocations_FetchUnderWay(t *testing.T) {
	judged, asking, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var readings atomic.Int64 // of the clock, since the chain was found good; it is not cached yet
	var a *administration
	a = newAdministration(t, func(c *trust.Config) {
		clock := c.Now
		c.Now = func() time.Time {
			if a == nil || a.verifier.Stats().RevocationChecks == 0 {
				return clock()
			}
			switch readings.Add(1) {
			case 1: // by the fetch
				close(judged)
				<-release
			case 3: // the second one of the call that joins it, before it does so
				close(asking)
			}
			return clock()
		}
	})
	id := a.issue(a.listed())
	a.set(strict, trust.RevocationSource{List: a.revoking()})
	var calls sync.WaitGroup
	calls.Go(func() { a.verify(id) }) // began before: either answer is right
	<-judged
	a.set(strict, trust.RevocationSource{List: a.revoking(id.Certificate.X509())})
	calls.Go(func() { wants(t, a.verify(id), oob.CredentialUntrusted, stircert.Revoked) })
	<-asking
	close(release)
	calls.Wait()
	wants(t, a.verify(id), oob.CredentialUntrusted, stircert.Revoked)
}

func TestSetRevocations_FirstListEndsTheWaiting(t *testing.T) {
	a := newAdministration(t, nil)
	id := a.issue(a.listed())
	a.set(strict, trust.RevocationSource{Issuer: a.issuer})
	wants(t, a.verify(id), oob.CredentialUntrusted, stircert.RevocationUnknown)
	wants(t, a.verify(id), oob.CredentialUntrusted, stircert.RevocationUnknown)
	a.wantRequests(1)
	a.set(strict, trust.RevocationSource{Issuer: a.issuer, List: a.revoking()})
	a.mustVerify(id)
}

func TestRevocations_ListsExpireWhileTheyAreInUse(t *testing.T) {
	a := newAdministration(t, nil)
	id := a.issue(a.listed())
	list := a.list(oobtest.RevocationListConfig{NextUpdate: a.clock().Add(time.Minute)})
	a.set(strict, trust.RevocationSource{List: list})
	a.mustVerify(id)
	a.advance(time.Minute + time.Second)
	wants(t, a.verify(id), oob.CredentialUntrusted, stircert.RevocationUnknown)
	a.set(trust.RevocationPolicy{}, trust.RevocationSource{List: list})
	a.mustVerify(id)
	if s := a.verifier.Stats(); s.UnknownListExpired == 0 {
		t.Errorf("%+v", s)
	}
}

func TestNewRevocations_Refused(t *testing.T) {
	a := newAdministration(t, nil)
	list := a.revoking()
	for name, sources := range map[string][]trust.RevocationSource{
		"nobody's":                       {{}},
		"the list of another issuer":     {{Issuer: "2.5.4.3=\"somebody\"", List: list}},
		"one more than the limit allows": make([]trust.RevocationSource, trust.RevocationSourcesMax+1),
	} {
		if r, err := trust.NewRevocations(strict, sources...); err == nil || r != nil {
			t.Errorf("%s: %v", name, r)
		}
	}
	if _, err := trust.NewRevocations(strict); err != nil {
		t.Error(err)
	}
}

// What is set while calls are verified is in force from the next call on, and no call sees half of it.
func TestVerifier_SettingsChangeWhileItWorks(t *testing.T) {
	a := newAdministration(t, nil)
	good, bad := a.issue(a.listed()), a.issue(a.listed())
	a.mustVerify(good)
	a.mustVerify(bad)
	revoking := a.revoking(bad.Certificate.X509())
	lists := []*crl.List{a.revoking(), revoking}
	anchors := a.config.Anchors
	var setters, callers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := a.verify(good); err != nil {
					t.Error(err)
					return
				}
				a.verifier.Judge(chainOf(bad)) // may be either
				a.verifier.Cached(bad.X5U)
				a.verifier.Stats()
			}
		})
	}
	const times = 100
	setters.Go(func() {
		for i := range times {
			a.set(trust.RevocationPolicy{}, trust.RevocationSource{Issuer: a.issuer, List: lists[i%2]})
		}
	})
	setters.Go(func() {
		for range times / 10 {
			a.verifier.SetAnchors(anchors)
		}
	})
	setters.Go(func() {
		for range times / 10 {
			a.verifier.SetNumbers(nil)
		}
	})
	setters.Wait()
	a.set(trust.RevocationPolicy{}, trust.RevocationSource{Issuer: a.issuer, List: revoking})
	for range 100 {
		wants(t, a.verify(bad), oob.CredentialUntrusted, stircert.Revoked)
	}
	close(done)
	callers.Wait()
}
