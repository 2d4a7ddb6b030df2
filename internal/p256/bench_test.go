package p256_test

import (
	"crypto/ecdsa"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/p256"
)

// BenchmarkVerify compares, in turns of sixteen keys, what a signature takes with tables and with crypto/ecdsa. The
// metric faster is the median of the ratios of all turns: other work on the machine strikes both.
func BenchmarkVerify(b *testing.B) {
	for _, keys := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			tables := p256.New(p256.Config{Keys: keys})
			all := signers(b, keys)
			signatures := make([][]byte, keys)
			for i, s := range all {
				signatures[i] = raw(s.r, s.s)
				seenOften(b, tables, s)
			}
			turn := func(from int, verify func(*ecdsa.PublicKey, []byte, []byte) bool) float64 {
				began := time.Now()
				for i := range 16 {
					at := (from + 37*i) % keys
					if !verify(all[at].key, all[at].digest, signatures[at]) {
						b.Fatal("does not verify")
					}
				}
				return float64(time.Since(began).Nanoseconds()) / 16
			}
			var faster, with, without []float64
			b.ReportAllocs()
			for from := 0; b.Loop(); from += 1009 {
				library, table := turn(from, jws.VerifyES256), turn(from, tables.Verify)
				with, without, faster = append(with, table), append(without, library), append(faster, library/table)
			}
			for _, values := range [][]float64{with, without, faster} {
				slices.Sort(values)
			}
			b.ReportMetric(faster[len(faster)/2], "faster")
			b.ReportMetric(with[len(with)/2], "ns-table")
			b.ReportMetric(without[len(without)/2], "ns-ecdsa")
			b.ReportMetric(float64(tables.Stats().Bytes), "bytes")
		})
	}
}

// BenchmarkBuild is what a table costs, in verifications with crypto/ecdsa.
func BenchmarkBuild(b *testing.B) {
	s := sign(b, below(b))
	signature := raw(s.r, s.s)
	built, verified := time.Hour, time.Hour
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		runtime.KeepAlive(p256.NewTable(s.key))
		between := time.Now()
		jws.VerifyES256(s.key, s.digest, signature)
		built, verified = min(built, between.Sub(began)), min(verified, time.Since(between))
	}
	b.ReportMetric(float64(built)/float64(verified), "verifications")
}
