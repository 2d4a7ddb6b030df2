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

	"github.com/viaduct-oob/viaduct/internal/p256"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
)

// Config says whom a Verifier believes and how much it may use. The zero value of every field but Anchors is useful.
type Config struct {
	Anchors     *Anchors             // nil for none: nobody is believed
	Revocations *Revocations         // nil for none: nobody is asked
	Numbers     *stircert.NumberData // whose numbers are whose; nil when nobody knows. See LoadNumberData
	Repository  RepositoryConfig     // how certificates are fetched

	// Directory keeps trusted chains across restarts; empty for memory alone. It is made if it is not there. Whoever
	// can write to it can at most make us fetch a certificate again: all that is read from it is judged like what
	// comes from the network.
	Directory string

	CertificatesMax int // chains in the cache, about 2 KB of memory each and 4 KB on average at most; default 30,000. The network has 18,000
	FetchesMax      int // fetches at a time, half of them from hosts with nothing in the cache; default 64
	HostFetchesMax  int // fetches at a time from one host, a quarter if nothing of it is in the cache; default 16
	WaitingMax      int // fetches that wait for their turn, a quarter of them for one host; default 1,024
	FailuresMax     int // URLs whose failure is remembered; default 10,000
	HostFailuresMax int // of which for one host; default 256

	// Tables is how many keys may have a table with which Verifier.ES256 verifies their signatures in half of the time,
	// 24 KiB of memory each: those of which signatures are seen most. Default 0, none: crypto/ecdsa verifies.
	Tables int

	// TablesDisagreed is called once, if a table gave another answer than crypto/ecdsa. All are dropped for good by then.
	// It must not block. nil for nobody.
	TablesDisagreed func()

	Now func() time.Time // default time.Now
}

// Credential is a certificate that was believed when it was asked for. It is shared: read only.
type Credential struct {
	Certificate *stircert.Certificate
	X5U         string    // empty when its holder has shown it
	Fetched     time.Time // or shown

	chain *Chain
}

// Verifier gets certificates and says whether they are believed. It is safe for concurrent use.
type Verifier struct {
	repository *Repository
	cache      *cache // of what is proven
	unproven   *cache // on probation
	disk       *disk
	failures   *failures
	turns      turns // of fetching certificates
	contents   turns // of fetching what tokens point to
	shows      turns // of building chains that are shown
	showing    singleflight.Group
	now        func() time.Time
	judge      atomic.Pointer[judge]
	judging    sync.Mutex // held while judge is replaced
	judgedMax  int
	tables     *p256.Tables // nil for none
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
		unproven:   newCache(unprovenMax),
		failures:   newFailures(cfg.FailuresMax, cfg.HostFailuresMax),
		turns:      turns{newAllowance(), newSlots(cfg.FetchesMax, cfg.HostFetchesMax, cfg.WaitingMax)},
		contents:   turns{newAllowance(), newSlots(max(1, cfg.FetchesMax/2), cfg.HostFetchesMax, cfg.WaitingMax/4)},
		shows:      newShows(),
		now:        cfg.Now,
		judgedMax:  2 * cfg.CertificatesMax,
		tables:     p256.New(p256.Config{Keys: cfg.Tables, Disagreed: cfg.TablesDisagreed}),
	}
	v.open, v.close = context.WithCancel(context.Background())
	v.judge.Store(&judge{now: cfg.Now, counters: &v.counters, revocations: cfg.Revocations, numbers: cfg.Numbers})
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
	v.replaceJudge(func(j *judge) { j.anchors, j.paths = a, newPaths(v.judgedMax) })
}

// SetNumbers replaces what is known of whose numbers are whose, as SetAnchors does the anchors.
func (v *Verifier) SetNumbers(d *stircert.NumberData) {
	v.replaceJudge(func(j *judge) { j.numbers, j.paths = d, newPaths(v.judgedMax) })
}

// SetRevocations replaces what is known of revoked certificates, for all that is asked from now on: who is revoked by a new
// list is believed by no call that begins after this one has returned. With a new list from a known source, each cached
// chain is looked up once; with other sources it is judged anew.
func (v *Verifier) SetRevocations(r *Revocations) {
	v.replaceJudge(func(j *judge) {
		if !r.sameSources(j.revocations) {
			j.paths = newPaths(v.judgedMax)
		}
		j.revocations = r
		j.generation++
	})
	v.failures.forgetIf(func(fault *oob.Fault) bool {
		return errors.Is(fault, stircert.Revoked) || errors.Is(fault, stircert.RevocationUnknown)
	})
}

func (v *Verifier) replaceJudge(edit func(*judge)) {
	v.judging.Lock()
	defer v.judging.Unlock()
	next := *v.judge.Load()
	edit(&next)
	v.judge.Store(&next)
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
// could be had, CredentialUntrusted when it is not believed, Overloaded when too many are being fetched.
func (v *Verifier) Verify(ctx context.Context, x5u string, check func(*ecdsa.PublicKey) error) (*Credential, error) {
	entry, err := v.entry(ctx, x5u)
	if err != nil {
		return nil, err
	}
	err = check(entry.credential.Certificate.Key)
	if err == nil {
		if !entry.proven.Load() {
			v.keep(entry)
		}
		return entry.credential, nil
	}
	renewed := v.renew(ctx, entry)
	if renewed == nil {
		return nil, err
	}
	if err := check(renewed.credential.Certificate.Key); err != nil {
		return nil, err
	}
	v.keep(renewed)
	return renewed.credential, nil
}

// ES256 is for the check of Verify: it says whether signature, r‖s, is that of a digest with the key that check was given, as
// crypto/ecdsa does and faster. It is nil unless Config.Tables is set.
func (v *Verifier) ES256() func(key *ecdsa.PublicKey, digest, signature []byte) bool {
	if v.tables == nil {
		return nil
	}
	return v.tables.Verify
}

// Credential gets the certificate at x5u and makes sure that it is believed. Errors are as those of Verify. Nothing is
// proven by that: unless Verify has done so, the certificate is forgotten after a short time.
func (v *Verifier) Credential(ctx context.Context, x5u string) (*Credential, error) {
	entry, err := v.entry(ctx, x5u)
	if err != nil {
		return nil, err
	}
	return entry.credential, nil
}

// Doubt says, for a person, why a credential that was just believed may be revoked for all that is known: nobody was asked,
// or there is no list that would have it. It is empty when a list says that it is not.
func (v *Verifier) Doubt(c *Credential) string { return v.judge.Load().doubtAbout(c.chain) }

// Judge says whether a chain is believed that came by another way than an x5u, our own for instance; revocation is part of
// that. An error is the fault CredentialUntrusted.
func (v *Verifier) Judge(c *Chain) error { return v.judgeAt(c, v.now()) }

func (v *Verifier) judgeAt(c *Chain, now time.Time) error {
	if err := v.judge.Load().check(c, now); err != nil {
		return untrusted(err)
	}
	return nil
}

// Cached tells whether Verify would find a believed certificate for x5u in memory with which signatures have verified,
// and need not wait for its repository.
func (v *Verifier) Cached(x5u string) bool {
	now := v.now()
	entry := v.cache.get(x5u, now)
	return entry != nil && v.judge.Load().check(entry.chain, now) == nil
}

// entry is the road of every request: one lookup of the URL and one of the verdict, when both are there. What is past
// its cache lifetime serves on until it expires, however long its host is dead, while a fetch is tried beside it.
func (v *Verifier) entry(ctx context.Context, x5u string) (*cached, error) {
	now := v.now()
	entry := v.kept(x5u, now)
	if entry == nil {
		return v.miss(ctx, x5u, nil, nil)
	}
	if err := v.judgeAt(entry.chain, now); err != nil {
		return v.miss(ctx, x5u, entry, err)
	}
	v.counters.hits.Add(1)
	if !now.Before(entry.fresh) {
		v.counters.staleServed.Add(1)
		v.refresh(entry, now)
	}
	return entry, nil
}

// miss fetches, because there is nothing, or because the repository may have a newer one than what expired, lost its CA
// or was revoked. What is wrong with that is the answer if it is revoked and nothing newer is to be had: a signer who
// turns off his host is no less revoked.
func (v *Verifier) miss(ctx context.Context, x5u string, seen *cached, wrong error) (*cached, error) {
	v.counters.misses.Add(1)
	entry, err := v.await(ctx, x5u, seen)
	switch {
	case err != nil && errors.Is(wrong, stircert.Revoked):
		return nil, wrong
	case err != nil:
		return nil, err
	}
	// The fetch may have been under way already when something was set with which it is not believed.
	if err := v.judgeAt(entry.chain, v.now()); err != nil {
		return nil, err
	}
	return entry, nil
}

// refresh starts a fetch of what is no longer fresh. How it ends is for the next request to see: the same key replaces
// the entry, another one waits on probation for a signature.
func (v *Verifier) refresh(entry *cached, now time.Time) {
	last := entry.refreshed.Load()
	if now.Unix()-last < int64(RefetchInterval/time.Second) || !entry.refreshed.CompareAndSwap(last, now.Unix()) {
		return
	}
	v.launch(entry.credential.X5U, entry)
}

// renew gives the certificate that replaces that of entry, with whose key a signature does not verify. It gives nil
// when the URL may not be fetched now, when that fails, and when the key is the same.
func (v *Verifier) renew(ctx context.Context, entry *cached) *cached {
	now := v.now()
	refetched := time.Unix(entry.refetched.Load(), 0) // before it is looked what has come, which lies there before this is set
	newer := v.newer(entry.credential.X5U, entry, now)
	if newer == nil && now.Sub(entry.credential.Fetched) >= RefetchAge && now.Sub(refetched) >= RefetchInterval {
		newer = v.refetch(ctx, entry, now)
	}
	if newer == nil || newer.credential.Certificate.Key.Equal(entry.credential.Certificate.Key) {
		return nil
	}
	return newer
}

func (v *Verifier) refetch(ctx context.Context, entry *cached, now time.Time) *cached {
	v.counters.refetches.Add(1)
	newer, err := v.await(ctx, entry.credential.X5U, entry)
	if errors.Is(err, ErrBusy) {
		return nil // nobody was asked
	}
	entry.refetched.Store(now.Unix())
	if err != nil {
		return nil
	}
	newer.refetched.Store(now.Unix())
	if v.judgeAt(newer.chain, now) != nil {
		return nil
	}
	return newer
}
