package crl

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.Hash
	_ "crypto/sha512"
	"crypto/x509"
	"fmt"

	"github.com/viaduct-oob/viaduct/stircert"
)

// rsaBitsMin is the shortest RSA key that signs a list.
const rsaBitsMin = 2048

// algorithm is a way to sign that is accepted, by the whole content of its AlgorithmIdentifier.
type algorithm struct {
	identifier string
	hash       crypto.Hash
	rsa        bool
}

var algorithms = []algorithm{
	{"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02", crypto.SHA256, false},            // ecdsa-with-SHA256
	{"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", crypto.SHA384, false},            // ecdsa-with-SHA384
	{"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00", crypto.SHA256, true}, // sha256WithRSAEncryption
}

// signature is what there is to check of one, without the list that it was made over.
type signature struct {
	algorithm algorithm
	digest    []byte
	value     []byte
}

// CheckSignature tells whether the list was signed with the key of signer, and by whom it says. signer need not be that of
// a CA: whether it is the one who signs lists is for the caller to know, and so is whether it is valid. Errors wrap
// [ErrSigner] or [ErrSignature].
func (l *List) CheckSignature(signer *x509.Certificate) error {
	if signer.KeyUsage != 0 && signer.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return fmt.Errorf("%w: its key usage does not include cRLSign", ErrSigner)
	}
	name, err := stircert.NameKey(signer.RawSubject)
	if err != nil || name != l.issuer {
		return fmt.Errorf("%w: it is that of somebody else", ErrSigner)
	}
	s := &l.signature
	switch key := signer.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if !s.algorithm.rsa && ecdsa.VerifyASN1(key, s.digest, s.value) {
			return nil
		}
	case *rsa.PublicKey:
		if key.N.BitLen() < rsaBitsMin {
			return fmt.Errorf("%w: its RSA key has less than %d bits", ErrSigner, rsaBitsMin)
		}
		if s.algorithm.rsa && rsa.VerifyPKCS1v15(key, s.algorithm.hash, s.digest, s.value) == nil {
			return nil
		}
	}
	return ErrSignature
}
