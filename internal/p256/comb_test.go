package p256_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"math/big"
	"testing"

	"filippo.io/nistec"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/p256"
)

var (
	curve = elliptic.P256().Params()
	n     = curve.N
	one   = big.NewInt(1)
)

func bytes32(x *big.Int) []byte { return x.FillBytes(make([]byte, 32)) }

func raw(r, s *big.Int) []byte { return append(bytes32(r), bytes32(s)...) }

// below draws a number from 1 to n−1.
func below(t testing.TB) *big.Int {
	t.Helper()
	x, err := rand.Int(rand.Reader, new(big.Int).Sub(n, one))
	if err != nil {
		t.Fatal(err)
	}
	return x.Add(x, one)
}

func mod(x *big.Int) *big.Int { return x.Mod(x, n) }

func product(factors ...*big.Int) *big.Int {
	p := big.NewInt(1)
	for _, f := range factors {
		mod(p.Mul(p, f))
	}
	return p
}

func inverse(x *big.Int) *big.Int { return new(big.Int).ModInverse(x, n) }

func negative(x *big.Int) *big.Int { return mod(new(big.Int).Neg(x)) }

// ofSecret is the key of a private number.
func ofSecret(t testing.TB, d *big.Int) *ecdsa.PublicKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes32(d))
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func ofPoint(t testing.TB, p *nistec.P256Point) *ecdsa.PublicKey {
	t.Helper()
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), p.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func times(t testing.TB, p *nistec.P256Point, u *big.Int) *nistec.P256Point {
	t.Helper()
	q, err := nistec.NewP256Point().ScalarMult(p, bytes32(u))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func generator() *nistec.P256Point { return nistec.NewP256Point().SetGenerator() }

func xOf(t testing.TB, p *nistec.P256Point) *big.Int {
	t.Helper()
	x, err := p.BytesX()
	if err != nil {
		t.Fatal(err)
	}
	return new(big.Int).SetBytes(x)
}

// signed is a signature with a key that verifies it.
type signed struct {
	key    *ecdsa.PublicKey
	digest []byte
	r, s   *big.Int
}

func sign(t testing.TB, d *big.Int) signed {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes32(d))
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, 32)
	rand.Read(digest) // it does not fail
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		t.Fatal(err)
	}
	return signed{&key.PublicKey, digest, r, s}
}

// recovered makes a signature whose point u1·G + u2·Q is a given one, by choosing the key for it:
// Q = r⁻¹·(s·R − e·G).
func recovered(t testing.TB, point *nistec.P256Point) signed {
	t.Helper()
	r, s, e := mod(xOf(t, point)), below(t), below(t)
	q := nistec.NewP256Point().Add(times(t, point, s), times(t, generator(), negative(e)))
	return signed{ofPoint(t, times(t, q, inverse(r))), bytes32(e), r, s}
}

// doubling makes a signature with u1·G = u2·Q, so that adding them is doubling: e = r·d.
func doubling(t testing.TB) signed {
	t.Helper()
	d, u1 := below(t), below(t)
	r := mod(xOf(t, times(t, generator(), product(big.NewInt(2), u1))))
	e := product(r, d)
	return signed{ofSecret(t, d), bytes32(e), r, product(e, inverse(u1))}
}

// cancelling makes something with u1·G = −u2·Q, whose sum is the point at infinity: e = −r·d.
func cancelling(t testing.TB) signed {
	t.Helper()
	d, r := below(t), below(t)
	return signed{ofSecret(t, d), bytes32(negative(product(r, d))), r, below(t)}
}

// beyondOrder is a point with n ≤ x < p, of which r is x − n: there are about 2¹²⁷ of them.
func beyondOrder(t testing.TB) *nistec.P256Point {
	t.Helper()
	for k := int64(1); ; k++ {
		x := new(big.Int).Add(n, big.NewInt(k))
		if p, err := nistec.NewP256Point().SetBytes(append([]byte{2}, bytes32(x)...)); err == nil {
			return p
		}
	}
}

// The cases are those that Project Wycheproof tests implementations with.
func TestVerify_AnswersAsTheLibraryWhereItIsDifficult(t *testing.T) {
	d := below(t)
	plain := sign(t, d)
	overflowing := recovered(t, beyondOrder(t))
	zero := signed{ofSecret(t, d), make([]byte, 32), nil, nil} // e = 0: the signature is of u2·Q alone
	k := below(t)
	zero.r = mod(xOf(t, times(t, generator(), k)))
	zero.s = product(inverse(k), zero.r, d)
	wrapped := zero // e = n is the same to whoever reduces it, and most forget that it can be
	wrapped.digest = bytes32(n)
	all := bytes.Repeat([]byte{0xff}, 32)
	beyond := signed{plain.key, all, nil, nil}
	beyond.r = zero.r
	beyond.s = product(inverse(k), mod(new(big.Int).Add(new(big.Int).SetBytes(all), product(zero.r, d))))

	plus := func(x, y *big.Int) *big.Int { return new(big.Int).Add(x, y) }
	minus := func(x, y *big.Int) *big.Int { return new(big.Int).Sub(x, y) }
	with := func(s signed, r, second *big.Int) signed { s.r, s.s = r, second; return s }
	for _, c := range []struct {
		name string
		signed
		want bool
	}{
		{"good", plain, true},
		{"s turned to n−s is good too", with(plain, plain.r, minus(n, plain.s)), true},
		{"r turned", with(plain, minus(n, plain.r), plain.s), false},
		{"r and s exchanged", with(plain, plain.s, plain.r), false},
		{"r is 0", with(plain, new(big.Int), plain.s), false},
		{"s is 0", with(plain, plain.r, new(big.Int)), false},
		{"both are 0", with(plain, new(big.Int), new(big.Int)), false},
		{"r is 1", with(plain, one, plain.s), false},
		{"s is 1", with(plain, plain.r, one), false},
		{"both are 1", with(plain, one, one), false},
		{"r is n", with(plain, n, plain.s), false},
		{"s is n", with(plain, plain.r, n), false},
		{"r is n and s 0", with(plain, n, new(big.Int)), false},
		{"r is n−1", with(plain, minus(n, one), plain.s), false},
		{"s is n−1", with(plain, plain.r, minus(n, one)), false},
		{"r is n+1", with(plain, plus(n, one), plain.s), false},
		{"s is n+1", with(plain, plain.r, plus(n, one)), false},
		{"r is p", with(plain, curve.P, plain.s), false},
		{"s is p", with(plain, plain.r, curve.P), false},
		{"r is p−n", with(plain, minus(curve.P, n), plain.s), false},
		{"r is 2²⁵⁶−1", with(plain, new(big.Int).SetBytes(all), plain.s), false},
		{"s is 2²⁵⁶−1", with(plain, plain.r, new(big.Int).SetBytes(all)), false},
		{"x of the sum is n or more, and r is x−n", overflowing, true},
		{"the same with r = x, which is no r", with(overflowing, plus(overflowing.r, n), overflowing.s), false},
		{"u1·G and u2·Q are the same point", doubling(t), true},
		{"u1·G and u2·Q cancel", cancelling(t), false},
		{"the digest is 0", zero, true},
		{"the digest is n", wrapped, true},
		{"the digest is 2²⁵⁶−1", beyond, true},
		{"the digest is 0, the signature another's", with(zero, plain.r, plain.s), false},
		{"the key is G", sign(t, one), true},
		{"the key is 2·G", sign(t, big.NewInt(2)), true},
		{"the key is −G", sign(t, minus(n, one)), true},
		{"the key is (n−1)/2·G", sign(t, new(big.Int).Rsh(n, 1)), true},
		{"the key is 2²²⁴·G, a tooth of the comb", sign(t, new(big.Int).Lsh(one, 224)), true},
		{"another key", signed{ofSecret(t, below(t)), plain.digest, plain.r, plain.s}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			signature := raw(c.r, c.s)
			if jws.VerifyES256(c.key, c.digest, signature) != c.want {
				t.Fatal("the case is wrong: crypto/ecdsa answers otherwise")
			}
			if p256.NewTable(c.key).Verify(c.digest, signature) != c.want {
				t.Errorf("the table answers %v", !c.want)
			}
		})
	}
}

func TestVerify_EveryBitCounts(t *testing.T) {
	s := sign(t, below(t))
	table := p256.NewTable(s.key)
	signature := raw(s.r, s.s)
	for _, text := range [][]byte{s.digest, signature} {
		for bit := range 8 * len(text) {
			text[bit/8] ^= 1 << (bit % 8)
			if table.Verify(s.digest, signature) {
				t.Errorf("verifies with bit %d of %d turned", bit, 8*len(text))
			}
			text[bit/8] ^= 1 << (bit % 8)
		}
	}
	if !table.Verify(s.digest, signature) {
		t.Error("does not verify")
	}
}

func TestMultiply_IsThatOfTheLibrary(t *testing.T) {
	scalars := []*big.Int{one, new(big.Int).Sub(n, one), new(big.Int).Rsh(n, 1)}
	for bit := range uint(256) {
		power := new(big.Int).Lsh(one, bit)
		for _, by := range []int64{-2, -1, 0, 1} {
			near := new(big.Int).Add(power, big.NewInt(by))
			scalars = append(scalars, near, new(big.Int).Sub(n, near))
		}
	}
	for range 200 {
		scalars = append(scalars, below(t))
	}
	point := times(t, generator(), below(t))
	table := p256.NewTable(ofPoint(t, point))
	tried := 0
	for _, u := range scalars {
		if u.Sign() <= 0 || u.Cmp(n) >= 0 {
			continue
		}
		tried++
		if table.Multiply(u).Equal(times(t, point, u)) != 1 {
			t.Errorf("another product for %x", u)
		}
	}
	if tried < 2000 {
		t.Errorf("%d scalars", tried)
	}
}

func TestNewTable_WantsAPointOfTheCurve(t *testing.T) {
	good := ofSecret(t, below(t))
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := good.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := new(big.Int).SetBytes(encoded[1:33]), new(big.Int).SetBytes(encoded[33:])
	for _, c := range []struct {
		name string
		key  *ecdsa.PublicKey
	}{
		{"not on the curve", unchecked(x, new(big.Int).Add(y, one))},
		{"not on the curve either", unchecked(new(big.Int).Add(x, one), y)},
		{"x not reduced", unchecked(new(big.Int).Add(x, curve.P), y)},
		{"negative", unchecked(x, new(big.Int).Neg(y))},
		{"the origin", unchecked(new(big.Int), new(big.Int))},
		{"on P-384", &other.PublicKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			if p256.NewTable(c.key) != nil {
				t.Error("has a table")
			}
		})
	}
}

// unchecked makes a key of any two numbers.
func unchecked(x, y *big.Int) *ecdsa.PublicKey {
	return &ecdsa.PublicKey{Curve: elliptic.P256(), X: x, Y: y} //lint:ignore SA1019 what crypto/ecdsa makes is on the curve
}
