package p256

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/binary"
	"math/big"

	"filippo.io/nistec"
)

// The shape of a table. A scalar of 256 bits is 32 columns of eight bits, one in 32; each column is one addition. The
// upper half of the columns has a table of its own, so that 15 doublings do for all. The top bit of a column decides its
// sign, and the table holds the 128 columns that are positive.
const (
	teeth   = 8
	columns = 256 / teeth
	halves  = 2
	height  = columns / halves // columns that share one table, with a doubling between each two of them
	signs   = 1 << (teeth - 1)
)

// TableBytes is what the table of one key takes: 256 points of 96 bytes.
const TableBytes = halves * signs * 96

// order is n, the number of points of P-256.
var order = elliptic.P256().Params().N

// table holds multiples of one public key Q: [h][x] is 2^(16h)·(2²²⁴ ± 2¹⁹² ± … ± 1)·Q, in which bit i of x is set where
// the sign of 2^(32i) is a plus. None of these is the point at infinity: the factor is odd and below 2²²⁵, and a power of
// two is no multiple of the order. A table is read-only once made.
type table [halves][signs]nistec.P256Point

// newTable makes the table of a key, or nil if the key is not a point of P-256. It takes about three verifications.
func newTable(key *ecdsa.PublicKey) *table {
	encoded, err := key.Bytes()
	if err != nil {
		return nil
	}
	var tooth [teeth]nistec.P256Point
	if _, err := tooth[0].SetBytes(encoded); err != nil {
		return nil
	}
	for i := 1; i < teeth; i++ {
		tooth[i].Set(&tooth[i-1])
		doubled(&tooth[i], columns)
	}
	t := new(table)
	for h := range t {
		var step nistec.P256Point
		row := &t[h]
		row[0].Set(&tooth[teeth-1])
		for i := range teeth - 1 {
			row[0].Add(&row[0], step.Negate(&tooth[i]))
		}
		for i := range teeth - 1 {
			step.Double(&tooth[i]) // from minus to plus
			for x := range 1 << i {
				row[x|1<<i].Add(&row[x], &step)
			}
		}
		for i := range tooth {
			doubled(&tooth[i], height)
		}
	}
	return t
}

func doubled(p *nistec.P256Point, times int) {
	for range times {
		p.Double(p)
	}
}

// multiply sets product to u·Q, for u from 1 to n−1.
//
// Each odd u below 2²⁵⁶ is a sum of all powers of two below, each with a sign: 2^j has a plus where bit j+1 of u is set, and
// 2²⁵⁵ always. An even u is n − u with all signs turned.
func (t *table) multiply(product *nistec.P256Point, u *big.Int) {
	turned := u.Bit(0) == 0
	var odd [32]byte
	if turned {
		new(big.Int).Sub(order, u).FillBytes(odd[:])
	} else {
		u.FillBytes(odd[:])
	}
	var plus [teeth]uint32 // bit k of plus[i] is that of 2^(32i+k)
	for i := range plus {
		plus[i] = binary.BigEndian.Uint32(odd[4*(teeth-1-i):])
	}
	for i := range teeth - 1 {
		plus[i] = plus[i]>>1 | plus[i+1]<<31
	}
	plus[teeth-1] = plus[teeth-1]>>1 | 1<<31

	// All points are fetched before the first is used: so the processor can wait for several at a time.
	var summands [columns]nistec.P256Point
	for k := range summands {
		var x uint32
		for i, bits := range plus {
			x |= bits >> k & 1 << i
		}
		minus := x < signs
		if minus {
			x = ^x
		}
		summands[k].Set(&t[k/height][x%signs])
		if minus != turned {
			summands[k].Negate(&summands[k])
		}
	}
	product.Add(&summands[height-1], &summands[2*height-1])
	for k := height - 2; k >= 0; k-- {
		product.Double(product)
		product.Add(product, &summands[k])
		product.Add(product, &summands[k+height])
	}
}

// verify does what FIPS 186-5 §6.4.2 says, for a digest of 32 bytes and a signature r‖s of 64. Nothing here is
// secret, so that its time may depend on what it is given.
func (t *table) verify(digest, signature []byte) bool {
	r := new(big.Int).SetBytes(signature[:32])
	s := new(big.Int).SetBytes(signature[32:])
	if r.Sign() == 0 || r.Cmp(order) >= 0 || s.Sign() == 0 || s.Cmp(order) >= 0 {
		return false
	}
	var product, quotient, u big.Int
	inverse := s.ModInverse(s, order)
	product.Mul(new(big.Int).SetBytes(digest), inverse)
	quotient.QuoRem(&product, order, &u)
	var u1 [32]byte
	var sum, ofKey nistec.P256Point
	if _, err := sum.ScalarBaseMult(u.FillBytes(u1[:])); err != nil {
		return false // it refuses other lengths alone
	}
	product.Mul(r, inverse)
	quotient.QuoRem(&product, order, &u)
	t.multiply(&ofKey, &u)
	x, err := sum.Add(&sum, &ofKey).BytesX()
	if err != nil {
		return false // the point at infinity
	}
	v := u.SetBytes(x)
	if v.Cmp(order) >= 0 {
		v.Sub(v, order) // x is below p, which is below 2n
	}
	return v.Cmp(r) == 0
}
