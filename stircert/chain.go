package stircert

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
)

// Limits of what a repository serves. ATIS-1000080 states none; the longest honest chain has four certificates.
const (
	ChainBytesMax        = 64 << 10 // bytes of a chain as it is served
	ChainCertificatesMax = 8        // certificates of a chain
)

// ParseChainPEM reads what an x5u serves and puts the leaf first; the order of the others is kept and means nothing.
// Text between the PEM blocks and blocks of other kinds are passed over, and one certificate in plain DER is accepted:
// the network serves .cer and .crt files. What cannot be read is [NotChain] or [NotCertificate].
func ParseChainPEM(body []byte) ([]*x509.Certificate, error) {
	if len(body) > ChainBytesMax {
		return nil, fmt.Errorf("%w: more than %d bytes", NotChain, ChainBytesMax)
	}
	blocks, err := certificateBlocks(body)
	if err != nil {
		return nil, err
	}
	chain := make([]*x509.Certificate, len(blocks))
	for i, der := range blocks {
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", NotCertificate, i+1, err)
		}
	}
	at := leafOf(chain)
	leaf := chain[at]
	return slices.Insert(slices.Delete(chain, at, at+1), 0, leaf), nil
}

// certificateBlocks gives the DER of every certificate in body, at least one.
func certificateBlocks(body []byte) ([][]byte, error) {
	var blocks [][]byte
	rest := bytes.TrimPrefix(body, []byte("\ufeff")) // a byte order mark would hide the first block
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if len(blocks) == ChainCertificatesMax {
			return nil, fmt.Errorf("%w: more than %d certificates", NotChain, ChainCertificatesMax)
		}
		blocks = append(blocks, block.Bytes)
	}
	if len(blocks) > 0 {
		return blocks, nil
	}
	const sequence = 0x30 // what every certificate in DER begins with
	if len(body) == 0 || body[0] != sequence {
		return nil, fmt.Errorf("%w: neither PEM nor DER", NotChain)
	}
	return [][]byte{body}, nil
}

// leafOf finds the end entity: the first certificate that is not a CA, as every repository should serve it; when all
// are CAs, the first that issued none of the others.
func leafOf(chain []*x509.Certificate) int {
	if i := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return !c.IsCA }); i >= 0 {
		return i
	}
	return max(0, slices.IndexFunc(chain, func(c *x509.Certificate) bool { return !issuedAny(c, chain) }))
}

func issuedAny(issuer *x509.Certificate, chain []*x509.Certificate) bool {
	return slices.ContainsFunc(chain, func(c *x509.Certificate) bool {
		return c != issuer && bytes.Equal(c.RawIssuer, issuer.RawSubject)
	})
}
