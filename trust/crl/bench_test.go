package crl_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"runtime"
	"testing"

	"github.com/viaduct-oob/viaduct/trust/crl"
)

const million = 1_000_000

// millionDER is a list with a thousand entries for each of a thousand runs of issuers.
func millionDER(b *testing.B) []byte {
	b.Helper()
	d := document{entries: make([]revocation, million)}
	for i := range d.entries {
		d.entries[i] = revocation{serial: serialOf(i), extensions: []pkix.Extension{because(byte(crl.KeyCompromise))}}
		if i%1000 == 0 {
			d.entries[i].extensions = append(d.entries[i].extensions, issuedBy([][]byte{caA, caB}[i/1000%2]))
		}
	}
	return d.write(b, newSigner(b, elliptic.P256(), x509.KeyUsageCRLSign))
}

// BenchmarkLoadMillion reads a million entries, and says how much memory they take afterwards.
func BenchmarkLoadMillion(b *testing.B) {
	der := millionDER(b)
	var before, after runtime.MemStats
	var list *crl.List
	for b.Loop() {
		list = nil
		runtime.GC()
		runtime.ReadMemStats(&before)
		var err error
		if list, err = crl.Parse(der); err != nil || list.Len() != million {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/million, "bytes/entry")
	b.ReportMetric(float64(len(der))/million, "DER-bytes/entry")
	runtime.KeepAlive(list)
	runtime.KeepAlive(der)
}

// BenchmarkLookup looks up certificates all over a list of a million, half of them on it.
func BenchmarkLookup(b *testing.B) {
	list, err := crl.Parse(millionDER(b))
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]crl.ID, 1<<16)
	for i := range ids {
		serial := i * 30 // beyond the million for half of them
		if ids[i], err = crl.IDOf(issued([][]byte{caA, caB}[serial/1000%2], serialOf(serial))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	found, i := 0, 0
	for b.Loop() {
		if _, _, revoked := list.Revoked(ids[i&(len(ids)-1)]); revoked {
			found++
		}
		i++
	}
	if i > len(ids) && (found < i/3 || found > i*2/3) {
		b.Errorf("%d of %d found", found, i)
	}
}
