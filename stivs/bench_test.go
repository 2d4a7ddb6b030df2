package stivs_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stivs"
)

// BenchmarkVerify is a warm verification in band. The metric x-ecdsa is its least time over the least of a bare
// ecdsa.VerifyASN1, measured in turns with it: other work on the machine disturbs averages.
func BenchmarkVerify(b *testing.B) {
	l := newLaboratory(b)
	signed := l.signed()
	call, s := plainCall(signed.Identity.String()), l.service(func(cfg *stivs.Config) { cfg.Now = time.Now })
	call.ID = "one call" // whose PASSporT may come again
	digest := sha256.Sum256([]byte(signed.Passport))
	signature, err := ecdsa.SignASN1(nil, l.signer.Key, digest[:])
	l.must(err)
	if v := s.Verify(b.Context(), call); v.Verstat != oob.VerstatPassed {
		b.Fatal(story(v))
	}
	whole, bare := time.Hour, time.Hour
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		s.Verify(b.Context(), call)
		between := time.Now()
		ecdsa.VerifyASN1(&l.signer.Key.PublicKey, digest[:], signature)
		whole, bare = min(whole, between.Sub(began)), min(bare, time.Since(between))
	}
	b.ReportMetric(float64(whole)/float64(bare), "x-ecdsa")
}
