package advert_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/trust"
)

// A process starts, and takes what comes, however many signers of what is on disk hang.
func TestBook_SignersThatHangHoldUpNoStart(t *testing.T) {
	l := newLaboratory(t)
	hang := l.host(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	anchors, err := trust.NewAnchors(l.pki.Root.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := trust.New(trust.Config{Anchors: anchors, Repository: trust.RepositoryConfig{Deadline: time.Second, Laboratory: l.trust}})
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	l.checker.Verifier = verifier
	dir := t.TempDir()
	for i := range 20 {
		s := l.signer("567A")
		s.X5U = fmt.Sprintf("%s/%d.pem", hang, i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%064d.advert", i)), []byte(l.sign(s, 1, says{"0-567A": "https://cps.example"})), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	l.book(func(cfg *advert.BookConfig) { cfg.Directory = dir })
	if took := time.Since(began); took > 10*time.Second { // half of what they would take one after the other
		t.Errorf("the start took %s", took)
	}
}
