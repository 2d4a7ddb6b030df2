package jws_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

const lengthMax = 8 << 10

func encode(segment string) string { return base64.RawURLEncoding.EncodeToString([]byte(segment)) }

func TestRFC7515_S7_1_Split(t *testing.T) {
	for _, c := range []struct {
		name, compact string
		want          error
	}{
		{"three", "YQ.Yg.Yw", nil},
		{"all empty", "..", nil},
		{"none", "", jws.ErrSegments},
		{"one", "YQ", jws.ErrSegments},
		{"two", "YQ.Yg", jws.ErrSegments},
		{"four", "YQ.Yg.Yw.ZA", jws.ErrSegments},
		{"five", "YQ.Yg.Yw.ZA.ZQ", jws.ErrSegments},
		{"longest", "." + strings.Repeat("A", lengthMax-2) + ".", nil},
		{"one too long", "." + strings.Repeat("A", lengthMax-1) + ".", jws.ErrTooLong},
		{"padding", "YQ==.Yg.Yw", jws.ErrBase64},
		{"bits to spare", "YR.Yg.Yw", jws.ErrBase64},
		{"bits to spare in the signature", "YQ.Yg.Yx", jws.ErrBase64},
		{"line feed", "Y\nQ.Yg.Yw", jws.ErrBase64},
		{"carriage return at the end", "YQ.Yg.Yw\r", jws.ErrBase64},
		{"standard alphabet", "++.Yg.Yw", jws.ErrBase64},
		{"space", "YQ. Yg.Yw", jws.ErrBase64},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := jws.Split(c.compact, lengthMax)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err != nil && (got.SigningInput != "" || got.Header != nil || got.Payload != nil || got.Signature != nil) {
				t.Errorf("something beside an error: %+v", got)
			}
		})
	}
	got, err := jws.Split("YQ.Yg.Yw", lengthMax)
	if err != nil || string(got.Header) != "a" || string(got.Payload) != "b" || string(got.Signature) != "c" || got.SigningInput != "YQ.Yg" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRFC7518_S3_4_SignAndVerify(t *testing.T) {
	key := publishedKey(t)
	compact, err := jws.Sign(key, []byte(`{"alg":"ES256"}`), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := jws.SignedLength([]byte(`{"alg":"ES256"}`), []byte(`{}`)); got != len(compact) {
		t.Errorf("SignedLength %d, the token has %d", got, len(compact))
	}
	token, err := jws.Split(compact, lengthMax)
	if err != nil {
		t.Fatal(err)
	}
	if err := token.Verify(&key.PublicKey); err != nil {
		t.Error(err)
	}
	for i := range token.Signature {
		changed := token
		changed.Signature = slices.Clone(token.Signature)
		changed.Signature[i] ^= 1
		if err := changed.Verify(&key.PublicKey); !errors.Is(err, jws.ErrSignature) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for _, length := range []int{0, 63, 65, 72} {
		changed := token
		changed.Signature = make([]byte, length)
		if err := changed.Verify(&key.PublicKey); !errors.Is(err, jws.ErrSignatureForm) {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
	if err := token.Verify(nil); !errors.Is(err, jws.ErrSignature) {
		t.Errorf("no key: %v", err)
	}
}

// One token in 128 has an r or s that begins with a zero byte, which must not be dropped.
func TestRFC7518_S3_4_ShortIntegersArePadded(t *testing.T) {
	key := publishedKey(t)
	for i := range 4096 {
		compact, err := jws.Sign(key, nil, []byte{byte(i), byte(i >> 8)})
		if err != nil {
			t.Fatal(err)
		}
		token, err := jws.Split(compact, lengthMax)
		if err != nil {
			t.Fatal(err)
		}
		if len(token.Signature) != jws.SignatureBytes {
			t.Fatalf("%d bytes", len(token.Signature))
		}
		if token.Signature[0] == 0 || token.Signature[32] == 0 {
			if err := token.Verify(&key.PublicKey); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Error("no token with a short integer found")
}

// signer is a key that answers what it is told to.
type signer struct {
	public crypto.PublicKey
	der    []byte
}

func (s signer) Public() crypto.PublicKey                                  { return s.public }
func (s signer) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return s.der, nil }

func TestSignRefusesWhatIsNoSignature(t *testing.T) {
	public := &publishedKey(t).PublicKey
	for name, der := range map[string]string{
		"nothing": "", "text": "signature", "one integer": "\x30\x03\x02\x01\x01", "zero": "\x30\x06\x02\x01\x00\x02\x01\x01",
		"negative": "\x30\x06\x02\x01\xff\x02\x01\x01", "33 bytes": "\x30\x26\x02\x21\x01" + strings.Repeat("\x00", 32) + "\x02\x01\x01",
	} {
		t.Run(name, func(t *testing.T) {
			if compact, err := jws.Sign(signer{public, []byte(der)}, nil, nil); !errors.Is(err, jws.ErrSignatureForm) || compact != "" {
				t.Errorf("%q, %v", compact, err)
			}
		})
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"P-384": p384, "no key": signer{}} {
		if compact, err := jws.Sign(key, nil, nil); !errors.Is(err, jws.ErrSignatureForm) || compact != "" {
			t.Errorf("%s: %q, %v", name, compact, err)
		}
	}
}
