package trust

import (
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

// Chain is an end-entity certificate with the certificates that came with it. It does not change once made.
type Chain struct {
	Leaf   *stircert.Certificate
	Others []*x509.Certificate // in any order, needed or not

	id [32]byte // SHA-256 over the hashes of Leaf and Others
}

// NewChain makes a chain of certificates, the leaf first, as stircert.ParseChainPEM gives them; there must be one.
func NewChain(certs []*x509.Certificate) *Chain {
	c := &Chain{Leaf: stircert.Of(certs[0]), Others: certs[1:]}
	h := sha256.New()
	h.Write(c.Leaf.Hash[:])
	for _, other := range c.Others {
		hash := sha256.Sum256(other.Raw)
		h.Write(hash[:])
	}
	h.Sum(c.id[:0])
	return c
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
	verdicts map[[32]byte]verdict // guarded by mu
}

type verdict struct {
	err   error // nil when the chain is believed
	until time.Time
}

func newJudge(anchors *Anchors, now func() time.Time, verdictsMax int, builds *atomic.Int64) *judge {
	return &judge{
		anchors: anchors, now: now, verdictsMax: verdictsMax, builds: builds,
		verdicts: make(map[[32]byte]verdict),
	}
}

// check gives the stircert.Problem, wrapped, for which the chain is not believed now.
func (j *judge) check(c *Chain, now time.Time) error {
	j.mu.RLock()
	v, found := j.verdicts[c.id]
	j.mu.RUnlock()
	if !found || !now.Before(v.until) {
		v = j.decide(c)
	}
	return v.err
}

func (j *judge) decide(c *Chain) verdict {
	decided, _, _ := j.flights.Do(string(c.id[:]), func() (any, error) {
		v := j.build(c, j.now())
		j.remember(c, v)
		return v, nil
	})
	return decided.(verdict)
}

// remember makes room by forgetting whatever comes first: a verdict that is forgotten costs one build.
func (j *judge) remember(c *Chain, v verdict) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id := range j.verdicts {
		if len(j.verdicts) < j.verdictsMax {
			break
		}
		delete(j.verdicts, id)
	}
	j.verdicts[c.id] = v
}

// build looks for a path to an anchor (core rules of RFC 5280 §6 by crypto/x509), for any extended key usage: the
// default would ask for that of a TLS server.
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
	paths, err := c.Leaf.X509.Verify(x509.VerifyOptions{
		Roots:         j.anchors.pool,
		Intermediates: intermediates,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		untrusted.err = fmt.Errorf("%w: %w", problemOf(err), err)
		return untrusted
	}
	trusted := verdict{until: now.Add(TrustedLifetimeMax)}
	if end := latestEnd(paths); end.Before(trusted.until) {
		trusted.until = end
	}
	return trusted
}

// problemOf names an expired CA as what it is; with all else there is no path.
func problemOf(err error) stircert.Problem {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return stircert.Expired
	}
	return stircert.NotTrusted
}

// latestEnd is when the last of the paths breaks: each does with the first of its certificates that expires.
func latestEnd(paths [][]*x509.Certificate) time.Time {
	var latest time.Time
	for _, path := range paths {
		end := path[0].NotAfter
		for _, cert := range path[1:] {
			if cert.NotAfter.Before(end) {
				end = cert.NotAfter
			}
		}
		if end.After(latest) {
			latest = end
		}
	}
	return latest
}
