package trust_test

import (
	"crypto/ecdsa"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
)

// BenchmarkVerify_Warm is what a call pays for trust beyond its signature check.
func BenchmarkVerify_Warm(b *testing.B) {
	l := newLaboratory(b, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	l.mustVerify(id)
	check := func(*ecdsa.PublicKey) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.verifier.Verify(b.Context(), id.X5U, check); err != nil {
			b.Fatal(err)
		}
	}
}
