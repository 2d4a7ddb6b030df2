package trust

import (
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"unique"

	"github.com/viaduct-oob/viaduct/stircert"
)

// Chain is an end-entity certificate with the certificates that came with it. It does not change once made.
type Chain struct {
	Leaf *stircert.Certificate

	others []der    // in any order, needed or not
	id     [32]byte // SHA-256 over Leaf, its list if that was fetched, and others in their order
}

// der is a certificate that many chains share: those of CAs come with every chain. It is not parsed, because that takes
// five times the memory, and is needed only when a path is built.
type der = unique.Handle[string]

// NewChain makes a chain of certificates, the leaf first, as stircert.ParseChainPEM gives them; there must be one.
func NewChain(certs []*x509.Certificate) *Chain {
	others := make([]der, len(certs)-1)
	for i, cert := range certs[1:] {
		others[i] = unique.Make(string(cert.Raw))
	}
	return newChain(stircert.Of(certs[0]), others)
}

func newChain(leaf *stircert.Certificate, others []der) *Chain {
	c := &Chain{Leaf: leaf, others: others}
	h := sha256.New()
	h.Write(leaf.Hash[:])
	if leaf.TNAuthListURL != "" { // what was fetched from there decides too
		list, _ := leaf.TNAuthList.Marshal() // of nothing there is none
		h.Write(list)
	}
	for _, other := range others {
		hash := sha256.Sum256([]byte(other.Value()))
		h.Write(hash[:])
	}
	h.Sum(c.id[:0])
	return c
}

// DER gives the certificates, the leaf first, as TLS shows them.
func (c *Chain) DER() [][]byte {
	all := [][]byte{c.Leaf.Raw}
	for _, other := range c.others {
		all = append(all, []byte(other.Value()))
	}
	return all
}

// certificates parses the others.
func (c *Chain) certificates() []*x509.Certificate {
	certs := make([]*x509.Certificate, len(c.others))
	for i, other := range c.others {
		var err error
		if certs[i], err = x509.ParseCertificate([]byte(other.Value())); err != nil {
			panic("trust: a certificate that was parsed before does not parse: " + err.Error()) // NewChain was given it parsed
		}
	}
	return certs
}

// along gives the chain without what path does not need, in the order of path: whatever a stranger adds to somebody's
// public chain, and in whatever order, this is the same.
func (c *Chain) along(path []*x509.Certificate) *Chain {
	needed := make([]der, 0, len(path)-1)
	for _, cert := range path[1:] {
		if other := unique.Make(string(cert.Raw)); slices.Contains(c.others, other) {
			needed = append(needed, other)
		}
	}
	return newChain(c.Leaf, needed)
}
