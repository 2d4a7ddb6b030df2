package trust

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
)

// Config says whom a Verifier believes and how much it may use. The zero value of every field but Anchors is useful.
type Config struct {
	Anchors    *Anchors         // nil for none: nobody is believed
	Repository RepositoryConfig // how certificates are fetched

	// Directory keeps trusted chains across restarts; empty for memory alone. It is made if it is not there. Whoever
	// can write to it can at most make us fetch a certificate again: all that is read from it is judged like what
	// comes from the network.
	Directory string

	CertificatesMax int // chains in the cache, about 9 KiB of memory each; default 30,000. The network has about 18,000
	FetchesMax      int // fetches at a time; default 64
	HostFetchesMax  int // fetches at a time from one host; default 16
	WaitingMax      int // fetches that wait for their turn, a quarter of them for one host; default 1,024
	FailuresMax     int // URLs whose failure is remembered; default 10,000
	HostFailuresMax int // of which for one host; default 256

	Now func() time.Time // default time.Now
}

// Credential is a certificate that was believed when it was asked for. It is shared: read only.
type Credential struct {
	Certificate *stircert.Certificate
	X5U         string
	Fetched     time.Time
}

// Verifier gets certificates and says whether they are believed. It is safe for concurrent use.
type Verifier struct {
	repository *Repository
	cache      *cache
	disk       *disk
	failures   *failures
	slots      *slots
	now        func() time.Time
	judge      atomic.Pointer[judge]
	judgedMax  int
	counters   counters

	flights singleflight.Group // one fetch per URL at a time
	open    context.Context    // ends with Close
	close   context.CancelFunc

	mu      sync.Mutex // orders the start of flights with Close
	closed  bool       // guarded by mu
	running sync.WaitGroup
}

// New makes a Verifier, and reads what a Directory has kept.
func New(cfg Config) (*Verifier, error) {
	cfg = cfg.withDefaults()
	v := &Verifier{
		repository: NewRepository(cfg.Repository),
		cache:      newCache(cfg.CertificatesMax),
		failures:   newFailures(cfg.FailuresMax, cfg.HostFailuresMax),
		slots:      newSlots(cfg.FetchesMax, cfg.HostFetchesMax, cfg.WaitingMax),
		now:        cfg.Now,
		judgedMax:  2 * cfg.CertificatesMax,
	}
	v.open, v.close = context.WithCancel(context.Background())
	v.SetAnchors(cfg.Anchors)
	if cfg.Directory != "" {
		if err := v.load(cfg.Directory); err != nil {
			v.close()
			return nil, fmt.Errorf("certificate cache: %w", err)
		}
	}
	return v, nil
}

func (cfg Config) withDefaults() Config {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&cfg.CertificatesMax, 30_000},
		{&cfg.FetchesMax, 64},
		{&cfg.HostFetchesMax, 16},
		{&cfg.WaitingMax, 1024},
		{&cfg.FailuresMax, 10_000},
		{&cfg.HostFailuresMax, 256},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return cfg
}

// SetAnchors replaces the anchors, for all that is asked from now on. Cached certificates stay and are judged anew.
func (v *Verifier) SetAnchors(a *Anchors) {
	if a == nil {
		a, _ = NewAnchors() // none cannot be wrong
	}
	v.judge.Store(newJudge(a, v.now, v.judgedMax, &v.counters.chainBuilds))
}

// Close ends the fetches that are under way and waits for them. What is cached can still be used.
func (v *Verifier) Close() {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	v.close()
	v.running.Wait()
	v.repository.closeIdle()
}

// Verify gets the certificate at x5u, makes sure that it is believed, and lets check verify a signature with its key.
// When check fails, the certificate at x5u may have changed: if it can be fetched anew, and the new one has another
// key and is believed, check gets a second try with that.
//
// An error of check is returned as it is. All other errors are *oob.Fault: CredentialUnreachable when no certificate
// could be had, CredentialUntrusted when it is not believed.
func (v *Verifier) Verify(ctx context.Context, x5u string, check func(*ecdsa.PublicKey) error) (*Credential, error) {
	entry, err := v.entry(ctx, x5u)
	if err != nil {
		return nil, err
	}
	err = check(entry.credential.Certificate.Key)
	if err == nil {
		return entry.credential, nil
	}
	renewed := v.renew(ctx, entry)
	if renewed == nil {
		return nil, err
	}
	if err := check(renewed.credential.Certificate.Key); err != nil {
		return nil, err
	}
	return renewed.credential, nil
}

// Credential gets the certificate at x5u and makes sure that it is believed. Errors are as those of Verify.
func (v *Verifier) Credential(ctx context.Context, x5u string) (*Credential, error) {
	entry, err := v.entry(ctx, x5u)
	if err != nil {
		return nil, err
	}
	return entry.credential, nil
}

// Judge says whether a chain is believed that came by another way than an x5u. An error is the fault
// CredentialUntrusted.
func (v *Verifier) Judge(c *Chain) error { return v.judgeAt(c, v.now()) }

func (v *Verifier) judgeAt(c *Chain, now time.Time) error {
	err := v.judge.Load().check(c, now)
	if err == nil {
		return nil
	}
	detail := "the certificate is not trusted"
	if problem, ok := errors.AsType[stircert.Problem](err); ok {
		detail = problem.Error()
	}
	return oob.Faultf(oob.CredentialUntrusted, "%s", detail).Because(err)
}

// entry is the road of every request: one lookup of the URL and one of the verdict, when both are there. What is past
// its cache lifetime serves on until it expires, however long its host is dead, while a fetch is tried beside it.
func (v *Verifier) entry(ctx context.Context, x5u string) (*cached, error) {
	now := v.now()
	entry := v.cache.get(x5u, now)
	if entry == nil || v.judgeAt(entry.chain, now) != nil {
		v.counters.misses.Add(1)
		return v.await(ctx, x5u, entry) // the repository may have a newer one than what expired or lost its CA
	}
	v.counters.hits.Add(1)
	if !now.Before(entry.fresh) {
		v.counters.staleServed.Add(1)
		v.launch(x5u, entry) // how it ends is for the next request to see
	}
	return entry, nil
}

// renew gives the certificate that replaces that of entry, with whose key a signature does not verify. It gives nil
// when the URL may not be fetched now, when that fails, and when the key is the same.
func (v *Verifier) renew(ctx context.Context, entry *cached) *cached {
	now := v.now()
	refetched := time.Unix(entry.refetched.Load(), 0)
	if now.Sub(entry.credential.Fetched) < RefetchAge || now.Sub(refetched) < RefetchInterval {
		return nil
	}
	v.counters.refetches.Add(1)
	newer, err := v.await(ctx, entry.credential.X5U, entry)
	if err != nil {
		entry.refetched.Store(now.Unix())
		return nil
	}
	newer.refetched.Store(now.Unix())
	if newer.credential.Certificate.Key.Equal(entry.credential.Certificate.Key) || v.judgeAt(newer.chain, now) != nil {
		return nil
	}
	return newer
}
