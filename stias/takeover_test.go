package stias_test

import (
	"context"
	"crypto"
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// handle is a key that is opened and closed, as one in a token is. Once closed it signs no more.
type handle struct {
	crypto.Signer
	dead   bool
	during func() // called while it signs; nil for nothing
	closed atomic.Int32
}

var errHandle = errors.New("the handle is dead")

func (h *handle) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if h.during != nil {
		h.during()
	}
	if h.dead || h.closed.Load() > 0 {
		return nil, errHandle
	}
	return h.Signer.Sign(random, digest, opts)
}

// opened is a credential with its key opened anew.
func opened(t *testing.T, id *oobtest.Identity) (stias.Credential, *handle) {
	t.Helper()
	c := credentialOf(t, id)
	key := &handle{Signer: c.Key}
	c.Key, c.Close = key, func() { key.closed.Add(1) }
	return c, key
}

// The CA is issued anew under the same key, and the new chain lies beside the same leaf: what is judged from then on is
// the new chain.
func TestSetCredential_TakesTheNewChainOfTheSameLeaf(t *testing.T) {
	c := newChange(t)
	c.cfg.Served = nil
	judged := c.cfg.Judge
	revoked := map[*trust.Chain]bool{}
	c.cfg.Judge = func(chain *trust.Chain) error {
		if revoked[chain] {
			return stircert.Revoked
		}
		return judged(chain)
	}
	s := service(t, c.cfg)
	revoked[c.cfg.Credential.Chain] = true
	if err := s.Reload(t.Context()); !errors.Is(err, stias.Untrusted) {
		t.Fatal(err)
	}
	stillRevoked := credentialOf(t, c.old)
	revoked[stillRevoked.Chain] = true
	if err := s.SetCredential(t.Context(), stillRevoked); !errors.Is(err, stias.Untrusted) || c.signer(s, c.old) != nil {
		t.Errorf("a chain that is not believed either: %v", err)
	}
	c.must(s.SetCredential(t.Context(), credentialOf(t, c.old)))
	if c.signer(s, c.old) != c.old || s.Status().Next != nil {
		t.Errorf("the new chain is not used: %v", s.Status().Current.Err)
	}
	c.must(s.Reload(t.Context()))
}

// A key in a token that was opened anew, for the same certificate.
func TestSetCredential_TakesTheNewHandleOfTheSameKey(t *testing.T) {
	c := newChange(t)
	c.cfg.Served = nil
	var lost, again *handle
	c.cfg.Credential, lost = opened(t, c.old)
	lost.dead = true
	s := service(t, c.cfg)
	if _, err := s.Sign(stias.Call{Orig: caller, Dest: []tn.Identity{called}}); !errors.Is(err, errHandle) {
		t.Fatal(err)
	}
	var credential stias.Credential
	credential, again = opened(t, c.old)
	c.must(s.SetCredential(t.Context(), credential))
	if c.signer(s, c.old) != c.old {
		t.Error("the dead handle is still in use")
	}
	if lost.closed.Load() != 1 || again.closed.Load() != 0 {
		t.Errorf("closed %d and %d times", lost.closed.Load(), again.closed.Load())
	}
}

// Of all the keys that were ever handed over, those that sign no more are closed, each once.
func TestCredential_IsClosedWhenItSignsNoMore(t *testing.T) {
	c := newChange(t)
	waits := c.issue(oobtest.IssueConfig{Path: "/next.pem"})
	c.pki.Serve("/next.pem", []byte("not there yet"))
	var keys []*handle
	open := func(id *oobtest.Identity) stias.Credential {
		credential, key := opened(t, id)
		keys = append(keys, key)
		return credential
	}
	var load func() (stias.Credential, error)
	c.cfg.Load = func(context.Context) (stias.Credential, error) { return load() }
	c.cfg.Credential = open(c.old)
	s := service(t, c.cfg)
	stranger := c.issue(oobtest.IssueConfig{SPC: "567B"})
	for _, step := range []struct {
		name string
		do   func() error
		want error
		open []int // keys
	}{
		{"another waits", func() error { return s.SetCredential(t.Context(), open(waits)) }, nil, []int{0, 1}},
		{"the one that waits, opened anew", func() error { return s.SetCredential(t.Context(), open(waits)) }, nil, []int{0, 2}},
		{"refused, and still its owner's", func() error { return s.SetCredential(t.Context(), open(stranger)) }, stias.OtherProvider, []int{0, 2, 3}},
		{"loaded and refused", func() error {
			load = func() (stias.Credential, error) { return open(stranger), nil }
			return s.Reload(t.Context())
		}, stias.OtherProvider, []int{0, 2, 3}},
		{"not loaded", func() error {
			load = func() (stias.Credential, error) { return stias.Credential{}, io.ErrUnexpectedEOF }
			return s.Reload(t.Context())
		}, io.ErrUnexpectedEOF, []int{0, 2, 3}},
		{"the one that signs, loaded anew", func() error {
			load = func() (stias.Credential, error) { return open(c.old), nil }
			return s.Reload(t.Context())
		}, nil, []int{3, 5}},
		{"the next one signs", func() error {
			c.pki.Serve("/next.pem", waits.ChainPEM)
			load = func() (stias.Credential, error) { return open(waits), nil }
			return s.Reload(t.Context())
		}, nil, []int{3, 6}},
	} {
		t.Run(step.name, func(t *testing.T) {
			if err := step.do(); !errors.Is(err, step.want) {
				t.Errorf("%v, want %v", err, step.want)
			}
			want := map[int]bool{}
			for _, i := range step.open {
				want[i] = true
			}
			for i, key := range keys {
				if n := key.closed.Load(); n > 1 || (n == 0) != want[i] {
					t.Errorf("key %d is closed %d times", i, n)
				}
			}
			if c.signer(s, c.old, waits) == nil {
				t.Error("nothing is signed")
			}
		})
	}
}

// No key is closed under a signature that is being made with it, and nobody waits for that to sign with the next.
func TestCredential_IsNotClosedUnderASignature(t *testing.T) {
	c := newChange(t)
	c.cfg.Served = nil
	var old *handle
	c.cfg.Credential, old = opened(t, c.old)
	next := c.issue(oobtest.IssueConfig{})
	credential, _ := opened(t, next)
	var s *stias.Service
	changed := make(chan error, 1)
	old.during = func() {
		go func() { changed <- s.SetCredential(t.Context(), credential) }()
		for s.Status().Current.X5U != next.X5U {
			runtime.Gosched()
		}
		for range 1000 { // what comes after the change has its chance
			runtime.Gosched()
		}
		if c.signer(s, next) != next {
			t.Error("the next one waits")
		}
	}
	s = service(t, c.cfg)
	if c.signer(s, c.old) != c.old {
		t.Error("closed under a signature")
	}
	c.must(<-changed)
	if old.closed.Load() != 1 {
		t.Errorf("closed %d times", old.closed.Load())
	}
}
