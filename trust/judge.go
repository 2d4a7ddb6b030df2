package trust

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/viaduct-oob/viaduct/stircert"
)

// Chain is an end-entity certificate with the certificates that came with it. It does not change once made.
type Chain struct {
	Leaf   *stircert.Certificate
	Others []*x509.Certificate // in any order, needed or not

	id [32]byte // SHA-256 over the hashes of Leaf and Others, in their order
}

// NewChain makes a chain of certificates, the leaf first, as stircert.ParseChainPEM gives them; there must be one.
func NewChain(certs []*x509.Certificate) *Chain {
	return newChain(stircert.Of(certs[0]), certs[1:])
}

func newChain(leaf *stircert.Certificate, others []*x509.Certificate) *Chain {
	c := &Chain{Leaf: leaf, Others: others}
	h := sha256.New()
	h.Write(c.Leaf.Hash[:])
	for _, other := range c.Others {
		hash := sha256.Sum256(other.Raw)
		h.Write(hash[:])
	}
	h.Sum(c.id[:0])
	return c
}

// along gives the chain without what path does not need, in the order of path: whatever a stranger adds to somebody's
// public chain, and in whatever order, this is the same.
func (c *Chain) along(path []*x509.Certificate) *Chain {
	var needed []*x509.Certificate
	for _, cert := range path[1:] {
		if slices.ContainsFunc(c.Others, cert.Equal) {
			needed = append(needed, cert)
		}
	}
	return newChain(c.Leaf, needed)
}

// judge finds out whether a chain is believed, and remembers. Its anchors never change: other anchors are another
// judge, which remembers nothing of this one.
type judge struct {
	anchors     *Anchors
	now         func() time.Time
	verdictsMax int
	builds      *atomic.Int64 // counts the chains that were built

	flights singleflight.Group // one build per chain at a time

	mu       sync.RWMutex
	believed map[[32]byte]verdict // guarded by mu
	refused  map[[32]byte]verdict // apart, so that strangers' chains do not displace what is believed; guarded by mu
}

// refusedMax bounds the chains that are remembered as not believed.
const refusedMax = 1000

type verdict struct {
	chain *Chain // what of the chain is needed; nil when it is not believed
	err   error  // nil when the chain is believed
	until time.Time
}

func newJudge(anchors *Anchors, now func() time.Time, verdictsMax int, builds *atomic.Int64) *judge {
	return &judge{
		anchors: anchors, now: now, verdictsMax: verdictsMax, builds: builds,
		believed: make(map[[32]byte]verdict), refused: make(map[[32]byte]verdict),
	}
}

// check gives the stircert.Problem, wrapped, for which the chain is not believed now.
func (j *judge) check(c *Chain, now time.Time) error {
	j.mu.RLock()
	v, found := j.believed[c.id]
	j.mu.RUnlock()
	if found && now.Before(v.until) {
		return nil
	}
	_, err := j.decide(c, now)
	return err
}

// decide is check that also gives what of the chain is needed.
func (j *judge) decide(c *Chain, now time.Time) (*Chain, error) {
	j.mu.RLock()
	v, found := j.believed[c.id]
	if !found {
		v, found = j.refused[c.id]
	}
	j.mu.RUnlock()
	if !found || !now.Before(v.until) {
		decided, _, _ := j.flights.Do(string(c.id[:]), func() (any, error) {
			v := j.build(c, j.now())
			j.remember(c, v)
			return v, nil
		})
		v = decided.(verdict)
	}
	return v.chain, v.err
}

// remember keeps the verdict on a believed chain under what is needed of it: to pad or shuffle a public chain brings
// nothing new.
func (j *judge) remember(c *Chain, v verdict) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.believed, c.id)
	delete(j.refused, c.id)
	if v.err != nil {
		lay(j.refused, refusedMax, c.id, v)
		return
	}
	lay(j.believed, j.verdictsMax, v.chain.id, v)
}

// lay makes room by forgetting whatever comes first: a verdict that is forgotten costs one build.
func lay(verdicts map[[32]byte]verdict, most int, id [32]byte, v verdict) {
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
func (j *judge) build(c *Chain, now time.Time) verdict {
	j.builds.Add(1)
	untrusted := verdict{until: now.Add(UntrustedLifetime)}
	if untrusted.err = c.Leaf.CheckEndEntity(); untrusted.err != nil {
		return untrusted
	}
	if untrusted.err = c.Leaf.CheckTime(now); untrusted.err != nil {
		return untrusted
	}
	intermediates := x509.NewCertPool()
	for _, cert := range c.Others {
		intermediates.AddCert(cert)
	}
	paths, err := c.Leaf.X509().Verify(x509.VerifyOptions{
		Roots:         j.anchors.pool,
		Intermediates: intermediates,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		untrusted.err = refusalOf(err)
		return untrusted
	}
	path, end := lasting(paths)
	if path == nil {
		untrusted.err = stircert.CheckPath(paths[0])
		return untrusted
	}
	trusted := verdict{chain: c.along(path), until: now.Add(TrustedLifetimeMax)}
	if end.Before(trusted.until) {
		trusted.until = end
	}
	return trusted
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

// lasting finds the path that holds longest, of those in which nobody issued more than it is authoritative for, and
// when it breaks: with the first of its certificates that expires. It gives nil when there is none.
//
// The anchor counts as an issuer, though RFC 5280 §6.1 takes no more of it than name and key: crypto/x509 holds anchors
// to their name constraints and path lengths too, and who makes a delegate CA an anchor wants no more of it than it is
// for. The anchors of the network have no TNAuthList.
func lasting(paths [][]*x509.Certificate) (longest []*x509.Certificate, end time.Time) {
	for _, path := range paths {
		if stircert.CheckPath(path) != nil {
			continue
		}
		breaks := path[0].NotAfter
		for _, cert := range path[1:] {
			if cert.NotAfter.Before(breaks) {
				breaks = cert.NotAfter
			}
		}
		if longest == nil || breaks.After(end) {
			longest, end = path, breaks
		}
	}
	return longest, end
}
