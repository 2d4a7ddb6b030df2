package p256_test

import (
	"bytes"
	"crypto/sha256"
	"math/big"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/p256"
)

// FuzzVerify wants of a table the answer of crypto/ecdsa: about a signature that the secret makes with the nonce, about
// that with some of its bytes and those of the digest turned, and about whatever else the input is.
func FuzzVerify(f *testing.F) {
	near := func(x *big.Int, by int64) []byte { return bytes32(new(big.Int).Add(x, big.NewInt(by))) }
	edges := [][]byte{
		near(new(big.Int), 0), near(one, 0), near(one, 1), near(n, -2), near(n, -1), near(n, 0), near(n, 1),
		near(curve.P, -1), near(curve.P, 0), near(curve.P, 1),
		near(new(big.Int).Sub(curve.P, n), 0), near(new(big.Int).Rsh(n, 1), 0), near(new(big.Int).Rsh(n, 1), 1),
		near(new(big.Int).Lsh(one, 128), 0), near(new(big.Int).Lsh(one, 255), -1), bytes.Repeat([]byte{0xff}, 32), {},
	}
	for i, edge := range edges {
		other := edges[(i+5)%len(edges)]
		f.Add(edge, other, []byte("digest"), []byte{}, []byte{})
		f.Add([]byte("secret"), edge, other, []byte{}, []byte{})
		f.Add([]byte("secret"), []byte("nonce"), edge, append(edge[:len(edge):len(edge)], other...), []byte{byte(i)})
		f.Add([]byte("secret"), []byte("nonce"), []byte("digest"), []byte{}, []byte{31: 1, 63: byte(i), 95: 0x80})
	}
	f.Fuzz(func(t *testing.T, secret, nonce, digest, signature, turned []byte) {
		if len(secret) > 32 || len(nonce) > 32 {
			return
		}
		d, k := scalar(secret), scalar(nonce)
		key := ofSecret(t, d)
		table := p256.NewTable(key)
		same := func(what string, digest, signature []byte) bool {
			t.Helper()
			answer := table.Verify(digest, signature)
			if answer != jws.VerifyES256(key, digest, signature) {
				t.Errorf("%s: the table answers %v to digest %x, signature %x, secret %x", what, answer, digest, signature, d)
			}
			return answer
		}

		if len(digest) != 32 {
			hash := sha256.Sum256(digest)
			digest = hash[:]
		}
		if len(signature) == jws.SignatureBytes {
			same("any", digest, signature)
		}
		r := mod(xOf(t, times(t, generator(), k)))
		s := product(inverse(k), mod(new(big.Int).Add(new(big.Int).SetBytes(digest), product(r, d))))
		good := raw(r, s)
		if !same("signed", digest, good) && r.Sign() != 0 && s.Sign() != 0 {
			t.Errorf("does not verify: digest %x, secret %x, nonce %x", digest, d, k)
		}
		text := append(bytes.Clone(digest), good...)
		for i := range min(len(turned), len(text)) {
			text[i] ^= turned[i]
		}
		same("turned", text[:32], text[32:])
	})
}

// scalar makes a number from 1 to n−1 of any bytes.
func scalar(text []byte) *big.Int {
	below := new(big.Int).Sub(n, one)
	x := new(big.Int).SetBytes(text)
	return x.Mod(x.Sub(x, one), below).Add(x, one)
}
