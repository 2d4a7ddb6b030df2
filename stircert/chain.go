package stircert

import (
	"bytes"
	"crypto/rsa"
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
		if chain[i], err = ParseX509(der); err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", NotCertificate, i+1, err)
		}
	}
	at := leafOf(chain)
	leaf := chain[at]
	return slices.Insert(slices.Delete(chain, at, at+1), 0, leaf), nil
}

// RSAKeyBitsMax bounds RSA keys, which a few CAs of the network have, with 2048 bits. A key may be as long as a chain has
// room for, and to check one signature with such a key takes seconds.
const RSAKeyBitsMax = 4096

// ParseX509 parses a certificate that anybody may have made, and refuses keys with which signatures take too long.
func ParseX509(der []byte) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if TakesTooLong(cert) {
		return nil, fmt.Errorf("an RSA key of more than %d bits", RSAKeyBitsMax)
	}
	return cert, nil
}

// TakesTooLong tells whether signatures must not be checked with the key of a certificate.
func TakesTooLong(cert *x509.Certificate) bool {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() > RSAKeyBitsMax
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
