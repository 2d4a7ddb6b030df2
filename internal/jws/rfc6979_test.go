package jws_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"strconv"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// publishedKey is the key of RFC 6979 §A.2.5.
func publishedKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(),
		unhex(t, "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// rfc6979 signs a message by the letter of RFC 6979 §3.2, with nothing of crypto/ecdsa's: r‖s.
func rfc6979(t testing.TB, key *ecdsa.PrivateKey, message string) []byte {
	t.Helper()
	curve := elliptic.P256()
	n := curve.Params().N
	private, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(message))
	e := new(big.Int).SetBytes(digest[:])
	reduced := new(big.Int).Mod(e, n).FillBytes(make([]byte, 32)) // bits2octets
	mac := func(k []byte, parts ...[]byte) []byte {
		h := hmac.New(sha256.New, k)
		for _, part := range parts {
			h.Write(part)
		}
		return h.Sum(nil)
	}
	v, k := make([]byte, 32), make([]byte, 32)
	for i := range v {
		v[i] = 1
	}
	for round := range 2 {
		k = mac(k, v, []byte{byte(round)}, private, reduced)
		v = mac(k, v)
	}
	for {
		v = mac(k, v)
		nonce := new(big.Int).SetBytes(v)
		if nonce.Sign() > 0 && nonce.Cmp(n) < 0 {
			point, err := ecdsa.ParseRawPrivateKey(curve, v) // the public key of the nonce is the point k·G
			if err != nil {
				t.Fatal(err)
			}
			uncompressed, err := point.PublicKey.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			r := new(big.Int).Mod(new(big.Int).SetBytes(uncompressed[1:33]), n)
			s := new(big.Int).Mul(r, new(big.Int).SetBytes(private))
			s.Add(s, e).Mul(s, nonce.ModInverse(nonce, n)).Mod(s, n)
			if r.Sign() > 0 && s.Sign() > 0 {
				return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
			}
		}
		k = mac(k, v, []byte{0})
		v = mac(k, v)
	}
}

// The vectors prove the oracle, and the oracle proves Sign: a compact JWS always has a dot, so that no vector of the
// RFC can be its message.
func TestRFC6979_A_2_5_KnownAnswers(t *testing.T) {
	for message, want := range map[string]string{
		"sample": "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716" +
			"F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
		"test": "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367" +
			"019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
	} {
		if got := hex.EncodeToString(rfc6979(t, publishedKey(t), message)); got != hex.EncodeToString(unhex(t, want)) {
			t.Errorf("%s: got %s, want %s", message, got, want)
		}
	}
}

func TestRFC6979_S3_2_SignIsDeterministic(t *testing.T) {
	key := publishedKey(t)
	for i := range 16 {
		compact, err := jws.Sign(key, []byte(`{"alg":"ES256"}`), []byte(strconv.Itoa(i)))
		if err != nil {
			t.Fatal(err)
		}
		token, err := jws.Split(compact, lengthMax)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := token.Signature, rfc6979(t, key, token.SigningInput); string(got) != string(want) {
			t.Errorf("payload %d: got %x, want %x", i, got, want)
		}
	}
}
