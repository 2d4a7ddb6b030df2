package jws_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// Whoever verifies in place of crypto/ecdsa is asked about the received bytes, and only about what can be ES256.
func TestVerifyWith_AsksForTheAnswerAlone(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jws.Sign(key, []byte(`{"alg":"ES256"}`), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.Split(compact, 1000)
	if err != nil {
		t.Fatal(err)
	}
	short := token
	short.Signature = token.Signature[:63]
	for _, c := range []struct {
		name   string
		token  jws.Token
		key    *ecdsa.PublicKey
		answer bool
		asked  bool
		want   error
	}{
		{"yes", token, &key.PublicKey, true, true, nil},
		{"no", token, &key.PublicKey, false, true, jws.ErrSignature},
		{"63 bytes", short, &key.PublicKey, true, false, jws.ErrSignatureForm},
		{"P-384", token, &other.PublicKey, true, false, jws.ErrSignature},
		{"no key", token, nil, true, false, jws.ErrSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := false
			err := c.token.VerifyWith(c.key, func(key *ecdsa.PublicKey, digest, signature []byte) bool {
				asked = true
				want := sha256.Sum256([]byte(token.SigningInput))
				if key != c.key || !bytes.Equal(digest, want[:]) || !bytes.Equal(signature, token.Signature) || !jws.VerifyES256(key, digest, signature) {
					t.Error("asked about something else")
				}
				return c.answer
			})
			if !errors.Is(err, c.want) || asked != c.asked {
				t.Errorf("%v, asked: %v", err, asked)
			}
		})
	}
}
