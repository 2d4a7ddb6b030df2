package trust

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/viaduct-oob/viaduct/stircert"
)

// judge finds out whether a chain is believed. It never changes: other anchors, revocations or numbers are another judge,
// which may remember what this one has found out.
type judge struct {
	anchors     *Anchors
	numbers     *stircert.NumberData
	revocations *Revocations // nil to ask nobody
	generation  uint64       // of revocations

	now      func() time.Time
	counters *counters
	paths    *paths
}

// paths remembers which chains lead to an anchor. Judges share it that have the same anchors, the same numbers, and
// revocations from the same sources.
type paths struct {
	believedMax int
	flights     singleflight.Group // one build per chain at a time

	mu       sync.RWMutex
	believed map[[32]byte]*verdict // guarded by mu
	refused  map[[32]byte]*verdict // apart, so that strangers' chains do not displace what is believed; guarded by mu
}

// refusedMax bounds the chains that are remembered as not believed.
const refusedMax = 1000

func newPaths(believedMax int) *paths {
	return &paths{believedMax: believedMax, believed: make(map[[32]byte]*verdict), refused: make(map[[32]byte]*verdict)}
}

// verdict is what building a chain has shown: whatever lists of revoked certificates say is not in it, and asked again
// for each new one.
type verdict struct {
	err   error // nil when the chain is believed
	until time.Time

	delegator [32]byte                 // SHA-256 of the topmost issuer of the path that is limited to what a TNAuthList of its own covers (RFC 9060 §4); zero without one
	path      []revocable              // what of a believed chain can be revoked
	standing  atomic.Pointer[standing] // what was last said of path; nil when nobody was asked
}

// built is a verdict with what of the chain is needed: of a chain that is found, all.
type built struct {
	chain *Chain
	*verdict
}

// check gives the stircert.Problem, wrapped, for which the chain is not believed now.
func (j *judge) check(c *Chain, now time.Time) error {
	j.paths.mu.RLock()
	v := j.paths.believed[c.id]
	j.paths.mu.RUnlock()
	if v != nil && now.Before(v.until) {
		return j.stands(v, now)
	}
	_, err := j.decide(c, now)
	return err
}

// decide is check that also gives what of the chain is needed.
func (j *judge) decide(c *Chain, now time.Time) (*Chain, error) {
	of := built{c, j.paths.find(c)}
	if of.verdict == nil || !now.Before(of.until) {
		result, _, _ := j.paths.flights.Do(string(c.id[:]), func() (any, error) {
			of := j.build(c, j.now())
			j.paths.remember(c, of)
			return of, nil
		})
		of = result.(built)
	}
	if of.err != nil {
		return nil, of.err
	}
	// Not part of the build, because that may have begun before the newest list came.
	if err := j.stands(of.verdict, now); err != nil {
		return nil, err
	}
	return of.chain, nil
}

// stands asks the revocations of this judge about a path, unless they have answered already.
func (j *judge) stands(v *verdict, now time.Time) error {
	if j.revocations == nil {
		return nil
	}
	s := v.standing.Load()
	if s == nil || s.generation != j.generation || !now.Before(s.until) {
		asked := j.revocations.ask(v.path, now)
		asked.generation = j.generation
		j.counters.stood(asked.err, asked.doubt)
		s = &asked
		v.standing.Store(s)
	}
	return s.err
}

// doubtAbout says, for a person, why a believed chain may be revoked for all that is known; empty when it is not.
func (j *judge) doubtAbout(c *Chain) string {
	if j.revocations == nil {
		return "whether it is revoked was not asked: there is no revocation list"
	}
	v := j.paths.find(c)
	if v == nil {
		return ""
	}
	s := v.standing.Load()
	if s == nil || s.doubt == noDoubt {
		return ""
	}
	return "it is not known whether it is revoked: " + doubtTexts[s.doubt]
}

// isDelegate tells whether a believed chain leads through a CA with a TNAuthList.
func (j *judge) isDelegate(c *Chain) bool {
	v := j.paths.find(c)
	return v == nil || v.delegator != [32]byte{} // what was forgotten meanwhile is not vouched for
}

// holderOf is the delegator of a believed chain, or its leaf.
func (j *judge) holderOf(c *Chain) [32]byte {
	if v := j.paths.find(c); v != nil && v.delegator != [32]byte{} {
		return v.delegator
	}
	return c.Leaf.Hash
}

func (p *paths) find(c *Chain) *verdict {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if v := p.believed[c.id]; v != nil {
		return v
	}
	return p.refused[c.id]
}

// remember keeps the verdict on a believed chain under what is needed of it: to pad or shuffle a public chain brings
// nothing new.
func (p *paths) remember(c *Chain, b built) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.believed, c.id)
	delete(p.refused, c.id)
	if b.err != nil {
		lay(p.refused, refusedMax, c.id, b.verdict)
		return
	}
	lay(p.believed, p.believedMax, b.chain.id, b.verdict)
}

// lay makes room by forgetting whatever comes first: a verdict that is forgotten costs one build.
func lay(verdicts map[[32]byte]*verdict, most int, id [32]byte, v *verdict) {
	for other := range verdicts {
		if len(verdicts) < most {
			break
		}
		delete(verdicts, other)
	}
	verdicts[id] = v
}

// build looks for a path to an anchor (core rules of RFC 5280 §6 by crypto/x509, scopes by RFC 9060 §4), for any
// extended key usage: the default would ask for that of a TLS server.
//
// A chain that is good but for a TNAuthList which was not fetched yet is refused for that and for nothing else.
func (j *judge) build(c *Chain, now time.Time) built {
	j.counters.chainBuilds.Add(1)
	untrusted := built{c, &verdict{until: now.Add(UntrustedLifetime)}}
	unusable := c.Leaf.CheckEndEntity()
	if untrusted.err = unusable; unusable != nil && !errors.Is(unusable, stircert.TNAuthListNotFetched) {
		return untrusted
	}
	if err := c.Leaf.CheckTime(now); err != nil {
		untrusted.err = err
		return untrusted
	}
	intermediates := x509.NewCertPool()
	for _, cert := range c.certificates() {
		if !stircert.TakesTooLong(cert) && !isSlow(cert) {
			intermediates.AddCert(cert)
		}
	}
	found, err := c.Leaf.X509().Verify(x509.VerifyOptions{
		Roots:         j.anchors.pool,
		Intermediates: intermediates,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		untrusted.err = refusalOf(err)
		return untrusted
	}
	best, err := j.best(c.Leaf, found, now)
	switch {
	case err != nil:
		untrusted.err = err
		return untrusted
	case unusable != nil:
		return untrusted
	}
	return built{c.along(best.certs), &verdict{delegator: best.delegator, path: best.revocables, until: earlier(best.end, now.Add(TrustedLifetimeMax))}}
}

// isSlow tells whether a CA below the anchor has a key on a curve with which a chain of eight certificates takes a tenth of
// a second to judge. STI-CAs are on P-256 or P-384 (ATIS-1000080 §6.4.1).
func isSlow(cert *x509.Certificate) bool {
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	return ok && key.Curve.Params().BitSize > 384
}

// refusalOf names an expired CA as what it is; with all else there is no path. The text of a reason is kept and not the
// error of crypto/x509: that holds a stranger's certificates, and their names, for as long as the refusal is remembered.
func refusalOf(err error) error {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return fmt.Errorf("%w: that of a CA", stircert.Expired)
		}
		return fmt.Errorf("%w: a CA may not issue it (x509 reason %d)", stircert.NotTrusted, invalid.Reason)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("%w: unknown authority", stircert.NotTrusted)
	}
	if _, ok := errors.AsType[x509.UnhandledCriticalExtension](err); ok {
		return fmt.Errorf("%w: a critical extension that nobody knows", stircert.NotTrusted)
	}
	return stircert.NotTrusted
}

// path is one that leads from a leaf to an anchor.
type path struct {
	certs      []*x509.Certificate
	revocables []revocable
	end        time.Time // when it breaks: with the first of its certificates that expires
	delegator  [32]byte  // as in verdict
	stands     bool      // nothing in it is revoked now
}

// best finds, of those paths in which nobody issued more than it is authoritative for, the one that holds longest, and
// rather one in which nothing is revoked. If there is none it says what is wrong with the first.
//
// The anchor counts as an issuer, though RFC 5280 §6.1 takes no more of it than name and key: crypto/x509 holds anchors
// to their name constraints and path lengths too, and who makes a delegate CA an anchor wants no more of it than it is
// for. The anchors of the network have no TNAuthList.
func (j *judge) best(leaf *stircert.Certificate, found [][]*x509.Certificate, now time.Time) (best path, problem error) {
	for _, certs := range found {
		if err := leaf.CheckPath(certs[1:], j.numbers); err != nil {
			if problem == nil {
				problem = err
			}
			continue
		}
		p := path{certs: certs, revocables: j.revocations.revocablesOf(certs), end: certs[0].NotAfter, stands: true}
		for _, cert := range certs[1:] {
			p.end = earlier(p.end, cert.NotAfter)
			if stircert.IsLimited(cert) {
				p.delegator = sha256.Sum256(cert.Raw)
			}
		}
		if j.revocations != nil {
			p.stands = j.revocations.ask(p.revocables, now).err == nil
		}
		if best.certs == nil || p.stands && !best.stands || p.stands == best.stands && p.end.After(best.end) {
			best = p
		}
	}
	if best.certs != nil {
		problem = nil
	}
	return best, problem
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
