package cpsclient_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"io"
	"net/http"
	"testing"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
)

// The floor of an operation's cost is the signature under its access token.
func BenchmarkSignature(b *testing.B) {
	key := openLaboratory().upstream.Key
	digest := sha256.Sum256(nil)
	for b.Loop() {
		if _, err := ecdsa.SignASN1(nil, key, digest[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// Both ends run on the same cores; the CPS does nothing. A bare GET is what net/http costs.
func BenchmarkOperations(b *testing.B) {
	l := openLaboratory()
	server := start(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			created(w, r)
			return
		}
		holding(`"a.b.c"`)(w, r)
	}), true)
	cfg := l.as(l.upstream, server.URL)
	cfg.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	p := l.publication(b, oob.Agreed)
	b.Run("bare GET", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			res, err := server.Client().Get(server.URL)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	})
	for name, operation := range map[string]func(*cpsclient.Client) error{
		"publish":  func(c *cpsclient.Client) error { return c.Publish(b.Context(), p) },
		"retrieve": func(c *cpsclient.Client) error { _, err := c.Retrieve(b.Context(), p.Key); return err },
	} {
		b.Run(name, func(b *testing.B) {
			c := open(b, cfg)
			b.ReportAllocs()
			for b.Loop() {
				if err := operation(c); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+" parallel", func(b *testing.B) {
			c := open(b, cfg)
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := operation(c); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
