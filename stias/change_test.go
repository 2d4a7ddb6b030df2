package stias_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// change is a service with a real repository and a real judge, whose clock a test sets.
type change struct {
	t     *testing.T
	start time.Time
	pki   *oobtest.PKI
	mu    sync.Mutex
	at    time.Time       // guarded by mu
	judge *trust.Verifier // fetches too
	cfg   stias.Config
	old   *oobtest.Identity
}

func newChange(t *testing.T) *change {
	t.Helper()
	start := time.Now().Truncate(time.Second) // the TLS of the repository is judged by the real clock
	c := &change{t: t, start: start, at: start}
	var err error
	c.pki, err = oobtest.NewPKI(oobtest.PKIConfig{})
	c.must(err)
	host, err := c.pki.StartRepository()
	c.must(err)
	t.Cleanup(func() { host.Close() })
	anchors, err := trust.NewAnchors(c.pki.Root.Certificate)
	c.must(err)
	rules := trust.RepositoryConfig{
		Deadline: time.Minute, Laboratory: trust.Laboratory{Hosts: []string{host.Host}, Roots: c.pki.TLSRoots()},
	}
	c.judge, err = trust.New(trust.Config{Anchors: anchors, Now: c.clock, Repository: rules})
	c.must(err)
	t.Cleanup(c.judge.Close)
	repository := trust.NewRepository(rules)
	c.old = c.issue(oobtest.IssueConfig{NotAfter: start.Add(time.Hour)})
	c.cfg = config(t, c.old)
	c.cfg.Now, c.cfg.Judge = c.clock, c.judge.Judge
	c.cfg.Served = func(ctx context.Context, x5u string) (*trust.Chain, error) {
		certs, _, err := repository.Fetch(ctx, x5u)
		if err != nil {
			return nil, err
		}
		return trust.NewChain(certs), nil
	}
	return c
}

func (c *change) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *change) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *change) wait(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (c *change) issue(cfg oobtest.IssueConfig) *oobtest.Identity {
	c.t.Helper()
	if cfg.SPC == "" {
		cfg.SPC = "1234"
	}
	id, err := c.pki.Issue(cfg)
	c.must(err)
	return id
}

// signer tells with whose key a call is signed now; nil when it is not signed.
func (c *change) signer(s *stias.Service, of ...*oobtest.Identity) *oobtest.Identity {
	c.t.Helper()
	signed, err := s.Sign(stias.Call{Orig: caller, Dest: []tn.Identity{called}})
	if err != nil {
		return nil
	}
	token, err := passport.Parse(signed.Passport)
	c.must(err)
	for _, id := range of {
		if token.Verify(&id.Key.PublicKey) == nil && token.Header.X5U == id.X5U && signed.Identity.Info == id.X5U {
			return id
		}
	}
	c.t.Fatal("signed by nobody")
	return nil
}

func TestSetCredential_SignsOnceItIsValidEverywhere(t *testing.T) {
	c := newChange(t)
	s := service(t, c.cfg)
	next := c.issue(oobtest.IssueConfig{NotBefore: c.start.Add(10 * time.Minute)})
	served := c.pki.Serve("/next.pem", []byte("not there yet"))
	next.X5U = served
	c.must(s.SetCredential(t.Context(), credentialOf(t, next)))
	for _, step := range []struct {
		name   string
		after  time.Duration
		serves []byte
		want   *oobtest.Identity
		err    error // of the one that waits
	}{
		{"not valid yet", 0, nil, c.old, stircert.NotYetValid},
		{"valid for our clock alone", 11 * time.Minute, nil, c.old, stias.TooYoung},
		{"not in the repository", 5 * time.Minute, nil, c.old, stias.NotServed},
		{"another one in the repository", 0, c.old.ChainPEM, c.old, stias.NotServed},
		{"in the repository", 0, next.ChainPEM, next, nil},
		{"the old one is expired", time.Hour, nil, next, nil},
	} {
		t.Run(step.name, func(t *testing.T) {
			c.wait(step.after)
			if step.serves != nil {
				c.pki.Serve("/next.pem", step.serves)
			}
			c.must(s.Reload(t.Context()))
			if c.signer(s, c.old, next) != step.want {
				t.Error("the wrong one signs")
			}
			status := s.Status()
			if (status.Next == nil) != (step.err == nil) || status.Next != nil && !errors.Is(status.Next.Err, step.err) {
				t.Errorf("%+v, want %v", status.Next, step.err)
			}
			if status.Current.X5U != step.want.X5U || status.Current.Hash != step.want.Certificate.Hash || status.Current.Err != nil ||
				!status.Current.NotAfter.Equal(step.want.Certificate.NotAfter) {
				t.Errorf("%+v", status.Current)
			}
		})
	}
}

func TestSetCredential_RefusesWhatMustNotSign(t *testing.T) {
	c := newChange(t)
	s := service(t, c.cfg)
	elsewhere, err := oobtest.NewPKI(oobtest.PKIConfig{})
	c.must(err)
	stranger, err := elsewhere.Issue(oobtest.IssueConfig{SPC: "1234"})
	c.must(err)
	mismatch := credentialOf(t, c.issue(oobtest.IssueConfig{}))
	mismatch.Key = c.old.Key
	for _, r := range []struct {
		name string
		next stias.Credential
		want error
	}{
		{"key of another certificate", mismatch, stias.KeyMismatch},
		{"expired", credentialOf(t, c.issue(oobtest.IssueConfig{NotAfter: c.start.Add(-time.Minute)})), stircert.Expired},
		{"another provider's", credentialOf(t, c.issue(oobtest.IssueConfig{SPC: "567B"})), stias.OtherProvider},
		{"not believed", credentialOf(t, stranger), stias.Untrusted},
		{"nothing", stias.Credential{}, stias.KeyUnfit},
	} {
		t.Run(r.name, func(t *testing.T) {
			if err := s.SetCredential(t.Context(), r.next); !errors.Is(err, r.want) {
				t.Errorf("%v, want %v", err, r.want)
			}
			if s.Status().Next != nil || c.signer(s, c.old) != c.old {
				t.Error("something has changed")
			}
		})
	}
}

// The old one expires before the next may sign: calls go on unsigned, and it is said.
func TestReload_SaysThatNothingIsSigned(t *testing.T) {
	c := newChange(t)
	s := service(t, c.cfg)
	next := c.issue(oobtest.IssueConfig{NotBefore: c.start.Add(time.Hour)})
	c.must(s.SetCredential(t.Context(), credentialOf(t, next)))
	c.wait(time.Hour + time.Minute)
	if err := s.Reload(t.Context()); !errors.Is(err, stircert.Expired) {
		t.Errorf("%v", err)
	}
	status := s.Status()
	if c.signer(s) != nil || !errors.Is(status.Current.Err, stircert.Expired) || !errors.Is(status.Next.Err, stias.TooYoung) {
		t.Errorf("%+v, %+v", status.Current, status.Next)
	}
	c.wait(4 * time.Minute)
	c.must(s.Reload(t.Context()))
	if c.signer(s, next) != next {
		t.Error("the next one does not sign")
	}
}

// A certificate that is revoked, or whose CA has lost its anchor, signs no more from the next look on, until it is
// believed again.
func TestReload_StopsWithWhatIsNoLongerBelieved(t *testing.T) {
	c := newChange(t)
	s := service(t, c.cfg)
	c.judge.SetAnchors(nil)
	if c.signer(s, c.old) != c.old {
		t.Error("nobody has looked yet")
	}
	if err := s.Reload(t.Context()); !errors.Is(err, stias.Untrusted) {
		t.Errorf("%v", err)
	}
	signed, err := s.Sign(stias.Call{Orig: caller, Dest: []tn.Identity{called}})
	if !errors.Is(err, stias.Untrusted) || signed.Passport != "" || !errors.Is(s.Status().Current.Err, stias.Untrusted) {
		t.Errorf("%+v, %v", signed, err)
	}
	if s := service(t, c.cfg); c.signer(s) != nil {
		t.Error("a new service signs with it")
	}
	anchors, err := trust.NewAnchors(c.pki.Root.Certificate)
	c.must(err)
	c.judge.SetAnchors(anchors)
	c.must(s.Reload(t.Context()))
	if c.signer(s, c.old) != c.old {
		t.Error("does not sign although it is believed again")
	}
}

func TestReload_ReadsTheCredentialAnew(t *testing.T) {
	c := newChange(t)
	loaded, failure := credentialOf(t, c.old), error(nil)
	c.cfg.Load = func(context.Context) (stias.Credential, error) { return loaded, failure }
	s := service(t, c.cfg)
	c.must(s.Reload(t.Context()))
	if s.Status().Next != nil {
		t.Error("the same files are another credential")
	}

	next := c.issue(oobtest.IssueConfig{Path: "/next.pem"})
	c.pki.Serve("/next.pem", c.old.ChainPEM)
	loaded = credentialOf(t, next)
	c.must(s.Reload(t.Context()))
	c.must(s.Reload(t.Context()))
	if s.Status().Next == nil || c.signer(s, c.old, next) != c.old {
		t.Error("does not wait")
	}
	loaded = credentialOf(t, c.old)
	c.must(s.Reload(t.Context()))
	if s.Status().Next != nil {
		t.Error("was not taken back")
	}

	loaded.Key = next.Key // key and certificate of different pairs
	if err := s.Reload(t.Context()); !errors.Is(err, stias.KeyMismatch) {
		t.Errorf("%v", err)
	}
	failure = errors.New("no such file")
	if err := s.Reload(t.Context()); !errors.Is(err, failure) {
		t.Errorf("%v", err)
	}
	if c.signer(s, c.old, next) != c.old {
		t.Error("no longer signs")
	}
	loaded, failure = credentialOf(t, next), nil
	c.pki.Serve("/next.pem", next.ChainPEM)
	c.must(s.Reload(t.Context()))
	if c.signer(s, c.old, next) != next {
		t.Errorf("the new one does not sign: %+v", s.Status().Next)
	}
}

// Without anybody to ask, only the margin counts; without a certificate at hand, nothing does.
func TestSetCredential_WithoutServedAndJudge(t *testing.T) {
	c := newChange(t)
	c.cfg.Served, c.cfg.Judge, c.cfg.Margin = nil, nil, time.Minute
	s := service(t, c.cfg)
	next := c.issue(oobtest.IssueConfig{NotBefore: c.start})
	c.must(s.SetCredential(t.Context(), credentialOf(t, next)))
	if c.signer(s, c.old, next) != c.old {
		t.Error("too young")
	}
	c.wait(time.Minute)
	c.must(s.Reload(t.Context()))
	if c.signer(s, c.old, next) != next {
		t.Error("still the old one")
	}
	bare := c.issue(oobtest.IssueConfig{})
	c.must(s.SetCredential(t.Context(), stias.Credential{Key: bare.Key, X5U: bare.X5U}))
	if c.signer(s, next, bare) != bare {
		t.Error("waits for what nobody can know")
	}
}

// Signatures go on while credentials change, each with one that is whole.
func TestSetCredential_WhileCallsAreSigned(t *testing.T) {
	c := newChange(t)
	s := service(t, c.cfg)
	next := c.issue(oobtest.IssueConfig{})
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for range 50 {
				if c.signer(s, c.old, next) == nil {
					t.Error("not signed")
				}
			}
		})
	}
	for range 10 {
		c.must(s.SetCredential(t.Context(), credentialOf(t, next)))
		c.must(s.Reload(t.Context()))
		c.must(s.SetCredential(t.Context(), credentialOf(t, c.old)))
	}
	running.Wait()
}
