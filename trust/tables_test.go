package trust_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
)

func TestVerify_KeysThatAreSeenOftenHaveTables(t *testing.T) {
	if l := newLaboratory(t, nil); l.verifier.ES256() != nil {
		t.Error("there are tables although none are asked for")
	}
	l := newLaboratory(t, func(c *trust.Config) { c.Tables = 1 })
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	digest := sha256.Sum256([]byte("text"))
	r, s, err := ecdsa.Sign(nil, id.Key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	good := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	bad := bytes.Clone(good)
	bad[63] ^= 1
	verify := func(signature []byte) error {
		_, err := l.verifier.Verify(t.Context(), id.X5U, func(key *ecdsa.PublicKey) error {
			if !l.verifier.ES256()(key, digest[:], signature) {
				return errSignature
			}
			return nil
		})
		return err
	}
	for range 70 {
		if err := verify(good); err != nil {
			t.Fatal(err)
		}
	}
	if err := verify(bad); err != errSignature {
		t.Errorf("a bad signature: %v", err)
	}
	if s := l.verifier.Stats(); s.Tables != 1 || s.TablesBuilt != 1 || s.TableAnswers != 7 || s.TablesOff {
		t.Errorf("%+v", s)
	}
}
