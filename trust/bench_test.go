package trust_test

import (
	"crypto/ecdsa"
	"fmt"
	"runtime"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
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

// BenchmarkVerify_WarmWithRevocations is the same with an STI-PA that revokes.
func BenchmarkVerify_WarmWithRevocations(b *testing.B) {
	a := newAdministration(b, nil)
	id := a.issue(a.listed())
	a.set(strict, trust.RevocationSource{List: a.revoking()})
	a.mustVerify(id)
	check := func(*ecdsa.PublicKey) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.verifier.Verify(b.Context(), id.X5U, check); err != nil {
			b.Fatal(err)
		}
	}
}

// chainsInCache fills a cache with chains of different leaves and says how many bytes it takes for each.
func chainsInCache(t testing.TB, n int) (a *administration, bytesPerChain float64) {
	t.Helper()
	a = newAdministration(t, func(c *trust.Config) { c.CertificatesMax = n })
	a.set(trust.RevocationPolicy{}, trust.RevocationSource{Issuer: a.issuer, List: a.revoking()})
	listed := a.listed()
	listed.IssuedByRoot = false
	listed.Key = a.issue(listed).Key // else making keys would take most of the time
	listed.Path = "/sp.pem"          // else the laboratory would keep them all
	before := heapBytes()
	for i := range n {
		listed.SPC = fmt.Sprintf("%04X", i%0x10000)
		id, err := a.pki.Issue(listed)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.verifier.Lay(x5uOf(i), id.ChainPEM); err != nil {
			t.Fatal(err)
		}
	}
	if s := a.verifier.Stats(); s.Certificates != int64(n) {
		t.Fatalf("%+v", s)
	}
	return a, float64(heapBytes()-before) / float64(n)
}

// x5uOf is as long as those of the network.
func x5uOf(i int) string {
	return fmt.Sprintf("https://certificates.carrier-%d.example/stir-shaken/%016x.pem", i%1000, i)
}

func heapBytes() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what weak pointers held is gone after the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkHundredThousandChains reports what a cache with so many takes. Its time is that of the first call after a new
// revocation list has come. Filling the cache takes a minute.
func BenchmarkHundredThousandChains(b *testing.B) {
	const n = 100_000
	a, perChain := chainsInCache(b, n)
	var lists [2]*trust.Revocations
	for i := range lists {
		var err error
		if lists[i], err = trust.NewRevocations(trust.RevocationPolicy{}, trust.RevocationSource{Issuer: a.issuer, List: a.revoking()}); err != nil {
			b.Fatal(err)
		}
	}
	x5u := x5uOf(7)
	check := func(*ecdsa.PublicKey) error { return nil }
	for i := 0; b.Loop(); i++ {
		a.verifier.SetRevocations(lists[i%2])
		if _, err := a.verifier.Verify(b.Context(), x5u, check); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(perChain, "bytes/chain")
	b.ReportMetric(perChain*n/1e6, "MB")
	runtime.KeepAlive(a)
}

// A hundred thousand chains must fit into 400 MB.
func TestCache_AChainTakesLessThan4KB(t *testing.T) {
	a, perChain := chainsInCache(t, 1000)
	if perChain > 4000 {
		t.Errorf("%.0f bytes for each chain", perChain)
	}
	runtime.KeepAlive(a)
}
